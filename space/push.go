package space

import (
	"slices"

	"github.com/tidegate/tidegate/merge"
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

	// after is the newest commit that was known of when it was queued.
	after uint64
	// handed is when it was last handed to another gateway, or 0; taken is true if
	// another gateway handed it over to this one.
	handed protocol.Time
	taken  bool
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
	if err := c.mayAppend(); err != nil {
		return refuse(0, err)
	}
	if s.ReadOnly {
		return refuse(0, protocol.Errorf(protocol.CodeForbidden, "this subscription may not write"))
	}
	if err := c.mayPush(w, s.User, p.First, p.Bodies); err != nil {
		return refuse(0, err)
	}
	s.begun = s.begun || p.First == 1
	if w.image.version == 0 && !s.begun && len(w.queued) == 0 && !c.cfg.Faults.NoDedup {
		return refuse(0, protocol.Errorf(protocol.CodeUnknownOutcome,
			"the space does not know this device: whether mutations before %d took effect cannot be told", p.First))
	}
	j := c.judge(w, s.User, p.First, p.Previous, p.Bodies, false)
	switch {
	case j.astray:
		c.replay(s, p.ID)
		return true
	case j.ahead > 0:
		// Another gateway may have shown the device more than this one has read.
		if s.pushProof == 0 {
			s.pushProof = c.tail.asked + 1
			c.readTailFor(s.pushProof)
		}
		if c.proofs < s.pushProof || len(c.unfolded) > 0 {
			return false
		}
		j.err = protocol.Errorf(protocol.CodeBase, "the mutation's base is %d, but the log ends at %d", j.ahead, c.head.Seq)
	}
	for _, n := range j.taken {
		n.askers = []asker{{s.Session, p.ID}}
	}
	// What was queued before the push, as the repetition of another connection's, is
	// told to both; so it is to a device that comes back.
	for i := j.behind; i < min(j.behind+uint64(len(p.Bodies)), uint64(len(w.queued))); i++ {
		w.queued[i].askers = append(w.queued[i].askers, asker{s.Session, p.ID})
	}
	c.queueAll(w, j.taken)
	if j.err != nil {
		return refuse(j.counter, j.err)
	}
	return true
}

// mayPush says why nothing of a push may be taken, whatever it continues, or nil.
func (c *Core) mayPush(w *writer, user string, first uint64, bodies [][]byte) *protocol.Error {
	entry := &w.image.device
	switch {
	case len(bodies) == 0:
		return protocol.Errorf(protocol.CodeMalformed, "an empty push")
	case entry.User != "" && entry.User != user, len(w.queued) > 0 && w.queued[0].user != user:
		return protocol.Errorf(protocol.CodeDeviceBound, "this device belongs to another user here; take a new device id")
	case entry.size() > maxEntryBytes:
		return protocol.Errorf(protocol.CodeUnavailable, "%d rejections wait to be confirmed first", len(entry.Rejections))
	}
	for i, body := range bodies {
		if len(body) > c.cfg.Limits.MutationBytes {
			return protocol.Errorf(protocol.CodeMutationLarge,
				"mutation %d has %d bytes; at most %d are allowed", first+uint64(i), len(body), c.cfg.Limits.MutationBytes)
		}
	}
	return nil
}

// judged is how a run of mutations fits behind what is known of their device.
type judged struct {
	// astray: they do not continue it, or repeat what was committed.
	astray bool
	// behind is how many of the queued mutations come before them. Those that repeat
	// the end of the queue are not taken again.
	behind uint64
	// taken may be queued, up to the mutation counter: that one may not, for err, or
	// because its base, ahead, lies beyond head.
	taken   []*pending
	counter uint64
	ahead   uint64
	err     *protocol.Error
}

// judge compares mutations with what is committed and queued of their device.
func (c *Core) judge(w *writer, user string, first uint64, previous protocol.Hash, bodies [][]byte, unchecked bool) (j judged) {
	entry := &w.image.device
	known := w.image.version > 0
	queued := uint64(len(w.queued))
	j.behind = first - 1 - entry.Counter
	switch {
	case c.cfg.Faults.NoDedup:
		j.behind = queued
	case first-1 < entry.Counter || j.behind > queued:
		return judged{astray: true}
	case w.hashAt(j.behind) != previous && !unchecked:
		return judged{astray: true}
	}
	hash, base := previous, w.baseAt(j.behind)
	for i, body := range bodies {
		hash = hash.Next(body)
		n := &pending{writer: w, user: user, counter: first + uint64(i), hash: hash, body: body}
		if at := j.behind + uint64(i); at < queued {
			if w.queued[at].hash != hash {
				return judged{astray: true}
			}
			base = w.queued[at].base
			continue
		}
		if n.mutation, n.err = protocol.DecodeMutation(body); n.err != nil {
			n.mutation = nil
		} else {
			switch next := n.mutation.Base; {
			case next > c.head.Seq:
				j.ahead = next
			case next < base:
				j.err = protocol.Errorf(protocol.CodeBase,
					"the mutation's base is %d, but that of the device's mutation before is %d: bases never go back", next, base)
			case !known && n.counter == 1 && next < c.horizon:
				j.err = protocol.Errorf(protocol.CodeUnknownOutcome,
					"the space does not know this device, and the mutation's base %d lies behind the horizon %d", next, c.horizon)
			default:
				base = next
			}
			if j.ahead > 0 || j.err != nil {
				j.counter = n.counter
				return j
			}
		}
		n.base = base
		j.taken = append(j.taken, n)
	}
	return j
}

func (c *Core) queueAll(w *writer, taken []*pending) {
	var keys []ItemKey
	for _, n := range taken {
		n.after = c.reading()
		if n.mutation != nil {
			for i := range n.mutation.Ops {
				keys = append(keys, recordKey(merge.Key{Collection: n.mutation.Ops[i].Collection, ID: n.mutation.Ops[i].ID}))
			}
		}
	}
	if !c.over.on {
		c.need(keys) // while others are being appended
	}
	w.queued = append(w.queued, taken...)
	c.queue = append(c.queue, taken...)
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
		if slices.ContainsFunc(gone, func(n *pending) bool { return n.handed > 0 }) {
			c.over.late = 0
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
