package oracle

import (
	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// list decides an op on an element of a list.
func (t *turn) list(r *record, op *protocol.Op) result {
	it := r.item(op.Field, op.Element)
	if op.Kind == protocol.OpListInsert {
		if it != nil {
			return rejected(protocol.RejectExists)
		}
		last := r.last(op.Field)
		t.append(r, event{kind: listInsert, field: op.Field, element: op.Element,
			position: t.free(r, op), value: op.Value})
		return t.met(last != nil && last.at.unseenBy(t.at))
	}
	if it == nil {
		return rejected(protocol.RejectMissing)
	}
	if it.removed != nil {
		switch {
		case op.Kind == protocol.OpListRemove:
			return t.met(r.last(op.Field).at.unseenBy(t.at))
		case !it.removed.at.unseenBy(t.at):
			return rejected(protocol.RejectMissing)
		}
		t.collide(collision{key: r.key, field: op.Field, element: op.Element, policy: protocol.PolicyList,
			kept: it.removed.at, lost: t.at, value: operand(op)})
		return result{outcome: protocol.Superseded}
	}
	switch op.Kind {
	case protocol.OpListMove:
		return t.element(r, op, it.moved, protocol.StringValue(it.Position), func() {
			t.append(r, event{kind: listMove, field: op.Field, element: op.Element, position: t.free(r, op)})
		})
	case protocol.OpListSet:
		return t.element(r, op, it.valued, it.Value, func() {
			t.append(r, event{kind: listSet, field: op.Field, element: op.Element, value: op.Value})
		})
	default:
		res := t.met(r.last(op.Field).at.unseenBy(t.at))
		for _, u := range t.unseenEdits(op.Field, it) {
			t.collide(collision{key: r.key, field: op.Field, element: op.Element, policy: protocol.PolicyList,
				kept: t.at, lost: u.at, value: u.value})
		}
		t.append(r, event{kind: listRemove, field: op.Field, element: op.Element})
		return res
	}
}

// element decides an edit of a living element's place or value: lww.
func (t *turn) element(r *record, op *protocol.Op, rival *event, old protocol.Value, write func()) result {
	res := t.met(r.last(op.Field).at.unseenBy(t.at))
	c := collision{key: r.key, field: op.Field, element: op.Element, policy: protocol.PolicyList}
	same := operand(op) == old
	switch {
	case !rival.at.unseenBy(t.at):
	case t.at.beats(rival.at) && !same:
		c.kept, c.lost, c.value = t.at, rival.at, old
		t.collide(c)
	case t.at.beats(rival.at):
	case same:
		return result{outcome: protocol.Merged}
	default:
		c.kept, c.lost, c.value = rival.at, t.at, operand(op)
		t.collide(c)
		return result{outcome: protocol.Superseded}
	}
	write()
	return res
}

// unseenEdits lists what others did to a living element since the mutation's
// base: its value, and its place if that is another's doing, or their doing at
// another time.
func (t *turn) unseenEdits(field string, it *item) []change {
	var all []change
	if it.valued.at.unseenBy(t.at) {
		all = append(all, change{field, it.Element, it.Value, it.valued.at})
	}
	if it.moved.at.unseenBy(t.at) && !it.moved.at.same(it.valued.at) {
		all = append(all, change{field, it.Element, protocol.StringValue(it.Position), it.moved.at})
	}
	return all
}

// operand is what an op on an element wants: a value, or a place.
func operand(op *protocol.Op) protocol.Value {
	if op.Kind == protocol.OpListMove {
		return protocol.StringValue(op.Position)
	}
	return op.Value
}

// free is the position that an op's element gets: the one it asks for, or, if
// another element stands there, one between that and the next.
func (t *turn) free(r *record, op *protocol.Op) string {
	taken, next := false, ""
	for _, it := range r.items(op.Field) {
		if it.Element == op.Element {
			continue
		}
		if it.Position == op.Position {
			taken = true
		}
		if it.Position > op.Position && (next == "" || it.Position < next) {
			next = it.Position
		}
	}
	if !taken {
		return op.Position
	}
	return merge.Between(op.Position, next)
}
