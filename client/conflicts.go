package client

import (
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// keepConflict stores a notice until the user dismisses it. Open conflicts are
// records of their own and need no notice.
func (c *Core) keepConflict(s *space, conflict protocol.Conflict) {
	if conflict.Open || slices.ContainsFunc(s.conflicts, func(have protocol.Conflict) bool { return sameConflict(have, conflict) }) {
		return
	}
	s.conflicts = append(s.conflicts, conflict)
	s.saveConflict(conflict)
	s.news.conflicts = true
	c.statusChanged = true
}

// sameConflict says whether two notices tell of the same thing: a device is told
// once a commit and field.
func sameConflict(a, b protocol.Conflict) bool {
	return a.Seq == b.Seq && a.Collection == b.Collection && a.ID == b.ID && a.Field == b.Field && a.Element == b.Element
}

// Conflicts returns the settled conflicts of a space that this device lost and
// has not dismissed, oldest first.
func (c *Core) Conflicts(name string) []protocol.Conflict {
	if s := c.spaces[name]; s != nil {
		return slices.Clone(s.conflicts)
	}
	return nil
}

// Dismiss takes a settled conflict off the list.
func (c *Core) Dismiss(name string, conflict protocol.Conflict) error {
	s := c.spaces[name]
	if s == nil {
		return ErrGone
	}
	at := slices.IndexFunc(s.conflicts, func(have protocol.Conflict) bool { return sameConflict(have, conflict) })
	if at < 0 {
		return ErrGone
	}
	s.dropConflict(s.conflicts[at])
	s.conflicts = slices.Delete(s.conflicts, at, at+1)
	s.news.conflicts = true
	c.statusChanged = true
	return nil
}

// maxFetches is how many values may be asked for at once on a connection.
const maxFetches = 16

// Fetch asks the server for an overwritten value that was too long for its
// notice. EventFetched brings it, unless the connection ends before. False means
// that the space is not live now, or that too many are asked for already: try
// again after a change of the space's status.
func (c *Core) Fetch(now protocol.Time, name string, blob protocol.BlobID) bool {
	c.tick(now)
	s := c.spaces[name]
	if s == nil || c.link.phase != linkLive || s.subscription != subscriptionLive || c.link.fetching >= maxFetches {
		return false
	}
	c.link.fetching++
	c.send(&protocol.Fetch{Handle: s.handle, Blob: blob})
	return true
}

func (c *Core) fetched(f *protocol.Fetched) error {
	c.link.fetching = max(c.link.fetching-1, 0)
	s, err := c.live(f.Handle)
	if s == nil {
		return err
	}
	c.changed(s)
	c.event(Event{Kind: EventFetched, Space: s.name, Blob: f.Blob, Value: f.Value})
	return nil
}
