package gateway

import (
	"sync"
	"time"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

const (
	// maxPresent bounds the devices that are present in one space, those of this
	// gateway and those of all others each. Who comes later is not seen until somebody
	// leaves.
	maxPresent = 1000
	// presenceEvery is how often other gateways are told again what devices here show.
	presenceEvery = 10 * time.Second
	// presenceWithin is how long what another gateway told is shown: nobody tells of
	// the devices of a gateway that has died.
	presenceWithin = 30 * time.Second
)

// presenceHub knows who is present where. It holds nothing that matters: a
// device's latest value, until it leaves. Safe for concurrent use.
type presenceHub struct {
	// tell tells other gateways of devices here, and opened that somebody is in a
	// room that was empty. Static; nil without other gateways. Both return at once.
	tell   func(space.Key, ...protocol.DevicePresence)
	opened func(space.Key)

	mu    sync.Mutex
	rooms map[space.Key]*room // guarded by mu; a room is there while somebody is in it
}

// room is the presence of one space, as this gateway knows it.
type room struct {
	key space.Key                                   // static
	out func(space.Key, ...protocol.DevicePresence) // static: presenceHub.tell

	mu sync.Mutex
	// Guarded by mu.
	watchers map[*subscription]struct{}
	here     map[protocol.DeviceID]presence // devices of this gateway
	// elsewhere are devices of other gateways. One that is also here, since it has
	// moved and its old connection has not ended yet, is shown as it is here.
	elsewhere map[protocol.DeviceID]hearsay
	// users counts the subscriptions that hold the room; guarded by the hub's mu.
	users int
}

// presence is what a device last said, and on which subscription.
type presence struct {
	protocol.DevicePresence
	by *subscription
}

// hearsay is what another gateway last said of a device of its own, and when.
type hearsay struct {
	protocol.DevicePresence
	gateway string
	at      time.Time
}

func newPresenceHub() *presenceHub {
	return &presenceHub{rooms: map[space.Key]*room{}}
}

// room returns the room of a space, or nil if nobody is in it.
func (h *presenceHub) room(key space.Key) *room {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rooms[key]
}

// join lets a subscription in; if it watches, it is told who is there. Everyone
// who joins leaves.
func (h *presenceHub) join(s *subscription, watches bool) {
	h.mu.Lock()
	r := h.rooms[s.key]
	first := r == nil
	if first {
		r = &room{
			key: s.key, out: h.tell,
			watchers:  map[*subscription]struct{}{},
			here:      map[protocol.DeviceID]presence{},
			elsewhere: map[protocol.DeviceID]hearsay{},
		}
		h.rooms[s.key] = r
	}
	r.users++
	h.mu.Unlock()
	if first && h.opened != nil {
		h.opened(s.key)
	}
	if !watches {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watchers[s] = struct{}{}
	for device, p := range r.here {
		if device != s.author.Device {
			s.inbox.putPresence(s.handle, p.DevicePresence)
		}
	}
	for device, p := range r.elsewhere {
		if _, here := r.here[device]; !here && device != s.author.Device {
			s.inbox.putPresence(s.handle, p.DevicePresence)
		}
	}
}

// set makes value the subscription's presence; absent leaves.
func (h *presenceHub) set(s *subscription, value protocol.Value) {
	if r := h.room(s.key); r != nil {
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
	before, known := r.here[device]
	said := protocol.DevicePresence{Author: s.author, Value: value}
	shown := said
	switch {
	case value.IsAbsent():
		// A device that has reconnected already is not ended by its old connection.
		if !known || before.by != s {
			return
		}
		delete(r.here, device)
		if p, moved := r.elsewhere[device]; moved {
			shown = p.DevicePresence
		}
	case !known && len(r.here) >= maxPresent:
		return
	default:
		r.here[device] = presence{said, s}
	}
	r.showLocked(shown)
	if r.out != nil {
		r.out(r.key, said)
	}
}

// showLocked tells those who watch what a device shows now.
func (r *room) showLocked(who protocol.DevicePresence) {
	for w := range r.watchers {
		if w.author.Device != who.Author.Device {
			w.inbox.putPresence(w.handle, who)
		}
	}
}

// keys returns the spaces in which somebody is.
func (h *presenceHub) keys() []space.Key {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := make([]space.Key, 0, len(h.rooms))
	for key := range h.rooms {
		keys = append(keys, key)
	}
	return keys
}

// here returns what the devices of this gateway show in a space.
func (h *presenceHub) here(key space.Key) (devices []protocol.DevicePresence) {
	if r := h.room(key); r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, p := range r.here {
			devices = append(devices, p.DevicePresence)
		}
	}
	return devices
}

// hear takes what another gateway says of its devices.
func (h *presenceHub) hear(key space.Key, gateway string, devices []protocol.DevicePresence, now time.Time) {
	r := h.room(key)
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, who := range devices {
		r.hearLocked(gateway, who, now)
	}
}

func (r *room) hearLocked(gateway string, who protocol.DevicePresence, now time.Time) {
	device := who.Author.Device
	before, known := r.elsewhere[device]
	switch {
	case who.Value.IsAbsent():
		// A device that has moved on is not ended by the gateway that it has left.
		if !known || before.gateway != gateway {
			return
		}
		delete(r.elsewhere, device)
	case !known && len(r.elsewhere) >= maxPresent:
		return
	default:
		r.elsewhere[device] = hearsay{who, gateway, now}
		if known && before.Value == who.Value {
			return // told again, so as not to be forgotten
		}
	}
	if _, here := r.here[device]; !here {
		r.showLocked(who)
	}
}

// expire forgets what other gateways have not told for too long.
func (h *presenceHub) expire(now time.Time) {
	for _, key := range h.keys() {
		if r := h.room(key); r != nil {
			r.expire(now)
		}
	}
}

func (r *room) expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for device, p := range r.elsewhere {
		if now.Sub(p.at) < presenceWithin {
			continue
		}
		delete(r.elsewhere, device)
		if _, here := r.here[device]; !here {
			r.showLocked(protocol.DevicePresence{Author: p.Author})
		}
	}
}
