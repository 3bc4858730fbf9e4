package oracle_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/merge/oracle"
	"github.com/tidegate/tidegate/protocol"
)

// collided is a log in which two devices, neither having seen the other, set the
// title of one note: the second by log order is the later by edit time, and wins.
func collided(t *testing.T) (*merge.Schema, []*protocol.Commit) {
	t.Helper()
	schema, err := merge.ParseSchema(schemaFiles)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(schema, 2)
	set := func(base uint64, time protocol.Time, title string) *protocol.Mutation {
		return &protocol.Mutation{Base: base, EditTime: time, Ops: []protocol.Op{{
			Kind: protocol.OpSet, Collection: "notes", ID: "a",
			Fields: []protocol.FieldValue{{Field: "title", Value: protocol.StringValue(title)}},
		}}}
	}
	create := &protocol.Mutation{Ops: []protocol.Op{{Kind: protocol.OpCreate, Collection: "notes", ID: "a"}}}
	w.commit(t, []pending{{w.devices[0], create}})
	w.commit(t, []pending{{w.devices[0], set(1, 1100, "mine")}})
	w.commit(t, []pending{{w.devices[1], set(1, 2900, "yours")}})
	return schema, w.commits
}

func TestOracleDisagrees(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(log []*protocol.Commit) []*protocol.Commit
		want  string
	}{
		"with nothing": {func(log []*protocol.Commit) []*protocol.Commit { return log }, ""},
		"with an outcome": {func(log []*protocol.Commit) []*protocol.Commit {
			log[2].Mutations[0].Verdict.Outcome = protocol.Superseded
			return log
		}, "the log says superseded, it should be merged"},
		"with a rejection": {func(log []*protocol.Commit) []*protocol.Commit {
			v := &log[2].Mutations[0].Verdict
			v.Outcome, v.Code = protocol.Rejected, protocol.RejectStale
			return log
		}, "the log says rejected(stale)"},
		"with a verdict for more ops than there are": {func(log []*protocol.Commit) []*protocol.Commit {
			log[2].Mutations[0].Verdict.Ops = make([]protocol.OpVerdict, 2)
			return log
		}, "2 verdicts for 1 ops"},
		"with an outcome that is not the worst of the ops'": {func(log []*protocol.Commit) []*protocol.Commit {
			v := &log[2].Mutations[0].Verdict
			v.Outcome, v.Ops = protocol.Applied, []protocol.OpVerdict{{Outcome: protocol.Merged}}
			return log
		}, "whose worst op is merged"},
		"with silence": {func(log []*protocol.Commit) []*protocol.Commit {
			log[2].Conflicts = nil
			return log
		}, "nobody is told of the conflict notes/a.title"},
		"with a value that is not kept": {func(log []*protocol.Commit) []*protocol.Commit {
			log[2].Conflicts[0].Lost.Value = protocol.StringValue("other")
			return log
		}, `does not keep the value "mine"`},
		"with a conflict out of nothing": {func(log []*protocol.Commit) []*protocol.Commit {
			log[1].Conflicts = slices.Clone(log[2].Conflicts)
			return log
		}, "a conflict is told that there was none of"},
		"with a gap": {func(log []*protocol.Commit) []*protocol.Commit {
			return slices.Delete(log, 1, 2)
		}, "commit 3 follows commit 1"},
		"with a time that goes back": {func(log []*protocol.Commit) []*protocol.Commit {
			log[2].Time = 1
			return log
		}, "before the previous commit's"},
		"with an empty commit": {func(log []*protocol.Commit) []*protocol.Commit {
			log[1].Mutations = nil
			return log
		}, "holds no mutation"},
		"with a counter that leaves one out": {func(log []*protocol.Commit) []*protocol.Commit {
			log[1].Mutations[0].Counter++
			return log
		}, "the device's last counter was 1"},
		"with a counter that comes again": {func(log []*protocol.Commit) []*protocol.Commit {
			log[1].Mutations[0].Counter--
			return log
		}, "the device's last counter was 1"},
		"with a hash": {func(log []*protocol.Commit) []*protocol.Commit {
			log[1].Mutations[0].Hash[0]++
			return log
		}, "does not continue the device's chain"},
		"with a device of another user": {func(log []*protocol.Commit) []*protocol.Commit {
			log[1].Mutations[0].Author.User = "somebody"
			return log
		}, `belongs to user "u0"`},
		"with a base in the future": {func(log []*protocol.Commit) []*protocol.Commit {
			log[1].Mutations[0].Base = 2
			return log
		}, "the base 2 is not before the commit"},
		"with a base that is not the body's": {func(log []*protocol.Commit) []*protocol.Commit {
			log[2].Mutations[0].Base = 2
			return log
		}, "the body's base is 1"},
		"with an edit in the future": {func(log []*protocol.Commit) []*protocol.Commit {
			log[2].Mutations[0].EditTime = log[2].Time + 1
			return log
		}, "is after the commit's"},
		"with a verdict of another commit": {func(log []*protocol.Commit) []*protocol.Commit {
			log[2].Mutations[0].Verdict.Seq = 2
			return log
		}, "the verdict is for counter 1, seq 2"},
		"with a body": {func(log []*protocol.Commit) []*protocol.Commit {
			m := &log[2].Mutations[0]
			m.Body = m.Body[:len(m.Body)-1]
			m.Hash = (protocol.Hash{}).Next(m.Body)
			return log
		}, "the body is not a mutation"},
	} {
		t.Run(name, func(t *testing.T) {
			schema, log := collided(t)
			o := oracle.New(schema)
			var err error
			for _, c := range test.spoil(log) {
				if err = o.Commit(c); err != nil {
					break
				}
			}
			if test.want == "" {
				if err != nil {
					t.Errorf("the oracle disagrees with a sound log: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want one about %q", err, test.want)
			}
		})
	}
}

func TestOracleState(t *testing.T) {
	schema, log := collided(t)
	o := oracle.New(schema)
	for _, c := range log {
		if err := o.Commit(c); err != nil {
			t.Fatal(err)
		}
	}
	state := o.State()
	if len(state) != 1 || state[0].Version != 3 || len(state[0].Fields) != 1 || state[0].Fields[0].Value != protocol.StringValue("yours") {
		t.Errorf("the state is %+v, want one note of version 3 with the title \"yours\"", state)
	}
	if o.Seq() != 3 || o.Counter(log[0].Mutations[0].Author.Device) != 2 {
		t.Errorf("seq %d, counter %d; want 3 and 2", o.Seq(), o.Counter(log[0].Mutations[0].Author.Device))
	}
}
