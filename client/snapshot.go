package client

import (
	"slices"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// stage is a confirmed state that is coming in beside the present one, which
// stays to be seen until the new one is whole. It lives in memory alone: a
// snapshot that breaks off starts anew.
type stage struct {
	records map[Key]*merge.Record
	cursor  protocol.Cursor
	// ended is true once the last page is here. Pages may be newer than the cursor;
	// the state is one that existed once the cursor has reached until.
	ended bool
	until uint64
}

func newStage() *stage { return &stage{records: map[Key]*merge.Record{}} }

func (t *stage) set(key Key, record *merge.Record) {
	if record.Alive() {
		t.records[key] = record
	} else {
		delete(t.records, key)
	}
}

func (c *Core) beginSnapshot(s *space, f *protocol.Snapshot) error {
	if s.stage == nil || s.stage.ended {
		return outOfPlace(f)
	}
	s.stage = newStage()
	return nil
}

func (c *Core) page(s *space, f *protocol.Page) error {
	if s.stage == nil || s.stage.ended {
		return outOfPlace(f)
	}
	for _, state := range f.Records {
		key := Key{Collection: state.Collection, ID: state.ID}
		if s.stage.records[key].Version() <= state.Version {
			s.stage.records[key] = merge.RecordFromState(state)
		}
	}
	return nil
}

func (c *Core) endSnapshot(s *space, f *protocol.SnapshotEnd) error {
	if s.stage == nil || s.stage.ended {
		return outOfPlace(f)
	}
	s.stage.ended = true
	s.stage.cursor = f.Cursor
	s.stage.until = max(f.Cursor.Seq, f.Newest)
	s.head = max(s.head, s.stage.until)
	c.stats.Snapshots++
	c.finishStage(s)
	return nil
}

// finishStage puts the new state in the place of the old one when it is whole:
// records, cursor and what leaves the queue with it, in one batch.
func (c *Core) finishStage(s *space) {
	stage := s.stage
	if !stage.ended || stage.cursor.Seq < stage.until {
		return
	}
	s.stage = nil
	old := s.records
	s.records = stage.records
	for key := range old {
		if s.records[key] == nil {
			s.changedRecords[key] = struct{}{}
			s.refresh(key)
		}
	}
	for key, record := range s.records {
		if before := old[key]; sameState(before, record) {
			s.records[key] = before
			continue
		}
		s.changedRecords[key] = struct{}{}
		s.refresh(key)
	}
	s.cursor = stage.cursor
	if s.rebase {
		c.leave(s)
		c.rebaseQueue(s, old)
	}
	for key := range s.touched {
		s.refresh(key)
	}
	c.moved(s)
}

// sameState says whether two records are the same to everybody, version and
// positions included.
func sameState(a, b *merge.Record) bool {
	before, was := a.State()
	after, is := b.State()
	return was && is && before.Version == after.Version &&
		slices.EqualFunc(before.Fields, after.Fields, func(x, y protocol.FieldState) bool {
			return x.Field == y.Field && x.Kind == y.Kind && x.Value == y.Value && slices.Equal(x.Elements, y.Elements)
		})
}
