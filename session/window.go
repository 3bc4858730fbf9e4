package session

import (
	"math"

	"github.com/tidegate/tidegate/protocol"
)

// downlink is the client's window: how much may be on its way to it.
type downlink struct {
	window uint64
	// sent and received are totals of bytes of delivery messages on this connection:
	// handed to the socket, and acknowledged.
	sent, received uint64
}

// outstanding is what was sent and not acknowledged.
func (d *downlink) outstanding() uint64 { return d.sent - d.received }

// left is how much of the window is open.
func (d *downlink) left() uint64 {
	if d.outstanding() >= d.window {
		return 0
	}
	return d.window - d.outstanding()
}

// fits says whether a message of size bytes may be sent now. One that is longer
// than the whole window goes alone; a window of 0 lets nothing through.
func (d *downlink) fits(size int) bool {
	switch {
	case d.window == 0:
		return false
	case d.outstanding() == 0:
		return true
	}
	return uint64(size) <= d.left()
}

// worth says whether the window is open far enough to read for a message of need
// bytes (0 if that is not known): it keeps the last bytes of a nearly closed
// window from being filled with tiny messages.
func (d *downlink) worth(need int) bool {
	if d.outstanding() == 0 {
		return d.window > 0
	}
	return d.left() >= max(uint64(need), min(d.window/4, 16<<10))
}

// uplink is the window of what the client has pushed and was not answered.
type uplink struct {
	bytes, count int
}

// charge takes a push into the window. A client knows the window from the
// welcome, and its pushes' answers: it cannot overrun it by accident. A single
// mutation longer than the window goes alone, or it would never go.
func (s *Session) charge(bytes, count int) *protocol.Error {
	l := &s.cfg.Limits
	alone := s.up.count == 0 && count == 1
	if !alone && (s.up.bytes+bytes > l.PushWindowBytes || s.up.count+count > l.PushWindowMutations) {
		return protocol.Errorf(protocol.CodeOutOfOrder, "the push overruns the window of %d bytes or %d mutations without a verdict", l.PushWindowBytes, l.PushWindowMutations)
	}
	s.up.bytes += bytes
	s.up.count += count
	return nil
}

// discharge gives back what charge took.
func (s *Session) discharge(bytes, count int) {
	s.up.bytes -= bytes
	s.up.count -= count
}

// ack takes what the client has received, and what it has durably applied.
func (s *Session) ack(f *protocol.Ack) *protocol.Error {
	anything := s.cfg.Faults.AcceptAnyAck
	switch {
	case f.Received > s.down.sent && !anything:
		return protocol.Errorf(protocol.CodeOutOfOrder, "%d bytes are acknowledged, but only %d were sent", f.Received, s.down.sent)
	case f.Received < s.down.received && !anything:
		return protocol.Errorf(protocol.CodeOutOfOrder, "%d bytes are acknowledged, but %d were before", f.Received, s.down.received)
	}
	s.down.received = max(s.down.received, min(f.Received, s.down.sent))
	for _, c := range f.Cursors {
		sub, err := s.find(c.Handle)
		if err != nil {
			return err
		}
		if sub == nil {
			continue
		}
		if err := sub.applied(c.Cursor); err != nil && !anything {
			return err
		}
		if c.Cursor == sub.acked {
			continue
		}
		sub.acked = c.Cursor
		s.out.Cursor = append(s.out.Cursor, CursorMoved(c))
	}
	for _, c := range f.Confirmed {
		sub, err := s.find(c.Handle)
		if err != nil {
			return err
		}
		for _, counter := range c.Counters {
			if counter == 0 || counter > math.MaxInt64 {
				return protocol.Errorf(protocol.CodeMalformed, "no mutation has the counter %d", counter)
			}
		}
		// A device that confirms before it was told what is unconfirmed will be told
		// again, and confirm again.
		if sub == nil || sub.stage != attached || len(c.Counters) == 0 {
			continue
		}
		s.out.Confirm = append(s.out.Confirm, Confirm(c))
	}
	return nil
}

// applied says what is wrong with a cursor that the device says it has reached.
// Cursors between two deliveries are taken on trust: the device alone could be
// harmed by naming one that is not there.
func (d *delivery) applied(c protocol.Cursor) *protocol.Error {
	switch {
	case c.Seq > d.delivered.Seq:
		return protocol.Errorf(protocol.CodeOutOfOrder, "seq %d is acknowledged, but only %d was delivered", c.Seq, d.delivered.Seq)
	case c.Seq < d.acked.Seq:
		return protocol.Errorf(protocol.CodeOutOfOrder, "seq %d is acknowledged, but %d was before", c.Seq, d.acked.Seq)
	case c.Seq == d.delivered.Seq && c != d.delivered, c.Seq == d.acked.Seq && c != d.acked:
		return protocol.Errorf(protocol.CodeOutOfOrder, "commit %v at seq %d was not delivered", c.Commit, c.Seq)
	}
	return nil
}
