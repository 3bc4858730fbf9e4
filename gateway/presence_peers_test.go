package gateway

import (
	"testing"
	"time"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// TestPresenceElsewhere tells a room what other gateways say of their devices:
// late, repeated, and after the device has moved.
func TestPresenceElsewhere(t *testing.T) {
	h := newPresenceHub()
	var told []protocol.DevicePresence
	var opened []space.Key
	h.tell = func(_ space.Key, devices ...protocol.DevicePresence) { told = append(told, devices...) }
	h.opened = func(key space.Key) { opened = append(opened, key) }
	now := time.Now()
	watcher, mover := seat(1, "room"), seat(2, "room")
	key := watcher.key
	hear := func(gateway string, device protocol.DeviceID, value protocol.Value, at time.Duration) {
		h.hear(key, gateway, []protocol.DevicePresence{{Author: protocol.Author{Device: device, User: "eve"}, Value: value}}, now.Add(at))
	}
	far := newDevice()
	hear("far", far, protocol.True, 0) // nobody is in the room
	h.join(watcher, true)
	if len(opened) != 1 || len(seen(watcher)) != 0 {
		t.Fatalf("rooms opened: %v", opened)
	}
	wants := func(what string, device protocol.DeviceID, want protocol.Value, isTold bool) {
		t.Helper()
		got, told := seen(watcher)[device]
		if told != isTold || got != want {
			t.Errorf("%s: told %v, %v; want %v, %v", what, told, got, isTold, want)
		}
	}
	hear("far", far, protocol.IntValue(1), 0)
	wants("a device of another gateway", far, protocol.IntValue(1), true)
	hear("far", far, protocol.IntValue(1), 10*time.Second)
	wants("the same again", far, protocol.Value{}, false)
	hear("nearer", far, protocol.IntValue(2), 11*time.Second)
	wants("the device has moved", far, protocol.IntValue(2), true)
	hear("far", far, protocol.Value{}, 12*time.Second)
	wants("the gateway that it left says that it left", far, protocol.Value{}, false)
	if len(told) != 0 {
		t.Errorf("what others told was told on: %v", told)
	}

	late := seat(3, "room")
	h.join(late, true)
	if got := seen(late); got[far] != protocol.IntValue(2) {
		t.Errorf("a newcomer is told %v", got)
	}
	h.expire(now.Add(11*time.Second + presenceWithin - 1))
	wants("not long enough ago", far, protocol.Value{}, false)
	h.expire(now.Add(11*time.Second + presenceWithin))
	wants("forgotten", far, protocol.Value{}, true)

	// A device that is here is shown as it is here, until it is elsewhere alone.
	h.join(mover, false)
	h.set(mover, protocol.IntValue(5))
	device := mover.author.Device
	wants("a device of this gateway", device, protocol.IntValue(5), true)
	if len(told) != 1 || told[0].Value != protocol.IntValue(5) {
		t.Errorf("the others were told %v", told)
	}
	hear("far", device, protocol.IntValue(6), 0)
	wants("elsewhere too", device, protocol.Value{}, false)
	if here := h.here(key); len(here) != 1 || here[0].Value != protocol.IntValue(5) {
		t.Errorf("here are %v", here)
	}
	h.leave(mover)
	wants("its old connection ends", device, protocol.IntValue(6), true)
	if last := told[len(told)-1]; !last.Value.IsAbsent() || last.Author.Device != device {
		t.Errorf("the others were told %v", last)
	}

	for range maxPresent + 10 {
		hear("crowd", newDevice(), protocol.True, 0)
	}
	if got := len(h.room(key).elsewhere); got != maxPresent {
		t.Errorf("%d devices of other gateways are present, want %d", got, maxPresent)
	}
}

// TestSubjects shows that no two spaces share a subject.
func TestSubjects(t *testing.T) {
	subjects := map[string]space.Key{}
	for _, tenant := range []string{"", "a", "a b", "1", "1 a", " ", "a 1"} {
		for _, name := range []string{"", "a", "b a", "a b", "1 a", " ", " a"} {
			key := space.Key{Tenant: tenant, Space: name}
			if other, taken := subjects[spaceSubject(key)]; taken {
				t.Errorf("%v and %v share %q", key, other, spaceSubject(key))
			}
			subjects[spaceSubject(key)] = key
		}
	}
}
