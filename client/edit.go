package client

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// Edit makes the ops on one record. Field paths of declared nested objects are
// joined with dots ("address.city"). Which edits a field takes is its policy's
// business: see the schema.
type Edit struct {
	tx  *Tx
	key Key
}

// Record returns the record with the edits so far, nil if there is none.
func (e *Edit) Record() *Record { return e.tx.Get(e.key.Collection, e.key.ID) }

// Set gives a field a new value. Where the client knows the schema, a map for a
// declared nested object sets its fields one by one, and a field that belongs to
// an x-merge-group takes the others along as they are.
func (e *Edit) Set(field string, value any) {
	values := e.tx.flatten(e.key, map[string]any{field: value})
	for _, group := range e.tx.groups(e.key, values) {
		e.set(group)
	}
}

// SetGroup sets several fields that mean something only together (the members of
// an x-merge-group): they win or lose as one.
func (e *Edit) SetGroup(fields map[string]any) {
	e.set(e.tx.flatten(e.key, fields))
}

func (e *Edit) set(fields map[string]protocol.Value) {
	op := protocol.Op{Kind: protocol.OpSet}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		op.Fields = append(op.Fields, protocol.FieldValue{Field: name, Value: fields[name], Was: e.tx.was(e.key, name)})
	}
	if len(op.Fields) > 0 {
		e.tx.add(e.key, op)
	}
}

// Unset removes a field.
func (e *Edit) Unset(field string) {
	e.tx.add(e.key, protocol.Op{Kind: protocol.OpUnset, Field: field, Was: e.tx.was(e.key, field)})
}

// Add adds a number, which may be negative, to a counter.
func (e *Edit) Add(field string, number any) { e.operand(protocol.OpAdd, field, number) }

// Max raises a max field to number if that is greater.
func (e *Edit) Max(field string, number any) { e.operand(protocol.OpMax, field, number) }

// Min lowers a min field to number if that is smaller.
func (e *Edit) Min(field string, number any) { e.operand(protocol.OpMin, field, number) }

// SetAdd adds an element to a set.
func (e *Edit) SetAdd(field string, element any) { e.operand(protocol.OpSetAdd, field, element) }

// SetRemove removes an element from a set. An add by somebody else that this
// device has not seen survives.
func (e *Edit) SetRemove(field string, element any) { e.operand(protocol.OpSetRemove, field, element) }

func (e *Edit) operand(kind protocol.OpKind, field string, operand any) {
	e.tx.add(e.key, protocol.Op{Kind: kind, Field: field, Value: e.tx.value(field, operand)})
}

// ListInsert inserts an element into a list so that it stands at index, and
// returns its id. An index past the end appends.
func (e *Edit) ListInsert(field string, index int, value any) (element string) {
	element = NewID()
	e.tx.add(e.key, protocol.Op{
		Kind: protocol.OpListInsert, Field: field, Element: element,
		Position: e.position(field, index, ""), Value: e.tx.value(field, value),
	})
	return element
}

// ListAppend appends an element to a list and returns its id.
func (e *Edit) ListAppend(field string, value any) (element string) {
	return e.ListInsert(field, len(e.elements(field)), value)
}

// ListMove moves an element so that it stands at index, counted without it.
func (e *Edit) ListMove(field, element string, index int) {
	e.tx.add(e.key, protocol.Op{
		Kind: protocol.OpListMove, Field: field, Element: element,
		Position: e.position(field, index, element),
	})
}

// ListSet gives an element a new value.
func (e *Edit) ListSet(field, element string, value any) {
	op := protocol.Op{Kind: protocol.OpListSet, Field: field, Element: element, Value: e.tx.value(field, value)}
	for _, have := range e.elements(field) {
		if have.Element == element && have.Value.Size() <= protocol.MaxWas {
			op.Was = have.Value
		}
	}
	e.tx.add(e.key, op)
}

// ListRemove removes an element.
func (e *Edit) ListRemove(field, element string) {
	e.tx.add(e.key, protocol.Op{Kind: protocol.OpListRemove, Field: field, Element: element})
}

// Fail makes the mutation fail with err; nothing of it is kept.
func (e *Edit) Fail(format string, args ...any) { e.tx.Fail(fmt.Errorf(format, args...)) }

func (e *Edit) elements(field string) []protocol.ElementState {
	if r := e.Record(); r != nil {
		return r.Elements(field)
	}
	return nil
}

// position returns one between the elements at index-1 and index, without being
// bothered by the element that moves.
func (e *Edit) position(field string, index int, moving string) string {
	elements := slices.DeleteFunc(slices.Clone(e.elements(field)), func(have protocol.ElementState) bool {
		return moving != "" && have.Element == moving
	})
	index = min(max(index, 0), len(elements))
	var before, after string
	if index > 0 {
		before = elements[index-1].Position
	}
	if index < len(elements) {
		after = elements[index].Position
	}
	return merge.Between(before, after)
}
