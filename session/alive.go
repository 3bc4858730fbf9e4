package session

import "github.com/tidegate/tidegate/protocol"

// alive is whether the peer still hears us, and we it.
type alive struct {
	// heard is when the last message came.
	heard protocol.Time
	// next is when the next ping is due, and nonce the last one's.
	next  protocol.Time
	nonce uint64
	// asked is when the socket took the first ping that nothing has followed yet.
	asked protocol.Time
}

// ping answers the peer's ping.
func (s *Session) ping(f *protocol.Ping) *protocol.Error {
	if s.lanes.pongs >= maxPings {
		return protocol.Errorf(protocol.CodeRate, "more than %d pings wait for their pongs", maxPings)
	}
	s.lanes.pongs++
	s.reply(&protocol.Pong{Nonce: f.Nonce, Clock: s.now})
	return nil
}

// pinged notes that a ping is on its way.
func (s *Session) pinged() {
	if s.alive.asked == 0 || s.alive.heard >= s.alive.asked {
		s.alive.asked = s.now
	}
}

// silentAt is when the peer counts as dead: an interval after the ping that it
// has not answered, and two after it was heard last. 0 if it owes no answer.
func (s *Session) silentAt() protocol.Time {
	if s.alive.asked == 0 || s.alive.heard >= s.alive.asked {
		return 0
	}
	every := millis(s.cfg.Limits.PingEvery)
	return max(s.alive.asked+every, s.alive.heard+2*every)
}

// slowAt is when the message that is being written has taken too long; 0 if none
// is.
func (s *Session) slowAt() protocol.Time {
	if !s.lanes.writing {
		return 0
	}
	return s.lanes.since + millis(s.cfg.WriteWithin)
}

// watchPeer pings, and ends a connection whose peer is silent or takes nothing.
// Pings go out whatever else does: the peer, too, wants to know who is there.
func (s *Session) watchPeer() {
	if s.state != live {
		return
	}
	switch slow, silent := s.slowAt(), s.silentAt(); {
	case slow != 0 && s.now >= slow:
		s.fail(protocol.Errorf(protocol.CodeSlow, "the socket took nothing for %v", s.cfg.WriteWithin))
		s.leave.by = s.now
		return
	case silent != 0 && s.now >= silent:
		s.fail(protocol.Errorf(protocol.CodeSilent, "nothing was heard for %v", 2*s.cfg.Limits.PingEvery))
		return
	}
	if s.now < s.alive.next {
		return
	}
	s.alive.next = s.now + millis(s.cfg.Limits.PingEvery)
	if !s.lanes.pinging {
		s.lanes.pinging = true
		s.alive.nonce++
		s.say(&protocol.Ping{Nonce: s.alive.nonce})
	}
}

func (s *Session) wakePeer(sooner func(protocol.Time)) {
	sooner(s.alive.next)
	sooner(s.silentAt())
	sooner(s.slowAt())
}
