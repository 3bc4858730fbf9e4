package loadtest

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/merge/oracle"
	"github.com/tidegate/tidegate/protocol"
)

var testDevice = protocol.DeviceID{1}

// logOf makes a log of one mutation a commit, each an add of 1 to the counter of
// a file; the first creates it. The tag of each is in the title it adds.
func logOf(t *testing.T, schema *merge.Schema, n int) []*protocol.Commit {
	t.Helper()
	var log []*protocol.Commit
	var hash protocol.Hash
	for i := range n {
		var ops []protocol.Op
		if i == 0 {
			ops = append(ops, protocol.Op{Kind: protocol.OpCreate, Collection: files, ID: "f"})
		}
		ops = append(ops,
			protocol.Op{Kind: protocol.OpAdd, Collection: files, ID: "f", Field: changes, Value: protocol.IntValue(1)},
			protocol.Op{Kind: protocol.OpListInsert, Collection: files, ID: "f", Field: titles,
				Element: string(rune('a' + i)), Position: "a" + string(rune('0'+i)), Value: protocol.MustValue(map[string]any{"n": i, "title": "x"})})
		body := protocol.AppendMutation(nil, &protocol.Mutation{Base: uint64(i), Ops: ops})
		hash = hash.Next(body)
		seq := uint64(i + 1)
		log = append(log, &protocol.Commit{Seq: seq, Time: protocol.Time(seq), Schema: schema.Ref(), Mutations: []protocol.Committed{{
			Author: protocol.Author{Device: testDevice, User: "u"}, Counter: seq, Hash: hash, Base: uint64(i), Body: body,
			Verdict: protocol.Verdict{Counter: seq, Seq: seq},
			Changes: []protocol.Change{{Collection: files, ID: "f"}},
		}}})
	}
	return log
}

// sound is the evidence of a run in which nothing went wrong.
func sound(t *testing.T) *evidence {
	t.Helper()
	schemaFiles, err := schemaFiles("replay")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := merge.ParseSchema(schemaFiles)
	if err != nil {
		t.Fatal(err)
	}
	e := &evidence{space: "s", schema: schema, log: logOf(t, schema, 3)}
	o := oracle.New(schema)
	for i, c := range e.log {
		if err := o.Commit(c); err != nil {
			t.Fatal(err)
		}
		e.made = append(e.made, made{device: testDevice, verdict: c.Mutations[0].Verdict, tag: (&entry{N: i, Files: []change{{Kind: 'M'}}}).tag(), began: time.Now()})
	}
	end := ending{name: "a device", hash: merge.StateHash(slices.Values(o.State())), state: o.State()}
	e.fresh, e.ends = end, []ending{end, end}
	return e
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, e *evidence)
		want  Report // the counts; Failures is the beginning of the failure wanted
	}{
		"nothing": {func(*testing.T, *evidence) {}, Report{}},
		"nothing, told only that it took effect": {func(_ *testing.T, e *evidence) {
			e.made[1].verdict = protocol.Verdict{}
		}, Report{}},
		"lost in the log": {func(t *testing.T, e *evidence) {
			e.made = append(e.made, made{device: testDevice, verdict: protocol.Verdict{Counter: 4, Seq: 4}})
		}, Report{Lost: 1, Failures: []string{"was acknowledged and is not in the log"}}},
		"lost, told only that it took effect": {func(t *testing.T, e *evidence) {
			e.made = append(e.made, made{device: testDevice, tag: "entry 77"})
		}, Report{Lost: 1, Failures: []string{"entry 77"}}},
		"acknowledged elsewhere": {func(t *testing.T, e *evidence) {
			e.made[0].verdict.Seq = 2
		}, Report{Failures: []string{"acknowledged at 2 and stands at 1"}}},
		"another outcome told": {func(t *testing.T, e *evidence) {
			e.made[0].verdict.Outcome = protocol.Superseded
		}, Report{Failures: []string{"told of outcome 2"}}},
		"took effect twice": {func(t *testing.T, e *evidence) {
			// The third mutation again, as a clone that replays it would.
			m := e.log[2].Mutations[0]
			m.Author.Device, m.Counter, m.Hash = protocol.DeviceID{9}, 1, (protocol.Hash{}).Next(m.Body)
			m.Verdict = protocol.Verdict{Counter: 1, Seq: 4}
			e.log = append(e.log, &protocol.Commit{Seq: 4, Time: 4, Mutations: []protocol.Committed{m}})
		}, Report{Duplicated: 1, Failures: []string{"took effect 2 times"}}},
		"committed twice": {func(t *testing.T, e *evidence) {
			c := *e.log[2]
			c.Seq = 4
			e.log = append(e.log, &c)
		}, Report{Duplicated: 2, Failures: []string{"is in the log 2 times"}}},
		"a verdict that the oracle does not share": {func(t *testing.T, e *evidence) {
			e.log[1].Mutations[0].Verdict.Outcome = protocol.Merged
			e.made[1].verdict.Outcome = protocol.Merged
		}, Report{Failures: []string{"the oracle disagrees"}}},
		"a device that diverged": {func(t *testing.T, e *evidence) {
			e.ends[1].hash[0]++
		}, Report{Diverged: 1, Failures: []string{"does not hold what"}}},
		"a store that diverged": {func(t *testing.T, e *evidence) {
			e.fresh.hash[0]++
		}, Report{Diverged: 1, Failures: []string{"not the oracle's"}}},
		"a device moved past a commit": {func(t *testing.T, e *evidence) {
			e.ends[0].passed = []span{{1, 2}}
		}, Report{Gaps: 1, Failures: []string{"moved past commit 2"}}},
		"a device moved past nothing": {func(t *testing.T, e *evidence) {
			e.log[1].Mutations[0].Changes = nil
			e.ends[0].passed = []span{{1, 2}}
		}, Report{}},
	} {
		t.Run(name, func(t *testing.T) {
			e := sound(t)
			test.spoil(t, e)
			var r Report
			e.verify(&r, replayTag)
			r.finish(time.Second)
			if r.Lost != test.want.Lost || r.Duplicated != test.want.Duplicated || r.Gaps != test.want.Gaps || r.Diverged != test.want.Diverged {
				t.Errorf("%d lost, %d duplicated, %d gaps, %d diverged; want %d, %d, %d, %d", r.Lost, r.Duplicated, r.Gaps, r.Diverged,
					test.want.Lost, test.want.Duplicated, test.want.Gaps, test.want.Diverged)
			}
			all := strings.Join(r.Failures, "\n")
			for _, want := range test.want.Failures {
				if !strings.Contains(all, want) {
					t.Errorf("the failures are %q, want one about %q", all, want)
				}
			}
			if wrong := len(test.want.Failures) > 0; r.OK == wrong {
				t.Errorf("ok is %t, failures %q", r.OK, all)
			}
		})
	}
}

func TestCompareFindsWhatTheHistoryDoesNotSay(t *testing.T) {
	state := func(count int64, last int64, by ...int64) *protocol.RecordState {
		s := &protocol.RecordState{Collection: files, ID: "f"}
		set := protocol.FieldState{Field: authors, Kind: protocol.SetOf}
		for _, a := range by {
			set.Elements = append(set.Elements, protocol.ElementState{Value: protocol.IntValue(a)})
		}
		s.Fields = append(s.Fields, set,
			protocol.FieldState{Field: changes, Value: protocol.IntValue(count)},
			protocol.FieldState{Field: lastAuthor, Value: protocol.IntValue(last)})
		return s
	}
	x := &expected{path: "f", changes: 3, authors: []int64{1, 2}, last: 2}
	for name, test := range map[string]struct {
		state            *protocol.RecordState
		lost, duplicated int
	}{
		"right":           {state(3, 2, 1, 2), 0, 0},
		"a change lost":   {state(2, 2, 1, 2), 1, 0},
		"a change twice":  {state(4, 2, 1, 2), 0, 1},
		"an author lost":  {state(3, 2, 2), 1, 0},
		"another's title": {state(3, 1, 1, 2), 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var r Report
			x.compare(&r, test.state)
			if r.Lost != test.lost || r.Duplicated != test.duplicated {
				t.Errorf("%d lost, %d duplicated; want %d, %d (%q)", r.Lost, r.Duplicated, test.lost, test.duplicated, r.Failures)
			}
		})
	}
}

func TestTallyFindsWhatDevicesDidNotMake(t *testing.T) {
	rec := func(hits, high int64, tags ...string) *protocol.RecordState {
		s := &protocol.RecordState{Collection: notes, ID: "note-0", Fields: []protocol.FieldState{
			{Field: "high", Value: protocol.IntValue(high)}, {Field: "hits", Value: protocol.IntValue(hits)},
		}}
		set := protocol.FieldState{Field: "tags", Kind: protocol.SetOf}
		for _, tag := range tags {
			set.Elements = append(set.Elements, protocol.ElementState{Value: protocol.StringValue(tag)})
		}
		s.Fields = append(s.Fields, set)
		return s
	}
	tally := newTally()
	tally.settle([]effect{
		{op: 0, record: "note-0", field: "hits", number: 5},
		{op: 1, record: "note-0", field: "hits", number: 2},
		{op: 2, record: "note-0", field: "high", number: 9},
	}, protocol.Verdict{Outcome: protocol.Rejected, Ops: []protocol.OpVerdict{{}, {Outcome: protocol.Rejected}, {}}})
	tally.settle([]effect{{record: "note-0", field: "hits", number: 100}}, protocol.Verdict{Outcome: protocol.Rejected})
	tally.settle([]effect{{record: "note-0", field: "tags", order: 2, tag: "a"}, {record: "note-0", field: "tags", order: 2, tag: "b", number: 1}}, protocol.Verdict{})
	tally.settle([]effect{{record: "note-0", field: "tags", order: 1, tag: "a", number: 1}}, protocol.Verdict{})
	for name, test := range map[string]struct {
		state            *protocol.RecordState
		lost, duplicated int
	}{
		"right":             {rec(5, 9, "b"), 0, 0},
		"an add lost":       {rec(0, 9, "b"), 1, 0},
		"an add twice":      {rec(10, 9, "b"), 0, 1},
		"a rejected add":    {rec(7, 9, "b"), 0, 1},
		"a maximum lost":    {rec(5, 8, "b"), 1, 0},
		"a tag lost":        {rec(5, 9), 1, 0},
		"a tag not removed": {rec(5, 9, "a", "b"), 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var r Report
			tally.compare(&r, test.state)
			if r.Lost != test.lost || r.Duplicated != test.duplicated {
				t.Errorf("%d lost, %d duplicated; want %d, %d (%q)", r.Lost, r.Duplicated, test.lost, test.duplicated, r.Failures)
			}
		})
	}
}

func TestReadLog(t *testing.T) {
	e := sound(t)
	names := protocol.NewNameTable()
	var out []byte
	for _, c := range e.log {
		out = AppendLogEntry(out, protocol.EncodeCommit(c, names))
	}
	log, err := readLog(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if len(log) != len(e.log) || log[2].Seq != 3 || !bytes.Equal(log[2].Mutations[0].Body, e.log[2].Mutations[0].Body) {
		t.Errorf("%d commits came back, or others than were written", len(log))
	}
	for name, data := range map[string][]byte{
		"cut off":  out[:len(out)-3],
		"too long": {0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"no entry": {1, 0},
	} {
		if _, err := readLog(bytes.NewReader(data)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestConvergenceWaitsForTheLast(t *testing.T) {
	c := newConvergence(2)
	began := time.Now()
	c.made(1, began)
	c.reached(0, 1, began.Add(10*time.Millisecond), true)
	into := newLatencies()
	c.collect(into)
	if n := into.hist.TotalCount(); n != 0 {
		t.Errorf("%d times counted before both devices had the commit", n)
	}
	c.reached(0, 2, began.Add(30*time.Millisecond), true)
	c.collect(into)
	if q := into.quantiles(); q.Max < 29 || q.Max > 31 {
		t.Errorf("the time is %v ms, want 30", q.Max)
	}
	// Who was away does not count.
	c = newConvergence(2)
	c.made(1, began)
	c.reached(0, 1, began.Add(10*time.Millisecond), true)
	c.reached(0, 1, began.Add(time.Hour), false)
	into = newLatencies()
	c.collect(into)
	if q := into.quantiles(); q.Max > 11 {
		t.Errorf("the time is %v ms, want 10", q.Max)
	}
}
