package session

import "github.com/tidegate/tidegate/protocol"

// lanes is what waits for the socket, and whether it can take something. Verdicts,
// chunks, fetched values and presence wait with their subscriptions.
type lanes struct {
	// writing is true while a message is being written, since the time since.
	writing bool
	since   protocol.Time
	// control is the frames of the control lane, encoded.
	control []byte
	// answers is how many bytes of control answer the peer's own frames: what it can
	// make wait here by sending and not reading.
	answers int
	// pongs is how many of control's frames are pongs; pinging is true if there is a
	// ping among them.
	pongs   int
	pinging bool
	// turn counts deliveries and presence messages.
	turn uint64
}

func (l *lanes) next() uint64 {
	l.turn++
	return l.turn
}

// say queues a control frame.
func (s *Session) say(f protocol.Frame) {
	s.lanes.control = protocol.AppendFrame(s.lanes.control, f)
}

// reply queues a control frame that answers one of the peer's.
func (s *Session) reply(f protocol.Frame) {
	before := len(s.lanes.control)
	s.say(f)
	s.lanes.answers += len(s.lanes.control) - before
}

// paused says whether the shell is to leave the socket unread.
func (s *Session) paused() bool {
	return s.state == awaitingAccess || s.state == live && s.lanes.answers > pauseAnswers
}

// emit hands a message to the socket.
func (s *Session) emit(out Outgoing) {
	s.lanes.writing, s.lanes.since = true, s.now
	s.out.Write = &out
}

// write sends what is first in the three upper lanes.
func (s *Session) write() {
	if s.lanes.writing {
		return
	}
	if msg, lane := s.controlAndVerdicts(); msg != nil {
		s.emit(Outgoing{Lane: lane, Prefix: msg})
		return
	}
	s.deliver()
}

// writeIdle sends what is first in the lower lanes, if no delivery is about to
// come.
func (s *Session) writeIdle() {
	if _, fresh := s.reads(); fresh || s.lanes.writing {
		return
	}
	if !s.writeFetched() {
		s.writePresence()
	}
}

// controlAndVerdicts is a message of all that waits in the control lane, and of
// verdicts as far as they fit, one answer of each subscription in turn.
func (s *Session) controlAndVerdicts() ([]byte, Lane) {
	lane := LaneVerdicts
	if len(s.lanes.control) > 0 {
		lane = LaneControl
	}
	msg := append(protocol.AppendFormat(nil), s.lanes.control...)
	s.lanes.control, s.lanes.answers, s.lanes.pongs = nil, 0, 0
	if s.lanes.pinging {
		s.lanes.pinging = false
		s.pinged()
	}
	empty := len(msg)
	if lane == LaneControl {
		empty = 0
	}
	for waits := true; waits && len(msg) < messageBytes; {
		waits = false
		for _, sub := range s.subs {
			if len(sub.answers) == 0 || len(msg) >= messageBytes {
				continue
			}
			a := sub.answers[0]
			sub.answers = sub.answers[1:]
			msg = protocol.AppendFrame(msg, a.frame)
			s.discharge(a.bytes, a.count)
			waits = true
		}
	}
	if len(msg) == empty {
		return nil, lane
	}
	return msg, lane
}
