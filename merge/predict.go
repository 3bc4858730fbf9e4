package merge

import (
	"github.com/tidegate/tidegate/protocol"
)

// Predict returns what a client shows of a record while an op on it is pending:
// the op's effect as if nothing were concurrent. rec is nil if there is no
// record; an op that would be rejected changes nothing. The version stays the
// confirmed one.
//
// For OpResolve, key is the open conflict's, which goes; what happens to the
// field is predicted as an OpSet of the record that [ConflictTarget] names.
func Predict(rec *Record, key Key, op *protocol.Op) *Record {
	return (*Schema)(nil).Predict(rec, key, op)
}

// Predict is like the function, with the collection's schema at hand: a created
// record's nested objects become fields, its arrays sets and lists.
func (s *Schema) Predict(rec *Record, key Key, op *protocol.Op) *Record {
	at := protocol.Stamp{Seq: rec.Version(), Base: rec.Version()}
	change := func(kind protocol.ChangeKind, fields ...protocol.FieldChange) *Record {
		return Apply(rec, key, &protocol.Change{Collection: key.Collection, ID: key.ID, Kind: kind, Fields: fields}, at)
	}
	field := func(c protocol.FieldChange) *Record {
		c.Field = op.Field
		return change(protocol.ChangeFields, c)
	}
	switch op.Kind {
	case protocol.OpCreate:
		if rec != nil {
			return rec
		}
		return change(protocol.ChangeCreate, s.firstFields(op)...)
	case protocol.OpUndelete:
		if rec == nil || rec.Alive() {
			return rec
		}
		alive := *rec
		alive.deleted = nil
		return &alive
	}
	if !rec.Alive() {
		return rec
	}
	switch op.Kind {
	case protocol.OpDelete, protocol.OpResolve:
		return change(protocol.ChangeDelete)
	case protocol.OpSet:
		changes := make([]protocol.FieldChange, len(op.Fields))
		for i := range op.Fields {
			changes[i] = plainChange(op.Fields[i].Field, op.Fields[i].Value)
		}
		return change(protocol.ChangeFields, changes...)
	case protocol.OpUnset:
		return field(protocol.FieldChange{Kind: protocol.FieldUnset})
	case protocol.OpAdd, protocol.OpMax, protocol.OpMin:
		next, changed, err := compute(op.Kind, rec.Value(op.Field), op.Value)
		if !changed || err != nil {
			return rec
		}
		return field(protocol.FieldChange{Kind: protocol.FieldPut, Value: next})
	case protocol.OpSetAdd:
		return field(protocol.FieldChange{Kind: protocol.SetAdded, Value: op.Value})
	case protocol.OpSetRemove:
		return field(protocol.FieldChange{Kind: protocol.SetRemoved, Value: op.Value})
	case protocol.OpListInsert:
		if _, e := rec.field(op.Field).element(op.Element); e != nil {
			return rec
		}
		return field(protocol.FieldChange{Kind: protocol.ListPut, Element: op.Element, Position: op.Position, Value: op.Value})
	case protocol.OpListMove:
		return field(protocol.FieldChange{Kind: protocol.ListMoved, Element: op.Element, Position: op.Position})
	case protocol.OpListSet:
		return field(protocol.FieldChange{Kind: protocol.ListSet, Element: op.Element, Value: op.Value})
	case protocol.OpListRemove:
		return field(protocol.FieldChange{Kind: protocol.ListRemoved, Element: op.Element})
	}
	return rec
}

// firstFields are the fields of a record to create, as the schema lays them out
// if it accepts them, else as they stand in the op.
func (s *Schema) firstFields(op *protocol.Op) []protocol.FieldChange {
	p := planner{c: s.Collection(op.Collection), planned: &planned{op: op}}
	p.op(op)
	if p.whole != nil || p.refused != nil {
		p.fields = nil
		for i := range op.Fields {
			p.fields = append(p.fields, plannedField{path: op.Fields[i].Field, rule: undeclared, value: op.Fields[i].Value})
		}
	}
	var changes []protocol.FieldChange
	for i := range p.fields {
		changes = append(changes, p.fields[i].firstChanges()...)
	}
	return changes
}
