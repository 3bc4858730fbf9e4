package gateway

import (
	"sync"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// maxPresent bounds the devices that are present in one space. Who comes later
// is not seen until somebody leaves.
const maxPresent = 1000

// presenceHub knows who is present where. It holds nothing that matters: a
// device's latest value, until it leaves. Safe for concurrent use.
type presenceHub struct {
	mu    sync.Mutex
	rooms map[space.Key]*room // guarded by mu; a room is there while somebody is in it
}

// room is the presence of one space on this gateway.
type room struct {
	mu sync.Mutex
	// Guarded by mu.
	watchers map[*subscription]struct{}
	present  map[protocol.DeviceID]presence
	// users counts the subscriptions that hold the room; guarded by the hub's mu.
	users int
}

// presence is what a device last said, and on which subscription.
type presence struct {
	protocol.DevicePresence
	by *subscription
}

func newPresenceHub() *presenceHub {
	return &presenceHub{rooms: map[space.Key]*room{}}
}

// join lets a subscription in; if it watches, it is told who is there. Everyone
// who joins leaves.
func (h *presenceHub) join(s *subscription, watches bool) {
	h.mu.Lock()
	r := h.rooms[s.key]
	if r == nil {
		r = &room{watchers: map[*subscription]struct{}{}, present: map[protocol.DeviceID]presence{}}
		h.rooms[s.key] = r
	}
	r.users++
	h.mu.Unlock()
	if !watches {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers[s] = struct{}{}
	for device, p := range r.present {
		if device != s.author.Device {
			s.inbox.putPresence(s.handle, p.DevicePresence)
		}
	}
}

// set makes value the subscription's presence; absent leaves.
func (h *presenceHub) set(s *subscription, value protocol.Value) {
	h.mu.Lock()
	r := h.rooms[s.key]
	h.mu.Unlock()
	if r != nil {
		r.set(s, value)
	}
}

// leave ends a subscription's presence and its watching.
func (h *presenceHub) leave(s *subscription) {
	h.mu.Lock()
	r := h.rooms[s.key]
	if r == nil {
		h.mu.Unlock()
		return
	}
	r.users--
	if r.users == 0 {
		delete(h.rooms, s.key)
	}
	h.mu.Unlock()
	r.set(s, protocol.Value{})
	r.mu.Lock()
	delete(r.watchers, s)
	r.mu.Unlock()
}

func (r *room) set(s *subscription, value protocol.Value) {
	r.mu.Lock()
	defer r.mu.Unlock()
	device := s.author.Device
	before, known := r.present[device]
	switch {
	case value.IsAbsent():
		// A device that has reconnected already is not ended by its old connection.
		if !known || before.by != s {
			return
		}
		delete(r.present, device)
	case !known && len(r.present) >= maxPresent:
		return
	default:
		r.present[device] = presence{protocol.DevicePresence{Author: s.author, Value: value}, s}
	}
	for w := range r.watchers {
		if w.author.Device != device {
			w.inbox.putPresence(w.handle, protocol.DevicePresence{Author: s.author, Value: value})
		}
	}
}
