package space

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// pair is two gateways with one store and a bus, and a device at each.
type pair struct {
	t        *testing.T
	near     *rig
	far      *rig
	ann, bob *testClient // at near, at far; both in session 1
	edits    int
}

func newPair(t *testing.T, cfg Config) *pair {
	store := new(Memory)
	p := &pair{t: t, near: newRig(t, "near", store, cfg), far: newRig(t, "far", store, cfg), ann: newTestClient("ann"), bob: newTestClient("bob")}
	for _, r := range []*rig{p.near, p.far} {
		r.core.Bus(r.now, true)
		r.take()
		r.settle()
	}
	p.attach(p.near, 1, p.ann)
	p.attach(p.far, 1, p.bob)
	p.far.handed = nil
	return p
}

func (p *pair) attach(r *rig, session SessionID, c *testClient) {
	p.t.Helper()
	r.core.Attach(r.now, Attach{Session: session, Device: c.device, User: c.user})
	r.take()
	r.settle()
	if _, ok := r.answers(session)[0].(Attached); !ok {
		p.t.Fatal("not attached")
	}
}

// edit makes a mutation of a device and pushes it; what the core wants stays to be
// done.
func (p *pair) edit(r *rig, c *testClient) {
	p.edits++
	c.mutate(r.now, mustOp(fmt.Sprintf("create tasks/%d n=1", p.edits)))
	r.core.Push(r.now, c.pushFrom(1, uint64(p.edits), c.counter))
	r.take()
}

// commit makes a commit at near, and returns it.
func (p *pair) commit() LogItem {
	p.t.Helper()
	p.edit(p.near, p.ann)
	p.near.settle()
	return p.near.own[len(p.near.own)-1]
}

func (p *pair) offer(item LogItem) {
	p.far.core.Offer(p.far.now, item)
	p.far.take()
}

// begun does what a core wants but for its append, which it returns.
func begun(t *testing.T, r *rig) Request {
	t.Helper()
	for range 100 {
		i := slices.IndexFunc(r.requests, func(q Request) bool { _, ok := q.Op.(AppendOp); return !ok })
		if i < 0 {
			break
		}
		req := r.requests[i]
		r.requests = slices.Delete(r.requests, i, i+1)
		r.respond(req, r.perform(req.Op))
	}
	if len(r.requests) != 1 {
		t.Fatalf("wants %q, not an append", wants(r))
	}
	req := r.requests[0]
	r.requests = nil
	return req
}

// verdicts are the counters that a session has been told verdicts of.
func verdicts(t *testing.T, r *rig, session SessionID) (counters []uint64) {
	t.Helper()
	for _, body := range r.answers(session) {
		v, ok := body.(Verdicts)
		if !ok || v.Replay {
			t.Fatalf("told %s", showReply(body))
		}
		for i := range v.List {
			counters = append(counters, v.List[i].Counter)
		}
	}
	return counters
}

func wants(r *rig) string {
	var words []string
	for _, req := range r.requests {
		words = append(words, showOp(req.Op))
	}
	return strings.Join(words, "; ")
}

// TestOffer: what another gateway tells is folded without a read if it is the
// next commit, and is otherwise a reason to read.
func TestOffer(t *testing.T) {
	t.Run("the next", func(t *testing.T) {
		p := newPair(t, Config{})
		proved, proofs := p.far.core.proved, p.far.core.proofs
		p.far.now += 1000
		item := p.commit()
		p.offer(item)
		p.far.settle() // images
		if p.far.core.Head().Seq != 1 || p.far.count(EventOffered) != 1 {
			t.Fatalf("head %d", p.far.core.Head().Seq)
		}
		if p.far.core.proved != proved || p.far.core.proofs != proofs {
			t.Error("the offer proved the head")
		}
		p.offer(item)
		if w := wants(p.far); w != "" || p.far.core.Head().Seq != 1 {
			t.Errorf("offered twice: wants %s", w)
		}
	})
	t.Run("across a gap", func(t *testing.T) {
		p := newPair(t, Config{})
		first, second := p.commit(), p.commit()
		p.offer(second)
		if w := wants(p.far); w != "log from 1" {
			t.Fatalf("wants %q", w)
		}
		// The first comes, late, before the read is answered.
		req := p.far.requests[0]
		p.far.requests = nil
		answer := p.far.perform(req.Op)
		p.offer(first)
		p.far.settle()
		p.far.respond(req, answer)
		p.far.settle()
		if p.far.core.Head().Seq != 2 || p.far.count(EventOffered) != 1 {
			t.Errorf("head %d, %d offers folded", p.far.core.Head().Seq, p.far.count(EventOffered))
		}
	})
	t.Run("while opening", func(t *testing.T) {
		p := newPair(t, Config{})
		p.far.restart()
		p.offer(p.commit())
		p.far.settle()
		if p.far.core.Head().Seq != 1 || p.far.count(EventOffered) != 0 {
			t.Errorf("head %d", p.far.core.Head().Seq)
		}
	})
	t.Run("while an append is in flight", func(t *testing.T) {
		p := newPair(t, Config{})
		p.edit(p.far, p.bob)
		late := begun(t, p.far)
		p.offer(p.commit())
		p.far.settle()
		if p.far.count(EventRace) != 1 || p.far.core.Head().Seq != 2 || !slices.Equal(verdicts(t, p.far, 1), []uint64{1}) {
			t.Fatalf("head %d", p.far.core.Head().Seq)
		}
		p.far.respond(late, p.far.perform(late.Op))
		p.far.settle()
		if p.far.core.Head().Seq != 2 || p.far.count(EventRace) != 1 {
			t.Error("the late answer of the beaten append counted")
		}
	})
	t.Run("of the append in flight itself", func(t *testing.T) {
		p := newPair(t, Config{})
		p.edit(p.far, p.bob)
		op := begun(t, p.far).Op.(AppendOp)
		p.offer(LogItem(op))
		if p.far.count(EventRace) != 0 || !slices.Equal(verdicts(t, p.far, 1), []uint64{1}) {
			t.Error("an own commit was not known again")
		}
	})
	t.Run("rubbish", func(t *testing.T) {
		p := newPair(t, Config{})
		item := p.commit()
		future := slices.Clone(item.Data)
		future[0] |= 1 // a must-understand bit
		for _, bad := range []LogItem{{1, nil}, {1, []byte{protocol.Format, 1}}, {1, future}, {2, item.Data}, {1, item.Data[:len(item.Data)-1]}} {
			p.offer(bad)
			if p.far.core.Head().Seq > 0 || p.far.core.Damaged() != nil || wants(p.far) != "log from 1" {
				t.Fatalf("head %d, %v, wants %q", p.far.core.Head().Seq, p.far.core.Damaged(), wants(p.far))
			}
		}
		p.far.settle()
		if p.far.core.Head().Seq != 1 || p.far.count(EventOffered) != 0 {
			t.Errorf("head %d", p.far.core.Head().Seq)
		}
	})
	t.Run("after hours of suspension", func(t *testing.T) {
		p := newPair(t, Config{})
		p.far.now += millis(5 * time.Hour)
		p.offer(p.commit())
		if p.far.core.Head().Seq != 0 || p.far.count(EventHole) != 1 {
			t.Fatal("it went on")
		}
		if lost, ok := p.far.answers(1)[0].(Lost); !ok {
			t.Errorf("the device was told %v", lost)
		}
	})
}

// TestOfferIsNoProof: a device that knows more than this gateway is not answered
// before the log has been read, whatever the bus brings.
func TestOfferIsNoProof(t *testing.T) {
	p := newPair(t, Config{})
	first := p.commit()
	p.commit()
	p.far.core.Attach(p.far.now, Attach{Session: 2, Device: p.ann.device, User: p.ann.user, Counter: 2, Cursor: p.near.core.Head()})
	p.far.take()
	held := p.far.requests // the device's entry, and the log
	p.far.requests = nil
	p.offer(first)
	for _, req := range held {
		if _, log := req.Op.(LogOp); !log {
			p.far.respond(req, p.far.perform(req.Op))
		}
	}
	if len(p.far.answers(2)) > 0 {
		t.Fatal("the device was answered on what the bus brought")
	}
	for _, req := range held {
		if _, log := req.Op.(LogOp); log {
			p.far.respond(req, p.far.perform(req.Op))
		}
	}
	p.far.settle()
	at, ok := p.far.answers(2)[0].(Attached)
	if !ok || at.Counter != 2 || at.Mode != protocol.ModeResume {
		t.Errorf("told %+v", at)
	}
}

// TestShortAnswersProve: where commits come so often that no read finds nothing, a
// short answer is as good; one that may have been cut short is not.
func TestShortAnswersProve(t *testing.T) {
	for _, test := range []struct {
		name   string
		age    time.Duration
		size   int
		proves bool
	}{
		{"short and young", 0, 1 << 10, true},
		{"old, and so perhaps before a gap", 90 * time.Minute, 1 << 10, false},
		{"long", 0, tailBytes/4 + 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, "a", new(Memory), Config{})
			r.settle()
			commit := &protocol.Commit{Seq: 1, Time: r.now - millis(test.age), Gateway: strings.Repeat("x", test.size)}
			item := LogItem{1, protocol.EncodeCommit(commit, protocol.NewNameTable())}
			before := r.core.proofs
			r.core.readTail()
			r.core.Tick(r.now)
			r.take()
			if wants(r) != "log from 1" {
				t.Fatalf("wants %q", wants(r))
			}
			req := r.requests[0]
			r.requests = nil
			r.core.Offer(r.now, item) // so that nothing of the answer is new
			r.take()
			r.respond(req, Response{Log: []LogItem{item}})
			if got := r.core.proofs > before; got != test.proves {
				t.Errorf("proved: %v", got)
			}
			if again := wants(r) == "log from 2"; again == test.proves {
				t.Errorf("wants %q", wants(r))
			}
		})
	}
}

// TestBusyLogOpens: a gateway opens a space whose log grows faster than it reads.
func TestBusyLogOpens(t *testing.T) {
	p := newPair(t, Config{})
	p.commit()
	p.far.restart()
	for n := 0; n < 100 && p.far.core.phase != phaseOpen; n++ {
		p.commit() // whenever something has been read
		req := p.far.requests[0]
		p.far.requests = p.far.requests[1:]
		p.far.respond(req, p.far.perform(req.Op))
	}
	if p.far.core.phase != phaseOpen {
		t.Error("it does not open")
	}
}

// TestPollIsQuiet: while the others can be heard the log is read seldom, and at
// once when they can be heard again.
func TestPollIsQuiet(t *testing.T) {
	reads := func(r *rig, d time.Duration) (n int) {
		for until := r.now + millis(d); r.now < until; {
			r.now += 100
			r.core.Tick(r.now)
			r.take()
			for _, req := range r.requests {
				if _, ok := req.Op.(LogOp); ok {
					n++
				}
			}
			r.settle()
		}
		return n
	}
	p := newPair(t, Config{})
	if n := reads(p.far, time.Minute); n != 6 {
		t.Errorf("%d reads in a minute with a bus", n)
	}
	p.far.core.Bus(p.far.now, false)
	if n := reads(p.far, time.Minute); n != 120 {
		t.Errorf("%d reads in a minute without", n)
	}
	p.far.core.Bus(p.far.now, true)
	p.far.take()
	if w := wants(p.far); w != "log from 1" {
		t.Errorf("when the bus comes back it wants %q", w)
	}
}

// TestAnnouncements: the last committer tells its head again and again, and then
// no more; whoever is not the last is silent.
func TestAnnouncements(t *testing.T) {
	p := newPair(t, Config{})
	p.commit()
	for _, step := range []struct {
		after time.Duration
		want  []uint64
	}{
		{999 * time.Millisecond, nil}, {time.Millisecond, []uint64{1}}, {2999 * time.Millisecond, []uint64{1}},
		{time.Millisecond, []uint64{1, 1}}, {12 * time.Second, []uint64{1, 1, 1}}, {time.Minute, []uint64{1, 1, 1}},
	} {
		p.near.pass(step.after)
		if !slices.Equal(p.near.announced, step.want) {
			t.Fatalf("announced %v, want %v", p.near.announced, step.want)
		}
	}
	p.commit()
	p.near.pass(time.Second)
	p.far.now = p.near.now
	p.offer(p.near.own[0])
	p.far.settle()
	p.offer(p.near.own[1])
	p.far.settle()
	p.edit(p.far, p.bob)
	p.far.settle()
	p.near.core.Offer(p.near.now, p.far.own[0])
	p.near.take()
	p.near.pass(time.Minute)
	p.far.pass(time.Minute)
	if !slices.Equal(p.near.announced, []uint64{1, 1, 1, 2}) || !slices.Equal(p.far.announced, []uint64{3, 3, 3}) {
		t.Errorf("announced %v and %v", p.near.announced, p.far.announced)
	}
}
