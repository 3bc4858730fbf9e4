package client

import (
	"context"
	"iter"
	"sync"

	"github.com/tidegate/tidegate/merge"
)

// Key names a record in its space.
type Key = merge.Key

// Changes says what is different in a space since the last time. Read the space
// for what it is now: changes between are not kept.
type Changes struct {
	// Keys are the records whose view changed, in no order. Open conflicts are
	// records of protocol.ConflictCollection.
	Keys []Key
	// Rejected, Conflicts, Presence and Status: the list, or the condition, of that
	// name changed.
	Rejected, Conflicts, Presence, Status bool
}

// Watch yields what changed in the space, from the call of Watch on, until ctx is
// done or the client is closed. Changes gather while the reader is busy, so a
// slow one costs nothing and misses nothing that still holds. If collections are
// named, records of others are left out.
func (s *Space) Watch(ctx context.Context, collections ...string) iter.Seq[Changes] {
	wanted := map[string]bool{}
	for _, name := range collections {
		wanted[name] = true
	}
	seen := map[Key]bool{} // keys gathered; guarded by the watcher
	w := newWatcher(func(have, more Changes) Changes {
		if have.Keys == nil {
			clear(seen)
		}
		for _, key := range more.Keys {
			if !seen[key] && (len(wanted) == 0 || wanted[key.Collection]) {
				seen[key] = true
				have.Keys = append(have.Keys, key)
			}
		}
		have.Rejected = have.Rejected || more.Rejected
		have.Conflicts = have.Conflicts || more.Conflicts
		have.Presence = have.Presence || more.Presence
		have.Status = have.Status || more.Status
		return have
	})
	w.skip = func(c Changes) bool {
		return len(c.Keys) == 0 && !c.Rejected && !c.Conflicts && !c.Presence && !c.Status
	}
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		s.watchers[w] = struct{}{}
	} else {
		w.end()
	}
	return w.each(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(s.watchers, w)
	})
}

// watcher gathers news for one reader, who pulls: no goroutine, no queue.
type watcher[T any] struct {
	gather func(have, more T) T
	skip   func(T) bool // nothing worth waking the reader for; may be nil
	signal chan struct{}

	mu    sync.Mutex
	have  T
	ready bool
	ended bool
}

func newWatcher[T any](gather func(have, more T) T) *watcher[T] {
	return &watcher[T]{gather: gather, signal: make(chan struct{}, 1)}
}

// add gives the reader more news. It never blocks.
func (w *watcher[T]) add(more T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.have = w.gather(w.have, more)
	if w.skip != nil && w.skip(w.have) {
		return
	}
	w.ready = true
	w.wake()
}

// end lets the reader have what there is, and then no more.
func (w *watcher[T]) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.wake()
}

func (w *watcher[T]) wake() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

func (w *watcher[T]) take() (news T, ready, ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	news, ready = w.have, w.ready
	if ready {
		var none T
		w.have, w.ready = none, false
	}
	return news, ready, w.ended
}

// each is the reader's loop. remove takes the watcher off its list; it runs when
// the loop ends or ctx is done, whichever is first, and so also for a sequence
// that nobody ever ranges over.
func (w *watcher[T]) each(ctx context.Context, remove func()) iter.Seq[T] {
	stop := context.AfterFunc(ctx, remove)
	return func(yield func(T) bool) {
		defer func() {
			if stop() {
				remove()
			}
		}()
		for {
			news, ready, ended := w.take()
			switch {
			case ctx.Err() != nil:
				return
			case ready:
				if !yield(news) {
					return
				}
				continue
			case ended:
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-w.signal:
			}
		}
	}
}
