package space

import (
	"context"
	"slices"
	"sync"
)

// gate bounds the calls to the store that are under way at once, so that a
// thousand spaces that open together, or a thousand devices that come back, do
// not fall on it like one. Spaces that wait take turns: one with many readers does
// not keep the others out. Appends do not pass here: each space has at most one,
// and devices wait for it.
type gate struct {
	mu    sync.Mutex
	free  int           // guarded by mu; 0 while anybody waits
	turns []*turn       // guarded by mu: the next first
	of    map[Key]*turn // guarded by mu: turns by space
}

// turn is the calls of one space that wait, in the order in which they came.
type turn struct {
	key     Key
	waiting []chan struct{} // closed when the call may go
}

func newGate(room int) *gate { return &gate{free: room, of: make(map[Key]*turn)} }

// enter waits until a call of the space may go; leave must follow. It returns the
// context's error if that ends first.
func (g *gate) enter(ctx context.Context, key Key) error {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return nil
	}
	t := g.of[key]
	if t == nil {
		t = &turn{key: key}
		g.of[key] = t
		g.turns = append(g.turns, t)
	}
	called := make(chan struct{})
	t.waiting = append(t.waiting, called)
	g.mu.Unlock()
	select {
	case <-called:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	at := slices.Index(t.waiting, called)
	if at >= 0 {
		t.waiting = slices.Delete(t.waiting, at, at+1)
		if len(t.waiting) == 0 {
			g.turns = slices.DeleteFunc(g.turns, func(o *turn) bool { return o == t })
			delete(g.of, key)
		}
	}
	g.mu.Unlock()
	if at < 0 {
		g.leave() // it was let in meanwhile
	}
	return ctx.Err()
}

// leave lets the next one in.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.turns) == 0 {
		g.free++
		return
	}
	t := g.turns[0]
	g.turns = g.turns[1:]
	close(t.waiting[0])
	if t.waiting = t.waiting[1:]; len(t.waiting) > 0 {
		g.turns = append(g.turns, t)
	} else {
		delete(g.of, t.key)
	}
}
