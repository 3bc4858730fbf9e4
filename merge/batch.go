package merge

import (
	"iter"
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// View gives a batch the records as of the commit before. loaded is false if the
// record is not at hand: it must be read from the store first. (nil, true) means
// that there is no such record.
type View func(Key) (rec *Record, loaded bool)

// Input is one mutation to merge.
type Input struct {
	Author   protocol.Author
	Counter  uint64
	Mutation *protocol.Mutation
	// EditTime is the mutation's edit time, clamped.
	EditTime protocol.Time
}

// Result is what became of one mutation.
type Result struct {
	Verdict protocol.Verdict
	// Changes is the delta: in order, folding them gives exactly the records that
	// the batch goes on with.
	Changes []protocol.Change
	// Conflicts are the collisions, settled and open, one for each value that was
	// overwritten or waits.
	Conflicts []protocol.Conflict
	// Blobs are the overwritten values too large for a conflict; they must be
	// stored before the commit is appended.
	Blobs []Blob
}

// Blob is an overwritten value that is kept in an item of its own.
type Blob struct {
	ID    protocol.BlobID
	Value protocol.Value
}

// Batch merges the mutations of one commit, one after another: each sees what
// those before it did. It is not safe for concurrent use.
type Batch struct {
	schema  *Schema
	view    View
	seq     uint64
	limits  protocol.Limits
	records records
	loaded  records
	missing []Key
}

// NewBatch begins the commit seq. A limit of 0 is the default's.
func NewBatch(schema *Schema, view View, seq uint64, limits protocol.Limits) *Batch {
	def := protocol.DefaultLimits()
	if limits.MutationBytes == 0 {
		limits.MutationBytes = def.MutationBytes
	}
	if limits.RecordBytes == 0 {
		limits.RecordBytes = def.RecordBytes
	}
	if limits.FieldBytes == 0 {
		limits.FieldBytes = def.FieldBytes
	}
	return &Batch{schema: schema, view: view, seq: seq, limits: limits}
}

// Missing returns the records that the view did not have, in the order in which
// they were asked for. If there are any, all results of the batch are void: load
// them and merge again in a new batch. More may turn up then, a few times: what
// an open conflict is about is known only when the conflict is there.
func (b *Batch) Missing() []Key { return slices.Clone(b.missing) }

// Records returns the records that the batch changed, as they are after it, in
// the order of their first change: the fold of the commit.
func (b *Batch) Records() iter.Seq2[Key, *Record] {
	return func(yield func(Key, *Record) bool) {
		for i := range b.records.list {
			if r := &b.records.list[i]; !yield(r.key, r.now) {
				return
			}
		}
	}
}

// get returns a record as it is after the batch's mutations so far.
func (b *Batch) get(key Key) *Record {
	if i, ok := b.records.find(key); ok {
		return b.records.list[i].now
	}
	if i, ok := b.loaded.find(key); ok {
		return b.loaded.list[i].now
	}
	rec, ok := b.view(key)
	if !ok {
		rec = nil
		b.missing = append(b.missing, key)
	}
	b.loaded.add(key, rec)
	return rec
}
