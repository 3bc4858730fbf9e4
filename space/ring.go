package space

import (
	"slices"
	"sync"

	"github.com/tidegate/tidegate/protocol"
)

// Ring holds the last commits of a space, encoded as they go to subscribers, up
// to a number of bytes. It is the one place that many readers of a space share;
// it is safe for concurrent use.
type Ring struct {
	budget   int
	compress func([]byte) ([]byte, bool)

	mu      sync.Mutex
	head    protocol.Cursor
	names   *protocol.NameTable
	commits []*ringCommit // with consecutive seqs, the last one head
	bytes   int
}

// ringCommit is a commit in the ring. It is immutable, but for packed.
type ringCommit struct {
	protocol.StoredCommit
	size int
	// packed is Wire as a compressed frame, made when it is first asked for; nil if
	// that is not smaller.
	packed []byte
	tried  bool
}

// NewRing returns a ring of at most about budget bytes, always holding the last
// commit. compress may be nil; see Options.Compress.
func NewRing(budget int, compress func(frames []byte) ([]byte, bool)) *Ring {
	return &Ring{budget: budget, compress: compress, names: protocol.NewNameTable()}
}

// Take takes over what a Core has published.
func (r *Ring) Take(ready *Ready) {
	if ready.Start == nil && len(ready.Published) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := ready.Start; s != nil {
		r.head = s.Head
		r.names = protocol.NewNameTable(s.Names...)
		r.commits, r.bytes = nil, 0
	}
	for i := range ready.Published {
		r.add(&ready.Published[i])
	}
}

func (r *Ring) add(p *Published) {
	for _, name := range p.Names {
		r.names.Add(name)
	}
	r.head = p.Cursor
	stored, err := protocol.ParseCommit(p.Data)
	if err != nil {
		// It was folded, so it can be decoded: this does not happen. Should it, readers
		// get the commit from the log, and the error with it.
		r.commits, r.bytes = nil, 0
		return
	}
	c := &ringCommit{StoredCommit: stored, size: 2*len(p.Data) + 256}
	r.commits = append(r.commits, c)
	r.bytes += c.size
	for r.bytes > r.budget && len(r.commits) > 1 {
		r.bytes -= r.commits[0].size
		r.commits[0] = nil
		r.commits = r.commits[1:]
	}
}

// Head is the newest commit that a read reaches.
func (r *Ring) Head() protocol.Cursor {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.head
}

// near reads from the ring; false if the position lies before it. It also returns
// head and the filter for what has to be read elsewhere.
func (r *Ring) near(req *ReadRequest) (chunk Chunk, ok bool, head protocol.Cursor, want filter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	head, want = r.head, newFilter(req.Collections, r.names)
	at := req.From.Cursor.Seq
	if at >= head.Seq {
		return Chunk{Frames: req.Into, To: req.From}, true, head, want
	}
	if len(r.commits) == 0 || r.commits[0].Seq > at+1 {
		return Chunk{}, false, head, want
	}
	a := newAssembly(req, want)
	for _, c := range r.commits[at+1-r.commits[0].Seq:] {
		// Packed bytes hold everything and nobody's notices: others may have had them
		// made, but they are not for a reader with a filter, or with a notice.
		var packed []byte
		if req.Compress && want.all && len(c.Sections) > 0 && !c.hasNotice(req.Device) {
			c.pack(r.compress)
			packed = c.packed
		}
		if !a.add(&c.StoredCommit, packed) {
			break
		}
	}
	return a.chunk(head), true, head, want
}

func (c *ringCommit) hasNotice(device protocol.DeviceID) bool {
	return slices.ContainsFunc(c.Notices, func(n protocol.StoredNotice) bool { return n.Device == device })
}

func (c *ringCommit) pack(compress func([]byte) ([]byte, bool)) {
	if c.tried || compress == nil {
		return
	}
	c.tried = true
	if packed, smaller := compress(c.Wire); smaller {
		c.packed = packed
	}
}

// filter is what a reader wants to see.
type filter struct {
	all     bool
	numbers map[uint64]bool
	names   map[string]bool
}

func newFilter(collections []string, table *protocol.NameTable) filter {
	if len(collections) == 0 {
		return filter{all: true}
	}
	f := filter{numbers: make(map[uint64]bool), names: map[string]bool{protocol.ConflictCollection: true}}
	for _, name := range collections {
		f.names[name] = true
	}
	for name := range f.names {
		if n, ok := table.Number(name); ok {
			f.numbers[n] = true
		}
	}
	return f
}

func (f *filter) wants(s *protocol.StoredSection) bool {
	return f.all || s.Literal != "" && f.names[s.Literal] || s.Literal == "" && f.numbers[s.Number]
}

// assembly lays commits out for one reader.
type assembly struct {
	req    *ReadRequest
	want   filter
	frames []byte
	to     protocol.Cursor
	// silent is true if commits up to to have been passed over since the last frame.
	silent  bool
	commits int
	ackNow  bool
}

func newAssembly(req *ReadRequest, want filter) *assembly {
	return &assembly{req: req, want: want, frames: req.Into, to: req.From.Cursor}
}

// size is how much has been laid out.
func (a *assembly) size() int { return len(a.frames) - len(a.req.Into) }

// add lays out the next commit; false if there is no room for it.
func (a *assembly) add(c *protocol.StoredCommit, packed []byte) bool {
	if a.size() > 0 && a.size()+a.room(c, packed) > a.req.MaxBytes {
		return false
	}
	before := len(a.frames)
	visible := a.append(c, packed)
	if !visible {
		a.frames = a.frames[:before]
	}
	a.silent = !visible
	a.to = protocol.Cursor{Seq: c.Seq, Commit: c.ID}
	a.commits++
	a.ackNow = a.ackNow || c.AckNow && visible
	return true
}

// room is at most what a commit takes.
func (a *assembly) room(c *protocol.StoredCommit, packed []byte) int {
	const advance = 24
	if packed != nil {
		return len(packed) + advance
	}
	size := len(c.Wire) + advance
	for i := range c.Notices {
		if c.Notices[i].Device == a.req.Device {
			size += len(c.Notices[i].Frame)
		}
	}
	return size
}

// append lays out what the reader may see of a commit; false if that is nothing.
func (a *assembly) append(c *protocol.StoredCommit, packed []byte) bool {
	if a.silent {
		a.advance()
	}
	visible := c.HasNames
	if packed != nil {
		a.frames = append(a.frames, packed...)
		return true
	}
	if a.want.all {
		a.frames = append(a.frames, c.Wire...)
		visible = visible || len(c.Sections) > 0
	} else {
		a.frames = append(a.frames, c.Header...)
		for i := range c.Sections {
			if a.want.wants(&c.Sections[i]) {
				a.frames = append(a.frames, c.Sections[i].Frame...)
				visible = true
			}
		}
	}
	for i := range c.Notices {
		if c.Notices[i].Device == a.req.Device {
			a.frames = append(a.frames, c.Notices[i].Frame...)
			visible = true
		}
	}
	return visible
}

// advance moves the reader's cursor over what it does not see.
func (a *assembly) advance() {
	a.frames = protocol.AppendFrame(a.frames, &protocol.Advance{Cursor: a.to})
}

func (a *assembly) chunk(head protocol.Cursor) Chunk {
	if a.silent {
		a.advance()
		a.silent = false
	}
	return Chunk{
		Frames:  a.frames,
		To:      Position{Cursor: a.to},
		More:    a.to.Seq < head.Seq,
		Commits: a.commits,
		AckNow:  a.ackNow,
	}
}
