package merge

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

// rich is a record with a bit of everything.
func rich(t testing.TB) *Record {
	w := newWorld(t, Everything())
	w.must('a', 0, 1, create("title", "t", "tags", []any{"p", "q"}, "steps", []any{"one", "two"}, "count", 2, "where", map[string]any{"city": "Rome"}))
	w.one('b', 0, 2, fieldOp(protocol.OpSetAdd, "tags", "p"), listOp(protocol.OpListRemove, "steps", "0", "", nil), unset("owner"))
	w.one('c', 0, 1, set("price", 1))
	w.one('a', 0, 1, set("price", 2))
	return w.records[things1]
}

func TestItem(t *testing.T) {
	rec := rich(t)
	fields, meta := rec.Item()
	var names []string
	for _, f := range fields {
		names = append(names, f.Field)
	}
	want := []string{"_conflicts", "count", "price", "steps", "tags", "title", "where.city"}
	if !slices.Equal(names, want) {
		t.Errorf("native fields %q, want %q", names, want)
	}
	if fields[4].Value != value([]any{"p", "q"}) || fields[3].Value != value([]any{"two"}) {
		t.Errorf("sets and lists are not arrays: %v", fields)
	}
	if len(meta) > 500 {
		t.Errorf("%d bytes of metadata", len(meta))
	}
	back, err := RecordFromItem(rec.Key(), rec.Version(), fields, meta)
	if err != nil || diff(rec, back) != "" {
		t.Errorf("%v, %s", err, diff(rec, back))
	}
	// A tombstone looks like nothing to others, and comes back with all it had.
	gone := Apply(rec, rec.Key(), &protocol.Change{Kind: protocol.ChangeDelete}, protocol.Stamp{Seq: 9, Time: 9})
	fields, meta = gone.Item()
	if len(fields) != 0 {
		t.Errorf("a tombstone has native fields: %v", fields)
	}
	back, err = RecordFromItem(gone.Key(), gone.Version(), fields, meta)
	if err != nil || diff(gone, back) != "" || back.Alive() {
		t.Errorf("%v, %s", err, diff(gone, back))
	}
}

func TestForeignWrite(t *testing.T) {
	rec := rich(t)
	for what, change := range map[string]func([]protocol.FieldValue) []protocol.FieldValue{
		"another value": func(f []protocol.FieldValue) []protocol.FieldValue { f[1].Value = value(99); return f },
		"one less":      func(f []protocol.FieldValue) []protocol.FieldValue { return f[1:] },
		"one more": func(f []protocol.FieldValue) []protocol.FieldValue {
			return append(f, protocol.FieldValue{Field: "zip", Value: value(1)})
		},
		"another name": func(f []protocol.FieldValue) []protocol.FieldValue { f[1].Field = "cound"; return f },
	} {
		fields, meta := rec.Item()
		if _, err := RecordFromItem(rec.Key(), rec.Version(), change(fields), meta); !errors.Is(err, ErrForeignWrite) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestDamagedItem(t *testing.T) {
	rec := rich(t)
	fields, meta := rec.Item()
	for cut := range meta {
		if _, err := RecordFromItem(rec.Key(), rec.Version(), fields, meta[:cut]); err == nil {
			t.Fatalf("cut to %d bytes, and read all the same", cut)
		}
	}
	if _, err := RecordFromItem(rec.Key(), rec.Version(), fields, append(meta, 0)); !errors.Is(err, ErrItem) || !strings.Contains(err.Error(), "r1") {
		t.Errorf("a byte more: %v", err)
	}
	newer := slices.Clone(meta)
	newer[0] = 0x20
	if _, err := RecordFromItem(rec.Key(), rec.Version(), fields, newer); protocol.AsError(err).Code != protocol.CodeUpgrade {
		t.Errorf("a newer format: %v", err)
	}
}

func TestNoItem(t *testing.T) {
	fields, meta := (*Record)(nil).Item()
	if rec, err := RecordFromItem(things1, 7, fields, meta); rec != nil || err != nil {
		t.Errorf("%v, %v", rec, err)
	}
}

// No metadata, however damaged, panics, or costs more than it weighs.
func FuzzRecordFromItem(f *testing.F) {
	rec := rich(f)
	fields, meta := rec.Item()
	f.Add(meta[17:], uint64(9), true)
	gone := Apply(rec, rec.Key(), &protocol.Change{Kind: protocol.ChangeDelete}, protocol.Stamp{Seq: 9, Time: 9})
	_, meta = gone.Item()
	f.Add(meta[17:], uint64(9), false)
	f.Fuzz(func(t *testing.T, body []byte, version uint64, native bool) {
		given := fields
		if !native {
			given = nil
		}
		// A digest that fits, or nothing behind it would ever be read.
		digest := digestOf(given)
		meta := append(append(protocol.AppendFormat(nil), digest[:]...), body...)
		var rec *Record
		var err error
		used := allocated(func() { rec, err = RecordFromItem(things1, version, given, meta) })
		if bound := uint64(64<<10 + 40*len(body)); used > bound {
			t.Fatalf("%d bytes of metadata cost %d bytes", len(body), used)
		}
		if err != nil {
			return
		}
		againFields, againMeta := rec.Item()
		again, err := RecordFromItem(things1, version, againFields, againMeta)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if d := diff(rec, again); d != "" {
			t.Fatal(d)
		}
	})
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
