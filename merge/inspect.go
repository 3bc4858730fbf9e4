package merge

import (
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// What is here tells clients, and a second implementation of the merge rules
// (package oracle), what a schema says and whether an op fits it, so that they
// need not read schemas again. None of it merges anything.

// Rule returns what holds for ops on the field of that path, declared or not. The
// error says why ops may not name it.
func (s *Schema) Rule(collection, path string) (*Field, error) {
	return s.Collection(collection).rule(path)
}

// Members returns the paths of the fields that a set of this one must carry, in
// byte order; just its own if it is in no group.
func (f *Field) Members() []string {
	if len(f.members) == 0 {
		return []string{f.Path}
	}
	paths := make([]string, len(f.members))
	for i, m := range f.members {
		paths[i] = m.Path
	}
	return paths
}

// Fit is how an op fits a schema, whatever the record that it is about is.
type Fit struct {
	// Code is set if the op is rejected, Whole if its whole mutation is with it.
	Code  protocol.RejectCode
	Whole bool
	// Fields are the first fields of a record to create, in byte order of their
	// paths: what a declared object holds has become fields of its own.
	Fields []protocol.FieldValue
}

// Fit checks an op's names and values against a schema.
func (s *Schema) Fit(op *protocol.Op) Fit {
	b := &Batch{schema: s}
	if why := b.checkTarget(op); why != nil {
		return Fit{Code: why.Code, Whole: true}
	}
	p := planner{c: s.Collection(op.Collection), planned: &planned{op: op}}
	switch p.op(op); {
	case p.whole != nil:
		return Fit{Code: p.whole.Code, Whole: true}
	case p.refused != nil:
		return Fit{Code: p.refused.Code}
	}
	var fit Fit
	if op.Kind == protocol.OpCreate {
		for _, f := range p.fields {
			fit.Fields = append(fit.Fields, protocol.FieldValue{Field: f.path, Value: f.value})
		}
	}
	return fit
}

// Question is what an x-merge-ask is asked about: the collision of two edits of a
// field, as its policy would settle it.
type Question struct {
	Field              string
	Base, Kept, Lost   protocol.Value
	KeptTime, LostTime protocol.Time
	// Collided are the fields of the record that the mutation sets against
	// concurrent changes, in the order of its ops.
	Collided []string
}

// Asks says whether an x-merge-ask makes a question of a collision. One that
// cannot be evaluated does: better ask than lose.
func (s *Schema) Asks(collection string, q Question) bool {
	rule, err := s.Collection(collection).rule(q.Field)
	if err != nil || rule.ask == nil {
		return false
	}
	double := rule.isFractional()
	asks, ok := rule.ask.eval(map[string]any{
		"field": q.Field, "base": celValue(q.Base, double), "kept": celValue(q.Kept, double), "lost": celValue(q.Lost, double),
		"keptTime": int64(q.KeptTime), "lostTime": int64(q.LostTime), "collided": append([]string{}, q.Collided...),
	})
	return asks || !ok
}

// Broken names the rules of the schema that a record breaks, each by a word that
// tells it from the others.
func (s *Schema) Broken(state protocol.RecordState) []string {
	var broken []string
	for _, b := range s.Collection(state.Collection).breaches(RecordFromState(state)) {
		if !slices.Contains(broken, b.rule) {
			broken = append(broken, b.rule)
		}
	}
	return broken
}
