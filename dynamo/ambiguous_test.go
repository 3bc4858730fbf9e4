package dynamo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/engine"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// TestAmbiguous has two gateways write the same spaces while their appends meet
// every fault, until many were of unknown outcome: nothing is lost, nothing is
// done twice, and no mutation is said to have failed that did not.
// TIDEGATE_AMBIGUOUS says how many (100).
func TestAmbiguous(t *testing.T) {
	want := 100
	if text := os.Getenv("TIDEGATE_AMBIGUOUS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("TIDEGATE_AMBIGUOUS: %v", err)
		}
		want = n
	}
	e := engine.Need(t, engine.Dynoxide)
	plain := newTable(t, e)
	a := &ambiguous{want: int64(want)}
	var managers []*space.Manager
	for n := range 2 {
		config, faults := withFaults(t, plain, harm(uint64(n), &a.over))
		faults.SlowBy = 30 * time.Millisecond
		store := mustOpen(t, config)
		managers = append(managers, space.NewManager(store, space.Options{
			Config: space.Config{
				Gateway: fmt.Sprint("gateway ", n), PollEvery: 200 * time.Millisecond, RetryMin: time.Millisecond, RetryMax: 50 * time.Millisecond,
				CheckpointEvery: 200 * time.Millisecond,
			},
			StoreTimeout: 500 * time.Millisecond,
			Hooks: space.Hooks{Event: func(_ space.Key, event space.Event) {
				switch event.Kind {
				case space.EventUnknown:
					a.unknown.Add(1)
				case space.EventDamaged:
					t.Errorf("damaged: %v", event.Err)
				}
			}},
		}))
	}
	spaces := 12
	if want > 10_000 {
		spaces = 48 // most of the time is spent waiting
	}
	var wg sync.WaitGroup
	devices := make(map[space.Key][]*device)
	for n := range spaces {
		key := space.Key{Tenant: "acme", Space: fmt.Sprint(n)}
		for m := range 2 * len(managers) {
			d := newDevice(n, m)
			devices[key] = append(devices[key], d)
			wg.Go(func() {
				for !a.enough() || d.acked < d.counter {
					if t.Failed() || t.Context().Err() != nil {
						return
					}
					d.work(t, managers[m%len(managers)], key, a)
				}
			})
		}
	}
	wg.Wait()
	a.over.Store(true)
	for _, m := range managers {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := m.Close(ctx); err != nil {
			t.Error(err)
		}
		cancel()
	}
	commits, mutations := 0, 0
	s := openStore(t, plain)
	for key, in := range devices {
		c, m := checkCommitted(t, s, key, in)
		commits, mutations = commits+c, mutations+m
	}
	t.Logf("%d appends of unknown outcome; %d commits, %d mutations, each of them once", a.unknown.Load(), commits, mutations)
}

// ambiguous is the state of one run.
type ambiguous struct {
	want    int64
	unknown atomic.Int64
	over    atomic.Bool
}

func (a *ambiguous) enough() bool { return a.unknown.Load() >= a.want }

// harm makes most appends doubtful, and a few of all other requests fail.
func harm(seed uint64, over *atomic.Bool) func(string) engine.Fault {
	random := rand.New(rand.NewPCG(seed, 1))
	doubtful := []engine.Fault{
		engine.LostReply, engine.LostReply, engine.LostReply, engine.InternalErrorAfter, engine.Garbled, engine.LateWrite,
		engine.LostRequest, engine.InternalError, engine.Unavailable,
	}
	every := engine.Randomly(seed, 50, engine.Every()...)
	return func(action string) engine.Fault {
		switch {
		case over.Load():
			return engine.None
		case action == "PutItem" && random.IntN(3) > 0:
			return doubtful[random.IntN(len(doubtful))]
		}
		if fault := every(action); fault != engine.LateWrite {
			return fault
		}
		return engine.None
	}
}

// device makes one mutation after the other.
type device struct {
	id      protocol.DeviceID
	name    string
	counter uint64
	acked   uint64
	hashes  []protocol.Hash
	bodies  [][]byte
}

func newDevice(space, n int) *device {
	d := &device{name: fmt.Sprintf("device %d of space %d", n, space), hashes: make([]protocol.Hash, 1)}
	copy(d.id[:], d.name)
	return d
}

// mutate makes the device's record, or changes it.
func (d *device) mutate() {
	d.counter++
	op := protocol.Op{
		Kind: protocol.OpSet, Collection: "tasks", ID: d.name,
		Fields: []protocol.FieldValue{{Field: "n", Value: protocol.IntValue(int64(d.counter))}},
	}
	if d.counter == 1 {
		op.Kind = protocol.OpCreate
	}
	body := protocol.AppendMutation(nil, &protocol.Mutation{Ops: []protocol.Op{op}})
	d.bodies = append(d.bodies, body)
	d.hashes = append(d.hashes, d.hashes[d.counter-1].Next(body))
}

// work attaches and pushes, until it is parted or there is nothing more to do.
func (d *device) work(t *testing.T, m *space.Manager, key space.Key, a *ambiguous) {
	told := make(sink, 64)
	at, err := m.Attach(key, space.Attach{Device: d.id, User: d.name}, told)
	if err != nil {
		t.Error(err)
		return
	}
	defer at.Detach()
	attached, ok := (<-told).(space.Attached)
	if !ok {
		return // the store was not to be reached in time
	}
	if attached.Counter < d.acked || attached.Counter > d.counter {
		t.Errorf("%s is said to be at %d, was told %d, and made %d", d.name, attached.Counter, d.acked, d.counter)
		return
	}
	d.acked = attached.Counter
	for id := uint64(1); ; id++ {
		if d.acked == d.counter {
			if a.enough() {
				return
			}
			for range 1 + id%3 {
				d.mutate()
			}
		}
		at.Push(space.Push{ID: id, First: d.acked + 1, Previous: d.hashes[d.acked], Bodies: d.bodies[d.acked:]})
		for d.acked < d.counter {
			v, ok := (<-told).(space.Verdicts)
			if !ok {
				return // parted: what was pushed may or may not have been committed
			}
			for _, verdict := range v.List {
				if verdict.Outcome != protocol.Applied {
					t.Errorf("%s: mutation %d is said to be %v: %s", d.name, verdict.Counter, verdict.Outcome, verdict.Message)
				}
			}
			if v.Hash != d.hashes[v.Counter] {
				t.Errorf("%s is said to be elsewhere at %d", d.name, v.Counter)
			}
			d.acked = v.Counter
		}
	}
}

// sink passes on what a space tells.
type sink chan space.ReplyBody

func (s sink) Tell(body space.ReplyBody) {
	if attached, ok := body.(space.Verdicts); !ok || len(attached.List) > 0 || attached.Replay {
		s <- body
	}
}

func (sink) Moved(protocol.Cursor) {}

// checkCommitted demands that the log holds exactly what the devices made, once
// and in order.
func checkCommitted(t *testing.T, s *Store, key space.Key, devices []*device) (commits, mutations int) {
	counters := make(map[protocol.DeviceID]uint64)
	names := protocol.NewNameTable()
	for from := uint64(1); ; {
		entries, err := s.Log(t.Context(), key, from, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		for _, entry := range entries {
			c, err := protocol.DecodeCommit(entry.Data, names)
			if err != nil || entry.Seq != from {
				t.Fatalf("commit %d, want %d: %v", entry.Seq, from, err)
			}
			for _, m := range c.Mutations {
				counters[m.Author.Device]++
				if m.Counter != counters[m.Author.Device] {
					t.Fatalf("commit %d has mutation %d of %q, expected was %d", entry.Seq, m.Counter, m.Author.User, counters[m.Author.Device])
				}
				mutations++
			}
			from++
			commits++
		}
	}
	for _, d := range devices {
		if counters[d.id] != d.acked {
			t.Errorf("%s was told that %d were committed, the log has %d", d.name, d.acked, counters[d.id])
		}
	}
	return commits, mutations
}
