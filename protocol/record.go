package protocol

func (f *Page) encode(w *writer) {
	w.open(FramePage, 3)
	w.uint(uint64(f.Label))
	w.name(f.Collection)
	w.array(len(f.Records))
	for i := range f.Records {
		record := &f.Records[i]
		w.array(3)
		w.id(record.ID)
		w.uint(record.Version)
		w.fieldStates(record.Fields)
	}
}

func (f *Page) decode(r *reader, n int) {
	r.arity("frame", n, 3)
	f.Label = r.uint32("label")
	f.Collection = r.name("collection")
	f.Records = allocate[RecordState](r, "records", r.array("records", 4))
	for i := range f.Records {
		record := &f.Records[i]
		r.tuple("record", 3)
		record.Collection = f.Collection
		record.ID = r.id("id")
		record.Version = r.uint("version")
		record.Fields = r.fieldStates()
	}
}

// AppendRecordState appends a record's state in its canonical form, which is
// what promise 9 compares: the format byte and [collection, id, version,
// fields], names literal. Fields are written in the order in which they stand.
func AppendRecordState(dst []byte, s *RecordState) []byte {
	w := newWriter(AppendFormat(dst), nil)
	w.array(4)
	w.string(s.Collection)
	w.id(s.ID)
	w.uint(s.Version)
	w.fieldStates(s.Fields)
	return w.done()
}

// DecodeRecordState reads what AppendRecordState wrote, and nothing behind it.
// The state does not refer to data.
func DecodeRecordState(data []byte) (*RecordState, error) {
	if err := checkFormat(data); err != nil {
		return nil, err
	}
	r := newReader(data, "record state", CodeMalformed, deliveredMemory, memoryBase)
	r.pos = 1
	s := new(RecordState)
	r.tuple("record", 4)
	s.Collection = r.string("collection")
	s.ID = r.id("id")
	s.Version = r.uint("version")
	s.Fields = r.fieldStates()
	r.end()
	if r.err != nil {
		return nil, r.err
	}
	return s, nil
}

// fieldStates writes each field as
//
//	[name, value]                                      plain
//	[name, 1, [value, …]]                              a set
//	[name, 2, [[element, position, value], …]]         a list
func (w *writer) fieldStates(fields []FieldState) {
	w.array(len(fields))
	for i := range fields {
		f := &fields[i]
		if f.Kind == Plain {
			w.array(2)
			w.name(f.Field)
			w.value(f.Value)
			continue
		}
		w.array(3)
		w.name(f.Field)
		w.uint(uint64(f.Kind))
		w.array(len(f.Elements))
		for j := range f.Elements {
			element := &f.Elements[j]
			if f.Kind == ListOf {
				w.array(3)
				w.id(element.Element)
				w.string(element.Position)
			}
			w.value(element.Value)
		}
	}
}

func (r *reader) fieldStates() []FieldState {
	fields := allocate[FieldState](r, "fields", r.array("fields", 3))
	for i := range fields {
		f := &fields[i]
		n := r.array("field", 1)
		if n != 2 && n != 3 {
			r.fail("field", "expected 2 or 3 elements, found %d", n)
			return nil
		}
		f.Field = r.name("field")
		if n == 2 {
			f.Value = r.value("value")
			continue
		}
		if f.Kind = FieldKind(r.small("field's kind", uint64(ListOf))); f.Kind == Plain {
			r.fail("field's kind", "0 is left out")
		}
		least := 1
		if f.Kind == ListOf {
			least = 4
		}
		f.Elements = allocate[ElementState](r, "elements", r.array("elements", least))
		for j := range f.Elements {
			element := &f.Elements[j]
			if f.Kind == ListOf {
				r.tuple("element", 3)
				element.Element = r.id("element")
				element.Position = r.string("position")
			}
			element.Value = r.value("value")
		}
	}
	return fields
}
