package merge_test

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/merge/oracle"
	"github.com/tidegate/tidegate/protocol"
)

// A second, deliberately dumb implementation of the rules agrees with every
// commit: with its verdicts, its conflicts, and what is visible after it.
func TestOracleAgrees(t *testing.T) {
	for name, schema := range map[string]*merge.Schema{"schema": merge.Everything(), "no schema": nil} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				o := oracle.New(schema)
				merge.History(r, rapid.Uint64().Draw(r, "seed"), schema, rapid.IntRange(1, 30).Draw(r, "commits"), func(c *protocol.Commit, states []protocol.RecordState, transcript func() string) {
					if err := o.Commit(c); err != nil {
						r.Fatalf("%v\n%s", err, transcript())
					}
					theirs := o.State()
					for i := range max(len(states), len(theirs)) {
						if i >= len(states) || i >= len(theirs) {
							r.Fatalf("%d records here, %d there\n%s", len(states), len(theirs), transcript())
						}
						ours, other := protocol.AppendRecordState(nil, &states[i]), protocol.AppendRecordState(nil, &theirs[i])
						if !bytes.Equal(ours, other) {
							r.Fatalf("after commit %d, here:\n%+v\nthere:\n%+v\n%s", c.Seq, states[i], theirs[i], transcript())
						}
					}
				})
			})
		})
	}
}
