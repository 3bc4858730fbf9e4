package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/access"
	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// watchedStore is a store that counts how often its log is read, and can fail or
// be far away.
type watchedStore struct {
	space.Store
	reads atomic.Int64
	down  atomic.Bool
	far   time.Duration // static: how long an append takes
}

var errDown = errors.New("the store is down, for the test")

func (s *watchedStore) Append(ctx context.Context, key space.Key, seq uint64, data []byte) error {
	if s.down.Load() {
		return errDown
	}
	if s.far > 0 {
		time.Sleep(s.far) // the distance is the test
	}
	return s.Store.Append(ctx, key, seq, data)
}

func (s *watchedStore) Log(ctx context.Context, key space.Key, from uint64, maxBytes int) ([]space.LogItem, error) {
	if s.down.Load() {
		return nil, errDown
	}
	s.reads.Add(1)
	return s.Store.Log(ctx, key, from, maxBytes)
}

func (s *watchedStore) Put(ctx context.Context, key space.Key, items []space.Item) error {
	if s.down.Load() {
		return errDown
	}
	return s.Store.Put(ctx, key, items)
}

func (s *watchedStore) Get(ctx context.Context, key space.Key, keys []space.ItemKey) ([]space.Item, error) {
	if s.down.Load() {
		return nil, errDown
	}
	return s.Store.Get(ctx, key, keys)
}

func (s *watchedStore) Scan(ctx context.Context, key space.Key, after space.ItemKey, maxBytes int) ([]space.Item, error) {
	if s.down.Load() {
		return nil, errDown
	}
	return s.Store.Scan(ctx, key, after, maxBytes)
}

// TestStoreDown takes the store away from a gateway that serves: connections
// stay, new subscriptions are told `unavailable`, nothing is reported as failed,
// and when the store is back everything drains by itself.
func TestStoreDown(t *testing.T) {
	store := &watchedStore{Store: new(space.Memory)}
	g := start(t, func(cfg *Config) {
		cfg.Store, cfg.Exclusive = store, false
		cfg.tune = func(o *space.Options) { o.Config.AttachWithin = 200 * time.Millisecond }
	})
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	adas := device(t, g.address, "ada")
	ada := adas.Space("board", client.SpaceOptions{})
	bens := device(t, g.address, "ben")
	ben := bens.Space("board", client.SpaceOptions{})
	w, err := ada.Collection("cards").Create(ctx, "before", map[string]any{"n": 0})
	applied(t, ctx, w, err)
	settle(t, ctx, ada, ben)

	store.down.Store(true)
	var writes []*client.Write
	for i := range 20 {
		w, err := ada.Collection("cards").Create(ctx, fmt.Sprint("meanwhile ", i), map[string]any{"n": i})
		writes = append(writes, made(t, w, err))
	}
	waitFor(t, "the gateway to miss its store", func() bool {
		return metric(t, g, `tidegate_store_calls_total{op="get",result="failed"}`) > 2
	})
	waitFor(t, "the gateway not to be ready", func() bool {
		response, body := get(t, g, "/readyz")
		return response.StatusCode == 503 && strings.Contains(body, "the store cannot be read")
	})
	late := connect(t, g, token(t, "cleo"))
	late.send(&protocol.Subscribe{Handle: 1, Space: "elsewhere", Device: late.device})
	if refused := await[*protocol.Unsubscribed](late); refused.Code != protocol.CodeUnavailable {
		t.Errorf("a new subscription is told %v", refused)
	}

	store.down.Store(false)
	for _, w := range writes {
		applied(t, ctx, w, nil)
	}
	settle(t, ctx, ada, ben)
	// The space asks the store again after a pause; until then it may refuse again.
	for handle, subscribed := protocol.Handle(2), false; !subscribed; handle++ {
		late.send(&protocol.Subscribe{Handle: handle, Space: "elsewhere", Device: late.device})
		for told := false; !told; {
			frame, err := late.next()
			if err != nil {
				t.Fatal(err)
			}
			switch frame := frame.(type) {
			case *protocol.Subscribed:
				subscribed, told = true, true
			case *protocol.Unsubscribed:
				told = true
				if frame.Code != protocol.CodeUnavailable {
					t.Fatalf("a new subscription is told %+v", frame)
				}
			}
		}
	}
	for _, c := range []*client.Client{adas, bens} {
		if stats := c.Stats(); stats.Connections != 1 {
			t.Errorf("a device had to connect %d times", stats.Connections)
		}
	}
	if rejected := ada.Rejected(); len(rejected) > 0 {
		t.Errorf("%d mutations were reported as failed", len(rejected))
	}
	waitFor(t, "the gateway to be ready", func() bool { response, _ := get(t, g, "/readyz"); return response.StatusCode == 200 })
}

// clockedStore tells a time of its own.
type clockedStore struct {
	space.Store
	ahead atomic.Int64
}

func (s *clockedStore) Now(context.Context) (time.Time, error) {
	return time.Now().Add(time.Duration(s.ahead.Load())), nil
}

// TestSkew shows that a gateway whose clock is off its store's is not ready.
func TestSkew(t *testing.T) {
	store := &clockedStore{Store: new(space.Memory)}
	h := newHealth(store, must(access.NewDevelopment(testSecret, nil)))
	for ahead, want := range map[time.Duration]string{
		0: "", 50 * time.Second: "", -50 * time.Second: "",
		2 * time.Minute: "behind the store's", -2 * time.Minute: "ahead of the store's",
	} {
		store.ahead.Store(int64(ahead))
		if got := h.probe(context.Background(), time.Now()); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("with the store %v ahead: %q, want %q", ahead, got, want)
		}
	}
}
