package client

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// chain is the durable queue of a space: mutations of one device with contiguous
// counters, linked by the running hash. What the server has judged moves from
// queue to leaving and goes once the cursor has reached its commit.
type chain struct {
	// counter and hash are those of the device's last mutation that has left.
	counter uint64
	hash    protocol.Hash
	// base is the greatest base that a mutation of the device was given: a base
	// never goes back.
	base uint64
	// sent is the last counter that may have been sent. It is durable before the
	// mutation is: whether a mutation could be known to the server is known after
	// any crash.
	sent uint64
	// rebase is set while the bases in the queue mean nothing to the server (another
	// history, or below the horizon): nothing is pushed until they are made anew.
	rebase bool

	leaving []*pending // judged; oldest first
	queue   []*pending // not judged; contiguous counters
}

// pending is a mutation that is predicted in the view.
type pending struct {
	ref      uint64 // this run's name for it
	device   protocol.DeviceID
	counter  uint64
	hash     protocol.Hash // the device's running hash after it
	body     []byte
	mutation *protocol.Mutation
	effects  []effect

	// generation grows when the mutation is stored anew; durable says that this
	// generation is on disk, toldLocal that EventLocal was given.
	generation int
	durable    bool
	toldLocal  bool
	// judged and leaveAt: the server has judged it; it leaves when the cursor has
	// reached leaveAt.
	judged  bool
	leaveAt uint64
	// exact is true if leaveAt is the seq of the mutation's own commit, not just a
	// bound.
	exact bool
	// idle is true if nothing of it took effect: no commit shows it.
	idle bool
}

// Base returns the base of a mutation that is made now.
func (c *Core) Base(name string) uint64 {
	s := c.spaces[name]
	if s == nil {
		return 0
	}
	if c.cfg.Faults.BaseOfHead {
		return max(s.cursor.Seq, s.base, s.head)
	}
	return max(s.cursor.Seq, s.base)
}

// Mutate adds a mutation to a space's queue and predicts it in the view. The
// core keeps m and sets its Base (to no more than what the device has seen) and
// SchemaVersion. EventLocal and EventSettled name it by the ref that is
// returned.
func (c *Core) Mutate(now protocol.Time, name string, m *protocol.Mutation) (ref uint64, err error) {
	c.tick(now)
	s := c.spaces[name]
	if s == nil || !s.open {
		return 0, errUnknownSpace
	}
	switch {
	case len(m.Ops) == 0:
		return 0, errors.New("the mutation has no edits")
	case len(m.Ops) > protocol.MaxOps:
		return 0, fmt.Errorf("the mutation has %d edits, of at most %d", len(m.Ops), protocol.MaxOps)
	}
	m.Base = max(min(m.Base, c.Base(name)), s.base)
	m.SchemaVersion = c.cfg.SchemaVersion
	body := protocol.AppendMutation(nil, m)
	if limit := c.mutationBytes(); len(body) > limit {
		return 0, fmt.Errorf("the mutation takes %d bytes, of at most %d", len(body), limit)
	}
	if _, err := protocol.DecodeMutation(body); err != nil {
		return 0, err // what the server would call malformed is refused while the user is there
	}
	p := c.enqueue(s, m, body)
	if c.cfg.Faults.LocalBeforePersist {
		c.tellLocal(p)
	}
	c.advance()
	return p.ref, nil
}

// mutationBytes is the largest mutation: the server's word, or the default.
func (c *Core) mutationBytes() int {
	if n := c.link.welcome.MutationBytes; n > 0 {
		return int(n)
	}
	return protocol.DefaultLimits().MutationBytes
}

func (c *Core) enqueue(s *space, m *protocol.Mutation, body []byte) *pending {
	c.refs++
	p := &pending{ref: c.refs, device: s.device, body: body, mutation: m}
	counter, hash := s.last()
	p.counter, p.hash = counter+1, hash.Next(body)
	s.base = max(s.base, m.Base)
	s.queue = append(s.queue, p)
	s.predict(p)
	s.savePending(p)
	c.changed(s)
	return p
}

// last returns the newest counter of the device and its running hash.
func (s *space) last() (uint64, protocol.Hash) {
	if n := len(s.queue); n > 0 {
		return s.queue[n-1].counter, s.queue[n-1].hash
	}
	return s.lastJudged()
}

// lastJudged returns the newest counter that the server has judged.
func (s *space) lastJudged() (uint64, protocol.Hash) {
	for _, p := range slices.Backward(s.leaving) {
		if p.device == s.device {
			return p.counter, p.hash
		}
	}
	return s.counter, s.hash
}

// hashAt returns the running hash after a counter; false if it is not known,
// because the counter is too old or was never given.
func (s *space) hashAt(counter uint64) (protocol.Hash, bool) {
	if counter == s.counter {
		return s.hash, true
	}
	for _, list := range [][]*pending{s.leaving, s.queue} {
		for _, p := range list {
			if p.counter == counter && p.device == s.device {
				return p.hash, true
			}
		}
	}
	return protocol.Hash{}, false
}

// verdicts takes the server's answer to pushes.
func (c *Core) verdicts(f *protocol.Verdicts) error {
	s, err := c.live(f.Handle)
	if s == nil {
		return err
	}
	if f.Replay {
		// Which of the pushed mutations are in, and whether as ours, is what a
		// subscription's answer tells.
		c.resubscribeLater(s)
		return nil
	}
	for i := range f.List {
		v := &f.List[i]
		if done, _ := s.lastJudged(); v.Counter <= done {
			continue
		}
		if len(s.queue) == 0 || v.Counter != s.queue[0].counter || v.Counter > s.pushed {
			return protocol.Errorf(protocol.CodeOutOfOrder, "a verdict for mutation %d, which is not the next", v.Counter)
		}
		c.landed(s, s.queue[0])
		c.judge(s, *v, v.Seq, true)
		s.attempts = 0
	}
	c.leave(s)
	c.progress()
	return nil
}

// judge moves the oldest mutation of the queue on with its verdict.
func (c *Core) judge(s *space, v protocol.Verdict, leaveAt uint64, exact bool) {
	p := s.queue[0]
	s.queue = s.queue[1:]
	p.judged, p.leaveAt, p.exact = true, leaveAt, exact
	p.idle = v.Outcome == protocol.Rejected && len(rejectedOps(p.mutation, v)) == len(p.mutation.Ops)
	s.leaving = append(s.leaving, p)
	c.event(Event{Kind: EventSettled, Space: s.name, Ref: p.ref, Verdict: v})
	if v.Outcome == protocol.Rejected {
		c.reject(s, p, v, true)
	}
	s.save()
	c.changed(s)
	if c.cfg.Faults.VerdictDropsPendingEarly {
		p.leaveAt, p.exact = 0, false
	}
	if exact && s.cursor.Seq < p.leaveAt {
		// A record may already be newer than the cursor: see view.go.
		s.refreshAll(p)
	}
}

// accept takes the server's word that the device's mutations up to counter are
// committed at or before head. Those whose verdict got lost are settled with
// what is known. More than the server remembers are never sent without an answer:
// what is older was sent by a copy, which may have confirmed that it was rejected.
func (c *Core) accept(s *space, counter uint64, f *protocol.Subscribed, head uint64) {
	for _, p := range s.leaving {
		if p.device == s.device && p.counter <= counter && p.leaveAt > head {
			// Told in a log that was put back since: in this one it stands earlier.
			p.leaveAt, p.exact = head, false
			s.savePending(p)
		}
	}
	rejected := map[uint64]protocol.Verdict{}
	for _, v := range f.Rejections {
		rejected[v.Counter] = v
	}
	for len(s.queue) > 0 && s.queue[0].counter <= counter {
		next := s.queue[0].counter
		if v, ok := rejected[next]; ok {
			delete(rejected, next)
			c.judge(s, v, v.Seq, true)
			continue
		}
		v := protocol.Verdict{Counter: next, Outcome: protocol.Applied}
		switch r, known := recentAt(f, next); {
		case !known:
			v.Message = "a copy of this device's data has sent this, and was told what became of it"
		case r.Rejected:
			v.Message = "all or some of this was rejected; why was told to another copy of this device's data"
		}
		if v.Message != "" {
			v.Outcome, v.Code = protocol.Rejected, protocol.RejectUnknownOutcome
		}
		c.judge(s, v, head, false)
	}
	for _, v := range f.Rejections {
		if _, old := rejected[v.Counter]; old {
			// Its payload was kept (and perhaps discarded by the user) before: only the
			// confirmation got lost.
			s.confirmSaved(v.Counter)
		}
	}
	c.leave(s)
}

// leave lets the mutations go that the cursor has reached, in the same batch as
// the cursor (promise 8).
func (c *Core) leave(s *space) {
	if c.cfg.Faults.KeepSettled {
		return
	}
	for len(s.leaving) > 0 && s.leaving[0].leaveAt <= s.cursor.Seq {
		p := s.leaving[0]
		s.leaving = s.leaving[1:]
		if p.device == s.device {
			s.counter, s.hash = p.counter, p.hash
		}
		s.unpredict(p)
		s.dropPending(p)
		c.changed(s)
	}
}

// replaceDevice goes on under a new device id, with the mutations in kept
// renumbered from 1. Mutations that are leaving keep their old names.
func (c *Core) replaceDevice(s *space, kept []*pending, rebase bool) {
	for _, p := range s.leaving {
		if p.device == s.device {
			s.savePending(p) // with its leaveAt: no subscription will tell it again
		}
	}
	for _, p := range s.queue {
		s.dropPending(p)
	}
	s.device, s.fresh = c.successor(s.device, kept), true
	s.counter, s.hash, s.sent, s.base = 0, protocol.Hash{}, 0, 0
	s.confirm, s.confirmLater = nil, nil // they name mutations of the old id
	s.rebase = rebase
	s.queue = kept
	c.renumber(s)
	c.resubscribe(s)
	c.changed(s)
}

// successor returns the device id that follows another one. It is derived from
// what it goes on with: two copies of a store that part from a third with the
// same queue go on under the same id with the same running hashes, so that what
// both of them send is still one mutation, until they in turn part.
func (c *Core) successor(old protocol.DeviceID, kept []*pending) protocol.DeviceID {
	if len(kept) == 0 {
		return c.newDevice()
	}
	sum := sha256.Sum256(slices.Concat([]byte("tidegate device"), old[:], kept[0].hash[:]))
	id := protocol.DeviceID(sum[:16])
	id[6] = id[6]&0x0f | 0x80 // UUID version 8: made of what its maker likes
	id[8] = id[8]&0x3f | 0x80
	return id
}

// renumber gives the queue contiguous counters and hashes, and stores it anew.
func (c *Core) renumber(s *space) {
	counter, hash := s.lastJudged()
	if c.cfg.Faults.ReplaceDeviceKeepsChain && len(s.queue) > 0 {
		counter = s.queue[0].counter - 1
	}
	s.base = 0
	for _, p := range s.queue {
		s.dropPending(p)
	}
	for _, p := range s.queue {
		counter++
		hash = hash.Next(p.body)
		p.device, p.counter, p.hash = s.device, counter, hash
		s.base = max(s.base, p.mutation.Base)
		s.savePending(p)
	}
	s.save()
}

// expel takes a mutation that was certainly not committed out of the queue and
// keeps it for the user.
func (c *Core) expel(s *space, p *pending, code protocol.RejectCode, message string) {
	s.queue = slices.DeleteFunc(s.queue, func(q *pending) bool { return q == p })
	s.dropPending(p)
	s.unpredict(p)
	v := protocol.Verdict{Counter: p.counter, Outcome: protocol.Rejected, Code: code, Message: message}
	c.event(Event{Kind: EventSettled, Space: s.name, Ref: p.ref, Verdict: v})
	c.reject(s, p, v, false)
	c.changed(s)
}

// rebaseQueue gives the queue a base in the state that is confirmed now. An edit
// that would overwrite something its author has not seen is kept for the user
// instead: the server could not tell any more. old is the confirmed state in
// which the edits were made, nil if that was the present one.
func (c *Core) rebaseQueue(s *space, old map[Key]*merge.Record) {
	s.rebase = false
	for _, p := range slices.Clone(s.queue) {
		if !c.cfg.Faults.RebaseUnchecked && s.overwrites(p.mutation, old) {
			c.expel(s, p, protocol.RejectStale, "others have changed this while the device was away for too long")
		}
	}
	for _, p := range s.queue {
		m := *p.mutation
		m.Base = s.cursor.Seq
		p.mutation = &m
		p.body = protocol.AppendMutation(nil, &m)
	}
	c.renumber(s)
	s.base = s.cursor.Seq
}

// overwrites says whether a mutation replaces something that changed after its
// base. Ops that add to what is there never do.
func (s *space) overwrites(m *protocol.Mutation, old map[Key]*merge.Record) bool {
	for i := range m.Ops {
		op := &m.Ops[i]
		key := Key{Collection: op.Collection, ID: op.ID}
		now := s.records[key]
		if now.Version() <= m.Base && old == nil {
			continue
		}
		differs := func(field string) bool {
			return old == nil || old[key].Value(field) != now.Value(field)
		}
		switch op.Kind {
		case protocol.OpSet:
			for _, f := range op.Fields {
				if differs(f.Field) {
					return true
				}
			}
		case protocol.OpUnset, protocol.OpListSet:
			if differs(op.Field) {
				return true
			}
		case protocol.OpDelete:
			if old == nil || old[key].Version() != now.Version() && !sameContent(old[key], now) {
				return true
			}
		}
	}
	return false
}

func sameContent(a, b *merge.Record) bool {
	before, _ := a.State()
	after, _ := b.State()
	return slices.EqualFunc(before.Fields, after.Fields, func(x, y protocol.FieldState) bool {
		return x.Field == y.Field && a.Value(x.Field) == b.Value(x.Field)
	})
}

// tellLocal says once that a mutation is durable on disk.
func (c *Core) tellLocal(p *pending) {
	if !p.toldLocal {
		p.toldLocal = true
		c.event(Event{Kind: EventLocal, Ref: p.ref})
	}
}

// Pending returns a space's mutations that are predicted in the view, oldest
// first.
func (c *Core) Pending(name string) []Pending {
	s := c.spaces[name]
	if s == nil {
		return nil
	}
	list := make([]Pending, 0, len(s.leaving)+len(s.queue))
	for _, part := range [][]*pending{s.leaving, s.queue} {
		for _, p := range part {
			list = append(list, Pending{
				Device: p.device, Counter: p.counter, Mutation: p.mutation,
				Sent: p.judged || p.counter <= s.sent, Judged: p.judged,
			})
		}
	}
	return list
}
