package session

import "github.com/tidegate/tidegate/protocol"

// tokens is the life of the connection's token.
type tokens struct {
	// verifying is true while an answer to Authenticate is awaited.
	verifying bool
	// expires is when the token in use ends; 0 for never.
	expires protocol.Time
}

// verify asks the shell to verify a token.
func (s *Session) verify(token string) {
	s.token.verifying = true
	s.out.Authenticate = &Authenticate{Token: token}
}

// refresh takes a fresh token on a live connection.
func (s *Session) refresh(f *protocol.Token) *protocol.Error {
	if s.token.verifying {
		return protocol.Errorf(protocol.CodeOutOfOrder, "a token was shown while the one before is being verified")
	}
	s.verify(f.Token)
	return nil
}

func (s *Session) authenticated(access Access) {
	if !s.token.verifying || s.state >= closing {
		return
	}
	s.token.verifying = false
	if e := access.Expires(); e != 0 && e <= s.now {
		s.fail(protocol.Errorf(protocol.CodeExpired, "the token has expired"))
		return
	}
	if s.state == awaitingAccess {
		s.access, s.token.expires = access, access.Expires()
		s.welcome()
		return
	}
	// Everything that this connection has attached was attached for one user of one
	// tenant: a token of another cannot take it over.
	if access.User() != s.access.User() || access.Tenant() != s.access.Tenant() {
		s.fail(protocol.Errorf(protocol.CodeToken, "the token is another user's: it needs a connection of its own"))
		return
	}
	s.token.expires = access.Expires()
	if !s.cfg.Faults.KeepGrant {
		s.access = access
	}
	s.reply(&protocol.TokenAccept{Expires: s.token.expires})
	for _, sub := range s.snapshotSubs() {
		if sub.stage == ending {
			continue
		}
		if err := s.allowed(sub.space, false); err != nil {
			s.end(sub, err)
		}
	}
}

func (s *Session) refused(err *protocol.Error) {
	if !s.token.verifying || s.state >= closing {
		return
	}
	s.token.verifying = false
	if err == nil {
		err = protocol.Errorf(protocol.CodeToken, "the token was refused")
	}
	if _, ends := err.Code.Close(); !ends {
		err = protocol.Errorf(protocol.CodeToken, "%s", err.Message)
	}
	s.fail(err)
}

// watchToken ends the connection when its token does. A fresh token that is
// being verified at that moment is waited for, as long as the grace lasts.
func (s *Session) watchToken() {
	if s.token.expires == 0 || s.now < s.token.expires {
		return
	}
	if s.token.verifying && s.now < s.lastGrace() {
		return
	}
	s.fail(protocol.Errorf(protocol.CodeExpired, "the token has expired"))
}

// lastGrace is when the last message must be on its way, for the connection to
// be gone TokenGrace after the token's end.
func (s *Session) lastGrace() protocol.Time {
	grace := millis(s.cfg.Limits.TokenGrace)
	return s.token.expires + max(0, grace-2*lingerWithin)
}

func (s *Session) wakeToken(sooner func(protocol.Time)) {
	switch {
	case s.token.expires == 0:
	case s.token.verifying:
		sooner(s.lastGrace())
	default:
		sooner(s.token.expires)
	}
}
