package session

import (
	"unicode/utf8"

	"github.com/tidegate/tidegate/protocol"
)

// leave is how a connection ends.
type leave struct {
	// draining is true once the peer was told to go away.
	draining bool
	// by is when the end is not waited for any longer: for verdicts while draining,
	// for the socket while closing.
	by    protocol.Time
	close Close
}

// maxReason is what WebSocket allows for the reason in a close frame.
const maxReason = 123

func goingAway() *protocol.Error {
	return protocol.Errorf(protocol.CodeGoingAway, "the server is stopping")
}

// drain tells the peer to go away. Nothing new is taken; what was taken is
// answered first, as long as there is time for it.
func (s *Session) drain(within uint64) {
	if s.leave.draining || s.state >= closing {
		return
	}
	s.say(&protocol.GoingAway{Within: within})
	if s.state != live {
		s.finish()
		return
	}
	s.leave.draining = true
	s.leave.by = s.now + millis(s.cfg.DrainWithin)
	for _, sub := range s.subs {
		waiting := sub.waiting
		sub.waiting = nil
		for _, p := range waiting {
			s.refuse(sub, p, p.first, goingAway())
		}
	}
}

// drained says whether a draining session has nothing left to wait for.
func (s *Session) drained() bool {
	if !s.leave.draining {
		return false
	}
	for _, sub := range s.subs {
		if len(sub.open) > 0 {
			return s.now >= s.leave.by
		}
	}
	return true
}

// finish ends a drained connection.
func (s *Session) finish() { s.leaveWith(goingAway()) }

// fail ends the connection for a reason, which the peer is told in an error
// frame before it learns it from the close code.
func (s *Session) fail(why *protocol.Error) {
	if s.state >= closing {
		return
	}
	s.leaveWith(why)
	s.say(&protocol.ErrorFrame{Code: why.Code, Message: why.Message})
}

// leaveWith lets go of everything but the last message. Verdicts that wait go
// into it: their mutations are durable, whatever the peer has done since.
func (s *Session) leaveWith(why *protocol.Error) {
	code, ends := why.Code.Close()
	if !ends {
		code, _ = protocol.CodeInternal.Close()
	}
	s.leave.close = Close{Code: code, Message: clip(why.Message, maxReason), Cause: why.Code}
	s.leave.by = s.now + lingerWithin
	s.state = closing
	s.held, s.out.Authenticate, s.out.Read, s.out.Fetch = nil, nil, nil, nil
	for _, sub := range s.subs {
		for _, a := range sub.answers {
			s.say(a.frame)
		}
	}
	s.detachAll()
}

func (s *Session) detachAll() {
	for _, sub := range s.subs {
		s.out.Detach = append(s.out.Detach, sub.handle)
	}
	s.subs, s.up = nil, uplink{}
}

// farewell sends the last message and the close, once the socket is free or has
// had its time.
func (s *Session) farewell() {
	if s.lanes.writing && s.now < s.leave.by {
		return
	}
	if len(s.lanes.control) > 0 && !s.lanes.writing {
		s.out.Write = &Outgoing{Lane: LaneControl, Prefix: append(protocol.AppendFormat(nil), s.lanes.control...)}
	}
	s.lanes.control = nil
	last := s.leave.close
	s.out.Close = &last
	s.state = closed
}

// gone lets go of everything at once.
func (s *Session) gone() {
	s.detachAll()
	s.held, s.lanes.control = nil, nil
	s.out.Authenticate, s.out.Read, s.out.Fetch = nil, nil, nil
	s.state = closed
}

// clip shortens text to at most limit bytes without cutting a character.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
