package space

import (
	"encoding/hex"

	"github.com/tidegate/tidegate/protocol"
)

const (
	// trimEvery is how often the horizon is looked at.
	trimEvery = protocol.Time(10 * 60 * 1000)
	// trimDrop bounds the items that one TrimOp removes.
	trimDrop = 500
	// trimScan is how much of the items one scan reads.
	trimScan = 1 << 20
)

// trim is the removal of what lies behind the horizon. The order is what makes
// it safe: first everything up to the new horizon is checkpointed, then the
// horizon is raised, then the log is trimmed, and last go the items that only
// the log gave meaning to.
type trim struct {
	open  bool
	next  protocol.Time
	below uint64
	// named are the large values that open conflicts name: they stay, however old.
	named map[string]bool
}

// keepTrimmed raises the horizon when commits have grown old.
func (c *Core) keepTrimmed() {
	t := &c.trim
	if !c.cfg.Expire || t.open || c.phase != phaseOpen || c.damaged != nil || c.now < t.next {
		return
	}
	t.next = c.now + trimEvery
	below := c.times.before(c.now - millis(c.cfg.Limits.Horizon))
	if c.cfg.Faults.TrimBeforeHorizon {
		if below > c.horizon {
			t.open = true
			c.askUntil(TrimOp{Below: below}, func(Response) { t.open = false })
		}
		return
	}
	// Cursors at the horizon are still served, so its commit stays; so does the one
	// at the watermark, by which an opening core knows the log.
	below = min(below, c.checkpoint.watermark)
	if below <= c.horizon || !c.headProven() {
		return
	}
	t.open, t.below = true, below
	c.askUntil(PutOp{Items: []Item{{Key: ItemKey{Kind: ItemHorizon}, Version: below}}}, func(Response) {
		c.horizon = max(c.horizon, below)
		c.askUntil(TrimOp{Below: below}, func(Response) {
			c.event(Event{Kind: EventTrimmed, Seq: c.head.Seq, N: below})
			t.named = make(map[string]bool)
			c.sweep(ItemKey{Kind: ItemRecord})
		})
	})
}

// sweep drops the items behind the horizon from after on: tombstones, entries of
// devices that are not attached, large overwritten values.
func (c *Core) sweep(after ItemKey) {
	t := &c.trim
	c.askUntil(ScanOp{After: after, MaxBytes: trimScan}, func(r Response) {
		if c.damaged != nil {
			return
		}
		if len(r.Items) == 0 {
			switch after.Kind {
			case ItemRecord:
				c.sweep(ItemKey{Kind: ItemDevice})
			case ItemDevice:
				c.sweep(ItemKey{Kind: ItemBlob})
			default:
				t.open, t.named = false, nil
			}
			return
		}
		last := r.Items[len(r.Items)-1].Key
		var drop []ItemKey
		for _, item := range r.Items {
			if item.Key.Kind == ItemRecord && item.Key.A == protocol.ConflictCollection {
				for _, f := range item.Fields {
					t.note(f.Value)
				}
			}
			if item.Version < t.below && c.droppable(item) {
				drop = append(drop, item.Key)
			}
		}
		c.drop(drop, func() { c.sweep(last) })
	})
}

// droppable says whether an item behind the horizon has lost its meaning, and
// forgets it here if so.
func (c *Core) droppable(item Item) bool {
	if item.Unreadable != nil {
		return false // what somebody else wrote is not ours to remove
	}
	if item.Key.Kind == ItemBlob {
		return !c.trim.named[item.Key.A]
	}
	img := c.cache.images[item.Key]
	if img != nil && (img.dirty() || img.pins > 0 || img.version >= c.trim.below) {
		return false
	}
	if item.Key.Kind == ItemRecord {
		rec, err := decodeRecord(item)
		if err != nil || rec.Alive() {
			return false // what cannot be read is for whoever needs it to report
		}
	}
	if img != nil && c.inflight == nil {
		c.cache.drop(img)
	}
	return true
}

// note keeps what may be the name of a large value: a conflict's record holds such
// names as text, in fields of their own and within arrays.
func (t *trim) note(v protocol.Value) {
	switch v.Kind() {
	case protocol.KindString:
		text, _ := v.Text()
		if name, err := hex.DecodeString(text); err == nil && len(name) == len(protocol.BlobID{}) {
			t.named[string(name)] = true
		}
	case protocol.KindArray:
		elements, _ := v.Array()
		for _, e := range elements {
			t.note(e)
		}
	case protocol.KindMap:
		entries, _ := v.Map()
		for _, e := range entries {
			t.note(e.Value)
		}
	}
}

// drop removes items, a part at a time.
func (c *Core) drop(keys []ItemKey, then func()) {
	if len(keys) == 0 {
		then()
		return
	}
	n := min(len(keys), trimDrop)
	c.askUntil(TrimOp{Below: c.trim.below, Drop: keys[:n:n]}, func(Response) { c.drop(keys[n:], then) })
}

func (c *Core) nextTrim() protocol.Time {
	if !c.cfg.Expire || c.trim.open || c.damaged != nil || c.phase != phaseOpen {
		return 0
	}
	return max(c.trim.next, 1)
}
