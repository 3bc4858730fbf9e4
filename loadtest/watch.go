package loadtest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/tidegate/tidegate/compress"
	"github.com/tidegate/tidegate/protocol"
)

// watch looks at every message between one device and the gateway, and judges
// the deliveries as the protocol promises them, whatever the client makes of
// them: each commit once on a connection, in order, and none left out. It also
// picks the messages whose loss is to be simulated.
//
// It outlives the device's connections: what a device was sent before decides
// what it may be sent after. It is safe for concurrent use.
type watch struct {
	// static
	dropAcks bool
	swallow  func(protocol.Frame) bool // nil but in tests of the judge

	mu sync.Mutex
	// guarded by mu
	spaces      map[string]*watchedSpace
	connections int64
	deliveries  int64
	bytes       int64
	dropped     int64
	gaps        int
	failures    []string
}

// watchedSpace is what a device has seen of a space.
type watchedSpace struct {
	name  string
	names *protocol.NameTable
	// newest is the last seq that any connection of the device brought.
	newest uint64
	// unacked is the greatest counter whose verdict was once withheld.
	unacked uint64
	// passed are the commits that were passed over as invisible, each range
	// exclusive of from.
	passed []span
}

// span is the seqs in (from, to].
type span struct{ from, to uint64 }

// watchedConn is one connection of the device; it is used by its reader and its
// writer at once.
type watchedConn struct {
	w *watch
	// guarded by w.mu
	handles map[protocol.Handle]*watchedHandle
}

type watchedHandle struct {
	space *watchedSpace
	// asked is the cursor that the device subscribed with.
	asked uint64
	// live is true once commits follow; position is the last one.
	live     bool
	position uint64
}

func newWatch(dropAcks bool) *watch {
	return &watch{dropAcks: dropAcks, spaces: map[string]*watchedSpace{}}
}

// connected begins a connection.
func (w *watch) connected() *watchedConn {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connections++
	return &watchedConn{w: w, handles: map[protocol.Handle]*watchedHandle{}}
}

// sent looks at a message of the device.
func (c *watchedConn) sent(msg []byte) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	frames, err := c.decode(msg)
	if err != nil {
		c.w.fail("the device sent a message that cannot be decoded: %v", err)
		return
	}
	for _, f := range frames {
		s, ok := f.(*protocol.Subscribe)
		if !ok {
			continue
		}
		space := c.w.spaces[s.Space]
		if space == nil {
			space = &watchedSpace{name: s.Space, names: protocol.NewNameTable()}
			c.w.spaces[s.Space] = space
		}
		if s.Cursor.Seq > space.newest {
			c.w.gap("space %q: the device's cursor is at %d, but nothing after %d was delivered to it", s.Space, s.Cursor.Seq, space.newest)
		}
		c.handles[s.Handle] = &watchedHandle{space: space, asked: s.Cursor.Seq}
	}
}

// handling is what is to become of a message.
type handling int

const (
	deliver handling = iota
	// cut: it is lost, and its connection with it.
	cut
	// vanish: it is lost, and nothing shows.
	vanish
)

// received looks at a message for the device and says what is to become of it.
func (c *watchedConn) received(msg []byte) handling {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.bytes += int64(len(msg))
	frames, err := c.decode(msg)
	if err != nil {
		c.w.fail("the gateway sent a message that cannot be decoded: %v", err)
		return deliver
	}
	if c.w.dropAcks && c.withhold(frames) {
		c.w.dropped++
		return cut
	}
	if c.w.swallow != nil && slices.ContainsFunc(frames, c.w.swallow) {
		return vanish
	}
	var at *watchedHandle
	for _, f := range frames {
		switch f := f.(type) {
		case *protocol.Subscribed:
			if h := c.handles[f.Handle]; h != nil && f.Mode == protocol.ModeResume {
				h.live, h.position = true, h.asked
			}
		case *protocol.In:
			if at = c.handles[f.Handle]; at == nil {
				c.w.fail("deliveries under the handle %d, which was never subscribed", f.Handle)
				return deliver
			}
		case *protocol.CommitHeader:
			c.commit(at, f.Seq)
		case *protocol.Advance:
			c.advance(at, f.Cursor.Seq)
		case *protocol.SnapshotEnd:
			if at != nil {
				at.live, at.position = true, f.Cursor.Seq
				at.space.newest = max(at.space.newest, f.Cursor.Seq)
			}
		}
	}
	return deliver
}

// withhold says whether the message acknowledges a mutation for the first time.
func (c *watchedConn) withhold(frames []protocol.Frame) bool {
	found := false
	for _, f := range frames {
		v, ok := f.(*protocol.Verdicts)
		if !ok {
			continue
		}
		h := c.handles[v.Handle]
		for _, verdict := range v.List {
			if h != nil && verdict.Counter > h.space.unacked {
				h.space.unacked = verdict.Counter
				found = true
			}
		}
	}
	return found
}

func (c *watchedConn) commit(at *watchedHandle, seq uint64) {
	switch {
	case at == nil:
		c.w.fail("commit %d of no space", seq)
		return
	case !at.live:
		c.w.gap("space %q: commit %d came before the subscription's answer or its snapshot's end", at.space.name, seq)
	case seq > at.position+1:
		c.w.gap("space %q: commit %d came after commit %d", at.space.name, seq, at.position)
	case seq <= at.position:
		c.w.fail("space %q: commit %d came again after commit %d", at.space.name, seq, at.position)
	}
	c.w.deliveries++
	at.position = seq
	at.space.newest = max(at.space.newest, seq)
}

func (c *watchedConn) advance(at *watchedHandle, seq uint64) {
	switch {
	case at == nil:
		c.w.fail("an advance to %d of no space", seq)
		return
	case at.live && seq <= at.position:
		c.w.fail("space %q: an advance to %d after commit %d", at.space.name, seq, at.position)
	}
	if at.live {
		at.space.passed = append(at.space.passed, span{at.position, seq})
	}
	at.position = seq
	at.space.newest = max(at.space.newest, seq)
}

// decode decodes a message of either side.
func (c *watchedConn) decode(msg []byte) ([]protocol.Frame, error) {
	return protocol.Decoder{Names: c.names, Decompress: decompress}.Decode(msg)
}

func decompress(dictionary uint32, data []byte) ([]byte, error) {
	codec, err := codecs()
	if err != nil {
		return nil, err
	}
	if dictionary != 0 {
		return nil, fmt.Errorf("nobody offered the dictionary %d", dictionary)
	}
	return codec.Decode(nil, data, maxMessage)
}

var codecs = sync.OnceValues(func() (*compress.Codec, error) { return compress.New() })

// names finds the name table for a handle; the decoder keeps it up to date.
func (c *watchedConn) names(h protocol.Handle) *protocol.NameTable {
	if s := c.handles[h]; s != nil {
		return s.space.names
	}
	return nil
}

func (w *watch) gap(format string, args ...any) {
	w.gaps++
	w.fail(format, args...)
}

func (w *watch) fail(format string, args ...any) {
	failure := fmt.Sprintf(format, args...)
	if len(w.failures) < failuresShown && !slices.Contains(w.failures, failure) {
		w.failures = append(w.failures, failure)
	}
}

// passedOver returns the commits that the device was not shown in a space.
func (w *watch) passedOver(space string) []span {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.spaces[space]; s != nil {
		return s.passed
	}
	return nil
}
