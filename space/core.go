package space

import (
	"github.com/tidegate/tidegate/protocol"
)

// phase is what a Core is doing as a whole.
type phase uint8

const (
	// phaseIdle: nothing has been asked of the store yet.
	phaseIdle phase = iota
	// phaseImages: the watermark and the horizon are being read.
	phaseImages
	// phaseTail: what lies behind the watermark is being read and folded.
	phaseTail
	// phaseOpen: devices are served.
	phaseOpen
	// phaseClosing: what is in flight is resolved, then all is checkpointed.
	phaseClosing
	phaseClosed
)

// Core is the log of one space as a machine without IO; see the package comment.
// It is not safe for concurrent use. Every input carries the time; it may not go
// back between inputs (if it does, the latest time seen is used).
//
// After any number of inputs, call Ready and do what it says.
type Core struct {
	cfg Config
	key Key
	now protocol.Time

	// The fold: what the log says up to head.
	phase    phase
	head     protocol.Cursor
	headTime protocol.Time
	schema   protocol.SchemaRef
	names    *protocol.NameTable // may run ahead of head, by what is decoded or in flight
	times    timeline
	horizon  uint64
	ackNowAt protocol.Time // when the last own commit asked to be acknowledged at once
	foreign  bool          // the last commit was another gateway's
	headOf   string        // the gateway that says it made it
	headAt   protocol.Time // when it was folded
	damaged  *protocol.Error
	blind    bool   // damaged before anything could be read
	holeAt   uint64 // where the log was found to begin too late while opening

	// What is known of the log's end.
	proved     protocol.Time // when head was last proved to be the end of the log
	proofs     uint64        // number of the last read that reached the end of the log
	openProof  uint64        // the proof by which the space is open
	tail       tailRead
	unfolded   []foldItem
	mustReach  uint64 // an image of this version was seen: the log has to reach it
	reachProof uint64 // the proof by which it has to

	// Images of records and devices.
	cache      cache
	rebuilding rebuilding

	// Devices and what they pushed.
	sessions  map[SessionID]*session
	attaching []*session
	pushing   []*session // those with pushes that have not been looked at
	writers   map[protocol.DeviceID]*writer
	queue     []*pending // in the order in which they will be committed
	wanted    []ItemKey  // images that the next commit waits for
	inflight  *inflight
	appendAt  protocol.Time // no append before
	failures  uint64        // appends that failed for certain, in a row

	// Other gateways.
	bus      bool // they can be heard
	announce announcement
	over     handOver
	taking   []*takenPush // what they handed over and has not been looked at

	// Work behind the log.
	checkpoint checkpoint
	trim       trim

	requests requests
	out      Ready
}

// NewCore returns the core of a space that is about to be opened. The first Tick
// asks for the first requests.
func NewCore(key Key, cfg Config) *Core {
	c := &Core{
		key:      key,
		cfg:      cfg.withDefaults(),
		sessions: make(map[SessionID]*session),
		writers:  make(map[protocol.DeviceID]*writer),
	}
	c.requests.pending = make(map[RequestID]*request)
	c.forget()
	return c
}

// forget drops all that was read from the store.
func (c *Core) forget() {
	c.phase = phaseIdle
	c.head, c.headTime, c.schema = protocol.Cursor{}, 0, protocol.SchemaRef{}
	c.names = protocol.NewNameTable()
	c.times = timeline{}
	c.headOf, c.headAt = "", 0
	c.proved, c.mustReach = 0, 0
	c.tail = tailRead{asked: c.tail.asked} // proofs stay comparable
	c.unfolded = nil
	c.cache.reset(c.cfg.CacheBytes)
	c.inflight, c.wanted = nil, nil
	c.announce, c.over, c.taking = announcement{}, handOver{}, nil
	c.rebuilding = rebuilding{}
	c.checkpoint = checkpoint{}
	c.trim = trim{}
	c.requests.forgetAll()
}

// Head is the newest commit that is known to be durable and is folded.
func (c *Core) Head() protocol.Cursor { return c.head }

// Horizon is the oldest seq from which the log still serves cursors.
func (c *Core) Horizon() uint64 { return c.horizon }

// Attached is how many sessions are attached or about to be.
func (c *Core) Attached() int { return len(c.sessions) }

// Damaged is why the space is read-only, or nil.
func (c *Core) Damaged() *protocol.Error { return c.damaged }

// Close begins to close: sessions are told Lost, what is in flight is resolved,
// everything is checkpointed; then Ready.Closed is true.
func (c *Core) Close(now protocol.Time) {
	c.at(now)
	if c.phase == phaseClosing || c.phase == phaseClosed {
		return
	}
	c.dropSessions(false, protocol.Errorf(protocol.CodeUnavailable, "the space is being closed here; connect again"))
	if c.phase == phaseOpen {
		c.phase = phaseClosing
	} else {
		// Nothing was appended by this core, so nothing is owed to the store.
		c.phase = phaseClosed
	}
	c.advance()
}

// Tick lets time pass: lost requests are repeated, checkpoints made, the log
// polled. It is cheap, and may be called at any time.
func (c *Core) Tick(now protocol.Time) {
	c.at(now)
	c.advance()
}

// Respond takes a store's answer. Answers to requests that were given up are
// ignored.
func (c *Core) Respond(now protocol.Time, r Response) {
	c.at(now)
	c.requests.answer(r)
	c.advance()
}

// Hint tells that some gateway has been seen to have head at seq or later: the
// log is read if this is behind. A hint decides nothing.
func (c *Core) Hint(now protocol.Time, seq uint64) {
	c.at(now)
	if seq > c.reading() {
		c.readTail()
	}
	c.advance()
}

// Ready returns what must be done, and forgets it.
func (c *Core) Ready() Ready {
	out := c.out
	c.out = Ready{}
	out.Closed = c.phase == phaseClosed
	out.Wake = c.wake()
	return out
}

// at lets the time be now.
func (c *Core) at(now protocol.Time) {
	c.now = max(c.now, now)
	c.requests.expire(c.now)
	if c.phase == phaseOpen && c.damaged == nil && !c.cfg.Exclusive && !c.headProven() {
		// A suspended process: what it remembers of devices and of the dead may have been
		// dropped by the others meanwhile, and what its peers pushed long ago may have
		// been sent again under another id.
		c.beginAgain(c.horizon, nil)
	}
}

// advance does all that can be done now. Each part looks at the whole state and
// is a no-op if it has nothing to do, so their order is not a matter of
// correctness; this one lets each see what the part before has made possible.
func (c *Core) advance() {
	c.refuseLate()
	switch c.phase {
	case phaseIdle:
		c.readImages()
		return
	case phaseImages, phaseClosed:
		return
	}
	c.fold()
	c.checkReach()
	if c.phase == phaseIdle {
		c.readImages() // it had fallen behind, and begins again
	}
	c.opened()
	if c.phase < phaseOpen {
		return
	}
	c.poll()
	c.attach()
	c.takePushes()
	c.takeHandedOver()
	c.commit()
	c.tellHead()
	c.keepCheckpoints()
	c.keepTrimmed()
	if c.phase == phaseClosing && c.settled() {
		c.phase = phaseClosed
	}
}

// settled is true if a closing core has nothing left to do.
func (c *Core) settled() bool {
	if c.damaged != nil {
		return true
	}
	return c.inflight == nil && len(c.queue) == 0 && len(c.unfolded) == 0 && c.checkpoint.idle() && c.cache.clean() &&
		c.checkpoint.watermark == c.head.Seq
}

// wake is when the next thing is due that only time brings.
func (c *Core) wake() protocol.Time {
	if c.phase == phaseClosed {
		return 0
	}
	var at protocol.Time
	due := func(t protocol.Time) {
		if t > 0 && (at == 0 || t < at) {
			at = t
		}
	}
	due(c.requests.nextDue())
	if c.phase == phaseIdle {
		due(c.now)
		return at
	}
	if len(c.queue) > 0 && c.inflight == nil {
		due(c.appendAt)
		due(c.handedOverDue())
	}
	for _, s := range c.attaching {
		due(s.since + millis(c.cfg.AttachWithin))
	}
	if c.phase >= phaseOpen {
		due(c.nextPoll())
		due(c.nextAnnounce())
		due(c.nextCheckpoint())
		due(c.nextTrim())
	}
	return at
}

func (c *Core) event(e Event) { c.out.Events = append(c.out.Events, e) }

func (c *Core) reply(session SessionID, body ReplyBody) {
	c.out.Replies = append(c.out.Replies, Reply{Session: session, Body: body})
}

// damage makes the space read-only for good: what follows head cannot be known.
func (c *Core) damage(err *protocol.Error) {
	if c.damaged != nil {
		return
	}
	c.damaged = err
	c.unfolded = nil
	c.event(Event{Kind: EventDamaged, Seq: c.head.Seq, Err: err})
	c.refuseQueue(err)
	if c.phase == phaseTail {
		c.phase = phaseOpen // what was folded can be read
	}
}
