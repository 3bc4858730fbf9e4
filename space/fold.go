package space

import (
	"errors"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// foldItem is a commit that is durable and waits to be folded.
type foldItem struct {
	commit *protocol.Commit
	data   []byte
	keys   []ItemKey
	own    *inflight // as which this core appended it; nil if another gateway did
	err    *protocol.Error
}

// foldAhead is for how many commits images are loaded together.
const foldAhead = 64

// decode makes a log entry ready to be folded. The name table grows with it, so
// entries are decoded in order.
func (c *Core) decode(item LogItem) foldItem {
	if n := len(c.unfolded); n > 0 && c.unfolded[n-1].err != nil {
		return c.unfolded[n-1]
	}
	commit, err := protocol.DecodeCommit(item.Data, c.names)
	if err == nil && commit.Seq != item.Seq {
		err = errors.New("it says it is another commit")
	}
	if err != nil {
		text := err.Error()
		if e := new(protocol.Error); errors.As(err, &e) && e.Code == protocol.CodeUpgrade {
			text = "it has a newer format than this gateway knows; upgrade it"
		}
		return foldItem{err: protocol.Errorf(protocol.CodeDamaged, "commit %d of the log cannot be read: %s", item.Seq, text)}
	}
	return foldItem{commit: commit, data: item.Data, keys: touched(commit)}
}

// touched lists the images that a commit changes and that must be loaded for it. A
// record that it creates is whole in it. Only conflicts are ever created again, and
// then keep something of what they were.
func touched(commit *protocol.Commit) []ItemKey {
	var keys []ItemKey
	seen := make(map[ItemKey]bool)
	add := func(key ItemKey) {
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	for i := range commit.Mutations {
		m := &commit.Mutations[i]
		add(deviceKey(m.Author.Device))
		for j := range m.Changes {
			change := &m.Changes[j]
			key := recordKey(merge.Key{Collection: change.Collection, ID: change.ID})
			if change.Kind == protocol.ChangeCreate && change.Collection != protocol.ConflictCollection {
				seen[key] = true
			}
			add(key)
		}
	}
	return keys
}

// fold folds what is durable, in order, as far as its images are loaded.
func (c *Core) fold() {
	for len(c.unfolded) > 0 && c.damaged == nil {
		item := c.unfolded[0]
		if item.err != nil {
			c.damage(item.err)
			return
		}
		if len(c.cache.missing(item.keys)) > 0 {
			var keys []ItemKey
			for _, ahead := range c.unfolded[:min(foldAhead, len(c.unfolded))] {
				keys = append(keys, ahead.keys...)
			}
			c.need(keys)
			return
		}
		if key, ok := c.orphan(item.commit); ok {
			// Its image was dropped as a tombstone after the log was read, by somebody who
			// is far ahead.
			c.beginAgain(c.horizon, protocol.Errorf(protocol.CodeDamaged,
				"commit %d changes %s, which has no image", item.commit.Seq, key))
			return
		}
		if c.cfg.Faults.SkipFoldOrder && len(c.unfolded) > 1 {
			next := c.unfolded[1]
			if next.err == nil && c.need(next.keys) {
				c.apply(next.commit, true)
			}
		}
		c.unfolded[0] = foldItem{}
		c.unfolded = c.unfolded[1:]
		c.foldOne(item)
		if n := c.cache.evict(); n > 0 {
			c.event(Event{Kind: EventEvicted, N: uint64(n)})
		}
	}
	c.driveTail()
}

// orphan finds a record that a commit changes though it does not exist.
func (c *Core) orphan(commit *protocol.Commit) (ItemKey, bool) {
	var created map[ItemKey]bool
	for i := range commit.Mutations {
		for j := range commit.Mutations[i].Changes {
			change := &commit.Mutations[i].Changes[j]
			key := recordKey(merge.Key{Collection: change.Collection, ID: change.ID})
			switch {
			case created[key]:
			case c.cache.images[key] != nil && c.cache.images[key].record != nil:
			case change.Kind != protocol.ChangeCreate && change.Kind != protocol.ChangeUndelete:
				return key, true // these two hold all of the record
			default:
				if created == nil {
					created = make(map[ItemKey]bool)
				}
				created[key] = true
			}
		}
	}
	return ItemKey{}, false
}

// foldOne moves head over a commit whose images are loaded.
func (c *Core) foldOne(item foldItem) {
	commit := item.commit
	c.apply(commit, item.own == nil)
	c.head = protocol.Cursor{Seq: commit.Seq, Commit: commit.ID}
	c.headTime = max(c.headTime, commit.Time)
	c.schema = commit.Schema
	c.times.add(commit.Seq, commit.Time, commit.ID)
	c.foreign = item.own == nil
	c.headOf, c.headAt = commit.Gateway, c.now
	c.checkpoint.note(len(item.data), c.now)
	c.out.Published = append(c.out.Published, Published{
		Cursor: c.head,
		Time:   commit.Time,
		AckNow: commit.AckNow,
		Names:  commit.Names,
		Data:   item.data,
		Own:    item.own != nil,
	})
	c.announce = announcement{}
	if item.own != nil {
		c.announce.since = c.now
		c.reportOwn(item.own)
		c.answerOwn(item.own)
		return
	}
	c.event(Event{Kind: EventFolded, Seq: commit.Seq, N: uint64(len(commit.Mutations)), Bytes: len(item.data)})
	c.reconcile(commit)
	c.defeated(commit.Seq)
}

// apply folds a commit into the images. An image that is as new already, because
// another gateway stored it, is left as it is.
func (c *Core) apply(commit *protocol.Commit, foreign bool) {
	before := make(map[ItemKey]uint64)
	old := func(img *image) bool {
		version, ok := before[img.key]
		if !ok {
			version = img.version
			before[img.key] = version
		}
		return version >= commit.Seq && !c.cfg.Faults.FoldTwice
	}
	changed := func(img *image) {
		c.cache.changeAt(img, max(img.version, commit.Seq), c.now, foreign)
		c.checkpoint.dueBy(c.dueAt(img))
	}
	for i := range commit.Mutations {
		m := &commit.Mutations[i]
		stamp := protocol.Stamp{
			Seq:    commit.Seq,
			Device: m.Author.Device,
			User:   m.Author.User,
			Base:   m.Base,
			Time:   m.EditTime,
		}
		for j := range m.Changes {
			change := &m.Changes[j]
			key := merge.Key{Collection: change.Collection, ID: change.ID}
			img := c.cache.get(recordKey(key))
			if img == nil {
				img = c.cache.begin(recordKey(key)) // it is created
			}
			if old(img) {
				continue
			}
			if c.cfg.Faults.FoldTwice {
				stamp.Seq = max(commit.Seq, img.version)
			}
			img.record = merge.Apply(img.record, key, change, stamp)
			changed(img)
		}
		if img := c.cache.get(deviceKey(m.Author.Device)); !old(img) {
			img.device = img.device.after(m, c.cfg.Faults.ForgetRejections)
			changed(img)
		}
	}
}
