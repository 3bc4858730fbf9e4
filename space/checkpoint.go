package space

import (
	"container/list"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

const (
	// putItems and putBytes bound one PutOp of images.
	putItems = 128
	putBytes = 1 << 20
)

// checkpoint is the storing of images behind the log. One put is open at a time.
type checkpoint struct {
	open    bool
	due     protocol.Time // when an image is next to be stored; 0 if none waits
	retryAt protocol.Time // no put before
	failed  uint64

	// watermark is up to which seq the store is known to have everything. commits and
	// bytes are what was folded since; the first of it at since.
	watermark uint64
	commits   int
	bytes     int
	since     protocol.Time

	// target is the watermark that is being worked towards: it is stored once no
	// image has a change up to its seq that the store may not have.
	target    Item
	targetSeq uint64

	// learning: what another gateway has checkpointed is being read.
	learning bool
	learnAt  protocol.Time
}

func (k *checkpoint) idle() bool { return !k.open && k.targetSeq == 0 }

// note counts a commit that was folded.
func (k *checkpoint) note(bytes int, now protocol.Time) {
	if k.commits == 0 {
		k.since = now
	}
	k.commits++
	k.bytes += bytes
}

func (k *checkpoint) dueBy(at protocol.Time) {
	if k.due == 0 || at < k.due {
		k.due = at
	}
}

// dueAt is when a dirty image is to be stored. The last committer does it within
// seconds; the others leave it to that gateway unless it stalls. Device entries
// wait for the watermark: until then the tail of the log holds them.
func (c *Core) dueAt(img *image) protocol.Time {
	switch {
	case img.foreign && !c.cfg.Exclusive:
		return img.dirtySince + millis(c.cfg.StallAfter)
	case img.key.Kind == ItemDevice:
		return img.dirtySince + millis(c.cfg.StallAfter)*10
	}
	return img.dirtySince + millis(c.cfg.CheckpointEvery)
}

// keepCheckpoints stores what is due.
func (c *Core) keepCheckpoints() {
	k := &c.checkpoint
	if c.damaged != nil || c.phase < phaseOpen || k.open || c.now < k.retryAt {
		return
	}
	c.learn()
	c.aim()
	urgent := c.phase == phaseClosing || c.cache.dirtyBytes > c.cfg.CacheBytes/2
	if k.targetSeq == 0 && !urgent && (k.due == 0 || c.now < k.due) {
		return
	}
	if !c.headProven() {
		// On an old head an image could bring back what was trimmed meanwhile.
		c.readTail()
		return
	}
	due := c.pick(urgent)
	switch {
	case len(due) > 0:
		c.put(due)
	case k.targetSeq > 0:
		// Whatever is still dirty changed after the target.
		c.putWatermark()
	}
}

// aim begins a watermark when enough was folded since the last.
func (c *Core) aim() {
	k := &c.checkpoint
	if k.targetSeq > 0 || c.head.Seq <= k.watermark {
		return
	}
	enough := k.commits >= c.cfg.WatermarkEvery || k.bytes >= c.cfg.WatermarkBytes
	if c.foreign && !c.cfg.Exclusive {
		enough = enough && c.now >= k.since+millis(c.cfg.StallAfter)
	}
	if !enough && c.phase != phaseClosing {
		return
	}
	mark := watermark{cursor: c.head, time: c.headTime, schema: c.schema, names: c.foldedNames(), times: c.times}
	k.target, k.targetSeq = mark.item(), c.head.Seq
	k.commits, k.bytes = 0, 0
}

// foldedNames are the names at head: the table may run ahead of it.
func (c *Core) foldedNames() []string {
	names := c.names.Names()
	if c.inflight != nil {
		return names[:c.inflight.names]
	}
	return names
}

// pick chooses the images to store next, the longest dirty first.
func (c *Core) pick(urgent bool) []*image {
	k := &c.checkpoint
	var due []*image
	bytes := 0
	k.due = 0
	for _, l := range []*list.List{&c.cache.dirtyRecords, &c.cache.dirtyDevices} {
		for e := l.Front(); e != nil; e = e.Next() {
			img := e.Value.(*image)
			at := c.dueAt(img)
			if urgent || k.targetSeq > 0 && img.dirtyFrom <= k.targetSeq || at <= c.now {
				if len(due) > 0 && (len(due) >= putItems || bytes+img.size > putBytes) {
					k.dueBy(c.now)
					return due
				}
				due = append(due, img)
				bytes += img.size
				continue
			}
			k.dueBy(at)
		}
	}
	return due
}

// put stores images as they are now.
func (c *Core) put(due []*image) {
	k := &c.checkpoint
	items := make([]Item, len(due))
	versions := make([]uint64, len(due))
	bytes := 0
	for i, img := range due {
		items[i] = c.item(img)
		versions[i] = img.version
		img.putting, img.changed = img.version, 0
		bytes += img.size
	}
	k.open = true
	c.ask(PutOp{Items: items}, func(r Response) {
		k.open = false
		for i, img := range due {
			if c.cache.images[img.key] != img {
				continue
			}
			if r.Err == nil {
				c.cache.storedAt(img, versions[i], c.now)
				if img.dirty() {
					k.dueBy(c.dueAt(img))
				}
			}
			img.putting, img.changed = 0, 0
		}
		c.putDone(r.Err)
		if r.Err == nil {
			c.event(Event{Kind: EventCheckpoint, Seq: c.head.Seq, N: uint64(len(items)), Bytes: bytes})
			c.evict()
		}
	})
}

// putDone notes the outcome of a put.
func (c *Core) putDone(err error) {
	k := &c.checkpoint
	if err == nil {
		k.failed, k.retryAt = 0, 0
		return
	}
	k.failed++
	k.retryAt = c.now + c.backoff(k.failed)
	k.dueBy(k.retryAt)
	c.event(Event{Kind: EventRetry, Seq: c.head.Seq, N: k.failed, Err: err})
}

func (c *Core) evict() {
	if c.inflight != nil {
		return // its fold needs what it was merged with
	}
	if n := c.cache.evict(); n > 0 {
		c.event(Event{Kind: EventEvicted, N: uint64(n)})
	}
}

// item is an image as it is stored.
func (c *Core) item(img *image) Item {
	item := Item{Key: img.key, Version: img.version}
	if img.key.Kind == ItemDevice {
		item.Meta = encodeDeviceEntry(&img.device)
		return item
	}
	if c.cfg.Expire {
		// A tombstone behind the horizon comes out as nil: the next sweep drops it.
		if trimmed := img.record.TrimBelow(c.horizon); trimmed != nil {
			img.record = trimmed
			c.cache.resized(img)
		}
	}
	item.Fields, item.Meta = img.record.Item()
	return item
}

// putWatermark stores the target, which everything up to it is now stored for.
func (c *Core) putWatermark() {
	k := &c.checkpoint
	seq := k.targetSeq
	k.open = true
	c.ask(PutOp{Items: []Item{k.target}}, func(r Response) {
		k.open = false
		c.putDone(r.Err)
		if r.Err != nil {
			return
		}
		k.watermark = max(k.watermark, seq)
		k.target, k.targetSeq = Item{}, 0
		c.event(Event{Kind: EventWatermark, Seq: c.head.Seq, N: seq})
	})
}

// learn reads what another gateway has checkpointed, while there is something
// here that it should have stored.
func (c *Core) learn() {
	k := &c.checkpoint
	if c.cfg.Exclusive || !c.foreign || k.learning || c.phase != phaseOpen || c.cache.clean() {
		return
	}
	if c.now < k.learnAt {
		return
	}
	k.learning = true
	k.learnAt = c.now + millis(c.cfg.StallAfter)/3
	c.askUntil(GetOp{Keys: imageKeys}, func(r Response) {
		k.learning = false
		if len(r.Items) != len(imageKeys) {
			return
		}
		c.horizon = max(c.horizon, r.Items[1].Version)
		c.learned(min(r.Items[0].Version, c.head.Seq))
	})
}

// learned takes note that the store has everything up to seq.
func (c *Core) learned(seq uint64) {
	k := &c.checkpoint
	if seq <= k.watermark {
		return
	}
	k.watermark = seq
	k.commits = int(c.head.Seq - seq)
	k.bytes = 0
	k.since = c.now
	for _, l := range []*list.List{&c.cache.dirtyRecords, &c.cache.dirtyDevices} {
		for e := l.Front(); e != nil; {
			img := e.Value.(*image)
			e = e.Next()
			if img.version <= seq {
				c.cache.storedAt(img, img.version, c.now)
			} else if img.dirtyFrom <= seq && img.putting == 0 {
				img.dirtyFrom = seq + 1
			}
		}
	}
	c.evict()
}

// nextCheckpoint is when keepCheckpoints has something to do.
func (c *Core) nextCheckpoint() protocol.Time {
	k := &c.checkpoint
	if c.damaged != nil || k.open {
		return 0
	}
	var at protocol.Time
	due := func(t protocol.Time) {
		if t > 0 && (at == 0 || t < at) {
			at = t
		}
	}
	due(k.due)
	if c.foreign && !c.cfg.Exclusive && !k.learning && !c.cache.clean() && c.phase == phaseOpen {
		due(max(k.learnAt, 1))
	}
	if k.targetSeq == 0 && (k.commits >= c.cfg.WatermarkEvery || k.bytes >= c.cfg.WatermarkBytes) && c.foreign && !c.cfg.Exclusive {
		due(k.since + millis(c.cfg.StallAfter))
	}
	if k.failed > 0 {
		at = max(at, k.retryAt)
	}
	return at
}

// decodeRecord reads a record's image.
func decodeRecord(item Item) (*merge.Record, error) {
	return merge.RecordFromItem(merge.Key{Collection: item.Key.A, ID: item.Key.B}, item.Version, item.Fields, item.Meta)
}
