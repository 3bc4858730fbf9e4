package session

import (
	"cmp"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/tidegate/tidegate/protocol"
)

// stage is where a subscription is in its life.
type stage uint8

const (
	// attaching: the space has been asked for.
	attaching stage = iota
	// attached: it flows.
	attached
	// ending: nothing flows but the answers to what was pushed. Once they are all
	// here the peer is told that it is over, and the space is let go of: until then
	// they count against the window, so that ending and beginning anew gives nobody
	// more of it.
	ending
)

// subscription is one space on this connection.
type subscription struct {
	// Static.
	handle      protocol.Handle
	space       string
	device      protocol.DeviceID
	collections []string
	priority    uint8
	presence    bool
	// write is true if the space was attached for writing: a token that allows it
	// only later needs a new subscription, which binds the device to its user.
	write bool

	stage stage
	// why it ends, once it does; without a code if the peer asked for it.
	why *protocol.Error

	delivery
	pushes
	// What waits for the socket.
	answers []answer
	present presences
	fetches fetches
}

func (s *Session) lookup(h protocol.Handle) *subscription {
	i, ok := slices.BinarySearchFunc(s.subs, h, func(sub *subscription, h protocol.Handle) int {
		return cmp.Compare(sub.handle, h)
	})
	if !ok {
		return nil
	}
	return s.subs[i]
}

// snapshotSubs is a copy of the list, for loops that may end subscriptions.
func (s *Session) snapshotSubs() []*subscription { return slices.Clone(s.subs) }

func (s *Session) subscribe(f *protocol.Subscribe) *protocol.Error {
	switch {
	case f.Handle <= s.newest:
		return protocol.Errorf(protocol.CodeOutOfOrder, "handle %d does not follow %d: handles grow, and none is used twice", f.Handle, s.newest)
	case f.Device.IsZero():
		return protocol.Errorf(protocol.CodeMalformed, "the subscription names no device")
	case len(f.Collections) > maxCollections:
		return protocol.Errorf(protocol.CodeTooLarge, "the subscription names %d collections, at most %d are allowed", len(f.Collections), maxCollections)
	}
	for _, c := range f.Collections {
		if c == "" || len(c) > protocol.MaxNameBytes || !utf8.ValidString(c) {
			return protocol.Errorf(protocol.CodeMalformed, "the subscription names a collection that cannot be")
		}
	}
	s.newest = f.Handle
	refuse := func(err *protocol.Error) *protocol.Error {
		s.reply(&protocol.Unsubscribed{Handle: f.Handle, Code: err.Code, Message: err.Message})
		return nil
	}
	if err := protocol.CheckSpaceName(f.Space); err != nil {
		return refuse(protocol.AsError(err))
	}
	if s.leave.draining {
		return refuse(goingAway())
	}
	if len(s.subs) >= s.cfg.Limits.Subscriptions {
		return refuse(protocol.Errorf(protocol.CodeSubscriptions, "a connection holds at most %d subscriptions", s.cfg.Limits.Subscriptions))
	}
	if err := s.allowed(f.Space, false); err != nil {
		return refuse(err)
	}
	sub := &subscription{
		handle:      f.Handle,
		space:       f.Space,
		device:      f.Device,
		collections: f.Collections,
		priority:    f.Priority,
		presence:    f.Presence,
		write:       s.allowed(f.Space, true) == nil,
		delivery:    delivery{from: Position{Cursor: f.Cursor}},
	}
	s.subs = append(s.subs, sub)
	s.out.Attach = append(s.out.Attach, Attach{
		Handle:   f.Handle,
		Tenant:   s.access.Tenant(),
		Space:    f.Space,
		Author:   protocol.Author{Device: f.Device, User: s.access.User()},
		Cursor:   f.Cursor,
		Counter:  f.Counter,
		Presence: f.Presence,
		Write:    sub.write,
	})
	return nil
}

// attached answers the peer's Subscribe and lets go what waited for it.
func (s *Session) attached(h protocol.Handle, f protocol.Subscribed) {
	sub := s.lookup(h)
	if sub == nil || sub.stage != attaching {
		return
	}
	if err := s.allowed(sub.space, false); err != nil {
		s.end(sub, err)
		return
	}
	sub.stage = attached
	if f.Head.Seq >= sub.head.Seq {
		sub.head = f.Head
	}
	switch f.Mode {
	case protocol.ModeResume:
		sub.delivered, sub.acked = sub.from.Cursor, sub.from.Cursor
		if s.cfg.Faults.ResumeSkipsOne && sub.from.Cursor.Seq < f.Head.Seq {
			sub.from.Cursor.Seq++
		}
	default:
		sub.from = Position{Snapshot: true}
	}
	sub.counter, sub.hash = f.Counter, f.Hash
	f.Handle = h
	f.Write = f.Write && sub.write && s.allowed(sub.space, true) == nil
	s.say(&f)

	waiting := sub.waiting
	sub.waiting = nil
	for _, p := range waiting {
		if f.Mode == protocol.ModeOtherHistory {
			// The device takes a new id here, and pushes under that.
			s.replay(sub, p, protocol.Verdicts{Counter: f.Counter, Hash: f.Hash})
			continue
		}
		s.offer(sub, p)
	}
	s.offerPresence(sub)
}

// unsubscribe ends a subscription because the peer asks for it.
func (s *Session) unsubscribe(f *protocol.Unsubscribe) *protocol.Error {
	sub, err := s.find(f.Handle)
	if sub == nil {
		return err
	}
	s.end(sub, &protocol.Error{})
	return nil
}

// end ends a subscription: deliveries at once, the rest when everything pushed
// has its answer. What waited for a space that is not there yet was not taken.
func (s *Session) end(sub *subscription, why *protocol.Error) {
	if sub.stage == attaching {
		for _, p := range sub.open {
			s.discharge(p.rest())
		}
		sub.pushes = pushes{}
	}
	sub.stage, sub.why = ending, why
	sub.held = nil
	sub.present = presences{}
	sub.fetches = fetches{}
	s.settle(sub)
}

// settle lets go of an ending subscription once everything pushed has its
// answer.
func (s *Session) settle(sub *subscription) {
	if sub.stage != ending || len(sub.open) > 0 {
		return
	}
	s.tell(sub, sub.why)
	s.drop(sub)
	s.out.Detach = append(s.out.Detach, sub.handle)
}

// spaceFailed ends a subscription that its space has ended already.
func (s *Session) spaceFailed(h protocol.Handle, err error) {
	sub := s.lookup(h)
	if sub == nil {
		return
	}
	if sub.stage == ending {
		s.tell(sub, sub.why)
	} else {
		s.tell(sub, spaceError(err))
	}
	s.drop(sub)
}

// tell queues Unsubscribed, behind the answers that already wait: nothing follows
// it under the handle.
func (s *Session) tell(sub *subscription, why *protocol.Error) {
	for _, a := range sub.answers {
		s.say(a.frame)
		s.discharge(a.bytes, a.count)
	}
	sub.answers = nil
	s.reply(&protocol.Unsubscribed{Handle: sub.handle, Code: why.Code, Message: why.Message})
}

// drop takes a subscription off the list, and what it pushed off the window.
func (s *Session) drop(sub *subscription) {
	for _, p := range sub.open {
		s.discharge(p.rest())
	}
	sub.pushes = pushes{}
	s.subs = slices.DeleteFunc(s.subs, func(o *subscription) bool { return o == sub })
}

// spaceError is what a space's failure is called when the peer is told of it.
func spaceError(err error) *protocol.Error {
	var known *protocol.Error
	if errors.As(err, &known) {
		return known
	}
	return protocol.Errorf(protocol.CodeUnavailable, "the space cannot be reached now")
}
