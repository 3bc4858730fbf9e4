package space

import (
	"math"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// A store that others can write to may find that a record's image is not what
// was put there. The log still is: such a record is folded anew from its first
// commit. Where the log no longer begins at 1, nobody knows the record, and the
// space is damaged.

// rebuild folds some records, and nothing else, from the beginning of the log.
type rebuild struct {
	keys    []ItemKey                 // those that are wanted, in order
	records map[ItemKey]*merge.Record // as far as they are folded
	names   *protocol.NameTable
	next    uint64 // the seq that comes next
}

func newRebuild(keys []ItemKey) *rebuild {
	b := &rebuild{keys: keys, records: make(map[ItemKey]*merge.Record), names: protocol.NewNameTable(), next: 1}
	for _, key := range keys {
		b.records[key] = nil
	}
	return b
}

// take folds entries up to a seq.
func (b *rebuild) take(items []LogItem, until uint64) *protocol.Error {
	for _, item := range items {
		if item.Seq > until {
			return nil
		}
		if item.Seq != b.next {
			return protocol.Errorf(protocol.CodeDamaged, "the log begins at %d, so it cannot be made again", item.Seq)
		}
		commit, err := protocol.DecodeCommit(item.Data, b.names)
		if err != nil {
			return protocol.Errorf(protocol.CodeDamaged, "commit %d of the log cannot be read: %v", item.Seq, err)
		}
		b.fold(commit)
		b.next++
	}
	return nil
}

func (b *rebuild) fold(commit *protocol.Commit) {
	for i := range commit.Mutations {
		m := &commit.Mutations[i]
		at := protocol.Stamp{Seq: commit.Seq, Device: m.Author.Device, User: m.Author.User, Base: m.Base, Time: m.EditTime}
		for j := range m.Changes {
			key := merge.Key{Collection: m.Changes[j].Collection, ID: m.Changes[j].ID}
			if rec, wanted := b.records[recordKey(key)]; wanted {
				b.records[recordKey(key)] = merge.Apply(rec, key, &m.Changes[j], at)
			}
		}
	}
}

// lostError says that an image cannot be made again either.
func lostError(item Item, err *protocol.Error) *protocol.Error {
	return protocol.Errorf(protocol.CodeDamaged, "the image of %s cannot be read: %v; %s", item.Key, item.Unreadable, err.Message)
}

// rebuilding is the making again of records by a Core, one pass over the log at a
// time.
type rebuilding struct {
	waiting []Item
	pass    *rebuild
}

// rebuild has an image made again that the store cannot vouch for. Until then its
// key stays marked as loading.
func (c *Core) rebuild(item Item) {
	c.event(Event{Kind: EventForeign, Seq: c.head.Seq, Err: protocol.Errorf(protocol.CodeDamaged,
		"the image of %s is made again from the log: %v", item.Key, item.Unreadable)})
	c.rebuilding.waiting = append(c.rebuilding.waiting, item)
	c.driveRebuild()
}

// driveRebuild begins a pass for all that waits.
func (c *Core) driveRebuild() {
	r := &c.rebuilding
	if r.pass != nil || len(r.waiting) == 0 {
		return
	}
	items := r.waiting
	keys := make([]ItemKey, len(items))
	for i := range items {
		keys[i] = items[i].Key
	}
	r.pass, r.waiting = newRebuild(keys), nil
	c.continueRebuild(r.pass, items)
}

// continueRebuild reads on, until all that is folded has been met.
func (c *Core) continueRebuild(pass *rebuild, items []Item) {
	if pass.next > c.head.Seq {
		c.rebuilt(pass)
		return
	}
	c.askUntil(LogOp{From: pass.next, MaxBytes: tailBytes}, func(resp Response) {
		err := pass.take(resp.Log, c.head.Seq)
		if err == nil && len(resp.Log) == 0 && pass.next <= c.head.Seq {
			err = protocol.Errorf(protocol.CodeDamaged, "the log ends at %d", pass.next-1)
		}
		if err == nil {
			c.continueRebuild(pass, items)
			return
		}
		c.rebuilding.pass = nil
		for _, item := range items {
			delete(c.cache.loading, item.Key)
			c.cache.broken[item.Key] = true
			c.damage(lostError(item, err))
		}
		c.driveRebuild()
	})
}

// rebuilt takes in what a pass has made. It is stored again: what the store does
// with it, beside what somebody else wrote, is the store's to know.
func (c *Core) rebuilt(pass *rebuild) {
	c.rebuilding.pass = nil
	for _, key := range pass.keys {
		rec := pass.records[key]
		delete(c.cache.loading, key)
		img := &image{key: key, record: rec}
		c.cache.add(img)
		if rec != nil {
			c.cache.changeAt(img, rec.Version(), c.now, false)
			img.dirtyFrom = c.head.Seq // behind what is dirty already
			c.checkpoint.dueBy(c.dueAt(img))
		}
	}
	c.driveRebuild()
}

// rebuild replaces the images of a page that the store cannot vouch for by what
// the log makes of them; a record that does not exist becomes an empty item.
func (r *Reader) rebuild(items []Item) *protocol.Error {
	unreadable := make(map[ItemKey]*Item)
	var keys []ItemKey
	for i := range items {
		if items[i].Unreadable != nil {
			unreadable[items[i].Key] = &items[i]
			keys = append(keys, items[i].Key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	// The core makes them again too, and stores them, so that the next reader finds
	// them without this.
	if err := r.Enter(func(c *Core) { c.need(keys) }); err != nil {
		return protocol.AsError(err)
	}
	pass := newRebuild(keys)
	for {
		resp := r.Do(LogOp{From: pass.next, MaxBytes: tailBytes})
		if resp.Err != nil {
			return protocol.Errorf(protocol.CodeUnavailable, "the log could not be read: %v", resp.Err)
		}
		if len(resp.Log) == 0 {
			break
		}
		if err := pass.take(resp.Log, math.MaxUint64); err != nil {
			return lostError(*unreadable[keys[0]], err)
		}
	}
	for key, item := range unreadable {
		rec := pass.records[key]
		*item = Item{Key: key}
		if rec != nil {
			item.Version = rec.Version()
			item.Fields, item.Meta = rec.Item()
		}
	}
	return nil
}
