package client

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

var (
	seeds = flag.Int("seeds", 300, "how many random histories to run")
	first = flag.Uint64("first", 0, "the first seed")
)

// chaos runs a random history of a few devices against one gateway: edits,
// single messages and disk writes in any order, broken connections, crashes that
// lose what was not written, copied stores, trimming. Afterwards everything
// heals. It returns what was wrong.
func chaos(t testing.TB, seed uint64, faults Faults) (wrong []string) {
	note := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	type abandoned struct{}
	defer func() {
		if r := recover(); r != nil && r != (abandoned{}) {
			panic(r)
		}
	}()
	random := rand.New(rand.NewPCG(seed, 1))
	g := newModel()
	g.schema = testSchema(t)
	g.window, g.mutations = 400+uint64(random.IntN(2000)), 1+uint64(random.IntN(8))
	g.ackNow = random.IntN(2) == 0
	var devices []*testDevice
	addDevice := func(from *testDevice) {
		n := uint64(len(devices) + 1)
		d := newDevice(t, g, seed<<8+n, func(d *testDevice) {
			d.faults = faults
			d.fail = func(format string, args ...any) {
				note(format, args...)
				panic(abandoned{})
			}
			if from != nil {
				for key, value := range from.disk {
					d.disk[key] = value
				}
				d.now = from.now
			}
		})
		devices = append(devices, d)
	}
	addDevice(nil)
	addDevice(nil)
	devices[0].mutate(create("all", "votes", 0, "title", "-"))
	settle(devices...)

	// Every edit adds one vote and a tag of its own: a doubled edit makes more votes
	// than tags, a lost one fewer tags than promised.
	type promise struct {
		device *testDevice
		ref    uint64
		tag    string
		local  bool
		counts bool // it votes
	}
	var promises []*promise
	forget := func(d *testDevice) { // a crash ends the run in which the refs mean something
		for _, p := range promises {
			if p.device == d {
				p.local = p.local || d.local[p.ref]
				p.device = nil
			}
		}
	}
	trims := random.IntN(3) == 0
	copies := random.IntN(3) == 0
	// What a user has seen of an edit stays to be seen, once: from the edit on,
	// through verdict and commit.
	visible := func(d *testDevice) {
		view := d.core.Get(testSpace, Key{Collection: "cards", ID: "all"})
		if view == nil {
			return
		}
		tags := map[string]bool{}
		for _, e := range view.Elements("tags") {
			name, _ := e.Value.Text()
			tags[name] = true
		}
		if votes, _ := view.Get("votes").(int64); int(votes) != len(tags) {
			note("%d votes in the view for %d edits at %+v: %+v", votes, len(tags), d.core.SpaceStatus(testSpace).Cursor.Seq, queueOf(d))
		}
		for _, p := range promises {
			if p.device == d && p.counts && d.settled[p.ref].Outcome != protocol.Rejected && !tags[p.tag] {
				note("the edit %s has vanished from the view", p.tag)
			}
		}
	}
	for step := range 400 {
		d := devices[random.IntN(len(devices))]
		switch n := random.IntN(100); {
		case n < 12:
			name := fmt.Sprintf("t%d", step)
			ops := []protocol.Op{add("all", "votes", 1), tag("all", "tags", name)}
			if random.IntN(3) == 0 {
				ops = append(ops, set("all", "title", name))
			}
			if random.IntN(8) == 0 {
				ops = []protocol.Op{set("missing", "title", name)} // will be rejected
			}
			seen, last := d.core.SpaceStatus(testSpace).Cursor.Seq, uint64(0)
			for _, p := range d.core.Pending(testSpace) {
				last = max(last, p.Mutation.Base)
			}
			promises = append(promises, &promise{device: d, ref: d.mutate(ops...), tag: name, counts: len(ops) > 1})
			pending := d.core.Pending(testSpace)
			if base := pending[len(pending)-1].Mutation.Base; base > max(seen, last) && len(pending) > 1 {
				note("the edit %s has base %d, its author had seen %d", name, base, max(seen, last))
			}
		case n < 35:
			d.write()
		case n < 60:
			d.sendOne()
		case n < 85:
			if d.receiveOne() {
				visible(d)
			}
		case n < 90:
			d.connect()
		case n < 93:
			d.wait(protocol.Time(random.IntN(2000)))
		case n < 95:
			d.cut()
		case n < 97:
			forget(d)
			d.crash()
		case n < 98 && d.conn != nil:
			d.conn.dropCommit()
		case n < 99 && copies && len(devices) < 4 && d.batch == nil && d.pending() == 0:
			addDevice(d)
		case trims && random.IntN(4) == 0:
			g.trim()
		case trims && random.IntN(3) == 0:
			g.horizon = g.head().Seq // devices are remembered
		}
	}
	for _, d := range devices {
		// Once more through a restart or a reconnect, with every fate of what is under
		// way.
		if random.IntN(2) == 0 {
			forget(d)
			d.crash()
		}
		d.cut()
	}
	settle(devices...)
	kept := map[string]bool{}
	for i, d := range devices {
		if d.core.StateHash(testSpace) != g.hash() {
			note("device %d: diverged at %d of %d", i, d.core.SpaceStatus(testSpace).Cursor.Seq, g.head().Seq)
		}
		if n := d.pending(); n != 0 {
			note("device %d: %d mutations are stuck: %+v %v", i, n, d.core.SpaceStatus(testSpace), d.core.Status().LastError)
		}
		if d.badAck {
			note("device %d: acknowledged what was not durable", i)
		}
		view, confirmed := d.core.View(testSpace), d.core.Confirmed(testSpace)
		if fmt.Sprint(view) != fmt.Sprint(confirmed) {
			note("device %d: the view differs from the confirmed state:\n%v\n%v", i, view, confirmed)
		}
		listed := map[string]bool{}
		for _, r := range d.core.Rejected(testSpace) {
			if id := fmt.Sprint(r.Device, r.Counter, r.Mutation); listed[id] {
				note("device %d: the rejected mutation %s is in the list twice", i, id)
			} else {
				listed[id] = true
			}
			for _, op := range r.Mutation.Ops {
				if op.Kind == protocol.OpSetAdd {
					name, _ := op.Value.Text()
					kept[name] = true
				}
				if op.ID == "missing" {
					name, _ := op.Fields[0].Value.Text()
					kept[name] = true
				}
			}
		}
		// Restarted, it is the same again.
		before := fmt.Sprint(d.core.View(testSpace))
		for d.write() {
		}
		forget(d)
		d.offline = true
		d.crash()
		if after := fmt.Sprint(d.core.View(testSpace)); after != before {
			note("device %d: another view after a restart:\n%v\n%v", i, before, after)
		}
	}
	tags, _ := g.value("cards", "all", "tags").([]any)
	votes, _ := g.value("cards", "all", "votes").(int64)
	if int(votes) != len(tags) {
		note("%d votes for %d edits: an edit took effect twice, or in part", votes, len(tags))
	}
	committed := map[string]bool{}
	for _, tag := range tags {
		committed[tag.(string)] = true
	}
	for _, p := range promises {
		if p.local && !committed[p.tag] && !kept[p.tag] {
			note("the edit %s was durable on its device and is lost", p.tag)
		}
	}
	return wrong
}

func TestChaos(t *testing.T) {
	for seed := *first; seed < *first+uint64(*seeds); seed++ {
		if wrong := chaos(t, seed, Faults{}); len(wrong) > 0 {
			t.Fatalf("seed %d: %q", seed, wrong)
		}
	}
}

// queueOf prints a device's queue.
func queueOf(d *testDevice) (list []string) {
	for _, p := range d.core.Pending(testSpace) {
		list = append(list, fmt.Sprintf("%d base %d judged %v", p.Counter, p.Mutation.Base, p.Judged))
	}
	return list
}
