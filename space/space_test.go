package space

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// inbox is a Sink that a test waits on.
type inbox struct {
	mu     sync.Mutex
	bodies []ReplyBody
	head   protocol.Cursor
	news   chan struct{}
}

func newInbox() *inbox { return &inbox{news: make(chan struct{}, 1)} }

func (b *inbox) Tell(body ReplyBody) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bodies = append(b.bodies, body)
	b.ring()
}

func (b *inbox) Moved(head protocol.Cursor) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.head = head
	b.ring()
}

func (b *inbox) ring() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// take returns what has come, and waits for something if there is nothing.
func (b *inbox) take(t testing.TB) []ReplyBody {
	t.Helper()
	for {
		b.mu.Lock()
		bodies := b.bodies
		b.bodies = nil
		b.mu.Unlock()
		if len(bodies) > 0 {
			return bodies
		}
		select {
		case <-b.news:
		case <-t.Context().Done():
			t.Fatal("nothing came")
		case <-time.After(20 * time.Second):
			t.Fatal("nothing came in 20 s")
		}
	}
}

func (b *inbox) attached(t testing.TB) Attached {
	t.Helper()
	for _, body := range b.take(t) {
		if a, ok := body.(Attached); ok {
			return a
		}
		t.Fatalf("got %#v", body)
	}
	return Attached{}
}

func closeManager(t testing.TB, m *Manager) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := m.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// flakyStore is a store behind a bad network.
type flakyStore struct {
	Store
	mu   sync.Mutex
	rnd  *rand.Rand
	rate int // one in so many calls goes wrong; 0 for none
}

func (s *flakyStore) trouble() (before, after error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rate == 0 || s.rnd.IntN(s.rate) > 0 {
		return nil, nil
	}
	if s.rnd.IntN(2) == 0 {
		return errWorld, nil
	}
	return nil, errWorld
}

func (s *flakyStore) Append(ctx context.Context, key Key, seq uint64, data []byte) error {
	before, after := s.trouble()
	if before != nil {
		return before
	}
	err := s.Store.Append(ctx, key, seq, data)
	if after != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, after)
	}
	return err
}

func (s *flakyStore) Log(ctx context.Context, key Key, from uint64, maxBytes int) ([]LogItem, error) {
	if before, after := s.trouble(); before != nil || after != nil {
		return nil, errWorld
	}
	return s.Store.Log(ctx, key, from, maxBytes)
}

func (s *flakyStore) Put(ctx context.Context, key Key, items []Item) error {
	before, after := s.trouble()
	if before != nil {
		return before
	}
	return errors.Join(s.Store.Put(ctx, key, items), after)
}

// TestManyWriters lets devices write one space through two managers, over a bad
// network, with real goroutines: everything is committed once.
func TestManyWriters(t *testing.T) {
	store := new(Memory)
	flaky := &flakyStore{Store: store, rnd: rand.New(rand.NewPCG(1, 2)), rate: 10}
	opt := Options{Config: raceConfig()}
	opt.Config.PollEvery = 5 * time.Millisecond
	opt.Config.Limits.Horizon = 0
	opt.Config.CheckpointEvery = 20 * time.Millisecond
	managers := []*Manager{NewManager(flaky, opt), NewManager(flaky, opt)}
	const devices, mutations = 8, 60
	var wg sync.WaitGroup
	clients := make([]*testClient, devices)
	for n := range devices {
		c := newTestClient(fmt.Sprintf("d%d", n))
		clients[n] = c
		for i := range mutations {
			c.mutate(0, mustOp(fmt.Sprintf("create tasks/%d-%d n=%d", n, i, i)))
		}
		wg.Go(func() { pushAll(t, managers[n%2], c) })
	}
	wg.Wait()
	flaky.mu.Lock()
	flaky.rate = 0
	flaky.mu.Unlock()
	for _, m := range managers {
		closeManager(t, m)
	}
	counters := make(map[protocol.DeviceID]uint64)
	for _, commit := range logOf(t, store, nil) {
		for _, m := range commit.Mutations {
			counters[m.Author.Device]++
			if m.Counter != counters[m.Author.Device] {
				t.Fatalf("commit %d has mutation %d of %s", commit.Seq, m.Counter, m.Author.User)
			}
		}
	}
	for _, c := range clients {
		if counters[c.device] != mutations {
			t.Errorf("%s: %d committed", c.user, counters[c.device])
		}
	}
}

// pushAll pushes a device's mutations, a few at a time, breaking the connection
// now and then.
func pushAll(t *testing.T, m *Manager, c *testClient) {
	var acked uint64
	for round := 0; acked < c.counter; round++ {
		sink := newInbox()
		a, err := m.Attach(rigKey, Attach{Device: c.device, User: c.user}, sink)
		if err != nil {
			t.Error(err)
			return
		}
		acked = pushSome(t, a, sink, c, acked, 1+round%4)
		a.Detach()
		if t.Failed() {
			return
		}
	}
}

// pushSome pushes until a number of answers have come, and returns how far it is.
func pushSome(t *testing.T, a *Attachment, sink *inbox, c *testClient, acked uint64, answers int) uint64 {
	attached := sink.take(t)
	first, ok := attached[0].(Attached)
	if !ok {
		return acked // the store was not to be reached in time
	}
	acked = first.Counter
	for id := uint64(1); answers > 0 && acked < c.counter; id++ {
		p := c.pushFrom(0, id, acked+1)
		p.Bodies = p.Bodies[:min(len(p.Bodies), 7)]
		a.Push(p)
		for got := 0; got < len(p.Bodies); {
			for _, body := range sink.take(t) {
				v, ok := body.(Verdicts)
				if !ok {
					return acked
				}
				if v.Hash != c.hashes[v.Counter] {
					t.Errorf("%s is said to be elsewhere at %d", c.user, v.Counter)
				}
				acked = v.Counter
				got += len(v.List)
				if v.Replay {
					got = len(p.Bodies)
				}
			}
		}
		answers--
	}
	return acked
}

// TestReadersKeepUp lets readers follow a space while it is written, from
// different positions, and compares what they have with the fold.
func TestReadersKeepUp(t *testing.T) {
	store := new(Memory)
	opt := Options{Config: Config{Exclusive: true, CacheBytes: 16 << 10, CheckpointEvery: 5 * time.Millisecond, WatermarkEvery: 20}, RingBytes: 8 << 10}
	m := NewManager(store, opt)
	writer := newTestClient("writer")
	const mutations = 400
	for i := range mutations {
		writer.mutate(0, mustOp(fmt.Sprintf("create tasks/%d n=%d text=%050d", i, i, i)))
	}
	var wg sync.WaitGroup
	replicas := make([]*replica, 6)
	for n := range replicas {
		replicas[n] = newReplica(t)
		replicas[n].pos.Snapshot = n%2 == 1
		wg.Go(func() {
			sink := newInbox()
			a, err := m.Attach(rigKey, Attach{Device: testDevice(fmt.Sprintf("r%d", n)), User: "reader"}, sink)
			if err != nil {
				t.Error(err)
				return
			}
			defer a.Detach()
			sink.attached(t)
			if n > 3 {
				for a.Head().Seq < 20 { // these begin late
					<-sink.news
				}
			}
			follow(t, a, sink, replicas[n], mutations)
		})
	}
	sink := newInbox()
	a, err := m.Attach(rigKey, Attach{Device: writer.device, User: writer.user}, sink)
	if err != nil {
		t.Fatal(err)
	}
	sink.attached(t)
	for i := range uint64(mutations) {
		p := writer.pushFrom(0, i, i+1)
		p.Bodies = p.Bodies[:1]
		a.Push(p)
		if i%8 == 7 {
			for got := 0; got < 8; {
				for _, body := range sink.take(t) {
					got += len(body.(Verdicts).List)
				}
			}
		}
	}
	wg.Wait()
	a.Detach()
	closeManager(t, m)
	want := showState(foldOf(logOf(t, store, nil)))
	for n, p := range replicas {
		if got := showState(p.records); got != want {
			t.Errorf("reader %d has\n%.300s\nnot\n%.300s", n, got, want)
		}
	}
	// The checkpoint was flushed: opening again folds nothing.
	r := newRig(t, "z", store, Config{Exclusive: true})
	r.settle()
	for _, e := range r.events {
		if e.Kind == EventOpened && e.N != 0 {
			t.Errorf("%d commits had to be folded after a clean close", e.N)
		}
	}
}

// follow reads until a replica has that many records.
func follow(t *testing.T, a *Attachment, sink *inbox, p *replica, records int) {
	for {
		chunk, err := a.Read(t.Context(), ReadRequest{From: p.pos, MaxBytes: 2000})
		if err != nil {
			t.Errorf("read: %v", err)
			return
		}
		p.apply(chunk.Frames)
		p.pos = chunk.To
		if len(p.records) == records && !p.pos.Snapshot && !chunk.More {
			return
		}
		if chunk.More {
			continue
		}
		select {
		case <-sink.news:
		case <-time.After(20 * time.Second):
			t.Errorf("reader stands at %+v with %d records", p.pos, len(p.records))
			return
		}
	}
}

// TestIdleSpaceCloses shows that a space nobody is attached to is checkpointed
// and closed, and opened again when somebody comes.
func TestIdleSpaceCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(Memory)
		opened, closed := 0, 0
		m := NewManager(store, Options{
			Config:    Config{Exclusive: true},
			IdleAfter: time.Minute,
			Hooks:     Hooks{Opened: func(Key) { opened++ }, Closed: func(Key) { closed++ }},
		})
		c := newTestClient("ann")
		c.mutate(0, mustOp("create tasks/1 n=1"))
		sink := newInbox()
		a, err := m.Attach(rigKey, Attach{Device: c.device, User: c.user}, sink)
		if err != nil {
			t.Fatal(err)
		}
		sink.attached(t)
		a.Push(c.pushFrom(0, 1, 1))
		if _, ok := sink.take(t)[0].(Verdicts); !ok {
			t.Fatal("no verdict")
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if opened != 1 || closed != 0 || len(m.Spaces()) != 1 {
			t.Fatalf("with somebody attached: opened %d, closed %d", opened, closed)
		}
		a.Detach()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if closed != 1 || len(m.Spaces()) != 0 {
			t.Fatalf("idle: closed %d, open %v", closed, m.Spaces())
		}
		items, err := store.Get(t.Context(), rigKey, imageKeys)
		if err != nil || items[0].Version != 1 {
			t.Fatalf("not checkpointed: %+v, %v", items, err)
		}
		sink = newInbox()
		if _, err = m.Attach(rigKey, Attach{Device: c.device, User: c.user, Cursor: a.Head()}, sink); err != nil {
			t.Fatal(err)
		}
		if got := sink.attached(t); got.Counter != 1 || got.Mode != protocol.ModeResume {
			t.Fatalf("attached again: %+v", got)
		}
		if err := m.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if lost, ok := sink.take(t)[0].(Lost); !ok || lost.Err.Code != protocol.CodeUnavailable {
			t.Fatal("the sink was not told that the space is lost")
		}
		if _, err := m.Attach(rigKey, Attach{}, newInbox()); err == nil {
			t.Fatal("attached to a closed manager")
		}
	})
}

// deadStore answers nothing.
type deadStore struct{ Memory }

func (*deadStore) Get(ctx context.Context, _ Key, _ []ItemKey) ([]Item, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestDeadStore shows that a device is told when the store cannot be reached, and
// that closing does not wait for it.
func TestDeadStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewManager(new(deadStore), Options{})
		sink := newInbox()
		if _, err := m.Attach(rigKey, Attach{}, sink); err != nil {
			t.Fatal(err)
		}
		if lost, ok := sink.take(t)[0].(Lost); !ok || lost.Err.Code != protocol.CodeUnavailable {
			t.Fatal("not told")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = m.Close(ctx)
	})
}

// TestTwoTenants shows that spaces of the same name are apart.
func TestTwoTenants(t *testing.T) {
	m := NewManager(new(Memory), Options{Config: Config{Exclusive: true}})
	defer closeManager(t, m)
	for n, tenant := range []string{"one", "two"} {
		c := newTestClient("ann")
		c.mutate(0, mustOp("create tasks/1 n=1"))
		sink := newInbox()
		a, err := m.Attach(Key{Tenant: tenant, Space: "board"}, Attach{Device: c.device, User: c.user}, sink)
		if err != nil {
			t.Fatal(err)
		}
		if got := sink.attached(t); got.Known || got.Head.Seq != 0 {
			t.Fatalf("tenant %d: %+v", n, got)
		}
		a.Push(c.pushFrom(0, 1, 1))
		if v, ok := sink.take(t)[0].(Verdicts); !ok || v.List[0].Outcome != protocol.Applied {
			t.Fatalf("tenant %d: %+v", n, v)
		}
		a.Detach()
	}
}
