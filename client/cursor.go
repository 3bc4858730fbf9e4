package client

import (
	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// Message takes a message from the connection. Its commits are applied whole, in
// one batch with the cursor that they move.
func (c *Core) Message(now protocol.Time, message []byte) {
	c.tick(now)
	if !c.link.up() {
		return
	}
	c.link.heard, c.link.pinged = c.now, false
	if err := c.message(message); err != nil {
		c.dropLink(protocol.AsError(err))
	}
	c.advance()
}

func (c *Core) message(message []byte) error {
	frames, err := protocol.Decoder{Names: c.namesOf, Decompress: c.cfg.Decompress}.Decode(message)
	if err != nil {
		return err
	}
	r := reader{core: c}
	for _, frame := range frames {
		if err := r.frame(frame); err != nil {
			return err
		}
	}
	if err := r.endCommit(); err != nil {
		return err
	}
	if r.delivery {
		c.link.received += uint64(len(message))
	}
	return nil
}

// namesOf finds the name table that a subscription's deliveries are written with.
func (c *Core) namesOf(handle protocol.Handle) *protocol.NameTable {
	if s := c.link.handles[handle]; s != nil {
		s.namesChanged = true // decoding may add to it
		return s.names
	}
	if e, ok := c.link.ending[handle]; ok {
		return e.names
	}
	return nil
}

// reader goes through the frames of one message. In says which subscription the
// deliveries after it belong to; a commit reaches to the next frame that is not
// a part of it.
type reader struct {
	core     *Core
	delivery bool
	in       bool
	space    *space // nil: deliveries of a subscription that was given up
	commit   *commit
}

// commit is a commit that is being read.
type commit struct {
	header  *protocol.CommitHeader
	fold    *merge.Fold // nil if the commit is a repeat
	notices []protocol.Conflict
}

func (r *reader) frame(frame protocol.Frame) error {
	switch f := frame.(type) {
	case *protocol.Section:
		return r.section(f)
	case *protocol.ConflictNotice:
		if r.space == nil && r.in {
			return nil
		}
		if r.commit == nil {
			return outOfPlace(frame)
		}
		r.commit.notices = append(r.commit.notices, f.Conflict)
		return nil
	}
	if err := r.endCommit(); err != nil {
		return err
	}
	switch f := frame.(type) {
	case *protocol.In:
		r.delivery, r.in = true, true
		var err error
		r.space, err = r.core.live(f.Handle)
		return err
	case *protocol.CommitHeader, *protocol.Advance, *protocol.Snapshot, *protocol.Page, *protocol.SnapshotEnd:
		if !r.in {
			return outOfPlace(frame)
		}
		if r.space == nil {
			return nil
		}
		r.core.progress()
		return r.deliver(f)
	}
	return r.core.control(frame)
}

func outOfPlace(frame protocol.Frame) error {
	return protocol.Errorf(protocol.CodeOutOfOrder, "a frame of type %d in the wrong place", frame.Type())
}

func (r *reader) deliver(frame protocol.Frame) error {
	c, s := r.core, r.space
	switch f := frame.(type) {
	case *protocol.CommitHeader:
		return r.beginCommit(f)
	case *protocol.Advance:
		at := s.position()
		if f.Cursor.Seq > at.Seq {
			*at = f.Cursor
			c.moved(s)
		}
		return nil
	case *protocol.Snapshot:
		return c.beginSnapshot(s, f)
	case *protocol.Page:
		return c.page(s, f)
	case *protocol.SnapshotEnd:
		return c.endSnapshot(s, f)
	}
	return outOfPlace(frame)
}

// position returns the cursor that deliveries continue: the space's, or that of
// the snapshot which is coming in.
func (s *space) position() *protocol.Cursor {
	if s.stage != nil {
		return &s.stage.cursor
	}
	return &s.cursor
}

func (r *reader) beginCommit(f *protocol.CommitHeader) error {
	c, s := r.core, r.space
	for _, m := range f.Mutations {
		if m.Author < 0 || m.Author >= len(f.Authors) {
			return protocol.Errorf(protocol.CodeMalformed, "commit %d has no author %d", f.Seq, m.Author)
		}
	}
	if s.stage != nil && !s.stage.ended {
		return protocol.Errorf(protocol.CodeOutOfOrder, "commit %d before the end of the snapshot", f.Seq)
	}
	r.commit = &commit{header: f}
	at := s.position()
	if f.Seq <= at.Seq {
		c.stats.Repeats++
		if f.Seq == at.Seq && f.ID != at.Commit && at.Commit != (protocol.CommitID{}) {
			return protocol.Errorf(protocol.CodeOutOfOrder, "commit %d is another than the one that was applied", f.Seq)
		}
		return nil
	}
	if f.Seq != at.Seq+1 && !c.cfg.Faults.SkipGapCheck {
		c.stats.Gaps++
		return protocol.Errorf(protocol.CodeOutOfOrder, "commit %d does not follow %d", f.Seq, at.Seq)
	}
	r.commit.fold = merge.NewFold(f.Seq, s.confirmed)
	return nil
}

// confirmed returns a record of the confirmed state, or of the snapshot which is
// coming in.
func (s *space) confirmed(key Key) *merge.Record {
	if s.stage != nil {
		return s.stage.records[key]
	}
	return s.records[key]
}

func (r *reader) section(f *protocol.Section) error {
	if r.space == nil && r.in {
		return nil
	}
	if r.commit == nil {
		return outOfPlace(f)
	}
	if r.commit.fold == nil {
		return nil
	}
	header := r.commit.header
	for _, delta := range f.Deltas {
		if delta.Mutation < 0 || delta.Mutation >= len(header.Mutations) {
			return protocol.Errorf(protocol.CodeMalformed, "commit %d has no mutation %d", header.Seq, delta.Mutation)
		}
		m := header.Mutations[delta.Mutation]
		author := header.Authors[m.Author]
		at := protocol.Stamp{Seq: header.Seq, Device: author.Device, User: author.User, Base: m.Base, Time: m.EditTime}
		for i := range delta.Changes {
			r.commit.fold.Apply(&delta.Changes[i], at)
		}
	}
	return nil
}

// endCommit applies the commit that was being read.
func (r *reader) endCommit() error {
	if r.commit == nil {
		return nil
	}
	done := r.commit
	r.commit = nil
	if done.fold == nil {
		return nil
	}
	c, s := r.core, r.space
	for key, record := range done.fold.Records() {
		if s.stage != nil {
			s.stage.set(key, record)
		} else {
			s.setRecord(key, record)
		}
	}
	for _, conflict := range done.notices {
		c.keepConflict(s, conflict)
	}
	s.recognise(done.header)
	*s.position() = protocol.Cursor{Seq: done.header.Seq, Commit: done.header.ID}
	if done.header.SchemaVersion > s.schemaVersion {
		s.schemaVersion = done.header.SchemaVersion
	}
	if done.header.AckNow {
		s.ackNow = done.header.Seq
	}
	c.stats.Commits++
	c.moved(s)
	return nil
}

// recognise finds mutations of this device in a commit, whose verdict was lost,
// so that they leave the view with their own commit and not only at the head that
// bounds it. Base and edit time tell them apart, in their order; one that the
// server has clamped to another time waits for the bound.
func (s *space) recognise(header *protocol.CommitHeader) {
	next := 0
	for _, m := range header.Mutations {
		for i := next; i < len(s.leaving); i++ {
			p := s.leaving[i]
			if p.idle || p.device != header.Authors[m.Author].Device || p.mutation.Base != m.Base || p.mutation.EditTime != m.EditTime {
				continue
			}
			for _, q := range s.leaving[next : i+1] {
				q.leaveAt = min(q.leaveAt, header.Seq)
			}
			next = i + 1
			break
		}
	}
}

// setRecord puts a confirmed record in place; nil, or a dead one, removes it.
func (s *space) setRecord(key Key, record *merge.Record) {
	if record.Alive() {
		s.records[key] = record
	} else {
		delete(s.records, key)
	}
	s.changedRecords[key] = struct{}{}
	s.refresh(key)
}

// moved does what a new cursor brings with it, in the same batch.
func (c *Core) moved(s *space) {
	s.head = max(s.head, s.position().Seq)
	if s.stage != nil {
		c.finishStage(s)
		return
	}
	s.attempts = 0
	s.save()
	c.leave(s)
	c.changed(s)
}
