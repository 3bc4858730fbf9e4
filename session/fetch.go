package session

import "github.com/tidegate/tidegate/protocol"

// fetches are overwritten values that the peer asked for.
type fetches struct {
	// asked is how many the space was asked for; ready are those that wait for the
	// socket.
	asked int
	ready []protocol.Fetched
}

func (s *Session) fetch(f *protocol.Fetch) *protocol.Error {
	sub, err := s.find(f.Handle)
	if sub == nil {
		return err
	}
	if sub.stage == attaching {
		return protocol.Errorf(protocol.CodeOutOfOrder, "a value was asked for before the subscription was answered")
	}
	open := 0
	for _, o := range s.subs {
		open += o.fetches.asked + len(o.fetches.ready)
	}
	if open >= maxFetches {
		return protocol.Errorf(protocol.CodeRate, "more than %d values were asked for at once", maxFetches)
	}
	if err := s.allowed(sub.space, false); err != nil {
		s.end(sub, err)
		return nil
	}
	sub.fetches.asked++
	s.out.Fetch = append(s.out.Fetch, Fetch(*f))
	return nil
}

func (s *Session) fetched(in Fetched) {
	sub := s.lookup(in.Handle)
	if sub == nil || sub.fetches.asked == 0 {
		return
	}
	sub.fetches.asked--
	sub.fetches.ready = append(sub.fetches.ready, protocol.Fetched(in))
}

// writeFetched sends values of one space, as many as fit a message.
func (s *Session) writeFetched() bool {
	for {
		var next *subscription
		for _, sub := range s.subs {
			if len(sub.fetches.ready) > 0 && (next == nil || sub.priority > next.priority) {
				next = sub
			}
		}
		if next == nil {
			return false
		}
		if err := s.allowed(next.space, false); err != nil && !s.cfg.Faults.SkipDeliveryCheck {
			s.end(next, err)
			continue
		}
		msg := protocol.AppendFormat(nil)
		for len(next.fetches.ready) > 0 && len(msg) < messageBytes {
			msg = protocol.AppendFrame(msg, &next.fetches.ready[0])
			next.fetches.ready = next.fetches.ready[1:]
		}
		s.emit(Outgoing{Lane: LaneSnapshots, Prefix: msg})
		return true
	}
}
