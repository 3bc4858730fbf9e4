package space

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// start is when the rigs' clocks begin.
const rigStart = protocol.Time(1_800_000_000_000)

var rigKey = Key{Tenant: "acme", Space: "board"}

// rig is a core with its owner: it keeps requests until the test says what
// becomes of them.
type rig struct {
	t     testing.TB
	name  string
	store *Memory
	cfg   Config
	core  *Core
	ring  *Ring
	now   protocol.Time
	ids   uint64

	requests  []Request
	replies   []Reply
	events    []Event
	heads     []protocol.Cursor
	own       []LogItem // what it published as its own
	announced []uint64
	handed    []HandOver
	closed    bool
	wake      protocol.Time
}

func newRig(t testing.TB, name string, store *Memory, cfg Config) *rig {
	r := &rig{t: t, name: name, store: store, now: rigStart}
	cfg.NewCommitID = func() (id protocol.CommitID) {
		r.ids++
		binary.BigEndian.PutUint64(id[:], r.ids)
		id[0] = name[0]
		return id
	}
	cfg.Gateway = name
	r.cfg = cfg
	r.restart()
	return r
}

// restart forgets all that was in memory, as a crash does.
func (r *rig) restart() {
	r.core = NewCore(rigKey, r.cfg)
	r.ring = NewRing(1<<20, nil)
	r.requests, r.replies, r.closed = nil, nil, false
	r.own, r.announced, r.handed = nil, nil, nil
	r.core.Tick(r.now)
	r.take()
}

// take does what a Ready says, but for the requests.
func (r *rig) take() {
	ready := r.core.Ready()
	r.requests = append(r.requests, ready.Requests...)
	if ready.Start != nil {
		r.heads = append(r.heads[:0:0], ready.Start.Head)
	}
	for _, p := range ready.Published {
		if len(r.heads) == 0 || p.Cursor.Seq != r.heads[len(r.heads)-1].Seq+1 {
			r.t.Fatalf("%s published %d behind %v", r.name, p.Cursor.Seq, r.heads)
		}
		r.heads = append(r.heads, p.Cursor)
		if p.Own {
			r.own = append(r.own, LogItem{p.Cursor.Seq, p.Data})
		}
	}
	if ready.Announce > 0 {
		r.announced = append(r.announced, ready.Announce)
	}
	r.handed = append(r.handed, ready.HandOver...)
	r.ring.Take(&ready)
	r.replies = append(r.replies, ready.Replies...)
	r.events = append(r.events, ready.Events...)
	r.closed = ready.Closed
	r.wake = ready.Wake
}

// perform makes a request's call to the store.
func (r *rig) perform(op RequestOp) (resp Response) {
	ctx := context.Background()
	switch op := op.(type) {
	case AppendOp:
		resp.Err = r.store.Append(ctx, rigKey, op.Seq, op.Data)
	case LogOp:
		resp.Log, resp.Err = r.store.Log(ctx, rigKey, op.From, op.MaxBytes)
	case PutOp:
		resp.Err = r.store.Put(ctx, rigKey, op.Items)
	case GetOp:
		resp.Items, resp.Err = r.store.Get(ctx, rigKey, op.Keys)
	case ScanOp:
		resp.Items, resp.Err = r.store.Scan(ctx, rigKey, op.After, op.MaxBytes)
	case TrimOp:
		resp.Err = r.store.Trim(ctx, rigKey, op.Below, op.Drop)
	}
	return resp
}

func (r *rig) respond(req Request, resp Response) {
	resp.ID = req.ID
	r.core.Respond(r.now, resp)
	r.take()
}

// settle performs all requests until there are none.
func (r *rig) settle() {
	for n := 0; len(r.requests) > 0; n++ {
		if n > 100_000 {
			r.t.Fatal("requests do not end")
		}
		req := r.requests[0]
		r.requests = r.requests[1:]
		r.respond(req, r.perform(req.Op))
	}
}

// pass lets time go by, doing what becomes due on the way.
func (r *rig) pass(d time.Duration) {
	until := r.now + millis(d)
	for n := 0; ; n++ {
		if n > 1_000_000 {
			r.t.Fatal("wakes do not end")
		}
		r.settle()
		if r.wake == 0 || r.wake > until {
			break
		}
		r.now = max(r.now, r.wake)
		r.core.Tick(r.now)
		r.take()
	}
	r.now = until
	r.core.Tick(r.now)
	r.take()
	r.settle()
}

// answers returns the replies to a session since the last call.
func (r *rig) answers(session SessionID) (list []ReplyBody) {
	r.replies = slices.DeleteFunc(r.replies, func(reply Reply) bool {
		if reply.Session == session {
			list = append(list, reply.Body)
		}
		return reply.Session == session
	})
	return list
}

// count is how many events of a kind there were.
func (r *rig) count(kind EventKind) (n int) {
	for _, e := range r.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

func testDevice(name string) (id protocol.DeviceID) {
	copy(id[:], name)
	return id
}

// testClient is a device: it makes mutations and keeps their hash chain.
type testClient struct {
	device  protocol.DeviceID
	user    string
	counter uint64
	hash    protocol.Hash
	base    uint64
	bodies  [][]byte // all of them; bodies[i] has counter i+1
	hashes  []protocol.Hash
}

func newTestClient(name string) *testClient {
	return &testClient{device: testDevice(name), user: "u-" + name, hashes: []protocol.Hash{{}}}
}

// mutate makes a mutation of ops.
func (c *testClient) mutate(now protocol.Time, ops ...protocol.Op) {
	body := protocol.AppendMutation(nil, &protocol.Mutation{Base: c.base, EditTime: now, Ops: ops})
	c.bodies = append(c.bodies, body)
	c.counter++
	c.hash = c.hash.Next(body)
	c.hashes = append(c.hashes, c.hash)
}

// pushFrom is a push of all mutations from first on.
func (c *testClient) pushFrom(session SessionID, id, first uint64) Push {
	return Push{Session: session, ID: id, First: first, Previous: c.hashes[first-1], Bodies: c.bodies[first-1:]}
}

// parseOp reads "create tasks/1 title=x n=3", "set tasks/1 title=y", "add
// tasks/1 n 5", "delete tasks/1".
func parseOp(line string) (protocol.Op, error) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return protocol.Op{}, errors.New("an op is a verb and collection/id")
	}
	collection, id, _ := strings.Cut(words[1], "/")
	op := protocol.Op{Collection: collection, ID: id}
	value := func(s string) protocol.Value {
		var n int64
		if _, err := fmt.Sscanf(s, "%d", &n); err == nil {
			return protocol.IntValue(n)
		}
		return protocol.StringValue(s)
	}
	fields := func() {
		for _, w := range words[2:] {
			name, v, _ := strings.Cut(w, "=")
			op.Fields = append(op.Fields, protocol.FieldValue{Field: name, Value: value(v)})
		}
	}
	switch words[0] {
	case "create":
		op.Kind = protocol.OpCreate
		fields()
	case "set":
		op.Kind = protocol.OpSet
		fields()
	case "add":
		op.Kind = protocol.OpAdd
		op.Field, op.Value = words[2], value(words[3])
	case "delete":
		op.Kind = protocol.OpDelete
	default:
		return op, fmt.Errorf("unknown op %q", words[0])
	}
	return op, nil
}

func mustOp(line string) protocol.Op {
	op, err := parseOp(line)
	if err != nil {
		panic(err)
	}
	return op
}

// logOf decodes the whole log of a store.
func logOf(t testing.TB, store *Memory, names []string) []*protocol.Commit {
	t.Helper()
	table := protocol.NewNameTable(names...)
	var commits []*protocol.Commit
	for from := uint64(1); ; {
		items, err := store.Log(context.Background(), rigKey, from, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(items) == 0 {
			return commits
		}
		for _, item := range items {
			c, err := protocol.DecodeCommit(item.Data, table)
			if err != nil {
				t.Fatalf("commit %d: %v", item.Seq, err)
			}
			commits = append(commits, c)
		}
		from = items[len(items)-1].Seq + 1
	}
}

// foldOf folds commits from nothing.
func foldOf(commits []*protocol.Commit) map[merge.Key]*merge.Record {
	records := make(map[merge.Key]*merge.Record)
	for _, c := range commits {
		for key, rec := range merge.ApplyCommit(c, func(key merge.Key) *merge.Record { return records[key] }) {
			records[key] = rec
		}
	}
	return records
}

// showState renders living records, sorted.
func showState(records map[merge.Key]*merge.Record) string {
	var lines []string
	for key, rec := range records {
		if !rec.Alive() {
			continue
		}
		state, _ := rec.State()
		var b bytes.Buffer
		fmt.Fprintf(&b, "%s/%s v%d", key.Collection, key.ID, state.Version)
		for _, f := range state.Fields {
			fmt.Fprintf(&b, " %s=%s", f.Field, f.Value)
		}
		lines = append(lines, b.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// replica is a device's confirmed state, built from delivery frames alone.
type replica struct {
	t       testing.TB
	records map[merge.Key]*merge.Record
	names   *protocol.NameTable
	pos     Position
	newest  uint64
	counter uint64
	frames  int
	snaps   int
}

func newReplica(t testing.TB) *replica {
	return &replica{t: t, records: make(map[merge.Key]*merge.Record), names: protocol.NewNameTable()}
}

// read brings a replica as far as a reader gets it.
func (p *replica) read(r *Reader, req ReadRequest) {
	p.t.Helper()
	for range 100_000 {
		req.From = p.pos
		chunk, err := r.Read(req)
		if err != nil {
			p.t.Fatalf("read at %+v: %v", p.pos, err)
		}
		p.apply(chunk.Frames)
		if chunk.To == p.pos && !chunk.More {
			return
		}
		p.pos = chunk.To
		if !chunk.More {
			return
		}
	}
	p.t.Fatal("reading does not end")
}

func (p *replica) apply(data []byte) {
	p.t.Helper()
	frames, err := protocol.DecodeDelivery(data, p.names)
	if err != nil {
		p.t.Fatalf("frames: %v", err)
	}
	var header *protocol.CommitHeader
	var fold *merge.Fold
	flush := func() {
		if fold != nil {
			for key, rec := range fold.Records() {
				p.records[key] = rec
			}
		}
		fold = nil
	}
	p.frames += len(frames)
	for _, f := range frames {
		switch f := f.(type) {
		case *protocol.CommitHeader:
			flush()
			header = f
			fold = merge.NewFold(f.Seq, func(key merge.Key) *merge.Record { return p.records[key] })
		case *protocol.Section:
			for _, d := range f.Deltas {
				m := header.Mutations[d.Mutation]
				a := header.Authors[m.Author]
				for i := range d.Changes {
					fold.Apply(&d.Changes[i], protocol.Stamp{Seq: header.Seq, Device: a.Device, User: a.User, Base: m.Base, Time: m.EditTime})
				}
			}
		case *protocol.Snapshot:
			flush()
			p.snaps++
			clear(p.records)
			*p.names = *protocol.NewNameTable(f.Names...)
		case *protocol.Page:
			for _, state := range f.Records {
				state.Collection = f.Collection
				key := merge.Key{Collection: f.Collection, ID: state.ID}
				if p.records[key] != nil {
					p.t.Fatalf("%v came twice in a snapshot", key)
				}
				p.records[key] = merge.RecordFromState(state)
			}
		case *protocol.SnapshotEnd:
			p.newest, p.counter = f.Newest, f.Counter
		case *protocol.Advance, *protocol.ConflictNotice:
		default:
			p.t.Fatalf("unexpected %s", f.Type())
		}
	}
	flush()
}

// reader reads through a rig, calling its store at once.
func (r *rig) reader() *Reader {
	return &Reader{
		Ring:  r.ring,
		Enter: func(f func(*Core)) error { f(r.core); r.take(); return nil },
		Do:    r.perform,
	}
}
