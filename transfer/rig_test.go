package transfer

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

var board = space.Key{Tenant: "acme", Space: "board"}

// rigStart is when the rigs' clocks begin.
const rigStart = protocol.Time(1_800_000_000_000)

// rig is a gateway's space, in virtual time: a core whose requests are performed
// at once.
type rig struct {
	t     testing.TB
	store space.Store
	key   space.Key
	cfg   space.Config
	core  *space.Core
	ring  *space.Ring
	now   protocol.Time
	ids   uint64

	requests []space.Request
	replies  []space.Reply
	wake     protocol.Time
	closed   bool
}

func newRig(t testing.TB, store space.Store, key space.Key, now protocol.Time, cfg space.Config) *rig {
	r := &rig{t: t, store: store, key: key, now: now, cfg: cfg, ring: space.NewRing(1<<20, nil)}
	r.cfg.NewCommitID = func() (id protocol.CommitID) {
		r.ids++
		binary.BigEndian.PutUint64(id[:], uint64(r.now)<<16+r.ids)
		return id
	}
	r.core = space.NewCore(key, r.cfg)
	r.core.Tick(r.now)
	r.settle()
	return r
}

func (r *rig) take() {
	ready := r.core.Ready()
	r.requests = append(r.requests, ready.Requests...)
	r.ring.Take(&ready)
	r.replies = append(r.replies, ready.Replies...)
	r.closed, r.wake = ready.Closed, ready.Wake
}

func (r *rig) perform(op space.RequestOp) (resp space.Response) {
	ctx := context.Background()
	switch op := op.(type) {
	case space.AppendOp:
		resp.Err = r.store.Append(ctx, r.key, op.Seq, op.Data)
	case space.LogOp:
		resp.Log, resp.Err = r.store.Log(ctx, r.key, op.From, op.MaxBytes)
	case space.PutOp:
		resp.Err = r.store.Put(ctx, r.key, op.Items)
	case space.GetOp:
		resp.Items, resp.Err = r.store.Get(ctx, r.key, op.Keys)
	case space.ScanOp:
		resp.Items, resp.Err = r.store.Scan(ctx, r.key, op.After, op.MaxBytes)
	case space.TrimOp:
		resp.Err = r.store.Trim(ctx, r.key, op.Below, op.Drop)
	}
	return resp
}

// settle performs all requests until there are none.
func (r *rig) settle() {
	for n := 0; ; n++ {
		r.take()
		if len(r.requests) == 0 {
			return
		}
		if n > 10_000 {
			r.t.Fatalf("requests do not end: %T", r.requests[0].Op)
		}
		req := r.requests[0]
		r.requests = r.requests[1:]
		resp := r.perform(req.Op)
		resp.ID = req.ID
		r.core.Respond(r.now, resp)
	}
}

// pass lets time go by.
func (r *rig) pass(d time.Duration) {
	until := r.now + protocol.Time(d/time.Millisecond)
	for n := 0; ; n++ {
		r.settle()
		if r.wake == 0 || r.wake > until {
			break
		}
		if n > 100_000 {
			r.t.Fatal("wakes do not end")
		}
		r.now = max(r.now, r.wake)
		r.core.Tick(r.now)
	}
	r.now = until
	r.core.Tick(r.now)
	r.settle()
}

// close closes the core in order.
func (r *rig) close() {
	r.core.Close(r.now)
	for r.settle(); !r.closed; r.settle() {
		r.now = max(r.now+1, r.wake)
		r.core.Tick(r.now)
	}
}

// device is a device of a space that writes.
type device struct {
	session space.SessionID
	id      protocol.DeviceID
	user    string
	counter uint64
	hash    protocol.Hash
	base    uint64
}

func (r *rig) attach(session space.SessionID, name string) *device {
	d := &device{session: session, user: "u-" + name}
	copy(d.id[:], name)
	r.core.Attach(r.now, space.Attach{Session: session, Device: d.id, User: d.user})
	r.settle()
	for _, reply := range r.replies {
		if attached, is := reply.Body.(space.Attached); is && reply.Session == session {
			d.counter, d.hash, d.base = attached.Counter, attached.Hash, attached.Head.Seq
		}
	}
	r.replies = nil
	return d
}

// push pushes one mutation and waits for what becomes of it.
func (r *rig) push(d *device, ops ...protocol.Op) {
	body := protocol.AppendMutation(nil, &protocol.Mutation{Base: d.base, EditTime: r.now, Ops: ops})
	d.counter++
	r.core.Push(r.now, space.Push{Session: d.session, ID: d.counter, First: d.counter, Previous: d.hash, Bodies: [][]byte{body}})
	d.hash = d.hash.Next(body)
	r.settle()
}

// edits draws what devices do to a few records. Some values are large, so that
// those that lose stand in items of their own.
func edits(rnd *rand.Rand) func() protocol.Op {
	alive := map[string]bool{}
	return func() protocol.Op {
		op := protocol.Op{Collection: []string{"cards", "über"}[rnd.IntN(2)], ID: fmt.Sprint(rnd.IntN(4))}
		text := fmt.Sprint(rnd.Uint64())
		if rnd.IntN(3) == 0 {
			text = strings.Repeat(text, 400)
		}
		op.Fields = []protocol.FieldValue{{Field: []string{"title", "body"}[rnd.IntN(2)], Value: protocol.StringValue(text)}}
		key := op.Collection + "/" + op.ID
		switch {
		case !alive[key]:
			op.Kind, alive[key] = protocol.OpCreate, true
		case rnd.IntN(8) == 0:
			op.Kind, op.Fields, alive[key] = protocol.OpDelete, nil, false
		default:
			op.Kind = protocol.OpSet
		}
		return op
	}
}

// work lets two devices write n commits, conflicting with one another. Every so
// often time passes, so that what is old is checkpointed, and trimmed if cfg says
// so.
func (r *rig) work(rnd *rand.Rand, n int) {
	devices := []*device{r.attach(1, "ann"), r.attach(2, "bob")}
	edit := edits(rnd)
	for range n {
		d := devices[rnd.IntN(len(devices))]
		r.push(d, edit())
		if rnd.IntN(2) > 0 {
			d.base = r.core.Head().Seq
		}
		if rnd.IntN(4) == 0 {
			r.pass(time.Duration(rnd.IntN(40)) * time.Minute)
		}
	}
	r.core.Detach(r.now, 1)
	r.core.Detach(r.now, 2)
	r.settle()
}

// keeping, expiring are configurations of rigs.
func keeping() space.Config {
	return space.Config{Exclusive: true, WatermarkEvery: 7}
}

func expiring() space.Config {
	cfg := space.Config{Exclusive: true, Expire: true, WatermarkEvery: 5}
	cfg.Limits.Horizon = 2 * time.Hour
	return cfg
}

// made returns a store with spaces of all sorts: long, trimmed, of one commit, in
// order closed and not.
func made(t testing.TB, seed uint64) *space.Memory {
	t.Helper()
	store := new(space.Memory)
	for n, c := range []struct {
		key     space.Key
		cfg     space.Config
		commits int
		closed  bool
	}{
		{board, keeping(), 25, true},
		{space.Key{Tenant: "acme", Space: "open"}, keeping(), 12, false},
		{space.Key{Tenant: "acme", Space: "trimmed"}, expiring(), 40, true},
		{space.Key{Tenant: "acme", Space: "trimmed and open"}, expiring(), 33, false},
		{space.Key{Tenant: "ac", Space: "meboard"}, keeping(), 1, false},
		{space.Key{Tenant: "", Space: "\x00"}, keeping(), 1, true},
		{space.Key{Tenant: "über", Space: strings.Repeat("s", 255)}, keeping(), 2, false},
	} {
		rnd := rand.New(rand.NewPCG(seed, uint64(n)))
		r := newRig(t, store, c.key, rigStart, c.cfg)
		r.work(rnd, c.commits)
		if c.closed {
			r.close()
		}
	}
	return store
}

// contents is everything that a store holds of a space.
type contents struct {
	log   []space.LogItem
	items []space.Item
}

// dump reads a space from end to end.
func dump(t testing.TB, store space.Store, key space.Key) (c contents) {
	t.Helper()
	for from := uint64(0); ; {
		page, err := store.Log(t.Context(), key, from, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		c.log = append(c.log, page...)
		from = page[len(page)-1].Seq + 1
	}
	for _, kind := range itemKinds {
		items, err := store.Scan(t.Context(), key, space.ItemKey{Kind: kind}, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		c.items = append(c.items, items...)
	}
	return c
}

// dumpAll reads a store from end to end.
func dumpAll(t testing.TB, store Source) map[space.Key]contents {
	t.Helper()
	all := map[space.Key]contents{}
	for token := ""; ; {
		keys, next, err := store.Spaces(t.Context(), token, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			all[key] = dump(t, store, key)
		}
		if token = next; token == "" {
			return all
		}
	}
}

// difference says in what two spaces differ, "" if in nothing.
func (c contents) difference(o contents) string {
	sameEntry := func(a, b space.LogItem) bool { return a.Seq == b.Seq && bytes.Equal(a.Data, b.Data) }
	sameItem := func(a, b space.Item) bool {
		return a.Key == b.Key && bytes.Equal(appendItem(nil, &a), appendItem(nil, &b))
	}
	if !slices.EqualFunc(c.log, o.log, sameEntry) {
		return fmt.Sprintf("logs of %d and %d commits", len(c.log), len(o.log))
	}
	for i := range min(len(c.items), len(o.items)) {
		if !sameItem(c.items[i], o.items[i]) {
			return fmt.Sprintf("%s of version %d, and %s of version %d", c.items[i].Key, c.items[i].Version, o.items[i].Key, o.items[i].Version)
		}
	}
	if len(c.items) != len(o.items) {
		return fmt.Sprintf("%d and %d items", len(c.items), len(o.items))
	}
	return ""
}

// mustEqual demands that two stores hold the same.
func mustEqual(t testing.TB, want, got Source) {
	t.Helper()
	wanted, all := dumpAll(t, want), dumpAll(t, got)
	for key, c := range wanted {
		if what := c.difference(all[key]); what != "" {
			t.Errorf("%s: %s", nameOf(key), what)
		}
	}
	if len(all) != len(wanted) {
		t.Errorf("%d spaces, not %d", len(all), len(wanted))
	}
}

// served is what a gateway makes of a space.
type served struct {
	attached bool
	mode     protocol.SubscribeMode
	head     protocol.Cursor
	counter  uint64
	state    map[merge.Key]protocol.RecordState // of a snapshot
}

// serveSpace opens a space as a gateway does, and lets a device with a cursor attach.
func serveSpace(t testing.TB, store space.Store, key space.Key, device string, cursor protocol.Cursor) (s served) {
	t.Helper()
	cfg := keeping()
	r := newRig(t, store, key, rigStart+1_000_000_000, cfg)
	var id protocol.DeviceID
	copy(id[:], device)
	r.core.Attach(r.now, space.Attach{Session: 1, Device: id, User: "u-" + device, Cursor: cursor})
	r.pass(11 * time.Second) // whoever is not attached by then is refused
	for _, reply := range r.replies {
		if attached, is := reply.Body.(space.Attached); is && r.core.Damaged() == nil {
			s = served{attached: true, mode: attached.Mode, head: attached.Head, counter: attached.Counter}
		}
	}
	reader := &space.Reader{Ring: r.ring, Enter: func(f func(*space.Core)) error { f(r.core); r.settle(); return nil }, Do: r.perform}
	names := protocol.NewNameTable()
	s.state = map[merge.Key]protocol.RecordState{}
	for pos := (space.Position{Snapshot: true}); pos.Snapshot; {
		chunk, err := reader.Read(space.ReadRequest{From: pos, MaxBytes: 1 << 20})
		if err != nil {
			if s.attached {
				t.Fatalf("%s is served, but gives no snapshot: %v", nameOf(key), err)
			}
			return s
		}
		frames, err := protocol.DecodeDelivery(chunk.Frames, names)
		if err != nil {
			t.Fatal(err)
		}
		for _, frame := range frames {
			switch f := frame.(type) {
			case *protocol.Snapshot:
				*names = *protocol.NewNameTable(f.Names...)
			case *protocol.Page:
				for _, state := range f.Records {
					s.state[merge.Key{Collection: f.Collection, ID: state.ID}] = state
				}
			}
		}
		if pos == chunk.To {
			t.Fatalf("%s gives a snapshot that waits for commits which do not come", nameOf(key))
		}
		pos = chunk.To
	}
	return s
}

// sameState compares what two gateways would show.
func (s served) sameState(o served) bool {
	if len(s.state) != len(o.state) {
		return false
	}
	for key, a := range s.state {
		b, found := o.state[key]
		if !found || fmt.Sprint(a) != fmt.Sprint(b) {
			return false
		}
	}
	return true
}

// exported returns an export of all of a store.
func exported(t testing.TB, store Source) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := Export(t.Context(), store, "test", &out, Options{}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func mustImport(t testing.TB, store space.Store, export []byte) Report {
	t.Helper()
	report, err := Import(t.Context(), store, bytes.NewReader(export), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}
