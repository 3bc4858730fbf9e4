package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/protocol"
)

// killDevices is how many devices write, and killBurst how many mutations each
// makes between two kills.
const (
	killDevices = 3
	killBurst   = 12
)

// TestKill kills the real program at random moments while devices write, starts
// it again on the same store, and lets a new device look: everything that was
// acknowledged is there, nothing is there twice, and the counter says exactly as
// many as there are records. TIDEGATE_KILLS says how often (3).
func TestKill(t *testing.T) {
	kills := number(t, "TIDEGATE_KILLS", 3)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir := t.TempDir()
	write(t, dir, "schema/totals.json", `{"type": "object", "properties": {"n": {"type": "integer", "x-merge": "counter"}}}`)
	write(t, dir, "schema/marks.json", `{"type": "object", "properties": {"by": {"type": "string"}}}`)
	args := []string{"--store", "file:kill.db", "--schema", "schema", "--limit-connect-rate", "0"}
	gateway := serve(t, dir, nil, append(args, "--listen", "127.0.0.1:0")...)
	args = append(args, "--listen", gateway.address) // the same port ever after

	k := &killed{t: t, ctx: ctx, address: gateway.address, acknowledged: map[string]bool{}}
	first := k.open(0)
	w, err := first.Collection("totals").Create(ctx, "all", map[string]any{"n": 0})
	if err != nil {
		t.Fatal(err)
	}
	k.durable(w, "")
	devices := []*client.Space{first}
	for i := 1; i < killDevices; i++ {
		devices = append(devices, k.open(i))
	}

	random := rand.New(rand.NewPCG(1, uint64(kills)))
	made := 0
	for kill := range kills {
		var bursts sync.WaitGroup
		for i, device := range devices {
			bursts.Go(func() { k.burst(device, i, kill) })
		}
		made += killBurst * len(devices)
		time.Sleep(time.Duration(random.IntN(120)) * time.Millisecond) // the moment is the test
		gateway.cmd.Process.Kill()
		<-gateway.exited
		before := k.known()
		if gateway, err = relaunch(dir, args...); err != nil {
			t.Fatal(err)
		}
		k.look(fmt.Sprintf("after kill %d", kill+1), before)
		bursts.Wait()
		if t.Failed() {
			break
		}
	}
	defer func() { gateway.cmd.Process.Kill(); <-gateway.exited }()

	k.waits.Wait()
	for _, device := range devices {
		settled, cancel := context.WithTimeout(ctx, patience)
		if err := device.Drained(settled); err != nil {
			t.Fatalf("after %d kills a queue does not drain: %v %+v", kills, err, device.Status())
		}
		cancel()
		if rejected := device.Rejected(); len(rejected) > 0 {
			t.Errorf("%d mutations were rejected, the first because of %v", len(rejected), rejected[0].Err())
		}
	}
	records := k.look("in the end", k.known())
	if records != made {
		t.Errorf("%d records, %d were made", records, made)
	}
	if len(k.known()) != made {
		t.Errorf("%d mutations were acknowledged, %d were made", len(k.known()), made)
	}
	t.Logf("%d kills, %d mutations by %d devices", kills, made, len(devices))
}

// relaunch starts the program on a port that a killed predecessor had.
func relaunch(dir string, args ...string) (gateway *process, err error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if gateway, err = launch(dir, "http", nil, args...); err == nil {
			return gateway, nil
		}
	}
	return nil, err
}

// killed is what the test knows.
type killed struct {
	t       *testing.T
	ctx     context.Context
	address string
	waits   sync.WaitGroup // one for each mutation without an acknowledgement

	mu           sync.Mutex
	acknowledged map[string]bool // guarded by mu: ids of records
}

// open opens the space on a new device.
func (k *killed) open(i int) *client.Space {
	k.t.Helper()
	c, err := client.Open(k.ctx, client.Options{
		URL: "http://" + k.address, Store: client.MemoryStore(),
		Backoff: client.Backoff{Min: 5 * time.Millisecond, Max: 100 * time.Millisecond},
	})
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { c.Close() })
	return c.Space("kill", client.SpaceOptions{})
}

// burst makes mutations of two edits each: a record, and one more in the total.
func (k *killed) burst(space *client.Space, device, kill int) {
	for n := range killBurst {
		id := fmt.Sprintf("%d-%d-%d", kill, device, n)
		w, err := space.Mutate(k.ctx, func(tx *client.Tx) error {
			tx.Create("marks", id, map[string]any{"by": strconv.Itoa(device)})
			tx.Edit("totals", "all").Add("n", 1)
			return nil
		})
		if err != nil {
			k.t.Errorf("mutation %s: %v", id, err)
			return
		}
		k.waits.Go(func() { k.durable(w, id) })
		time.Sleep(time.Millisecond) // spread over the time until the kill
	}
}

// durable waits for an acknowledgement and notes it.
func (k *killed) durable(w *client.Write, id string) {
	ctx, cancel := context.WithTimeout(k.ctx, 3*patience)
	defer cancel()
	if _, err := w.Durable(ctx); err != nil {
		k.t.Errorf("mutation %q: %v", id, err)
		return
	}
	if id != "" {
		k.mu.Lock()
		k.acknowledged[id] = true
		k.mu.Unlock()
	}
}

// known is what was acknowledged by now.
func (k *killed) known() map[string]bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := make(map[string]bool, len(k.acknowledged))
	for id := range k.acknowledged {
		known[id] = true
	}
	return known
}

// look opens the space on a device that has never seen it, and compares. It
// returns how many records there are.
func (k *killed) look(when string, acknowledged map[string]bool) int {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.ctx, patience)
	defer cancel()
	c, err := client.Open(ctx, client.Options{URL: "http://" + k.address, Store: client.MemoryStore()})
	if err != nil {
		k.t.Fatal(err)
	}
	defer c.Close()
	space := c.Space("kill", client.SpaceOptions{})
	for status := space.Status(); status.State != client.SpaceLive || status.Cursor.Seq < status.Head; status = space.Status() {
		if ctx.Err() != nil {
			k.t.Fatalf("%s, a new device does not catch up: %+v %+v", when, status, c.Status())
		}
		time.Sleep(time.Millisecond)
	}
	// One consistent moment: the state that one cursor stands for.
	records, total := 0, int64(-1)
	for _, state := range space.Confirmed() {
		switch state.Collection {
		case "marks":
			records++
			delete(acknowledged, state.ID)
		case "totals":
			total = count(state)
		}
	}
	if len(acknowledged) > 0 {
		k.t.Errorf("%s, %d acknowledged mutations are missing: %v", when, len(acknowledged), acknowledged)
	}
	if total != int64(records) {
		k.t.Errorf("%s, the total is %d, and there are %d records", when, total, records)
	}
	return records
}

// count returns the value of the counter.
func count(state protocol.RecordState) int64 {
	for _, field := range state.Fields {
		if n, is := field.Value.Int(); is && field.Field == "n" {
			return n
		}
	}
	return -1
}
