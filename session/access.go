package session

import (
	"errors"

	"github.com/tidegate/tidegate/protocol"
)

// Access is what a verified token allows. The shell makes it from a token that
// it was asked to verify; a session never looks into a token. It must be safe to
// call at any time, must not block, and may change its mind: what it forbids
// stops with the next delivery or push.
type Access interface {
	// Check returns nil if the holder may read the space, or write to it, and the
	// reason otherwise, as a *protocol.Error or an error whose text may be shown to
	// the user.
	Check(space string, write bool) error
	// User is who the token says the holder is.
	User() string
	// Tenant is the isolation boundary that every space of this connection lies in.
	Tenant() string
	// Expires is when the token ends; 0 for never.
	Expires() protocol.Time
}

// allowed says whether the holder of the connection's token may read the space
// now, or write to it. Every subscription, every frame that is passed on to a
// space and every delivery comes through here, each time.
func (s *Session) allowed(space string, write bool) *protocol.Error {
	err := s.access.Check(space, write)
	if err == nil {
		return nil
	}
	var known *protocol.Error
	if errors.As(err, &known) {
		return known
	}
	return protocol.Errorf(protocol.CodeForbidden, "%s", err.Error())
}
