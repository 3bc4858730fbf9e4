package sim

import (
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/session"
)

// wire is one connection: two ordered streams of messages that both end when it
// is cut, though each side may learn of that much later.
type wire struct {
	w      *world
	device *device
	life   int // of the device, when it dialled
	server *conn
	broken bool
	slow   bool
	// When the last message of each direction arrives: later ones not before.
	toServerAt, toDeviceAt protocol.Time
}

// dial connects a device to some gateway, or tells it that this failed.
func (w *world) dial(d *device) {
	life := d.life
	fail := func(why string) {
		d.do(w.between(1, 200), func() { d.failed(why) })
	}
	up := make([]*gateway, 0, len(w.gateways))
	for _, g := range w.gateways {
		if g.up && !g.draining {
			up = append(up, g)
		}
	}
	switch {
	case w.now < d.partitionedUntil:
		fail("partitioned")
		return
	case len(up) == 0:
		fail("no gateway")
		return
	case w.chance(w.plan.Network.Refused):
		fail("refused")
		return
	}
	g := up[w.below(len(up))]
	accepted := false
	// Whoever does not answer a dial is not there.
	d.do(20*second, func() {
		if !accepted {
			accepted = true
			fail("the gateway does not answer")
		}
	})
	g.do(w.between(1, 40), func() {
		if d.life != life || !d.up || accepted {
			return
		}
		accepted = true
		wire := &wire{w: w, device: d, life: life, slow: w.chance(w.plan.Network.SlowReaders)}
		wire.server = g.accept(wire)
		d.do(w.between(1, 40), func() {
			if wire.broken {
				d.failed("cut while connecting")
				return
			}
			w.transcript.say(d.name, "is connected to %s", g.name)
			d.connected(wire)
		})
	})
}

func (x *wire) name() string { return x.device.name }

// toServer sends a message from the device.
func (x *wire) toServer(message []byte) {
	if x.broken {
		return
	}
	if x.w.chance(x.w.plan.Network.Cut) {
		x.cut("the network broke")
		return
	}
	x.toServerAt = max(x.toServerAt, x.w.now+x.delay())
	life := x.server.g.life
	x.w.after(x.toServerAt-x.w.now, func() {
		// What has arrived is read, even if the process is suspended now and the
		// connection long broken when it wakes.
		if !x.broken && x.server.g.life == life {
			x.server.g.do(0, func() { x.server.receive(message) })
		}
	})
}

// toDevice sends a message from the gateway.
func (x *wire) toDevice(message []byte) {
	if x.broken {
		return
	}
	if x.w.chance(x.w.plan.Network.Cut) {
		x.cut("the network broke")
		return
	}
	x.toDeviceAt = max(x.toDeviceAt, x.w.now+x.delay())
	x.device.do(x.toDeviceAt-x.w.now, func() {
		if !x.broken && x.device.wire == x {
			x.device.receive(message)
		}
	})
}

// takes is how long the server's socket takes to be ready for more.
func (x *wire) takes() protocol.Time {
	if x.slow {
		return x.w.between(0, 3000)
	}
	return x.w.between(0, 2)
}

func (x *wire) delay() protocol.Time {
	if x.slow {
		return x.w.between(20, 1500)
	}
	return x.w.between(1, 30)
}

// cut breaks the connection. Each side learns of it when it learns of it.
func (x *wire) cut(why string) {
	if x.broken {
		return
	}
	x.broken = true
	x.w.transcript.say(x.name(), "loses its connection: %s", why)
	notice := func() protocol.Time {
		if x.w.chance(0.2) {
			return x.w.between(0, 20_000)
		}
		return x.w.between(0, 50)
	}
	server := x.server
	server.g.do(notice(), server.lost)
	x.device.do(notice(), func() {
		if x.device.wire == x {
			x.device.disconnected(nil)
		}
	})
}

// closeByServer ends the connection behind the messages under way.
func (x *wire) closeByServer(how *session.Close) {
	at := max(x.toDeviceAt, x.w.now+x.delay())
	x.device.do(at-x.w.now, func() {
		if x.broken {
			return
		}
		x.broken = true
		if x.device.wire == x {
			x.device.disconnected(how)
		}
	})
}

// closeByDevice ends it from the device's side.
func (x *wire) closeByDevice() {
	if x.broken {
		return
	}
	x.broken = true
	x.server.g.do(x.delay(), x.server.lost)
}
