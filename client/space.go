package client

import (
	"context"
	"fmt"

	"github.com/tidegate/tidegate/protocol"
)

// Space is an app's view of one space: records to read and watch, mutations to
// make, and the lists of what wants the user's attention. It is safe for
// concurrent use.
type Space struct {
	client *Client
	name   string

	// Guarded by client.mu.
	watchers map[*watcher[Changes]]struct{}
}

// Name returns the space's name.
func (s *Space) Name() string { return s.name }

// Collection returns the records of one collection.
func (s *Space) Collection(name string) *Collection {
	return &Collection{space: s, name: name}
}

// Mutate makes the edits of f as one mutation, which travels and is judged as
// one, and returns once it is durable on disk. f reads and edits through tx and
// sees its own edits; it must not keep tx. An error of f, or an edit that cannot
// be (a value outside the domain, say), undoes all of it and is returned.
//
// An error that wraps ErrStore, or ctx's, means that the mutation is not known to
// be on disk; after ctx's it usually will be, and it is in the view already.
func (s *Space) Mutate(ctx context.Context, f func(tx *Tx) error) (*Write, error) {
	c := s.client
	c.mu.Lock()
	tx := &Tx{space: s, base: c.core.Base(s.name), now: c.now(), schema: c.options.Schema, local: map[Key]*predicted{}}
	c.mu.Unlock()
	if err := f(tx); err != nil {
		return nil, err
	}
	mutation, err := tx.finish()
	if err != nil {
		return nil, fmt.Errorf("mutate space %q: %w", s.name, err)
	}
	return s.submit(ctx, func(core *Core, now protocol.Time) (uint64, error) {
		return core.Mutate(now, s.name, mutation)
	})
}

// submit runs an input that adds a mutation, and waits until that is on disk.
func (s *Space) submit(ctx context.Context, input func(*Core, protocol.Time) (uint64, error)) (*Write, error) {
	c := s.client
	c.mu.Lock()
	if c.failed != nil {
		defer c.mu.Unlock()
		return nil, c.failed
	}
	ref, err := input(c.core, c.now())
	if err != nil {
		defer c.mu.Unlock()
		return nil, fmt.Errorf("mutate space %q: %w", s.name, err)
	}
	w := &Write{client: c, local: make(chan struct{}), done: make(chan struct{})}
	c.waits[ref] = w
	c.pumpLocked()
	c.mu.Unlock()
	select {
	case <-w.local:
		return w, nil
	default:
	}
	select {
	case <-w.local:
		return w, nil
	case <-w.done: // the client stopped before the mutation was durable
		select {
		case <-w.local:
			return w, nil
		default:
			return nil, w.err
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Cursor returns how far the space is confirmed: every commit up to it is in what
// the space shows.
func (s *Space) Cursor() protocol.Cursor {
	return s.Status().Cursor
}

// WaitFor returns once the space has confirmed seq, or with ctx's error, or with
// ErrClosed.
func (s *Space) WaitFor(ctx context.Context, seq uint64) error {
	return s.wait(ctx, func(core *Core) bool { return core.SpaceStatus(s.name).Cursor.Seq >= seq })
}

// Drained returns once no mutation of the space is pending.
func (s *Space) Drained(ctx context.Context) error {
	return s.wait(ctx, func(core *Core) bool { return len(core.Pending(s.name)) == 0 })
}

// wait returns once holds is true of the core. Every change of the cursor or of
// the queue is a change of the space's status.
func (s *Space) wait(ctx context.Context, holds func(*Core) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := s.client
	check := func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return holds(c.core)
	}
	changes := s.Watch(ctx) // before the first look, so that nothing is missed
	if check() {
		return nil
	}
	for range changes {
		if check() {
			return nil
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return ErrClosed
}

// Status returns the space's condition.
func (s *Space) Status() SpaceStatus {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.core.SpaceStatus(s.name)
}

// Device returns the device id under which the client writes in this space.
func (s *Space) Device() protocol.DeviceID {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.core.SpaceDevice(s.name)
}

// StateHash returns the digest of the confirmed state, predictions left out: two
// devices whose cursors are equal, and who see the same, have the same.
func (s *Space) StateHash() [32]byte {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.core.StateHash(s.name)
}

// Confirmed returns the confirmed state, predictions left out, ordered by
// collection and id.
func (s *Space) Confirmed() []protocol.RecordState {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.core.Confirmed(s.name)
}

// Pending is a mutation that waits for its verdict, or whose verdict waits for
// the cursor.
type Pending struct {
	Device  protocol.DeviceID
	Counter uint64
	// Sent is true if it may have reached the server; Judged if its verdict did
	// come back.
	Sent, Judged bool
	Mutation     *protocol.Mutation
}

// Pending returns the mutations that are predicted in the view, oldest first.
func (s *Space) Pending() []Pending {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.core.Pending(s.name)
}

// SetPresence shows value to the others in the space while the client is
// connected: a cursor, a selection, a name. Only the latest is sent, it is never
// stored, and nil takes it away. The error is about the value alone.
func (s *Space) SetPresence(value any) error {
	var v protocol.Value
	if value != nil {
		var err error
		if v, err = protocol.ValueOf(value); err != nil {
			return fmt.Errorf("set presence: %w", err)
		}
	}
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	c.core.SetPresence(c.now(), s.name, v)
	c.pumpLocked()
	return nil
}

// Present returns who else is in the space, as last heard; empty while offline,
// and unless SpaceOptions.Presence asks for it.
func (s *Space) Present() []protocol.DevicePresence {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.core.Present(s.name)
}
