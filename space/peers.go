package space

import "github.com/tidegate/tidegate/protocol"

// Other gateways are heard over a bus that loses, repeats and reorders. What it
// brings is durable before it is told, so it may be folded without a read; that
// there is nothing behind it, it never says.

// announceAfter is how long after its last commit a core announces its head:
// the message about the commit itself may have been lost.
var announceAfter = [...]protocol.Time{1000, 4000, 16_000}

// announcement is the telling of an own commit that is still head.
type announcement struct {
	since protocol.Time // when it was folded; 0 if head is not an own commit
	told  int           // how often it was announced
}

// Bus tells whether other gateways can be heard. While they can, the log is read
// less often. Until the first call they cannot.
func (c *Core) Bus(now protocol.Time, up bool) {
	c.at(now)
	if up && !c.bus {
		c.readTail() // what was told meanwhile has been missed
	}
	c.bus = up
	c.advance()
}

// Offer tells of a commit that another gateway says is durable. If it is the
// next one it is folded without reading the log; if commits between are missing
// the log is read. item.Data is kept, and must not be changed.
func (c *Core) Offer(now protocol.Time, item LogItem) {
	c.at(now)
	c.offer(item)
	c.advance()
}

func (c *Core) offer(item LogItem) {
	if item.Seq <= c.reading() || c.cfg.Exclusive || c.damaged != nil {
		return
	}
	stored, err := protocol.ParseCommit(item.Data)
	next := item.Seq == c.reading()+1 || c.cfg.Faults.OfferAnySeq
	if c.phase < phaseOpen || err != nil || stored.Seq != item.Seq || !next || c.unfoldedBytes() > tailBytes {
		// What cannot be read in the log is the log's damage; what cannot be read on the
		// bus is only a reason to read the log.
		c.readTail()
		return
	}
	if f := c.inflight; f != nil && !c.cfg.Faults.OfferKeepsAppend {
		if stored.ID == f.id {
			c.appendedOwn()
			return
		}
		c.lostRace()
	}
	read := c.decode(item)
	if read.err != nil {
		c.readTail()
		return
	}
	c.unfolded = append(c.unfolded, read)
	c.event(Event{Kind: EventOffered, Seq: item.Seq, Bytes: len(item.Data)})
	if c.cfg.Faults.OfferProvesHead {
		c.proved, c.proofs = c.now, max(c.proofs, c.tail.want)
	}
}

// unfoldedBytes is how much waits to be folded.
func (c *Core) unfoldedBytes() (size int) {
	for i := range c.unfolded {
		size += len(c.unfolded[i].data)
	}
	return size
}

// tellHead announces head, if it is an own commit that may have to be told again.
func (c *Core) tellHead() {
	if at := c.nextAnnounce(); at > 0 && at <= c.now {
		c.announce.told++
		c.out.Announce = c.head.Seq
	}
}

func (c *Core) nextAnnounce() protocol.Time {
	a := &c.announce
	if !c.bus || a.since == 0 || a.told == len(announceAfter) || c.cfg.Faults.TrustBus {
		return 0
	}
	return a.since + announceAfter[a.told]
}
