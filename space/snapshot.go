package space

import (
	"slices"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// A snapshot is the images, page by page, each as new as it happens to be: from
// the store, overlaid with what is not stored yet. It is fuzzy: a page may hold
// changes newer than the commit the snapshot began at. Nothing older can be in
// it, so the state is one that existed once the reader's cursor reaches the
// greatest version in the pages, changes that a record already has being
// skipped on the way.

var errNotOpen = protocol.Errorf(protocol.CodeUnavailable, "the space is not open yet")

// PageRead is a page on its way: between the scan of the store and its overlay.
type PageRead struct {
	Op    ScanOp
	pos   Position
	names *protocol.NameTable
	begin bool
	hold  Hold
	epoch uint64
}

// BeginPage begins to read a page. FinishPage must follow, whatever becomes of
// the scan.
func (c *Core) BeginPage(req *ReadRequest) (*PageRead, error) {
	if c.phase < phaseOpen || c.blind {
		if c.damaged != nil {
			return nil, c.damaged
		}
		return nil, errNotOpen
	}
	p := &PageRead{pos: req.From, hold: c.cache.holdOn(), epoch: c.cache.epoch}
	names := c.foldedNames()
	if !p.pos.started {
		p.begin = true
		p.pos = Position{Cursor: c.head, Snapshot: true, started: true, after: ItemKey{Kind: ItemRecord}, names: len(names)}
	}
	// Later pages use no more names than the first one has told.
	p.names = protocol.NewNameTable(names[:min(p.pos.names, len(names))]...)
	p.Op = ScanOp{After: p.pos.after, MaxBytes: req.MaxBytes}
	return p, nil
}

// overlaid is a record that is newer in memory than, perhaps, in the store.
type overlaid struct {
	key    ItemKey
	record *merge.Record
}

// FinishPage ends a page: it lets go of what BeginPage held, and returns the
// records in the page's range that the store may not have.
func (c *Core) FinishPage(p *PageRead, resp Response) ([]overlaid, error) {
	if p.epoch != c.cache.epoch {
		return nil, errNotOpen
	}
	defer c.cache.letGo(p.hold)
	if resp.Err != nil {
		return nil, resp.Err
	}
	if c.cfg.Faults.SnapshotWithoutOverlay {
		return nil, nil
	}
	inRange := func(key ItemKey) bool {
		return key.Kind == ItemRecord && key.compare(p.pos.after) > 0 &&
			(len(resp.Items) == 0 || key.compare(resp.Items[len(resp.Items)-1].Key) <= 0)
	}
	var over []overlaid
	take := func(img *image) {
		if inRange(img.key) {
			over = append(over, overlaid{img.key, img.record})
		}
	}
	for e := c.cache.dirtyRecords.Front(); e != nil; e = e.Next() {
		take(e.Value.(*image))
	}
	for img := range c.cache.fresh {
		take(img)
	}
	slices.SortFunc(over, func(a, b overlaid) int { return a.key.compare(b.key) })
	return over, nil
}

// EndSnapshot returns what ends a snapshot for a device; nil if head has not
// reached what the pages contained.
func (c *Core) EndSnapshot(pos Position, device protocol.DeviceID) (*protocol.SnapshotEnd, error) {
	if c.phase < phaseOpen {
		return nil, errNotOpen
	}
	if pos.newest > c.head.Seq && c.damaged == nil {
		c.readTail() // another gateway is ahead
		return nil, nil
	}
	end := &protocol.SnapshotEnd{Cursor: pos.Cursor, Newest: max(pos.newest, pos.Cursor.Seq)}
	if img := c.cache.images[deviceKey(device)]; img != nil {
		end.Counter, end.Hash = img.device.Counter, img.device.Hash
	}
	return end, nil
}

// page reads the next page of a snapshot, or its end.
func (r *Reader) page(req ReadRequest) (Chunk, error) {
	if req.From.scanned {
		return r.end(req)
	}
	var p *PageRead
	var err error
	if e := r.Enter(func(c *Core) { p, err = c.BeginPage(&req) }); e != nil {
		return Chunk{}, e
	}
	if err != nil {
		return Chunk{}, err
	}
	resp := r.Do(p.Op)
	if resp.Err == nil {
		if err := r.rebuild(resp.Items); err != nil {
			resp.Err = err
		}
	}
	var over []overlaid
	if e := r.Enter(func(c *Core) { over, err = c.FinishPage(p, resp) }); e != nil {
		return Chunk{}, e
	}
	if err != nil {
		return Chunk{}, err
	}
	return p.chunk(&req, resp.Items, over)
}

// end reads the end of a snapshot.
func (r *Reader) end(req ReadRequest) (Chunk, error) {
	var end *protocol.SnapshotEnd
	var err error
	if e := r.Enter(func(c *Core) { end, err = c.EndSnapshot(req.From, req.Device) }); e != nil {
		return Chunk{}, e
	}
	if err != nil || end == nil {
		return Chunk{Frames: req.Into, To: req.From}, err
	}
	return Chunk{
		Frames: protocol.AppendFrame(req.Into, end),
		To:     Position{Cursor: end.Cursor},
		More:   r.Ring.Head().Seq > end.Cursor.Seq,
	}, nil
}

// chunk lays a page out: what the store has and what is newer, in key order.
func (p *PageRead) chunk(req *ReadRequest, items []Item, over []overlaid) (Chunk, error) {
	want := newFilter(req.Collections, p.names)
	frames := req.Into
	if p.begin {
		frames = protocol.AppendFrame(frames, &protocol.Snapshot{Names: p.names.Names()})
	}
	pos := p.pos
	var page protocol.Page
	unstored := 0
	flush := func() {
		if len(page.Records) > 0 {
			frames = protocol.AppendFrameNamed(frames, &page, p.names)
		}
		page = protocol.Page{}
	}
	add := func(rec *merge.Record) {
		pos.newest = max(pos.newest, rec.Version())
		collection := rec.Key().Collection
		if !want.all && !want.names[collection] {
			return
		}
		state, alive := rec.State()
		if !alive {
			return
		}
		if collection != page.Collection {
			flush()
			page.Collection = collection
		}
		page.Records = append(page.Records, state)
	}
	last := len(items) == 0
	for len(items) > 0 || len(over) > 0 {
		if unstored >= req.MaxBytes {
			// What the scan has read was paid for, and fits into a page. What is not stored
			// yet may be more than that.
			last = false
			break
		}
		if len(items) == 0 || len(over) > 0 && over[0].key.compare(items[0].Key) <= 0 {
			next := over[0]
			over = over[1:]
			pos.after = next.key
			if len(items) == 0 || next.key != items[0].Key {
				add(next.record)
				unstored += next.record.Size()
				continue
			}
			if next.record.Version() >= items[0].Version {
				add(next.record)
				items = items[1:]
				continue
			}
			// Another gateway has stored a newer one.
		}
		rec, err := decodeRecord(items[0])
		if err != nil {
			return Chunk{}, protocol.Errorf(protocol.CodeDamaged, "the image of %s cannot be read: %v", items[0].Key, err)
		}
		pos.after = items[0].Key
		items = items[1:]
		if rec != nil {
			add(rec)
		}
	}
	flush()
	pos.scanned = last
	return Chunk{Frames: frames, To: pos, More: true}, nil
}
