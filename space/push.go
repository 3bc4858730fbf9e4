package space

import (
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// pending is a mutation that was taken and is not yet committed.
type pending struct {
	writer *writer
	user   string
	// askers are told the verdict: the push that it came in, and those of the
	// device's other connections that repeated it.
	askers  []asker
	counter uint64
	hash    protocol.Hash // the device's running hash after it
	base    uint64
	body    []byte
	// mutation is nil if the body is not one: that is rejected, and the rejection is
	// a fact of the log.
	mutation *protocol.Mutation
	err      error
}

// asker is a push of a session.
type asker struct {
	session SessionID
	push    uint64
}

// Push offers mutations. The answers are Verdicts, one for each mutation in
// counter order; or Verdicts with Replay set, or Refused.
func (c *Core) Push(now protocol.Time, p Push) {
	c.at(now)
	s := c.sessions[p.Session]
	if s == nil {
		return // lost; the session has been told
	}
	if s.writer == nil {
		c.reply(p.Session, Refused{Push: p.ID, Err: protocol.Errorf(protocol.CodeOutOfOrder, "push before the space is open")})
		return
	}
	if len(s.pushes) == 0 {
		c.pushing = append(c.pushing, s)
	}
	s.pushes = append(s.pushes, p)
	c.advance()
}

// takePushes looks at the pushes that have come, in order for each session.
func (c *Core) takePushes() {
	if c.phase != phaseOpen {
		return
	}
	waiting := c.pushing
	c.pushing = nil
	for _, s := range waiting {
		if c.sessions[s.Session] != s {
			continue // lost meanwhile
		}
		for len(s.pushes) > 0 && c.takePush(s, s.pushes[0]) {
			s.pushes = slices.Delete(s.pushes, 0, 1)
			s.pushProof = 0
		}
		if len(s.pushes) > 0 {
			c.pushing = append(c.pushing, s)
		}
	}
}

// takePush queues or answers a push; false if it has to wait for the log to be
// read.
func (c *Core) takePush(s *session, p Push) bool {
	refuse := func(counter uint64, err *protocol.Error) bool {
		c.reply(s.Session, Refused{Push: p.ID, Counter: counter, Err: err})
		return true
	}
	w := s.writer
	entry := &w.image.device
	switch err := c.mayAppend(); {
	case err != nil:
		return refuse(0, err)
	case s.ReadOnly:
		return refuse(0, protocol.Errorf(protocol.CodeForbidden, "this subscription may not write"))
	case len(p.Bodies) == 0:
		return refuse(0, protocol.Errorf(protocol.CodeMalformed, "an empty push"))
	case entry.User != "" && entry.User != s.User, len(w.queued) > 0 && w.queued[0].user != s.User:
		return refuse(0, protocol.Errorf(protocol.CodeDeviceBound, "this device belongs to another user here; take a new device id"))
	case entry.size() > maxEntryBytes:
		return refuse(0, protocol.Errorf(protocol.CodeUnavailable, "%d rejections wait to be confirmed first", len(entry.Rejections)))
	}
	for i, body := range p.Bodies {
		if len(body) > c.cfg.Limits.MutationBytes {
			return refuse(0, protocol.Errorf(protocol.CodeMutationLarge,
				"mutation %d has %d bytes; at most %d are allowed", p.First+uint64(i), len(body), c.cfg.Limits.MutationBytes))
		}
	}

	// Where the push must continue: behind what is queued. One that repeats the end
	// of the queue, from another connection of the device, takes it over.
	known := w.image.version > 0
	s.begun = s.begun || p.First == 1
	if !known && !s.begun && len(w.queued) == 0 && !c.cfg.Faults.NoDedup {
		return refuse(0, protocol.Errorf(protocol.CodeUnknownOutcome,
			"the space does not know this device: whether mutations before %d took effect cannot be told", p.First))
	}
	queued := uint64(len(w.queued))
	behind := p.First - 1 - entry.Counter // how much of the queue comes before the push
	if c.cfg.Faults.NoDedup {
		behind = queued
	} else if p.First-1 < entry.Counter || behind > queued || w.hashAt(behind) != p.Previous {
		c.replay(s, p.ID)
		return true
	}
	var taken []*pending
	hash, base := p.Previous, w.baseAt(behind)
	for i, body := range p.Bodies {
		hash = hash.Next(body)
		n := &pending{
			writer: w, user: s.User, askers: []asker{{s.Session, p.ID}},
			counter: p.First + uint64(i), hash: hash, body: body,
		}
		if at := behind + uint64(i); at < queued {
			if w.queued[at].hash != hash {
				c.replay(s, p.ID)
				return true
			}
			base = w.queued[at].base
			continue
		}
		n.mutation, n.err = protocol.DecodeMutation(body)
		if n.err != nil {
			n.mutation = nil
		} else if base, n.err = c.checkBase(s, n.mutation.Base, base, known || n.counter > 1); n.err == errReadFirst {
			return false
		} else if n.err != nil {
			c.adopt(s, p, behind)
			c.queueAll(w, taken)
			return refuse(n.counter, protocol.AsError(n.err))
		}
		n.base = base
		taken = append(taken, n)
	}
	c.adopt(s, p, behind)
	c.queueAll(w, taken)
	return true
}

// adopt lets a session, too, be told the verdicts of queued mutations that it has
// pushed again: after a reconnect, or because it is another copy of the device.
func (c *Core) adopt(s *session, p Push, behind uint64) {
	w := s.writer
	for i := behind; i < min(behind+uint64(len(p.Bodies)), uint64(len(w.queued))); i++ {
		n := w.queued[i]
		n.askers = append(n.askers, asker{s.Session, p.ID})
	}
}

func (c *Core) queueAll(w *writer, taken []*pending) {
	w.queued = append(w.queued, taken...)
	c.queue = append(c.queue, taken...)
}

// errReadFirst: the log has to be read before the push can be judged.
var errReadFirst = protocol.Errorf(protocol.CodeUnavailable, "the log has to be read first")

// checkBase judges a mutation's base, given that of its device's mutation before.
// It returns the base if it is good.
func (c *Core) checkBase(s *session, base, previous uint64, known bool) (uint64, error) {
	switch {
	case base > c.head.Seq:
		// Another gateway may have shown the device more than this one has read.
		if s.pushProof == 0 {
			s.pushProof = c.tail.asked + 1
			c.readTailFor(s.pushProof)
		}
		if c.proofs < s.pushProof || len(c.unfolded) > 0 {
			return previous, errReadFirst
		}
		return previous, protocol.Errorf(protocol.CodeBase, "the mutation's base is %d, but the log ends at %d", base, c.head.Seq)
	case base < previous:
		return previous, protocol.Errorf(protocol.CodeBase,
			"the mutation's base is %d, but that of the device's mutation before is %d: bases never go back", base, previous)
	case !known && base < c.horizon:
		return previous, protocol.Errorf(protocol.CodeUnknownOutcome,
			"the space does not know this device, and the mutation's base %d lies behind the horizon %d", base, c.horizon)
	}
	return base, nil
}

// hashAt is the device's running hash after the first n queued mutations.
func (w *writer) hashAt(n uint64) protocol.Hash {
	if n == 0 {
		return w.image.device.Hash
	}
	return w.queued[n-1].hash
}

func (w *writer) baseAt(n uint64) uint64 {
	if n == 0 {
		return w.image.device.Base
	}
	return w.queued[n-1].base
}

// replay tells a session where its device stands. Its unconfirmed rejections go
// with it: the device will take what lies at or below the counter as committed,
// and has to learn of those that were not.
func (c *Core) replay(s *session, push uint64) {
	entry := &s.writer.image.device
	c.event(Event{Kind: EventReplay, Seq: c.head.Seq})
	c.reply(s.Session, Verdicts{Push: push, Verdicts: protocol.Verdicts{
		Counter: entry.Counter,
		Hash:    entry.Hash,
		Replay:  true,
		List:    slices.Clone(entry.Rejections),
	}})
}

// mayAppend says why nothing may be appended, or nil.
func (c *Core) mayAppend() *protocol.Error {
	ours := c.cfg.Schema.Ref()
	switch {
	case c.damaged != nil:
		return c.damaged
	case ours.Version < c.schema.Version:
		return protocol.Errorf(protocol.CodeSchemaOld,
			"this gateway merges under schema version %d, the space is at %d", ours.Version, c.schema.Version)
	case ours.Version == c.schema.Version && ours.Fingerprint != c.schema.Fingerprint && c.head.Seq > 0:
		return protocol.Errorf(protocol.CodeSchemaOld,
			"this gateway's schema differs from the space's of the same version %d: a changed schema needs a greater version", ours.Version)
	}
	return nil
}

// unqueue takes mutations out of their writers' queues.
func (c *Core) unqueue(list []*pending) {
	for _, n := range list {
		w := n.writer
		w.queued = slices.DeleteFunc(w.queued, func(o *pending) bool { return o == n })
		c.release(w)
	}
}

// refuseQueue gives up all that is queued, and what is in flight: it will not be
// appended by this core. Nothing is reported as failed but as not taken; with a
// nil error nothing is said at all, because the sessions are lost.
func (c *Core) refuseQueue(err *protocol.Error) {
	c.inflight = nil
	queue := c.queue
	c.queue = nil
	c.unqueue(queue)
	if err == nil {
		return
	}
	told := make(map[asker]bool)
	for _, n := range queue {
		for _, a := range n.askers {
			if !told[a] && c.sessions[a.session] != nil {
				told[a] = true
				c.reply(a.session, Refused{Push: a.push, Counter: n.counter, Err: err})
			}
		}
	}
}

// reconcile looks at the queues of the devices that another gateway's commit
// holds mutations of: they may be the very mutations that are queued here.
func (c *Core) reconcile(commit *protocol.Commit) {
	seen := make(map[protocol.DeviceID]bool)
	for i := range commit.Mutations {
		device := commit.Mutations[i].Author.Device
		w := c.writers[device]
		if w == nil || len(w.queued) == 0 || seen[device] {
			continue
		}
		seen[device] = true
		entry := &w.image.device
		done := 0
		for done < len(w.queued) && w.queued[done].counter <= entry.Counter {
			done++
		}
		gone := slices.Clone(w.queued[:done])
		follows := len(gone) > 0 && gone[done-1].counter == entry.Counter && gone[done-1].hash == entry.Hash &&
			entry.User == gone[0].user
		if !follows {
			gone = slices.Clone(w.queued) // another store of the device wrote: all of it is void
		}
		c.queue = slices.DeleteFunc(c.queue, func(n *pending) bool { return slices.Contains(gone, n) })
		c.unqueue(gone)
		if follows {
			c.tellCommitted(commit, gone)
		} else {
			c.tellReplay(gone)
		}
	}
}

// tellCommitted passes on the verdicts of queued mutations that another gateway
// has committed.
func (c *Core) tellCommitted(commit *protocol.Commit, gone []*pending) {
	var verdicts []protocol.Verdict
	for i := range commit.Mutations {
		m := &commit.Mutations[i]
		for _, n := range gone {
			if n.writer.id == m.Author.Device && n.counter == m.Counter {
				verdicts = append(verdicts, m.Verdict)
			}
		}
	}
	if len(verdicts) < len(gone) {
		// Some were in commits that this core did not see one by one.
		c.tellReplay(gone)
		return
	}
	c.tellVerdicts(gone, verdicts)
}

// tellReplay tells the sessions of dropped mutations where their device stands.
func (c *Core) tellReplay(gone []*pending) {
	told := make(map[asker]bool)
	for _, n := range gone {
		for _, a := range n.askers {
			if s := c.sessions[a.session]; s != nil && s.writer != nil && !told[a] {
				told[a] = true
				c.replay(s, a.push)
			}
		}
	}
}

// tellVerdicts tells each session the verdicts of its mutations; both lists are
// in the same order.
func (c *Core) tellVerdicts(list []*pending, verdicts []protocol.Verdict) {
	var order []SessionID
	answers := make(map[SessionID]*Verdicts)
	for i, n := range list {
		for _, asker := range n.askers {
			if c.sessions[asker.session] == nil {
				continue // the device will learn of it when it attaches again
			}
			a := answers[asker.session]
			if a == nil {
				a = new(Verdicts)
				answers[asker.session] = a
				order = append(order, asker.session)
			}
			if a.Counter == n.counter {
				continue // pushed twice on one connection
			}
			a.Counter, a.Hash = n.counter, n.hash
			a.List = append(a.List, verdicts[i])
		}
	}
	for _, id := range order {
		c.reply(id, *answers[id])
	}
}
