package merge

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidegate/tidegate/protocol"
)

// A seed is enough to see a failure again; files of them only lie about.
func init() {
	if err := flag.Set("rapid.nofailfile", "true"); err != nil {
		panic(err)
	}
}

// keys are the keys of all records, tombstones too, in order.
func (w *world) keys() []Key {
	return slices.SortedFunc(maps.Keys(w.records), Key.Compare)
}

// states are the visible states of records, in order.
func statesOf(records map[Key]*Record) []protocol.RecordState {
	var states []protocol.RecordState
	for _, key := range slices.SortedFunc(maps.Keys(records), Key.Compare) {
		if state, ok := records[key].State(); ok {
			states = append(states, state)
		}
	}
	return states
}

func stateHash(records map[Key]*Record) [32]byte { return StateHash(slices.Values(statesOf(records))) }

// follower is somebody who folds: a device, or another gateway.
type follower map[Key]*Record

func (f follower) apply(c *protocol.Commit) {
	for key, rec := range ApplyCommit(c, func(key Key) *Record { return f[key] }) {
		f[key] = rec
	}
}

// snapshot is a device that begins with what people see.
func (w *world) snapshot() follower {
	f := follower{}
	for key, rec := range w.records {
		if state, ok := rec.State(); ok {
			f[key] = RecordFromState(state)
		}
	}
	return f
}

// Whatever devices write, in whatever order and with whatever bases: everybody
// who folds the log agrees, from wherever they began, and what is stored is what
// was.
func TestHistories(t *testing.T) {
	for name, schema := range map[string]func() *Schema{"schema": Everything, "no schema": func() *Schema { return nil }} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) { history(r, schema()) })
		})
	}
}

// told is a *rapid.T that tells what happened when it fails.
type told struct {
	*rapid.T
	w *world
}

func (t told) Fatalf(format string, args ...any) {
	t.T.Helper()
	t.T.Fatalf("%s\n%s", fmt.Sprintf(format, args...), t.w.transcript())
}

func history(draw *rapid.T, schema *Schema) {
	w := newWorld(draw, schema)
	r := told{draw, w}
	w.t = r
	g := newGenerator(rapid.Uint64().Draw(draw, "seed"), w)
	joins := rapid.IntRange(0, 15).Draw(draw, "a device joins at")
	var joined follower
	for range rapid.IntRange(1, 30).Draw(draw, "commits") {
		if int(w.head()) == joins {
			joined = w.snapshot()
		}
		before := maps.Clone(w.records)
		writes := g.writes()
		results := w.commit(writes...)
		c := w.log[len(w.log)-1]
		w.checkAgain(r, before, writes, results)
		w.checkLosses(r, before, writes, results)
		w.checkItems(r, c)
		if joined != nil {
			joined.apply(c)
			if got, want := stateHash(joined), stateHash(w.records); got != want {
				r.Fatalf("a device that joined at %d differs at %d", joins, w.head())
			}
		}
	}
	w.checkRedelivery(r)
}

// checkAgain merges a commit again, from stored images: the same bytes.
func (w *world) checkAgain(r failer, before map[Key]*Record, writes []write, results []Result) {
	stored := map[Key]*Record{}
	for key, rec := range before {
		stored[key] = throughItem(r, rec)
	}
	again := newWorld(r, w.schema)
	again.records = stored
	again.log = slices.Clone(w.log[:len(w.log)-1])
	again.now = w.now
	again.counter = maps.Clone(w.counter)
	for i := range writes {
		again.counter[device(writes[i].by).Device]--
	}
	for i, result := range again.commit(writes...) {
		if got, want := encodeResult(result), encodeResult(results[i]); !bytes.Equal(got, want) {
			r.Fatalf("merging again gives another result:\n%+v\n%+v", result, results[i])
		}
	}
	if stateHash(again.records) != stateHash(w.records) {
		r.Fatalf("merging again gives another state")
	}
	w.checkLazily(r, before, writes, results)
}

// checkLazily merges a commit with a view that has nothing until it is asked for
// it: the same bytes, after a few rounds.
func (w *world) checkLazily(r failer, before map[Key]*Record, writes []write, results []Result) {
	have := map[Key]bool{}
	view := func(key Key) (*Record, bool) { return before[key], have[key] }
	for range 6 {
		b := NewBatch(w.schema, view, w.head(), w.limits)
		var again []Result
		for i := range writes {
			m := writes[i].m
			m.Base = writes[i].base
			again = append(again, b.Merge(Input{Author: device(writes[i].by), Counter: results[i].Verdict.Counter, Mutation: &m, EditTime: writes[i].at}))
		}
		missing := b.Missing()
		if len(missing) == 0 {
			for i := range again {
				if !bytes.Equal(encodeResult(again[i]), encodeResult(results[i])) {
					r.Fatalf("with records loaded late, another result:\n%+v\n%+v", again[i], results[i])
				}
			}
			return
		}
		for _, key := range missing {
			have[key] = true
		}
	}
	r.Fatalf("records are missing for ever")
}

// encodeResult is a result in bytes.
func encodeResult(result Result) []byte {
	c := &protocol.Commit{
		Seq:       1,
		Mutations: []protocol.Committed{{Author: device('z'), Counter: 1, Body: []byte{1}, Verdict: result.Verdict, Changes: result.Changes}},
		Conflicts: result.Conflicts,
	}
	return protocol.EncodeCommit(c, protocol.NewNameTable())
}

func throughItem(r failer, rec *Record) *Record {
	if rec == nil {
		return nil
	}
	fields, meta := rec.Item()
	back, err := RecordFromItem(rec.Key(), rec.Version(), fields, meta)
	if err != nil {
		r.Fatalf("%v: %v", rec.Key(), err)
	}
	if d := diff(rec, back); d != "" {
		r.Fatalf("%v comes back from its item with another %s", rec.Key(), d)
	}
	fieldsAgain, metaAgain := back.Item()
	if !slices.Equal(fields, fieldsAgain) || !bytes.Equal(meta, metaAgain) {
		r.Fatalf("%v: the item's bytes are not the record's alone", rec.Key())
	}
	return back
}

// checkItems stores each record that a commit changed and reads it back; and the
// same with what people see of it.
func (w *world) checkItems(r failer, c *protocol.Commit) {
	for i := range c.Mutations {
		for j := range c.Mutations[i].Changes {
			change := &c.Mutations[i].Changes[j]
			rec := w.records[Key{change.Collection, change.ID}]
			throughItem(r, rec)
			state, ok := rec.State()
			if !ok {
				continue
			}
			back, _ := RecordFromState(state).State()
			if !bytes.Equal(protocol.AppendRecordState(nil, &state), protocol.AppendRecordState(nil, &back)) {
				r.Fatalf("%v: %+v comes back as %+v", rec.Key(), state, back)
			}
		}
	}
}

// checkRedelivery folds the log from nothing, and every commit again and again.
func (w *world) checkRedelivery(r failer) {
	f := follower{}
	for i, c := range w.log {
		f.apply(c)
		f.apply(c)
		f.apply(w.log[i/2])
	}
	if stateHash(f) != stateHash(w.records) {
		r.Fatalf("folding the log, with commits delivered again, gives another state")
	}
	for key, rec := range w.records {
		if d := diff(rec, f[key]); d != "" {
			r.Fatalf("%v: %s", key, d)
		}
	}
}

// checkLosses looks for values that vanished without a word. It knows nothing of
// policies: it compares the records before and after.
func (w *world) checkLosses(r failer, before map[Key]*Record, writes []write, results []Result) {
	for i, result := range results {
		author := device(writes[i].by)
		told := func(by protocol.Author, key Key, field string, v protocol.Value) bool {
			return slices.ContainsFunc(result.Conflicts, func(c protocol.Conflict) bool {
				return c.Lost.Author == by && c.Collection == key.Collection && c.ID == key.ID && (c.Field == field || c.Field == "") &&
					(v.IsAbsent() || c.Lost.Value == v || c.Lost.Blob == protocol.BlobOf(v))
			})
		}
		rejected := result.Verdict.Outcome == protocol.Rejected && len(result.Verdict.Ops) == 0
		for j := range writes[i].m.Ops {
			op := &writes[i].m.Ops[j]
			outcome := result.Verdict.Outcome
			if len(result.Verdict.Ops) > 0 {
				outcome = result.Verdict.Ops[j].Outcome
			}
			if op.Kind == protocol.OpUndelete {
				continue // it wants no value
			}
			if !rejected && (outcome == protocol.Superseded || outcome == protocol.Conflicted) {
				if !slices.ContainsFunc(result.Conflicts, func(c protocol.Conflict) bool {
					return c.Lost.Author == author && c.ID == op.ID && c.Open == (outcome == protocol.Conflicted)
				}) {
					r.Fatalf("op %+v is %v and nobody is told: %+v", op, outcome, result.Conflicts)
				}
			}
		}
		if len(results) > 1 {
			continue // before is not what this mutation met
		}
		for _, c := range result.Changes {
			key := Key{c.Collection, c.ID}
			old, now := before[key], w.records[key]
			if c.Collection == protocol.ConflictCollection || !old.Alive() {
				continue
			}
			for _, f := range old.fields {
				if f.kind != protocol.Plain || !f.visible() || !f.last.unseen(writes[i].base, author.Device) || now.Value(f.name) == f.value {
					continue
				}
				if rule, err := w.schema.Collection(c.Collection).rule(f.name); err == nil && rule.isNumber() && now.Alive() {
					continue
				}
				agreed := func(op protocol.Op) bool {
					return op.Collection == key.Collection && op.ID == key.ID && slices.ContainsFunc(op.Fields, func(v protocol.FieldValue) bool {
						return v.Field == f.name && v.Value == f.value
					})
				}
				if slices.ContainsFunc(writes[i].m.Ops, agreed) {
					continue // the author wanted the same, and then something else
				}
				if !told(*f.last.by, key, f.name, f.value) {
					r.Fatalf("%v: %s was overwritten, and %s is not told: %+v", key, f.name, who(*f.last.by), result)
				}
			}
		}
	}
}
