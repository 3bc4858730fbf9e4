package merge

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

// The shared vectors: what a client in another language must fold and predict as
// this package does. testdata/vectors/README.md describes them. They are drawn
// from seeds, and written by
//
//	go test ./merge -run TestVectors -update

type vector struct {
	Comment string `json:"comment"`
	Given   any    `json:"given,omitempty"`
	Input   any    `json:"input"`
	Want    any    `json:"want"`
}

type vectorFile struct {
	Comment string   `json:"comment"`
	Count   int      `json:"count"`
	Vectors []vector `json:"vectors"`
}

type shown = map[string]any

// TestVectors compares each file with what this package does now, from the file
// alone.
func TestVectors(t *testing.T) {
	for _, kind := range []struct {
		file, comment string
		vectors       func(t *testing.T) []vector
		run           func(t *testing.T, given, input any) any
	}{
		{"fold.json", "Commits folded into records: the records at the end, and the state's hash after each commit.", foldVectors, runFold},
		{"predict.json", "A pending mutation's ops on a record, one after another: what is shown after each.", predictVectors, runPredict},
		{"positions.json", "The position between two others.", positionVectors, runPosition},
	} {
		t.Run(kind.file, func(t *testing.T) {
			path := filepath.Join("testdata", "vectors", kind.file)
			if *rewrite {
				list := kind.vectors(t)
				for i := range list {
					list[i].Want = kind.run(t, throughJSON(t, list[i].Given), throughJSON(t, list[i].Input))
				}
				var buf bytes.Buffer
				encoder := json.NewEncoder(&buf)
				encoder.SetEscapeHTML(false)
				encoder.SetIndent("", " ")
				if err := encoder.Encode(vectorFile{kind.comment, len(list), list}); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var file vectorFile
			if err := json.Unmarshal(data, &file); err != nil {
				t.Fatal(err)
			}
			if file.Count == 0 || file.Count != len(file.Vectors) {
				t.Fatalf("the file says %d vectors and has %d", file.Count, len(file.Vectors))
			}
			for _, v := range file.Vectors {
				if got := throughJSON(t, kind.run(t, v.Given, v.Input)); !reflect.DeepEqual(got, v.Want) {
					t.Errorf("%s:\n got %v\nwant %v", v.Comment, got, v.Want)
				}
			}
		})
	}
}

// throughJSON brings x into the form in which JSON is read back.
func throughJSON(t *testing.T, x any) any {
	t.Helper()
	data, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

func fromHex(t *testing.T, x any) []byte {
	t.Helper()
	data, err := hex.DecodeString(x.(string))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func stateHex(state protocol.RecordState) string {
	return hex.EncodeToString(protocol.AppendRecordState(nil, &state))
}

func recordFromHex(t *testing.T, x any) *Record {
	t.Helper()
	state, err := protocol.DecodeRecordState(fromHex(t, x))
	if err != nil {
		t.Fatal(err)
	}
	return RecordFromState(*state)
}

// drawing draws what vectors are made of: few names, so that things meet, and
// values whose order is easily taken for another.
type drawing struct{ *rand.Rand }

func newDrawing(seed uint64) drawing { return drawing{rand.New(rand.NewPCG(seed, 0x766563746f7273))} }

func from[T any](d drawing, list ...T) T { return list[d.IntN(len(list))] }

var (
	drawnFields = []string{"title", "labels", "steps", "votes", "address.city", "ﬁ", "🜁", "_conflicts"}
	drawnKeys   = []Key{{"cards", "01935f21-4d0b-7e66-a2f3-0c1d2e3f4a5b"}, {"cards", "plain"}, {"cards", "🜁"}, {"notes", "plain"}}
	drawnValues = []any{
		nil, true, false, 0, 1, -1, 31, 32, 200, -200, 70000, 1 << 40, 0.5, -0.5, 1e-7, "", "a", "b", "aa", "ﬁ", "🜁", "Übung",
		strings.Repeat("l", 31), strings.Repeat("l", 32), strings.Repeat("m", 300), []byte{0}, []byte{1, 2},
		[]any{}, []any{1, "a"}, []any{[]any{nil}}, []any{"a", "b", "a"}, map[string]any{}, map[string]any{"b": 1, "a": []any{}, "🜁": 1, "ﬁ": 2, "__proto__": 3},
	}
)

func (d drawing) value() protocol.Value { return protocol.MustValue(from(d, drawnValues...)) }

func (d drawing) element() string {
	return from(d, "0", "1", "e1", "e2", "e3", "ﬁ", "🜁", "01935f21-4d0b-7e66-a2f3-0c1d2e3f4a5b")
}

func (d drawing) position() string { return from(d, "a0", "a1", "a1V", "Zz", "b00", "a0V") }

// field draws a field's state in order.
func (d drawing) field(name string) protocol.FieldState {
	rec := (*Record)(nil)
	for range 1 + d.IntN(4) {
		kind := protocol.FieldPut
		switch d.IntN(3) {
		case 0:
			kind = protocol.SetAdded
		case 1:
			kind = protocol.ListPut
		}
		change := protocol.FieldChange{Field: name, Kind: kind, Value: d.value(), Element: d.element(), Position: d.position()}
		changes := protocol.Change{Kind: protocol.ChangeFields, Fields: []protocol.FieldChange{change}}
		if rec == nil {
			changes.Kind = protocol.ChangeCreate
		}
		rec = Apply(rec, Key{}, &changes, protocol.Stamp{Seq: 1})
	}
	return rec.field(name).state()
}

func (d drawing) state(key Key, version uint64) protocol.RecordState {
	state := protocol.RecordState{Collection: key.Collection, ID: key.ID, Version: version}
	fields := slices.Clone(drawnFields)
	slices.Sort(fields)
	for _, name := range fields {
		if d.IntN(2) == 0 {
			state.Fields = append(state.Fields, d.field(name))
		}
	}
	return state
}

func (d drawing) fieldChange() protocol.FieldChange {
	c := protocol.FieldChange{Field: from(d, drawnFields...), Kind: protocol.FieldChangeKind(d.IntN(9))}
	switch c.Kind {
	case protocol.FieldPut, protocol.SetAdded, protocol.SetRemoved, protocol.SetKept:
		c.Value = d.value()
	case protocol.ListPut:
		c.Element, c.Position, c.Value = d.element(), d.position(), d.value()
	case protocol.ListMoved:
		c.Element, c.Position = d.element(), d.position()
	case protocol.ListSet:
		c.Element, c.Value = d.element(), d.value()
	case protocol.ListRemoved:
		c.Element = d.element()
	}
	return c
}

func (d drawing) commit(seq uint64) *protocol.Commit {
	c := &protocol.Commit{Seq: seq, ID: protocol.CommitID{byte(seq), 1}, Time: protocol.Time(seq)}
	for range 1 + d.IntN(3) {
		m := protocol.Committed{Author: device(from(d, byte('a'), byte('b'))), Base: uint64(d.IntN(int(seq))), EditTime: c.Time}
		for range 1 + d.IntN(3) {
			key := from(d, drawnKeys...)
			change := protocol.Change{Collection: key.Collection, ID: key.ID}
			if d.IntN(4) == 0 {
				change.Kind = protocol.ChangeKind(d.IntN(4))
			}
			if change.Kind != protocol.ChangeDelete {
				for range 1 + d.IntN(4) {
					change.Fields = append(change.Fields, d.fieldChange())
				}
			}
			m.Changes = append(m.Changes, change)
		}
		c.Mutations = append(c.Mutations, m)
	}
	return c
}

// wires are what subscribers are sent of commits.
func wires(t *testing.T, log []*protocol.Commit) []string {
	t.Helper()
	names := protocol.NewNameTable()
	list := make([]string, len(log))
	for i, c := range log {
		stored, err := protocol.ParseCommit(protocol.EncodeCommit(c, names))
		if err != nil {
			t.Fatal(err)
		}
		list[i] = hex.EncodeToString(stored.Wire)
	}
	return list
}

func foldVectors(t *testing.T) []vector {
	var list []vector
	for seed := range uint64(80) {
		d := newDrawing(seed)
		records := []string{}
		for _, key := range drawnKeys {
			if d.IntN(3) > 0 {
				// Some are newer than the commits.
				records = append(records, stateHex(d.state(key, uint64(1+d.IntN(12)))))
			}
		}
		var log []*protocol.Commit
		for seq := uint64(10); seq < 10+uint64(1+d.IntN(4)); seq++ {
			log = append(log, d.commit(seq))
		}
		list = append(list, vector{Comment: fmt.Sprintf("any changes, seed %d", seed), Given: shown{"records": records}, Input: wires(t, log)})
	}
	for seed := range uint64(4) {
		w := newWorld(t, Everything())
		g := newGenerator(seed, w)
		for range 40 {
			w.commit(g.writes()...)
		}
		list = append(list, vector{Comment: fmt.Sprintf("a history, seed %d", seed), Given: shown{"records": []string{}}, Input: wires(t, w.log)})
	}
	return list
}

func runFold(t *testing.T, given, input any) any {
	records := map[Key]*Record{}
	for _, state := range given.(shown)["records"].([]any) {
		rec := recordFromHex(t, state)
		records[rec.Key()] = rec
	}
	names := protocol.NewNameTable()
	hashes := []string{}
	for _, wire := range input.([]any) {
		frames, err := protocol.DecodeDelivery(fromHex(t, wire), names)
		if err != nil {
			t.Fatal(err)
		}
		header := frames[0].(*protocol.CommitHeader)
		fold := NewFold(header.Seq, func(key Key) *Record { return records[key] })
		for _, frame := range frames[1:] {
			for _, delta := range frame.(*protocol.Section).Deltas {
				m := header.Mutations[delta.Mutation]
				author := header.Authors[m.Author]
				at := protocol.Stamp{Seq: header.Seq, Device: author.Device, User: author.User, Base: m.Base, Time: m.EditTime}
				for i := range delta.Changes {
					fold.Apply(&delta.Changes[i], at)
				}
			}
		}
		for key, rec := range fold.Records() {
			if rec.Alive() {
				records[key] = rec
			} else {
				delete(records, key)
			}
		}
		hash := stateHash(records)
		hashes = append(hashes, hex.EncodeToString(hash[:]))
	}
	states := []string{}
	for _, state := range statesOf(records) {
		states = append(states, stateHex(state))
	}
	return shown{"records": states, "hashes": hashes}
}

// drawnOps draws ops on a record. What was removed from a list is not inserted
// again: a client that has been restarted has forgotten it.
func (d drawing) ops(key Key) []protocol.Op {
	ops := make([]protocol.Op, 1+d.IntN(6))
	removed := map[string]bool{}
	for i := range ops {
		op := protocol.Op{Kind: protocol.OpKind(1 + d.IntN(15)), Collection: key.Collection, ID: key.ID}
		if d.IntN(2) == 0 && op.Kind >= protocol.OpDelete {
			op.Kind = protocol.OpKind(2 + d.IntN(11))
		}
		op.Field = from(d, drawnFields...)
		op.Value, op.Element, op.Position = d.value(), d.element(), d.position()
		switch op.Kind {
		case protocol.OpCreate, protocol.OpSet:
			op.Fields = []protocol.FieldValue{{Field: op.Field, Value: op.Value}, {Field: from(d, drawnFields...), Value: d.value()}}
			if op.Kind == protocol.OpSet && d.IntN(4) == 0 {
				op.Fields[1].Value = protocol.Value{}
			}
		case protocol.OpAdd, protocol.OpMax, protocol.OpMin:
			op.Value = protocol.MustValue(from[any](d, 1, -1, 0, 2.5, 1<<53, -(1 << 53), 100))
			if d.IntN(2) == 0 {
				op.Field = "votes"
			}
		case protocol.OpListInsert:
			if removed[op.Element] {
				op.Element = fmt.Sprintf("new%d", i)
			}
		case protocol.OpListRemove:
			removed[op.Element] = true
		}
		ops[i] = op
	}
	return ops
}

func predictVectors(*testing.T) []vector {
	var list []vector
	for seed := range uint64(150) {
		d := newDrawing(1000 + seed)
		key := from(d, drawnKeys...)
		given := shown{}
		if d.IntN(5) > 0 {
			state := d.state(key, uint64(d.IntN(9)))
			for i := range state.Fields {
				if state.Fields[i].Field == "votes" && d.IntN(3) > 0 {
					state.Fields[i] = protocol.FieldState{Field: "votes", Value: protocol.MustValue(from[any](d, 0, 7, -1, 0.1, 1<<53))}
				}
			}
			given["record"] = stateHex(state)
		}
		m := &protocol.Mutation{Ops: d.ops(key)}
		if d.IntN(3) == 0 {
			// As a client with a schema creates, which knows the fields' kinds.
			key.Collection = "cards"
			given = shown{"kinds": shown{"labels": protocol.SetOf, "steps": protocol.ListOf}}
			m.Ops = d.ops(key)
			m.Ops[0] = protocol.Op{Kind: protocol.OpCreate, Collection: key.Collection, ID: key.ID, Fields: []protocol.FieldValue{
				{Field: "labels", Value: protocol.MustValue([]any{"b", from(d, drawnValues...), "a", "b"})},
				{Field: "steps", Value: protocol.MustValue([]any{"one", from(d, drawnValues...), "one"})},
				{Field: "title", Value: d.value()},
			}}
		}
		list = append(list, vector{Comment: fmt.Sprintf("seed %d", seed), Given: given, Input: hex.EncodeToString(protocol.AppendMutation(nil, m))})
	}
	return list
}

func runPredict(t *testing.T, given, input any) any {
	var rec *Record
	if state := given.(shown)["record"]; state != nil {
		rec = recordFromHex(t, state)
	}
	var schema *Schema
	if given.(shown)["kinds"] != nil {
		var err error
		if schema, err = ParseSchema(map[string][]byte{"cards.json": []byte(
			`{"type": "object", "properties": {"labels": {"type": "array", "x-merge": "set"}, "steps": {"type": "array", "x-merge": "list"}}}`,
		)}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := protocol.DecodeMutation(fromHex(t, input))
	if err != nil {
		t.Fatal(err)
	}
	seen := []any{}
	for i := range m.Ops {
		op := &m.Ops[i]
		rec = schema.Predict(rec, Key{op.Collection, op.ID}, op)
		if state, alive := rec.State(); alive {
			seen = append(seen, stateHex(state))
		} else {
			seen = append(seen, nil)
		}
	}
	return seen
}

func positionVectors(*testing.T) []vector {
	var list []vector
	add := func(a, b string) {
		list = append(list, vector{Comment: "between", Input: []string{a, b}})
	}
	odd := []string{
		"", "a0", "a1", "a2", "az", "b00", "bzz", "c000", "Zz", "Zy", "Z0", "Yzz", "Y00", "a0V", "a0G", "a0z", "a1V", "zzzzzzzzzzzzzzzzzzzzzzzzzzz",
		leastInteger, leastInteger + "V", leastInteger + "01", "A00000000000000000000000001", "a", "0", "a00", "a0-", "b0", "é", "a0é",
	}
	for _, a := range odd {
		for _, b := range odd {
			if d := newDrawing(uint64(len(list))); a == "" || b == "" || d.IntN(3) == 0 {
				add(a, b)
			} else {
				list = append(list, vector{}) // keeps the draws apart
			}
		}
	}
	list = slices.DeleteFunc(list, func(v vector) bool { return v.Input == nil })
	// Lists that grow at the ends, and in one gap from either side.
	for _, grow := range []func(a, b, p string) (string, string){
		func(a, b, p string) (string, string) { return p, b },
		func(a, b, p string) (string, string) { return a, p },
	} {
		for _, ends := range [][2]string{{"", ""}, {"a0", "a1"}, {"Zz", "a0"}, {"az", "b00"}} {
			a, b := ends[0], ends[1]
			for range 70 {
				add(a, b)
				a, b = grow(a, b, Between(a, b))
			}
		}
	}
	return list
}

func runPosition(_ *testing.T, _, input any) any {
	ends := input.([]any)
	return Between(ends[0].(string), ends[1].(string))
}
