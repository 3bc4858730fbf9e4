package client

import (
	"cmp"
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// SetPresence says what the others in a space shall see of this device; absent
// leaves. It is sent when the space is live, and again after each reconnect.
func (c *Core) SetPresence(now protocol.Time, name string, value protocol.Value) {
	c.tick(now)
	s := c.spaces[name]
	if s == nil || s.presence == value {
		return
	}
	s.presence = value
	if s.subscription == subscriptionLive {
		c.send(&protocol.Presence{Handle: s.handle, Value: value})
	}
}

// Present returns who else is in a space, ordered by device.
func (c *Core) Present(name string) []protocol.DevicePresence {
	s := c.spaces[name]
	if s == nil {
		return nil
	}
	list := make([]protocol.DevicePresence, 0, len(s.present))
	for _, p := range s.present {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b protocol.DevicePresence) int {
		return slices.CompareFunc(a.Author.Device[:], b.Author.Device[:], cmp.Compare[byte])
	})
	return list
}

func (c *Core) presentChanged(f *protocol.Present) error {
	s, err := c.live(f.Handle)
	if s == nil {
		return err
	}
	for _, p := range f.Devices {
		if p.Value.IsAbsent() {
			delete(s.present, p.Author.Device)
		} else {
			s.present[p.Author.Device] = p
		}
	}
	s.news.presence = s.news.presence || len(f.Devices) > 0
	return nil
}

// nobodyPresent forgets who was there: without a subscription it is not known.
func (s *space) nobodyPresent() {
	if len(s.present) > 0 {
		clear(s.present)
		s.news.presence = true
	}
}
