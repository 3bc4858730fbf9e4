package space

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// distantStore is a store some way off: a call is half of that on its way there,
// and half on its way back.
type distantStore struct {
	*Memory
	away time.Duration
}

func away[T any](d *distantStore, call func() (T, error)) (T, error) {
	time.Sleep(d.away / 2)
	defer time.Sleep(d.away / 2)
	return call()
}

func (d *distantStore) Append(ctx context.Context, key Key, seq uint64, data []byte) error {
	_, err := away(d, func() (any, error) { return nil, d.Memory.Append(ctx, key, seq, data) })
	return err
}

func (d *distantStore) Log(ctx context.Context, key Key, from uint64, maxBytes int) ([]LogItem, error) {
	return away(d, func() ([]LogItem, error) { return d.Memory.Log(ctx, key, from, maxBytes) })
}

func (d *distantStore) Put(ctx context.Context, key Key, items []Item) error {
	_, err := away(d, func() (any, error) { return nil, d.Memory.Put(ctx, key, items) })
	return err
}

func (d *distantStore) Get(ctx context.Context, key Key, keys []ItemKey) ([]Item, error) {
	return away(d, func() ([]Item, error) { return d.Memory.Get(ctx, key, keys) })
}

// quickBus brings everything to the other gateway after half a millisecond.
type quickBus struct{ to *Manager }

func (b *quickBus) send(key Key, body protocol.PeerBody) {
	data := protocol.EncodePeer(&protocol.PeerMessage{Tenant: key.Tenant, Space: key.Space, Body: body})
	time.AfterFunc(500*time.Microsecond, func() {
		m, err := protocol.DecodePeer(data)
		if err != nil {
			panic(err)
		}
		switch body := m.Body.(type) {
		case *protocol.PeerCommit:
			b.to.Offer(key, LogItem{body.Seq, body.Data})
		case *protocol.PeerHead:
			b.to.Hint(key, body.Seq)
		case *protocol.PeerPushes:
			b.to.Take(key, body)
		}
	})
}

func (b *quickBus) Committed(key Key, item LogItem) {
	b.send(key, &protocol.PeerCommit{Seq: item.Seq, Data: item.Data})
}
func (b *quickBus) Announce(key Key, seq uint64) { b.send(key, &protocol.PeerHead{Seq: seq}) }
func (b *quickBus) HandOver(key Key, _ string, pushes *protocol.PeerPushes) {
	b.send(key, pushes)
}

// hotDevice pushes the next mutation as soon as the last has its verdict.
type hotDevice struct {
	*testClient
	tells chan ReplyBody
	lag   time.Duration // between device and gateway, one way
	fresh bool          // each mutation is about another record
}

func (d *hotDevice) Tell(body ReplyBody)   { d.tells <- body }
func (d *hotDevice) Moved(protocol.Cursor) {}

// edit runs the device until the end, and returns how long each mutation took from
// its arrival at the gateway to its verdict there, without those of the beginning.
func (d *hotDevice) edit(t *testing.T, m *Manager, begin, end time.Time) (took []time.Duration) {
	at, err := m.Attach(rigKey, Attach{Device: d.device, User: d.user}, d)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer at.Detach()
	if body := <-d.tells; !isAttached(body) {
		t.Errorf("told %s", showReply(body))
		return nil
	}
	mutate := func() {
		switch {
		case d.fresh:
			d.mutate(rigStart, mustOp(fmt.Sprintf("create tasks/%s-%d n=0", d.user, d.counter)))
		case d.counter == 0:
			d.mutate(rigStart, mustOp(fmt.Sprintf("create tasks/%s n=0", d.user)))
		default:
			d.mutate(rigStart, mustOp(fmt.Sprintf("set tasks/%s n=%d", d.user, d.counter)))
		}
	}
	mutate()
	for time.Now().Before(end) {
		time.Sleep(d.lag)
		sent := time.Now()
		at.Push(d.pushFrom(0, d.counter, d.counter))
		v, ok := (<-d.tells).(Verdicts)
		if !ok || v.Replay || v.Counter != d.counter {
			t.Errorf("told %s", showReply(v))
			return nil
		}
		if sent.After(begin) {
			took = append(took, time.Since(sent))
		}
		time.Sleep(d.lag)
		mutate()
	}
	return took
}

func isAttached(body ReplyBody) bool { _, ok := body.(Attached); return ok }

// hotResult is how it went at one gateway.
type hotResult struct {
	perSecond float64
	p50, p99  time.Duration
}

func (r hotResult) String() string {
	return fmt.Sprintf("%5.0f/s, p50 %v, p99 %v", r.perSecond, r.p50.Round(100*time.Microsecond), r.p99.Round(100*time.Microsecond))
}

// hotSpace lets 32 devices push continuously to one space through gateways at these
// distances from the store.
func hotSpace(t *testing.T, bus, handOver, fresh bool, distances ...time.Duration) (results []hotResult) {
	const devices = 32
	synctest.Test(t, func(t *testing.T) {
		store := new(Memory)
		var managers []*Manager
		var buses []*quickBus
		for i, d := range distances {
			b := new(quickBus)
			opt := Options{Config: Config{Gateway: fmt.Sprint("gateway-", i)}, IdleAfter: time.Hour}
			if bus {
				opt.Peers = b
			}
			m := NewManager(&distantStore{store, d}, opt)
			m.SetBus(bus)
			managers, buses = append(managers, m), append(buses, b)
		}
		for i, b := range buses {
			b.to = managers[(i+1)%len(managers)]
		}
		begin := time.Now().Add(time.Second)
		end := begin.Add(2 * time.Second)
		took := make([][]time.Duration, len(managers))
		var mu sync.Mutex
		var editing sync.WaitGroup
		for i := range devices {
			g := i % len(managers)
			d := &hotDevice{newTestClient(fmt.Sprint("d", i)), make(chan ReplyBody, 16), time.Duration(500+i*37%32*120) * time.Microsecond, fresh}
			editing.Go(func() {
				times := d.edit(t, managers[g], begin, end)
				mu.Lock()
				defer mu.Unlock()
				took[g] = append(took[g], times...)
			})
		}
		if !handOver {
			time.Sleep(100 * time.Millisecond) // until the space is open
			for _, m := range managers {
				m.post(rigKey, func(c *Core, _ protocol.Time) { c.over.not = math.MaxInt64 })
			}
		}
		editing.Wait()
		for _, times := range took {
			slices.Sort(times)
			r := hotResult{perSecond: float64(len(times)) / end.Sub(begin).Seconds()}
			if len(times) > 0 {
				r.p50, r.p99 = times[len(times)/2], times[len(times)*99/100]
			}
			results = append(results, r)
		}
		for _, m := range managers {
			if err := m.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}
		commits := logOf(t, store, nil)
		counters := make(map[protocol.DeviceID]uint64)
		for _, c := range commits {
			for i := range c.Mutations {
				id := c.Mutations[i].Author.Device
				if counters[id]++; c.Mutations[i].Counter != counters[id] {
					t.Fatalf("commit %d has counter %d of a device that was at %d", c.Seq, c.Mutations[i].Counter, counters[id]-1)
				}
			}
		}
	})
	return results
}

// TestHotSpaceIsFair: two gateways on one hot space are about as fast as one, and
// the one farther from the store is not starved. The time is virtual, so the
// figures are the same on every machine.
func TestHotSpaceIsFair(t *testing.T) {
	const near, far = 5 * time.Millisecond, 8 * time.Millisecond
	for _, test := range []struct {
		name      string
		fresh     bool
		distances []time.Duration
	}{
		{"5 ms against 8 ms", false, []time.Duration{near, far}},
		{"5 ms against 5 ms", false, []time.Duration{near, near}},
		{"new records, 5 ms against 8 ms", true, []time.Duration{near, far}},
		{"new records, 5 ms against 5 ms", true, []time.Duration{near, near}},
	} {
		t.Run(test.name, func(t *testing.T) {
			alone := hotSpace(t, false, false, test.fresh, near)[0]
			t.Logf("one gateway, %v from the store: %v", near, alone)
			r := hotSpace(t, true, true, test.fresh, test.distances...)
			t.Logf("near: %v", r[0])
			t.Logf("far:  %v", r[1])
			total := r[0].perSecond + r[1].perSecond
			t.Logf("together %.0f/s, %.2f times one gateway", total, total/alone.perSecond)
			if total < 0.8*alone.perSecond {
				t.Errorf("together %.0f/s; one gateway alone does %.0f/s", total, alone.perSecond)
			}
			slow, fast := max(r[0].p99, r[1].p99), min(r[0].p99, r[1].p99)
			if slow > 5*fast {
				t.Errorf("the slower gateway's p99 is %v, the faster's %v", slow, fast)
			}
		})
	}
	t.Run("without", func(t *testing.T) {
		r := hotSpace(t, true, false, false, near, far)
		t.Logf("a bus, and nothing handed over: near %v; far %v", r[0], r[1])
		if r[1].perSecond > r[0].perSecond/10 {
			t.Error("the far gateway is not starved: the distance makes no difference here, and the test proves nothing")
		}
		r = hotSpace(t, false, false, false, near, far)
		t.Logf("no bus: near %v; far %v", r[0], r[1])
	})
}
