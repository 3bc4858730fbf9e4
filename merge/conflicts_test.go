package merge

import (
	"strings"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

func resolve(key Key, field string, v any) protocol.Op {
	return protocol.Op{Kind: protocol.OpResolve, Collection: protocol.ConflictCollection, ID: ConflictID(key, field), Value: value(v)}
}

var things1 = Key{"things", "r1"}

// asked is a world in which the price of a thing is in question: 1 by a is
// committed, 2.5 by b waits.
func askedWorld(t *testing.T) (*world, Key) {
	w := newWorld(t, Everything())
	w.must('z', 0, 1, create())
	w.must('a', 1, 10, set("price", 1))
	w.one('b', 1, 11, set("price", 2.5))
	return w, Key{protocol.ConflictCollection, ConflictID(things1, "price")}
}

func TestOpenConflictIsARecord(t *testing.T) {
	w, key := askedWorld(t)
	conflict := w.records[key]
	for field, want := range map[string]any{
		"collection": "things", "id": "r1", "field": "price", "policy": "ask", "kept": 1, "lost": 2.5,
		"keptBy":   map[string]any{"device": device('a').Device.String(), "user": "user-a"},
		"lostBy":   map[string]any{"device": device('b').Device.String(), "user": "user-b"},
		"keptTime": 10, "lostTime": 11,
	} {
		if got := conflict.Value(field); got != value(want) {
			t.Errorf("%s = %s, want %s", field, got, value(want))
		}
	}
	if got := w.records[things1].Value("_conflicts"); got != value([]any{"price"}) {
		t.Errorf("the record does not say that it has a conflict: %s", got)
	}
	// A third value joins it; a plain set by someone who has seen it does not close it.
	if v := w.one('c', 1, 12, set("price", 7)).Verdict; v.Outcome != protocol.Conflicted {
		t.Fatalf("a third value: %+v", v)
	}
	others, _ := w.records[key].Value("others").Array()
	if len(others) != 1 || !strings.Contains(others[0].String(), `"value":7`) || !strings.Contains(others[0].String(), `"user":"user-c"`) {
		t.Errorf("others: %v", others)
	}
	w.must('a', 4, 13, set("price", 3))
	if !w.records[key].Alive() {
		t.Error("a plain set closed the conflict")
	}
}

func TestResolve(t *testing.T) {
	w, key := askedWorld(t)
	w.must('d', 3, 20, resolve(things1, "price", 2.5))
	rec := w.records[things1]
	if got := rec.Value("price"); got != value(2.5) {
		t.Errorf("price = %s", got)
	}
	if w.records[key].Alive() || !rec.Value("_conflicts").IsAbsent() {
		t.Error("the conflict is still open")
	}
	if v := w.one('d', 4, 21, resolve(things1, "price", 3)).Verdict; v.Code != protocol.RejectMissing {
		t.Errorf("resolved twice: %+v", v)
	}
	// The question may come up again.
	w.must('a', 4, 30, set("price", 4))
	if v := w.one('b', 4, 31, set("price", 5)).Verdict; v.Outcome != protocol.Conflicted || !w.records[key].Alive() {
		t.Errorf("asked again: %+v", v)
	}
	w.must('a', w.head(), 32, resolve(things1, "price", nil))
	if got := w.records[things1].Value("price"); !got.IsAbsent() {
		t.Errorf("resolved with nothing, price = %s", got)
	}
}

func TestResolveWhatHasChanged(t *testing.T) {
	w, _ := askedWorld(t)
	w.one('c', 1, 12, set("price", 7))
	if v := w.one('d', 3, 20, resolve(things1, "price", 2.5)).Verdict; v.Code != protocol.RejectStale || v.Field != "price" {
		t.Errorf("resolved without the third value in view: %+v", v)
	}
	// Somebody overwrites the field unseen: the decision stands, and they are told.
	w.must('a', 4, 13, set("price", 3))
	got := w.one('d', 4, 20, resolve(things1, "price", 2.5))
	if got.Verdict.Outcome != protocol.Merged || len(got.Conflicts) != 1 || got.Conflicts[0].Lost.Value != value(3) {
		t.Errorf("resolved over an unseen value: %+v", got)
	}
}

// A mutation may require that a conflict is still as its author saw it.
func TestPreconditionOnConflict(t *testing.T) {
	w, key := askedWorld(t)
	require := func(version uint64) protocol.Verdict {
		return w.commit(write{by: 'd', base: 3, at: 20, m: protocol.Mutation{
			Ops:           []protocol.Op{set("title", "x")},
			Preconditions: []protocol.Precondition{{Collection: key.Collection, ID: key.ID, Version: version}},
		}})[0].Verdict
	}
	if v := require(3); v.Outcome != protocol.Applied {
		t.Errorf("as it was seen: %+v", v)
	}
	w.one('c', 1, 12, set("price", 7))
	if v := require(3); v.Code != protocol.RejectPrecondition {
		t.Errorf("with a third value: %+v", v)
	}
}

func TestResolveKeepsTheRules(t *testing.T) {
	w, key := askedWorld(t)
	if v := w.one('d', 3, 20, resolve(things1, "price", "cheap")).Verdict; v.Code != protocol.RejectSchema || v.Field != "price" {
		t.Errorf("a value that does not fit: %+v", v)
	}
	if v := w.one('d', 3, 20, on(protocol.ConflictCollection, key.ID, set("lost", 1))).Verdict; v.Code != protocol.RejectName {
		t.Errorf("a set of a conflict: %+v", v)
	}
	if v := w.one('d', 3, 20, on("things", "r1", protocol.Op{Kind: protocol.OpResolve})).Verdict; v.Code != protocol.RejectName {
		t.Errorf("a resolve of a record: %+v", v)
	}
}

func TestDeleteClosesConflicts(t *testing.T) {
	w, key := askedWorld(t)
	w.must('a', 3, 20, recordOp(protocol.OpDelete))
	if w.records[key].Alive() {
		t.Error("the conflict outlives its record")
	}
	w.must('a', 4, 21, recordOp(protocol.OpUndelete))
	if got := w.records[things1].Value("_conflicts"); !got.IsAbsent() {
		t.Errorf("the conflicts came back: %s", got)
	}
}

func TestResolveDeletion(t *testing.T) {
	key := Key{"asking", "r1"}
	asking := func(op protocol.Op) protocol.Op { return on("asking", "r1", op) }
	begin := func(t *testing.T) *world {
		w := newWorld(t, Everything())
		w.must('z', 0, 1, asking(create("title", "t", "count", 5, "steps", []any{"one"}, "tags", []any{"p"})))
		w.must('a', 1, 10, asking(recordOp(protocol.OpDelete)))
		w.one('b', 1, 11, asking(set("title", "b")), asking(fieldOp(protocol.OpAdd, "count", 2)), asking(fieldOp(protocol.OpSetAdd, "tags", "q")), asking(insert("steps", "x", "a5", "two")))
		return w
	}
	t.Run("it lives, with what was wanted", func(t *testing.T) {
		w := begin(t)
		wanted := w.records[Key{protocol.ConflictCollection, ConflictID(key, "")}].Value("lost")
		w.must('c', 3, 20, protocol.Op{Kind: protocol.OpResolve, Collection: protocol.ConflictCollection, ID: ConflictID(key, ""), Value: wanted})
		rec := w.records[key]
		for field, want := range map[string]any{"title": "b", "count": 7, "tags": []any{"p", "q"}, "steps": []any{"one", "two"}} {
			if got := rec.Value(field); got != value(want) {
				t.Errorf("%s = %s, want %s", field, got, value(want))
			}
		}
		if !rec.Value("_conflicts").IsAbsent() {
			t.Error("the conflict is still open")
		}
	})
	t.Run("it stays deleted", func(t *testing.T) {
		w := begin(t)
		w.must('c', 3, 20, resolve(key, "", nil))
		if w.records[key].Alive() || w.records[Key{protocol.ConflictCollection, ConflictID(key, "")}].Alive() {
			t.Error("it lives, or the conflict is open")
		}
	})
	t.Run("it lived, and goes", func(t *testing.T) {
		w := newWorld(t, Everything())
		w.must('z', 0, 1, asking(create("title", "t")))
		w.must('a', 1, 10, asking(set("title", "a")))
		w.one('b', 1, 11, asking(recordOp(protocol.OpDelete)))
		w.must('c', 3, 20, resolve(key, "", nil))
		if w.records[key].Alive() || w.records[Key{protocol.ConflictCollection, ConflictID(key, "")}].Alive() {
			t.Error("it lives, or the conflict is open")
		}
	})
	t.Run("an answer that is none", func(t *testing.T) {
		w := begin(t)
		for answer, code := range map[any]protocol.RejectCode{"yes": protocol.RejectPolicy} {
			if v := w.one('c', 3, 20, resolve(key, "", answer)).Verdict; v.Code != code {
				t.Errorf("%v: %+v", answer, v)
			}
		}
		for field, code := range map[string]protocol.RejectCode{"title": protocol.RejectSchema, "_x": protocol.RejectName, "count": protocol.RejectSchema} {
			if v := w.one('c', 3, 20, resolve(key, "", map[string]any{field: []any{1}})).Verdict; v.Code != code {
				t.Errorf("%s: %+v", field, v)
			}
		}
	})
}

// A value too long for the log goes into an item of its own.
func TestLargeLostValue(t *testing.T) {
	w := newWorld(t, Everything())
	long, longer := strings.Repeat("x", protocol.MaxInlineConflict), strings.Repeat("y", 9000)
	w.must('z', 0, 1, create())
	w.must('a', 1, 10, set("title", long))
	got := w.one('b', 1, 9, set("title", longer))
	if len(got.Conflicts) != 1 || len(got.Blobs) != 2 {
		t.Fatalf("%+v", got)
	}
	c := got.Conflicts[0]
	if !c.Lost.Value.IsAbsent() || w.blobs[c.Lost.Blob] != value(longer) || w.blobs[c.Kept.Blob] != value(long) {
		t.Errorf("the values are not kept: %+v", c)
	}
	// In an open conflict, the record names the item.
	w.must('a', 1, 10, set("extra2", "x"), set("blob", map[string]any{"a": 1, "b": long}))
	w.must('a', w.head(), 20, set("price", 1))
	key := Key{protocol.ConflictCollection, ConflictID(things1, "note")}
	w.must('a', w.head(), 30, set("note", longer))
	w.one('b', 1, 31, set("title", "z"), set("note", long))
	conflict := w.records[key]
	if !conflict.Alive() {
		t.Fatal("no open conflict")
	}
	for field, want := range map[string]string{"keptBlob": longer, "lostBlob": long} {
		if got := conflict.Value(field); got != value(protocol.BlobOf(value(want)).String()) {
			t.Errorf("%s = %s", field, got)
		}
	}
	if !conflict.Value("kept").IsAbsent() || !conflict.Value("lost").IsAbsent() {
		t.Error("the long values stand in the record too")
	}
}

// The oldest of many further values give way; the log has them all.
func TestOthersAreBounded(t *testing.T) {
	w, key := askedWorld(t)
	for i := range 2 * maxOthers {
		w.one('c', 1, protocol.Time(20+i), set("price", 100+i))
	}
	others, _ := w.records[key].Value("others").Array()
	if len(others) != maxOthers || !strings.Contains(others[maxOthers-1].String(), "227") {
		t.Errorf("%d others, the last is %s", len(others), others[len(others)-1])
	}
}
