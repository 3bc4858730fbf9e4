package sim

import (
	"context"
	"fmt"
	"io"
	"maps"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/internal/tape"
	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/session"
	"github.com/tidegate/tidegate/space"
)

// world is everything that a run consists of.
type world struct {
	*schedule
	plan       plan
	transcript *transcript
	schema     *merge.Schema
	store      *space.Memory
	gateways   []*gateway
	devices    []*device
	spaceNames []string
	edits      []*edit
	marks      int
	check      *checker
	tape       *tape.Tape // of the devices' cores; nil if nobody wants it
}

// Result is what a run came to.
type Result struct {
	Seed uint64
	// Failures are the promises that were broken, in words; none is a success.
	Failures []string
	// Hash of the transcript: the same seed gives the same.
	Hash uint64
	// What happened, for the report.
	Commits, Mutations, Steps int
	// Covered counts what the faults brought about: races, unknown appends, replays,
	// clones, snapshots, trims….
	Covered map[string]int
}

// Run runs the seed. The transcript goes to out, if there is one.
func Run(seed uint64, bug Bug, out io.Writer) Result { return run(seed, bug, out, nil) }

// run is Run, with a tape of what the devices' cores are given and answer, if
// there is one.
func run(seed uint64, bug Bug, out io.Writer, tape *tape.Tape) Result {
	s := newSchedule(seed)
	w := &world{schedule: s, plan: draw(s), schema: schema(), tape: tape}
	w.plan.Bug = bug
	w.transcript = &transcript{now: func() protocol.Time { return s.now }, begun: s.now, out: out}
	w.store = new(space.Memory)
	w.check = newChecker(w)
	w.transcript.say("seed", "%d: %+v", seed, w.plan)

	for i := range w.plan.Spaces {
		w.spaceNames = append(w.spaceNames, fmt.Sprintf("space-%d", i))
	}
	for i := range w.plan.Gateways {
		g := &gateway{w: w, name: fmt.Sprintf("gateway-%d", i), slow: 1 + 4*w.random.Float64()}
		if w.plan.Hot {
			g.slow = 1 + 4*float64(i%2)
		}
		g.skew = w.between(-w.plan.Gateway.Skew, w.plan.Gateway.Skew)
		w.gateways = append(w.gateways, g)
		g.start()
	}
	for i := range w.plan.Devices {
		// Users a…: two devices of one user are likely. Every seventh is of another
		// tenant, with spaces of the same names.
		user := fmt.Sprintf("%c-user-%d", "aaaaaab"[w.below(7)], w.below(3))
		w.addDevice(fmt.Sprintf("device-%d", i), user, &disk{entries: map[string][]byte{}})
	}
	w.plotFaults()
	w.plotBus()
	w.plotEdits()
	w.run(w.now + w.plan.Active)
	w.heal()
	w.check.finish()
	return w.check.result(seed)
}

func (w *world) addDevice(name, user string, k *disk) *device {
	d := &device{w: w, name: name, user: user, disk: k, snapshots: map[string]bool{}}
	d.skew = w.between(-w.plan.Device.Skew, w.plan.Device.Skew)
	w.devices = append(w.devices, d)
	d.start()
	return d
}

// clone copies a device's disk to another device.
func (w *world) clone(d *device) *device {
	name := fmt.Sprintf("clone-%d", w.check.counts["clone"])
	w.transcript.say(d.name, "is copied to %s", name)
	w.check.covered("clone")
	c := w.addDevice(name, d.user, d.disk.copy())
	c.snapshots = maps.Clone(d.snapshots)
	return c
}

// plotFaults schedules what will go wrong at a certain time.
func (w *world) plotFaults() {
	some := func() protocol.Time { return w.between(0, w.plan.Active) }
	anyDevice := func() *device { return w.devices[w.below(len(w.devices))] }
	anyGateway := func() *gateway { return w.gateways[w.below(len(w.gateways))] }
	restart := func(g *gateway) {
		w.after(w.between(10, 20_000), func() {
			if !g.up {
				g.start()
			}
		})
	}
	for range w.plan.Network.Partitions {
		w.after(some(), func() {
			d := anyDevice()
			d.partitionedUntil = w.now + w.between(1, 40_000)
			w.transcript.say(d.name, "is partitioned for %d ms", d.partitionedUntil-w.now)
			if d.wire != nil {
				d.wire.cut("partitioned")
			}
		})
	}
	for range w.plan.Gateway.Crashes {
		w.after(some(), func() { g := anyGateway(); g.crash(); restart(g) })
	}
	for range w.plan.Gateway.Drains {
		w.after(some(), func() {
			g := anyGateway()
			g.drain()
			w.after(11*second, func() { restart(g) })
		})
	}
	for range w.plan.Gateway.Pauses {
		w.after(some(), func() {
			g := anyGateway()
			pause := w.between(100, 60_000)
			if w.plan.Expire && w.chance(0.7) {
				pause = w.between(hour, 5*hour) // longer than a head may be trusted
			}
			g.pause(pause)
		})
	}
	for range w.plan.Device.Crashes {
		w.after(some(), func() {
			d := anyDevice()
			d.crash()
			w.after(w.between(10, 30_000), func() {
				if !d.up {
					d.start()
				}
			})
		})
	}
	for range w.plan.Device.Clones {
		w.after(some(), func() { w.plotEditsOf(w.clone(anyDevice())) })
	}
	for range w.plan.Device.Restores {
		var backup *disk
		var of *device
		at := some()
		w.after(at, func() {
			of = anyDevice()
			backup = of.disk.copy()
		})
		w.after(at+w.between(1, w.plan.Active), func() {
			if backup == nil || !of.up {
				return
			}
			w.transcript.say(of.name, "is set back to its backup")
			w.check.covered("restore of a device")
			of.stop()
			of.disk = backup
			of.forgot()
			w.check.restored(of)
			of.start()
		})
	}
	if w.plan.RestoreTable {
		var backup *space.MemoryState
		at := some()
		w.after(at, func() { backup = w.store.Snapshot() })
		w.after(at+w.between(1, w.plan.Active-at), func() {
			w.transcript.say("operator", "stops all gateways and puts the table back")
			w.check.covered("restore of the table")
			for _, g := range w.gateways {
				g.crash()
			}
			// What was still on its way to the old table never reaches the new one.
			w.store = new(space.Memory)
			w.store.Restore(backup)
			w.check.tableRestored()
			for _, g := range w.gateways {
				w.after(w.between(10, 5000), func() {
					if !g.up {
						g.start()
					}
				})
			}
		})
	}
}

// heal ends all faults and lets the system come to rest.
func (w *world) heal() {
	w.transcript.say("world", "heals")
	w.plan.Store = storeFaults{}
	w.plan.Network = networkFaults{}
	w.plan.BusFaults = busFaults{}
	for _, g := range w.gateways {
		g.resume()
		g.deaf = deaf{}
		g.tellBus()
		if !g.up {
			g.start()
		}
	}
	for _, d := range w.devices {
		d.partitionedUntil = 0
		if d.wire != nil {
			d.wire.slow = false
		}
		if !d.up {
			d.start()
		}
	}
	end := w.now + w.plan.Heal
	for w.now < end && !w.check.atRest() {
		w.run(w.now + 5*second)
	}
}

func (w *world) ringBytes() int {
	if w.plan.SmallCache {
		return 2 << 10
	}
	return 64 << 10
}

func (w *world) spaceConfig(g *gateway) space.Config {
	c := space.Config{
		Gateway: g.name,
		Schema:  w.schema,
		NewCommitID: func() protocol.CommitID {
			var id protocol.CommitID
			w.bytes(id[:])
			return id
		},
		Exclusive:      len(w.gateways) == 1,
		WatermarkEvery: 5,
		Expire:         w.plan.Expire,
		Faults:         w.plan.Bug.Space,
	}
	if w.plan.SmallCache {
		c.CacheBytes = 1 << 10
	}
	if w.plan.Expire {
		c.PollEvery = 20_000_000_000  // 20 s: the run lasts for hours
		c.PollQuiet = 300_000_000_000 // 5 min
		c.Limits.Horizon = 1          // the least that is allowed
	}
	return c
}

func (w *world) sessionConfig() session.Config {
	c := session.Config{Name: "sim", Limits: protocol.DefaultLimits(), ChunkBytes: 1 << 10, Faults: w.plan.Bug.Session}
	if w.plan.Expire {
		c.Limits.PingEvery = 600_000_000_000 // 10 min
	}
	return c
}

func (w *world) clientConfig() client.Config {
	return client.Config{Window: 4 << 10, Client: "sim", Faults: w.plan.Bug.Client}
}

// blob reads an overwritten value from the store.
func (w *world) blob(key space.Key, id protocol.BlobID) protocol.Value {
	items, err := w.store.Get(context.Background(), key, []space.ItemKey{{Kind: space.ItemBlob, A: string(id[:])}})
	if err != nil || len(items) == 0 || items[0].Version == 0 {
		return protocol.Value{}
	}
	v, err := protocol.DecodeValue(items[0].Meta)
	if err != nil {
		return protocol.Value{}
	}
	return v
}

// head is the newest seq that the store has.
func (w *world) head(key space.Key) uint64 {
	var head uint64
	for {
		items, err := w.store.Log(context.Background(), key, head+1, 1<<20)
		if err != nil || len(items) == 0 {
			return head
		}
		head = items[len(items)-1].Seq
	}
}
