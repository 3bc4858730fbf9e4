package merge

import (
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

// benchRecord is a record of ten fields, as of seq 1.
func benchRecord(b *testing.B, schema *Schema) *Record {
	w := newWorld(b, schema)
	w.must('z', 0, 1, create("title", "a title of some length", "owner", "ann", "note", "x", "extra", 1, "e1", 1, "e2", 2, "e3", 3, "e4", 4, "e5", 5, "e6", 6))
	return w.records[things1]
}

func BenchmarkMergeSet(b *testing.B) {
	for name, schema := range map[string]*Schema{"no schema": nil, "schema": Everything()} {
		b.Run(name, func(b *testing.B) {
			rec := benchRecord(b, schema)
			m := &protocol.Mutation{Base: 1, Ops: []protocol.Op{set("title", "another title of some length")}}
			in := Input{Author: device('a'), Counter: 1, Mutation: m, EditTime: 5}
			view := func(Key) (*Record, bool) { return rec, true }
			b.ReportAllocs()
			for b.Loop() {
				if r := NewBatch(schema, view, 2, protocol.Limits{}).Merge(in); r.Verdict.Outcome != protocol.Applied {
					b.Fatalf("%+v", r)
				}
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	rec := benchRecord(b, nil)
	c := &protocol.Change{Collection: "things", ID: "r1", Fields: []protocol.FieldChange{{Field: "title", Value: value("another title")}}}
	at := protocol.Stamp{Seq: 2, Device: device('a').Device, User: "user-a", Base: 1, Time: 5}
	b.ReportAllocs()
	for b.Loop() {
		Apply(rec, things1, c, at)
	}
}

func BenchmarkItem(b *testing.B) {
	rec := rich(b)
	fields, meta := rec.Item()
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			rec.Item()
		}
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := RecordFromItem(things1, rec.Version(), fields, meta); err != nil {
				b.Fatal(err)
			}
		}
	})
}
