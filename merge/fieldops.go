package merge

import (
	"github.com/tidegate/tidegate/protocol"
)

// set merges a set or an unset of one field, or of a group's, which win or lose
// as one.
func (t *turn) set(p *planned, rec *Record) protocol.OpVerdict {
	newest, concurrent := t.newestUnseen(p, rec)
	if !concurrent {
		t.put(p)
		return protocol.OpVerdict{}
	}
	policy := p.policy()
	if policy == protocol.PolicyStrict {
		t.refused = refusal(protocol.RejectStale, p.name(), "%q was changed by somebody else in the meantime", p.name())
		return *t.refused
	}
	wins := policy == protocol.PolicyLWW && newest.losesTo(t.at.Time, t.at.Device)
	asked := policy == protocol.PolicyAsk || t.lifts(p, rec, wins)
	switch {
	case asked:
		return t.wait(p, rec)
	case wins:
		for _, f := range p.fields {
			// A member that the author had seen is overwritten knowingly.
			if old := rec.field(f.path); old.unseen(t.at.Base, t.at.Device) && old.content() != f.value {
				t.settle(p.key, f.path, "", policy, f.was, t.mine(f.value), t.side(old.last, old.content()))
			}
		}
		t.put(p)
		return protocol.OpVerdict{Outcome: protocol.Merged}
	}
	outcome := protocol.Merged // what stands is what the author wanted
	for _, f := range p.fields {
		if old := rec.field(f.path); old.content() != f.value {
			t.settle(p.key, f.path, "", policy, f.was, t.side(rec.stampOf(f.path, newest), old.content()), t.mine(f.value))
			outcome = protocol.Superseded
		}
	}
	return protocol.OpVerdict{Outcome: outcome}
}

// newestUnseen returns the unseen change of the op's fields that counts in a
// comparison of edit times, and whether there is any.
func (t *turn) newestUnseen(p *planned, rec *Record) (newest stamp, any bool) {
	for _, f := range p.fields {
		old := rec.field(f.path)
		if !old.unseen(t.at.Base, t.at.Device) {
			continue
		}
		if !any || newest.losesTo(old.last.time, old.last.device()) {
			newest = old.last
		}
		any = true
	}
	return newest, any
}

// stampOf returns the field's last change, or otherwise if it never had one.
func (r *Record) stampOf(path string, otherwise stamp) stamp {
	if f := r.field(path); f != nil {
		return f.last
	}
	return otherwise
}

// put gives the op's fields their values.
func (t *turn) put(p *planned) {
	changes := make([]protocol.FieldChange, len(p.fields))
	for i, f := range p.fields {
		changes[i] = plainChange(f.path, f.value)
	}
	t.fields(p.key, changes...)
}

func plainChange(path string, v protocol.Value) protocol.FieldChange {
	if v.IsAbsent() {
		return protocol.FieldChange{Field: path, Kind: protocol.FieldUnset}
	}
	return protocol.FieldChange{Field: path, Kind: protocol.FieldPut, Value: v}
}

// lifts says whether an x-merge-ask makes a question of a conflict that would be
// settled. An expression that cannot be evaluated does: better ask than lose.
func (t *turn) lifts(p *planned, rec *Record, wins bool) bool {
	var collided []string
	for _, f := range p.fields {
		old := rec.field(f.path)
		if f.rule.ask == nil || old.content() == f.value || wins && !old.unseen(t.at.Base, t.at.Device) {
			continue
		}
		if collided == nil {
			collided = t.collided(p.key)
		}
		double := f.rule.isFractional()
		theirs, mine := celValue(old.content(), double), celValue(f.value, double)
		theirTime := protocol.Time(0)
		if old != nil {
			theirTime = old.last.time
		}
		vars := map[string]any{
			"base": celValue(f.was, double), "collided": collided, "field": f.path,
			"kept": theirs, "lost": mine, "keptTime": int64(theirTime), "lostTime": int64(t.at.Time),
		}
		if wins {
			vars["kept"], vars["lost"] = mine, theirs
			vars["keptTime"], vars["lostTime"] = int64(t.at.Time), int64(theirTime)
		}
		if asks, ok := f.rule.ask.eval(vars); asks || !ok {
			return true
		}
	}
	return false
}

// collided returns the fields of a record that this mutation sets against a
// concurrent change, in the order of its ops.
func (t *turn) collided(key Key) []string {
	before := t.b.get(key)
	collided := []string{}
	for i := range t.plan {
		p := &t.plan[i]
		if p.key != key || p.op.Kind != protocol.OpSet && p.op.Kind != protocol.OpUnset {
			continue
		}
		for _, f := range p.fields {
			if old := before.field(f.path); old.unseen(t.at.Base, t.at.Device) && old.content() != f.value {
				collided = append(collided, f.path)
			}
		}
	}
	return collided
}

// wait leaves the committed values and opens a conflict for each that differs.
func (t *turn) wait(p *planned, rec *Record) protocol.OpVerdict {
	outcome := protocol.Merged
	for _, f := range p.fields {
		old := rec.field(f.path)
		if old.content() == f.value {
			continue
		}
		kept := question{stamp: rec.stampOf(f.path, rec.last), value: old.content()}
		t.open(p.key, f.path, protocol.PolicyAsk, f.was, kept, f.value)
		outcome = protocol.Conflicted
	}
	return protocol.OpVerdict{Outcome: outcome}
}

// arithmetic merges an add, max or min, which never conflict.
func (t *turn) arithmetic(p *planned, rec *Record) protocol.OpVerdict {
	f := rec.field(p.op.Field)
	verdict := protocol.OpVerdict{}
	if f.unseen(t.at.Base, t.at.Device) {
		verdict.Outcome = protocol.Merged
	}
	next, changed, err := compute(p.op.Kind, f.content(), p.op.Value)
	if err != nil {
		return reject(protocol.RejectInvalid, p.op.Field, "%q would become a number that cannot be kept: %s", p.op.Field, protocol.AsError(err).Message)
	}
	if changed {
		t.fields(p.key, protocol.FieldChange{Field: p.op.Field, Kind: protocol.FieldPut, Value: next})
	}
	return verdict
}

// compute applies an arithmetic op to a field's content; what is no number (an
// absent field, or one from before the schema made it a number) counts as not
// there. Sums of integers are exact: all are below 2^53.
func compute(kind protocol.OpKind, content, operand protocol.Value) (next protocol.Value, changed bool, err error) {
	old, isNumber := content.Float()
	n, _ := operand.Float()
	if !isNumber {
		return operand, true, nil
	}
	switch kind {
	case protocol.OpMax:
		return operand, n > old, nil
	case protocol.OpMin:
		return operand, n < old, nil
	}
	next, err = protocol.NumberValue(old + n)
	return next, next != content, err
}

// setOf merges an add to or a remove from a set, which never conflict: an add
// that a remove has not seen survives it.
func (t *turn) setOf(p *planned, rec *Record) protocol.OpVerdict {
	f := rec.field(p.op.Field).asSet()
	verdict := protocol.OpVerdict{}
	if f.unseen(t.at.Base, t.at.Device) {
		verdict.Outcome = protocol.Merged
	}
	change := protocol.FieldChange{Field: p.op.Field, Kind: protocol.SetAdded, Value: p.op.Value}
	if p.op.Kind == protocol.OpSetRemove {
		_, e := f.member(p.op.Value)
		if e == nil {
			return verdict
		}
		seen, unseen := 0, 0
		for _, d := range e.dots {
			if d.seen(t.at.Base, t.at.Device) {
				seen++
			} else {
				unseen++
			}
		}
		switch {
		case seen == 0:
			// The author removed an add that is gone already; this one is another.
			return protocol.OpVerdict{Outcome: protocol.Merged}
		case unseen > 0:
			change.Kind = protocol.SetKept
		default:
			change.Kind = protocol.SetRemoved
		}
	}
	t.fields(p.key, change)
	return verdict
}

// asSet returns the field as ops on a set see it, whatever it was before.
func (f *field) asSet() *field {
	if f == nil || f.kind == protocol.SetOf {
		return f
	}
	converted := *f
	converted.becomeSet()
	return &converted
}

// asList returns the field as ops on a list see it, whatever it was before.
func (f *field) asList() *field {
	if f == nil || f.kind == protocol.ListOf {
		return f
	}
	converted := *f
	converted.becomeList()
	return &converted
}
