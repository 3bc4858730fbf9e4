package client

import (
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// ackWithin bounds how long the server waits to hear what is durable here.
const ackWithin = time.Second

// acknowledge sends an acknowledgement when one is due: at half a window, after
// ackWithin, or at once for a commit that asks for it. A push carries one anyway.
func (c *Core) acknowledge() {
	l := &c.link
	if l.phase != linkLive {
		return
	}
	if !c.owesAck() {
		l.ackAt = 0
		return
	}
	if l.ackAt == 0 {
		l.ackAt = later(c.now, ackWithin)
	}
	due := c.now >= l.ackAt || l.received-l.acked >= c.cfg.Window/2
	for _, s := range c.sorted {
		due = due || s.ackNow > s.acked.Seq && c.ackable(s).Seq >= s.ackNow
	}
	if !due {
		return
	}
	if ack := c.ack(); ack != nil {
		c.send(ack)
	}
}

func (c *Core) acknowledgeWake() protocol.Time {
	if c.link.phase != linkLive {
		return 0
	}
	return c.link.ackAt
}

// ackable returns the cursor that the server may be told: what is durable.
func (c *Core) ackable(s *space) protocol.Cursor {
	if c.cfg.Faults.AckBeforePersist {
		return s.cursor
	}
	return s.durable
}

func (c *Core) owesAck() bool {
	if c.link.received > c.link.acked {
		return true
	}
	for _, s := range c.sorted {
		if s.subscription == subscriptionLive && (c.ackable(s).Seq > s.acked.Seq || len(s.confirm) > 0) {
			return true
		}
	}
	return false
}

// ack returns what there is to tell, nil if nothing, and takes it for told.
func (c *Core) ack() *protocol.Ack {
	if !c.owesAck() {
		return nil
	}
	l := &c.link
	ack := &protocol.Ack{Received: l.received}
	l.acked, l.ackAt = l.received, 0
	for _, s := range c.sorted {
		if s.subscription != subscriptionLive {
			continue
		}
		if cursor := c.ackable(s); cursor.Seq > s.acked.Seq {
			s.acked = cursor
			ack.Cursors = append(ack.Cursors, protocol.HandleCursor{Handle: s.handle, Cursor: cursor})
		}
		if len(s.confirm) > 0 {
			ack.Confirmed = append(ack.Confirmed, protocol.HandleCounters{Handle: s.handle, Counters: s.confirm})
			s.confirm = nil
		}
	}
	return ack
}
