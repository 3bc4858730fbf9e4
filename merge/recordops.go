package merge

import (
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// create merges the creation of a record.
func (t *turn) create(p *planned) protocol.OpVerdict {
	switch rec := t.get(p.key); {
	case rec.Alive():
		return reject(protocol.RejectExists, "", "%q in %q exists already", p.key.ID, p.key.Collection)
	case rec != nil:
		return reject(protocol.RejectDeleted, "", "%q in %q was deleted: undelete it, or take a new id", p.key.ID, p.key.Collection)
	}
	c := protocol.Change{Collection: p.key.Collection, ID: p.key.ID, Kind: protocol.ChangeCreate}
	for _, f := range p.fields {
		c.Fields = append(c.Fields, f.firstChanges()...)
	}
	t.change(c)
	return protocol.OpVerdict{}
}

// firstChanges are the changes that give a field of a new record its value.
func (f *plannedField) firstChanges() []protocol.FieldChange {
	if f.rule.isPlain() || f.rule.isNumber() {
		return []protocol.FieldChange{plainChange(f.path, f.value)}
	}
	elements, _ := f.value.Array()
	changes := make([]protocol.FieldChange, 0, len(elements))
	position := ""
	for n, element := range elements {
		if f.rule.Policy == protocol.PolicySet {
			changes = append(changes, protocol.FieldChange{Field: f.path, Kind: protocol.SetAdded, Value: element})
			continue
		}
		position = Between(position, "")
		changes = append(changes, protocol.FieldChange{
			Field: f.path, Kind: protocol.ListPut, Element: elementID(n), Position: position, Value: element,
		})
	}
	return changes
}

// update is a change of a record that a delete had not seen.
type update struct {
	field   string
	element string
	value   protocol.Value // absent for a removal
	by      stamp
}

// unseenUpdates returns what others changed in a record that the author has not
// seen, in order of fields and elements.
func (t *turn) unseenUpdates(rec *Record) []update {
	base, device := t.at.Base, t.at.Device
	if rec.byOthers(device) <= base {
		return nil
	}
	var updates []update
	for _, f := range rec.fields {
		if f.name == openField || f.byOthers(device) <= base {
			continue
		}
		found := len(updates)
		switch f.kind {
		case protocol.SetOf:
			updates = append(updates, f.unseenAdds(base, device)...)
		case protocol.ListOf:
			for _, e := range f.list {
				if e.removed != nil {
					continue
				}
				if e.valued.unseen(base, device) {
					updates = append(updates, update{f.name, e.id, e.value, e.valued})
				}
				if e.placed.unseen(base, device) && !e.placed.same(e.valued) {
					updates = append(updates, update{f.name, e.id, protocol.StringValue(e.position), e.placed})
				}
			}
		default:
			if f.last.unseen(base, device) {
				updates = append(updates, update{field: f.name, value: f.value, by: f.last})
			}
		}
		if len(updates) == found && f.last.unseen(base, device) {
			updates = append(updates, update{field: f.name, by: f.last})
		}
	}
	if len(updates) == 0 && rec.born.unseen(base, device) {
		updates = append(updates, update{by: rec.born})
	}
	return updates
}

// unseenAdds returns, for each device in the order in which it is met, the
// elements of a set that it added unseen.
func (f *field) unseenAdds(base uint64, device protocol.DeviceID) []update {
	var updates []update
	var values [][]protocol.Value
	for i := range f.set {
		for _, d := range f.set[i].dots {
			if d.seen(base, device) {
				continue
			}
			at := slices.IndexFunc(updates, func(u update) bool { return u.by.by.Device == d.by.Device })
			if at < 0 {
				at = len(updates)
				updates = append(updates, update{field: f.name, by: stamp{seq: d.seq, time: f.last.time, by: d.by}})
				values = append(values, nil)
			}
			values[at] = append(values[at], f.set[i].value)
		}
	}
	for i := range updates {
		updates[i].value = arrayOf(values[i])
	}
	return updates
}

var emptyMap = protocol.MustValue(map[string]any{})

// delete merges the deletion of a record.
func (t *turn) delete(p *planned) protocol.OpVerdict {
	rec := t.get(p.key)
	switch {
	case rec == nil:
		return missing(p.key)
	case !rec.Alive():
		return protocol.OpVerdict{} // both deleted it
	}
	updates := t.unseenUpdates(rec)
	if len(updates) == 0 {
		t.remove(rec)
		return protocol.OpVerdict{}
	}
	newest := newestOf(updates)
	switch t.deletePolicy(p.key) {
	case protocol.PolicyUpdateWins:
		t.settle(p.key, "", "", protocol.PolicyUpdateWins, protocol.Value{}, t.side(newest, mapOfUpdates(updates)), t.mine(protocol.Value{}))
		return protocol.OpVerdict{Outcome: protocol.Superseded}
	case protocol.PolicyAsk:
		t.open(p.key, "", protocol.PolicyAsk, protocol.Value{}, question{newest, emptyMap}, protocol.Value{})
		return protocol.OpVerdict{Outcome: protocol.Conflicted}
	}
	t.removeOver(p.key, rec, updates)
	return protocol.OpVerdict{Outcome: protocol.Merged}
}

// newestOf returns the stamp of the update that was committed last; of those of
// one commit, the one that wins by its edit time.
func newestOf(updates []update) stamp {
	newest := updates[0].by
	for _, u := range updates {
		if u.by.seq > newest.seq || u.by.seq == newest.seq && newest.losesTo(u.by.time, u.by.device()) {
			newest = u.by
		}
	}
	return newest
}

func (t *turn) deletePolicy(key Key) protocol.Policy {
	if c := t.b.schema.Collection(key.Collection); c != nil {
		return c.Delete
	}
	return protocol.PolicyDeleteWins
}

// removeOver deletes a record over updates that the author had not seen, and
// keeps what they had written in conflicts.
func (t *turn) removeOver(key Key, rec *Record, updates []update) {
	var told []protocol.DeviceID
	for _, u := range updates {
		if !u.value.IsAbsent() {
			t.settle(key, u.field, u.element, protocol.PolicyDeleteWins, protocol.Value{}, t.mine(protocol.Value{}), t.side(u.by, u.value))
			told = append(told, u.by.device())
		}
	}
	for _, u := range updates {
		if !slices.Contains(told, u.by.device()) {
			// Nothing but removals, or the record's return: no value of theirs goes, yet
			// they worked on the record.
			t.settle(key, "", "", protocol.PolicyDeleteWins, protocol.Value{}, t.mine(protocol.Value{}), t.side(u.by, protocol.Value{}))
			told = append(told, u.by.device())
		}
	}
	t.remove(rec)
}

// mapOfUpdates shows updates as one value: the fields and what they became.
func mapOfUpdates(updates []update) protocol.Value {
	values := map[string]protocol.Value{}
	for _, u := range updates {
		if u.field != "" && u.element == "" {
			values[u.field] = u.value
		}
	}
	v, err := protocol.MapValue(values)
	if err != nil {
		return emptyMap // a value nested as deep as values may be
	}
	return v
}

// remove deletes a record, and with it its open conflicts.
func (t *turn) remove(rec *Record) {
	t.change(protocol.Change{Collection: rec.key.Collection, ID: rec.key.ID, Kind: protocol.ChangeDelete})
	t.closeAll(rec)
}

func (t *turn) closeAll(rec *Record) {
	if open := rec.field(openField); open != nil {
		for i := range open.set {
			path, _ := open.set[i].value.Text()
			t.closeConflict(Key{protocol.ConflictCollection, ConflictID(rec.key, path)})
		}
	}
}

func missing(key Key) protocol.OpVerdict {
	return reject(protocol.RejectMissing, "", "%q in %q does not exist", key.ID, key.Collection)
}

// living returns the record that an op wants to change, brought back if it was
// deleted and the collection's policy says so; floor is the least outcome the op
// has then. done is set if the op ends here.
func (t *turn) living(p *planned) (rec *Record, floor protocol.Outcome, done *protocol.OpVerdict) {
	rec = t.get(p.key)
	switch {
	case rec == nil:
		why := missing(p.key)
		return nil, 0, &why
	case rec.Alive():
		return rec, 0, nil
	case rec.deleted.unseen(t.at.Base, t.at.Device):
		return t.afterDelete(p, rec)
	case p.op.Kind == protocol.OpUndelete:
		return t.undelete(rec), 0, nil
	}
	return nil, 0, refusal(protocol.RejectDeleted, p.name(), "%q in %q was deleted", p.key.ID, p.key.Collection)
}

// afterDelete is living for a record that somebody else deleted unseen.
func (t *turn) afterDelete(p *planned, rec *Record) (*Record, protocol.Outcome, *protocol.OpVerdict) {
	deleted := *rec.deleted
	switch t.deletePolicy(p.key) {
	case protocol.PolicyUpdateWins:
		t.settle(p.key, "", "", protocol.PolicyUpdateWins, protocol.Value{}, t.mine(t.wishes(p.key)), t.side(deleted, protocol.Value{}))
		return t.undelete(rec), protocol.Merged, nil
	case protocol.PolicyAsk:
		if !slices.Contains(t.asked, p.key) {
			t.asked = append(t.asked, p.key)
			t.open(p.key, "", protocol.PolicyAsk, protocol.Value{}, question{stamp: deleted}, t.wishes(p.key))
		}
		// A place in a list cannot be wished for once its list is gone.
		if p.op.Kind == protocol.OpListMove || p.op.Kind == protocol.OpListSet {
			t.losesElement(p, deleted, protocol.Value{})
		}
		return nil, 0, &protocol.OpVerdict{Outcome: protocol.Conflicted}
	}
	for _, v := range p.values() {
		t.settle(p.key, v.field, v.element, protocol.PolicyDeleteWins, v.was, t.side(deleted, protocol.Value{}), t.mine(v.value))
	}
	return nil, 0, &protocol.OpVerdict{Outcome: protocol.Superseded}
}

// undelete brings a record back as it was.
func (t *turn) undelete(rec *Record) *Record {
	c := protocol.Change{Collection: rec.key.Collection, ID: rec.key.ID, Kind: protocol.ChangeUndelete}
	for _, f := range rec.fields {
		c.Fields = append(c.Fields, f.contentChanges()...)
	}
	t.change(c)
	return t.get(rec.key)
}

// contentChanges are the changes that give a field its content again.
func (f *field) contentChanges() []protocol.FieldChange {
	if !f.visible() {
		return nil
	}
	switch f.kind {
	case protocol.SetOf:
		changes := make([]protocol.FieldChange, len(f.set))
		for i := range f.set {
			changes[i] = protocol.FieldChange{Field: f.name, Kind: protocol.SetAdded, Value: f.set[i].value}
		}
		return changes
	case protocol.ListOf:
		living := f.living()
		changes := make([]protocol.FieldChange, len(living))
		for i, e := range living {
			changes[i] = protocol.FieldChange{Field: f.name, Kind: protocol.ListPut, Element: e.id, Position: e.position, Value: e.value}
		}
		return changes
	}
	return []protocol.FieldChange{plainChange(f.name, f.value)}
}

// wishes are what this mutation wants the record's fields to be, as one value
// that a person can decide on and that resolve can carry out: for a counter what
// to add, for a set or a list what to put in. Removals are left out; of a deleted
// record there is nothing to remove.
func (t *turn) wishes(key Key) protocol.Value {
	values := map[string]protocol.Value{}
	elements := map[string][]protocol.Value{}
	for i := range t.plan {
		p := &t.plan[i]
		if p.key != key || p.refused != nil {
			continue
		}
		op := p.op
		switch op.Kind {
		case protocol.OpSet, protocol.OpUnset:
			for _, f := range p.fields {
				values[f.path] = f.value
			}
		case protocol.OpAdd, protocol.OpMax, protocol.OpMin:
			if next, changed, err := compute(op.Kind, values[op.Field], op.Value); changed && err == nil {
				values[op.Field] = next
			}
		case protocol.OpSetAdd, protocol.OpListInsert:
			elements[op.Field] = append(elements[op.Field], op.Value)
		}
	}
	for path, list := range elements {
		values[path] = arrayOf(list)
	}
	v, err := protocol.MapValue(values)
	if err != nil {
		return emptyMap // a value nested as deep as values may be
	}
	return v
}
