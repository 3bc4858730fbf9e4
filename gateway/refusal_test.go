package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// failingStore fails appends and reads as long as it is told to.
type failingStore struct {
	space.Store
	err atomic.Pointer[error]

	mu   sync.Mutex
	hold chan error // guarded by mu: what the next append waits for, after it has written
	held chan struct{}
}

func (s *failingStore) fail(err error) {
	if err == nil {
		s.err.Store(nil)
	} else {
		s.err.Store(&err)
	}
}

func (s *failingStore) failure() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

// holdNext has the next append write, and then wait. It returns a channel that is
// closed when it does, and one for what it shall answer.
func (s *failingStore) holdNext() (held chan struct{}, answer chan error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held, s.hold = make(chan struct{}), make(chan error, 1)
	return s.held, s.hold
}

func (s *failingStore) Append(ctx context.Context, key space.Key, seq uint64, data []byte) error {
	if err := s.failure(); err != nil {
		return err
	}
	err := s.Store.Append(ctx, key, seq, data)
	s.mu.Lock()
	held, hold := s.held, s.hold
	s.held, s.hold = nil, nil
	s.mu.Unlock()
	if hold != nil {
		close(held)
		select {
		case err = <-hold:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return err
}

func (s *failingStore) Log(ctx context.Context, key space.Key, from uint64, maxBytes int) ([]space.LogItem, error) {
	if err := s.failure(); err != nil {
		return nil, err
	}
	return s.Store.Log(ctx, key, from, maxBytes)
}

func (s *failingStore) Get(ctx context.Context, key space.Key, keys []space.ItemKey) ([]space.Item, error) {
	if err := s.failure(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key, keys)
}

// startFailing starts a gateway whose pushes are refused as soon as its store has
// failed for a moment.
func startFailing(t *testing.T) (*running, *failingStore) {
	store := &failingStore{Store: new(space.Memory)}
	return start(t, func(cfg *Config) {
		cfg.Store, cfg.Exclusive, cfg.outAfter = store, false, time.Nanosecond
		cfg.tune = func(o *space.Options) {
			o.Config.PollEvery, o.Config.RetryMax = time.Millisecond, 10*time.Millisecond
			o.StoreTimeout = patience
		}
	}), store
}

// cutOff waits until so many spaces are known to be without their store.
func cutOff(t *testing.T, g *running, spaces float64) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%v spaces to be without their store", spaces), func() bool {
		return metric(t, g, "tidegate_cut_off_spaces") == spaces
	})
}

// answerOf waits for the first of the frames that a push can be answered with.
func answerOf(p *peer) protocol.Frame {
	p.t.Helper()
	for {
		frame, err := p.next()
		if err != nil {
			p.t.Fatal(err)
		}
		switch frame.(type) {
		case *protocol.ErrorFrame, *protocol.Verdicts, *protocol.Unsubscribed:
			return frame
		}
	}
}

// TestPushRefused takes the store away under an open space: pushes are refused by
// name and can be repeated, the connection and the subscription stay.
func TestPushRefused(t *testing.T) {
	g, store := startFailing(t)
	p := connect(t, g, token(t, "ada"))
	p.subscribe(1, "board")
	p.verdict(1, p.push(1, 0, create("cards", "a", "n", 1)))

	store.fail(errDown)
	cutOff(t, g, 1)
	counter, hash := p.counter[1], p.hash[1]
	for range 3 {
		p.counter[1], p.hash[1] = counter, hash // nothing was taken
		p.push(1, 1, create("cards", "b", "n", 1))
		refused, is := answerOf(p).(*protocol.ErrorFrame)
		if !is || refused.Handle != 1 || refused.Counter != counter+1 || refused.Code != protocol.CodeUnavailable {
			t.Fatalf("answered %+v", refused)
		}
	}
	if n := metric(t, g, "tidegate_pushes_unavailable_total"); n != 3 {
		t.Errorf("%v refused pushes were counted", n)
	}

	store.fail(nil)
	cutOff(t, g, 0)
	p.counter[1], p.hash[1] = counter, hash
	if v := p.verdict(1, p.push(1, 1, create("cards", "b", "n", 1))); v.Outcome != protocol.Applied || v.Seq != 2 {
		t.Errorf("afterwards: %+v", v)
	}
}

// TestUnknownNotRefused leaves a push of unknown outcome behind when the store goes
// silent: it is not reported as failed, and the device that had pushed more is told
// what became of it when it asks again.
func TestUnknownNotRefused(t *testing.T) {
	g, store := startFailing(t)
	p := connect(t, g, token(t, "ada"))
	p.subscribe(1, "board")
	held, answer := store.holdNext()
	p.push(1, 0, create("cards", "a", "n", 1))
	<-held
	store.fail(errDown)
	cutOff(t, g, 1)
	p.push(1, 0, create("cards", "b", "n", 1))
	ended, is := answerOf(p).(*protocol.Unsubscribed)
	if !is || ended.Handle != 1 || ended.Code != protocol.CodeUnavailable {
		t.Fatalf("the second push was answered with %+v", ended)
	}
	answer <- space.ErrUnknown
	store.fail(nil)
	cutOff(t, g, 0)

	// The append is found in the log; the device is told of it.
	p.counter[2], p.hash[2] = 0, protocol.Hash{}
	for handle := protocol.Handle(2); ; handle++ {
		if s := p.subscribe(handle, "board"); s.Known && s.Counter == 1 {
			p.counter[handle], p.hash[handle] = s.Counter, s.Hash
			if v := p.verdict(handle, p.push(handle, 1, create("cards", "b", "n", 1))); v.Outcome != protocol.Applied || v.Seq != 2 {
				t.Errorf("afterwards: %+v", v)
			}
			return
		}
		p.send(&protocol.Unsubscribe{Handle: handle})
		await[*protocol.Unsubscribed](p)
	}
}

// TestQueueOutlivesOutage shows what an app sees of it: writes are kept, the status
// says why they wait, and all of them drain by themselves.
func TestQueueOutlivesOutage(t *testing.T) {
	g, store := startFailing(t)
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	adas := device(t, g.address, "ada")
	ada := adas.Space("board", client.SpaceOptions{})
	w, err := ada.Collection("cards").Create(ctx, "before", map[string]any{"n": 0})
	applied(t, ctx, w, err)

	store.fail(errDown)
	cutOff(t, g, 1)
	var writes []*client.Write
	for i := range 20 {
		w, err := ada.Collection("cards").Create(ctx, fmt.Sprint("meanwhile ", i), map[string]any{"n": i})
		writes = append(writes, made(t, w, err))
	}
	waitFor(t, "the status to name the error, after some attempts", func() bool {
		var why *protocol.Error
		return metric(t, g, "tidegate_pushes_unavailable_total") > 3 && errors.As(ada.Status().Err, &why) && why.Code == protocol.CodeUnavailable
	})
	if status := ada.Status(); status.Pending != 20 || len(ada.Rejected()) != 0 {
		t.Errorf("%+v, %d rejected", status, len(ada.Rejected()))
	}

	store.fail(nil)
	for _, w := range writes {
		applied(t, ctx, w, nil)
	}
	if stats := adas.Stats(); stats.Connections != 1 {
		t.Errorf("the device had to connect %d times", stats.Connections)
	}
	if status := ada.Status(); status.Err != nil {
		t.Errorf("afterwards: %v", status.Err)
	}
}

// TestThrottledNotRefused shows that a store without capacity slows devices down,
// and fails nothing.
func TestThrottledNotRefused(t *testing.T) {
	g, store := startFailing(t)
	p := connect(t, g, token(t, "ada"))
	p.subscribe(1, "board")
	p.verdict(1, p.push(1, 0, create("cards", "a", "n", 1)))
	failed := func() float64 { return metric(t, g, `tidegate_append_retries_total{reason="failed"}`) }

	store.fail(fmt.Errorf("%w, for the test", space.ErrThrottled))
	var last uint64
	for i := range 10 {
		before := failed()
		last = p.push(1, 1, create("cards", fmt.Sprint("b", i), "n", i))
		waitFor(t, "the store to be asked in vain", func() bool { return failed() > before+2 })
	}
	if n := metric(t, g, "tidegate_cut_off_spaces"); n != 0 {
		t.Errorf("%v spaces are taken for cut off", n)
	}
	store.fail(nil)
	if v := p.verdict(1, last); v.Outcome != protocol.Applied {
		t.Errorf("afterwards: %+v", v)
	}
	if n := metric(t, g, "tidegate_pushes_unavailable_total"); n != 0 {
		t.Errorf("%v pushes were refused", n)
	}
}

// TestOutageEnds shows that a failure which nobody has looked into since is no
// reason to refuse: the next push finds out.
func TestOutageEnds(t *testing.T) {
	o := newOutages(nil, outAfter)
	key := space.Key{Tenant: "t", Space: "s"}
	now := time.Now()
	for _, c := range []struct {
		what string
		of   outage
		want bool
	}{
		{"nothing failed", outage{}, false},
		{"failed just now", outage{since: now, failed: now}, false},
		{"has failed for long", outage{since: now.Add(-outAfter), failed: now}, true},
		{"had failed for long, long ago", outage{since: now.Add(-time.Hour), failed: now.Add(-outFor)}, false},
		{"appends", outage{appending: now}, false},
		{"has appended for long", outage{appending: now.Add(-outAfter)}, true},
	} {
		if got := o.outLocked(&c.of, now); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
	// What is not open, and a reader who has gone away, say nothing.
	o.after = 0
	o.answered(t.Context(), key, now, errDown)
	if o.out(key) || len(o.open) > 0 {
		t.Error("a space that is not open is remembered")
	}
	o.opened(key)
	gone, leave := context.WithCancel(t.Context())
	leave()
	o.answered(gone, key, now, context.Canceled)
	if o.out(key) {
		t.Error("a reader who has gone away counts")
	}
	o.answered(t.Context(), key, now, errDown)
	if !o.out(key) || o.count() != 1 {
		t.Error("a failure does not count")
	}
	o.answered(t.Context(), key, now, space.ErrTaken)
	if o.out(key) {
		t.Error("another gateway's commit is an answer")
	}
	o.closed(key)
	if len(o.open) > 0 {
		t.Error("a closed space is remembered")
	}
}
