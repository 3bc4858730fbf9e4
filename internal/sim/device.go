package sim

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/internal/tape"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/session"
)

// device is a client process on a disk. A crash loses the process; what the disk
// had not been told is durable is lost with it, or not, as with a real disk.
type device struct {
	w    *world
	name string
	user string
	core *client.Core
	tape *tape.Life // of this life; takes nothing if it is nil
	up   bool
	life int
	skew protocol.Time
	disk *disk
	wire *wire

	partitionedUntil protocol.Time
	// snapshots are the spaces that were given to this disk as a snapshot, or may
	// have been.
	snapshots map[string]bool
	wakeAt    protocol.Time
	// refs are the mutations of this life that have no verdict yet.
	refs map[uint64]*edit
}

// disk is a store that a run can crash, copy and set back.
type disk struct {
	entries map[string][]byte
	// inflight is the batch whose write has begun.
	inflight *client.Batch
}

func (k *disk) write(b *client.Batch) {
	for _, key := range b.Deletes {
		delete(k.entries, string(key))
	}
	for _, e := range b.Puts {
		k.entries[string(e.Key)] = bytes.Clone(e.Value)
	}
}

func (k *disk) copy() *disk { return &disk{entries: maps.Clone(k.entries)} }

func (d *device) now() protocol.Time { return d.w.now + d.skew }

// do lets something happen in the process, later: not if it has died by then.
func (d *device) do(delay protocol.Time, what func()) {
	life := d.life
	d.w.after(delay, func() {
		if d.life == life && d.up {
			what()
		}
	})
}

// start begins a life from what the disk has.
func (d *device) start() {
	d.life++
	d.up = true
	d.wire = nil
	d.wakeAt = 0
	d.refs = map[uint64]*edit{}
	config := d.w.clientConfig()
	d.w.bytes(config.Seed[:])
	d.core = client.NewCore(config)
	d.tape = d.w.tape.Begin(fmt.Sprintf("%s, life %d", d.name, d.life), config.Seed, config.Client, config.Window, d.disk.entries)
	for _, key := range slices.Sorted(maps.Keys(d.disk.entries)) {
		if err := d.core.Load([]byte(key), d.disk.entries[key]); err != nil {
			d.w.check.fail("promise 8: %s cannot load its own disk: %v", d.name, err)
			d.up = false
			return
		}
	}
	d.tape.Input("start", "now", d.now())
	d.core.Start(d.now())
	for _, s := range d.w.spaceNames {
		options := client.SpaceOptions{Presence: d.w.chance(0.3)}
		d.tape.Input("open", "now", d.now(), "space", s, "options", options)
		d.core.Open(d.now(), s, options)
	}
	d.w.transcript.say(d.name, "starts, its clock is %d ms off", d.skew)
	d.pump()
}

// crash ends it: the batch under way is on disk, or not.
func (d *device) crash() {
	if !d.up {
		return
	}
	d.w.transcript.say(d.name, "crashes")
	if b := d.disk.inflight; b != nil && d.w.chance(0.5) {
		d.disk.write(b)
	}
	d.stop()
}

// forgot says that what the device was told may be on its disk no more.
func (d *device) forgot() {
	for _, s := range d.w.spaceNames {
		d.snapshots[s] = true
	}
}

func (d *device) stop() {
	d.disk.inflight = nil
	d.up = false
	d.life++
	if d.wire != nil {
		d.wire.cut("the device died")
		d.wire = nil
	}
}

// pump does what the core wants done.
func (d *device) pump() {
	r := d.core.Ready()
	if d.tape != nil {
		d.tape.Ready(r)
		for _, s := range d.w.spaceNames {
			d.tape.Space(s, d.core.StateHash(s), d.core.View(s))
		}
	}
	for _, e := range r.Events {
		d.event(e)
	}
	if r.Persist != nil {
		batch := r.Persist
		d.disk.inflight = batch
		d.do(d.w.between(0, 25), func() {
			d.disk.write(batch)
			d.disk.inflight = nil
			d.tape.Input("persisted", "now", d.now(), "token", batch.Token)
			d.core.Persisted(d.now(), batch.Token)
			d.pump()
			d.observe()
		})
	}
	for _, message := range r.Send {
		if d.wire != nil {
			d.wire.toServer(message)
		}
	}
	if r.Close != nil {
		d.w.check.closedBy(d, r.Close)
		if d.wire != nil {
			d.wire.closeByDevice()
			d.wire = nil
		}
	}
	if r.Connect {
		d.w.dial(d)
	}
	if r.RefreshToken {
		d.do(5, func() {
			d.tape.Input("tokenRefreshed", "now", d.now(), "token", d.user)
			d.core.TokenRefreshed(d.now(), d.user, nil)
			d.pump()
		})
	}
	if at := r.Wake; at != d.wakeAt {
		d.wakeAt = at
		if at != 0 {
			d.do(max(at-d.now(), 1), func() {
				if d.wakeAt == at {
					d.wakeAt = 0
					d.tape.Input("tick", "now", d.now())
					d.core.Tick(d.now())
					d.pump()
				}
			})
		}
	}
}

func (d *device) connected(x *wire) {
	d.wire = x
	d.tape.Input("connected", "now", d.now(), "token", d.user)
	d.core.Connected(d.now(), d.user)
	d.pump()
}

func (d *device) failed(why string) {
	d.tape.Input("connectFailed", "now", d.now())
	d.core.ConnectFailed(d.now(), fmt.Errorf("simulated: %s", why))
	d.pump()
}

func (d *device) receive(message []byte) {
	d.tape.Input("message", "now", d.now(), "message", message)
	d.core.Message(d.now(), message)
	d.pump()
}

// observe shows the checker the confirmed state, which is on disk.
func (d *device) observe() {
	for _, s := range d.w.spaceNames {
		d.w.check.observe(d, s)
	}
}

// waitsFor says whether an edit was made in this life and has no verdict yet.
func (d *device) waitsFor(e *edit) bool {
	for _, waiting := range d.refs {
		if waiting == e {
			return true
		}
	}
	return false
}

// event is something that the core tells the app.
func (d *device) event(e client.Event) {
	switch e.Kind {
	case client.EventLocal:
		if edit := d.refs[e.Ref]; edit != nil {
			edit.local = true
		}
	case client.EventSettled:
		edit := d.refs[e.Ref]
		if edit == nil {
			return
		}
		delete(d.refs, e.Ref)
		edit.settled = true
		edit.verdict = e.Verdict
		d.w.transcript.say(d.name, "%s settled: %s in %d %s", edit.mark, outcome(e.Verdict), e.Verdict.Seq, e.Verdict.Message)
		d.w.check.settled(d, edit)
	}
}

func outcome(v protocol.Verdict) string {
	return [...]string{"applied", "merged", "superseded", "conflict", "rejected"}[min(v.Outcome, 4)]
}

// disconnected tells the core that its connection has ended, and how the gateway
// closed it if it did.
func (d *device) disconnected(how *session.Close) {
	d.w.check.disconnected(d, how)
	d.wire = nil
	var code protocol.CloseCode
	var err error
	if how != nil {
		code, err = how.Code, &protocol.Error{Code: how.Cause, Message: how.Message}
	}
	d.tape.Input("disconnected", "now", d.now(), "code", code)
	d.core.Disconnected(d.now(), code, err)
	d.pump()
}
