package merge

import (
	"pgregory.net/rapid"

	"github.com/tidegate/tidegate/protocol"
)

// History draws the history of a seed under the schema and calls each with every commit and
// what is visible after it; transcript tells the history so far in words.
func History(r *rapid.T, seed uint64, schema *Schema, commits int, each func(c *protocol.Commit, states []protocol.RecordState, transcript func() string)) {
	w := newWorld(r, schema)
	g := newGenerator(seed, w)
	for range commits {
		w.commit(g.writes()...)
		each(w.log[len(w.log)-1], statesOf(w.records), w.transcript)
	}
}
