package merge

import (
	"iter"
	"slices"
	"strings"

	"github.com/tidegate/tidegate/protocol"
)

// Fold folds the changes of one commit into records. It is what turns a log, or
// what a client receives of it, into state: give it the changes in their order,
// then take the records. It never consults a schema and decides nothing.
//
// A record whose version is already at or beyond the commit (because its image
// was read later than the cursor) is left as it is, however many of the commit's
// mutations touch it.
type Fold struct {
	seq     uint64
	load    func(Key) *Record
	records records
}

// NewFold returns a fold of the commit seq. It asks load once for each record
// that the commit changes; nil means that there is none.
func NewFold(seq uint64, load func(Key) *Record) *Fold {
	return &Fold{seq: seq, load: load}
}

// Apply folds one change. The stamp's seq is the commit's.
func (f *Fold) Apply(c *protocol.Change, at protocol.Stamp) {
	key := Key{c.Collection, c.ID}
	i, ok := f.records.find(key)
	if !ok {
		before := f.load(key)
		f.records.add(key, before)
		i = len(f.records.list) - 1
		f.records.list[i].done = before.Version() >= f.seq
	}
	if r := &f.records.list[i]; !r.done {
		r.now = Apply(r.now, key, c, at)
	}
}

// Records returns the records that changed, as they are after the changes so
// far, in the order of their first change.
func (f *Fold) Records() iter.Seq2[Key, *Record] {
	return func(yield func(Key, *Record) bool) {
		for i := range f.records.list {
			r := &f.records.list[i]
			if !r.done && r.now != nil && !yield(r.key, r.now) {
				return
			}
		}
	}
}

// ApplyCommit folds a whole commit as the log holds it and returns the records
// that changed, in the order of their first change.
func ApplyCommit(c *protocol.Commit, load func(Key) *Record) iter.Seq2[Key, *Record] {
	f := NewFold(c.Seq, load)
	for i := range c.Mutations {
		m := &c.Mutations[i]
		at := protocol.Stamp{Seq: c.Seq, Device: m.Author.Device, User: m.Author.User, Base: m.Base, Time: m.EditTime}
		for j := range m.Changes {
			f.Apply(&m.Changes[j], at)
		}
	}
	return f.Records()
}

// Apply returns the record after a change; rec is nil if there is no record yet,
// and is not changed. Changes of the fields of a record that is not there are
// those of a tombstone that the caller never had: it stays nil. A change older than the record (at.Seq < its version) is
// skipped. One of the same seq is applied, since several mutations of a commit
// may change a record: whoever might fold a commit twice uses [Fold], which
// compares with the version before the commit.
func Apply(rec *Record, key Key, c *protocol.Change, at protocol.Stamp) *Record {
	if rec != nil && at.Seq < rec.last.seq || rec == nil && c.Kind == protocol.ChangeFields {
		return rec
	}
	e := newEditor(rec, key, at)
	switch c.Kind {
	case protocol.ChangeCreate:
		e.rec.born = e.at
		e.rec.deleted = nil
		e.rec.fields = make([]*field, 0, len(c.Fields))
		e.fields(c.Fields)
	case protocol.ChangeDelete:
		e.rec.deleted = &e.at
		e.drop(openField)
	case protocol.ChangeUndelete:
		e.undelete(c.Fields)
	default:
		e.fields(c.Fields)
	}
	return e.done()
}

// openField is the field of a record that holds, as a set, the paths of its
// fields that have an open conflict, and "" if its deletion is the question.
// It is a field like any other: everybody who sees the record sees it.
const openField = protocol.ConflictCollection

// editor builds the successor of a record. Fields that it has made are its own
// until it is done, so a change of a thousand elements copies a field once.
type editor struct {
	rec  *Record
	at   stamp
	base uint64
}

func newEditor(rec *Record, key Key, at protocol.Stamp) *editor {
	e := &editor{base: at.Base}
	if rec == nil {
		e.rec = &Record{key: key}
	} else {
		next := *rec
		next.fields = slices.Clone(rec.fields)
		e.rec = &next
	}
	e.at = stamp{seq: at.Seq, time: at.Time, by: e.author(rec, at)}
	if rec != nil && rec.last.device() != at.Device {
		e.rec.other = rec.last.seq
	}
	e.rec.last = e.at
	return e
}

// author returns the author of the change, the record's own copy if it has one.
func (e *editor) author(rec *Record, at protocol.Stamp) *protocol.Author {
	author := protocol.Author{Device: at.Device, User: at.User}
	if rec != nil && *rec.last.by == author {
		return rec.last.by
	}
	return &author
}

// done finishes the record; the editor must not be used any more.
func (e *editor) done() *Record {
	for _, f := range e.rec.fields {
		if f.owner == e {
			f.owner = nil
			f.size = f.measure()
		}
	}
	return e.rec
}

// field returns the field to change: the editor's own copy.
func (e *editor) field(name string) *field {
	i, ok := e.rec.search(name)
	if !ok {
		f := &field{name: name, owner: e}
		e.rec.fields = slices.Insert(e.rec.fields, i, f)
		return f
	}
	f := e.rec.fields[i]
	if f.owner != e {
		own := *f
		own.owner = e
		own.set = slices.Clone(f.set)
		own.list = slices.Clone(f.list)
		f = &own
		e.rec.fields[i] = f
	}
	return f
}

func (e *editor) drop(name string) {
	if i, ok := e.rec.search(name); ok {
		e.rec.fields = slices.Delete(e.rec.fields, i, i+1)
	}
}

func (e *editor) fields(changes []protocol.FieldChange) {
	for i := range changes {
		c := &changes[i]
		f := e.field(c.Field)
		e.change(f, c)
		if f.last.by != nil && f.last.device() != e.at.device() {
			f.other = f.last.seq
		}
		f.last = e.at
	}
}

// change applies one change to the editor's own field.
func (e *editor) change(f *field, c *protocol.FieldChange) {
	switch c.Kind {
	case protocol.FieldPut:
		f.kind, f.value, f.set, f.list = protocol.Plain, c.Value, nil, nil
	case protocol.FieldUnset:
		f.kind, f.value, f.set, f.list = protocol.Plain, protocol.Value{}, nil, nil
	case protocol.SetAdded, protocol.SetRemoved, protocol.SetKept:
		f.becomeSet()
		e.changeSet(f, c)
	case protocol.ListPut, protocol.ListMoved, protocol.ListSet, protocol.ListRemoved:
		f.becomeList()
		e.changeList(f, c)
	}
}

func (e *editor) changeSet(f *field, c *protocol.FieldChange) {
	i, old := f.member(c.Value)
	var dots []dot
	if old != nil && c.Kind != protocol.SetRemoved {
		// The adds that the author had seen give way.
		for _, d := range old.dots {
			if !d.seen(e.base, e.at.device()) {
				dots = append(dots, d)
			}
		}
	}
	if c.Kind == protocol.SetAdded {
		dots = append(dots, dot{e.at.seq, e.at.by})
	}
	switch {
	case len(dots) == 0 && c.Kind == protocol.SetKept:
		// A client that began from a snapshot does not know the adds one by one; that
		// one is left it is told.
	case len(dots) == 0 && old != nil:
		f.set = slices.Delete(f.set, i, i+1)
	case len(dots) == 0:
	case old != nil:
		f.set[i].dots = dots
	default:
		f.set = slices.Insert(f.set, i, setElement{value: c.Value, dots: dots})
	}
}

// maxTombstones bounds the tombstones of a list. What they serve for is telling
// the author of an edit that the element was removed, from "there never was
// one"; that the oldest are forgotten costs this nicety alone.
const maxTombstones = 1024

func (e *editor) changeList(f *field, c *protocol.FieldChange) {
	i, old := f.element(c.Element)
	var next listElement
	if old != nil {
		next = *old
	}
	switch c.Kind {
	case protocol.ListPut:
		next = listElement{id: c.Element, position: c.Position, value: c.Value, valued: e.at, placed: e.at}
	case protocol.ListRemoved:
		at := e.at
		next = listElement{id: c.Element, removed: &at}
	case protocol.ListMoved:
		if old == nil || old.removed != nil {
			return
		}
		next.position, next.placed = c.Position, e.at
	case protocol.ListSet:
		if old == nil || old.removed != nil {
			return
		}
		next.value, next.valued = c.Value, e.at
	}
	if old == nil {
		f.list = slices.Insert(f.list, i, &next)
	} else {
		f.list[i] = &next
	}
	if c.Kind == protocol.ListRemoved {
		f.forgetTombstones()
	}
}

// forgetTombstones drops the oldest tombstone of a list that has too many.
func (f *field) forgetTombstones() {
	if len(f.list) <= maxTombstones {
		return
	}
	count, oldest := 0, -1
	for i, e := range f.list {
		if e.removed == nil {
			continue
		}
		count++
		if oldest < 0 || e.removed.seq < f.list[oldest].removed.seq {
			oldest = i
		}
	}
	if count > maxTombstones {
		f.list = slices.Delete(f.list, oldest, oldest+1)
	}
}

// undelete brings the record back with the fields that the change lists. Where a
// field is still as it was when the record was deleted, it keeps its past:
// whose change it was, and when.
func (e *editor) undelete(changes []protocol.FieldChange) {
	kept := e.rec.fields
	e.rec.born = e.at
	e.rec.deleted = nil
	e.rec.fields = make([]*field, 0, len(kept))
	e.fields(changes)
	for i, f := range e.rec.fields {
		at, ok := slices.BinarySearchFunc(kept, f.name, func(k *field, name string) int { return strings.Compare(k.name, name) })
		if ok && kept[at].sameContent(f) {
			e.rec.fields[i] = kept[at]
		}
	}
	// What was removed before the deletion stays a mark of its removal.
	for _, k := range kept {
		if at, ok := e.rec.search(k.name); !ok && !k.visible() {
			e.rec.fields = slices.Insert(e.rec.fields, at, k)
		}
	}
}

// sameContent says whether two fields look the same to everybody.
func (f *field) sameContent(other *field) bool {
	if f.kind != other.kind || f.value != other.value {
		return false
	}
	sameElement := func(a, b setElement) bool { return a.value == b.value }
	if !slices.EqualFunc(f.set, other.set, sameElement) {
		return false
	}
	return slices.EqualFunc(f.living(), other.living(), func(a, b *listElement) bool {
		return a.id == b.id && a.position == b.position && a.value == b.value
	})
}

// becomeSet turns a field that was something else, under an earlier schema,
// into a set: an array's elements become its own, anything else gives way.
func (f *field) becomeSet() {
	if f.kind == protocol.SetOf {
		return
	}
	values, _ := f.content().Array()
	f.kind, f.value, f.list = protocol.SetOf, protocol.Value{}, nil
	f.set = make([]setElement, 0, len(values))
	for _, v := range values {
		if i, old := f.member(v); old == nil {
			f.set = slices.Insert(f.set, i, setElement{value: v, dots: []dot{{f.last.seq, f.last.by}}})
		}
	}
}

// becomeList turns a field that was something else, under an earlier schema,
// into a list: an array's elements get the ids "0", "1", … and positions in their
// order.
func (f *field) becomeList() {
	if f.kind == protocol.ListOf {
		return
	}
	values, _ := f.content().Array()
	f.kind, f.value, f.set = protocol.ListOf, protocol.Value{}, nil
	f.list = make([]*listElement, 0, len(values))
	position := ""
	for n, v := range values {
		position = Between(position, "")
		id := elementID(n)
		i, _ := f.element(id)
		f.list = slices.Insert(f.list, i, &listElement{id: id, position: position, value: v, valued: f.last, placed: f.last})
	}
}

// records is a small table of records, in the order in which they were added.
type records struct {
	list  []entry
	index map[Key]int // only beyond a few
}

type entry struct {
	key  Key
	now  *Record
	done bool // Fold: the record has the commit already
}

// indexFrom is the size from which a map is faster than a look through the list.
const indexFrom = 12

func (r *records) find(key Key) (int, bool) {
	if r.index != nil {
		i, ok := r.index[key]
		return i, ok
	}
	for i := range r.list {
		if r.list[i].key == key {
			return i, true
		}
	}
	return 0, false
}

// add appends a record that find does not find.
func (r *records) add(key Key, rec *Record) {
	r.list = append(r.list, entry{key: key, now: rec})
	switch {
	case r.index != nil:
		r.index[key] = len(r.list) - 1
	case len(r.list) > indexFrom:
		r.index = make(map[Key]int, 2*len(r.list))
		for i := range r.list {
			r.index[r.list[i].key] = i
		}
	}
}

// set puts a record, adding it if need be.
func (r *records) set(key Key, rec *Record) {
	if i, ok := r.find(key); ok {
		r.list[i].now = rec
		return
	}
	r.add(key, rec)
}
