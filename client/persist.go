package client

import (
	"bytes"
	"maps"
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// disk is what the core knows of its store.
type disk struct {
	token   uint64 // of the last batch
	written *written
}

// written is the batch in flight, and what will be durable with it.
type written struct {
	token   uint64
	pending []stored
	spaces  []spaceMark
}

// stored is a mutation in the generation in which it was stored.
type stored struct {
	p          *pending
	generation int
}

// spaceMark is what of a space a batch makes durable.
type spaceMark struct {
	space  *space
	epoch  int
	device protocol.DeviceID
	cursor protocol.Cursor
	sent   uint64
	// confirm are the rejections whose payload is in this batch or an earlier one.
	confirm []uint64
}

// unsaved is what of a space is not in any batch yet.
type unsaved struct {
	changedMeta    bool
	namesChanged   bool
	changedRecords map[Key]struct{}
	entries        map[string][]byte // by key; nil deletes
	queued         []stored
	namesSaved     []byte // the name table as the store has it
}

func newUnsaved() unsaved {
	return unsaved{changedRecords: map[Key]struct{}{}, entries: map[string][]byte{}}
}

// save notes that the space's own entry changed.
func (s *space) save() { s.changedMeta = true }

func (s *space) savePending(p *pending) {
	p.generation++
	p.durable = false
	s.entries[string(s.pendingKey(p))] = encodePending(p)
	s.queued = append(s.queued, stored{p, p.generation})
}

func (s *space) dropPending(p *pending) { s.entries[string(s.pendingKey(p))] = nil }

func (s *space) saveRejected(e *rejectedEntry) {
	s.entries[string(s.rejectedKey(e))] = encodeRejected(e)
}

func (s *space) dropRejected(e *rejectedEntry) { s.entries[string(s.rejectedKey(e))] = nil }

func (s *space) saveConflict(conflict protocol.Conflict) {
	s.entries[string(s.conflictKey(conflict))] = encodeConflict(conflict)
}

func (s *space) dropConflict(conflict protocol.Conflict) {
	s.entries[string(s.conflictKey(conflict))] = nil
}

// cut takes everything that is unsaved into one batch, unless one is in flight.
// It is called between inputs only, so a batch always holds whole messages and
// whole mutations, and the store is always in a state that the client was in.
func (c *Core) cut() *Batch {
	if c.disk.written != nil {
		return nil
	}
	puts := map[string][]byte{}
	done := &written{}
	if c.isNew {
		c.isNew = false
		puts[string(clientKey)] = encodeClient(c.device)
	}
	for _, s := range c.sorted {
		c.markSent(s)
		first := c.cfg.Faults.CursorBeforeState && s.changedMeta && len(s.changedRecords) > 0
		if s.cut(puts, first) {
			done.spaces = append(done.spaces, spaceMark{
				space: s, epoch: s.epoch, device: s.device, cursor: s.cursor, sent: s.sent, confirm: s.confirmLater,
			})
			s.confirmLater = nil
			done.pending = append(done.pending, s.queued...)
			s.queued = nil
		}
	}
	if len(puts) == 0 {
		return nil
	}
	c.disk.token++
	done.token = c.disk.token
	c.disk.written = done
	batch := &Batch{Token: done.token}
	for _, key := range slices.Sorted(maps.Keys(puts)) {
		if value := puts[key]; value != nil {
			batch.Puts = append(batch.Puts, Entry{Key: []byte(key), Value: value})
		} else {
			batch.Deletes = append(batch.Deletes, []byte(key))
		}
	}
	return batch
}

// cut moves what is unsaved of a space into puts and says whether there was
// anything. cursorOnly is a planted bug: the records stay behind.
func (s *space) cut(puts map[string][]byte, cursorOnly bool) bool {
	if !s.changedMeta && !s.namesChanged && len(s.changedRecords) == 0 && len(s.entries) == 0 {
		return false
	}
	if s.changedMeta {
		puts[string(spaceKey(kindSpace, s.name))] = encodeSpace(s)
		s.changedMeta = false
	}
	if cursorOnly {
		return true
	}
	if s.namesChanged {
		s.namesChanged = false
		if value := encodeNames(s.names); !bytes.Equal(value, s.namesSaved) {
			puts[string(spaceKey(kindNames, s.name))] = value
			s.namesSaved = value
		}
	}
	for key := range s.changedRecords {
		puts[string(s.recordKey(key))] = encodeRecord(s.records[key])
	}
	maps.Copy(puts, s.entries)
	clear(s.changedRecords)
	clear(s.entries)
	return true
}

// Persisted says that the batch with the token is durable. What waited for it is
// in the next Ready.
func (c *Core) Persisted(now protocol.Time, token uint64) {
	c.tick(now)
	done := c.disk.written
	if done == nil || done.token != token {
		return
	}
	c.disk.written = nil
	for _, mark := range done.spaces {
		s := mark.space
		if mark.epoch == s.epoch {
			s.durable = mark.cursor
		}
		if mark.device == s.device {
			s.durableSent = mark.sent
			s.confirm = append(s.confirm, mark.confirm...)
		}
	}
	for _, stored := range done.pending {
		if stored.p.generation == stored.generation {
			stored.p.durable = true
		}
		c.tellLocal(stored.p)
	}
	c.advance()
}
