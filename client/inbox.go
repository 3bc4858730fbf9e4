package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/tidegate/tidegate/protocol"
)

// ErrGone answers a call on an entry of a list that is not there any more: it was
// retried, discarded, dismissed or resolved meanwhile.
var ErrGone = errors.New("it is not in the list any more")

// RejectedMutation is a mutation that the server rejected, wholly or in part. It
// stays until the user edits and retries it, or discards it.
type RejectedMutation struct {
	space *Space
	// Entry names the entry in its space.
	Entry uint64
	// Device and Counter are the mutation's name when it was rejected. Verdict says why; where only some of the
	// ops were rejected, Verdict.Ops says which, and the others took effect.
	Device   protocol.DeviceID
	Counter  uint64
	Verdict  protocol.Verdict
	Mutation *protocol.Mutation
}

// Err returns the rejection as the error that Write.Durable returned.
func (r *RejectedMutation) Err() error { return rejection(r.Verdict) }

// Ops returns the ops that were rejected.
func (r *RejectedMutation) Ops() []protocol.Op { return rejectedOps(r.Mutation, r.Verdict) }

// Retry makes the rejected ops anew, as a mutation made now, and takes the entry
// off the list, both in one.
func (r *RejectedMutation) Retry(ctx context.Context) (*Write, error) {
	return r.space.submit(ctx, func(core *Core, now protocol.Time) (uint64, error) {
		return core.Retry(now, r.space.name, r.Entry, r.Ops())
	})
}

// Edit makes other ops in place of the rejected ones, and takes the entry off the
// list, both in one.
func (r *RejectedMutation) Edit(ctx context.Context, ops []protocol.Op) (*Write, error) {
	return r.space.submit(ctx, func(core *Core, now protocol.Time) (uint64, error) {
		return core.Retry(now, r.space.name, r.Entry, ops)
	})
}

// Discard takes the entry off the list for good.
func (r *RejectedMutation) Discard() error {
	c := r.space.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return c.failed
	}
	err := c.core.Discard(r.space.name, r.Entry)
	c.pumpLocked()
	return err
}

// Rejected returns the mutations that wait for the user, oldest first. The list
// is durable.
func (s *Space) Rejected() []*RejectedMutation {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.core.Rejected(s.name)
	for _, r := range list {
		r.space = s
	}
	return list
}

// SettledConflict is a collision that was settled by policy: somebody's edit
// stands where this device had made one. It stays until it is dismissed.
type SettledConflict struct {
	protocol.Conflict
	space *Space
}

// LostValue returns the value that was overwritten, asking the gateway if it was
// too long to be told at once. Absent means that this device had removed the
// field or deleted the record.
func (s *SettledConflict) LostValue(ctx context.Context) (protocol.Value, error) {
	if s.Lost.Blob == (protocol.BlobID{}) {
		return s.Lost.Value, nil
	}
	return s.space.fetch(ctx, s.Lost.Blob)
}

// KeepMine restores the overwritten value, as an ordinary edit made now, and
// dismisses the conflict.
func (s *SettledConflict) KeepMine(ctx context.Context) (*Write, error) {
	value, err := s.LostValue(ctx)
	if err != nil {
		return nil, err
	}
	return s.restore(ctx, value)
}

// Restore gives what the conflict is about another value, as an ordinary edit
// made now, and dismisses the conflict. Nil removes the field or element.
func (s *SettledConflict) Restore(ctx context.Context, value any) (*Write, error) {
	var v protocol.Value
	if value != nil {
		var err error
		if v, err = protocol.ValueOf(value); err != nil {
			return nil, fmt.Errorf("restore: %w", err)
		}
	}
	return s.restore(ctx, v)
}

func (s *SettledConflict) restore(ctx context.Context, value protocol.Value) (*Write, error) {
	w, err := s.space.Mutate(ctx, func(tx *Tx) error {
		e := tx.Edit(s.Collection, s.ID)
		switch {
		case s.Field == "" && tx.Get(s.Collection, s.ID) == nil:
			tx.Undelete(s.Collection, s.ID)
		case s.Field == "":
			tx.Delete(s.Collection, s.ID)
		case s.Element != "":
			e.restoreElement(s.Field, s.Element, value)
		case value.IsAbsent():
			e.Unset(s.Field)
		default:
			e.Set(s.Field, value)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.Dismiss(); err != nil && !errors.Is(err, ErrGone) {
		return w, err
	}
	return w, nil
}

// restoreElement puts a list element back: in its place if it is still there,
// else at the end under a new id.
func (e *Edit) restoreElement(field, element string, value protocol.Value) {
	for _, have := range e.elements(field) {
		if have.Element != element {
			continue
		}
		if value.IsAbsent() {
			e.ListRemove(field, element)
		} else {
			e.ListSet(field, element, value)
		}
		return
	}
	if value.IsAbsent() {
		e.Fail("the element is already gone")
		return
	}
	e.ListAppend(field, value)
}

// Dismiss takes the conflict off the list.
func (s *SettledConflict) Dismiss() error {
	c := s.space.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return c.failed
	}
	err := c.core.Dismiss(s.space.name, s.Conflict)
	c.pumpLocked()
	return err
}

// Conflicts returns the settled conflicts that this device lost and has not
// dismissed, oldest first. The list is durable.
func (s *Space) Conflicts() []*SettledConflict {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []*SettledConflict
	for _, conflict := range c.core.Conflicts(s.name) {
		list = append(list, &SettledConflict{Conflict: conflict, space: s})
	}
	return list
}

// OpenConflict is a collision that waits for a person: a record of
// protocol.ConflictCollection, seen by everybody who sees the record it is about.
type OpenConflict struct {
	// ID is the record's id.
	ID string
	// Collection, Record and Field say what it is about.
	Collection, Record, Field string
	// Kept is the value that stands for now, Lost the one that waits, Others those
	// of further collisions, Base what the author of Lost had seen. Each is absent
	// if there was none, or if it is too long to stand in the record: KeptValue,
	// LostValue and OtherValue return those too.
	Kept, Lost, Base protocol.Value
	Others           []protocol.Value

	space              *Space
	keptBlob, lostBlob protocol.BlobID
	otherBlobs         []protocol.BlobID // as long as Others
}

// OpenConflicts returns the conflicts of the space that wait for a person.
func (s *Space) OpenConflicts() []*OpenConflict {
	var list []*OpenConflict
	for _, r := range s.Collection(protocol.ConflictCollection).All() {
		text := func(field string) string { t, _ := r.Value(field).Text(); return t }
		o := &OpenConflict{
			ID: r.ID, space: s,
			Collection: text("collection"), Record: text("id"), Field: text("field"),
			Kept: r.Value("kept"), Lost: r.Value("lost"), Base: r.Value("base"),
		}
		o.keptBlob, o.lostBlob = blobNamed(text("keptBlob")), blobNamed(text("lostBlob"))
		others, _ := r.Value("others").Array()
		for _, other := range others {
			var v protocol.Value
			var blob protocol.BlobID
			entries, _ := other.Map()
			for _, e := range entries {
				switch e.Key {
				case "value":
					v = e.Value
				case "blob":
					name, _ := e.Value.Text()
					blob = blobNamed(name)
				}
			}
			o.Others, o.otherBlobs = append(o.Others, v), append(o.otherBlobs, blob)
		}
		list = append(list, o)
	}
	return list
}

// blobNamed reads the name of a value that is kept apart; zero if it is none.
func blobNamed(name string) (id protocol.BlobID) {
	if b, err := hex.DecodeString(name); err == nil && len(b) == len(id) {
		copy(id[:], b)
	}
	return id
}

// KeptValue returns the value that stands for now, asking the gateway if it is
// too long to stand in the conflict's record. Absent means that there is none.
func (o *OpenConflict) KeptValue(ctx context.Context) (protocol.Value, error) {
	return o.value(ctx, o.Kept, o.keptBlob)
}

// LostValue returns the value that waits, as KeptValue does.
func (o *OpenConflict) LostValue(ctx context.Context) (protocol.Value, error) {
	return o.value(ctx, o.Lost, o.lostBlob)
}

// OtherValue returns the value of Others[i], as KeptValue does.
func (o *OpenConflict) OtherValue(ctx context.Context, i int) (protocol.Value, error) {
	return o.value(ctx, o.Others[i], o.otherBlobs[i])
}

func (o *OpenConflict) value(ctx context.Context, inline protocol.Value, blob protocol.BlobID) (protocol.Value, error) {
	if blob == (protocol.BlobID{}) {
		return inline, nil
	}
	return o.space.fetch(ctx, blob)
}

// KeepMine resolves the conflict with the value that waits; see LostValue.
func (o *OpenConflict) KeepMine(ctx context.Context) (*Write, error) {
	value, err := o.LostValue(ctx)
	if err != nil {
		return nil, err
	}
	return o.resolve(ctx, value)
}

// KeepTheirs closes the conflict and leaves everything as the user sees it now,
// which may be newer than Kept.
func (o *OpenConflict) KeepTheirs(ctx context.Context) (*Write, error) {
	return o.space.Mutate(ctx, func(tx *Tx) error {
		record := tx.Get(o.Collection, o.Record)
		switch {
		case record == nil:
			tx.Resolve(o.ID, nil)
		case o.Field == "":
			tx.Resolve(o.ID, map[string]any{}) // it stays, and nothing in it changes
		case record.Value(o.Field).IsAbsent():
			tx.Resolve(o.ID, nil)
		default:
			tx.Resolve(o.ID, record.Value(o.Field))
		}
		return nil
	})
}

// Resolve resolves the conflict with a value; nil removes the field.
func (o *OpenConflict) Resolve(ctx context.Context, value any) (*Write, error) {
	var v protocol.Value
	if value != nil {
		var err error
		if v, err = protocol.ValueOf(value); err != nil {
			return nil, fmt.Errorf("resolve: %w", err)
		}
	}
	return o.resolve(ctx, v)
}

func (o *OpenConflict) resolve(ctx context.Context, value protocol.Value) (*Write, error) {
	return o.space.Mutate(ctx, func(tx *Tx) error {
		if value.IsAbsent() {
			tx.Resolve(o.ID, nil)
		} else {
			tx.Resolve(o.ID, value)
		}
		return nil
	})
}
