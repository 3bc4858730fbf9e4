package oracle

import (
	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// op decides one op and records its effect.
func (t *turn) op(op *protocol.Op, fit merge.Fit) result {
	if op.Kind == protocol.OpResolve {
		return t.resolve(op)
	}
	r := t.record(key{op.Collection, op.ID})
	l, event := r.life()
	switch op.Kind {
	case protocol.OpCreate:
		switch l {
		case alive:
			return rejected(protocol.RejectExists)
		case dead:
			return rejected(protocol.RejectDeleted)
		}
		t.create(r, fit.Fields)
		return result{}
	case protocol.OpDelete:
		switch l {
		case absent:
			return rejected(protocol.RejectMissing)
		case dead:
			return result{}
		}
		return t.delete(r)
	case protocol.OpUndelete:
		switch l {
		case absent:
			return rejected(protocol.RejectMissing)
		case dead:
			t.append(r, makeEvent(undeleted))
		}
		return result{}
	}
	switch l {
	case absent:
		return rejected(protocol.RejectMissing)
	case dead:
		return t.updateDeleted(r, op, event)
	}
	return t.update(r, op)
}

func makeEvent(kind eventKind) event { return event{kind: kind} }

// create makes the record with its first fields.
func (t *turn) create(r *record, fields []protocol.FieldValue) {
	t.append(r, makeEvent(created))
	for _, f := range fields {
		switch t.o.rules.policy(r.key.collection, f.Field) {
		case protocol.PolicySet:
			elements, _ := f.Value.Any().([]any)
			for _, e := range elements {
				if v, err := protocol.ValueOf(e); err == nil {
					t.append(r, event{kind: setAdd, field: f.Field, value: v})
				}
			}
		default:
			t.append(r, event{kind: put, field: f.Field, value: f.Value})
		}
	}
}

// delete deletes a living record, if the collection's policy lets it.
func (t *turn) delete(r *record) result {
	var unseen []*event
	for _, field := range r.fields() {
		if e := r.last(field); e.at.unseenBy(t.at) {
			unseen = append(unseen, e)
		}
	}
	if _, birth := r.life(); birth.at.unseenBy(t.at) && len(unseen) == 0 {
		unseen = append(unseen, birth)
	}
	if len(unseen) == 0 {
		t.append(r, makeEvent(deleted))
		return result{}
	}
	newest := unseen[0]
	for _, e := range unseen {
		if e.at.seq > newest.at.seq {
			newest = e
		}
	}
	switch policy := t.o.rules.onDelete(r.key.collection); policy {
	case protocol.PolicyUpdateWins:
		t.collide(collision{key: r.key, policy: policy, kept: newest.at, lost: t.at})
		return result{outcome: protocol.Superseded}
	case protocol.PolicyAsk:
		t.ask(r.key, "", policy, newest.at, t.at, protocol.Value{}, protocol.Value{}, protocol.Value{})
		return result{outcome: protocol.Conflicted}
	default:
		for _, e := range unseen {
			t.collide(collision{key: r.key, field: e.field, policy: policy, kept: t.at, lost: e.at})
		}
		t.append(r, makeEvent(deleted))
		t.forgetOpen(r)
		return result{outcome: protocol.Merged}
	}
}

// updateDeleted decides an update of a record that is deleted.
func (t *turn) updateDeleted(r *record, op *protocol.Op, end *event) result {
	if !end.at.unseenBy(t.at) {
		return rejected(protocol.RejectDeleted)
	}
	field := op.Field
	if len(op.Fields) > 0 {
		field = op.Fields[0].Field
	}
	switch policy := t.o.rules.onDelete(r.key.collection); policy {
	case protocol.PolicyUpdateWins:
		t.collide(collision{key: r.key, policy: policy, kept: t.at, lost: end.at})
		t.append(r, makeEvent(undeleted))
		res := t.update(r, op)
		if res.outcome == protocol.Applied {
			res.outcome = protocol.Merged
		}
		return res
	case protocol.PolicyAsk:
		t.ask(r.key, field, policy, end.at, t.at, protocol.Value{}, protocol.Value{}, wanted(op, field))
		return result{outcome: protocol.Conflicted}
	default:
		t.collide(collision{key: r.key, field: field, policy: policy, kept: end.at, lost: t.at, value: wanted(op, field)})
		return result{outcome: protocol.Superseded}
	}
}

// wanted is the value that an op wants a field to have.
func wanted(op *protocol.Op, field string) protocol.Value {
	for _, f := range op.Fields {
		if f.Field == field {
			return f.Value
		}
	}
	return op.Value
}

// update decides an op on a field of a living record.
func (t *turn) update(r *record, op *protocol.Op) result {
	switch op.Kind {
	case protocol.OpSet:
		return t.set(r, op)
	case protocol.OpUnset:
		return t.set(r, &protocol.Op{Kind: protocol.OpSet, Fields: sets(op)})
	case protocol.OpAdd:
		if number(float(r.value(op.Field)) + float(op.Value)).IsAbsent() {
			return rejected(protocol.RejectInvalid)
		}
		return t.arithmetic(r, op, added, true)
	case protocol.OpMax:
		v := r.value(op.Field)
		return t.arithmetic(r, op, raised, v.IsAbsent() || float(op.Value) > float(v))
	case protocol.OpMin:
		v := r.value(op.Field)
		return t.arithmetic(r, op, lowered, v.IsAbsent() || float(op.Value) < float(v))
	case protocol.OpSetAdd, protocol.OpSetRemove:
		return t.setElement(r, op)
	default:
		return t.list(r, op)
	}
}

// set decides new values for one field, or for the members of a group as one.
func (t *turn) set(r *record, op *protocol.Op) result {
	var rival *event
	for _, f := range op.Fields {
		e := r.last(f.Field)
		if e != nil && e.at.unseenBy(t.at) && (rival == nil || e.at.beats(rival.at)) {
			rival = e
		}
	}
	write := func() {
		for _, f := range op.Fields {
			if f.Value.IsAbsent() {
				t.append(r, event{kind: unset, field: f.Field})
			} else {
				t.append(r, event{kind: put, field: f.Field, value: f.Value})
			}
		}
	}
	if rival == nil {
		write()
		return result{}
	}
	policy := t.o.rules.policy(r.key.collection, op.Fields[0].Field)
	wins := policy == protocol.PolicyLWW && t.at.beats(rival.at)
	switch policy {
	case protocol.PolicyStrict:
		return rejected(protocol.RejectStale)
	case protocol.PolicyAsk:
		t.askFields(r, op, rival)
		return result{outcome: protocol.Conflicted}
	}
	for _, f := range op.Fields {
		if t.asked(r, f, wins) {
			t.askFields(r, op, rival)
			return result{outcome: protocol.Conflicted}
		}
	}
	for _, f := range op.Fields {
		old := r.value(f.Field)
		if old == f.Value {
			continue
		}
		if wins {
			t.collide(collision{key: r.key, field: f.Field, policy: policy, kept: t.at, lost: rival.at, value: old})
		} else {
			t.collide(collision{key: r.key, field: f.Field, policy: policy, kept: rival.at, lost: t.at, value: f.Value})
		}
	}
	if !wins {
		return result{outcome: protocol.Superseded}
	}
	write()
	return result{outcome: protocol.Merged}
}

// arithmetic records an op that never conflicts.
func (t *turn) arithmetic(r *record, op *protocol.Op, kind eventKind, changes bool) result {
	e := r.last(op.Field)
	res := t.met(e != nil && e.at.unseenBy(t.at))
	if changes {
		t.append(r, event{kind: kind, field: op.Field, value: op.Value})
	}
	return res
}

// met is the result of an op that took effect, concurrent or not.
func (t *turn) met(concurrent bool) result {
	if concurrent {
		return result{outcome: protocol.Merged}
	}
	return result{}
}

// setElement adds or removes one element of a set.
func (t *turn) setElement(r *record, op *protocol.Op) result {
	e := r.lastOf(op.Field, func(e *event) bool { return e.value == op.Value })
	res := t.met(e != nil && e.at.unseenBy(t.at))
	if op.Kind == protocol.OpSetAdd {
		t.append(r, event{kind: setAdd, field: op.Field, value: op.Value})
		return res
	}
	if open := r.adds(op.Field, op.Value); len(open) == 0 {
		return res
	}
	t.append(r, event{kind: setRemove, field: op.Field, value: op.Value})
	return res
}
