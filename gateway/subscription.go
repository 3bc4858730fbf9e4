package gateway

import (
	"slices"
	"sync"
	"time"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/session"
	"github.com/tidegate/tidegate/space"
)

// lagAfter is how long a device may take to apply durably what was head, before
// its cursor counts as lagging. Clients acknowledge within a second.
const lagAfter = 10 * time.Second

// subscription is one space on one connection: what the space knows as a sink,
// and the session as a handle.
type subscription struct {
	// Static after attach.
	handle   protocol.Handle
	key      space.Key
	author   protocol.Author
	inbox    *inbox
	attached *space.Attachment
	watches  bool // it wants to know who is there

	// Owned by the connection's owner.
	joined bool   // it takes part in the presence of its space
	ackNow uint64 // the newest commit that was delivered marked "ack now" and is not yet applied

	mu sync.Mutex
	// All guarded by mu.
	open    bool // Attached was told
	head    uint64
	applied uint64
	// due is a head that the device is to have applied within lagAfter of since.
	due   uint64
	since time.Time
	// pushes are those that the space has taken and not answered, in order.
	pushes []openPush
}

// openPush is a push that waits for its answer: its number, and its last counter.
type openPush struct{ id, last uint64 }

// Tell passes a space's words on, in the session's.
func (s *subscription) Tell(body space.ReplyBody) {
	switch b := body.(type) {
	case space.Attached:
		s.mu.Lock()
		s.open = true
		s.head = b.Head.Seq
		s.mu.Unlock()
		s.inbox.put(session.Attached{Handle: s.handle, Subscribed: b.Subscribed})
	case space.Verdicts:
		if b.Replay {
			s.answered(b.Push)
		} else {
			s.settled(b.Counter)
		}
		s.inbox.put(session.Verdicts{Handle: s.handle, Push: b.Push, Verdicts: b.Verdicts})
	case space.Refused:
		s.answered(b.Push)
		s.inbox.put(session.PushRefused{Handle: s.handle, Push: b.Push, Counter: b.Counter, Err: b.Err})
	case space.Lost:
		s.mu.Lock()
		open := s.open
		s.mu.Unlock()
		if open {
			s.inbox.put(session.SpaceFailed{Handle: s.handle, Err: b.Err})
		} else {
			s.inbox.put(session.AttachFailed{Handle: s.handle, Err: b.Err})
		}
	}
}

// pushed notes that the space is given a push.
func (s *subscription) pushed(id, last uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushes = append(s.pushes, openPush{id, last})
}

// settled notes that there are verdicts up to a counter.
func (s *subscription) settled(counter uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushes = slices.DeleteFunc(s.pushes, func(p openPush) bool { return p.last <= counter })
}

// answered notes that a push was not taken, or only its beginning: the error is
// the answer to all of it.
func (s *subscription) answered(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushes = slices.DeleteFunc(s.pushes, func(p openPush) bool { return p.id == id })
}

// unanswered reports whether the space still owes an answer to a push.
func (s *subscription) unanswered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pushes) > 0
}

// Moved passes on a new head.
func (s *subscription) Moved(head protocol.Cursor) {
	s.mu.Lock()
	s.head = max(s.head, head.Seq)
	if s.applied >= s.due {
		s.due, s.since = s.head, time.Now()
	}
	s.mu.Unlock()
	s.inbox.putHead(s.handle, head)
}

// moved notes how far the device has durably applied the space.
func (s *subscription) moved(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied = max(s.applied, seq)
	if s.applied >= s.due && s.applied < s.head {
		s.due, s.since = s.head, time.Now()
	}
}

// lagging reports whether the device has not applied in time what was head.
func (s *subscription) lagging(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied < s.due && now.Sub(s.since) > lagAfter
}

// nearCommits is how many commits lie close enough to head to be in the space's
// ring, most probably. A read that was thought near and is not costs this one
// connection the wait.
const nearCommits = 64

// near reports whether what lies behind a position is likely to be in memory.
func (s *subscription) near(from session.Position) bool {
	head := s.attached.Head().Seq
	return !from.Snapshot && from.Cursor.Seq+nearCommits >= head && from.Cursor.Seq <= head
}
