package session

import (
	"cmp"
	"errors"

	"github.com/tidegate/tidegate/protocol"
)

// delivery is how far a subscription has been served. It holds positions; data
// only between a read and the socket.
type delivery struct {
	// from is where the next read begins, head the newest commit that is known to
	// exist. more is true if the space said that there is more.
	from Position
	head protocol.Cursor
	more bool
	// delivered is the last cursor that the device could reach with what it was
	// sent, acked the last that it says it has. Neither goes back.
	delivered protocol.Cursor
	acked     protocol.Cursor

	// reading is true while a read is open, since readAt.
	reading bool
	readAt  protocol.Time
	// held is what a read gave, until the socket is free. need is the length of a
	// message that was read and did not fit the window.
	held *Chunk
	need int
	// retryAt is when a read that gave nothing, or failed, is tried again; failed
	// tells which. pause doubles with each such read.
	retryAt protocol.Time
	pause   protocol.Time
	failed  bool
	// served orders the subscriptions of one lane and priority: who waits longest
	// goes first.
	served uint64
}

// lane is where the subscription's next delivery belongs.
func (d *delivery) lane() Lane {
	if d.from.Snapshot || d.held != nil && d.held.To.Snapshot {
		return LaneSnapshots
	}
	return LaneDeltas
}

// behind says whether there is something to read.
func (d *delivery) behind() bool {
	return d.from.Snapshot || d.more || d.head.Seq > d.from.Cursor.Seq
}

// wants says whether the subscription would read now.
func (sub *subscription) wants(now protocol.Time) bool {
	return sub.stage == attached && !sub.reading && sub.held == nil && now >= sub.retryAt && sub.behind()
}

// before orders subscriptions that could both be served: by lane, then by
// priority, then in turn.
func (sub *subscription) before(other *subscription) bool {
	return other == nil || cmp.Or(
		cmp.Compare(sub.lane(), other.lane()),
		cmp.Compare(other.priority, sub.priority),
		cmp.Compare(sub.served, other.served)) < 0
}

// head moves the newest commit that is known to exist.
func (s *Session) head(h protocol.Handle, c protocol.Cursor) {
	sub := s.lookup(h)
	if sub == nil || c.Seq <= sub.head.Seq || s.cfg.Faults.LostWakeup && sub.reading {
		return
	}
	sub.head = c
	if !sub.failed {
		sub.retryAt = 0
	}
}

// read asks for the next delivery, when the socket is free and the window open.
// One read at a time is enough, since what is near is answered at once; but one
// that has to wait for a store must not keep the other spaces waiting.
func (s *Session) read() {
	if s.lanes.writing {
		return
	}
	open, fresh := s.reads()
	if fresh || open >= maxReads {
		return
	}
	var next *subscription
	for _, sub := range s.subs {
		if sub.wants(s.now) && sub.before(next) {
			next = sub
		}
	}
	if next == nil {
		return
	}
	// Who is first in turn and does not fit is waited for: else a large commit would
	// never see the window empty.
	ignore := s.cfg.Faults.IgnoreWindow
	if !ignore && !s.down.worth(next.need) {
		return
	}
	room := s.cfg.ChunkBytes
	if left := s.down.left(); !ignore && left < uint64(room) {
		room = int(left)
	}
	device := next.device
	if s.cfg.Faults.NoNotices {
		device = protocol.DeviceID{}
	}
	next.reading, next.readAt = true, s.now
	s.out.Read = append(s.out.Read, Read{
		Handle:      next.handle,
		From:        next.from,
		MaxBytes:    max(1, room-len(deliveryPrefix(next.handle))),
		Collections: next.collections,
		Device:      device,
		Compression: s.compression,
	})
}

// reads counts the open reads, and says whether one is not slow yet.
func (s *Session) reads() (open int, fresh bool) {
	for _, sub := range s.subs {
		if sub.reading {
			open++
			fresh = fresh || s.now < sub.readAt+slowRead
		}
	}
	return open, fresh
}

// wakeRead names the times at which read could ask for more.
func (s *Session) wakeRead(sooner func(protocol.Time)) {
	for _, sub := range s.subs {
		if sub.retryAt > s.now && sub.behind() {
			sooner(sub.retryAt)
		}
		if slow := sub.readAt + slowRead; sub.reading && slow > s.now && len(s.subs) > 1 {
			sooner(slow)
		}
	}
}

// chunk takes what a read gave. It is sent as soon as the socket is free.
func (s *Session) chunk(in Chunk) {
	sub := s.lookup(in.Handle)
	if sub == nil || !sub.reading {
		return
	}
	sub.reading = false
	if sub.stage != attached {
		return
	}
	if !in.To.Snapshot && in.To.Cursor.Seq < sub.delivered.Seq {
		s.end(sub, protocol.Errorf(protocol.CodeUnavailable, "the space went back from seq %d to %d", sub.delivered.Seq, in.To.Cursor.Seq))
		return
	}
	if len(in.Frames) == 0 {
		sub.from, sub.more = in.To, in.More
		if !in.More {
			sub.backOff(s.now, false)
		}
		return
	}
	sub.held = &in
}

// readFailed tries again later, unless the failure is said to be for good.
func (s *Session) readFailed(h protocol.Handle, err error) {
	sub := s.lookup(h)
	if sub == nil || !sub.reading {
		return
	}
	sub.reading = false
	if sub.stage != attached {
		return
	}
	var known *protocol.Error
	if errors.As(err, &known) && known.Code != protocol.CodeUnavailable {
		s.end(sub, known)
		return
	}
	sub.backOff(s.now, true)
}

func (d *delivery) backOff(now protocol.Time, failed bool) {
	d.pause = min(max(2*d.pause, retryFirst), retryLast)
	d.retryAt, d.failed = now+d.pause, failed
}

// deliver sends the best of what was read, if it may still be seen and fits the
// window. What does not fit is forgotten, to be read again when it does: a reader
// that has stalled costs a position and not a chunk.
func (s *Session) deliver() {
	for {
		var next *subscription
		for _, sub := range s.subs {
			if sub.held != nil && sub.before(next) {
				next = sub
			}
		}
		if next == nil {
			return
		}
		if err := s.allowed(next.space, false); err != nil && !s.cfg.Faults.SkipDeliveryCheck {
			s.end(next, err)
			continue
		}
		chunk, lane := next.held, next.lane()
		next.held = nil
		out := Outgoing{Lane: lane, Prefix: deliveryPrefix(next.handle), Frames: chunk.Frames}
		if !s.down.fits(out.Len()) && !s.cfg.Faults.IgnoreWindow {
			next.need = out.Len()
			continue
		}
		to, more := chunk.To, chunk.More
		if f := s.cfg.Faults; !to.Snapshot && (f.SnapshotToHead && lane == LaneSnapshots || f.CursorBeforeDelivery && more) {
			to.Cursor, more = next.head, false
			out.Frames = protocol.AppendFrame(append([]byte(nil), chunk.Frames...), &protocol.Advance{Cursor: to.Cursor})
		}
		next.from, next.more = to, more
		if !to.Snapshot {
			next.delivered = to.Cursor
		}
		next.need, next.pause, next.retryAt, next.failed = 0, 0, 0, false
		next.served = s.lanes.next()
		s.down.sent += uint64(out.Len())
		s.emit(out)
		return
	}
}

// deliveryPrefix is what stands before a space's frames in a delivery message.
func deliveryPrefix(h protocol.Handle) []byte {
	return protocol.AppendFrame(protocol.AppendFormat(nil), &protocol.In{Handle: h})
}
