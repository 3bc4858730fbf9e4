package space

import (
	"slices"
	"testing"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// handedPair is a pair whose far gateway has just handed over what is queued.
func handedPair(t *testing.T) *pair {
	p := newPair(t, Config{})
	for n := 0; len(p.far.handed) == 0; n++ {
		if n == 2 {
			t.Fatal("beaten twice, and nothing is handed over")
		}
		if n == 0 {
			p.edit(p.far, p.bob)
		}
		begun(t, p.far)
		p.offer(p.commit())
		p.far.take()
		if n == 0 && len(p.far.handed) > 0 {
			t.Fatal("beaten once, and handed over")
		}
		p.settleReads()
	}
	return p
}

// settleReads does what the far gateway wants but for appends.
func (p *pair) settleReads() {
	for {
		i := slices.IndexFunc(p.far.requests, func(q Request) bool { _, ok := q.Op.(AppendOp); return !ok })
		if i < 0 {
			return
		}
		req := p.far.requests[i]
		p.far.requests = slices.Delete(p.far.requests, i, i+1)
		p.far.respond(req, p.far.perform(req.Op))
	}
}

// take gives the near gateway what was handed over.
func (p *pair) take(h HandOver) {
	p.near.core.Take(p.near.now, h.Pushes)
	p.near.take()
}

func TestHandOver(t *testing.T) {
	t.Run("as it should be", func(t *testing.T) {
		p := handedPair(t)
		h := p.far.handed[0]
		if h.Gateway != "near" || len(h.Pushes.Pushes) != 1 || h.Pushes.Pushes[0].First != 1 || wants(p.far) != "" {
			t.Fatalf("handed over %+v, wants %q", h, wants(p.far))
		}
		p.take(h)
		p.near.settle()
		if p.near.core.Head().Seq != 3 || p.near.count(EventTaken) != 1 {
			t.Fatalf("the near gateway is at %d", p.near.core.Head().Seq)
		}
		if got := p.near.answers(1); len(got) != 2 {
			t.Errorf("the near gateway's device was told %d things", len(got))
		}
		p.offer(p.near.own[2])
		p.far.settle()
		if !slices.Equal(verdicts(t, p.far, 1), []uint64{1}) || p.far.core.Head().Seq != 3 {
			t.Error("the author was told nothing")
		}

		// What comes next goes over directly, and never into an append here.
		p.edit(p.far, p.bob)
		p.edit(p.far, p.bob)
		if len(p.far.handed) != 3 || wants(p.far) != "" || p.far.handed[2].Pushes.Pushes[0].First != 3 {
			t.Fatalf("handed over %d times, wants %q", len(p.far.handed), wants(p.far))
		}
		p.take(p.far.handed[2]) // overtaken
		p.take(p.far.handed[2])
		p.take(p.far.handed[1])
		p.near.settle()
		for _, item := range p.near.own[3:] {
			p.offer(item)
			p.far.settle()
		}
		if !slices.Equal(verdicts(t, p.far, 1), []uint64{2, 3}) || len(p.near.core.writers) != 1 {
			t.Errorf("near has %d writers", len(p.near.core.writers))
		}

		// Once the other gateway has been silent for a while this one tries itself.
		p.far.now += millis(3 * time.Second)
		p.edit(p.far, p.bob)
		p.far.settle()
		if len(p.far.handed) != 3 || !slices.Equal(verdicts(t, p.far, 1), []uint64{4}) {
			t.Error("it does not append itself again")
		}
	})
	t.Run("not when beaten now and then", func(t *testing.T) {
		p := newPair(t, Config{})
		for range 3 {
			p.edit(p.far, p.bob)
			p.far.settle()
			p.near.core.Offer(p.near.now, p.far.own[len(p.far.own)-1])
			p.near.take()
			p.near.settle()
			p.edit(p.far, p.bob)
			begun(t, p.far)
			p.offer(p.commit())
			p.far.settle() // and now it wins
			p.near.core.Offer(p.near.now, p.far.own[len(p.far.own)-1])
			p.near.take()
			p.near.settle()
		}
		if len(p.far.handed) > 0 || p.far.count(EventRace) != 3 || p.far.count(EventCommitted) != 6 {
			t.Errorf("handed over %d times, %d races lost, %d won", len(p.far.handed), p.far.count(EventRace), p.far.count(EventCommitted))
		}
	})
	t.Run("when each victory costs a defeat", func(t *testing.T) {
		p := newPair(t, Config{})
		for n := 0; len(p.far.handed) == 0; n++ {
			if n == 3 {
				t.Fatal("they go on taking turns")
			}
			p.edit(p.far, p.bob)
			begun(t, p.far)
			p.offer(p.commit())
			p.settleReads()
			p.far.settle()
			p.near.core.Offer(p.near.now, p.far.own[len(p.far.own)-1])
			p.near.take()
			p.near.settle()
		}
	})
	t.Run("in vain", func(t *testing.T) {
		p := handedPair(t)
		p.edit(p.far, p.bob) // rides along
		p.far.pass(249 * time.Millisecond)
		if p.far.core.Head().Seq != 2 || len(p.far.handed) != 2 {
			t.Fatalf("head %d, handed over %d times", p.far.core.Head().Seq, len(p.far.handed))
		}
		p.far.pass(time.Millisecond)
		if !slices.Equal(verdicts(t, p.far, 1), []uint64{1, 2}) || p.far.count(EventHandOverLate) != 1 {
			t.Fatal("it was not appended")
		}
		// And only now it arrives.
		p.near.now = p.far.now
		p.take(p.far.handed[0])
		p.near.settle()
		if p.near.core.Head().Seq != 3 || len(p.near.core.queue) > 0 || p.near.count(EventCommitted) != 2 {
			t.Errorf("near is at %d", p.near.core.Head().Seq)
		}
	})
	t.Run("in vain once and again", func(t *testing.T) {
		p := handedPair(t)
		for n, want := range []int{2, 2} {
			p.far.pass(250 * time.Millisecond) // it appends itself
			p.near.now = p.far.now
			p.near.core.Offer(p.near.now, p.far.own[len(p.far.own)-1])
			p.near.take()
			p.near.settle()
			p.edit(p.far, p.bob)
			for range 2 {
				if n == 1 && len(p.far.handed) > want {
					t.Fatal("handed over again, though it was in vain twice")
				}
				begun(t, p.far)
				p.offer(p.commit())
				p.settleReads()
			}
			if len(p.far.handed) != want {
				t.Fatalf("handed over %d times, want %d", len(p.far.handed), want)
			}
		}
		p.far.settle()
		if p.far.count(EventHandOverLate) != 2 || len(p.far.core.queue) > 0 {
			t.Errorf("%d times too late, %d queued", p.far.count(EventHandOverLate), len(p.far.core.queue))
		}
	})
	t.Run("both append it", func(t *testing.T) {
		p := handedPair(t)
		p.take(p.far.handed[0])
		slow := begun(t, p.near)
		p.far.pass(250 * time.Millisecond)
		p.near.respond(slow, p.near.perform(slow.Op))
		p.near.settle()
		if p.near.count(EventRace) != 1 || len(p.near.core.queue) > 0 || len(logOf(t, p.near.store, nil)) != 3 {
			t.Errorf("the log has %d commits", len(logOf(t, p.near.store, nil)))
		}
	})
	t.Run("not without a bus", func(t *testing.T) {
		p := handedPair(t)
		p.far.core.Bus(p.far.now, false)
		p.far.take()
		p.far.settle()
		if p.far.core.Head().Seq != 3 {
			t.Error("it waits for what cannot come")
		}
	})
	t.Run("never handed on", func(t *testing.T) {
		p := handedPair(t)
		other := newTestClient("eve")
		other.mutate(p.far.now, mustOp("create notes/1 n=1"))
		p.far.core.Take(p.far.now, &protocol.PeerPushes{Time: p.far.now, Pushes: []protocol.PeerPush{{
			Author: protocol.Author{Device: other.device, User: other.user}, First: 1, Bodies: other.bodies,
		}}})
		p.far.take()
		p.far.settle()
		if len(p.far.handed) != 1 || p.far.core.Head().Seq != 3 {
			t.Errorf("handed over %d times, head %d", len(p.far.handed), p.far.core.Head().Seq)
		}
	})
	t.Run("bounded", func(t *testing.T) {
		p := newPair(t, Config{Limits: protocol.Limits{CommitMutations: 3}})
		for range 5 {
			p.edit(p.far, p.bob)
		}
		for range 2 {
			begun(t, p.far)
			p.offer(p.commit())
			p.settleReads()
		}
		if len(p.far.handed) != 1 || len(p.far.handed[0].Pushes.Pushes[0].Bodies) != 3 {
			t.Fatalf("handed over %+v", p.far.handed)
		}
		p.take(p.far.handed[0])
		p.near.settle()
		p.offer(p.near.own[2])
		p.far.settle()
		if len(p.far.handed) != 2 || p.far.handed[1].Pushes.Pushes[0].First != 4 {
			t.Errorf("then handed over %+v", p.far.handed)
		}
	})
}

// TestTake: what is handed over is judged as a push is, and dropped without a word
// if it does not fit.
func TestTake(t *testing.T) {
	p := newPair(t, Config{})
	p.commit()
	p.commit()
	near := p.near
	eve := newTestClient("eve")
	eve.mutate(near.now, mustOp("create notes/1 n=1"))
	push := func(c *testClient, first uint64) protocol.PeerPush {
		return protocol.PeerPush{Author: protocol.Author{Device: c.device, User: c.user}, First: first, Previous: c.hashes[first-1], Bodies: c.bodies[first-1:]}
	}
	p.ann.mutate(near.now, mustOp("create notes/2 n=1"))
	with := func(c *testClient, first uint64, change func(*protocol.PeerPush)) protocol.PeerPush {
		q := push(c, first)
		change(&q)
		return q
	}
	future := newTestClient("fay")
	future.base = 9
	future.mutate(near.now, mustOp("create notes/3 n=1"))
	for _, test := range []struct {
		name string
		push protocol.PeerPush
		sent time.Duration
	}{
		{"another user", with(p.ann, 3, func(q *protocol.PeerPush) { q.Author.User = "mallory" }), 0},
		{"another hash", with(p.ann, 3, func(q *protocol.PeerPush) { q.Previous[0]++ }), 0},
		{"committed long ago", push(p.ann, 1), 0},
		{"a gap", with(p.ann, 3, func(q *protocol.PeerPush) { q.First = 4 }), 0},
		{"nothing", with(p.ann, 3, func(q *protocol.PeerPush) { q.Bodies = nil }), 0},
		{"a large mutation", with(p.ann, 3, func(q *protocol.PeerPush) { q.Bodies = [][]byte{make([]byte, 200<<10)} }), 0},
		{"sent half an hour ago", push(p.ann, 3), -30 * time.Minute},
		{"an unknown device that goes on", with(eve, 1, func(q *protocol.PeerPush) { q.First = 2 }), 0},
		{"a base beyond the log", push(future, 1), 0},
	} {
		near.core.Take(near.now, &protocol.PeerPushes{Time: near.now + millis(test.sent), Pushes: []protocol.PeerPush{test.push}})
		near.take()
		near.settle()
		near.pass(time.Second)
		if near.core.Head().Seq != 2 || len(near.core.queue) > 0 || len(near.core.taking) > 0 || len(near.core.writers) != 1 {
			t.Fatalf("%s: head %d, %d queued, %d waiting", test.name, near.core.Head().Seq, len(near.core.queue), len(near.core.taking))
		}
	}
	near.core.Take(near.now, &protocol.PeerPushes{Time: near.now, Pushes: []protocol.PeerPush{push(p.ann, 3), push(eve, 1)}})
	near.take()
	near.settle()
	if near.core.Head().Seq < 3 || near.count(EventTaken) != 2 || len(near.core.queue) > 0 {
		t.Errorf("what fits was not taken: head %d", near.core.Head().Seq)
	}
}

// TestTakeBelowHorizon: a device that may have been forgotten is not begun anew by
// what was handed over.
func TestTakeBelowHorizon(t *testing.T) {
	p := newPair(t, Config{})
	for range 5 {
		p.commit()
	}
	if err := p.near.store.Put(t.Context(), rigKey, []Item{{Key: ItemKey{Kind: ItemHorizon}, Version: 4}}); err != nil {
		t.Fatal(err)
	}
	eve := newTestClient("eve")
	eve.base = 3
	eve.mutate(p.near.now, mustOp("create notes/1 n=1"))
	p.near.core.Take(p.near.now, &protocol.PeerPushes{Time: p.near.now, Pushes: []protocol.PeerPush{{
		Author: protocol.Author{Device: eve.device, User: eve.user}, First: 1, Bodies: eve.bodies,
	}}})
	p.near.take()
	p.near.settle()
	if p.near.core.Head().Seq != 5 {
		t.Error("it was taken")
	}
}

// TestTakeWaits: the commit that a hand-over builds on may come after it.
func TestTakeWaits(t *testing.T) {
	p := newPair(t, Config{})
	p.edit(p.far, p.bob)
	p.far.settle()
	p.bob.base = 1
	p.bob.mutate(p.far.now, mustOp("create notes/1 n=1"))
	p.near.core.Take(p.near.now, &protocol.PeerPushes{Time: p.near.now, Pushes: []protocol.PeerPush{{
		Author: protocol.Author{Device: p.bob.device, User: p.bob.user}, First: 2, Previous: p.bob.hashes[1], Bodies: p.bob.bodies[1:],
	}}})
	p.near.take()
	if p.near.core.inflight != nil {
		t.Fatal("appended without what it builds on")
	}
	p.near.core.Offer(p.near.now, p.far.own[0])
	p.near.take()
	p.near.settle()
	if p.near.core.Head().Seq != 2 || p.near.count(EventTaken) != 1 {
		t.Errorf("head %d", p.near.core.Head().Seq)
	}

	// So may the commit that its author had seen.
	p.offer(p.near.own[0])
	p.far.settle()
	p.edit(p.far, p.bob)
	p.far.settle()
	eve := newTestClient("eve")
	eve.base = 3
	eve.mutate(p.far.now, mustOp("create notes/2 n=1"))
	p.near.core.Take(p.near.now, &protocol.PeerPushes{Time: p.near.now, Pushes: []protocol.PeerPush{{
		Author: protocol.Author{Device: eve.device, User: eve.user}, First: 1, Bodies: eve.bodies,
	}}})
	p.near.take()
	p.near.settle() // it reads the log by itself
	if p.near.core.Head().Seq != 4 || p.near.count(EventTaken) != 2 {
		t.Errorf("head %d", p.near.core.Head().Seq)
	}
}

// TestDeviceFollowsItsMutations: a device whose mutations were handed over comes to
// the gateway that has them, and pushes them again.
func TestDeviceFollowsItsMutations(t *testing.T) {
	p := handedPair(t)
	p.take(p.far.handed[0])
	held := begun(t, p.near)
	p.near.core.Attach(p.near.now, Attach{Session: 2, Device: p.bob.device, User: p.bob.user})
	p.near.take()
	p.near.settle()
	if at := p.near.answers(2)[0].(Attached); at.Counter != 0 {
		t.Fatalf("attached at %d", at.Counter)
	}
	p.near.core.Push(p.near.now, p.bob.pushFrom(2, 1, 1))
	p.near.take()
	p.near.respond(held, p.near.perform(held.Op))
	p.near.settle()
	if !slices.Equal(verdicts(t, p.near, 2), []uint64{1}) {
		t.Error("it was not told")
	}
}
