package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

func TestClientsConverge(t *testing.T) {
	s := newServer(t)
	ctx := within(t)
	a := s.open(t, MemoryStore()).Space(testSpace, SpaceOptions{})
	b := s.open(t, MemoryStore()).Space(testSpace, SpaceOptions{})
	id := NewID()
	w, err := a.Collection("cards").Create(ctx, id, map[string]any{"title": "Buy milk", "votes": 0})
	if err != nil {
		t.Fatal(err)
	}
	v, err := w.Durable(ctx)
	if err != nil || v.Outcome != protocol.Applied || v.Seq != 1 {
		t.Fatalf("verdict %+v, %v", v, err)
	}
	if err := b.WaitFor(ctx, v.Seq); err != nil {
		t.Fatal(err)
	}
	var edits sync.WaitGroup
	for _, space := range []*Space{a, b} {
		edits.Go(func() {
			for i := range 50 {
				_, err := space.Collection("cards").Update(ctx, id, func(e *Edit) {
					e.Add("votes", 1)
					e.SetAdd("tags", fmt.Sprint(i))
					e.ListAppend("steps", i)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	edits.Wait()
	for _, space := range []*Space{a, b} {
		if err := space.Drained(ctx); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	head, hash := s.model.head().Seq, s.model.hash()
	s.mu.Unlock()
	for _, space := range []*Space{a, b} {
		if err := space.WaitFor(ctx, head); err != nil {
			t.Fatal(err)
		}
		r := space.Collection("cards").Get(id)
		if r.Get("votes") != int64(100) || len(r.Elements("tags")) != 50 || len(r.Elements("steps")) != 100 {
			t.Errorf("record %v", r.Map())
		}
		if space.StateHash() != hash {
			t.Error("the state differs from the gateway's")
		}
	}
}

func TestRejectedError(t *testing.T) {
	s := newServer(t)
	ctx := within(t)
	space := s.open(t, MemoryStore()).Space(testSpace, SpaceOptions{})
	w, err := space.Collection("cards").Update(ctx, "nowhere", func(e *Edit) { e.Set("title", "x") })
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Durable(ctx)
	var rejected *Rejected
	if !errors.As(err, &rejected) || rejected.Code != protocol.RejectMissing || rejected.Message == "" {
		t.Fatalf("error %v", err)
	}
	list := space.Rejected()
	if len(list) != 1 {
		t.Fatalf("%d rejected", len(list))
	}
	if _, err := space.Collection("cards").Create(ctx, "nowhere", nil); err != nil {
		t.Fatal(err)
	}
	w, err = list[0].Retry(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Durable(ctx); err != nil {
		t.Fatal(err)
	}
	if len(space.Rejected()) != 0 {
		t.Error("the retried mutation is still in the list")
	}
	if _, err := list[0].Retry(ctx); !errors.Is(err, ErrGone) {
		t.Errorf("second retry: %v", err)
	}
}

func TestBadEdits(t *testing.T) {
	s := newServer(t)
	ctx := within(t)
	c := s.open(t, MemoryStore(), func(o *Options) { o.Schema = s.model.schema })
	space := c.Space(testSpace, SpaceOptions{})
	cards := space.Collection("cards")
	for name, edit := range map[string]func() (*Write, error){
		"a value outside the domain": func() (*Write, error) {
			return cards.Create(ctx, "1", map[string]any{"title": make(chan int)})
		},
		"a field of ours":      func() (*Write, error) { return cards.Create(ctx, "1", map[string]any{"_v": 1}) },
		"a collection of ours": func() (*Write, error) { return space.Collection("_x").Create(ctx, "1", nil) },
		"no id":                func() (*Write, error) { return cards.Create(ctx, "", nil) },
		"no edits":             func() (*Write, error) { return cards.Update(ctx, "1", func(*Edit) {}) },
		"the app's own error": func() (*Write, error) {
			return space.Mutate(ctx, func(tx *Tx) error { tx.Create("cards", "1", nil); return errors.New("no") })
		},
		"too large": func() (*Write, error) {
			return cards.Create(ctx, "1", map[string]any{"title": string(make([]byte, 200<<10))})
		},
	} {
		if _, err := edit(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if n := len(space.Pending()); n != 0 || cards.Get("1") != nil {
		t.Errorf("%d mutations pending after errors", n)
	}
}

func TestWatch(t *testing.T) {
	s := newServer(t)
	ctx := within(t)
	a := s.open(t, MemoryStore()).Space(testSpace, SpaceOptions{})
	b := s.open(t, MemoryStore()).Space(testSpace, SpaceOptions{})
	changes := b.Watch(ctx, "cards")
	if _, err := a.Collection("other").Create(ctx, "x", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Collection("cards").Create(ctx, "1", map[string]any{"title": "x"}); err != nil {
		t.Fatal(err)
	}
	for change := range changes {
		if len(change.Keys) == 0 {
			continue
		}
		if len(change.Keys) != 1 || change.Keys[0] != (Key{Collection: "cards", ID: "1"}) {
			t.Errorf("keys %v", change.Keys)
		}
		break
	}
	if b.Collection("cards").Get("1") == nil {
		t.Error("the watched record is not there")
	}
	ended := make(chan struct{})
	endless := b.Watch(context.Background())
	go func() {
		for range endless {
		}
		close(ended)
	}()
	b.client.Close()
	<-ended
}

// Connections break all the time, acks are lost with them; counters are exact.
func TestBrokenConnections(t *testing.T) {
	s := newServer(t)
	ctx := within(t)
	space := s.open(t, MemoryStore()).Space(testSpace, SpaceOptions{})
	cards := space.Collection("cards")
	if _, err := cards.Create(ctx, "1", map[string]any{"votes": 0}); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		for range 5 {
			if _, err := cards.Update(ctx, "1", func(e *Edit) { e.Add("votes", 1) }); err != nil {
				t.Fatal(err)
			}
		}
		s.cut(errors.New("cut"), false)
	}
	if err := space.Drained(ctx); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.model.value("cards", "1", "votes"); got != int64(150) {
		t.Errorf("votes %v, want 150", got)
	}
}

func TestStatus(t *testing.T) {
	s := newServer(t)
	ctx := within(t)
	c := s.open(t, MemoryStore())
	seen := func(want State) Status {
		t.Helper()
		for status := range c.StatusChanges(ctx) {
			if status.State == want {
				return status
			}
		}
		t.Fatalf("never %v", want)
		return Status{}
	}
	if status := seen(Live); status.User != "ada" {
		t.Errorf("status %+v", status)
	}
	s.cut(errors.New("the cable"), true)
	if status := seen(Offline); status.LastError == nil {
		t.Errorf("status %+v", status)
	}
	space := c.Space(testSpace, SpaceOptions{})
	if _, err := space.Collection("cards").Create(ctx, "1", nil); err != nil {
		t.Fatal(err)
	}
	if status := c.Status(); status.Pending != 1 {
		t.Errorf("status %+v", status)
	}
	s.cut(nil, false)
	if err := space.Drained(ctx); err != nil {
		t.Fatal(err)
	}
	s.cut(&CloseError{Code: 4202, Reason: "a newer protocol"}, false)
	seen(Stopped)
	c.Reconnect()
	seen(Live)
	c.Close()
	if status := c.Status(); status.State != Stopped || !errors.Is(status.LastError, ErrClosed) {
		t.Errorf("status after close %+v", status)
	}
	if _, err := space.Collection("cards").Create(ctx, "2", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("mutate after close: %v", err)
	}
}

func TestTokens(t *testing.T) {
	s := newServer(t)
	ctx := within(t)
	var calls atomic.Int32
	c := s.open(t, MemoryStore(), func(o *Options) {
		o.Token = func(context.Context) (string, error) {
			if calls.Add(1) < 3 {
				return "", errors.New("the user has not logged in")
			}
			return "good", nil
		}
	})
	for status := range c.StatusChanges(ctx) {
		if status.State == Live {
			break
		}
	}
	s.mu.Lock()
	hello, ok := s.lines[0].conn.frames[0].(*protocol.Hello)
	s.mu.Unlock()
	if !ok || hello.Token != "good" {
		t.Errorf("hello %+v", hello)
	}
}

// brokenStore fails from the nth write on.
type brokenStore struct {
	Store
	left atomic.Int32
}

func (b *brokenStore) Write(batch Batch) error {
	if b.left.Add(-1) < 0 {
		return errors.New("no space left on device")
	}
	return b.Store.Write(batch)
}

// A store that fails stops the client: nothing that is not on disk was called
// durable.
func TestStoreFails(t *testing.T) {
	s := newServer(t)
	s.down = true
	ctx := within(t)
	store := &brokenStore{Store: MemoryStore()}
	store.left.Store(5)
	c := s.open(t, store)
	cards := c.Space(testSpace, SpaceOptions{}).Collection("cards")
	durable := 0
	for i := range 20 {
		if _, err := cards.Create(ctx, fmt.Sprint(i), nil); err != nil {
			if !errors.Is(err, ErrStore) {
				t.Fatalf("error %v", err)
			}
			break
		}
		durable++
	}
	if durable == 20 || c.Status().State != Stopped {
		t.Fatalf("%d durable, status %+v", durable, c.Status())
	}
	c.Close()
	again := s.open(t, store.Store)
	if n := len(again.Space(testSpace, SpaceOptions{}).Pending()); n != durable {
		t.Errorf("%d pending after reopening, %d were durable", n, durable)
	}
}

func TestPresenceBetweenClients(t *testing.T) {
	s := newServer(t)
	ctx := within(t)
	a := s.open(t, MemoryStore()).Space(testSpace, SpaceOptions{Presence: true})
	b := s.open(t, MemoryStore()).Space(testSpace, SpaceOptions{Presence: true})
	live := func(core *Core) bool { return core.SpaceStatus(testSpace).State == SpaceLive }
	if err := errors.Join(a.wait(ctx, live), b.wait(ctx, live)); err != nil {
		t.Fatal(err)
	}
	changes := b.Watch(ctx)
	if err := a.SetPresence(map[string]any{"cursor": 3}); err != nil {
		t.Fatal(err)
	}
	for change := range changes {
		if change.Presence {
			break
		}
	}
	if list := b.Present(); len(list) != 1 {
		t.Errorf("present %v", list)
	}
	if err := a.SetPresence(make(chan int)); err == nil {
		t.Error("a presence outside the domain was taken")
	}
}

func TestTransactions(t *testing.T) {
	s := newServer(t)
	ctx := within(t)
	space := s.open(t, MemoryStore()).Space(testSpace, SpaceOptions{})
	w, err := space.Mutate(ctx, func(tx *Tx) error {
		tx.Whole()
		tx.RequireAbsent("cards", "1", "")
		tx.Create("cards", "1", map[string]any{"title": "one"})
		tx.Create("cards", "2", map[string]any{"title": "two"})
		e := tx.Edit("cards", "1")
		first := e.ListAppend("steps", "b")
		e.ListInsert("steps", 0, "a")
		e.ListMove("steps", first, 0)
		e.ListSet("steps", first, "B")
		if got := fmt.Sprint(e.Record().Get("steps")); got != "[B a]" {
			t.Errorf("the mutation sees %v", got)
		}
		tx.Delete("cards", "2")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := w.Durable(ctx); err != nil || v.Outcome != protocol.Applied {
		t.Fatalf("verdict %+v, %v", v, err)
	}
	if err := space.Drained(ctx); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(space.Collection("cards").Get("1").Get("steps")); got != "[B a]" {
		t.Errorf("steps %v", got)
	}
	if all := space.Collection("cards").All(); len(all) != 1 {
		t.Errorf("%d cards", len(all))
	}
	w, err = space.Mutate(ctx, func(tx *Tx) error {
		tx.RequireAbsent("cards", "1", "")
		tx.Create("cards", "3", nil)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var rejected *Rejected
	if _, err := w.Durable(ctx); !errors.As(err, &rejected) || rejected.Code != protocol.RejectPrecondition {
		t.Errorf("error %v", err)
	}
}
