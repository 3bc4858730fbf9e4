package session

import "github.com/tidegate/tidegate/protocol"

// message takes a message from the peer, and ends the connection if it is not
// one that this peer may send now.
func (s *Session) message(msg []byte) {
	if s.state >= closing {
		return
	}
	s.alive.heard = s.now
	if len(msg) > s.cfg.Limits.FrameBytes {
		s.fail(protocol.Errorf(protocol.CodeTooLarge, "the message has %d bytes, at most %d are allowed", len(msg), s.cfg.Limits.FrameBytes))
		return
	}
	frames, err := protocol.DecodeClientMessage(msg)
	if err != nil {
		s.fail(protocol.AsError(err))
		return
	}
	if s.state == awaitingAccess {
		s.hold(frames, len(msg))
		return
	}
	s.frames(frames, len(msg))
}

// frames takes the frames of one message, in order. size is the message's
// length.
func (s *Session) frames(frames []protocol.Frame, size int) {
	for i, f := range frames {
		if err := s.frame(f); err != nil {
			s.fail(err)
		}
		switch s.state {
		case awaitingAccess:
			s.hold(frames[i+1:], size)
			return
		case closing, closed:
			return
		case awaitingHello, live:
		}
	}
}

// frame takes one frame. An error ends the connection; what concerns only a
// subscription or a mutation is answered instead.
func (s *Session) frame(f protocol.Frame) *protocol.Error {
	hello, isHello := f.(*protocol.Hello)
	switch {
	case s.state == awaitingHello && isHello:
		return s.hello(hello)
	case s.state == awaitingHello:
		return protocol.Errorf(protocol.CodeOutOfOrder, "the first frame of a connection is a hello")
	case isHello:
		return protocol.Errorf(protocol.CodeOutOfOrder, "a connection says hello once")
	}
	if s.lanes.answers > maxAnswers {
		return protocol.Errorf(protocol.CodeRate, "more than %d bytes of answers wait to be read", maxAnswers)
	}
	switch f := f.(type) {
	case *protocol.Subscribe:
		return s.subscribe(f)
	case *protocol.Unsubscribe:
		return s.unsubscribe(f)
	case *protocol.Push:
		return s.push(f)
	case *protocol.Ack:
		return s.ack(f)
	case *protocol.Window:
		s.down.window = f.Bytes
	case *protocol.Presence:
		return s.presence(f)
	case *protocol.Token:
		return s.refresh(f)
	case *protocol.Ping:
		return s.ping(f)
	case *protocol.Pong:
		// That something was heard is all that a pong says.
	case *protocol.Fetch:
		return s.fetch(f)
	default:
		return protocol.Errorf(protocol.CodeMalformed, "a %v frame is the server's to send", f.Type())
	}
	return nil
}

// find returns the subscription that a frame of the peer is about. There is none
// if it has ended: the peer may not have heard that yet, so frames about it are
// passed over. A handle that never was ends the connection.
func (s *Session) find(h protocol.Handle) (*subscription, *protocol.Error) {
	if h == 0 || h > s.newest {
		return nil, protocol.Errorf(protocol.CodeOutOfOrder, "there is no subscription with handle %d", h)
	}
	if sub := s.lookup(h); sub != nil && sub.stage != ending {
		return sub, nil
	}
	return nil, nil
}
