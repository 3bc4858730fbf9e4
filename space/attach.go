package space

import (
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// session is one attachment of a device.
type session struct {
	Attach
	since  protocol.Time
	writer *writer // nil until it is attached

	// While attaching: the proof by which a cursor beyond head must be reached, and
	// the commit that was found at the cursor.
	proof  uint64
	lookup *lookup

	// pushes have not been looked at yet: those behind a push that must wait for the
	// log to be read.
	pushes    []Push
	pushProof uint64
	// begun: it has pushed its first mutation. If that was not taken, those pushed
	// behind it are out of place, not of unknown outcome.
	begun bool
}

// lookup asks the log which commit stands at a cursor.
type lookup struct {
	done bool
	hole bool
	id   protocol.CommitID
}

// writer is a device that is attached, or has mutations queued.
type writer struct {
	id       protocol.DeviceID
	image    *image     // its entry; pinned
	queued   []*pending // in counter order
	sessions []*session
}

// Attach lets a device read and push. The answer is Attached, or Lost.
func (c *Core) Attach(now protocol.Time, a Attach) {
	c.at(now)
	s := &session{Attach: a, since: c.now}
	if c.phase >= phaseClosing {
		c.reply(a.Session, Lost{protocol.Errorf(protocol.CodeUnavailable, "the space is being closed here; connect again")})
		return
	}
	c.sessions[a.Session] = s
	c.attaching = append(c.attaching, s)
	c.advance()
}

// Detach ends an attachment. What it has pushed goes on; nothing more is told to
// the session.
func (c *Core) Detach(now protocol.Time, session SessionID) {
	c.at(now)
	c.end(c.sessions[session])
	c.advance()
}

func (c *Core) end(s *session) {
	if s == nil {
		return
	}
	delete(c.sessions, s.Session)
	c.attaching = slices.DeleteFunc(c.attaching, func(o *session) bool { return o == s })
	if w := s.writer; w != nil {
		w.sessions = slices.DeleteFunc(w.sessions, func(o *session) bool { return o == s })
		c.release(w)
	}
}

// writerOf is the writer of a device whose entry is loaded.
func (c *Core) writerOf(id protocol.DeviceID, img *image) *writer {
	w := c.writers[id]
	if w == nil {
		w = &writer{id: id, image: img}
		img.pins++
		c.writers[id] = w
	}
	return w
}

// release forgets a writer that nobody uses.
func (c *Core) release(w *writer) {
	if len(w.sessions) > 0 || len(w.queued) > 0 || c.writers[w.id] != w {
		return
	}
	w.image.pins--
	delete(c.writers, w.id)
}

// lose ends an attachment and says why.
func (c *Core) lose(s *session, err *protocol.Error) {
	c.end(s)
	c.reply(s.Session, Lost{err})
}

// dropSessions loses all sessions, or only those that are attached and not those
// that wait to be. What they have queued is dropped, except what is in flight.
func (c *Core) dropSessions(attachedOnly bool, err *protocol.Error) {
	all := make([]*session, 0, len(c.sessions))
	for _, s := range c.sessions {
		if s.writer != nil || !attachedOnly {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *session) int { return int(int64(a.Session) - int64(b.Session)) })
	for _, s := range all {
		c.lose(s, err)
	}
	inFlight := 0
	if c.inflight != nil {
		inFlight = len(c.inflight.batch)
	}
	c.unqueue(c.queue[inFlight:])
	c.queue = c.queue[:inFlight:inFlight]
}

// attach answers those whose answer is known.
func (c *Core) attach() {
	for i := 0; i < len(c.attaching); {
		s := c.attaching[i]
		if !c.tryAttach(s) {
			i++
			continue
		}
		// It is gone from the list: attached, or lost.
	}
}

// refuseLate loses those that have waited for the store too long.
func (c *Core) refuseLate() {
	for _, s := range slices.Clone(c.attaching) {
		if c.now >= s.since+millis(c.cfg.AttachWithin) {
			c.lose(s, protocol.Errorf(protocol.CodeUnavailable, "the store does not answer; what is queued stays queued"))
		}
	}
}

// tryAttach returns true if it has answered.
func (c *Core) tryAttach(s *session) bool {
	key := deviceKey(s.Device)
	if c.damaged != nil && (c.blind || c.cache.broken[key]) {
		c.lose(s, c.damaged)
		return true
	}
	if c.behind() && c.damaged == nil || !c.need([]ItemKey{key}) {
		return false
	}
	img := c.cache.get(key)
	entry := &img.device
	if entry.User != "" && entry.User != s.User {
		c.lose(s, protocol.Errorf(protocol.CodeDeviceBound, "this device belongs to another user here; take a new device id"))
		return true
	}
	if img.version == 0 && c.damaged == nil && !c.cfg.Exclusive && !c.provenFor(s) {
		// To say that the space does not know a device is to say that what it pushed
		// before is of unknown outcome: not on an old head.
		return false
	}
	if s.Counter > entry.Counter && !c.provenFor(s) {
		return false // another gateway may have committed what the device knows of
	}
	mode, ok := c.place(s)
	if !ok {
		return false
	}
	c.attaching = slices.DeleteFunc(c.attaching, func(o *session) bool { return o == s })
	w := c.writerOf(s.Device, img)
	w.sessions = append(w.sessions, s)
	s.writer = w
	c.reply(s.Session, Attached{protocol.Subscribed{
		Mode:          mode,
		Head:          c.head,
		Horizon:       c.horizon,
		Known:         img.version > 0,
		Counter:       entry.Counter,
		Hash:          entry.Hash,
		Recent:        entry.recentAfter(s.Counter),
		Rejections:    slices.Clone(entry.Rejections),
		Write:         !s.ReadOnly && c.mayAppend() == nil,
		SchemaVersion: c.cfg.Schema.Ref().Version,
	}})
	return true
}

// provenFor is true once the log has been read to its end, and folded, since the
// device asked to attach.
func (c *Core) provenFor(s *session) bool {
	if s.proof == 0 {
		s.proof = c.tail.asked + 1
		c.readTailFor(s.proof)
	}
	return c.proofs >= s.proof && len(c.unfolded) == 0
}

// place decides how the device is brought to head; false if that is not known
// yet.
func (c *Core) place(s *session) (protocol.SubscribeMode, bool) {
	at := s.Cursor
	switch {
	case at.Seq == 0 && c.head.Seq == 0:
		return protocol.ModeResume, true
	case at.Seq == 0:
		return protocol.ModeSnapshot, true
	case at.Seq > c.head.Seq:
		// Another gateway may have shown the device more than this one has read.
		if c.damaged != nil {
			return protocol.ModeResume, true
		}
		if !c.provenFor(s) {
			return 0, false
		}
		return protocol.ModeOtherHistory, true
	case at.Seq < c.horizon:
		return protocol.ModeSnapshot, true
	case c.cfg.Faults.IgnoreCommitID:
		return protocol.ModeResume, true
	}
	id, known := c.times.id(at.Seq)
	if !known {
		if s.lookup == nil {
			c.lookUp(s)
		}
		if !s.lookup.done {
			return 0, false
		}
		if s.lookup.hole {
			return protocol.ModeSnapshot, true
		}
		id = s.lookup.id
	}
	if id != at.Commit {
		return protocol.ModeOtherHistory, true
	}
	return protocol.ModeResume, true
}

// lookUp reads the commit at a session's cursor.
func (c *Core) lookUp(s *session) {
	l := new(lookup)
	s.lookup = l
	c.askUntil(LogOp{From: s.Cursor.Seq, MaxBytes: 1}, func(r Response) {
		l.done = true
		if len(r.Log) == 0 || r.Log[0].Seq != s.Cursor.Seq {
			l.hole = true
			if len(r.Log) > 0 {
				c.horizon = max(c.horizon, r.Log[0].Seq)
			}
			return
		}
		stored, err := protocol.ParseCommit(r.Log[0].Data)
		if err != nil {
			c.damage(protocol.Errorf(protocol.CodeDamaged, "commit %d of the log cannot be read: %v", s.Cursor.Seq, err))
			l.hole = true // a snapshot serves it still
			return
		}
		l.id = stored.ID
	})
}

// Confirm tells that the device has durably stored the rejections of these
// counters.
func (c *Core) Confirm(now protocol.Time, session SessionID, counters []uint64) {
	c.at(now)
	if s := c.sessions[session]; s != nil && s.writer != nil {
		img := s.writer.image
		img.device = img.device.confirmed(counters)
		c.cache.resized(img)
	}
	c.advance()
}
