package client

import (
	"bytes"
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// rejectedEntry is a rejected mutation that waits for the user.
type rejectedEntry struct {
	order   uint64              // grows with each entry: its name, and the list's order
	id      protocol.MutationID // not unique: what the client itself rejects gives its counter to the next
	verdict protocol.Verdict
	body    []byte
}

// reject keeps the payload of a rejected mutation. The server forgets it only
// once it is confirmed, which happens when the entry is durable; it does not know
// of what the client itself rejects.
func (c *Core) reject(s *space, p *pending, v protocol.Verdict, confirm bool) {
	if confirm {
		s.confirmSaved(p.counter)
	}
	id := protocol.MutationID{Device: p.device, Counter: p.counter}
	kept := slices.ContainsFunc(s.rejected, func(e *rejectedEntry) bool { return e.id == id && bytes.Equal(e.body, p.body) })
	if kept || c.cfg.Faults.DropRejected {
		return // kept: a crash came between the entry and the cursor
	}
	e := &rejectedEntry{
		id:      id,
		order:   uint64(max(c.now, 1)), // so that a number does not come again when the list was empty
		verdict: v,
		body:    p.body,
	}
	if n := len(s.rejected); n > 0 {
		e.order = max(e.order, s.rejected[n-1].order+1)
	}
	s.rejected = append(s.rejected, e)
	s.saveRejected(e)
	s.news.rejected = true
	c.statusChanged = true
}

// confirmSaved tells the server, once everything up to now is durable, that it
// may forget a rejection.
func (s *space) confirmSaved(counter uint64) {
	s.confirmLater = append(s.confirmLater, counter)
	s.save()
}

// Rejected returns the mutations of a space that wait for the user, oldest first.
func (c *Core) Rejected(name string) []*RejectedMutation {
	s := c.spaces[name]
	if s == nil {
		return nil
	}
	list := make([]*RejectedMutation, 0, len(s.rejected))
	for _, e := range s.rejected {
		m, err := protocol.DecodeMutation(e.body)
		if err != nil {
			m = &protocol.Mutation{} // checked when it was made and when it was loaded
		}
		list = append(list, &RejectedMutation{Entry: e.order, Device: e.id.Device, Counter: e.id.Counter, Verdict: e.verdict, Mutation: m})
	}
	return list
}

// rejectedOps returns the ops of a mutation that were rejected.
func rejectedOps(m *protocol.Mutation, v protocol.Verdict) []protocol.Op {
	if len(v.Ops) != len(m.Ops) {
		return m.Ops
	}
	var ops []protocol.Op
	for i, op := range v.Ops {
		if op.Outcome == protocol.Rejected {
			ops = append(ops, m.Ops[i])
		}
	}
	return ops
}

// Retry makes a mutation of ops now, and takes the rejected one off the list, in
// one batch.
func (c *Core) Retry(now protocol.Time, name string, entry uint64, ops []protocol.Op) (ref uint64, err error) {
	s := c.spaces[name]
	if s == nil || !slices.ContainsFunc(s.rejected, func(e *rejectedEntry) bool { return e.order == entry }) {
		return 0, ErrGone
	}
	ops = slices.Clone(ops)
	for i := range ops {
		s.seeAgain(&ops[i])
	}
	ref, err = c.Mutate(now, name, &protocol.Mutation{Base: c.Base(name), EditTime: max(now, c.now), Ops: ops})
	if err != nil {
		return 0, err
	}
	return ref, c.Discard(name, entry)
}

// seeAgain makes an op one of now: what its author saw is what the view shows.
func (s *space) seeAgain(op *protocol.Op) {
	record := s.look(Key{Collection: op.Collection, ID: op.ID})
	was := func(field string) protocol.Value {
		if v := record.Value(field); v.Size() <= protocol.MaxWas {
			return v
		}
		return protocol.Value{}
	}
	switch op.Kind {
	case protocol.OpSet:
		op.Fields = slices.Clone(op.Fields)
		for i := range op.Fields {
			op.Fields[i].Was = was(op.Fields[i].Field)
		}
	case protocol.OpUnset:
		op.Was = was(op.Field)
	}
}

// Discard takes a rejected mutation off the list.
func (c *Core) Discard(name string, entry uint64) error {
	s := c.spaces[name]
	if s == nil {
		return ErrGone
	}
	at := slices.IndexFunc(s.rejected, func(e *rejectedEntry) bool { return e.order == entry })
	if at < 0 {
		return ErrGone
	}
	e := s.rejected[at]
	s.rejected = slices.Delete(s.rejected, at, at+1)
	s.dropRejected(e)
	s.news.rejected = true
	c.statusChanged = true
	return nil
}
