package oracle_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/merge/oracle"
	"github.com/tidegate/tidegate/protocol"
)

// schemaFiles has every policy, a group, a nested object, checks, questions, and
// a collection of each delete policy.
var schemaFiles = map[string][]byte{
	"notes.json": []byte(`{
		"type": "object",
		"properties": {
			"title": {"type": "string", "maxLength": 5},
			"owner": {"type": "string", "x-merge": "first"},
			"code": {"type": "integer", "x-merge": "strict"},
			"verdict": {"type": "string", "x-merge": "ask"},
			"body": {"type": "string", "x-merge-ask": "size(lost) > 2 || size(collided) > 1"},
			"hits": {"type": "integer", "x-merge": "counter"},
			"high": {"type": "integer", "x-merge": "max"},
			"low": {"type": "integer", "x-merge": "min"},
			"tags": {"type": "array", "items": {"type": "string"}, "x-merge": "set"},
			"lines": {"type": "array", "items": {"type": "string"}, "x-merge": "list", "maxItems": 4},
			"start": {"type": "integer", "x-merge-group": "when"},
			"end": {"type": "integer", "x-merge-group": "when"},
			"place": {"type": "object", "properties": {"city": {"type": "string"}, "street": {"type": "string"}}}
		},
		"x-check": [{"rule": "record.hits <= 12", "message": "no more than 12", "field": "hits"}]
	}`),
	"pages.json":  []byte(`{"type": "object", "x-merge-delete": "update-wins", "properties": {"text": {"type": "string"}, "hits": {"type": "integer", "x-merge": "counter"}, "tags": {"type": "array", "x-merge": "set"}}}`),
	"wishes.json": []byte(`{"type": "object", "x-merge-delete": "ask", "properties": {"text": {"type": "string"}, "verdict": {"type": "string", "x-merge": "ask"}}}`),
}

// world is a space with devices that know different parts of its log.
type world struct {
	schema  *merge.Schema
	records map[merge.Key]*merge.Record
	commits []*protocol.Commit
	devices []*writer
	// taken counts elements, so that ids are new.
	elements int
}

type writer struct {
	author  protocol.Author
	counter uint64
	hash    protocol.Hash
	base    uint64
}

func newWorld(schema *merge.Schema, devices int) *world {
	w := &world{schema: schema, records: map[merge.Key]*merge.Record{}}
	for i := range devices {
		w.devices = append(w.devices, &writer{author: protocol.Author{Device: protocol.DeviceID{byte(i + 1)}, User: fmt.Sprintf("u%d", i%2)}})
	}
	return w
}

// commit merges mutations as the next commit, as a space would.
func (w *world) commit(t testing.TB, mutations []pending) *protocol.Commit {
	c := &protocol.Commit{Seq: uint64(len(w.commits)) + 1, Time: protocol.Time(1000 * (len(w.commits) + 1)), Schema: w.schema.Ref()}
	load := func(k merge.Key) *merge.Record { return w.records[k] }
	batch := merge.NewBatch(w.schema, func(k merge.Key) (*merge.Record, bool) { return w.records[k], true }, c.Seq, protocol.Limits{})
	for _, p := range mutations {
		d := p.device
		body := protocol.AppendMutation(nil, p.mutation)
		d.counter++
		d.hash = d.hash.Next(body)
		decoded, err := protocol.DecodeMutation(body)
		if err != nil {
			t.Fatalf("a mutation that was generated cannot be decoded: %v", err)
		}
		edit := min(max(p.mutation.EditTime, w.timeOf(p.mutation.Base)), c.Time)
		result := batch.Merge(merge.Input{Author: d.author, Counter: d.counter, Mutation: decoded, EditTime: edit})
		c.Mutations = append(c.Mutations, protocol.Committed{
			Author: d.author, Counter: d.counter, Hash: d.hash, Base: p.mutation.Base, EditTime: edit,
			Body: body, Verdict: result.Verdict, Changes: result.Changes,
		})
		c.Conflicts = append(c.Conflicts, result.Conflicts...)
	}
	if missing := batch.Missing(); len(missing) > 0 {
		t.Fatalf("the batch misses %v, though everything was loaded", missing)
	}
	for k, rec := range merge.ApplyCommit(c, load) {
		w.records[k] = rec
	}
	w.commits = append(w.commits, c)
	return c
}

func (w *world) timeOf(seq uint64) protocol.Time { return protocol.Time(1000 * seq) }

func (w *world) state() []protocol.RecordState {
	var all []protocol.RecordState
	for _, r := range w.records {
		if s, alive := r.State(); alive {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b protocol.RecordState) int {
		if c := strings.Compare(a.Collection, b.Collection); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all
}

type pending struct {
	device   *writer
	mutation *protocol.Mutation
}

// mutation draws a mutation of a device.
func (w *world) mutation(t *rapid.T, d *writer) *protocol.Mutation {
	head := uint64(len(w.commits))
	if d.base < head && rapid.IntRange(0, 2).Draw(t, "advances") > 0 {
		d.base = rapid.Uint64Range(d.base, head).Draw(t, "base")
	}
	m := &protocol.Mutation{
		Base:     d.base,
		EditTime: protocol.Time(rapid.IntRange(0, 1000*int(head+2)).Draw(t, "time")),
		Whole:    rapid.IntRange(0, 19).Draw(t, "whole") == 0,
	}
	if rapid.IntRange(0, 19).Draw(t, "requires") == 0 {
		m.Preconditions = append(m.Preconditions, protocol.Precondition{
			Collection: "notes", ID: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "id"),
			Field:   rapid.SampledFrom([]string{"", "title", "tags", "hits"}).Draw(t, "field"),
			Version: rapid.Uint64Range(0, head).Draw(t, "version"),
		})
	}
	for range rapid.IntRange(1, 4).Draw(t, "ops") {
		m.Ops = append(m.Ops, w.op(t))
	}
	return m
}

var (
	words   = []string{"x", "yy", "zzz", "", "toolong"}
	numbers = []int{-3, 0, 1, 2, 7}
)

func (w *world) op(t *rapid.T) protocol.Op {
	op := protocol.Op{
		Collection: rapid.SampledFrom([]string{"notes", "notes", "notes", "pages", "wishes"}).Draw(t, "collection"),
		ID:         rapid.SampledFrom([]string{"a", "b"}).Draw(t, "id"),
	}
	word := func() protocol.Value { return protocol.StringValue(rapid.SampledFrom(words).Draw(t, "word")) }
	number := func() protocol.Value {
		return protocol.IntValue(int64(rapid.SampledFrom(numbers).Draw(t, "number")))
	}
	set := func(values ...protocol.FieldValue) { op.Kind, op.Fields = protocol.OpSet, values }
	switch rapid.IntRange(0, 5).Draw(t, "life") {
	case 0:
		op.Kind = protocol.OpCreate
		if op.Collection == "notes" && rapid.Bool().Draw(t, "filled") {
			op.Fields = []protocol.FieldValue{
				{Field: "hits", Value: number()},
				{Field: "tags", Value: protocol.MustValue([]any{"x", "yy"})},
				{Field: "title", Value: word()},
			}
		}
		return op
	case 1:
		op.Kind = rapid.SampledFrom([]protocol.OpKind{protocol.OpDelete, protocol.OpDelete, protocol.OpUndelete}).Draw(t, "kind")
		return op
	}
	if op.Collection != "notes" {
		switch rapid.IntRange(0, 4).Draw(t, "edit") {
		case 0:
			op.Kind, op.Field, op.Value = protocol.OpAdd, "hits", number()
		case 1:
			op.Kind, op.Field, op.Value = protocol.OpSetAdd, "tags", word()
		case 2:
			set(protocol.FieldValue{Field: "verdict", Value: word()})
		case 3:
			return w.resolve(t)
		default:
			set(protocol.FieldValue{Field: "text", Value: word()})
		}
		return op
	}
	element := func() string {
		return fmt.Sprintf("e%d", rapid.IntRange(0, w.elements).Draw(t, "element"))
	}
	position := func() string { return rapid.SampledFrom([]string{"a0", "a1", "a0V", "a2"}).Draw(t, "position") }
	switch rapid.IntRange(0, 18).Draw(t, "edit") {
	case 0:
		set(protocol.FieldValue{Field: "title", Value: word()})
	case 1:
		set(protocol.FieldValue{Field: "owner", Value: word()})
	case 2:
		set(protocol.FieldValue{Field: "code", Value: number()})
	case 3:
		set(protocol.FieldValue{Field: "verdict", Value: word(), Was: word()})
	case 4:
		set(protocol.FieldValue{Field: "body", Value: word()})
	case 5:
		set(protocol.FieldValue{Field: "end", Value: number()}, protocol.FieldValue{Field: "start", Value: number()})
	case 6:
		set(protocol.FieldValue{Field: "start", Value: number()})
	case 7:
		set(protocol.FieldValue{Field: "place.city", Value: word()})
	case 8:
		op.Kind, op.Field = protocol.OpUnset, rapid.SampledFrom([]string{"title", "owner", "start", "tags", "place.city", "other"}).Draw(t, "field")
	case 9:
		op.Kind, op.Field, op.Value = protocol.OpAdd, "hits", number()
	case 10:
		op.Kind, op.Field, op.Value = rapid.SampledFrom([]protocol.OpKind{protocol.OpMax, protocol.OpMin}).Draw(t, "kind"), rapid.SampledFrom([]string{"high", "low"}).Draw(t, "field"), number()
	case 11:
		op.Kind, op.Field, op.Value = protocol.OpSetAdd, "tags", word()
	case 12:
		op.Kind, op.Field, op.Value = protocol.OpSetRemove, "tags", word()
	case 13, 14:
		w.elements++
		op.Kind, op.Field, op.Value = protocol.OpListInsert, "lines", word()
		op.Element, op.Position = element(), position()
	case 15:
		op.Kind, op.Field, op.Element, op.Position = protocol.OpListMove, "lines", element(), position()
	case 16:
		op.Kind, op.Field, op.Element, op.Value = protocol.OpListSet, "lines", element(), word()
	case 17:
		op.Kind, op.Field, op.Element = protocol.OpListRemove, "lines", element()
	default:
		return w.resolve(t)
	}
	return op
}

// resolve draws a resolution of one of the open conflicts.
func (w *world) resolve(t *rapid.T) protocol.Op {
	ids := []string{strings.Repeat("0", 32)}
	for k := range w.records {
		if k.Collection == protocol.ConflictCollection {
			ids = append(ids, k.ID)
		}
	}
	slices.Sort(ids)
	op := protocol.Op{Kind: protocol.OpResolve, Collection: protocol.ConflictCollection, ID: rapid.SampledFrom(ids).Draw(t, "conflict")}
	switch word := rapid.SampledFrom(words).Draw(t, "word"); rapid.IntRange(0, 3).Draw(t, "resolution") {
	case 0:
		op.Value = protocol.StringValue(word)
	case 1:
		op.Value = protocol.MustValue(map[string]any{"text": word})
	case 2:
		op.Value = protocol.MustValue(map[string]any{})
	}
	return op
}

// transcript tells the end of the log, for a failure.
func (w *world) transcript() string {
	var s strings.Builder
	for _, c := range w.commits[max(0, len(w.commits)-3):] {
		fmt.Fprintf(&s, "commit %d\n", c.Seq)
		for i := range c.Mutations {
			m := &c.Mutations[i]
			body, err := protocol.DecodeMutation(m.Body)
			if err != nil {
				fmt.Fprintf(&s, "\t%v\n", err)
				continue
			}
			fmt.Fprintf(&s, "\tdevice %d, base %d, time %d, whole %t, requires %v: outcome %d %s\n",
				m.Author.Device[0], m.Base, m.EditTime, body.Whole, body.Preconditions, m.Verdict.Outcome, m.Verdict.Code)
			for j := range body.Ops {
				fmt.Fprintf(&s, "\t\t%s", oracle.Describe(&body.Ops[j]))
				if len(m.Verdict.Ops) > j {
					fmt.Fprintf(&s, ": outcome %d %s", m.Verdict.Ops[j].Outcome, m.Verdict.Ops[j].Code)
				}
				s.WriteByte('\n')
			}
			for _, change := range m.Changes {
				fmt.Fprintf(&s, "\t\t\tkind %d %s/%s %v\n", change.Kind, change.Collection, change.ID, change.Fields)
			}
		}
	}
	return s.String()
}

// TestMergeAgrees has merge and the oracle judge the same mutations.
func TestMergeAgrees(t *testing.T) {
	schema, err := merge.ParseSchema(schemaFiles)
	if err != nil {
		t.Fatal(err)
	}
	for name, schema := range map[string]*merge.Schema{"schema": schema, "no schema": nil} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				w := newWorld(schema, 3)
				o := oracle.New(schema)
				for range rapid.IntRange(1, 20).Draw(rt, "commits") {
					var batch []pending
					for range rapid.IntRange(1, 3).Draw(rt, "mutations") {
						d := rapid.SampledFrom(w.devices).Draw(rt, "device")
						batch = append(batch, pending{d, w.mutation(rt, d)})
					}
					c := w.commit(t, batch)
					if err := o.Commit(c); err != nil {
						rt.Fatalf("%v\n%s", err, w.transcript())
					}
					compareStates(rt, w, o.State())
				}
			})
		})
	}
}

func compareStates(t *rapid.T, w *world, want []protocol.RecordState) {
	have := w.state()
	if merge.StateHash(slices.Values(have)) == merge.StateHash(slices.Values(want)) {
		return
	}
	for i := range max(len(have), len(want)) {
		switch {
		case i >= len(have):
			t.Fatalf("merge lacks %+v\n%s", want[i], w.transcript())
		case i >= len(want):
			t.Fatalf("merge has %+v\n%s", have[i], w.transcript())
		}
		if string(protocol.AppendRecordState(nil, &have[i])) != string(protocol.AppendRecordState(nil, &want[i])) {
			t.Fatalf("merge has\n\t%+v\nthe oracle\n\t%+v\n%s", have[i], want[i], w.transcript())
		}
	}
	t.Fatal("the hashes differ and the states do not")
}
