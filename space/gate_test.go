package space

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// crowdedStore counts how many calls are under way at once.
type crowdedStore struct {
	distantStore
	now, most, calls atomic.Int64
}

func (s *crowdedStore) count() func() {
	s.calls.Add(1)
	n := s.now.Add(1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	return func() { s.now.Add(-1) }
}

func (s *crowdedStore) Log(ctx context.Context, key Key, from uint64, maxBytes int) ([]LogItem, error) {
	defer s.count()()
	return s.distantStore.Log(ctx, key, from, maxBytes)
}

func (s *crowdedStore) Get(ctx context.Context, key Key, keys []ItemKey) ([]Item, error) {
	defer s.count()()
	return s.distantStore.Get(ctx, key, keys)
}

// TestOpeningIsNoStampede: a thousand spaces that open at once do not fall on the
// store at once, and a space that is open goes on as if nothing were.
func TestOpeningIsNoStampede(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const spaces, room = 1000, 16
		store := &crowdedStore{distantStore: distantStore{new(Memory), 10 * time.Millisecond}}
		m := NewManager(store, Options{StoreCalls: room, IdleAfter: time.Hour})
		hot := newTestClient("hot")
		sink := newInbox()
		at, err := m.Attach(Key{"acme", "hot"}, Attach{Device: hot.device, User: hot.user}, sink)
		if err != nil {
			t.Fatal(err)
		}
		sink.attached(t)
		hot.mutate(0, mustOp("create tasks/1 n=0"))
		at.Push(hot.pushFrom(0, 1, 1))
		sink.take(t)

		begun := time.Now()
		var opening sync.WaitGroup
		for i := range spaces {
			opening.Go(func() {
				sink := newInbox()
				c := newTestClient(fmt.Sprint("c", i))
				if _, err := m.Attach(Key{"acme", fmt.Sprint("s", i)}, Attach{Device: c.device, User: c.user}, sink); err != nil {
					t.Error(err)
					return
				}
				sink.attached(t)
			})
		}
		var slowest time.Duration
		for n := uint64(2); n < 20; n++ {
			hot.mutate(0, mustOp(fmt.Sprintf("set tasks/1 n=%d", n)))
			sent := time.Now()
			at.Push(hot.pushFrom(0, n, n))
			if _, ok := sink.take(t)[0].(Verdicts); !ok {
				t.Fatal("no verdict")
			}
			slowest = max(slowest, time.Since(sent))
		}
		opening.Wait()
		took := time.Since(begun)
		t.Logf("%d calls, at most %d at once, in %v; an edit elsewhere took at most %v", store.calls.Load(), store.most.Load(), took, slowest)
		if most := store.most.Load(); most > room {
			t.Errorf("%d calls at once, %d are allowed", most, room)
		}
		if slowest > 10*time.Millisecond {
			t.Errorf("an edit in an open space took %v", slowest)
		}
		if most := time.Duration(store.calls.Load()/room+10) * 10 * time.Millisecond; took > most {
			t.Errorf("opening took %v, %v would do", took, most)
		}
		closeManager(t, m)
	})
}

// TestGateTakesTurns: a space with many calls does not keep another out, and whoever
// gives up waiting leaves no trace.
func TestGateTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1)
		if err := g.enter(t.Context(), Key{}); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var order []string
		note := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, what)
		}
		var waiting sync.WaitGroup
		wait := func(ctx context.Context, name string) {
			waiting.Go(func() {
				if err := g.enter(ctx, Key{Space: name[:1]}); err != nil {
					note(name + " gave up")
					return
				}
				note(name)
				g.leave()
			})
			synctest.Wait()
		}
		impatient, cancel := context.WithCancel(t.Context())
		for _, name := range []string{"a1", "a2", "a3"} {
			wait(t.Context(), name)
		}
		wait(impatient, "c1")
		wait(impatient, "b1")
		wait(t.Context(), "b2")
		cancel()
		synctest.Wait()
		slices.Sort(order)
		g.leave()
		waiting.Wait()
		if got, want := fmt.Sprint(order), "[b1 gave up c1 gave up a1 b2 a2 a3]"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if g.free != 1 || len(g.turns) > 0 || len(g.of) > 0 {
			t.Errorf("left: %d free, %d turns", g.free, len(g.turns))
		}
		if err := g.enter(impatient, Key{}); err != nil {
			t.Errorf("with room there is nothing to wait for, but %v", err)
		}
		if err := g.enter(impatient, Key{}); !errors.Is(err, context.Canceled) {
			t.Errorf("without: %v", err)
		}
	})
}

// TestGateLosesNoRoom: whoever gives up just when it is let in lets the next one in.
func TestGateLosesNoRoom(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(0)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				if g.enter(ctx, Key{}) == nil {
					g.leave()
				}
			}()
			synctest.Wait()
			cancel()
			g.leave()
			synctest.Wait()
			if g.free != 1 {
				t.Fatal("the room is lost")
			}
		})
	}
}

// TestLateCallsAreNotMade: a call that has waited until it is too late is not made
// any more.
func TestLateCallsAreNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &crowdedStore{distantStore: distantStore{new(Memory), time.Millisecond}}
		m := NewManager(store, Options{StoreCalls: 1})
		if err := m.gate.enter(t.Context(), Key{}); err != nil { // somebody hangs
			t.Fatal(err)
		}
		sink := newInbox()
		if _, err := m.Attach(rigKey, Attach{Device: protocol.DeviceID{1}, User: "ann"}, sink); err != nil {
			t.Fatal(err)
		}
		if lost, ok := sink.take(t)[0].(Lost); !ok || lost.Err.Code != protocol.CodeUnavailable {
			t.Error("the device waits for ever")
		}
		if n := store.calls.Load(); n > 0 {
			t.Errorf("%d calls were made", n)
		}
		m.gate.leave()
		closeManager(t, m)
	})
}
