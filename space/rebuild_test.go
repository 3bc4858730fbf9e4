package space

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// TestForeignWrites has somebody else change records' images in the store: the
// space makes them again from the log, goes on, and stores them again. Without
// the whole log it is damaged, and says which image.
func TestForeignWrites(t *testing.T) {
	spoilt := errors.New(`attribute "n": somebody else wrote it`)
	one, two := ItemKey{Kind: ItemRecord, A: "tasks", B: "1"}, ItemKey{Kind: ItemRecord, A: "tasks", B: "2"}
	never := ItemKey{Kind: ItemRecord, A: "tasks", B: "never"}
	begin := func(t *testing.T) (*rig, *testClient) {
		store := new(Memory)
		r := newRig(t, "a", store, Config{WatermarkEvery: 5})
		r.settle()
		ann := newTestClient("ann")
		for _, line := range []string{
			"create tasks/1 n=1", "create tasks/2 n=2", "set tasks/1 n=11", "create tasks/3 n=3",
			"create tasks/4 n=4", "delete tasks/2", "create tasks/5 n=5",
		} {
			ann.mutate(0, mustOp(line))
		}
		drive(t, r, ann, 1, 1)
		r.pass(time.Minute)
		s := store.spaces[rigKey]
		for _, key := range []ItemKey{one, two, never} {
			s.items[key] = Item{Key: key, Version: s.items[key].Version, Unreadable: spoilt}
		}
		s.keys = append(s.keys, never)
		r.events = nil
		r.restart()
		return r, ann
	}

	t.Run("with the whole log", func(t *testing.T) {
		r, ann := begin(t)
		// Devices read all, from a snapshot too.
		p := newReplica(t)
		p.pos.Snapshot = true
		r.settle()
		p.read(r.reader(), ReadRequest{MaxBytes: 50})
		want := showState(foldOf(logOf(t, r.store, nil)))
		if got := showState(p.records); got != want {
			t.Errorf("a snapshot has\n%s\nnot\n%s", got, want)
		}
		ann.mutate(0, mustOp("set tasks/1 n=111"))
		ann.mutate(0, mustOp("create tasks/never n=0"))
		for _, v := range drive(t, r, ann, 2, 2) {
			if v.Outcome != protocol.Applied {
				t.Errorf("%+v", v)
			}
		}
		if r.core.Damaged() != nil || r.count(EventForeign) != 3 {
			t.Errorf("damaged: %v, %d images of others", r.core.Damaged(), r.count(EventForeign))
		}
		r.pass(time.Minute)
		for _, key := range []ItemKey{one, never} {
			item := r.store.spaces[rigKey].items[key]
			rec, err := decodeRecord(item)
			if err != nil || item.Unreadable != nil || rec == nil || rec.Version() != r.core.Head().Seq {
				t.Errorf("stored was %+v, %v", item, err)
			}
		}
		folded := foldOf(logOf(t, r.store, nil))
		for _, key := range []ItemKey{one, two, never} {
			got, _ := r.core.view(merge.Key{Collection: key.A, ID: key.B})
			want := folded[merge.Key{Collection: key.A, ID: key.B}]
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s was made again as %+v, not %+v", key, got, want)
			}
		}
	})

	t.Run("the log was trimmed", func(t *testing.T) {
		r, ann := begin(t)
		if err := r.store.Trim(t.Context(), rigKey, 3, nil); err != nil {
			t.Fatal(err)
		}
		r.settle()
		ann.mutate(0, mustOp("set tasks/1 n=111"))
		r.core.Attach(r.now, Attach{Session: 2, Device: ann.device, User: ann.user})
		r.take()
		r.settle()
		r.answers(2)
		r.core.Push(r.now, ann.pushFrom(2, 1, ann.counter))
		r.take()
		r.pass(time.Second)
		if d := r.core.Damaged(); d == nil || !strings.Contains(d.Message, `record "tasks"/`) || !strings.Contains(d.Message, spoilt.Error()) {
			t.Errorf("damaged: %v", d)
		}
	})

	for name, key := range map[string]ItemKey{"watermark": {Kind: ItemWatermark}, "horizon": {Kind: ItemHorizon}} {
		t.Run("the "+name, func(t *testing.T) {
			r, _ := begin(t)
			r.store.spaces[rigKey].items[key] = Item{Key: key, Unreadable: spoilt}
			r.restart()
			r.settle()
			if d := r.core.Damaged(); d == nil || !strings.Contains(d.Message, name) {
				t.Errorf("damaged: %v", d)
			}
		})
	}
}
