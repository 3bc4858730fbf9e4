package protocol

// The frames that a space encodes once for all its subscribers.

// flagAckNow is the only flag of a commit's header.
const flagAckNow = 1

func (f *CommitHeader) encode(w *writer) {
	w.open(FrameCommit, 8)
	w.uint(f.Seq)
	w.bytes(f.ID[:])
	w.int(int64(f.Time))
	w.uint(uint64(f.SchemaVersion))
	var flags uint64
	if f.AckNow {
		flags |= flagAckNow
	}
	w.uint(flags)
	if len(f.Names) == 0 {
		w.array(0)
	} else {
		w.array(1 + len(f.Names))
		w.uint(f.FirstName)
		for _, name := range f.Names {
			w.string(name)
		}
	}
	w.array(2 * len(f.Authors))
	for _, author := range f.Authors {
		w.bytes(author.Device[:])
		w.string(author.User)
	}
	w.array(3 * len(f.Mutations))
	for _, m := range f.Mutations {
		w.uint(uint64(m.Author))
		w.int(int64(f.Seq - m.Base))
		w.int(int64(f.Time - m.EditTime))
	}
}

func (f *CommitHeader) decode(r *reader, n int) {
	r.arity("frame", n, 8)
	f.Seq = r.uint("seq")
	r.fixed("id", f.ID[:])
	f.Time = r.time("time")
	f.SchemaVersion = r.uint32("schema version")
	f.AckNow = r.small("flags", flagAckNow) == flagAckNow
	if names := r.array("names", 1); names > 0 {
		f.FirstName = r.small("names", MaxNames)
		if names == 1 {
			r.fail("names", "a number without names")
		}
		f.Names = allocate[string](r, "names", names-1)
		for i := range f.Names {
			f.Names[i] = r.string("names")
		}
	}
	f.Authors = allocate[Author](r, "authors", r.multiple("authors", 2))
	for i := range f.Authors {
		r.fixed("author's device", f.Authors[i].Device[:])
		f.Authors[i].User = r.string("author's user")
	}
	f.Mutations = allocate[MutationStamp](r, "mutations", r.multiple("mutations", 3))
	for i := range f.Mutations {
		m := &f.Mutations[i]
		if m.Author = int(r.uint("author")); m.Author >= len(f.Authors) {
			r.fail("author", "%d is not in the directory of %d", m.Author, len(f.Authors))
		}
		m.Base, m.EditTime = r.differences(f.Seq, f.Time)
	}
	r.mutations = len(f.Mutations)
	if r.err == nil && r.names != nil && len(f.Names) > 0 {
		if err := r.names.learn(f.FirstName, f.Names); err != nil {
			r.fail("names", "%s", err.Message)
		}
	}
}

// multiple reads the head of an array that is a flat list of groups of the given
// width, and returns how many there are.
func (r *reader) multiple(field string, width int) int {
	n := r.array(field, 1)
	if n%width != 0 {
		r.fail(field, "%d elements are not groups of %d", n, width)
		return 0
	}
	return n / width
}

// differences reads a base and an edit time, written as how far they lie behind
// the commit's seq and time.
func (r *reader) differences(seq uint64, at Time) (base uint64, edit Time) {
	behind, before := r.int("base"), r.int("edit time")
	if behind < 0 || uint64(behind) > seq {
		r.fail("base", "%d behind seq %d is no seq", behind, seq)
		return 0, 0
	}
	edit = at - Time(before)
	if edit > MaxInteger || edit < -MaxInteger {
		r.fail("edit time", "%d before %d is out of range", before, at)
		return 0, 0
	}
	return seq - uint64(behind), edit
}

func (f *Section) encode(w *writer) {
	w.open(FrameSection, 3)
	w.uint(uint64(f.Label))
	w.name(f.Collection)
	w.array(len(f.Deltas))
	for _, delta := range f.Deltas {
		w.delta(delta.Mutation, len(delta.Changes))
		for i := range delta.Changes {
			w.change(&delta.Changes[i])
		}
	}
}

func (f *Section) decode(r *reader, n int) {
	r.arity("frame", n, 3)
	f.Label = r.uint32("label")
	f.Collection = r.name("collection")
	if r.mutations < 0 {
		r.fail("frame", "no commit stands before it")
	}
	f.Deltas = allocate[Delta](r, "deltas", r.array("deltas", 2))
	for i := range f.Deltas {
		delta := &f.Deltas[i]
		size := r.array("delta", 1)
		if size == 0 {
			r.fail("delta", "it is empty")
			return
		}
		if delta.Mutation = int(r.uint("mutation")); delta.Mutation >= r.mutations {
			r.fail("mutation", "%d is not among the commit's %d", delta.Mutation, r.mutations)
			return
		}
		delta.Changes = allocate[Change](r, "delta", size-1)
		for j := range delta.Changes {
			delta.Changes[j].Collection = f.Collection
			r.change(&delta.Changes[j])
		}
	}
}

// delta begins the delta of one mutation: [mutation, change, …].
func (w *writer) delta(mutation, changes int) {
	w.array(1 + changes)
	w.uint(uint64(mutation))
}

// change writes [id, fields], or [id, fields, kind] if not ChangeFields.
func (w *writer) change(c *Change) {
	if c.Kind == ChangeFields {
		w.array(2)
	} else {
		w.array(3)
	}
	w.id(c.ID)
	w.array(len(c.Fields))
	for i := range c.Fields {
		w.fieldChange(&c.Fields[i])
	}
	if c.Kind != ChangeFields {
		w.uint(uint64(c.Kind))
	}
}

func (r *reader) change(c *Change) {
	n := r.array("change", 1)
	if n != 2 && n != 3 {
		r.fail("change", "expected 2 or 3 elements, found %d", n)
		return
	}
	c.ID = r.id("id")
	c.Fields = allocate[FieldChange](r, "fields", r.array("fields", 2))
	for i := range c.Fields {
		r.fieldChange(&c.Fields[i])
	}
	if n == 3 {
		if c.Kind = ChangeKind(r.small("change's kind", uint64(ChangeUndelete))); c.Kind == ChangeFields {
			r.fail("change's kind", "0 is left out")
		}
	}
}

// fieldChange writes the shortest forms for what happens most:
//
//	[name]                                 unset
//	[name, value]                          put
//	[name, kind, value]                    an element of a set
//	[name, kind, element, …]               an element of a list
func (w *writer) fieldChange(f *FieldChange) {
	parts := 2
	switch f.Kind {
	case FieldPut:
		w.array(2)
		w.name(f.Field)
		w.value(f.Value)
		return
	case FieldUnset:
		w.array(1)
		w.name(f.Field)
		return
	case SetAdded, SetRemoved, SetKept, ListRemoved:
		parts = 3
	case ListMoved, ListSet:
		parts = 4
	case ListPut:
		parts = 5
	}
	w.array(parts)
	w.name(f.Field)
	w.uint(uint64(f.Kind))
	switch f.Kind {
	case SetAdded, SetRemoved, SetKept:
		w.value(f.Value)
	case ListPut:
		w.id(f.Element)
		w.string(f.Position)
		w.value(f.Value)
	case ListMoved:
		w.id(f.Element)
		w.string(f.Position)
	case ListSet:
		w.id(f.Element)
		w.value(f.Value)
	case ListRemoved:
		w.id(f.Element)
	}
}

func (r *reader) fieldChange(f *FieldChange) {
	n := r.array("field change", 1)
	if n == 0 {
		r.fail("field change", "it is empty")
		return
	}
	f.Field = r.name("field")
	switch n {
	case 1:
		f.Kind = FieldUnset
		return
	case 2:
		f.Value = r.value("value")
		return
	}
	f.Kind = FieldChangeKind(r.small("field change's kind", uint64(ListRemoved)))
	want := 3
	switch f.Kind {
	case SetAdded, SetRemoved, SetKept:
		f.Value = r.value("value")
	case ListPut:
		want = 5
		f.Element, f.Position, f.Value = r.id("element"), r.string("position"), r.value("value")
	case ListMoved:
		want = 4
		f.Element, f.Position = r.id("element"), r.string("position")
	case ListSet:
		want = 4
		f.Element, f.Value = r.id("element"), r.value("value")
	case ListRemoved:
		f.Element = r.id("element")
	default:
		r.fail("field change's kind", "%d has a form of its own", f.Kind)
	}
	r.arity("field change", n, want)
}

func (f *ConflictNotice) encode(w *writer) {
	c := &f.Conflict
	w.open(FrameConflict, 10)
	w.uint(c.Seq)
	w.string(c.Collection)
	w.id(c.ID)
	w.string(c.Field)
	w.id(c.Element)
	w.string(string(c.Policy))
	w.bool(c.Open)
	w.optional(c.Base)
	w.side(&c.Kept)
	w.side(&c.Lost)
}

func (f *ConflictNotice) decode(r *reader, n int) {
	c := &f.Conflict
	r.arity("frame", n, 10)
	c.Seq = r.uint("seq")
	c.Collection = r.string("collection")
	c.ID = r.id("id")
	c.Field = r.string("field")
	c.Element = r.id("element")
	c.Policy = Policy(r.string("policy"))
	c.Open = r.bool("open")
	c.Base = r.optional("base")
	r.side("kept", &c.Kept)
	r.side("lost", &c.Lost)
}

// side writes [device, user, time, [value], blob]; blob is empty bytes if none.
func (w *writer) side(s *Side) {
	w.array(5)
	w.bytes(s.Author.Device[:])
	w.string(s.Author.User)
	w.int(int64(s.Time))
	w.optional(s.Value)
	if s.Blob == (BlobID{}) {
		w.bytes(nil)
		return
	}
	w.bytes(s.Blob[:])
}

func (r *reader) side(field string, s *Side) {
	r.tuple(field, 5)
	r.fixed(field, s.Author.Device[:])
	s.Author.User = r.string(field)
	s.Time = r.time(field)
	s.Value = r.optional(field)
	r.fixedOrNone(field, s.Blob[:])
}

func (f *Advance) encode(w *writer) {
	w.open(FrameAdvance, 1)
	w.cursor(f.Cursor)
}

func (f *Advance) decode(r *reader, n int) {
	r.arity("frame", n, 1)
	f.Cursor = r.cursor("cursor")
}

func (f *Snapshot) encode(w *writer) {
	w.open(FrameSnapshot, 2)
	w.strings(f.Names)
	w.uint(f.Records)
}

func (f *Snapshot) decode(r *reader, n int) {
	r.arity("frame", n, 2)
	f.Names = r.strings("names")
	f.Records = r.uint("records")
	if len(f.Names) > MaxNames {
		r.fail("names", "%d are more than a table holds", len(f.Names))
	}
	if r.err == nil && r.names != nil {
		r.names.Truncate(0)
		if err := r.names.learn(0, f.Names); err != nil {
			r.fail("names", "%s", err.Message)
		}
	}
}

func (f *SnapshotEnd) encode(w *writer) {
	w.open(FrameSnapshotEnd, 4)
	w.cursor(f.Cursor)
	w.uint(f.Newest)
	w.uint(f.Counter)
	w.bytes(f.Hash[:])
}

func (f *SnapshotEnd) decode(r *reader, n int) {
	r.arity("frame", n, 4)
	f.Cursor = r.cursor("cursor")
	f.Newest = r.uint("newest")
	f.Counter = r.uint("counter")
	r.fixed("hash", f.Hash[:])
}
