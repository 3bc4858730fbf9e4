package sim

import (
	"slices"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// busFaults say how badly the bus between the gateways behaves: probabilities for
// each message, and counts over the run.
type busFaults struct {
	// Lost, Late (and so overtaken by others) and Duplicated messages.
	Lost, Late, Duplicated float64
	// Partitions are times in which a gateway neither hears nor is heard, and does
	// not know it; Breaks such of which it knows.
	Partitions, Breaks int
}

// deaf is a time in which a gateway is cut off from the bus.
type deaf struct {
	until protocol.Time
	known bool
}

// publish sends a message to all other gateways, or to the one that is named.
func (g *gateway) publish(to string, key space.Key, body protocol.PeerBody) {
	w := g.w
	if !w.plan.Bus || g.cutOff() {
		return
	}
	data := protocol.EncodePeer(&protocol.PeerMessage{Gateway: g.name, Tenant: key.Tenant, Space: key.Space, Body: body})
	for _, other := range w.gateways {
		if other == g || !other.up || to != "" && other.name != to || other.cutOff() || w.chance(w.plan.BusFaults.Lost) {
			continue
		}
		for range 2 {
			delay := w.between(0, 2)
			if w.chance(w.plan.BusFaults.Late) {
				delay = w.between(0, 3000)
			}
			other.do(delay, func() { other.hear(data) })
			if !w.chance(w.plan.BusFaults.Duplicated) {
				break
			}
		}
	}
}

// hear takes a message from another gateway.
func (g *gateway) hear(data []byte) {
	m, err := protocol.DecodePeer(data)
	if err != nil {
		g.w.check.fail("%s cannot read what another gateway sent: %v", g.name, err)
		return
	}
	i := slices.IndexFunc(g.spaces, func(h *hosted) bool { return h.key == space.Key{Tenant: m.Tenant, Space: m.Space} })
	if i < 0 {
		return
	}
	h := g.spaces[i]
	switch body := m.Body.(type) {
	case *protocol.PeerCommit:
		h.core.Offer(g.now(), space.LogItem{Seq: body.Seq, Data: body.Data})
	case *protocol.PeerHead:
		h.core.Hint(g.now(), body.Seq)
	case *protocol.PeerPushes:
		h.core.Take(g.now(), body)
	}
	h.pump()
}

// tellPeers tells the other gateways what a core wants them to know.
func (h *hosted) tellPeers(r *space.Ready) {
	for _, p := range r.Published {
		if p.Own {
			h.g.publish("", h.key, &protocol.PeerCommit{Seq: p.Cursor.Seq, Data: p.Data})
		}
	}
	if r.Announce > 0 {
		h.g.w.check.covered("head announced")
		h.g.publish("", h.key, &protocol.PeerHead{Seq: r.Announce})
	}
	for _, o := range r.HandOver {
		h.g.publish(o.Gateway, h.key, o.Pushes)
	}
}

func (g *gateway) cutOff() bool { return g.w.now < g.deaf.until }

// busUp is whether the gateway believes that it hears the others.
func (g *gateway) busUp() bool { return g.w.plan.Bus && !(g.cutOff() && g.deaf.known) }

// cut cuts a gateway off from the bus for a while.
func (g *gateway) cut(d protocol.Time, known bool) {
	g.deaf = deaf{g.w.now + d, known}
	g.w.transcript.say(g.name, "is cut off from the bus for %d ms, and knows: %v", d, known)
	g.tellBus()
	g.w.after(d, g.tellBus)
}

// tellBus tells every space whether the bus is up.
func (g *gateway) tellBus() {
	for _, h := range slices.Clone(g.spaces) {
		g.do(0, func() {
			h.core.Bus(g.now(), g.busUp())
			h.pump()
		})
	}
}

// plotBus schedules what will go wrong with the bus.
func (w *world) plotBus() {
	if !w.plan.Bus {
		return
	}
	cut := func(known bool) {
		w.after(w.between(0, w.plan.Active), func() {
			w.gateways[w.below(len(w.gateways))].cut(w.between(100, 30_000), known)
		})
	}
	for range w.plan.BusFaults.Partitions {
		cut(false)
	}
	for range w.plan.BusFaults.Breaks {
		cut(true)
	}
}
