package protocol

import "math"

// AppendMutation appends a mutation's body: the format byte and
//
//	[base, edit time, schema version, whole, preconditions, ops]
//
// A precondition is [collection, id, field, version]; an op begins with its
// kind, collection and id (see SPEC.md). Names are literal: a body outlives the
// name tables it may have been written under.
func AppendMutation(dst []byte, m *Mutation) []byte {
	w := newWriter(AppendFormat(dst), nil)
	w.array(6)
	w.uint(m.Base)
	w.int(int64(m.EditTime))
	w.uint(uint64(m.SchemaVersion))
	w.bool(m.Whole)
	w.array(len(m.Preconditions))
	for i := range m.Preconditions {
		p := &m.Preconditions[i]
		w.array(4)
		w.string(p.Collection)
		w.id(p.ID)
		w.string(p.Field)
		w.uint(p.Version)
	}
	w.array(len(m.Ops))
	for i := range m.Ops {
		w.op(&m.Ops[i])
	}
	return w.done()
}

// DecodeMutation reads a mutation's body. It allocates at most four times the
// body and 256 KiB; the mutation does not refer to the body. The error is an
// *Error with CodeMalformed, CodeTooLarge (more than MaxOps ops, or more small
// parts than its bytes allow) or CodeUpgrade.
func DecodeMutation(body []byte) (*Mutation, error) {
	if err := checkFormat(body); err != nil {
		return nil, err
	}
	r := newReader(body, "mutation", CodeMalformed, clientMemory, mutationBase)
	r.pos = 1
	m := new(Mutation)
	r.tuple("mutation", 6)
	m.Base = r.uint("base")
	m.EditTime = r.time("edit time")
	m.SchemaVersion = uint32(r.small("schema version", math.MaxUint32))
	m.Whole = r.bool("whole")
	m.Preconditions = allocate[Precondition](r, "preconditions", r.array("preconditions", 5))
	for i := range m.Preconditions {
		p := &m.Preconditions[i]
		r.tuple("precondition", 4)
		p.Collection = r.string("collection")
		p.ID = r.id("id")
		p.Field = r.string("field")
		p.Version = r.uint("version")
	}
	count := r.array("ops", 4)
	switch {
	case r.err != nil:
	case count == 0:
		r.fail("ops", "there is none")
	case count > MaxOps:
		r.err = Errorf(CodeTooLarge, "mutation: %d ops are more than %d", count, MaxOps)
	}
	m.Ops = allocate[Op](r, "ops", count)
	for i := range m.Ops {
		r.op(&m.Ops[i])
	}
	r.end()
	if r.err != nil {
		return nil, r.err
	}
	return m, nil
}

// opParts is how many elements follow the kind, the collection and the id of an
// op; a kind that is not here is not known.
var opParts = map[OpKind]int{
	OpCreate:     1, // fields
	OpSet:        1, // fields
	OpUnset:      2, // field, was
	OpAdd:        2, // field, value
	OpMax:        2,
	OpMin:        2,
	OpSetAdd:     2,
	OpSetRemove:  2,
	OpListInsert: 4, // field, element, position, value
	OpListMove:   3, // field, element, position
	OpListSet:    4, // field, element, value, was
	OpListRemove: 2, // field, element
	OpDelete:     0,
	OpUndelete:   0,
	OpResolve:    1, // value, if any
}

func (w *writer) op(op *Op) {
	w.array(3 + opParts[op.Kind])
	w.uint(uint64(op.Kind))
	w.string(op.Collection)
	w.id(op.ID)
	switch op.Kind {
	case OpCreate, OpSet:
		w.array(len(op.Fields))
		for i := range op.Fields {
			w.fieldValue(&op.Fields[i])
		}
	case OpUnset:
		w.string(op.Field)
		w.optional(op.Was)
	case OpAdd, OpMax, OpMin, OpSetAdd, OpSetRemove:
		w.string(op.Field)
		w.value(op.Value)
	case OpListInsert:
		w.string(op.Field)
		w.id(op.Element)
		w.string(op.Position)
		w.value(op.Value)
	case OpListMove:
		w.string(op.Field)
		w.id(op.Element)
		w.string(op.Position)
	case OpListSet:
		w.string(op.Field)
		w.id(op.Element)
		w.value(op.Value)
		w.optional(op.Was)
	case OpListRemove:
		w.string(op.Field)
		w.id(op.Element)
	case OpResolve:
		w.optional(op.Value)
	}
}

func (r *reader) op(op *Op) {
	n := r.array("op", 1)
	if r.err == nil && n < 3 {
		r.fail("op", "expected 3 elements at least, found %d", n)
	}
	op.Kind = OpKind(r.small("op's kind", math.MaxUint8))
	if r.err != nil {
		return
	}
	parts, known := opParts[op.Kind]
	if !known {
		r.fail("op's kind", "%d is not known", op.Kind)
		return
	}
	r.arity("op", n, 3+parts)
	op.Collection = r.string("collection")
	op.ID = r.id("id")
	switch op.Kind {
	case OpCreate, OpSet:
		op.Fields = allocate[FieldValue](r, "fields", r.array("fields", 3))
		for i := range op.Fields {
			r.fieldValue(&op.Fields[i])
		}
	case OpUnset:
		op.Field = r.string("field")
		op.Was = r.optional("was")
	case OpAdd, OpMax, OpMin, OpSetAdd, OpSetRemove:
		op.Field = r.string("field")
		op.Value = r.value("value")
	case OpListInsert:
		op.Field = r.string("field")
		op.Element = r.id("element")
		op.Position = r.string("position")
		op.Value = r.value("value")
	case OpListMove:
		op.Field = r.string("field")
		op.Element = r.id("element")
		op.Position = r.string("position")
	case OpListSet:
		op.Field = r.string("field")
		op.Element = r.id("element")
		op.Value = r.value("value")
		op.Was = r.optional("was")
	case OpListRemove:
		op.Field = r.string("field")
		op.Element = r.id("element")
	case OpResolve:
		op.Value = r.optional("value")
	}
}

// fieldValue writes [field, value], or [field, [value], [was]] if there is a
// value that the author saw, or none to set.
func (w *writer) fieldValue(f *FieldValue) {
	if !f.Value.IsAbsent() && f.Was.IsAbsent() {
		w.array(2)
		w.string(f.Field)
		w.value(f.Value)
		return
	}
	w.array(3)
	w.string(f.Field)
	w.optional(f.Value)
	w.optional(f.Was)
}

func (r *reader) fieldValue(f *FieldValue) {
	n := r.array("field", 1)
	if n != 2 && n != 3 {
		r.fail("field", "expected 2 or 3 elements, found %d", n)
		return
	}
	f.Field = r.string("field")
	if n == 2 {
		f.Value = r.value("value")
		return
	}
	f.Value = r.optional("value")
	f.Was = r.optional("was")
	if r.err == nil && !f.Value.IsAbsent() && f.Was.IsAbsent() {
		r.fail("field", "the short form was possible")
	}
}
