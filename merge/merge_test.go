package merge

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

// What a view does not have is asked for, all that can be known at once; the
// conflict's target only when the conflict is there.
func TestMissing(t *testing.T) {
	w, key := askedWorld(t)
	have := map[Key]bool{}
	m := &protocol.Mutation{Base: w.head(), Ops: []protocol.Op{
		set("title", "x"), on("things", "r2", set("title", "x")), resolve(things1, "price", 1),
	}, Preconditions: []protocol.Precondition{{Collection: "asking", ID: "r9"}}}
	m.Ops[0].ID = "r3"
	var rounds [][]Key
	for range 4 {
		b := NewBatch(w.schema, func(key Key) (*Record, bool) { return w.records[key], have[key] }, w.head()+1, w.limits)
		b.Merge(Input{Author: device('d'), Counter: 1, Mutation: m, EditTime: 50})
		missing := b.Missing()
		if len(missing) == 0 {
			break
		}
		rounds = append(rounds, missing)
		for _, key := range missing {
			have[key] = true
		}
	}
	want := [][]Key{{{"things", "r3"}, {"things", "r2"}, key, {"asking", "r9"}}, {things1}}
	if !slices.EqualFunc(rounds, want, slices.Equal[[]Key]) {
		t.Errorf("asked for %v, want %v", rounds, want)
	}
}

func TestPreconditions(t *testing.T) {
	w := newWorld(t, Everything())
	w.must('a', 0, 1, create("title", "t"))           // 1
	w.must('b', 1, 2, set("title", "u"))              // 2
	w.must('a', 2, 3, set("title", "v"))              // 3
	w.must('b', 3, 4, set("owner", "bob"))            // 4
	w.must('z', 0, 5, on("things", "gone", create())) // 5
	w.must('z', 5, 6, on("things", "gone", recordOp(protocol.OpDelete)))
	cases := []struct {
		id, field string
		version   uint64
		by        byte
		holds     bool
	}{
		{"r1", "", 4, 'a', true},
		{"r1", "", 3, 'a', false}, // b's 4
		{"r1", "", 3, 'b', true},  // its own does not count
		{"r1", "", 2, 'b', false}, // a's 3
		{"r1", "title", 2, 'a', true},
		{"r1", "title", 1, 'a', false}, // b's 2, below its own 3
		{"r1", "title", 3, 'c', true},
		{"r1", "title", 2, 'c', false},
		{"r1", "owner", 0, 'a', false},
		{"r1", "owner", 4, 'a', true},
		{"r1", "note", 0, 'a', true},
		{"r1", "", 0, 'a', false},
		{"none", "", 0, 'a', true},
		{"none", "title", 0, 'a', true},
		{"gone", "", 0, 'a', true},
		{"gone", "", 5, 'a', false},
		{"gone", "title", 5, 'a', false},
		{"gone", "", 6, 'a', true},
	}
	for _, c := range cases {
		b := NewBatch(w.schema, w.view, w.head()+1, w.limits)
		result := b.Merge(Input{Author: device(c.by), Counter: 1, EditTime: 9, Mutation: &protocol.Mutation{
			Base: w.head(), Ops: []protocol.Op{set("title", "x")},
			Preconditions: []protocol.Precondition{{Collection: "things", ID: c.id, Field: c.field, Version: c.version}},
		}})
		if got := result.Verdict.Code != protocol.RejectPrecondition; got != c.holds {
			t.Errorf("%+v: holds = %v", c, got)
		}
	}
}

// An op that finds nothing to do leaves the record's version alone.
func TestNoChange(t *testing.T) {
	w := newWorld(t, Everything())
	w.must('z', 0, 1, create("tags", []any{"p"}, "top", 5, "bottom", 5))
	w.must('b', 1, 2, fieldOp(protocol.OpSetAdd, "tags", "p"))
	w.must('b', 1, 2, fieldOp(protocol.OpSetAdd, "tags", "p")) // b's second add takes the place of its first
	for what, op := range map[string]protocol.Op{
		"remove an add that is gone": fieldOp(protocol.OpSetRemove, "tags", "p"), // seen: 1 and 2, there: 3
		"remove nothing":             fieldOp(protocol.OpSetRemove, "tags", "x"),
		"raise to less":              fieldOp(protocol.OpMax, "top", 4),
		"lower to more":              fieldOp(protocol.OpMin, "bottom", 5),
		"undelete what lives":        recordOp(protocol.OpUndelete),
	} {
		if r := w.one('c', 2, 3, op); len(r.Changes) != 0 || r.Verdict.Outcome > protocol.Merged {
			t.Errorf("%s: %+v", what, r)
		}
	}
	w.must('b', 3, 4, recordOp(protocol.OpDelete))
	if r := w.one('c', 2, 5, recordOp(protocol.OpDelete)); len(r.Changes) != 0 || r.Verdict.Outcome != protocol.Applied {
		t.Errorf("delete what is deleted: %+v", r)
	}
}

// What no record can make right.
func TestRefusals(t *testing.T) {
	big := strings.Repeat("x", 40_000)
	name := strings.Repeat("n", protocol.MaxNameBytes+1)
	cases := []struct {
		what  string
		op    protocol.Op
		code  protocol.RejectCode
		field string
		says  string
	}{
		{"collection of ours", on("_mine", "r1", set("a", 1)), protocol.RejectName, "", "_mine"},
		{"collection without schema", on("others", "r1", set("a", 1)), protocol.RejectName, "", "others"},
		{"record without id", on("things", "", set("title", "a")), protocol.RejectName, "", "empty"},
		{"id too long", on("things", name, set("title", "a")), protocol.RejectName, "", "255"},
		{"field too long", set(name, 1), protocol.RejectName, name[:100], "255"},
		{"field of ours", set("_v", 1), protocol.RejectName, "_v", "_v"},
		{"empty field", set("", 1), protocol.RejectName, "", "empty"},
		{"no field", set(), protocol.RejectMalformed, "", "no field"},
		{"a field twice", create("title", "a", "title", "b"), protocol.RejectMalformed, "title", "twice"},
		{"a nested field twice", create("where.city", "a", "where", map[string]any{"city": "b"}), protocol.RejectMalformed, "where.city", "twice"},
		{"a nested object that is none", create("where", "Rome"), protocol.RejectSchema, "where", "object"},
		{"a name of ours, nested", create("where", map[string]any{"_x": 1}), protocol.RejectName, "_x", "_x"},
		{"a wrong type", set("title", 7), protocol.RejectSchema, "title", "a string"},
		{"a wrong type in a created record", create("title", 7), protocol.RejectSchema, "title", "a string"},
		{"not of the enumeration", set("state", "odd"), protocol.RejectSchema, "state", `"open", "done", "void"`},
		{"a wrong type inside", set("blob", map[string]any{"a": "x"}), protocol.RejectSchema, "blob.a", "an integer"},
		{"a wrong element", fieldOp(protocol.OpSetAdd, "tags", 7), protocol.RejectSchema, "tags", "a string"},
		{"a wrong element in a created set", create("tags", []any{1}), protocol.RejectSchema, "tags", "a string"},
		{"a set that is none", create("tags", "p"), protocol.RejectSchema, "tags", "an array"},
		{"a counter that is none", create("count", "p"), protocol.RejectSchema, "count", "numbers"},
		{"no number to add", fieldOp(protocol.OpAdd, "count", "1"), protocol.RejectSchema, "count", "numbers"},
		{"no position", insert("steps", "x", "", 1), protocol.RejectMalformed, "steps", "position"},
		{"a position of another kind", insert("steps", "x", "1/2", 1), protocol.RejectMalformed, "steps", "position"},
		{"an element without an id", insert("steps", "", "a1", 1), protocol.RejectName, "", "element"},
		{"set a set", set("tags", []any{"p"}), protocol.RejectPolicy, "tags", "add or remove"},
		{"set a list", set("steps", []any{"p"}), protocol.RejectPolicy, "steps", "insert"},
		{"too large a field", set("note", big), protocol.RejectTooLarge, "note", "bytes"},
		{"too large a mutation", set("note", strings.Repeat("x", 200_000)), protocol.RejectTooLarge, "", "bytes"},
		{"missing", on("things", "r7", set("title", "a")), protocol.RejectMissing, "", "does not exist"},
		{"missing, to delete", on("things", "r7", recordOp(protocol.OpDelete)), protocol.RejectMissing, "", "does not exist"},
		{"missing, to undelete", on("things", "r7", recordOp(protocol.OpUndelete)), protocol.RejectMissing, "", "does not exist"},
		{"too large a number", fieldOp(protocol.OpAdd, "count", protocol.MaxInteger), protocol.RejectInvalid, "count", ""},
	}
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t, Everything())
			w.limits.FieldBytes = 32 << 10
			w.must('a', 0, 1, create("count", 5))
			before := stateHash(w.records)
			v := w.one('a', 1, 2, c.op).Verdict
			if v.Outcome != protocol.Rejected || v.Code != c.code || !strings.HasPrefix(v.Field, c.field) || (v.Field == "") != (c.field == "") || !strings.Contains(v.Message, c.says) {
				t.Errorf("%+v", v)
			}
			if len(v.Message) > protocol.MaxMessageText || v.Message == "" {
				t.Errorf("a message of %d bytes", len(v.Message))
			}
			if stateHash(w.records) != before {
				t.Error("it had an effect")
			}
		})
	}
}

// A record at its limit can still shrink.
func TestRecordLimit(t *testing.T) {
	w := newWorld(t, nil)
	w.limits.RecordBytes = 2000
	w.must('a', 0, 1, create("title", "t"))
	fill := func(n int) protocol.Verdict {
		return w.one('a', w.head(), 2, set(fmt.Sprintf("f%d", n), strings.Repeat("x", 500))).Verdict
	}
	n := 0
	for ; fill(n).Outcome == protocol.Applied; n++ {
	}
	if n != 3 {
		t.Errorf("%d fields went in", n)
	}
	if v := fill(n); v.Code != protocol.RejectTooLarge || !strings.Contains(v.Message, "2000") {
		t.Errorf("%+v", v)
	}
	w.limits.RecordBytes = 1000 // the operator lowers it
	w.must('a', w.head(), 3, set("f0", "small"))
	if v := fill(n); v.Code != protocol.RejectTooLarge {
		t.Errorf("%+v", v)
	}
}

// Finding the one op to blame among many on a large record would take long: all
// are.
func TestBlameIsBounded(t *testing.T) {
	w := newWorld(t, Everything())
	var elements []any
	for i := range 1000 {
		elements = append(elements, fmt.Sprintf("element number %d of a list that is long", i))
	}
	w.must('a', 0, 1, create("steps", elements))
	var ops []protocol.Op
	for i := range 500 {
		ops = append(ops, listOp(protocol.OpListSet, "steps", fmt.Sprint(i), "", "x"))
	}
	bad := set("low", 5, "high", 3)
	if v := w.one('a', 1, 2, append(ops, bad)...).Verdict; v.Code != protocol.RejectInvalid || v.Field != "low" {
		t.Errorf("%+v", v)
	}
	if v := w.one('a', 1, 2, append(ops[:50:50], bad)...).Verdict; len(v.Ops) != 51 || v.Ops[0].Outcome != protocol.Applied || v.Ops[50].Code != protocol.RejectInvalid {
		t.Errorf("%+v", v)
	}
}

// Only what a mutation breaks is held against it.
func TestWhatWasInvalidBefore(t *testing.T) {
	loose := schemaOf(t, "things.json", `{"properties": {"low": {}, "high": {}, "title": {}}}`)
	w := newWorld(t, loose)
	w.must('a', 0, 1, create("low", 5, "high", 3, "title", 7))
	w.schema = schemaOf(t, "schema.json", `{"version": 2}`, "things.json",
		`{"properties": {"low": {}, "high": {}, "title": {"type": "string"}}, "required": ["name"],
		  "x-check": [{"rule": "record.low <= record.high", "message": "low must not be above high"}]}`)
	w.must('a', 1, 2, set("extra", 1))
	w.must('a', 2, 3, set("title", "now a string"))
	w.must('a', 3, 4, set("high", 9))
	if v := w.one('a', 4, 5, set("low", 10)).Verdict; v.Code != protocol.RejectInvalid {
		t.Errorf("broken anew: %+v", v)
	}
}

// A field whose policy changed under a new schema takes the new ops, and every
// device folds it the same way.
func TestPolicyChanges(t *testing.T) {
	kinds := map[string]string{
		"plain": `{"properties": {"f": {}}}`,
		"set":   `{"properties": {"f": {"type": "array", "x-merge": "set"}}}`,
		"list":  `{"properties": {"f": {"type": "array", "x-merge": "list"}}}`,
	}
	change := map[string]protocol.Op{
		"plain": set("f", []any{"new"}),
		"set":   fieldOp(protocol.OpSetAdd, "f", "c"),
		"list":  listOp(protocol.OpListMove, "f", "1", "a5", nil),
	}
	want := map[string]any{"plain": []any{"new"}, "set": []any{"a", "b", "c"}, "list": []any{"a", "b"}}
	for from := range kinds {
		for to := range kinds {
			t.Run(from+" to "+to, func(t *testing.T) {
				w := newWorld(t, schemaOf(t, "things.json", kinds[from]))
				w.must('a', 0, 1, create("f", []any{"a", "b"}))
				device := w.snapshot()
				w.schema = schemaOf(t, "things.json", kinds[to])
				w.must('a', 1, 2, change[to])
				if got := w.records[things1].Value("f"); got != value(want[to]) {
					t.Errorf("f = %s", got)
				}
				device.apply(w.log[1])
				if stateHash(device) != stateHash(w.records) {
					t.Errorf("a device sees %s", device[things1].Value("f"))
				}
			})
		}
	}
}

func TestTrimBelow(t *testing.T) {
	w := newWorld(t, Everything())
	w.must('a', 0, 1, create("title", "t", "steps", []any{"one", "two"}, "tags", []any{"p"}))
	w.must('a', 1, 2, unset("title"))                                       // 2
	w.must('a', 2, 3, listOp(protocol.OpListRemove, "steps", "0", "", nil)) // 3
	w.must('a', 3, 4, fieldOp(protocol.OpSetRemove, "tags", "p"))           // 4
	rec := w.records[things1]
	for horizon, want := range map[uint64][2]int{2: {3, 2}, 3: {2, 2}, 4: {2, 1}, 5: {1, 1}} {
		trimmed := rec.TrimBelow(horizon)
		if len(trimmed.fields) != want[0] || len(trimmed.field("steps").list) != want[1] {
			t.Errorf("horizon %d: %d fields, %d elements; want %v", horizon, len(trimmed.fields), len(trimmed.field("steps").list), want)
		}
		before, _ := rec.State()
		after, _ := trimmed.State()
		if string(protocol.AppendRecordState(nil, &before)) != string(protocol.AppendRecordState(nil, &after)) {
			t.Errorf("horizon %d: people see something else", horizon)
		}
	}
	if rec.TrimBelow(2) != rec {
		t.Error("nothing to trim, and yet another record")
	}
	w.must('a', 4, 5, recordOp(protocol.OpDelete)) // 5
	if gone := w.records[things1]; gone.TrimBelow(5) == nil || gone.TrimBelow(6) != nil {
		t.Error("the tombstone goes at its horizon, not before")
	}
}

// A question outlives the horizon, and with it what it is about.
func TestTrimKeepsQuestions(t *testing.T) {
	w := newWorld(t, Everything())
	asking := func(op protocol.Op) protocol.Op { return on("asking", "r1", op) }
	key := Key{"asking", "r1"}
	w.must('z', 0, 1, asking(create("title", "t")))
	w.must('a', 1, 10, asking(recordOp(protocol.OpDelete)))
	w.one('b', 1, 11, asking(set("title", "b")))
	if w.records[key] = w.records[key].TrimBelow(100); w.records[key] == nil {
		t.Fatal("the tombstone is gone")
	}
	w.must('c', 3, 20, resolve(key, "", map[string]any{"title": "b"}))
	if got := w.records[key].Value("title"); got != value("b") {
		t.Errorf("title = %s", got)
	}
}

func TestTombstonesAreBounded(t *testing.T) {
	w := newWorld(t, Everything())
	w.must('a', 0, 1, create())
	for i := range maxTombstones + 10 {
		id := fmt.Sprintf("e%d", i)
		w.must('a', w.head(), 2, insert("steps", id, "a1", i), listOp(protocol.OpListRemove, "steps", id, "", nil))
	}
	f := w.records[things1].field("steps")
	if len(f.list) != maxTombstones {
		t.Errorf("%d tombstones", len(f.list))
	}
	if _, e := f.element("e9"); e != nil {
		t.Error("the oldest are still there")
	}
	if _, e := f.element("e10"); e == nil {
		t.Error("younger ones are gone")
	}
}

// What a client shows while an op is pending is what it gets if nobody else
// writes.
func TestPredict(t *testing.T) {
	ops := []protocol.Op{
		create("title", "t", "where", map[string]any{"city": "Rome"}, "tags", []any{"p"}, "steps", []any{"one", "two"}, "count", 2),
		create("title", "again"),
		set("title", "u"), set("where.zip", "1"), set("low", 1, "high", 2), unset("where.zip"),
		fieldOp(protocol.OpAdd, "count", 3), fieldOp(protocol.OpMax, "top", 3), fieldOp(protocol.OpMax, "top", 2), fieldOp(protocol.OpMin, "bottom", 3),
		fieldOp(protocol.OpSetAdd, "tags", "q"), fieldOp(protocol.OpSetRemove, "tags", "p"),
		insert("steps", "x", "a0V", "half"), insert("steps", "x", "a0V", "twice"),
		listOp(protocol.OpListMove, "steps", "0", "a5", nil), listOp(protocol.OpListSet, "steps", "1", "", "TWO"), listOp(protocol.OpListRemove, "steps", "0", "", nil),
		recordOp(protocol.OpDelete), set("title", "late"), recordOp(protocol.OpUndelete), recordOp(protocol.OpUndelete),
	}
	w := newWorld(t, Everything())
	for i := range ops {
		before := w.records[things1]
		predicted := w.schema.Predict(before, things1, &ops[i])
		if predicted.Version() != before.Version() {
			t.Errorf("op %d: the version became %d", i, predicted.Version())
		}
		w.one('a', w.head(), protocol.Time(i), ops[i])
		want, alive := w.records[things1].State()
		got, shown := predicted.State()
		got.Version = want.Version
		if alive != shown || string(protocol.AppendRecordState(nil, &want)) != string(protocol.AppendRecordState(nil, &got)) {
			t.Errorf("op %d: predicted\n%+v, became\n%+v", i, got, want)
		}
	}
	// Without a schema the same ops have an effect too, and never fail.
	var rec *Record
	for i := range ops {
		rec = Predict(rec, things1, &ops[i])
	}
	if got := rec.Value("title"); got != value("u") {
		t.Errorf("title = %s", got)
	}
}

func TestCompleteGroup(t *testing.T) {
	w := newWorld(t, Everything())
	w.must('a', 0, 1, create("low", 1, "high", 2))
	got := w.schema.CompleteGroup("things", pairs("low", 0, "title", "x"), w.records[things1])
	want := pairs("low", 0, "title", "x", "high", 2)
	want[2].Was = value(2)
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := (*Schema)(nil).CompleteGroup("things", want, nil); !slices.Equal(got, want) {
		t.Errorf("without a schema: %v", got)
	}
}
