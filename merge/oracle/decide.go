package oracle

import (
	"slices"
	"strconv"
	"strings"

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
		switch {
		case l == absent:
			return rejected(protocol.RejectMissing)
		case l == alive:
			return result{}
		case !event.at.unseenBy(t.at):
			t.append(r, makeEvent(undeleted))
			return result{}
		}
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
				t.append(r, event{kind: setAdd, field: f.Field, value: valueOf(e)})
			}
		case protocol.PolicyList:
			elements, _ := f.Value.Any().([]any)
			position := ""
			for i, e := range elements {
				position = merge.Between(position, "")
				t.append(r, event{kind: listInsert, field: f.Field, element: strconv.Itoa(i), position: position, value: valueOf(e)})
			}
		default:
			t.append(r, event{kind: put, field: f.Field, value: f.Value})
		}
	}
}

// delete deletes a living record, if the collection's policy lets it.
func (t *turn) delete(r *record) result {
	unseen := t.unseen(r)
	if len(unseen) == 0 {
		t.end(r, nil, "")
		return result{}
	}
	newest := unseen[0].at
	for _, u := range unseen {
		if u.at.seq > newest.seq || u.at.seq == newest.seq && u.at.beats(newest) {
			newest = u.at
		}
	}
	switch policy := t.o.rules.onDelete(r.key.collection); policy {
	case protocol.PolicyUpdateWins:
		t.collide(collision{key: r.key, policy: policy, kept: newest, lost: t.at})
		return result{outcome: protocol.Superseded}
	case protocol.PolicyAsk:
		// What stands is the record, which everybody sees; it need not be told.
		t.ask(r.key, "", newest, t.at, protocol.Value{}, mapOf(nil), protocol.Value{})
		return result{outcome: protocol.Conflicted}
	default:
		t.end(r, unseen, policy)
		return result{outcome: protocol.Merged}
	}
}

// end deletes a record over changes that the author had not seen, whose authors
// are told.
func (t *turn) end(r *record, unseen []change, policy protocol.Policy) {
	told := map[protocol.DeviceID]bool{}
	for _, u := range unseen {
		if !u.value.IsAbsent() {
			t.collide(collision{key: r.key, field: u.field, element: u.element, policy: policy, kept: t.at, lost: u.at, value: u.value})
			told[u.at.author.Device] = true
		}
	}
	for _, u := range unseen {
		if !told[u.at.author.Device] {
			t.collide(collision{key: r.key, policy: policy, kept: t.at, lost: u.at})
			told[u.at.author.Device] = true
		}
	}
	t.append(r, makeEvent(deleted))
	t.forgetOpen(r)
}

// unseenAdds lists, for each device that added elements to a set unseen, these
// elements, with the first such add.
func (t *turn) unseenAdds(r *record, field string) []change {
	var all []change
	elements := map[protocol.DeviceID][]any{}
	for _, v := range r.elements(field) {
		for _, add := range r.adds(field, v) {
			if !add.at.unseenBy(t.at) {
				continue
			}
			device := add.at.author.Device
			if elements[device] == nil {
				// An edit time is kept of a set as a whole.
				at := add.at
				at.time = r.last(field).at.time
				all = append(all, change{field: field, at: at})
			}
			elements[device] = append(elements[device], v)
		}
	}
	for i := range all {
		all[i].value = valueOf(elements[all[i].at.author.Device])
	}
	return all
}

// change is something in a record that the author of a delete had not seen; its
// value is absent if it was a removal.
type change struct {
	field, element string
	value          protocol.Value
	at             stamp
}

// unseen lists what others changed in a record since the mutation's base: plain
// fields and elements of lists by their last change, sets by their adds, a field
// in which there was nothing but removals by the last of them; and the record's
// creation or return if there is nothing else.
func (t *turn) unseen(r *record) []change {
	var all []change
	for _, field := range r.fields() {
		if field == protocol.ConflictCollection {
			continue // ours, nobody's edit
		}
		var found []change
		switch r.kindOf(field) {
		case protocol.SetOf:
			found = t.unseenAdds(r, field)
		case protocol.ListOf:
			list := r.everInserted(field)
			slices.SortFunc(list, func(a, b *item) int { return strings.Compare(a.Element, b.Element) })
			for _, it := range list {
				if it.removed == nil {
					found = append(found, t.unseenEdits(field, it)...)
				}
			}
		}
		if e := r.last(field); len(found) == 0 && e.at.unseenBy(t.at) {
			found = []change{{field: field, value: r.value(field), at: e.at}}
		}
		all = append(all, found...)
	}
	if _, birth := r.life(); len(all) == 0 && birth.at.unseenBy(t.at) {
		all = append(all, change{at: birth.at})
	}
	return all
}

// updateDeleted decides an update of a record that is deleted.
func (t *turn) updateDeleted(r *record, op *protocol.Op, end *event) result {
	if !end.at.unseenBy(t.at) {
		return rejected(protocol.RejectDeleted)
	}
	switch policy := t.o.rules.onDelete(r.key.collection); policy {
	case protocol.PolicyUpdateWins:
		before := t.mark()
		t.collide(collision{key: r.key, policy: policy, kept: t.at, lost: end.at})
		t.append(r, makeEvent(undeleted))
		if op.Kind == protocol.OpUndelete {
			return result{outcome: protocol.Merged}
		}
		res := t.update(r, op)
		switch res.outcome {
		case protocol.Applied:
			res.outcome = protocol.Merged
		case protocol.Rejected:
			t.restore(before) // it has no effect, and so does not bring the record back
		}
		return res
	case protocol.PolicyAsk:
		// All that a mutation wants of the record is one question.
		if !slices.Contains(t.asked, r.key) {
			t.asked = append(t.asked, r.key)
			t.ask(r.key, "", end.at, t.at, protocol.Value{}, protocol.Value{}, t.wishes(r.key))
		}
		if op.Kind == protocol.OpListMove || op.Kind == protocol.OpListSet {
			t.collide(collision{key: r.key, field: op.Field, element: op.Element, policy: protocol.PolicyList, kept: end.at, lost: t.at, value: operand(op)})
		}
		return result{outcome: protocol.Conflicted}
	default:
		for _, w := range wants(op) {
			t.collide(collision{key: r.key, field: w.field, element: w.element, policy: policy, kept: end.at, lost: t.at, value: w.value})
		}
		return result{outcome: protocol.Superseded}
	}
}

// want is a value that an op wants somewhere; absent if it wants something gone.
type want struct {
	field, element string
	value          protocol.Value
}

// wants lists what an update wants.
func wants(op *protocol.Op) []want {
	switch op.Kind {
	case protocol.OpSet, protocol.OpUnset:
		var all []want
		for _, f := range sets(op) {
			all = append(all, want{field: f.Field, value: f.Value})
		}
		return all
	case protocol.OpSetRemove, protocol.OpListRemove:
		return []want{{field: op.Field, element: op.Element}}
	case protocol.OpListMove:
		return []want{{field: op.Field, element: op.Element, value: protocol.StringValue(op.Position)}}
	case protocol.OpUndelete:
		return nil
	}
	return []want{{field: op.Field, element: op.Element, value: op.Value}}
}

// wishes is what a mutation wants of a record that is deleted, as one value: what
// to set, what to add to a counter, what to put into a set or a list.
func (t *turn) wishes(k key) protocol.Value {
	fields := map[string]protocol.Value{}
	elements := map[string][]any{}
	for i := range t.mutation.Ops {
		op := &t.mutation.Ops[i]
		if op.Collection != k.collection || op.ID != k.id || t.fits[i].Code != "" {
			continue
		}
		switch old := fields[op.Field]; op.Kind {
		case protocol.OpSet, protocol.OpUnset:
			for _, f := range sets(op) {
				fields[f.Field] = f.Value
			}
		case protocol.OpAdd:
			fields[op.Field] = number(float(old) + float(op.Value))
		case protocol.OpMax:
			if old.IsAbsent() || float(op.Value) > float(old) {
				fields[op.Field] = op.Value
			}
		case protocol.OpMin:
			if old.IsAbsent() || float(op.Value) < float(old) {
				fields[op.Field] = op.Value
			}
		case protocol.OpSetAdd, protocol.OpListInsert:
			elements[op.Field] = append(elements[op.Field], op.Value)
		}
	}
	for field, list := range elements {
		fields[field] = valueOf(list)
	}
	return mapOf(fields)
}

// mapOf makes one value of fields; absent ones are left out.
func mapOf(fields map[string]protocol.Value) protocol.Value {
	entries := map[string]any{}
	for name, v := range fields {
		if !v.IsAbsent() {
			entries[name] = v.Any()
		}
	}
	return valueOf(entries)
}

// update decides an op on a field of a living record.
func (t *turn) update(r *record, op *protocol.Op) result {
	switch op.Kind {
	case protocol.OpSet:
		return t.set(r, op)
	case protocol.OpUnset:
		return t.set(r, &protocol.Op{Kind: protocol.OpSet, Fields: sets(op)})
	case protocol.OpAdd:
		old := r.value(op.Field)
		sum := number(float(old) + float(op.Value))
		if sum.IsAbsent() {
			return rejected(protocol.RejectInvalid)
		}
		return t.arithmetic(r, op, added, sum != old)
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
	same := !slices.ContainsFunc(op.Fields, func(f protocol.FieldValue) bool { return r.value(f.Field) != f.Value })
	wins := policy == protocol.PolicyLWW && t.at.beats(rival.at)
	switch policy {
	case protocol.PolicyStrict:
		t.refused = rejected(protocol.RejectStale)
		return t.refused
	case protocol.PolicyAsk:
		if same {
			return result{outcome: protocol.Merged}
		}
		t.askFields(r, op)
		return result{outcome: protocol.Conflicted}
	}
	for _, f := range op.Fields {
		if t.lifts(r, f, wins) {
			t.askFields(r, op)
			return result{outcome: protocol.Conflicted}
		}
	}
	for _, f := range op.Fields {
		old, last := r.value(f.Field), r.last(f.Field)
		switch {
		case old == f.Value:
		case wins && (last == nil || !last.at.unseenBy(t.at)):
			// Only other members of the group collide.
		case wins:
			t.collide(collision{key: r.key, field: f.Field, policy: policy, kept: t.at, lost: last.at, value: old})
		default:
			t.collide(collision{key: r.key, field: f.Field, policy: policy, kept: rival.at, lost: t.at, value: f.Value})
		}
	}
	switch {
	case wins:
		write()
	case !same:
		return result{outcome: protocol.Superseded}
	}
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
	e := r.last(op.Field)
	res := t.met(e != nil && e.at.unseenBy(t.at))
	if op.Kind == protocol.OpSetAdd {
		t.append(r, event{kind: setAdd, field: op.Field, value: op.Value})
		return res
	}
	adds := r.adds(op.Field, op.Value)
	switch seen := func(add *event) bool { return !add.at.unseenBy(t.at) }; {
	case len(adds) == 0:
		return res
	case !slices.ContainsFunc(adds, seen):
		return result{outcome: protocol.Merged} // what its author removed is gone; this is another add
	}
	t.append(r, event{kind: setRemove, field: op.Field, value: op.Value})
	return res
}
