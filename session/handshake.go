package session

import (
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// handshake is what is known of the peer from its hello, and what it sent before
// its token was verified.
type handshake struct {
	// by is when the hello, and then the answer about its token, must be here.
	by          protocol.Time
	device      protocol.DeviceID
	version     uint32
	compression string
	// held are the frames that came behind the hello. They count with the messages
	// they came in.
	held      []protocol.Frame
	heldBytes int
}

func (s *Session) hello(f *protocol.Hello) *protocol.Error {
	switch {
	case f.Version < oldestVersion:
		return protocol.Errorf(protocol.CodeUpgrade, "version %d of the protocol is not spoken any more, at least %d is needed", f.Version, oldestVersion)
	case f.Device.IsZero():
		return protocol.Errorf(protocol.CodeMalformed, "the hello names no device")
	}
	s.version = min(f.Version, protocol.Version)
	s.device = f.Device
	s.compression = s.choose(f.Compression)
	s.down.window = f.Window
	if f.Window == 0 {
		s.down.window = s.cfg.Window
	}
	s.state = awaitingAccess
	s.handshake.by = s.now + millis(s.cfg.Limits.HelloWithin)
	s.verify(f.Token)
	return nil
}

// choose returns the first compression of the client's list that we have.
func (s *Session) choose(offered []string) string {
	for _, c := range offered {
		if c != "" && slices.Contains(s.cfg.Compression, c) {
			return c
		}
	}
	return "none"
}

// hold keeps what came before the token was verified. The shell pauses
// meanwhile, so an honest peer cannot make this much, however it pipelines.
func (s *Session) hold(frames []protocol.Frame, size int) {
	if len(frames) == 0 {
		return
	}
	s.heldBytes += size
	if s.heldBytes > 2*s.cfg.Limits.FrameBytes {
		s.fail(protocol.Errorf(protocol.CodeOutOfOrder, "more than %d bytes came before the welcome", 2*s.cfg.Limits.FrameBytes))
		return
	}
	s.held = append(s.held, frames...)
}

// welcome begins the live part of the connection, with what was held.
func (s *Session) welcome() {
	l := &s.cfg.Limits
	s.state = live
	s.say(&protocol.Welcome{
		Version:         s.version,
		Compression:     s.compression,
		Session:         s.cfg.Name,
		Clock:           s.now,
		User:            s.access.User(),
		Expires:         s.token.expires,
		Window:          uint64(l.PushWindowBytes),
		WindowMutations: uint64(l.PushWindowMutations),
		FrameBytes:      uint64(l.FrameBytes),
		MutationBytes:   uint64(l.MutationBytes),
		PingEvery:       uint64(millis(l.PingEvery)),
	})
	s.alive.heard = s.now
	s.alive.next = s.now + millis(l.PingEvery)
	held := s.held
	s.held, s.heldBytes = nil, 0
	s.frames(held, 0)
}

func (s *Session) watchHandshake() {
	switch {
	case s.now < s.handshake.by:
	case s.state == awaitingHello:
		s.fail(protocol.Errorf(protocol.CodeHelloLate, "no hello came within %v", s.cfg.Limits.HelloWithin))
	default:
		s.fail(protocol.Errorf(protocol.CodeInternal, "the token could not be verified in time"))
	}
}
