package gateway

import (
	"testing"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/session"
	"github.com/tidegate/tidegate/space"
)

// seat is a subscription as far as presence knows it.
func seat(handle protocol.Handle, room string) *subscription {
	return &subscription{
		handle: handle, key: space.Key{Tenant: "t", Space: room},
		author: protocol.Author{Device: newDevice(), User: "ada"}, inbox: newInbox(),
	}
}

// seen returns what a subscription was told since the last time, by device.
func seen(s *subscription) map[protocol.DeviceID]protocol.Value {
	values := map[protocol.DeviceID]protocol.Value{}
	for _, in := range s.inbox.take(nil) {
		if changed, is := in.(session.PresenceChanged); is && changed.Handle == s.handle {
			for _, who := range changed.Devices {
				values[who.Author.Device] = who.Value
			}
		}
	}
	return values
}

func TestPresence(t *testing.T) {
	h := newPresenceHub()
	ada, ben, cleo, elsewhere := seat(1, "room"), seat(7, "room"), seat(1, "room"), seat(1, "other")
	h.join(ada, true)
	h.join(ben, true)
	h.join(cleo, false)
	h.join(elsewhere, true)

	h.set(ada, protocol.IntValue(1))
	h.set(ada, protocol.IntValue(2))
	if got := seen(ben); len(got) != 1 || got[ada.author.Device] != protocol.IntValue(2) {
		t.Errorf("ben saw %v, want the latest of ada alone", got)
	}
	if len(seen(ada)) != 0 || len(seen(cleo)) != 0 || len(seen(elsewhere)) != 0 {
		t.Error("presence was told to its author, to one who did not ask, or in another space")
	}

	late := seat(3, "room")
	h.join(late, true)
	if got := seen(late); got[ada.author.Device] != protocol.IntValue(2) {
		t.Errorf("a newcomer saw %v", got)
	}

	// The same device on a new connection: the old one's end changes nothing.
	again := seat(1, "room")
	again.author = ada.author
	h.join(again, true)
	h.set(again, protocol.IntValue(3))
	h.leave(ada)
	if got := seen(ben); got[ada.author.Device] != protocol.IntValue(3) {
		t.Errorf("after the old connection ended ben saw %v", got)
	}
	h.leave(again)
	if value, told := seen(ben)[ada.author.Device]; !told || !value.IsAbsent() {
		t.Errorf("ben was not told that ada left: %v", value)
	}

	for _, s := range []*subscription{ben, cleo, elsewhere, late} {
		h.leave(s)
	}
	if len(h.rooms) != 0 {
		t.Errorf("%d rooms are left when everybody has", len(h.rooms))
	}
}

// TestPresenceIsBounded fills a room and an inbox.
func TestPresenceIsBounded(t *testing.T) {
	h := newPresenceHub()
	watcher := seat(1, "room")
	h.join(watcher, true)
	for range maxPresent + 10 {
		s := seat(1, "room")
		h.join(s, false)
		h.set(s, protocol.True)
	}
	if got := len(h.rooms[watcher.key].here); got != maxPresent {
		t.Errorf("%d devices are present, want %d", got, maxPresent)
	}
	for range 2 * maxInboxPresence {
		watcher.inbox.putPresence(1, protocol.DevicePresence{Author: protocol.Author{Device: newDevice()}})
	}
	if got := len(seen(watcher)); got != maxInboxPresence {
		t.Errorf("%d presences waited, want %d", got, maxInboxPresence)
	}
}
