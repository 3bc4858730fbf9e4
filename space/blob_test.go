package space

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

const askSchema = `{"type":"object","properties":{"text":{"type":"string","x-merge":"ask"},"note":{"type":"string"}}}`

// collide lets two devices overwrite each other's large texts; the second loses.
func collide(t *testing.T, r *rig, field string) (ann, bob *testClient) {
	t.Helper()
	ann, bob = newTestClient("ann"), newTestClient("bob")
	ann.mutate(r.now, mustOp("create tasks/1 other=1"))
	drive(t, r, ann, 1, 1)
	bob.base = 1
	ann.base = 1
	ann.mutate(r.now+100_000, // clamped to the commit's time
		mustOp("set tasks/1 "+field+"="+strings.Repeat("a", 5000)))
	bob.mutate(r.now, mustOp("set tasks/1 "+field+"="+strings.Repeat("b", 6000)))
	r.pass(time.Second)
	drive(t, r, ann, 2, 1)
	r.core.Attach(r.now, Attach{Session: 3, Device: bob.device, User: bob.user})
	r.take()
	r.settle()
	r.answers(3)
	r.core.Push(r.now, bob.pushFrom(3, 1, 1))
	r.take()
	return ann, bob
}

// TestLargeLostValueIsStoredFirst shows that a commit names a large overwritten
// value only once that is durable, and that it can be fetched.
func TestLargeLostValueIsStoredFirst(t *testing.T) {
	store := new(Memory)
	r := newRig(t, "a", store, Config{Exclusive: true})
	r.settle()
	_, bob := collide(t, r, "text")
	stored := make(map[string]bool)
	for _, req := range r.requests {
		switch op := req.Op.(type) {
		case AppendOp:
			t.Fatal("the commit goes out before the value it names")
		case PutOp:
			for _, item := range op.Items {
				if item.Key.Kind == ItemBlob {
					stored[item.Key.A] = true
				}
			}
		}
	}
	r.settle()
	verdicts := r.answers(3)[0].(Verdicts).List
	if verdicts[0].Outcome != protocol.Superseded {
		t.Fatalf("%+v", verdicts)
	}
	commits := logOf(t, store, nil)
	conflict := commits[len(commits)-1].Conflicts[0]
	blob := conflict.Lost.Blob
	if !stored[string(blob[:])] {
		t.Fatalf("the conflict names %v, which was not stored", blob)
	}
	m := NewManager(store, Options{Config: Config{Exclusive: true}})
	defer closeManager(t, m)
	sink := newInbox()
	a, err := m.Attach(rigKey, Attach{Device: bob.device, User: bob.user}, sink)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Detach()
	sink.attached(t)
	v, err := a.Fetch(t.Context(), blob)
	if text, _ := v.Text(); err != nil || text != strings.Repeat("b", 6000) {
		t.Errorf("fetched %d bytes, %v", v.Size(), err)
	}
	if v, err := a.Fetch(t.Context(), protocol.BlobID{1}); err != nil || !v.IsAbsent() {
		t.Errorf("what is not there: %v, %v", v, err)
	}
	// The loser's notice comes with the commit, to the loser alone.
	for _, device := range []string{"ann", "bob"} {
		chunk, err := a.Read(t.Context(), ReadRequest{MaxBytes: 1 << 20, Device: testDevice(device)})
		if err != nil {
			t.Fatal(err)
		}
		frames, err := protocol.DecodeDelivery(chunk.Frames, protocol.NewNameTable())
		if err != nil {
			t.Fatal(err)
		}
		notices := 0
		for _, f := range frames {
			if f.Type() == protocol.FrameConflict {
				notices++
			}
		}
		if want := map[string]int{"ann": 0, "bob": 1}[device]; notices != want {
			t.Errorf("%s got %d notices, not %d", device, notices, want)
		}
	}
}

// TestOpenConflictKeepsItsValue shows that what an open conflict names outlives
// the horizon, and what nothing names does not.
func TestOpenConflictKeepsItsValue(t *testing.T) {
	for field, kept := range map[string]bool{"text": true, "note": false} {
		schema, err := merge.ParseSchema(map[string][]byte{"tasks.json": []byte(askSchema)})
		if err != nil {
			t.Fatal(err)
		}
		store := new(Memory)
		r := newRig(t, "a", store, Config{
			Exclusive: true, Expire: true, WatermarkEvery: 1, Schema: schema,
			Limits: protocol.Limits{Horizon: 2 * time.Hour},
		})
		r.settle()
		ann, _ := collide(t, r, field)
		r.settle()
		if v := r.answers(3)[0].(Verdicts).List[0]; v.Outcome != protocol.Conflicted && v.Outcome != protocol.Superseded {
			t.Fatalf("%+v", v)
		}
		for i := range 3 {
			r.pass(3 * time.Hour)
			ann.base = r.core.Head().Seq
			ann.mutate(r.now, mustOp("set tasks/1 note=x"))
			drive(t, r, ann, SessionID(10+i), 1)
		}
		if r.core.Horizon() < 4 {
			t.Fatalf("the horizon is %d", r.core.Horizon())
		}
		items, err := store.Scan(t.Context(), rigKey, ItemKey{Kind: ItemBlob}, 1<<20)
		if err != nil || (len(items) > 0) != kept {
			t.Errorf("%s: %d large values are kept, %v", field, len(items), err)
		}
	}
}

func mustSchema(t *testing.T, version int, field string) *merge.Schema {
	t.Helper()
	schema, err := merge.ParseSchema(map[string][]byte{
		"schema.json": fmt.Appendf(nil, `{"version":%d}`, version),
		"tasks.json":  fmt.Appendf(nil, `{"type":"object","properties":{%q:{"type":"number"}}}`, field),
	})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}
