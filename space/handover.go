package space

import (
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// Racing alone starves the gateway that is farther from the store: another's commit
// is there before its own append, or even before it has folded the one before. A
// gateway that was beaten twice in a row hands what is queued to the one that made
// the newest commit, and waits for it to show up in the log: whoever folds a commit with
// mutations of its own queue takes them out of it and tells their devices, whoever
// made the commit. What does not show up in time is appended here after all. The
// receiver queues what it is handed like a push that nobody waits for.

const (
	// Another gateway's commit, made while a mutation waits here, counts defeat; an own
	// commit makes up for it by victory. At beaten, which is two defeats in a row,
	// mutations are handed over. Two that win by turns are both slower than one would
	// be: with a victory that counts less than a defeat they soon agree on one.
	defeat, victory, beaten = 2, 1, 4
	// handOverSilence is how long ago the newest commit of another gateway may be for
	// that one to be handed anything, and how long nothing is handed over after it
	// was in vain twice. Once, a message may just have been lost.
	handOverSilence = protocol.Time(2000)
	// patienceMin and patienceMax bound how long mutations are handed over before the
	// race is tried again: the winner of the first races need not be the nearer one.
	// Each time it is lost the next try is twice as far; winsInARow begin anew.
	patienceMin = protocol.Time(500)
	patienceMax = protocol.Time(60_000)
	winsInARow  = 8
	// handOverAge is how old a hand-over may be that is taken. It leaves the clocks of
	// two gateways room, and is far less than the horizon: behind that, devices carry
	// what they had pushed over to other ids.
	handOverAge = protocol.Time(30 * 60 * 1000)
	// takingBytes bounds what was handed over and has not been looked at.
	takingBytes = 1 << 20
)

// handOver is what a core knows of its luck against other gateways.
type handOver struct {
	score int           // defeats less victories
	wins  int           // own commits since the last defeat
	on    bool          // own mutations are handed over
	till  protocol.Time // then the race is tried again
	// patience is for how long they were handed over last time.
	patience protocol.Time
	late     int           // how often in a row that was in vain
	not      protocol.Time // not before this
}

// handsOver has the gateway that made the newest commit append what is queued, if
// that is better; false if this one has to do it.
func (c *Core) handsOver() bool {
	o := &c.over
	if !o.on && o.score < beaten || !c.mayHandOver() {
		c.takeBack()
		return false
	}
	if !o.on {
		o.patience = min(max(patienceMin, 2*o.patience), patienceMax)
		o.on, o.till = true, c.now+o.patience
	}
	if c.now >= o.till && len(c.unfolded) == 0 {
		c.takeBack()
		return false
	}
	if due := c.handedOverDue(); due > 0 && c.now >= due {
		late := len(c.queue)
		if o.late++; o.late > 1 {
			o.not = c.now + handOverSilence
		}
		if c.cfg.Faults.HandOverForgets {
			c.unqueue(c.queue)
			c.queue = nil
		}
		c.takeBack()
		c.event(Event{Kind: EventHandOverLate, Seq: c.head.Seq, N: uint64(late)})
		return len(c.queue) == 0
	}
	if pushes, n := c.toHandOver(); n > 0 {
		c.out.HandOver = append(c.out.HandOver, HandOver{
			Gateway: c.headOf,
			Pushes:  &protocol.PeerPushes{Time: c.now, Pushes: pushes},
		})
		c.event(Event{Kind: EventHandOver, Seq: c.head.Seq, N: uint64(n)})
	}
	return true
}

// won notes that an own commit was appended.
func (o *handOver) won() {
	o.score = max(o.score-victory, 0)
	if o.wins++; o.wins >= winsInARow {
		o.patience = 0
	}
}

// defeated notes that another gateway's commit was folded.
func (c *Core) defeated(seq uint64) {
	if len(c.queue) > 0 && seq > c.queue[0].after {
		c.over.score, c.over.wins = min(c.over.score+defeat, beaten), 0
	}
}

// mayHandOver says whether there is a gateway to which mutations can be handed. What
// was handed over to this one is never handed on: else two that both lose against
// a third would hand it to and fro.
func (c *Core) mayHandOver() bool {
	return c.bus && c.phase == phaseOpen && c.foreign && c.headOf != "" && c.headOf != c.cfg.Gateway &&
		c.now >= c.over.not && c.now <= c.headAt+handOverSilence &&
		!slices.ContainsFunc(c.queue, func(n *pending) bool { return n.taken })
}

// takeBack ends handing over: what is queued is appended here.
func (c *Core) takeBack() {
	if !c.over.on {
		return
	}
	c.over.on, c.over.score = false, 0
	for _, n := range c.queue {
		n.handed = 0
	}
}

// handedOverDue is when the mutations that were handed over first must have shown
// up; 0 if there are none, or if they may be in what is not folded yet.
func (c *Core) handedOverDue() protocol.Time {
	if !c.over.on || len(c.unfolded) > 0 || len(c.queue) == 0 || c.queue[0].handed == 0 {
		return 0
	}
	return c.queue[0].handed + millis(c.cfg.HandOverWithin)
}

// toHandOver gathers what is queued and not handed over, as far as one commit with
// what is under way already has room for it. It returns the number of mutations.
func (c *Core) toHandOver() (pushes []protocol.PeerPush, count int) {
	runs := make(map[*writer]int)
	for _, n := range c.queue[:c.batchSize()] {
		if n.handed > 0 {
			continue
		}
		n.handed = c.now
		count++
		w := n.writer
		at, ok := runs[w]
		if !ok {
			at = len(pushes)
			runs[w] = at
			pushes = append(pushes, protocol.PeerPush{
				Author: protocol.Author{Device: w.id, User: n.user}, First: n.counter,
				Previous: w.hashAt(uint64(slices.Index(w.queued, n))),
			})
		}
		pushes[at].Bodies = append(pushes[at].Bodies, n.body)
	}
	return pushes, count
}

// takenPush is what another gateway handed over for one device.
type takenPush struct {
	protocol.PeerPush
	until protocol.Time // then the other gateway appends it itself
	read  bool          // the log is being read to see whether it fits then
}

// Take offers mutations that another gateway hands over, for devices that need
// not be attached here. They are judged as a push is; nothing is answered: what
// becomes of them stands in the log, and what does not fit is dropped. The bodies
// are kept until their commit is folded, and must not be changed.
func (c *Core) Take(now protocol.Time, pushes *protocol.PeerPushes) {
	c.at(now)
	if c.phase == phaseOpen && c.now-pushes.Time < handOverAge && !c.cfg.Exclusive {
		for _, p := range pushes.Pushes {
			c.taking = append(c.taking, &takenPush{PeerPush: p, until: c.now + millis(c.cfg.HandOverWithin)})
		}
	}
	c.advance()
}

// takeHandedOver looks at what was handed over. It keeps what may fit in a moment:
// the commit before it, or an image, is still on its way.
func (c *Core) takeHandedOver() {
	if len(c.taking) == 0 {
		return
	}
	if c.phase != phaseOpen || c.mayAppend() != nil {
		c.taking = nil
		return
	}
	room := takingBytes
	waiting := c.taking
	c.taking = nil
	for _, p := range waiting {
		room -= imageOverhead
		for _, body := range p.Bodies {
			room -= len(body)
		}
		if c.now < p.until && room > 0 && !c.takeOne(p) {
			c.taking = append(c.taking, p)
		}
	}
}

// takeOne queues or drops what was handed over for a device; false if it cannot be
// told yet.
func (c *Core) takeOne(p *takenPush) bool {
	key := deviceKey(p.Author.Device)
	if c.cache.broken[key] {
		return true
	}
	if c.behind() || !c.need([]ItemKey{key}) {
		return false
	}
	w := c.writerOf(p.Author.Device, c.cache.get(key))
	defer c.release(w)
	if c.mayPush(w, p.Author.User, p.First, p.Bodies) != nil {
		return true
	}
	// What this core has not read may hold mutations of the device. That needs no proof
	// here: nobody is told anything, and the append will find its seq taken.
	if w.image.version == 0 && p.First > 1 && len(w.queued) == 0 || p.First-1 > w.image.device.Counter+uint64(len(w.queued)) {
		return c.cannotTell(p) // what comes before it is not here yet
	}
	j := c.judge(w, p.Author.User, p.First, p.Previous, p.Bodies, c.cfg.Faults.HandOverUnchecked)
	if j.ahead > 0 {
		return c.cannotTell(p)
	}
	for _, n := range j.taken {
		n.taken = true
	}
	c.queueAll(w, j.taken)
	if len(j.taken) > 0 {
		c.event(Event{Kind: EventTaken, Seq: c.head.Seq, N: uint64(len(j.taken))})
	}
	return true
}

// cannotTell has the log read for a push that was handed over by a gateway which
// knows more of it.
func (c *Core) cannotTell(p *takenPush) bool {
	if !p.read {
		p.read = true
		c.readTail()
	}
	return false
}
