package transfer

import (
	"bytes"
	"context"
	"errors"
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

// busy is a store in which something happens before each read: at once with it, as
// far as the reader can tell.
type busy struct {
	*space.Memory
	reads   int
	happens func(read int)
}

func (b *busy) happen() {
	b.reads++
	b.happens(b.reads)
}

func (b *busy) Log(ctx context.Context, key space.Key, from uint64, maxBytes int) ([]space.LogItem, error) {
	b.happen()
	return b.Memory.Log(ctx, key, from, min(maxBytes, 3000)) // small pages: more may happen between them
}

func (b *busy) Get(ctx context.Context, key space.Key, keys []space.ItemKey) ([]space.Item, error) {
	b.happen()
	return b.Memory.Get(ctx, key, keys)
}

func (b *busy) Scan(ctx context.Context, key space.Key, after space.ItemKey, maxBytes int) ([]space.Item, error) {
	b.happen()
	return b.Memory.Scan(ctx, key, after, min(maxBytes, 3000))
}

// foldOf folds a log from its first commit on: the state that it stands for.
func foldOf(t testing.TB, log []space.LogItem) map[merge.Key]string {
	t.Helper()
	records := map[merge.Key]*merge.Record{}
	names := protocol.NewNameTable()
	for _, entry := range log {
		commit, err := protocol.DecodeCommit(entry.Data, names)
		if err != nil {
			t.Fatal(err)
		}
		for key, rec := range merge.ApplyCommit(commit, func(key merge.Key) *merge.Record { return records[key] }) {
			records[key] = rec
		}
	}
	state := map[merge.Key]string{}
	for key, rec := range records {
		if s, alive := rec.State(); alive {
			state[key] = fmt.Sprint(s)
		}
	}
	return state
}

// mustHoldTogether demands that what was exported opens, ends where its log ends,
// and shows the state that the log stands for.
func mustHoldTogether(t testing.TB, source, into *space.Memory, when string) {
	t.Helper()
	c := dump(t, into, board)
	head := headOf(t, c)
	got := serveSpace(t, copyOf(into), board, "ann", head)
	if !got.attached || got.head != head || got.mode != protocol.ModeResume {
		t.Fatalf("%s: served as %+v; its log ends at %v", when, got, head)
	}
	// Nothing is trimmed from this one's log: it is in the first copy of each commit.
	log := slices.Clone(c.log)
	if first := log[0].Seq; first > 1 {
		t.Fatalf("%s: the log begins at %d", when, first)
	}
	want := foldOf(t, log)
	if len(want) != len(got.state) {
		t.Fatalf("%s: %d records, not %d", when, len(got.state), len(want))
	}
	for key, state := range got.state {
		if fmt.Sprint(state) != want[key] {
			t.Fatalf("%s: %v is %v, not %v", when, key, state, want[key])
		}
	}
	for _, entry := range log {
		there, err := source.Log(t.Context(), board, entry.Seq, 1)
		if err != nil || !bytes.Equal(there[0].Data, entry.Data) {
			t.Fatalf("%s: commit %d is not that of the source", when, entry.Seq)
		}
	}
}

// TestLive exports a space that is being written, and whose images are being
// checkpointed, between any two reads.
func TestLive(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(10, seed))
		cfg := keeping()
		cfg.WatermarkEvery = 1 + rnd.IntN(8)
		source := &busy{Memory: new(space.Memory)}
		r := newRig(t, source.Memory, board, rigStart, cfg)
		d := r.attach(1, "ann")
		edit := edits(rnd)
		write := func(n int) {
			for range n {
				r.push(d, edit())
				d.base = r.core.Head().Seq
			}
			if rnd.IntN(3) == 0 {
				r.pass(time.Duration(rnd.IntN(5)) * time.Second)
			}
		}
		write(30)
		ends := 400 // else the log would be written as fast as it is read
		source.happens = func(read int) {
			if read < ends {
				write(rnd.IntN(3))
			}
		}
		before := r.core.Head().Seq
		export := exported(t, source)
		into := new(space.Memory)
		mustImport(t, into, export)
		if r.core.Head().Seq < before+10 {
			t.Fatalf("%d commits only while it was exported", r.core.Head().Seq-before)
		}
		mustHoldTogether(t, source.Memory, into, fmt.Sprintf("seed %d", seed))
	}
}

// TestLiveTrimmed exports a space whose history expires while it is read. What
// comes out must be what some gateway could have found.
func TestLiveTrimmed(t *testing.T) {
	again, slow := 0, 0
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(11, seed))
		source := &busy{Memory: new(space.Memory)}
		r := newRig(t, source.Memory, board, rigStart, expiring())
		whole := new(space.Memory) // what the source would have, had nothing expired
		d := r.attach(1, "ann")
		edit := edits(rnd)
		write := func(n int) {
			for range n {
				r.push(d, edit())
				d.base = r.core.Head().Seq
				last, err := source.Memory.Log(t.Context(), board, d.base, 1)
				if err == nil {
					err = whole.Append(t.Context(), board, d.base, last[0].Data)
				}
				if err != nil && !errors.Is(err, space.ErrTaken) {
					t.Fatal(err)
				}
				r.pass(time.Duration(rnd.IntN(20)) * time.Minute)
			}
		}
		write(60)
		at := 1 + rnd.IntN(25) // one long pause of the reader, somewhere
		source.happens = func(read int) {
			if read == at {
				write(5 + rnd.IntN(30))
			}
		}
		var out bytes.Buffer
		_, err := Export(t.Context(), source, "test", &out, Options{})
		if err != nil {
			if !errors.Is(err, errTooSlow) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			slow++
			continue
		}
		begun := 0
		if _, err := walk(bytes.NewReader(out.Bytes()), &counter{n: &begun}); err != nil {
			t.Fatal(err)
		}
		again += begun - 1
		into := new(space.Memory)
		mustImport(t, into, out.Bytes())
		c := dump(t, into, board)
		head := headOf(t, c)
		got := serveSpace(t, copyOf(into), board, "ann", head)
		if !got.attached || got.head != head || got.mode != protocol.ModeResume {
			t.Fatalf("seed %d: served as %+v; its log ends at %v", seed, got, head)
		}
		want := foldOf(t, dump(t, whole, board).log[:head.Seq])
		for key, state := range got.state {
			if fmt.Sprint(state) != want[key] {
				t.Fatalf("seed %d: %v is %v, not %v", seed, key, state, want[key])
			}
		}
		if len(want) != len(got.state) {
			t.Fatalf("seed %d: %d records, not %d", seed, len(got.state), len(want))
		}
	}
	if again == 0 || slow == 0 {
		t.Errorf("%d spaces began again, %d exports were too slow: the test does not test that", again, slow)
	}
}

// counter counts how often spaces begin.
type counter struct {
	keeper
	n *int
}

func (b *counter) begin(space.Key, uint64) error { *b.n++; return nil }
func (b *counter) end(sums) error                { return nil }

// TestOlderPart shows that images from an old, unfinished import are not
// completed by an export that does not know any more what was deleted since.
func TestOlderPart(t *testing.T) {
	source := new(space.Memory)
	r := newRig(t, source, board, rigStart, expiring())
	d := r.attach(1, "ann")
	create := func(id string) {
		r.push(d, protocol.Op{Kind: protocol.OpCreate, Collection: "cards", ID: id,
			Fields: []protocol.FieldValue{{Field: "title", Value: protocol.StringValue("x")}}})
		d.base = r.core.Head().Seq
		r.pass(time.Minute)
	}
	for i := range 12 {
		create(fmt.Sprint(i))
	}
	older := exported(t, source)
	r.push(d, protocol.Op{Kind: protocol.OpDelete, Collection: "cards", ID: "3"})
	for i := range 40 {
		create(fmt.Sprint(100 + i))
		r.pass(10 * time.Minute)
	}
	newer := exported(t, source)
	deleted := []space.ItemKey{{Kind: space.ItemRecord, A: "cards", B: "3"}}
	into := &watched{}
	for failAt := 1; ; failAt++ { // until that record is there
		into = &watched{Memory: new(space.Memory), failAt: failAt}
		if _, err := Import(t.Context(), into, bytes.NewReader(older), Options{Permanent: isBroken}); !isBroken(err) {
			t.Fatal(err)
		}
		if there, _ := into.Get(t.Context(), board, deleted); there[0].Version > 0 {
			break
		}
	}
	into.failAt = 0
	if _, err := Import(t.Context(), into, bytes.NewReader(newer), Options{}); err == nil || !strings.Contains(fmt.Sprint(err), "another store") {
		t.Errorf("completing an old part: %v", err)
	}
	if got := serveSpace(t, copyOf(into.Memory), board, "ann", protocol.Cursor{}); got.attached {
		t.Errorf("it is served: %+v", got)
	}
	fresh := new(space.Memory)
	mustImport(t, fresh, newer)
	mustEqual(t, source, fresh)
}

// TestUnfinishedSource shows that what was imported in part is not exported.
func TestUnfinishedSource(t *testing.T) {
	export := exported(t, made(t, 12))
	barred := 0
	for failAt := 1; ; failAt++ {
		into := &watched{Memory: new(space.Memory), failAt: failAt}
		if _, err := Import(t.Context(), into, bytes.NewReader(export), Options{Permanent: isBroken}); err == nil {
			break
		}
		unfinished := false
		for _, c := range dumpAll(t, into) {
			for _, item := range c.items {
				_, is := space.Unfinished(item)
				unfinished = unfinished || is
			}
		}
		_, err := Export(t.Context(), into.Memory, "test", new(bytes.Buffer), Options{})
		if unfinished {
			barred++
			if !errors.Is(err, ErrUnfinished) {
				t.Errorf("after %d writes: %v", failAt-1, err)
			}
		}
	}
	if barred < 50 {
		t.Errorf("%d unfinished stores only", barred)
	}
}

// TestMade shows that the stores of the other tests have everything in them.
func TestMade(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range dumpAll(t, made(t, 1)) {
		if c.log[0].Seq > 1 {
			seen["a trimmed log"] = true
		}
		mark := uint64(0)
		for _, item := range c.items {
			seen[fmt.Sprint("kind ", item.Key.Kind)] = true
			if item.Key.Kind == space.ItemWatermark {
				mark = item.Version
			}
		}
		if len(c.log) == 1 {
			seen[fmt.Sprintf("one commit, watermark %d", mark)] = true
		} else {
			seen[fmt.Sprintf("several commits, a watermark: %v", mark > 0)] = true
		}
	}
	for _, want := range []string{
		"a trimmed log", "kind 1", "kind 2", "kind 3", "kind 4", "kind 5", "one commit, watermark 0", "one commit, watermark 1",
		"several commits, a watermark: true", "several commits, a watermark: false",
	} {
		if !seen[want] {
			t.Errorf("there is nothing with %s", want)
		}
	}
}
