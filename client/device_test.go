package client

import (
	"encoding/binary"
	"maps"
	"slices"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

const testSpace = "board"

// testDevice is a core with a disk and a connection that do what the test says:
// nothing happens by itself unless the device is lively.
type testDevice struct {
	t       testing.TB
	gateway *model
	core    *tapedCore
	disk    map[string][]byte // durable
	batch   *Batch            // being written
	conn    *modelConn
	toSend  [][]byte
	wants   bool // the core wants a connection
	fresh   bool
	refresh bool
	now     protocol.Time
	seed    uint64
	faults  Faults
	options SpaceOptions

	local   map[uint64]bool
	settled map[uint64]protocol.Verdict
	changes Changes
	fetched []protocol.Value
	dropped []*protocol.Error

	// fail ends the test, or the history that found the device in a state it must
	// not be in.
	fail func(format string, args ...any)

	// offline keeps the device from connecting, stuck its disk from writing.
	offline, stuck bool
	// badAck is set if the server was told of a cursor that is not on disk.
	badAck bool
}

func newDevice(t testing.TB, g *model, seed uint64, configure ...func(*testDevice)) *testDevice {
	d := &testDevice{t: t, gateway: g, disk: map[string][]byte{}, now: 1000, seed: seed, local: map[uint64]bool{}, settled: map[uint64]protocol.Verdict{}}
	d.fail = t.Fatalf
	for _, f := range configure {
		f(d)
	}
	d.start()
	return d
}

// start makes a core from the disk, as after a crash.
func (d *testDevice) start() {
	d.t.Helper()
	d.seed += 1 << 20
	cfg := Config{Client: "test", Faults: d.faults}
	binary.BigEndian.PutUint64(cfg.Seed[:], d.seed)
	d.core = newTapedCore(lifeName(d.t, d.seed), cfg, d.disk)
	for _, key := range slices.Sorted(maps.Keys(d.disk)) {
		if err := d.core.Load([]byte(key), d.disk[key]); err != nil {
			d.fail("load: %v", err)
		}
	}
	if err := d.core.Start(d.now); err != nil {
		d.fail("start: %v", err)
	}
	d.core.Open(d.now, testSpace, d.options)
	d.take()
}

// crash loses everything that is not on disk, and starts again.
func (d *testDevice) crash() {
	d.cut()
	d.batch, d.wants = nil, false
	d.local, d.settled = map[uint64]bool{}, map[uint64]protocol.Verdict{}
	d.start()
}

// cut breaks the connection; what was under way in it is lost.
func (d *testDevice) cut() {
	if d.conn != nil {
		d.conn.close()
		d.conn, d.toSend = nil, nil
		d.core.Disconnected(d.now, 0, nil)
		d.take()
	}
}

// take notes what the core wants.
func (d *testDevice) take() {
	r := d.core.Ready()
	if r.Persist != nil {
		if d.batch != nil {
			d.fail("a second batch while one is in flight")
		}
		d.batch = r.Persist
	}
	if r.Close != nil {
		d.dropped = append(d.dropped, r.Close)
		if d.conn != nil {
			d.conn.close()
			d.conn, d.toSend = nil, nil
		}
	}
	if d.conn != nil {
		d.toSend = append(d.toSend, r.Send...)
	}
	if r.Connect {
		d.wants, d.fresh = true, r.FreshToken
	}
	d.refresh = d.refresh || r.RefreshToken
	for _, e := range r.Events {
		switch e.Kind {
		case EventLocal:
			d.local[e.Ref] = true
		case EventSettled:
			if _, twice := d.settled[e.Ref]; twice && e.Ref != 0 {
				d.fail("mutation %d was settled twice", e.Ref)
			}
			d.settled[e.Ref] = e.Verdict
		case EventChanged:
			d.changes.Keys = append(d.changes.Keys, e.Changes.Keys...)
		case EventFetched:
			d.fetched = append(d.fetched, e.Value)
		}
	}
}

// connect makes the connection that the core wants.
func (d *testDevice) connect() bool {
	if !d.wants || d.offline {
		return false
	}
	d.wants = false
	d.conn = d.gateway.connect()
	d.conn.onAck = func(ack *protocol.Ack) {
		for _, at := range ack.Cursors {
			if durable := d.durableCursor(); at.Cursor.Seq > durable.Seq {
				d.badAck = true
			}
		}
	}
	d.core.Connected(d.now, "token")
	d.take()
	return true
}

// durableCursor reads the cursor that a restart would continue from.
func (d *testDevice) durableCursor() protocol.Cursor {
	c := NewCore(Config{})
	if value, ok := d.disk[string(spaceKey(kindSpace, testSpace))]; ok {
		if err := c.Load(spaceKey(kindSpace, testSpace), value); err != nil {
			d.t.Fatal(err)
		}
	}
	return c.space(testSpace).cursor
}

// write makes the batch in flight durable.
func (d *testDevice) write() bool {
	if d.batch == nil {
		return false
	}
	b := d.batch
	d.batch = nil
	for _, key := range b.Deletes {
		delete(d.disk, string(key))
	}
	for _, e := range b.Puts {
		d.disk[string(e.Key)] = e.Value
	}
	d.core.Persisted(d.now, b.Token)
	d.take()
	return true
}

// sendOne lets one message reach the gateway.
func (d *testDevice) sendOne() bool {
	if d.conn == nil || len(d.toSend) == 0 {
		return false
	}
	message := d.toSend[0]
	d.toSend = d.toSend[1:]
	d.conn.receive(message)
	return true
}

// receiveOne lets one message reach the device.
func (d *testDevice) receiveOne() bool {
	if d.conn == nil || len(d.conn.out) == 0 {
		return false
	}
	message := d.conn.out[0]
	d.conn.out = d.conn.out[1:]
	d.core.Message(d.now, message)
	d.take()
	return true
}

// wait lets time pass.
func (d *testDevice) wait(ms protocol.Time) {
	d.now += ms
	d.core.Tick(d.now)
	d.take()
}

// step does one thing that can be done.
func (d *testDevice) step() bool {
	return d.connect() || !d.stuck && d.write() || d.sendOne() || d.receiveOne()
}

// settle lets everything happen on the devices until nothing more does, timers
// included.
func settle(devices ...*testDevice) {
	idle := 0
	for rounds := 0; idle < 50; rounds++ {
		busy := false
		for _, d := range devices {
			for d.step() {
				busy = true
			}
		}
		if busy {
			idle = 0
			if rounds > 3000 {
				devices[0].fail("the devices do not come to rest")
			}
			continue
		}
		idle++
		for _, d := range devices {
			d.wait(200)
		}
	}
}

// mutate adds a mutation that is made of the ops.
func (d *testDevice) mutate(ops ...protocol.Op) uint64 {
	d.t.Helper()
	ref, err := d.core.Mutate(d.now, testSpace, &protocol.Mutation{Base: d.core.Base(testSpace), EditTime: d.now, Ops: ops})
	if err != nil {
		d.fail("mutate: %v", err)
	}
	d.take()
	return ref
}

func (d *testDevice) value(collection, id, field string) any {
	r := d.core.Get(testSpace, Key{Collection: collection, ID: id})
	if r == nil {
		return nil
	}
	return r.Get(field)
}

func (d *testDevice) pending() int { return len(d.core.Pending(testSpace)) }

// converged fails unless the device shows what the gateway has, and nothing is
// left to do.
func (d *testDevice) converged() {
	d.t.Helper()
	if got, want := d.core.StateHash(testSpace), d.gateway.hash(); got != want {
		d.t.Errorf("the device's state differs from the gateway's:\n%v\n%v", d.core.Confirmed(testSpace), d.gateway.records)
	}
	if n := d.pending(); n != 0 {
		d.t.Errorf("%d mutations are still pending, status %+v, client %+v", n, d.core.SpaceStatus(testSpace), d.core.Status())
	}
	if d.badAck {
		d.t.Error("a cursor was acknowledged that was not durable")
	}
}

func create(id string, fields ...any) protocol.Op {
	op := protocol.Op{Kind: protocol.OpCreate, Collection: "cards", ID: id}
	for i := 0; i < len(fields); i += 2 {
		op.Fields = append(op.Fields, protocol.FieldValue{Field: fields[i].(string), Value: protocol.MustValue(fields[i+1])})
	}
	return op
}

func set(id, field string, value any) protocol.Op {
	return protocol.Op{Kind: protocol.OpSet, Collection: "cards", ID: id, Fields: []protocol.FieldValue{{Field: field, Value: protocol.MustValue(value)}}}
}

func add(id, field string, n int) protocol.Op {
	return protocol.Op{Kind: protocol.OpAdd, Collection: "cards", ID: id, Field: field, Value: protocol.MustValue(n)}
}

func tag(id, field, element string) protocol.Op {
	return protocol.Op{Kind: protocol.OpSetAdd, Collection: "cards", ID: id, Field: field, Value: protocol.MustValue(element)}
}
