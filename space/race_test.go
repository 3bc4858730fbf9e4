package space

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

var (
	raceSeeds = flag.Int("race.seeds", 100, "how many seeds TestRacingCores tries")
	raceSeed  = flag.Uint64("race.seed", 0, "the only seed to try")
)

// world is several cores on one store, with devices that move between them, a
// network that loses, delays, doubles and reorders, and crashes.
type world struct {
	t       testing.TB
	rnd     *rand.Rand
	store   *Memory
	rigs    []*rig
	flights []*flight
	devices []*worldDevice
	now     protocol.Time
	quiet   bool // nothing goes wrong any more

	// The whole log as it was ever written, trimmed or not.
	history  []*protocol.Commit
	names    *protocol.NameTable
	sessions SessionID
	paused   map[*rig]int   // for how many steps a gateway stands still
	retired  []*worldDevice // ids that were given up, because the space had forgotten them
	problem  error
	trace    bool
}

// flight is a request or a response on its way.
type flight struct {
	at   protocol.Time
	rig  *rig
	core *Core // the answer is void if the rig has restarted since
	req  Request
	resp *Response // nil: the request has yet to reach the store
}

func (w *world) fail(format string, args ...any) {
	if w.problem == nil {
		w.problem = fmt.Errorf(format, args...)
	}
}

func (w *world) chance(n int) bool { return w.rnd.IntN(n) == 0 }

func newWorld(t testing.TB, seed uint64, gateways, devices int, cfg Config) *world {
	w := &world{
		t: t, rnd: rand.New(rand.NewPCG(seed, 7)), store: new(Memory), now: rigStart,
		names: protocol.NewNameTable(), paused: make(map[*rig]int),
	}
	for i := range gateways {
		w.rigs = append(w.rigs, newRig(t, string(rune('a'+i)), w.store, cfg))
	}
	for i := range devices {
		c := newTestClient(fmt.Sprintf("d%d", i))
		w.devices = append(w.devices, &worldDevice{testClient: c, w: w, verdicts: make(map[uint64]protocol.Verdict), replica: newReplica(t)})
	}
	return w
}

// step lets something happen.
func (w *world) step() {
	w.now += protocol.Time(w.rnd.IntN(40))
	switch {
	case w.quiet:
	case w.chance(200):
		r := w.rigs[w.rnd.IntN(len(w.rigs))]
		w.paused[r] = 0
		if w.trace {
			w.t.Logf("%d crash %s", w.now, r.name)
		}
		r.now = w.now
		r.restart()
		for _, d := range w.devices {
			if d.rig == r {
				d.lost()
			}
		}
	case w.chance(300):
		// Nothing travels for hours: what is on its way arrives first.
		for range 3 {
			for _, f := range w.flights {
				f.at = w.now
			}
			w.deliver()
		}
		w.flights = slices.DeleteFunc(w.flights, func(f *flight) bool { return f.core == nil && f.resp == nil })
		w.now += protocol.Time(w.rnd.IntN(int(4 * time.Hour / time.Millisecond)))
	}
	for _, r := range w.rigs {
		if w.paused[r] > 0 {
			w.paused[r]--
			continue
		}
		if !w.quiet && w.chance(800) {
			w.paused[r] = w.rnd.IntN(800) // hours, if the clock leaps meanwhile
		}
		r.now = w.now
		if w.quiet || !w.chance(10) {
			r.core.Tick(w.now)
		}
		r.take()
		w.launch(r)
	}
	w.deliver()
	for _, d := range w.devices {
		d.act()
	}
}

// launch puts a rig's requests on their way.
func (w *world) launch(r *rig) {
	for _, req := range r.requests {
		w.flights = append(w.flights, &flight{at: w.later(), rig: r, core: r.core, req: req})
	}
	r.requests = nil
}

func (w *world) later() protocol.Time {
	if !w.quiet && w.chance(40) {
		return w.now + protocol.Time(w.rnd.IntN(8000)) // beyond the timeout
	}
	return w.now + protocol.Time(w.rnd.IntN(60))
}

var errWorld = errors.New("the network says no")

func (w *world) deliver() {
	var due []*flight
	w.flights = slices.DeleteFunc(w.flights, func(f *flight) bool {
		ready := f.at <= w.now && (f.resp == nil || w.paused[f.rig] == 0)
		if ready {
			due = append(due, f)
		}
		return ready
	})
	w.rnd.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
	for _, f := range due {
		if f.resp != nil {
			if f.core == f.rig.core {
				f.rig.respond(f.req, *f.resp)
				w.launch(f.rig)
			}
			continue
		}
		resp := w.request(f)
		if resp == nil {
			continue // lost
		}
		w.flights = append(w.flights, &flight{at: w.later(), rig: f.rig, core: f.core, req: f.req, resp: resp})
		if !w.quiet && w.chance(10) {
			w.flights = append(w.flights, &flight{at: w.later(), rig: f.rig, core: f.core, req: f.req, resp: resp})
		}
	}
}

// request lets a request reach the store, or not.
func (w *world) request(f *flight) *Response {
	if f.core != nil && w.now > f.req.NotAfter {
		return &Response{Err: errTooLate}
	}
	if !w.quiet {
		switch w.rnd.IntN(30) {
		case 0:
			return nil // lost on the way there
		case 1:
			return &Response{Err: errWorld}
		case 2:
			if _, ok := f.req.Op.(AppendOp); ok {
				// It may yet arrive, long after the answer.
				w.flights = append(w.flights, &flight{at: w.now + protocol.Time(w.rnd.IntN(20_000)), rig: f.rig, core: nil, req: f.req})
				return &Response{Err: ErrUnknown}
			}
		case 3:
			w.call(f)
			return nil // lost on the way back
		case 4:
			if _, ok := f.req.Op.(AppendOp); ok {
				w.call(f)
				return &Response{Err: fmt.Errorf("who knows: %w", ErrUnknown)}
			}
		}
	}
	resp := w.call(f)
	return &resp
}

// call makes the call and keeps the history.
func (w *world) call(f *flight) Response {
	resp := f.rig.perform(f.req.Op)
	if op, ok := f.req.Op.(AppendOp); ok && resp.Err == nil {
		if op.Seq != uint64(len(w.history))+1 {
			w.fail("%s appended %d, but the log ends at %d", f.rig.name, op.Seq, len(w.history))
			return resp
		}
		c, err := protocol.DecodeCommit(op.Data, w.names)
		if err != nil {
			w.fail("commit %d: %v", op.Seq, err)
			return resp
		}
		w.history = append(w.history, c)
	}
	return resp
}

// done is true once every device has everything.
func (w *world) done() bool {
	for _, d := range w.devices {
		if d.acked < d.counter || d.replica.pos.Snapshot || d.replica.pos.Cursor.Seq < uint64(len(w.history)) {
			return false
		}
	}
	return true
}

// judge checks the whole history.
func (w *world) judge() {
	counters := make(map[protocol.DeviceID]uint64)
	for i, c := range w.history {
		if c.Seq != uint64(i)+1 {
			w.fail("commit %d stands at %d", c.Seq, i+1)
		}
		if i > 0 && c.Time < w.history[i-1].Time {
			w.fail("commit %d is older than the one before", c.Seq)
		}
		for _, m := range c.Mutations {
			counters[m.Author.Device]++
			if m.Counter != counters[m.Author.Device] {
				w.fail("commit %d has mutation %d of %s, expected was %d", c.Seq, m.Counter, m.Author.User, counters[m.Author.Device])
				return
			}
			if m.EditTime > c.Time {
				w.fail("commit %d has an edit time in the future", c.Seq)
			}
		}
	}
	for _, d := range w.devices {
		if counters[d.device] != d.counter {
			w.fail("%s made %d mutations, the log has %d", d.user, d.counter, counters[d.device])
		}
	}
	all := append(slices.Clone(w.devices), w.retired...)
	for _, c := range w.history {
		for _, m := range c.Mutations {
			i := slices.IndexFunc(all, func(d *worldDevice) bool { return d.device == m.Author.Device })
			d := all[i]
			if !bytes.Equal(m.Body, d.bodies[m.Counter-1]) || m.Hash != d.hashes[m.Counter] {
				w.fail("mutation %d of %s is not what it made", m.Counter, d.user)
			}
			v, told := d.verdicts[m.Counter]
			if told && (v.Outcome != m.Verdict.Outcome || v.Seq != c.Seq) {
				w.fail("%s %d was told %+v, the log says %+v", d.user, m.Counter, v, m.Verdict)
			}
			if !told && m.Verdict.Outcome == protocol.Rejected && m.Counter <= d.acked {
				w.fail("%s was never told that %d was rejected", d.user, m.Counter)
			}
		}
	}
}

// run plays a seed: some steps of trouble, then quiet until all is well.
func (w *world) run(steps int) error {
	for i := 0; i < steps && w.problem == nil; i++ {
		w.step()
	}
	w.quiet = true
	clear(w.paused)
	for i := 0; i < 5000 && w.problem == nil && !w.done(); i++ {
		w.step()
	}
	if w.problem == nil && !w.done() {
		for _, d := range w.devices {
			w.fail("no end: %s acked %d of %d, pushed %d, attached %v, at %+v of %d",
				d.user, d.acked, d.counter, d.pushed, d.attached, d.replica.pos, len(w.history))
		}
	}
	if w.problem == nil {
		for _, d := range w.devices {
			d.check()
		}
		w.judge()
	}
	for _, r := range w.rigs {
		if err := r.core.Damaged(); err != nil {
			w.fail("%s is damaged: %v", r.name, err)
		}
	}
	return w.problem
}

func raceConfig() Config {
	return Config{
		PollEvery:       300 * time.Millisecond,
		CacheBytes:      6 << 10,
		CheckpointEvery: 200 * time.Millisecond,
		WatermarkEvery:  8,
		StallAfter:      3 * time.Second,
		RequestTimeout:  2 * time.Second,
		RetryMin:        10 * time.Millisecond,
		RetryMax:        200 * time.Millisecond,
		Expire:          true,
		Limits:          protocol.Limits{Horizon: 2 * time.Hour},
	}
}

func TestRacingCores(t *testing.T) {
	seeds := uint64(*raceSeeds)
	if testing.Short() {
		seeds = 20
	}
	var commits, races, unknown, holes, trimmed, evicted, replays int
	for seed := uint64(1); seed <= seeds; seed++ {
		if *raceSeed != 0 && seed != *raceSeed {
			continue
		}
		w := newWorld(t, seed, 1+int(seed%3), 4, raceConfig())
		w.trace = *raceSeed != 0
		if err := w.run(1500); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		commits += len(w.history)
		for _, r := range w.rigs {
			races += r.count(EventRace)
			unknown += r.count(EventUnknown)
			holes += r.count(EventHole)
			trimmed += r.count(EventTrimmed)
			evicted += r.count(EventEvicted)
			replays += r.count(EventReplay)
		}
	}
	t.Logf("%d commits, %d races, %d unknown, %d holes, %d trimmed, %d evictions, %d replays",
		commits, races, unknown, holes, trimmed, evicted, replays)
	for name, n := range map[string]int{"race": races, "unknown outcome": unknown, "trimming": trimmed, "eviction": evicted, "replay": replays} {
		if n == 0 && *raceSeed == 0 {
			t.Errorf("no %s happened: the test proves less than it says", name)
		}
	}
}
