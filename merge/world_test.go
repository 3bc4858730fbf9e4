package merge

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

// world is a space without everything around it: a log, the records that its
// fold gives, and devices that write with a base of their choice.
type world struct {
	t       failer
	schema  *Schema
	limits  protocol.Limits
	records map[Key]*Record
	log     []*protocol.Commit
	counter map[protocol.DeviceID]uint64
	hash    map[protocol.DeviceID]protocol.Hash
	now     protocol.Time // of the next commit
	blobs   map[protocol.BlobID]protocol.Value
}

// failer is a *testing.T or a *rapid.T.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func newWorld(t failer, schema *Schema) *world {
	return &world{
		t: t, schema: schema, limits: protocol.DefaultLimits(), records: map[Key]*Record{},
		counter: map[protocol.DeviceID]uint64{}, hash: map[protocol.DeviceID]protocol.Hash{}, blobs: map[protocol.BlobID]protocol.Value{},
	}
}

// device returns the author that a letter stands for.
func device(letter byte) protocol.Author {
	var id protocol.DeviceID
	id[0], id[15] = letter, 1
	return protocol.Author{Device: id, User: "user-" + string(rune(letter))}
}

// who is the letter of a device.
func who(by protocol.Author) string { return string(rune(by.Device[0])) }

// write is a mutation by a device.
type write struct {
	by   byte
	base uint64
	at   protocol.Time
	m    protocol.Mutation
}

func (w *world) head() uint64 { return uint64(len(w.log)) }

// timeOf is the time of a commit; 0 before the first.
func (w *world) timeOf(seq uint64) protocol.Time {
	if seq == 0 {
		return 0
	}
	return w.log[seq-1].Time
}

func (w *world) load(key Key) *Record { return w.records[key] }

func (w *world) view(key Key) (*Record, bool) { return w.records[key], true }

// commit merges writes into one commit, folds it, and checks what must hold for
// any commit: what the batch went on with is the fold of its changes.
func (w *world) commit(writes ...write) []Result {
	w.t.Helper()
	seq := w.head() + 1
	b := NewBatch(w.schema, w.view, seq, w.limits)
	c := &protocol.Commit{Seq: seq, Time: w.now, Schema: w.schema.Ref()}
	var results []Result
	for i := range writes {
		author := device(writes[i].by)
		w.counter[author.Device]++
		m := writes[i].m
		m.Base, m.EditTime = writes[i].base, writes[i].at
		body := protocol.AppendMutation(nil, &m)
		decoded, err := protocol.DecodeMutation(body)
		if err != nil {
			w.t.Fatalf("the mutation cannot be decoded: %v", err)
		}
		result := b.Merge(Input{Author: author, Counter: w.counter[author.Device], Mutation: decoded, EditTime: m.EditTime})
		results = append(results, result)
		w.hash[author.Device] = w.hash[author.Device].Next(body)
		c.Mutations = append(c.Mutations, protocol.Committed{
			Author: author, Counter: w.counter[author.Device], Hash: w.hash[author.Device], Base: m.Base, EditTime: m.EditTime, Body: body,
			Verdict: result.Verdict, Changes: result.Changes,
		})
		c.Conflicts = append(c.Conflicts, result.Conflicts...)
		for _, blob := range result.Blobs {
			if protocol.BlobOf(blob.Value) != blob.ID {
				w.t.Fatalf("blob %s does not name its value", blob.ID)
			}
			w.blobs[blob.ID] = blob.Value
		}
	}
	if missing := b.Missing(); len(missing) > 0 {
		w.t.Fatalf("the batch misses %v", missing)
	}
	folded := map[Key]*Record{}
	for key, rec := range ApplyCommit(c, w.load) {
		folded[key] = rec
	}
	overlay := 0
	for key, rec := range b.Records() {
		overlay++
		if d := diff(rec, folded[key]); d != "" {
			w.t.Fatalf("commit %d, %v: the batch and the fold of its changes differ: %s", seq, key, d)
		}
	}
	if overlay != len(folded) {
		w.t.Fatalf("commit %d: the batch changed %d records, the fold %d", seq, overlay, len(folded))
	}
	for key, rec := range folded {
		w.records[key] = rec
	}
	w.log = append(w.log, c)
	return results
}

// transcript tells what happened to the records of the last commit.
func (w *world) transcript() string {
	var b strings.Builder
	about := map[Key]bool{}
	for _, m := range w.log[len(w.log)-1].Mutations {
		body, _ := protocol.DecodeMutation(m.Body)
		for _, op := range body.Ops {
			about[Key{op.Collection, op.ID}] = true
		}
	}
	for _, c := range w.log {
		fmt.Fprintf(&b, "%d at %d:\n", c.Seq, c.Time)
		for i := range c.Mutations {
			m := &c.Mutations[i]
			body, _ := protocol.DecodeMutation(m.Body)
			if !slices.ContainsFunc(body.Ops, func(op protocol.Op) bool { return about[Key{op.Collection, op.ID}] }) {
				continue
			}
			fmt.Fprintf(&b, "  %s base %d at %d whole %v: %+v %s %q %+v\n", who(m.Author), m.Base, m.EditTime, body.Whole, m.Verdict.Outcome, m.Verdict.Code, m.Verdict.Message, m.Verdict.Ops)
			for j := range body.Ops {
				fmt.Fprintf(&b, "    op %+v\n", body.Ops[j])
			}
			for j := range m.Changes {
				fmt.Fprintf(&b, "    => %+v\n", m.Changes[j])
			}
		}
		for i := range c.Conflicts {
			fmt.Fprintf(&b, "    conflict %+v\n", c.Conflicts[i])
		}
	}
	return b.String()
}

// one commits a single write and returns its result.
func (w *world) one(by byte, base uint64, at protocol.Time, ops ...protocol.Op) Result {
	w.t.Helper()
	return w.commit(write{by: by, base: base, at: at, m: protocol.Mutation{Ops: ops}})[0]
}

// must is one that has to be applied.
func (w *world) must(by byte, base uint64, at protocol.Time, ops ...protocol.Op) {
	w.t.Helper()
	if v := w.one(by, base, at, ops...).Verdict; v.Outcome != protocol.Applied {
		w.t.Fatalf("not applied: %+v", v)
	}
}

// diff says where two images differ, in everything that later merges could see;
// "" if nowhere.
func diff(a, b *Record) string {
	if (a == nil) != (b == nil) {
		return fmt.Sprintf("one is nil: %v, %v", a, b)
	}
	if a == nil {
		return ""
	}
	if a.key != b.key || !a.last.same(b.last) || a.other != b.other || !a.born.same(b.born) {
		return fmt.Sprintf("heads: %v %v %d %v, %v %v %d %v", a.key, a.last, a.other, a.born, b.key, b.last, b.other, b.born)
	}
	if (a.deleted == nil) != (b.deleted == nil) || a.deleted != nil && !a.deleted.same(*b.deleted) {
		return "deletions"
	}
	if len(a.fields) != len(b.fields) {
		return fmt.Sprintf("%d and %d fields", len(a.fields), len(b.fields))
	}
	for i, f := range a.fields {
		g := b.fields[i]
		if f.name != g.name || f.kind != g.kind || f.value != g.value || !f.last.same(g.last) || f.other != g.other || f.size != g.size {
			return fmt.Sprintf("field %q: %+v, %+v", f.name, f, g)
		}
		if !slices.EqualFunc(f.set, g.set, func(x, y setElement) bool {
			return x.value == y.value && slices.EqualFunc(x.dots, y.dots, func(d, e dot) bool { return d.seq == e.seq && *d.by == *e.by })
		}) {
			return fmt.Sprintf("set %q: %v, %v", f.name, f.set, g.set)
		}
		if !slices.EqualFunc(f.list, g.list, func(x, y *listElement) bool {
			if (x.removed == nil) != (y.removed == nil) || x.id != y.id || x.position != y.position || x.value != y.value {
				return false
			}
			if x.removed != nil {
				return x.removed.same(*y.removed)
			}
			return x.valued.same(y.valued) && x.placed.same(y.placed)
		}) {
			return fmt.Sprintf("list %q", f.name)
		}
	}
	return ""
}

func value(x any) protocol.Value {
	if x == nil {
		return protocol.Value{}
	}
	return protocol.MustValue(x)
}

// Ops on the record "r1" of the collection "things", unless on says otherwise.
func on(collection, id string, op protocol.Op) protocol.Op {
	op.Collection, op.ID = collection, id
	return op
}

func create(fields ...any) protocol.Op {
	return on("things", "r1", protocol.Op{Kind: protocol.OpCreate, Fields: pairs(fields...)})
}

func set(fields ...any) protocol.Op {
	return on("things", "r1", protocol.Op{Kind: protocol.OpSet, Fields: pairs(fields...)})
}

func pairs(fields ...any) []protocol.FieldValue {
	var list []protocol.FieldValue
	for i := 0; i+1 < len(fields); i += 2 {
		list = append(list, protocol.FieldValue{Field: fields[i].(string), Value: value(fields[i+1])})
	}
	return list
}

func unset(field string) protocol.Op {
	return on("things", "r1", protocol.Op{Kind: protocol.OpUnset, Field: field})
}

func fieldOp(kind protocol.OpKind, field string, v any) protocol.Op {
	return on("things", "r1", protocol.Op{Kind: kind, Field: field, Value: value(v)})
}

func insert(field, element, position string, v any) protocol.Op {
	return on("things", "r1", protocol.Op{Kind: protocol.OpListInsert, Field: field, Element: element, Position: position, Value: value(v)})
}

func listOp(kind protocol.OpKind, field, element, position string, v any) protocol.Op {
	return on("things", "r1", protocol.Op{Kind: kind, Field: field, Element: element, Position: position, Value: value(v)})
}

func recordOp(kind protocol.OpKind) protocol.Op {
	return on("things", "r1", protocol.Op{Kind: kind})
}

func schemaOf(t testing.TB, files ...string) *Schema {
	t.Helper()
	set := map[string][]byte{}
	for i := 0; i+1 < len(files); i += 2 {
		set[files[i]] = []byte(files[i+1])
	}
	s, err := ParseSchema(set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
