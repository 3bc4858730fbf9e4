package oracle

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// turn is the judgement of one mutation.
type turn struct {
	o          *Oracle
	at         stamp
	logged     protocol.Verdict
	collisions []collision
	// before is how long each touched record's history was before the mutation.
	before map[key]int
	// refused is set once an op has refused the whole mutation.
	refused  result
	mutation *protocol.Mutation
	// asked are the records about whose deletion the mutation has asked.
	asked []key
	// fits is how each op fits the schema.
	fits []merge.Fit
	// collided are the fields of each record that collide in this mutation.
	collided map[key][]string
}

// run judges the mutation and compares with what is logged.
func (t *turn) run(m *protocol.Committed) error {
	body, err := protocol.DecodeMutation(m.Body)
	if err != nil {
		if t.logged.Code != protocol.RejectMalformed {
			return fmt.Errorf("the body is not a mutation (%w), and the log says %v", err, result{t.logged.Outcome, t.logged.Code})
		}
		return nil
	}
	if body.Base != m.Base {
		return fmt.Errorf("the body's base is %d", body.Base)
	}
	logged, err := perOp(&t.logged, len(body.Ops))
	if err != nil {
		return err
	}
	// Sizes are measured in the bytes of an image, which the oracle does not have:
	// a mutation refused for its size is taken at the log's word.
	if t.logged.Code == protocol.RejectTooLarge {
		return nil
	}
	derived := t.judge(body, logged)
	for i := range derived {
		if derived[i] != logged[i] {
			return errors.New(t.explain(body, i, derived[i], logged[i]))
		}
	}
	return nil
}

// judge applies the ops of a mutation and returns the result of each.
func (t *turn) judge(m *protocol.Mutation, logged []result) []result {
	var invalid []collision
	whole := func(r result) []result {
		t.rollback()
		t.collisions = invalid
		all := make([]result, len(m.Ops))
		for i := range all {
			all[i] = r
		}
		return all
	}
	t.mutation = m
	t.fits = make([]merge.Fit, len(m.Ops))
	for i := range m.Ops {
		t.fits[i] = t.o.rules.schema.Fit(&m.Ops[i])
		if t.fits[i].Whole {
			return whole(rejected(t.fits[i].Code))
		}
	}
	for _, p := range m.Preconditions {
		if !t.holds(p) {
			return whole(rejected(protocol.RejectPrecondition))
		}
	}
	t.count(m)

	// All ops together, and if a record ends up invalid, again, op by op.
	results := make([]result, len(m.Ops))
	t.rollback()
	for i := range m.Ops {
		results[i] = t.try(&m.Ops[i], t.fits[i], logged[i])
	}
	if !t.valid(t.before) {
		if t.tooMuchToSearch() {
			return whole(rejected(protocol.RejectInvalid))
		}
		t.rollback()
		t.refused = result{}
		for i := 0; i < len(m.Ops) && t.refused.outcome != protocol.Rejected; i++ {
			mark := t.mark()
			results[i] = t.try(&m.Ops[i], t.fits[i], logged[i])
			if results[i].outcome != protocol.Rejected && !t.valid(mark.lengths) {
				t.restore(mark)
				results[i] = rejected(protocol.RejectInvalid)
				kept := len(t.collisions)
				t.keepInvalid(&m.Ops[i])
				invalid = append(invalid, t.collisions[kept:]...)
			}
		}
	}
	if t.refused.outcome == protocol.Rejected {
		return whole(t.refused)
	}
	if m.Whole {
		for _, r := range results {
			switch {
			case r.outcome == protocol.Rejected:
				return whole(r)
			case r.outcome >= protocol.Superseded:
				return whole(rejected(protocol.RejectStale))
			}
		}
	}
	return results
}

// tooMuchToSearch says whether the log blames an invalid mutation as a whole, and
// that it holds enough ops for the search for the one to blame to be too long.
func (t *turn) tooMuchToSearch() bool {
	const opsAtLeast = 32 // of the greatest records
	return len(t.mutation.Ops) >= opsAtLeast && t.logged.Code == protocol.RejectInvalid && len(t.logged.Ops) == 0
}

// try judges one op; one that is refused for its size is taken at its word.
func (t *turn) try(op *protocol.Op, fit merge.Fit, logged result) result {
	if logged.code == protocol.RejectTooLarge {
		return logged
	}
	if fit.Code != "" {
		return rejected(fit.Code)
	}
	return t.op(op, fit)
}

// keepInvalid keeps what an op wanted that would have made its record invalid, if
// its author could not have known: others have changed the record unseen.
func (t *turn) keepInvalid(op *protocol.Op) {
	now := t.o.records[key{op.Collection, op.ID}]
	if now == nil {
		return
	}
	r := &record{key: now.key, events: now.events[:t.before[now.key]]}
	concurrent := slices.ContainsFunc(r.events, func(e event) bool { return e.at.unseenBy(t.at) })
	if l, _ := r.life(); l != alive || !concurrent {
		return
	}
	for _, w := range wants(op) {
		if r.content(w.field) != w.value {
			t.collide(collision{key: r.key, field: w.field, element: w.element,
				policy: t.o.rules.policy(r.key.collection, w.field), kept: r.events[len(r.events)-1].at, lost: t.at, value: w.value})
		}
	}
}

// count lists the fields of each record that the mutation sets against what was
// there before it, each op taken by itself.
func (t *turn) count(m *protocol.Mutation) {
	t.collided = map[key][]string{}
	for i := range m.Ops {
		op := &m.Ops[i]
		r := t.o.records[key{op.Collection, op.ID}]
		if r == nil {
			continue
		}
		for _, f := range sets(op) {
			if e := r.last(f.Field); e != nil && e.at.unseenBy(t.at) && r.value(f.Field) != f.Value {
				t.collided[r.key] = append(t.collided[r.key], f.Field)
			}
		}
	}
}

// sets lists the fields to which an op gives a value, or takes it from.
func sets(op *protocol.Op) []protocol.FieldValue {
	switch op.Kind {
	case protocol.OpSet:
		return op.Fields
	case protocol.OpUnset:
		return []protocol.FieldValue{{Field: op.Field, Was: op.Was}}
	}
	return nil
}

// holds judges a precondition: nobody else changed the thing after the version.
func (t *turn) holds(p protocol.Precondition) bool {
	r := t.o.records[key{p.Collection, p.ID}]
	exists := false
	if r != nil {
		l, _ := r.life()
		exists = l == alive
		if p.Field != "" && exists {
			exists = r.visible(p.Field)
		}
	}
	if p.Version == 0 {
		return !exists
	}
	if r == nil {
		return true
	}
	// The end of a record is the end of each of its fields.
	l, end := r.life()
	events := r.generation()
	if p.Field == "" {
		events = r.events // that others ended it before it was created again is a change too
	}
	for i := range events {
		e := &events[i]
		if p.Field != "" && e.field != p.Field && (l != dead || e != end) {
			continue
		}
		if e.at.seq > p.Version && e.at.author.Device != t.at.author.Device {
			return false
		}
	}
	return true
}

// visible says whether a field is part of the record's state.
func (r *record) visible(field string) bool {
	for _, f := range r.state().Fields {
		if f.Field == field {
			return true
		}
	}
	return false
}

// record returns the record of a key, with an empty history if there is none,
// and remembers how long its history was.
func (t *turn) record(k key) *record {
	r := t.o.records[k]
	if r == nil {
		r = &record{key: k}
	}
	if t.before == nil {
		t.before = map[key]int{}
	}
	if _, known := t.before[k]; !known {
		t.before[k] = len(r.events)
	}
	return r
}

// append adds an event to a record's history.
func (t *turn) append(r *record, e event) {
	e.at = t.at
	r.events = append(r.events, e)
	t.o.records[r.key] = r
}

// marked is a point within a turn to which it can be set back.
type marked struct {
	lengths    map[key]int
	collisions int
	asked      int
}

func (t *turn) mark() marked {
	m := marked{maps.Clone(t.before), len(t.collisions), len(t.asked)}
	if m.lengths == nil {
		m.lengths = map[key]int{}
	}
	for k := range t.before {
		if r := t.o.records[k]; r != nil {
			m.lengths[k] = len(r.events)
		}
	}
	return m
}

func (t *turn) restore(m marked) {
	for k := range t.before {
		n, ok := m.lengths[k]
		if !ok {
			n = t.before[k]
		}
		t.cut(k, n)
	}
	t.collisions, t.asked = t.collisions[:m.collisions], t.asked[:m.asked]
}

// rollback undoes the whole mutation.
func (t *turn) rollback() {
	for k, n := range t.before {
		t.cut(k, n)
	}
	t.collisions, t.asked = nil, nil
}

func (t *turn) cut(k key, n int) {
	r := t.o.records[k]
	if r == nil {
		return
	}
	if r.events = r.events[:n]; n == 0 {
		delete(t.o.records, k)
	}
}

// valid says whether every record that was changed since its history had the
// given length keeps the rules of the schema that it kept before the mutation.
func (t *turn) valid(since map[key]int) bool {
	for k := range t.before {
		r, n := t.o.records[k], since[k]
		if r == nil || len(r.events) == n {
			continue
		}
		if l, _ := r.life(); l != alive {
			continue
		}
		now := t.o.rules.broken(r.state())
		if len(now) == 0 {
			continue
		}
		var before []string
		if old := (&record{key: k, events: r.events[:t.before[k]]}); t.before[k] > 0 {
			if l, _ := old.life(); l == alive {
				before = t.o.rules.broken(old.state())
			}
		}
		if t.o.rules.breaks(now, before) {
			return false
		}
	}
	return true
}

// explain says what the oracle and the log disagree on, with the history that
// the oracle judged by.
func (t *turn) explain(m *protocol.Mutation, i int, derived, logged result) string {
	op := &m.Ops[i]
	s := fmt.Sprintf("op %d, %s: the log says %v, it should be %v; history of %s/%s before the commit:",
		i, Describe(op), logged, derived, op.Collection, op.ID)
	for _, p := range m.Preconditions {
		s = fmt.Sprintf("requires %s/%s.%s at %d; ", p.Collection, p.ID, p.Field, p.Version) + s
	}
	if m.Whole {
		s = "whole; " + s
	}
	k := key{op.Collection, op.ID}
	r := t.o.records[k]
	n := 0
	if r != nil {
		n = len(r.events)
		if before, known := t.before[k]; known {
			n = before
		}
	}
	if n == 0 {
		return s + " none"
	}
	for _, e := range r.events[max(0, n-20):n] {
		s += "\n\t" + e.String()
	}
	return s
}

func (e *event) String() string {
	words := [...]string{"created", "deleted", "undeleted", "put", "unset", "added", "raised", "lowered",
		"set-add", "set-remove", "list-insert", "list-move", "list-set", "list-remove"}
	s := fmt.Sprintf("seq %d base %d device %s time %d: %s", e.at.seq, e.at.base, e.at.author.Device, e.at.time, words[e.kind])
	for _, part := range []string{e.field, e.element, e.position} {
		if part != "" {
			s += " " + part
		}
	}
	if !e.value.IsAbsent() {
		s += " " + e.value.String()
	}
	return s
}

// Describe names an op for people.
func Describe(op *protocol.Op) string {
	s := fmt.Sprintf("kind %d of %s/%s", op.Kind, op.Collection, op.ID)
	if op.Field != "" {
		s += "." + op.Field
	}
	for _, f := range op.Fields {
		s += fmt.Sprintf(" %s=%s", f.Field, f.Value)
	}
	if op.Element != "" {
		s += " element " + op.Element
	}
	if !op.Value.IsAbsent() {
		s += " " + op.Value.String()
	}
	return s
}
