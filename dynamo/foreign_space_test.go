package dynamo

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/engine"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// TestSpaceGoesOn has somebody edit a record in the table. The space makes it
// again from the log, devices read it and change it as if nothing had been, the
// edit stays in the table, and the next gateway finds the record beside it.
func TestSpaceGoesOn(t *testing.T) {
	engine.Each(t, func(t *testing.T, e *engine.Engine) {
		f := newForeigner(t, e)
		const records = 20
		key := func(n int) space.ItemKey {
			return space.ItemKey{Kind: space.ItemRecord, A: "tasks", B: fmt.Sprintf("%03d", n)}
		}
		fieldOp := func(kind protocol.OpKind, n int, name, value string) protocol.Op {
			return protocol.Op{
				Kind: kind, Collection: key(n).A, ID: key(n).B,
				Fields: []protocol.FieldValue{{Field: name, Value: protocol.StringValue(value)}},
			}
		}
		d := newDevice(0, 0)
		gateway(t, f.another(), 0, func(m *space.Manager) {
			for n := range records {
				d.push(t, m, fieldOp(protocol.OpCreate, n, "title", "first"))
			}
		})
		theirs := text("theirs")
		f.change(f.keys(key(1)), func(a attributes) { a["title"] = theirs })
		f.change(f.keys(key(2)), func(a attributes) { delete(a, attrVersion) })
		f.change(f.keys(key(3)), func(a attributes) { a["extra"] = theirs })

		gateway(t, f.another(), 3, func(m *space.Manager) {
			for _, n := range []int{1, 2, 3} {
				d.push(t, m, fieldOp(protocol.OpSet, n, "title", "second"))
			}
		})
		f.wantReport(t, key(1), "title", false)
		for n, want := range map[int]attributes{1: {"title": theirs}, 2: {"title": text("first")}, 3: {"title": text("first"), "extra": theirs}} {
			a := f.raw(f.keys(key(n)))
			for name, v := range want {
				if !reflect.DeepEqual(a[name], v) {
					t.Errorf("%s: the table has %v", key(n), a)
				}
			}
		}
		// What was made again is beside the edits; of the wreck it is made again always.
		gateway(t, f.another(), 1, func(m *space.Manager) {
			for _, n := range []int{1, 2, 3, 4} {
				d.push(t, m, fieldOp(protocol.OpSet, n, "title", "third"))
			}
		})
		f.wantReport(t, key(3), "extra", true)
		for n, unreadable := range map[int]bool{1: false, 2: true, 3: false, 4: false} {
			item := f.get(f.another(), key(n))
			if (item.Unreadable != nil) != unreadable {
				t.Errorf("%s is %+v", key(n), item)
			}
			want := []protocol.FieldValue{{Field: "title", Value: protocol.StringValue("third")}}
			if !unreadable && !slices.Equal(item.Fields, want) {
				t.Errorf("%s is %+v", key(n), item)
			}
		}
	})
}

// gateway runs a space's manager, and demands that it has made so many records
// again, and nothing was damaged.
func gateway(t *testing.T, s *Store, again int, do func(m *space.Manager)) {
	t.Helper()
	var mu sync.Mutex
	foreign := 0
	m := space.NewManager(s, space.Options{Hooks: space.Hooks{Event: func(_ space.Key, e space.Event) {
		mu.Lock()
		defer mu.Unlock()
		switch e.Kind {
		case space.EventForeign:
			foreign++
		case space.EventDamaged:
			t.Errorf("damaged: %v", e.Err)
		}
	}}})
	do(m)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := m.Close(ctx); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if foreign != again {
		t.Errorf("%d records were made again, not %d", foreign, again)
	}
}

// push makes a mutation of ops, and returns once it is committed.
func (d *device) push(t *testing.T, m *space.Manager, ops ...protocol.Op) {
	t.Helper()
	d.counter++
	body := protocol.AppendMutation(nil, &protocol.Mutation{Ops: ops})
	d.bodies = append(d.bodies, body)
	d.hashes = append(d.hashes, d.hashes[d.counter-1].Next(body))
	a := new(ambiguous) // which is enough at once
	for d.acked < d.counter && !t.Failed() {
		d.work(t, m, board, a)
	}
}
