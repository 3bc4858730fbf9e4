package merge

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

// In each case, commit 1 creates the record, and commits 2, 3, … hold one write
// each. A write's base is 1 unless it says otherwise: none has seen the others.
type policyCase struct {
	name   string
	first  protocol.Op // create() if its kind is 0
	writes []write
	// want are the last write's outcome (with the code of a rejection), the value of
	// field afterwards, and the conflicts that the last commit tells of:
	// "field: loser lost <value> to winner's <value>".
	field    string
	outcome  string
	value    any
	conflict []string
}

// by is a write of one mutation: who, at what edit time, and the ops.
func by(letter byte, at protocol.Time, ops ...protocol.Op) write {
	return write{by: letter, base: 1, at: at, m: protocol.Mutation{Ops: ops}}
}

// seen gives a write a base.
func seen(base uint64, w write) write {
	w.base = base
	return w
}

// wholly marks a write as all or nothing.
func wholly(w write) write {
	w.m.Whole = true
	return w
}

func inCollection(collection string, writes ...write) []write {
	for i := range writes {
		for j := range writes[i].m.Ops {
			if writes[i].m.Ops[j].Collection == "things" {
				writes[i].m.Ops[j].Collection = collection
			}
		}
	}
	return writes
}

// outcomeOf puts a verdict in short.
func outcomeOf(v protocol.Verdict) string {
	words := []string{describe(v.Outcome, v.Code)}
	if len(v.Ops) > 0 {
		words = nil
		for _, op := range v.Ops {
			words = append(words, describe(op.Outcome, op.Code))
		}
	}
	return strings.Join(words, ", ")
}

func describe(o protocol.Outcome, code protocol.RejectCode) string {
	if o == protocol.Rejected {
		return string(code)
	}
	return []string{"applied", "merged", "superseded", "conflict"}[o]
}

func conflictsOf(conflicts []protocol.Conflict) []string {
	var words []string
	for _, c := range conflicts {
		name := c.Field
		if c.Element != "" {
			name += "/" + c.Element
		}
		if c.Field == "" {
			name = "record"
		}
		open := ""
		if c.Open {
			open = ", open"
		}
		words = append(words, fmt.Sprintf("%s: %s lost %s to %s's %s%s", name, who(c.Lost.Author), c.Lost.Value, who(c.Kept.Author), c.Kept.Value, open))
	}
	return words
}

func policyCases() []policyCase {
	setList := create("title", "t", "steps", []any{"one", "two"}, "tags", []any{"p", "q"}, "count", 5, "top", 5, "bottom", 5)
	move := func(element, position string) protocol.Op {
		return listOp(protocol.OpListMove, "steps", element, position, nil)
	}
	edit := func(element string, v any) protocol.Op {
		return listOp(protocol.OpListSet, "steps", element, "", v)
	}
	drop := func(element string) protocol.Op { return listOp(protocol.OpListRemove, "steps", element, "", nil) }
	return []policyCase{
		{name: "lww: the later edit wins", field: "title", outcome: "merged", value: "b",
			writes:   []write{by('a', 10, set("title", "a")), by('b', 11, set("title", "b"))},
			conflict: []string{`title: a lost "a" to b's "b"`}},
		{name: "lww: the earlier edit loses", field: "title", outcome: "superseded", value: "a",
			writes:   []write{by('a', 11, set("title", "a")), by('b', 10, set("title", "b"))},
			conflict: []string{`title: b lost "b" to a's "a"`}},
		{name: "lww: a tie goes to the greater device", field: "title", outcome: "merged", value: "b",
			writes:   []write{by('a', 10, set("title", "a")), by('b', 10, set("title", "b"))},
			conflict: []string{`title: a lost "a" to b's "b"`}},
		{name: "lww: a tie, the other way round", field: "title", outcome: "superseded", value: "b",
			writes:   []write{by('b', 10, set("title", "b")), by('a', 10, set("title", "a"))},
			conflict: []string{`title: a lost "a" to b's "b"`}},
		{name: "lww: what was seen is overwritten in silence", field: "title", outcome: "applied", value: "b",
			writes: []write{by('a', 11, set("title", "a")), seen(2, by('b', 10, set("title", "b")))}},
		{name: "lww: one's own is never concurrent", field: "title", outcome: "applied", value: "a2",
			writes: []write{by('a', 11, set("title", "a")), by('a', 10, set("title", "a2"))}},
		{name: "lww: the same value hurts nobody", field: "title", outcome: "merged", value: "a",
			writes: []write{by('a', 10, set("title", "a")), by('b', 9, set("title", "a"))}},
		{name: "lww: another field is another matter", field: "title", outcome: "applied", value: "a",
			writes: []write{by('a', 10, set("title", "a")), by('b', 9, set("owner", "b"))}},
		{name: "lww: an unset wins", field: "title", outcome: "merged", value: nil,
			writes:   []write{by('a', 10, set("title", "a")), by('b', 11, unset("title"))},
			conflict: []string{`title: a lost "a" to b's absent`}},
		{name: "lww: an unset loses", field: "title", outcome: "superseded", value: "a",
			writes:   []write{by('a', 11, set("title", "a")), by('b', 10, unset("title"))},
			conflict: []string{`title: b lost absent to a's "a"`}},
		{name: "lww: a set loses to an unset", field: "title", outcome: "superseded", value: nil,
			writes:   []write{by('a', 11, unset("title")), by('b', 10, set("title", "b"))},
			conflict: []string{`title: b lost "b" to a's absent`}},
		{name: "lww: an undeclared field", field: "extra", outcome: "merged", value: 2,
			writes:   []write{by('a', 10, set("extra", 1)), by('b', 11, set("extra", 2))},
			conflict: []string{`extra: a lost 1 to b's 2`}},
		{name: "lww: a declared nested field", field: "where.city", outcome: "applied", value: "Rome",
			writes: []write{by('a', 10, set("where.city", "Rome")), by('b', 11, set("where.zip", "1"))}},
		{name: "first: the committed value stays", field: "owner", outcome: "superseded", value: "ann",
			writes:   []write{by('a', 10, set("owner", "ann")), by('b', 99, set("owner", "bob"))},
			conflict: []string{`owner: b lost "bob" to a's "ann"`}},
		{name: "first: seen is seen", field: "owner", outcome: "applied", value: "bob",
			writes: []write{by('a', 10, set("owner", "ann")), seen(2, by('b', 9, set("owner", "bob")))}},
		{name: "strict: stale, and the whole mutation with it", field: "state", outcome: "stale", value: "open",
			writes: []write{by('a', 10, set("state", "open")), by('b', 99, set("title", "b"), set("state", "done"))}},
		{name: "strict: even the same value", field: "state", outcome: "stale", value: "open",
			writes: []write{by('a', 10, set("state", "open")), by('b', 99, set("state", "open"))}},
		{name: "ask: the committed value stays until somebody decides", field: "price", outcome: "conflict", value: 1,
			writes:   []write{by('a', 10, set("price", 1)), by('b', 99, set("price", 2.5))},
			conflict: []string{`price: b lost 2.5 to a's 1, open`}},
		{name: "ask: the same value is no question", field: "price", outcome: "merged", value: 1,
			writes: []write{by('a', 10, set("price", 1)), by('b', 99, set("price", 1))}},
		{name: "x-merge-ask: lifted because two fields collide", field: "note", outcome: "merged, conflict", value: "y",
			writes:   []write{by('a', 10, set("note", "y"), set("title", "a")), by('b', 99, set("title", "b"), set("note", "x"))},
			conflict: []string{`title: a lost "a" to b's "b"`, `note: b lost "x" to a's "y", open`}},
		{name: "x-merge-ask: not lifted", field: "note", outcome: "merged", value: "x",
			writes:   []write{by('a', 10, set("note", "y")), by('b', 99, set("note", "x"))},
			conflict: []string{`note: a lost "y" to b's "x"`}},
		{name: "group: the later edit takes all", field: "low", outcome: "merged", value: 2,
			writes:   []write{by('a', 10, set("low", 1, "high", 3)), by('b', 11, set("low", 2, "high", 3))},
			conflict: []string{`low: a lost 1 to b's 2`}},
		{name: "group: the earlier edit gets nothing", field: "high", outcome: "superseded", value: 3,
			writes:   []write{by('a', 11, set("low", 1, "high", 3)), by('b', 10, set("low", 2, "high", 4))},
			conflict: []string{`high: b lost 4 to a's 3`, `low: b lost 2 to a's 1`}},
		{name: "group: half of it", field: "low", outcome: "group", value: nil,
			writes: []write{by('a', 10, set("low", 1))}},
		{name: "group: an unset of half of it", field: "low", outcome: "group", value: nil,
			writes: []write{by('a', 10, unset("low"))}},
		{name: "group: with a stranger", field: "low", outcome: "group", value: nil,
			writes: []write{by('a', 10, set("low", 1, "high", 2, "title", "x"))}},
		{name: "group: removed as one", field: "low", outcome: "applied", value: nil,
			writes: []write{by('a', 10, set("low", 1, "high", 3)), seen(2, by('b', 11, set("low", nil, "high", nil)))}},
		{name: "counter: all additions count", first: setList, field: "count", outcome: "merged", value: 9.5,
			writes: []write{by('a', 10, fieldOp(protocol.OpAdd, "count", 2)), by('b', 9, fieldOp(protocol.OpAdd, "count", 2.5))}},
		{name: "counter: from nothing", field: "count", outcome: "applied", value: -3,
			writes: []write{by('a', 10, fieldOp(protocol.OpAdd, "count", -3))}},
		{name: "counter: no set", first: setList, field: "count", outcome: "policy", value: 5,
			writes: []write{by('a', 10, set("count", 1))}},
		{name: "counter: no unset", first: setList, field: "count", outcome: "policy", value: 5,
			writes: []write{by('a', 10, unset("count"))}},
		{name: "counter: over its maximum", first: setList, field: "count", outcome: "invalid", value: 5,
			writes: []write{by('a', 10, fieldOp(protocol.OpAdd, "count", 8))}},
		{name: "max: the greatest stays", first: setList, field: "top", outcome: "merged", value: 8,
			writes: []write{by('a', 10, fieldOp(protocol.OpMax, "top", 8)), by('b', 11, fieldOp(protocol.OpMax, "top", 7))}},
		{name: "min: the smallest stays", first: setList, field: "bottom", outcome: "merged", value: 1,
			writes: []write{by('a', 10, fieldOp(protocol.OpMin, "bottom", 4)), by('b', 9, fieldOp(protocol.OpMin, "bottom", 1))}},
		{name: "max: from nothing", field: "top", outcome: "applied", value: -1,
			writes: []write{by('a', 10, fieldOp(protocol.OpMax, "top", -1))}},
		{name: "max: no add", field: "top", outcome: "policy", value: nil,
			writes: []write{by('a', 10, fieldOp(protocol.OpAdd, "top", 1))}},
		{name: "lww: no add", field: "title", outcome: "policy", value: nil,
			writes: []write{by('a', 10, fieldOp(protocol.OpSetAdd, "title", "x"))}},
		{name: "an object of fields is set field by field", field: "where.city", outcome: "policy", value: nil,
			writes: []write{by('a', 10, set("where", map[string]any{"city": "Rome"}))}},
		{name: "set: an unseen add survives a remove", first: setList, field: "tags", outcome: "merged", value: []any{"p", "q"},
			writes: []write{by('a', 10, fieldOp(protocol.OpSetAdd, "tags", "p")), by('b', 11, fieldOp(protocol.OpSetRemove, "tags", "p"))}},
		{name: "set: a seen add does not", first: setList, field: "tags", outcome: "applied", value: []any{"q"},
			writes: []write{by('a', 10, fieldOp(protocol.OpSetAdd, "tags", "p")), seen(2, by('b', 11, fieldOp(protocol.OpSetRemove, "tags", "p")))}},
		{name: "set: an add after an unseen remove", first: setList, field: "tags", outcome: "merged", value: []any{"p", "q"},
			writes: []write{by('a', 10, fieldOp(protocol.OpSetRemove, "tags", "p")), by('b', 9, fieldOp(protocol.OpSetAdd, "tags", "p"))}},
		{name: "set: re-adding does not hide an unseen add", first: setList, field: "tags", outcome: "merged", value: []any{"p", "q"},
			writes: []write{
				by('a', 10, fieldOp(protocol.OpSetAdd, "tags", "p")),             // 2
				by('b', 11, fieldOp(protocol.OpSetAdd, "tags", "p")),             // 3, has not seen 2
				seen(2, by('c', 12, fieldOp(protocol.OpSetRemove, "tags", "p"))), // has seen 2, not 3
			}},
		{name: "set: a remove takes the adds it has seen, though another keeps the element", first: setList, field: "tags", outcome: "merged", value: []any{"q"},
			writes: []write{
				seen(0, by('b', 10, fieldOp(protocol.OpSetAdd, "tags", "p"))),    // 2, has not seen 1
				by('a', 11, fieldOp(protocol.OpSetRemove, "tags", "p")),          // has seen 1, not 2
				seen(0, by('b', 12, fieldOp(protocol.OpSetRemove, "tags", "p"))), // its own 2, and 1 is gone
			}},
		{name: "set: removing what is not there", field: "tags", outcome: "applied", value: nil,
			writes: []write{by('a', 10, fieldOp(protocol.OpSetRemove, "tags", "p"))}},
		{name: "set: the last element takes the field along", field: "tags", outcome: "applied", value: nil,
			writes: []write{by('a', 10, fieldOp(protocol.OpSetAdd, "tags", "p")), by('a', 11, fieldOp(protocol.OpSetRemove, "tags", "p"))}},
		{name: "list: both insert at one place", first: setList, field: "steps", outcome: "merged", value: []any{"one", "a", "b", "two"},
			writes: []write{by('a', 10, insert("steps", "x", "a0V", "a")), by('b', 11, insert("steps", "y", "a0V", "b"))}},
		{name: "list: the later move wins", first: setList, field: "steps", outcome: "merged", value: []any{"two", "one"},
			writes:   []write{by('a', 10, move("0", "a0V")), by('b', 11, move("0", "a5"))},
			conflict: []string{`steps/0: a lost "a0V" to b's "a5"`}},
		{name: "list: the earlier move loses", first: setList, field: "steps", outcome: "superseded", value: []any{"two", "one"},
			writes:   []write{by('a', 11, move("0", "a5")), by('b', 10, move("0", "a0V"))},
			conflict: []string{`steps/0: b lost "a0V" to a's "a5"`}},
		{name: "list: a move and an edit do not collide", first: setList, field: "steps", outcome: "merged", value: []any{"two", "ONE"},
			writes: []write{by('a', 11, move("0", "a5")), by('b', 10, edit("0", "ONE"))}},
		{name: "list: two edits of an element", first: setList, field: "steps", outcome: "superseded", value: []any{"A", "two"},
			writes:   []write{by('a', 11, edit("0", "A")), by('b', 10, edit("0", "B"))},
			conflict: []string{`steps/0: b lost "B" to a's "A"`}},
		{name: "list: a remove goes before an unseen edit", first: setList, field: "steps", outcome: "merged", value: []any{"two"},
			writes:   []write{by('a', 99, edit("0", "A")), by('b', 10, drop("0"))},
			conflict: []string{`steps/0: a lost "A" to b's absent`}},
		{name: "list: a remove goes before an unseen move", first: setList, field: "steps", outcome: "merged", value: []any{"two"},
			writes:   []write{by('a', 99, move("0", "a5")), by('b', 10, drop("0"))},
			conflict: []string{`steps/0: a lost "a5" to b's absent`}},
		{name: "list: an edit of what was removed unseen", first: setList, field: "steps", outcome: "superseded", value: []any{"two"},
			writes:   []write{by('a', 10, drop("0")), by('b', 99, edit("0", "B"))},
			conflict: []string{`steps/0: b lost "B" to a's absent`}},
		{name: "list: an edit of what was seen removed", first: setList, field: "steps", outcome: "missing", value: []any{"two"},
			writes: []write{by('a', 10, drop("0")), seen(2, by('b', 99, edit("0", "B")))}},
		{name: "list: both remove", first: setList, field: "steps", outcome: "merged", value: []any{"two"},
			writes: []write{by('a', 10, drop("0")), by('b', 99, drop("0"))}},
		{name: "list: an element that never was", first: setList, field: "steps", outcome: "missing", value: []any{"one", "two"},
			writes: []write{by('a', 10, move("7", "a5"))}},
		{name: "list: an element's id is used once", first: setList, field: "steps", outcome: "exists", value: []any{"two"},
			writes: []write{by('a', 10, drop("0")), by('a', 11, insert("steps", "0", "a5", "again"))}},
		{name: "whole: one loses, all go", field: "owner", outcome: "stale", value: nil,
			writes: []write{by('a', 10, set("title", "a")), wholly(by('b', 9, set("owner", "ann"), set("title", "b")))}},
		{name: "whole: none loses", field: "owner", outcome: "applied, merged", value: "ann",
			writes:   []write{by('a', 10, set("title", "a")), wholly(by('b', 11, set("owner", "ann"), set("title", "b")))},
			conflict: []string{`title: a lost "a" to b's "b"`}},
		{name: "whole: one is rejected", field: "owner", outcome: "policy", value: nil,
			writes: []write{wholly(by('b', 11, set("owner", "ann"), set("count", 1)))}},
		{name: "each op by itself otherwise", field: "owner", outcome: "applied, policy", value: "ann",
			writes: []write{by('b', 11, set("owner", "ann"), set("count", 1))}},
		{name: "a value that breaks the schema takes the mutation along", field: "owner", outcome: "schema", value: nil,
			writes: []write{by('b', 11, set("owner", "ann"), set("title", 7))}},
		{name: "a name that is not allowed takes the mutation along", field: "owner", outcome: "name", value: nil,
			writes: []write{by('b', 11, set("owner", "ann"), set("_mine", 7))}},
		{name: "a dot where nothing is declared", field: "owner", outcome: "name", value: nil,
			writes: []write{by('b', 11, set("owner.name", "ann"))}},
		{name: "a change that makes the record invalid loses alone", field: "title", outcome: "applied, invalid", value: "a",
			writes: []write{by('b', 11, set("title", "a"), set("low", 3, "high", 2))}},
		{name: "changes that are valid together are tried together", field: "high", outcome: "applied", value: 6,
			writes: []write{by('a', 11, set("low", 1, "high", 2)), seen(2, by('b', 11, set("low", 4, "high", 2), set("low", 4, "high", 6)))}},
		{name: "create: it exists", field: "title", outcome: "exists", value: nil,
			writes: []write{by('a', 10, create("title", "a"))}},
		{name: "create: it was deleted", field: "title", outcome: "deleted", value: nil,
			writes: []write{by('a', 10, recordOp(protocol.OpDelete)), seen(2, by('a', 10, create("title", "a")))}},
		{name: "delete-wins: the values that go are told of", first: setList, field: "title", outcome: "merged", value: nil,
			writes: []write{
				by('a', 10, set("title", "a"), edit("0", "A"), fieldOp(protocol.OpSetAdd, "tags", "r")),
				by('c', 10, unset("owner")),
				by('b', 9, recordOp(protocol.OpDelete)),
			},
			conflict: []string{`steps/0: a lost "A" to b's absent`, `tags: a lost ["r"] to b's absent`, `title: a lost "a" to b's absent`, `record: c lost absent to b's absent`}},
		{name: "delete-wins: nothing unseen, nothing told", field: "title", outcome: "applied", value: nil,
			writes: []write{by('a', 10, set("title", "a")), seen(2, by('b', 9, recordOp(protocol.OpDelete)))}},
		{name: "delete-wins: an edit of what was deleted unseen", field: "title", outcome: "superseded", value: nil,
			writes:   []write{by('a', 10, recordOp(protocol.OpDelete)), by('b', 99, set("title", "b"))},
			conflict: []string{`title: b lost "b" to a's absent`}},
		{name: "an edit of what was seen deleted", field: "title", outcome: "deleted", value: nil,
			writes: []write{by('a', 10, recordOp(protocol.OpDelete)), seen(2, by('b', 99, set("title", "b")))}},
		{name: "both delete", field: "title", outcome: "applied", value: nil,
			writes: []write{by('a', 10, recordOp(protocol.OpDelete)), by('b', 99, recordOp(protocol.OpDelete))}},
		{name: "undelete brings back what was", first: setList, field: "steps", outcome: "applied", value: []any{"one", "two"},
			writes: []write{by('a', 10, recordOp(protocol.OpDelete)), seen(2, by('b', 99, recordOp(protocol.OpUndelete)))}},
		{name: "update-wins: the delete gives way", field: "title", outcome: "superseded", value: "a",
			writes:   inCollection("lasting", by('a', 10, set("title", "a")), by('b', 99, recordOp(protocol.OpDelete))),
			conflict: []string{`record: b lost absent to a's {"title":"a"}`}},
		{name: "update-wins: the record comes back", field: "title", outcome: "merged, applied", value: "b",
			writes:   inCollection("lasting", by('a', 99, recordOp(protocol.OpDelete)), by('b', 10, set("title", "b"), set("owner", "bob"))),
			conflict: []string{`record: a lost absent to b's {"owner":"bob","title":"b"}`}},
		{name: "ask: a delete of what was updated unseen", field: "title", outcome: "conflict", value: "a",
			writes:   inCollection("asking", by('a', 10, set("title", "a")), by('b', 99, recordOp(protocol.OpDelete))),
			conflict: []string{`record: b lost absent to a's {}, open`}},
		{name: "ask: an update of what was deleted unseen", field: "title", outcome: "conflict", value: nil,
			writes:   inCollection("asking", by('a', 10, recordOp(protocol.OpDelete)), by('b', 99, set("title", "b"), fieldOp(protocol.OpAdd, "count", 2))),
			conflict: []string{`record: b lost {"count":2,"title":"b"} to a's absent, open`}},
	}
}

func TestPolicies(t *testing.T) {
	for _, c := range policyCases() {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Everything())
			first := c.first
			if first.Kind == 0 {
				first = create()
			}
			key := Key{c.writes[0].m.Ops[0].Collection, "r1"}
			first.Collection = key.Collection
			w.must('z', 0, 1, first)
			var last Result
			for _, write := range c.writes {
				last = w.commit(write)[0]
			}
			if got := outcomeOf(last.Verdict); got != c.outcome {
				t.Errorf("outcome %q, want %q: %+v", got, c.outcome, last.Verdict)
			}
			if got := w.records[key].Value(c.field); got != value(c.value) {
				t.Errorf("%s = %s, want %s", c.field, got, value(c.value))
			}
			if got := conflictsOf(last.Conflicts); !slices.Equal(got, c.conflict) {
				t.Errorf("conflicts\n%q, want\n%q", got, c.conflict)
			}
			if last.Verdict.Outcome == protocol.Rejected && last.Verdict.Code != "" && len(last.Verdict.Ops) > 0 {
				t.Errorf("a whole rejection has ops: %+v", last.Verdict)
			}
		})
	}
}
