package client

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// Tx makes one mutation. It is valid inside the function given to Space.Mutate.
// Its edits cannot fail one by one: the first that cannot be made is Mutate's
// error, and nothing of the mutation is kept.
type Tx struct {
	space  *Space
	base   uint64
	now    protocol.Time
	schema *merge.Schema

	ops           []protocol.Op
	preconditions []protocol.Precondition
	whole         bool
	local         map[Key]*predicted // records that this mutation has edited
	err           error
}

// predicted is a record as it will look with the edits so far.
type predicted struct{ record *merge.Record }

// Get returns a record as the mutation so far would leave it, nil if there is
// none.
func (tx *Tx) Get(collection, id string) *Record {
	return recordOf(tx.look(Key{Collection: collection, ID: id}), false)
}

// look reads the view with this mutation's own edits.
func (tx *Tx) look(key Key) *merge.Record {
	if p := tx.local[key]; p != nil {
		return p.record
	}
	c := tx.space.client
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.core.look(tx.space.name, key)
}

// Create makes a record; see Collection.Create.
func (tx *Tx) Create(collection, id string, fields map[string]any) {
	key := Key{Collection: collection, ID: id}
	flat := tx.flatten(key, fields)
	op := protocol.Op{Kind: protocol.OpCreate}
	for _, name := range slices.Sorted(maps.Keys(flat)) {
		op.Fields = append(op.Fields, protocol.FieldValue{Field: name, Value: flat[name]})
	}
	tx.add(key, op)
}

// Edit edits a record that exists; see Collection.Update.
func (tx *Tx) Edit(collection, id string) *Edit {
	return &Edit{tx: tx, key: Key{Collection: collection, ID: id}}
}

// Delete deletes a record.
func (tx *Tx) Delete(collection, id string) {
	tx.add(Key{Collection: collection, ID: id}, protocol.Op{Kind: protocol.OpDelete})
}

// Undelete brings a deleted record back as it was.
func (tx *Tx) Undelete(collection, id string) {
	tx.add(Key{Collection: collection, ID: id}, protocol.Op{Kind: protocol.OpUndelete})
}

// Resolve closes the open conflict with the id, giving its field the value; nil
// removes the field. See OpenConflict for the usual ways.
func (tx *Tx) Resolve(conflict string, value any) {
	op := protocol.Op{Kind: protocol.OpResolve}
	if value != nil {
		op.Value = tx.value("the resolution", value)
	}
	tx.add(Key{Collection: protocol.ConflictCollection, ID: conflict}, op)
}

// Whole asks for all or nothing: the mutation is rejected with
// protocol.RejectStale if any of its edits would lose to a concurrent one.
func (tx *Tx) Whole() { tx.whole = true }

// Require adds a precondition: if it does not hold when the mutation is judged,
// the mutation is rejected with protocol.RejectPrecondition.
func (tx *Tx) Require(p protocol.Precondition) {
	tx.preconditions = append(tx.preconditions, p)
}

// RequireUnchanged demands that nobody else has changed the record, or one field
// of it, since this device saw it. An empty field stands for the whole record.
func (tx *Tx) RequireUnchanged(collection, id, field string) {
	tx.Require(protocol.Precondition{Collection: collection, ID: id, Field: field, Version: max(tx.base, 1)})
}

// RequireAbsent demands that the record, or one field of it, does not exist.
func (tx *Tx) RequireAbsent(collection, id, field string) {
	tx.Require(protocol.Precondition{Collection: collection, ID: id, Field: field})
}

// Fail makes Mutate return err and keep nothing; the first error counts.
func (tx *Tx) Fail(err error) {
	if tx.err == nil {
		tx.err = err
	}
}

func (tx *Tx) add(key Key, op protocol.Op) {
	if tx.err != nil {
		return
	}
	op.Collection, op.ID = key.Collection, key.ID
	if op.Kind != protocol.OpResolve {
		if err := protocol.CheckName(protocol.NameCollection, key.Collection); err != nil {
			tx.Fail(err)
			return
		}
	}
	if err := protocol.CheckName(protocol.NameRecord, key.ID); err != nil {
		tx.Fail(err)
		return
	}
	tx.ops = append(tx.ops, op)
	tx.local[key] = &predicted{merge.Predict(tx.look(key), key, &op)}
}

// value converts a Go value; about says what it is for, in the error.
func (tx *Tx) value(about string, x any) protocol.Value {
	if v, ok := x.(protocol.Value); ok {
		return v
	}
	v, err := protocol.ValueOf(x)
	if err != nil {
		tx.Fail(fmt.Errorf("%s: %w", about, err))
	}
	return v
}

// was returns the value that the user sees in a field, for FieldValue.Was.
func (tx *Tx) was(key Key, field string) protocol.Value {
	v := tx.look(key).Value(field)
	if v.Size() > protocol.MaxWas {
		return protocol.Value{}
	}
	return v
}

func (tx *Tx) finish() (*protocol.Mutation, error) {
	if tx.err != nil {
		return nil, tx.err
	}
	return &protocol.Mutation{
		Base:          tx.base,
		EditTime:      tx.now,
		Whole:         tx.whole,
		Preconditions: tx.preconditions,
		Ops:           tx.ops,
	}, nil
}
