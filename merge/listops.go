package merge

import (
	"github.com/tidegate/tidegate/protocol"
)

// list merges an op on a list field.
func (t *turn) list(p *planned, rec *Record) protocol.OpVerdict {
	f := rec.field(p.op.Field).asList()
	_, e := f.element(p.op.Element)
	verdict := protocol.OpVerdict{}
	if f.unseen(t.at.Base, t.at.Device) {
		verdict.Outcome = protocol.Merged
	}
	if p.op.Kind == protocol.OpListInsert {
		if e != nil {
			return reject(protocol.RejectExists, p.op.Field, "%q has, or had, an element %q already", p.op.Field, clip(p.op.Element))
		}
		return t.insert(p, f, verdict)
	}
	switch {
	case e == nil:
		return reject(protocol.RejectMissing, p.op.Field, "%q has no element %q", p.op.Field, clip(p.op.Element))
	case e.removed == nil:
	case p.op.Kind == protocol.OpListRemove:
		return verdict // both removed it
	case e.removed.unseen(t.at.Base, t.at.Device):
		t.losesElement(p, *e.removed, protocol.Value{})
		return protocol.OpVerdict{Outcome: protocol.Superseded}
	default:
		return reject(protocol.RejectMissing, p.op.Field, "the element %q of %q was removed", clip(p.op.Element), p.op.Field)
	}
	switch p.op.Kind {
	case protocol.OpListMove:
		return t.move(p, f, e, verdict)
	case protocol.OpListSet:
		return t.setElement(p, e, verdict)
	default:
		return t.removeElement(p, e, verdict)
	}
}

// losesElement notes that this mutation's edit of an element loses.
func (t *turn) losesElement(p *planned, to stamp, stands protocol.Value) {
	mine := p.values()[0]
	t.settle(p.key, p.op.Field, p.op.Element, protocol.PolicyList, mine.was, t.side(to, stands), t.mine(mine.value))
}

// beatsElement notes that this mutation's edit of an element overwrites one that
// its author had not seen.
func (t *turn) beatsElement(p *planned, over stamp, lost protocol.Value) {
	mine := p.values()[0]
	t.settle(p.key, p.op.Field, p.op.Element, protocol.PolicyList, mine.was, t.mine(mine.value), t.side(over, lost))
}

func (t *turn) insert(p *planned, f *field, verdict protocol.OpVerdict) protocol.OpVerdict {
	position, ok := f.freePosition(p.op.Element, p.op.Position)
	if !ok {
		return noRoom(p)
	}
	t.fields(p.key, protocol.FieldChange{
		Field: p.op.Field, Kind: protocol.ListPut, Element: p.op.Element, Position: position, Value: p.op.Value,
	})
	return verdict
}

func noRoom(p *planned) protocol.OpVerdict {
	return reject(protocol.RejectTooLarge, p.op.Field, "%q: there is no room left between two elements there", p.op.Field)
}

// freePosition settles a tie: if another element stands at the position, the
// element goes right behind it. ok is false if the position would be too long.
func (f *field) freePosition(element, position string) (free string, ok bool) {
	taken, next := false, ""
	if f != nil {
		for _, e := range f.list {
			if e.removed != nil || e.id == element {
				continue
			}
			taken = taken || e.position == position
			if e.position > position && (next == "" || e.position < next) {
				next = e.position
			}
		}
	}
	if !taken {
		return position, true
	}
	free = Between(position, next)
	return free, len(free) <= protocol.MaxNameBytes
}

// race settles two concurrent edits of one part of an element by their edit
// times. It returns the verdict if this mutation's loses.
func (t *turn) race(p *planned, theirs stamp, stands, wanted protocol.Value) *protocol.OpVerdict {
	wins := theirs.losesTo(t.at.Time, t.at.Device)
	switch {
	case wins && stands != wanted:
		t.beatsElement(p, theirs, stands)
	case !wins && stands != wanted:
		t.losesElement(p, theirs, stands)
		return &protocol.OpVerdict{Outcome: protocol.Superseded}
	case !wins:
		return &protocol.OpVerdict{Outcome: protocol.Merged}
	}
	return nil
}

func (t *turn) move(p *planned, f *field, e *listElement, verdict protocol.OpVerdict) protocol.OpVerdict {
	position, ok := f.freePosition(e.id, p.op.Position)
	if !ok {
		return noRoom(p)
	}
	if e.placed.unseen(t.at.Base, t.at.Device) {
		if done := t.race(p, e.placed, protocol.StringValue(e.position), protocol.StringValue(p.op.Position)); done != nil {
			return *done
		}
	}
	t.fields(p.key, protocol.FieldChange{Field: p.op.Field, Kind: protocol.ListMoved, Element: e.id, Position: position})
	return verdict
}

func (t *turn) setElement(p *planned, e *listElement, verdict protocol.OpVerdict) protocol.OpVerdict {
	if e.valued.unseen(t.at.Base, t.at.Device) {
		if done := t.race(p, e.valued, e.value, p.op.Value); done != nil {
			return *done
		}
	}
	t.fields(p.key, protocol.FieldChange{Field: p.op.Field, Kind: protocol.ListSet, Element: e.id, Value: p.op.Value})
	return verdict
}

// removeElement removes an element. An edit of it that the author had not seen
// gives way, and its author is told.
func (t *turn) removeElement(p *planned, e *listElement, verdict protocol.OpVerdict) protocol.OpVerdict {
	if e.valued.unseen(t.at.Base, t.at.Device) {
		t.beatsElement(p, e.valued, e.value)
	}
	if e.placed.unseen(t.at.Base, t.at.Device) && !e.placed.same(e.valued) {
		t.beatsElement(p, e.placed, protocol.StringValue(e.position))
	}
	t.fields(p.key, protocol.FieldChange{Field: p.op.Field, Kind: protocol.ListRemoved, Element: e.id})
	return verdict
}
