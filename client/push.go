package client

import (
	"cmp"
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// pushOverhead is more than a push takes beside its bodies, per body and at all.
const pushOverhead = 64

// push sends what is durable and fits into the server's window, spaces of greater
// priority first. The rest waits in the durable queue.
func (c *Core) push() {
	if c.link.phase != linkLive {
		return
	}
	spaces := slices.Clone(c.sorted)
	slices.SortStableFunc(spaces, func(a, b *space) int { return cmp.Compare(b.priority, a.priority) })
	for _, s := range spaces {
		for c.pushSpace(s) {
		}
	}
}

// pushSpace sends one push and says whether there may be another.
func (c *Core) pushSpace(s *space) bool {
	if s.subscription != subscriptionLive || !s.writable || s.rebase || len(s.queue) == 0 {
		return false
	}
	skip := int(s.pushed + 1 - s.queue[0].counter)
	if s.pushed+1 < s.queue[0].counter || skip >= len(s.queue) {
		return false
	}
	used := c.inFlight()
	room := func(bytes, mutations uint64) bool {
		if used.mutations == 0 && mutations == 1 {
			return true // a mutation larger than the window goes alone
		}
		if s.inFlight.mutations+mutations > protocol.MaxRecent {
			return false // more than the server could tell the fate of, if its answers got lost
		}
		w := &c.link.welcome
		return used.bytes+bytes <= w.Window && (w.WindowMutations == 0 || used.mutations+mutations <= w.WindowMutations)
	}
	message := cmp.Or(c.link.welcome.FrameBytes, uint64(protocol.DefaultLimits().FrameBytes)) / 2
	var taken flight
	var bodies [][]byte
	for _, p := range s.queue[skip:] {
		size := uint64(len(p.body))
		safe := p.durable && p.counter <= s.durableSent || c.cfg.Faults.PushBeforePersist
		full := len(bodies) > 0 && taken.bytes+size+pushOverhead*uint64(len(bodies)+2) > message
		if !safe || full || !room(taken.bytes+size, taken.mutations+1) {
			break
		}
		bodies = append(bodies, p.body)
		taken.bytes += size
		taken.mutations++
	}
	if len(bodies) == 0 {
		return false
	}
	previous, _ := s.hashAt(s.pushed)
	push := &protocol.Push{Handle: s.handle, First: s.pushed + 1, Previous: previous, Bodies: bodies}
	if c.cfg.Faults.ReorderPush {
		slices.Reverse(push.Bodies)
	}
	s.pushed += taken.mutations
	s.inFlight.bytes += taken.bytes
	s.inFlight.mutations += taken.mutations
	if ack := c.ack(); ack != nil {
		c.send(ack, push)
	} else {
		c.send(push)
	}
	c.statusChanged = true
	return true
}

// inFlight counts what the server has not answered on this connection.
func (c *Core) inFlight() flight {
	var sum flight
	for _, s := range c.sorted {
		sum.bytes += s.inFlight.bytes
		sum.mutations += s.inFlight.mutations
	}
	for _, e := range c.link.ending {
		sum.bytes += e.inFlight.bytes
		sum.mutations += e.inFlight.mutations
	}
	return sum
}

// landed takes an answered mutation out of the count.
func (c *Core) landed(s *space, p *pending) {
	s.inFlight.bytes -= min(s.inFlight.bytes, uint64(len(p.body)))
	s.inFlight.mutations -= min(s.inFlight.mutations, 1)
}

// markSent moves the durable mark of what may have been sent ahead of the pushes,
// by up to two windows, so that sending need not wait for the disk each time.
func (c *Core) markSent(s *space) {
	if s.subscription != subscriptionLive || !s.writable || s.rebase || c.cfg.Faults.ForgetSent {
		if c.cfg.Faults.ForgetSent {
			s.durableSent = ^uint64(0)
		}
		return
	}
	var ahead flight
	for _, p := range s.queue {
		if ahead.mutations++; ahead.mutations > 1 {
			ahead.bytes += uint64(len(p.body))
			w := &c.link.welcome
			if ahead.bytes > 2*w.Window || w.WindowMutations > 0 && ahead.mutations > 2*w.WindowMutations {
				return
			}
		}
		if p.counter > s.sent {
			s.sent = p.counter
			s.save()
		}
	}
}
