package merge

import (
	"fmt"
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// Merge merges one mutation. It always returns a verdict: what cannot be done is
// rejected, with a message fit for a user.
func (b *Batch) Merge(in Input) Result {
	m := in.Mutation
	verdict := protocol.Verdict{Counter: in.Counter, Seq: b.seq}
	plan, refused := b.plan(m)
	if refused == nil {
		b.prefetch(m)
		refused = b.preconditions(&in)
	}
	if refused != nil {
		return rejectedWhole(verdict, *refused, nil)
	}
	t := newTurn(b, &in, plan)
	ops := t.all()
	switch broken := t.breaches(nil); {
	case len(broken) == 0:
	case t.refused == nil && t.work() > maxWork:
		t.refused = refusal(broken[0].code, broken[0].field, "%s", broken[0].message)
	default:
		// Some op breaks a record: find out which, one by one.
		t = newTurn(b, &in, plan)
		ops = t.oneByOne()
	}
	if m.Whole && t.refused == nil {
		t.refused = firstLoss(m, plan, ops)
	}
	if t.refused != nil {
		return rejectedWhole(verdict, *t.refused, t.invalid)
	}
	for i := range t.records.list {
		r := &t.records.list[i]
		b.records.set(r.key, r.now)
	}
	sealVerdict(&verdict, ops)
	return Result{Verdict: verdict, Changes: t.changes, Conflicts: t.conflicts, Blobs: t.blobs}
}

// rejectedWhole is the result of a mutation that had no effect. What a merge
// made invalid is still kept in a conflict: its author did nothing wrong.
func rejectedWhole(verdict protocol.Verdict, why protocol.OpVerdict, lost *losses) Result {
	verdict.Outcome = protocol.Rejected
	verdict.Code, verdict.Message, verdict.Field = why.Code, why.Message, why.Field
	result := Result{Verdict: verdict}
	if lost != nil {
		result.Conflicts, result.Blobs = lost.conflicts, lost.blobs
	}
	return result
}

// sealVerdict makes a mutation's verdict of its ops'.
func sealVerdict(v *protocol.Verdict, ops []protocol.OpVerdict) {
	same := true
	for i := range ops {
		v.Outcome = max(v.Outcome, ops[i].Outcome)
		same = same && ops[i].Outcome == ops[0].Outcome
	}
	switch {
	case len(ops) == 1 && v.Outcome == protocol.Rejected:
		v.Code, v.Message, v.Field = ops[0].Code, ops[0].Message, ops[0].Field
	case !same || v.Outcome == protocol.Rejected:
		v.Ops = ops
	}
}

// firstLoss returns why a mutation that is marked whole is rejected, if it is.
func firstLoss(m *protocol.Mutation, plan []planned, ops []protocol.OpVerdict) *protocol.OpVerdict {
	for i := range ops {
		switch ops[i].Outcome {
		case protocol.Rejected:
			return &ops[i]
		case protocol.Superseded, protocol.Conflicted:
			why := reject(protocol.RejectStale, plan[i].name(), "%s was changed by somebody else in the meantime, and the mutation asks for all or nothing", quoted(plan[i].name(), "the record"))
			return &why
		}
	}
	return nil
}

// reject makes the verdict of a rejected op.
func reject(code protocol.RejectCode, field, format string, args ...any) protocol.OpVerdict {
	text := fmt.Sprintf(format, args...)
	if len(text) > protocol.MaxMessageText {
		text = text[:protocol.MaxMessageText]
		for len(text) > 0 && text[len(text)-1]&0xC0 == 0x80 {
			text = text[:len(text)-1]
		}
	}
	return protocol.OpVerdict{Outcome: protocol.Rejected, Code: code, Field: field, Message: text}
}

// prefetch asks the view for every record that the mutation names, so that all
// that are missing are known at once.
func (b *Batch) prefetch(m *protocol.Mutation) {
	for i := range m.Ops {
		b.get(Key{m.Ops[i].Collection, m.Ops[i].ID})
	}
	for i := range m.Preconditions {
		b.get(Key{m.Preconditions[i].Collection, m.Preconditions[i].ID})
	}
}

// preconditions returns why the mutation is rejected, if a precondition fails.
func (b *Batch) preconditions(in *Input) *protocol.OpVerdict {
	for i := range in.Mutation.Preconditions {
		c := &in.Mutation.Preconditions[i]
		rec := b.get(Key{c.Collection, c.ID})
		if holds(c, rec, in.Author.Device) {
			continue
		}
		what := fmt.Sprintf("%q in %q", c.ID, c.Collection)
		if c.Field != "" {
			what = fmt.Sprintf("%q of %s", c.Field, what)
		}
		why := reject(protocol.RejectPrecondition, c.Field, "%s was changed by somebody else in the meantime", what)
		if c.Version == 0 {
			why = reject(protocol.RejectPrecondition, c.Field, "%s exists already", what)
		}
		return &why
	}
	return nil
}

// turn is the merging of one mutation: an overlay on the batch's records that
// can be given up.
type turn struct {
	b    *Batch
	in   *Input
	plan []planned
	at   protocol.Stamp
	// records are those that the mutation changed.
	records records
	losses
	changes []protocol.Change
	// op is the index of the op at work; asked are the records whose deletion this
	// mutation has put in question already.
	op    int
	asked []Key
	// refused is set if the mutation is rejected as a whole.
	refused *protocol.OpVerdict
	// invalid are the values of ops that an otherwise sound merge made invalid.
	invalid *losses
}

// losses are the values that were overwritten or wait for a person.
type losses struct {
	conflicts []protocol.Conflict
	blobs     []Blob
}

func newTurn(b *Batch, in *Input, plan []planned) *turn {
	return &turn{b: b, in: in, plan: plan, at: protocol.Stamp{
		Seq: b.seq, Device: in.Author.Device, User: in.Author.User, Base: in.Mutation.Base, Time: in.EditTime,
	}}
}

// get returns a record as it is after the mutation's ops so far.
func (t *turn) get(key Key) *Record {
	if i, ok := t.records.find(key); ok {
		return t.records.list[i].now
	}
	return t.b.get(key)
}

// change folds a change into the overlay and notes it. Changes of one record's
// fields that follow each other become one, which folds to the same record.
func (t *turn) change(c protocol.Change) {
	key := Key{c.Collection, c.ID}
	t.records.set(key, Apply(t.get(key), key, &c, t.at))
	if n := len(t.changes); n > 0 && c.Kind == protocol.ChangeFields {
		last := &t.changes[n-1]
		if last.Collection == c.Collection && last.ID == c.ID && (last.Kind == protocol.ChangeFields || last.Kind == protocol.ChangeCreate) {
			last.Fields = append(last.Fields, c.Fields...)
			return
		}
	}
	t.changes = append(t.changes, c)
}

// fields folds changes of a record's fields.
func (t *turn) fields(key Key, changes ...protocol.FieldChange) {
	t.change(protocol.Change{Collection: key.Collection, ID: key.ID, Kind: protocol.ChangeFields, Fields: changes})
}

// all merges the ops one after another.
func (t *turn) all() []protocol.OpVerdict {
	verdicts := make([]protocol.OpVerdict, len(t.plan))
	for i := range t.plan {
		verdicts[i] = t.do(i)
		if t.refused != nil {
			return verdicts
		}
	}
	return verdicts
}

// maxWork bounds, in bytes of records, what finding the op to blame may cost: a
// thousand ops on a record of the greatest size would hold up their space for
// seconds. Beyond it the whole mutation is to blame.
const maxWork = 8 << 20

// work is how many bytes oneByOne would check.
func (t *turn) work() int {
	work := 0
	for i := range t.plan {
		work += t.get(t.plan[i].key).itemSize()
	}
	return work
}

// oneByOne merges the ops one after another and rejects each that breaks a
// record.
func (t *turn) oneByOne() []protocol.OpVerdict {
	verdicts := make([]protocol.OpVerdict, len(t.plan))
	for i := range t.plan {
		mark := t.mark()
		verdicts[i] = t.do(i)
		if t.refused != nil {
			return verdicts
		}
		broken := t.breaches(mark.records)
		if len(broken) == 0 {
			continue
		}
		t.back(mark)
		verdicts[i] = reject(broken[0].code, broken[0].field, "%s", broken[0].message)
		if broken[0].code == protocol.RejectInvalid {
			t.keepInvalid(&t.plan[i])
		}
	}
	if t.invalid != nil {
		t.conflicts = append(t.conflicts, t.invalid.conflicts...)
		t.blobs = append(t.blobs, t.invalid.blobs...)
	}
	return verdicts
}

// mark is a point to go back to. Records are immutable, so this is cheap.
type mark struct {
	records   []entry
	changes   []protocol.Change
	conflicts int
	blobs     int
	asked     int
}

func (t *turn) mark() mark {
	return mark{slices.Clone(t.records.list), slices.Clone(t.changes), len(t.conflicts), len(t.blobs), len(t.asked)}
}

func (t *turn) back(m mark) {
	t.records = records{}
	for i := range m.records {
		t.records.add(m.records[i].key, m.records[i].now)
	}
	t.changes = m.changes
	t.conflicts = t.conflicts[:m.conflicts]
	t.blobs = t.blobs[:m.blobs]
	t.asked = t.asked[:m.asked]
}

// breaches returns how the records that the mutation changed, less those that
// stand in checked as they are now, break the schema or a limit; what was broken
// before the mutation does not count.
func (t *turn) breaches(checked []entry) []breach {
	var found []breach
	for i := range t.records.list {
		key, now := t.records.list[i].key, t.records.list[i].now
		if key.Collection == protocol.ConflictCollection || i < len(checked) && checked[i].now == now {
			continue
		}
		broken := t.b.tooLarge(t.b.get(key), now)
		if c := t.b.schema.Collection(key.Collection); c != nil {
			broken = append(broken, c.breaches(now)...)
			if len(broken) > 0 {
				before := c.breaches(t.b.get(key))
				broken = slices.DeleteFunc(broken, func(b breach) bool {
					return slices.ContainsFunc(before, func(old breach) bool { return old.rule == b.rule })
				})
			}
		}
		found = append(found, broken...)
	}
	return found
}

// tooLarge returns how a record that grew goes over a limit.
func (b *Batch) tooLarge(before, now *Record) []breach {
	if !now.Alive() || now.itemSize() <= min(b.limits.FieldBytes, b.limits.RecordBytes) {
		return nil
	}
	var broken []breach
	for _, f := range now.fields {
		old := before.field(f.name)
		if f.size > b.limits.FieldBytes && f.visible() && (old == nil || f.size > old.size) {
			broken = append(broken, breach{protocol.RejectTooLarge, f.name, fmt.Sprintf("%q would have %d bytes; a field may have %d", f.name, f.size, b.limits.FieldBytes), "size of " + f.name})
		}
	}
	if size := now.itemSize(); size > b.limits.RecordBytes && size > before.itemSize() {
		broken = append(broken, breach{protocol.RejectTooLarge, "", fmt.Sprintf("the record would have %d bytes; a record may have %d", size, b.limits.RecordBytes), "size"})
	}
	return broken
}

// do merges one op.
func (t *turn) do(i int) protocol.OpVerdict {
	t.op = i
	p := &t.plan[i]
	if p.refused != nil {
		return *p.refused
	}
	switch p.op.Kind {
	case protocol.OpCreate:
		return t.create(p)
	case protocol.OpDelete:
		return t.delete(p)
	case protocol.OpResolve:
		return t.resolve(p)
	}
	var before mark
	dead := !t.get(p.key).Alive()
	if dead {
		before = t.mark()
	}
	rec, floor, done := t.living(p)
	if done != nil {
		return *done
	}
	verdict := t.update(p, rec)
	if dead && verdict.Outcome == protocol.Rejected {
		// What is rejected has no effect: it does not bring a record back either.
		t.back(before)
	}
	verdict.Outcome = max(verdict.Outcome, floor)
	return verdict
}

// update merges an op that changes a living record.
func (t *turn) update(p *planned, rec *Record) protocol.OpVerdict {
	switch p.op.Kind {
	case protocol.OpUndelete:
		return protocol.OpVerdict{}
	case protocol.OpSet, protocol.OpUnset:
		return t.set(p, rec)
	case protocol.OpAdd, protocol.OpMax, protocol.OpMin:
		return t.arithmetic(p, rec)
	case protocol.OpSetAdd, protocol.OpSetRemove:
		return t.setOf(p, rec)
	default:
		return t.list(p, rec)
	}
}

// side is this mutation's side of a conflict, with the value that it wanted.
func (t *turn) mine(v protocol.Value) protocol.Side {
	return t.side(stamp{time: t.at.Time, by: &t.in.Author}, v)
}

// side is the side of whoever made the change s. A large value goes into an item
// of its own.
func (t *turn) side(s stamp, v protocol.Value) protocol.Side {
	side := protocol.Side{Author: *s.by, Time: s.time, Value: v}
	if v.Size() > protocol.MaxInlineConflict {
		side.Value, side.Blob = protocol.Value{}, protocol.BlobOf(v)
		if !slices.ContainsFunc(t.blobs, func(b Blob) bool { return b.ID == side.Blob }) {
			t.blobs = append(t.blobs, Blob{side.Blob, v})
		}
	}
	return side
}

// settle notes a settled conflict.
func (t *turn) settle(key Key, field, element string, policy protocol.Policy, base protocol.Value, kept, lost protocol.Side) {
	t.conflicts = append(t.conflicts, protocol.Conflict{
		Seq: t.b.seq, Collection: key.Collection, ID: key.ID, Field: field, Element: element,
		Policy: policy, Base: base, Kept: kept, Lost: lost,
	})
}

// keepInvalid keeps the values of an op that somebody else's change made
// invalid: both edits were sound, so the one that gives way is told like any
// other that loses.
func (t *turn) keepInvalid(p *planned) {
	before := t.b.get(p.key)
	if !before.Alive() || before.byOthers(t.at.Device) <= t.at.Base {
		return
	}
	if t.invalid == nil {
		t.invalid = &losses{}
	}
	side := turn{b: t.b, in: t.in, at: t.at}
	for _, lost := range p.values() {
		stands := before.field(lost.field).content()
		if stands != lost.value {
			side.settle(p.key, lost.field, lost.element, p.policy(), lost.was, side.side(before.stampOf(lost.field, before.last), stands), side.mine(lost.value))
		}
	}
	t.invalid.conflicts = append(t.invalid.conflicts, side.conflicts...)
	t.invalid.blobs = append(t.invalid.blobs, side.blobs...)
}
