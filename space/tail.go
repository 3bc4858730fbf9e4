package space

import "github.com/tidegate/tidegate/protocol"

// tailBytes is how much of the log one read asks for.
const tailBytes = 1 << 20

// tailRead is the reading of the log's end. One read is open at a time.
type tailRead struct {
	asked    uint64 // number of the last read that was sent
	open     bool   // its answer, or a pause before it is repeated, is awaited
	want     uint64 // a read of this number or later is wanted
	more     bool   // the last read may not have reached the end
	verify   bool   // the next read begins at head, to compare its commit id
	failures uint64
	at       protocol.Time // when the last read was sent
}

// reading is the last seq that has been read.
func (c *Core) reading() uint64 { return c.head.Seq + uint64(len(c.unfolded)) }

// headProven is true if head may be trusted to be followed by a free seq, or by
// commits that are still there to be met.
func (c *Core) headProven() bool {
	return c.cfg.Faults.StaleHeadAppend || c.proved > 0 && c.now-c.proved < headProofAge
}

// readTail has the log read from where it was left, by a read sent from now on.
func (c *Core) readTail() { c.readTailFor(c.tail.asked + 1) }

// readTailFor has the log read by a read of at least the given number.
func (c *Core) readTailFor(number uint64) {
	c.tail.want = max(c.tail.want, number)
	c.driveTail()
}

// driveTail sends a read if one is wanted and none is open.
func (c *Core) driveTail() {
	t := &c.tail
	if t.open || c.damaged != nil || c.phase < phaseTail || c.phase == phaseClosed {
		return
	}
	if t.want <= t.asked && !t.more {
		return
	}
	if len(c.unfolded) > 0 {
		return // fold first: what is read and not folded is bounded by one answer
	}
	from := c.head.Seq + 1
	if t.verify {
		from = c.head.Seq
	}
	t.asked++
	t.open, t.at = true, c.now
	number, sent := t.asked, c.now
	c.ask(LogOp{From: from, MaxBytes: tailBytes}, func(r Response) {
		if r.Err != nil {
			t.failures++
			c.event(Event{Kind: EventRetry, Seq: from, N: t.failures, Err: r.Err})
			t.want = max(t.want, number+1)
			c.later(t.failures, func() {
				t.open = false
				c.driveTail()
			})
			return
		}
		t.open, t.failures = false, 0
		c.tookTail(r.Log, number, sent)
	})
}

// tookTail takes entries that follow head.
func (c *Core) tookTail(items []LogItem, number uint64, sent protocol.Time) {
	ends := c.endsLog(items)
	if c.tail.verify {
		var ok bool
		if items, ok = c.verifyHead(items); !ok {
			return
		}
	}
	// An own append may have been answered while the read travelled, or another
	// gateway may have told of its own.
	for len(items) > 0 && items[0].Seq <= c.reading() {
		items = items[1:]
	}
	if len(items) > 0 && items[0].Seq > c.reading()+1 && !c.cfg.Faults.IgnoreHole {
		c.hole(items[0].Seq)
		return
	}
	// Where commits come often no read ever finds nothing. Without a bus the next one
	// is looked for at once.
	c.tail.more = !ends || len(items) > 0 && !c.bus
	if ends {
		c.proofs = max(c.proofs, number)
		c.proved = max(c.proved, sent)
	}
	if len(items) == 0 {
		if ends {
			c.resend()
		}
		return
	}
	if f := c.inflight; f != nil {
		stored, err := protocol.ParseCommit(items[0].Data)
		switch {
		case err == nil && stored.ID == f.id:
			c.appendedOwn()
			items = items[1:]
		default:
			c.lostRace()
		}
	}
	for _, item := range items {
		c.unfolded = append(c.unfolded, c.decode(item))
	}
}

// endsLog says whether there was nothing in the log behind an answer when it was
// given. That there was room for more is not enough: what is trimmed goes in any
// order, and a gap ends an answer too. But what stands behind a young entry is
// younger still, and nothing young is trimmed.
func (c *Core) endsLog(items []LogItem) bool {
	if len(items) == 0 {
		return true
	}
	room := tailBytes / 4
	for i := range items {
		if room -= len(items[i].Data); room < 0 {
			return false
		}
	}
	if c.cfg.Exclusive {
		return true // nobody else trims
	}
	last, err := protocol.ParseCommit(items[len(items)-1].Data)
	return err == nil && c.now-last.Time < headProofAge
}

// verifyHead compares the commit at the watermark with what the watermark says.
func (c *Core) verifyHead(items []LogItem) ([]LogItem, bool) {
	c.tail.verify = false
	if len(items) == 0 {
		c.damage(protocol.Errorf(protocol.CodeDamaged,
			"everything up to %d is checkpointed, but the log is gone", c.head.Seq))
		return nil, false
	}
	if items[0].Seq > c.head.Seq {
		if items[0].Seq > c.head.Seq+1 {
			c.hole(items[0].Seq)
			return nil, false
		}
		return items, true
	}
	stored, err := protocol.ParseCommit(items[0].Data)
	if err != nil {
		c.damage(protocol.Errorf(protocol.CodeDamaged, "commit %d of the log cannot be read: %v", items[0].Seq, err))
		return nil, false
	}
	if stored.ID != c.head.Commit {
		c.damage(protocol.Errorf(protocol.CodeDamaged,
			"commit %d of the log is %s, but was %s when it was checkpointed", c.head.Seq, stored.ID, c.head.Commit))
		return nil, false
	}
	return items[1:], true
}

// hole begins again from the images: what follows head has been trimmed away.
func (c *Core) hole(first uint64) {
	c.horizon = max(c.horizon, first)
	c.beginAgain(first, protocol.Errorf(protocol.CodeDamaged,
		"the log begins at %d, but the images reach to %d only", first, c.head.Seq))
}

// beginAgain forgets everything and reads the images anew, because this core has
// fallen behind the horizon. While opening, the images themselves may have been
// older than the trimming: another look finds newer ones, unless there are none.
// Then the space is damaged, as err says.
func (c *Core) beginAgain(first uint64, err *protocol.Error) {
	c.event(Event{Kind: EventHole, Seq: c.head.Seq, N: first})
	if c.phase == phaseTail {
		if c.holeAt == c.head.Seq+1 {
			c.damage(err)
			return
		}
		c.holeAt = c.head.Seq + 1
	}
	c.dropSessions(true, protocol.Errorf(protocol.CodeUnavailable, "this gateway has fallen behind; connect again"))
	for _, s := range c.attaching {
		s.proof, s.lookup = 0, nil
	}
	c.refuseQueue(nil)
	c.out.Published = nil
	c.forget()
}

// poll reads the log for other gateways' commits.
func (c *Core) poll() {
	if at := c.nextPoll(); at > 0 && at <= c.now {
		c.readTail()
	}
	c.driveTail()
}

func (c *Core) nextPoll() protocol.Time {
	if c.cfg.Exclusive || c.phase != phaseOpen || c.damaged != nil || len(c.sessions) == 0 || c.tail.open {
		return 0
	}
	if c.bus {
		if c.cfg.Faults.TrustBus {
			return 0
		}
		return c.tail.at + millis(c.cfg.PollQuiet)
	}
	return c.tail.at + millis(c.cfg.PollEvery)
}
