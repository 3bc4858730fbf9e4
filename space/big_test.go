package space

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// drive attaches a device, pushes all it has, in pushes of n, and returns the
// verdicts.
func drive(t *testing.T, r *rig, c *testClient, session SessionID, n int) (verdicts []protocol.Verdict) {
	t.Helper()
	r.core.Attach(r.now, Attach{Session: session, Device: c.device, User: c.user})
	r.take()
	r.settle()
	a, ok := r.answers(session)[0].(Attached)
	if !ok {
		t.Fatal("not attached")
	}
	for first := a.Counter + 1; first <= c.counter; {
		p := c.pushFrom(session, first, first)
		p.Bodies = p.Bodies[:min(n, len(p.Bodies))]
		r.core.Push(r.now, p)
		r.take()
		r.settle()
		for _, body := range r.answers(session) {
			v, ok := body.(Verdicts)
			if !ok || v.Replay {
				t.Fatalf("push from %d: %+v", first, body)
			}
			verdicts = append(verdicts, v.List...)
			first += uint64(len(v.List))
		}
		r.pass(50 * time.Millisecond)
	}
	return verdicts
}

// TestSpaceLargerThanTheCache edits many more records than fit into memory.
func TestSpaceLargerThanTheCache(t *testing.T) {
	const budget, records = 64 << 10, 500
	store := new(Memory)
	r := newRig(t, "a", store, Config{Exclusive: true, CacheBytes: budget, CheckpointEvery: 10 * time.Millisecond, WatermarkEvery: 50})
	r.settle()
	rnd := rand.New(rand.NewPCG(3, 3))
	ann := newTestClient("ann")
	for i := range records {
		ann.mutate(0, mustOp(fmt.Sprintf("create tasks/%d n=0 text=%s", i, strings.Repeat("x", 1000))))
	}
	for i := range 1500 {
		ann.mutate(0, mustOp(fmt.Sprintf("set tasks/%d n=%d", rnd.IntN(records), i)))
	}
	most := 0
	for _, v := range drive(t, r, ann, 1, 5) {
		if v.Outcome != protocol.Applied {
			t.Fatalf("%+v", v)
		}
	}
	r.pass(time.Second)
	most = max(most, r.core.cache.bytes)
	if most > 2*budget {
		t.Errorf("the cache holds %d bytes, the budget is %d", most, budget)
	}
	if r.count(EventEvicted) == 0 {
		t.Error("nothing was evicted: the test proves nothing")
	}
	want := showState(foldOf(logOf(t, store, nil)))
	p := newReplica(t)
	p.pos.Snapshot = true
	p.read(r.reader(), ReadRequest{MaxBytes: 10_000})
	if got := showState(p.records); got != want {
		t.Error("a snapshot differs from the fold")
	}
	// The same from the images alone, after a crash.
	r.restart()
	r.settle()
	p = newReplica(t)
	p.pos.Snapshot = true
	p.read(r.reader(), ReadRequest{MaxBytes: 10_000})
	if got := showState(p.records); got != want {
		t.Error("a snapshot after a crash differs from the fold")
	}
}

// TestOpeningFoldsLittle shows that opening costs the tail, not the log.
func TestOpeningFoldsLittle(t *testing.T) {
	store := new(Memory)
	r := newRig(t, "a", store, Config{Exclusive: true, WatermarkEvery: 10})
	r.settle()
	ann := newTestClient("ann")
	for i := range 205 {
		ann.mutate(0, mustOp(fmt.Sprintf("create tasks/%d n=0", i)))
	}
	drive(t, r, ann, 1, 1)
	r.events = nil
	r.restart()
	r.settle()
	for _, e := range r.events {
		if e.Kind == EventOpened && (e.Seq != 205 || e.N > 20) {
			t.Errorf("opened at %d, having folded %d", e.Seq, e.N)
		}
	}
}

// TestBatchIsSplit shows that what does not fit into one commit goes into more,
// between mutations, and that what cannot be split is rejected for it.
func TestBatchIsSplit(t *testing.T) {
	const limit = 4 << 10
	store := new(Memory)
	r := newRig(t, "a", store, Config{Exclusive: true, Limits: protocol.Limits{CommitBytes: limit}})
	r.settle()
	ann := newTestClient("ann")
	for i := range 40 {
		ann.mutate(0, mustOp(fmt.Sprintf("create tasks/%d text=%s", i, strings.Repeat("x", 500))))
	}
	ann.mutate(0, mustOp("create tasks/huge text="+strings.Repeat("x", 5000)))
	ann.mutate(0, mustOp("create tasks/after n=1"))
	verdicts := drive(t, r, ann, 1, 42)
	for i, v := range verdicts {
		if v.Counter != uint64(i+1) {
			t.Fatalf("verdict %d is about %d", i+1, v.Counter)
		}
		if want := i == 40; (v.Outcome == protocol.Rejected) != want {
			t.Errorf("%+v", v)
		}
	}
	if len(verdicts) != 42 || verdicts[40].Code != protocol.RejectTooLarge {
		t.Errorf("%d verdicts, %+v", len(verdicts), verdicts[40])
	}
	items, err := store.Log(t.Context(), rigKey, 1, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		if len(item.Data) > limit && item.Seq != verdicts[40].Seq {
			t.Errorf("commit %d has %d bytes", item.Seq, len(item.Data))
		}
	}
	if len(items) < 5 {
		t.Errorf("%d commits", len(items))
	}
}

// TestMalformedBodyIsAFact shows that a body that is no mutation is rejected in
// the log and does not block what comes behind it.
func TestMalformedBodyIsAFact(t *testing.T) {
	store := new(Memory)
	r := newRig(t, "a", store, Config{Exclusive: true})
	r.settle()
	ann := newTestClient("ann")
	ann.mutate(0, mustOp("create tasks/1 n=1"))
	ann.mutate(0, mustOp("create tasks/2 n=1"))
	ann.bodies[0] = []byte{0xc1, 0xc1}
	ann.hashes[1] = protocol.Hash{}.Next(ann.bodies[0])
	ann.hashes[2] = ann.hashes[1].Next(ann.bodies[1])
	v := drive(t, r, ann, 1, 2)
	if len(v) != 2 || v[0].Code != protocol.RejectMalformed || v[1].Outcome != protocol.Applied {
		t.Fatalf("%+v", v)
	}
	if got := logOf(t, store, nil)[0].Mutations[0].Body; !bytes.Equal(got, ann.bodies[0]) {
		t.Error("the log does not keep what was sent")
	}
}

// TestFilteredReader shows that a reader who asked for some collections gets
// those, conflicts about them, and a cursor that moves over the rest.
func TestFilteredReader(t *testing.T) {
	for _, ring := range []int{1, 1 << 20} { // from the log, and from the ring
		store := new(Memory)
		r := newRig(t, "a", store, Config{Exclusive: true})
		r.ring = NewRing(ring, nil)
		r.core = NewCore(rigKey, r.cfg)
		r.requests = nil
		r.core.Tick(r.now)
		r.take()
		r.settle()
		ann := newTestClient("ann")
		for i := range 30 {
			ann.mutate(0, mustOp(fmt.Sprintf("create %s/%d n=%d", []string{"tasks", "notes", "other"}[i%3], i, i)))
		}
		drive(t, r, ann, 1, 1)
		for _, maxBytes := range []int{1, 100, 1 << 20} {
			p := newReplica(t)
			p.read(r.reader(), ReadRequest{MaxBytes: maxBytes, Collections: []string{"tasks"}})
			if p.pos.Cursor != r.core.Head() || len(p.records) != 10 {
				t.Errorf("ring %d, pages of %d: %d records at %d", ring, maxBytes, len(p.records), p.pos.Cursor.Seq)
			}
			q := newReplica(t)
			q.pos.Snapshot = true
			q.read(r.reader(), ReadRequest{MaxBytes: maxBytes, Collections: []string{"notes", "tasks"}})
			if q.pos.Cursor != r.core.Head() || len(q.records) != 20 || q.snaps != 1 {
				t.Errorf("pages of %d: %d records at %d", maxBytes, len(q.records), q.pos.Cursor.Seq)
			}
		}
	}
}

// TestRingCompresses shows that the compressed form is made once, and used only
// where all of a commit goes to the reader.
func TestRingCompresses(t *testing.T) {
	made := 0
	store := new(Memory)
	r := newRig(t, "a", store, Config{Exclusive: true})
	r.ring = NewRing(1<<20, func(frames []byte) ([]byte, bool) {
		made++
		return protocol.AppendFrame(nil, &protocol.Compressed{Data: []byte("small")}), len(frames) > 100
	})
	r.core = NewCore(rigKey, r.cfg)
	r.requests = nil
	r.core.Tick(r.now)
	r.take()
	r.settle()
	ann := newTestClient("ann")
	ann.mutate(0, mustOp("create tasks/1 text="+strings.Repeat("x", 300)))
	ann.mutate(0, mustOp("set tasks/1 n=1"))
	drive(t, r, ann, 1, 1)
	for range 3 {
		chunk, err := r.reader().Read(ReadRequest{MaxBytes: 1 << 20, Compress: true})
		if err != nil {
			t.Fatal(err)
		}
		frames, err := protocol.DecodeDelivery(chunk.Frames, protocol.NewNameTable("tasks", "text", "n"))
		if err != nil {
			t.Fatal(err)
		}
		if frames[0].Type() != protocol.FrameCompressed || frames[1].Type() != protocol.FrameCommit {
			t.Fatalf("%v", frames)
		}
	}
	if made != 2 {
		t.Errorf("compressed %d times", made)
	}
	for _, req := range []ReadRequest{{MaxBytes: 1 << 20}, {MaxBytes: 1 << 20, Compress: true, Collections: []string{"tasks"}}} {
		chunk, err := r.reader().Read(req)
		if err != nil || bytes.Contains(chunk.Frames, []byte("small")) {
			t.Errorf("%+v got compressed frames: %v", req, err)
		}
	}
}

// TestStoreCompresses shows that pages of a snapshot and commits of the log go out
// as compressed frames to who asked for such, that these hold what the plain ones
// do, and that others get them plain.
func TestStoreCompresses(t *testing.T) {
	r := newRig(t, "a", new(Memory), Config{Exclusive: true})
	r.ring = NewRing(1, func(frames []byte) ([]byte, bool) {
		return protocol.AppendFrame(nil, &protocol.Compressed{Data: frames}), len(frames) > 100
	})
	r.core = NewCore(rigKey, r.cfg)
	r.requests = nil
	r.core.Tick(r.now)
	r.take()
	r.settle()
	ann := newTestClient("ann")
	for i := range 30 {
		ann.mutate(0, mustOp(fmt.Sprintf("create tasks/%d text=%s", i, strings.Repeat("x", 50))))
	}
	drive(t, r, ann, 1, 1) // a commit each
	into := []byte("before")
	for _, snapshot := range []bool{true, false} {
		var held [2][]byte // delivered plain, and delivered in compressed frames
		for i, compress := range []bool{false, true} {
			pos, packed, names := Position{Snapshot: snapshot}, 0, protocol.NewNameTable()
			for more := true; more; {
				chunk, err := r.reader().Read(ReadRequest{From: pos, MaxBytes: 600, Compress: compress, Into: into})
				if err != nil {
					t.Fatal(err)
				}
				data, ours := bytes.CutPrefix(chunk.Frames, into)
				if !ours {
					t.Fatalf("%q does not begin with %q", chunk.Frames, into)
				}
				if first, err := protocol.DecodeDelivery(data, names); err != nil {
					t.Fatal(err)
				} else if len(first) == 1 && first[0].Type() == protocol.FrameCompressed {
					packed++
					data = first[0].(*protocol.Compressed).Data
				}
				held[i] = append(held[i], data...)
				pos, more = chunk.To, chunk.More && chunk.To.Cursor.Seq < r.core.Head().Seq || chunk.To.Snapshot
			}
			if compress != (packed > 1) {
				t.Errorf("snapshot %t: asked to compress: %t, %d chunks were", snapshot, compress, packed)
			}
		}
		if len(held[0]) < 1500 || !bytes.Equal(held[0], held[1]) {
			t.Errorf("snapshot %t: %d bytes plain, others compressed", snapshot, len(held[0]))
		}
	}
}
