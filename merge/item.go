package merge

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidegate/tidegate/protocol"
)

// A record's image is stored in two parts. What people see stands in native
// fields, so that others can read it: a plain field's value, a set's or a list's
// elements as an array. The rest is metadata, ours alone:
//
//	format byte ‖ digest (16) ‖ flags ‖ authors ‖ record ‖ fields
//
//	authors = count ‖ count × (device (16) ‖ string user)
//	record  = stamp of the last change ‖ other ‖ stamp of its birth
//	          ‖ stamp of the deletion (flags&1)
//	fields  = count ‖ count × field, in byte order of their names
//	field   = flags ‖ [string name ‖ content if flags&inline] ‖ stamp ‖ other ‖ past
//	content = string value (plain; "" if removed) | count × string value
//	past    = nothing (plain)
//	        | per element: count × dot (set)
//	        | per living element, in order: string id ‖ string position ‖ stamp of
//	          the value ‖ stamp of the position; then count × tombstone (list)
//	stamp   = version − seq ‖ zigzag(time − the last change's time) ‖ author
//	dot     = version − seq ‖ author
//	tombstone = string id ‖ stamp
//
// Numbers are uvarints, strings have their length before them, an author is an
// index. The digest is over the native fields as they were written: if it does
// not match, somebody else wrote them. A tombstone has no native fields, so that
// no reader takes it for a record: its content stands in the metadata.
const (
	itemDeleted = 1

	fieldKindMask = 3
	fieldInline   = 4
)

// Errors of RecordFromItem.
var (
	// ErrForeignWrite: the native fields are not those that were written with the
	// metadata; somebody else changed the item.
	ErrForeignWrite = errors.New("the item's fields were changed by somebody else")
	// ErrItem: the metadata cannot be read.
	ErrItem = errors.New("the item's metadata cannot be read")
)

// Item returns the record as a store keeps it: native fields in byte order of
// their paths, and metadata. The item's version is the record's. RecordFromItem
// gives back exactly the same record. No record is nothing, both ways.
func (r *Record) Item() (fields []protocol.FieldValue, meta []byte) {
	if r == nil {
		return nil, nil
	}
	w := itemWriter{rec: r, authors: map[protocol.Author]uint64{}}
	w.add(r.last.by)
	w.add(r.born.by)
	if r.deleted != nil {
		w.add(r.deleted.by)
	}
	for _, f := range r.fields {
		w.addField(f)
	}
	for _, f := range r.fields {
		if r.deleted == nil && f.visible() {
			fields = append(fields, protocol.FieldValue{Field: f.name, Value: f.content()})
		}
	}
	digest := digestOf(fields)
	w.out = append(protocol.AppendFormat(make([]byte, 0, 64+32*len(r.fields))), digest[:]...)
	w.record()
	return fields, w.out
}

// digestOf names the native fields of an item.
func digestOf(fields []protocol.FieldValue) (digest [16]byte) {
	sum := sha256.New()
	var scratch []byte
	for i := range fields {
		scratch = appendString(scratch[:0], fields[i].Field)
		scratch = binary.AppendUvarint(scratch, uint64(fields[i].Value.Size()))
		sum.Write(fields[i].Value.AppendTo(scratch))
	}
	copy(digest[:], sum.Sum(scratch[:0]))
	return digest
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// itemWriter writes metadata.
type itemWriter struct {
	out     []byte
	rec     *Record
	authors map[protocol.Author]uint64
	order   []*protocol.Author
}

func (w *itemWriter) add(by *protocol.Author) {
	if _, ok := w.authors[*by]; !ok {
		w.authors[*by] = uint64(len(w.order))
		w.order = append(w.order, by)
	}
}

func (w *itemWriter) addField(f *field) {
	w.add(f.last.by)
	for i := range f.set {
		for _, d := range f.set[i].dots {
			w.add(d.by)
		}
	}
	for _, e := range f.list {
		if e.removed != nil {
			w.add(e.removed.by)
			continue
		}
		w.add(e.valued.by)
		w.add(e.placed.by)
	}
}

func (w *itemWriter) uint(n uint64)   { w.out = binary.AppendUvarint(w.out, n) }
func (w *itemWriter) string(s string) { w.out = appendString(w.out, s) }
func (w *itemWriter) value(v protocol.Value) {
	w.uint(uint64(v.Size()))
	w.out = v.AppendTo(w.out)
}

func (w *itemWriter) stamp(s stamp) {
	w.uint(w.rec.last.seq - s.seq)
	w.out = binary.AppendVarint(w.out, int64(s.time)-int64(w.rec.last.time))
	w.uint(w.authors[*s.by])
}

func (w *itemWriter) record() {
	r := w.rec
	flags := uint64(0)
	if r.deleted != nil {
		flags |= itemDeleted
	}
	w.uint(flags)
	w.uint(uint64(len(w.order)))
	for _, by := range w.order {
		w.out = append(w.out, by.Device[:]...)
		w.string(by.User)
	}
	// The last change's time is what the other stamps count from.
	w.out = binary.AppendVarint(w.out, int64(r.last.time))
	w.uint(w.authors[*r.last.by])
	w.uint(r.other)
	w.stamp(r.born)
	if r.deleted != nil {
		w.stamp(*r.deleted)
	}
	w.uint(uint64(len(r.fields)))
	for _, f := range r.fields {
		w.field(f)
	}
}

func (w *itemWriter) field(f *field) {
	inline := w.rec.deleted != nil || !f.visible()
	flags := uint64(f.kind)
	if inline {
		flags |= fieldInline
	}
	w.uint(flags)
	living := f.living()
	if inline {
		w.string(f.name)
		switch f.kind {
		case protocol.SetOf:
			w.uint(uint64(len(f.set)))
			for i := range f.set {
				w.value(f.set[i].value)
			}
		case protocol.ListOf:
			w.uint(uint64(len(living)))
			for _, e := range living {
				w.value(e.value)
			}
		default:
			w.value(f.value)
		}
	}
	w.stamp(f.last)
	w.uint(f.other)
	for i := range f.set {
		w.uint(uint64(len(f.set[i].dots)))
		for _, d := range f.set[i].dots {
			w.uint(w.rec.last.seq - d.seq)
			w.uint(w.authors[*d.by])
		}
	}
	if f.kind != protocol.ListOf {
		return
	}
	for _, e := range living {
		w.string(e.id)
		w.string(e.position)
		w.stamp(e.valued)
		w.stamp(e.placed)
	}
	w.uint(uint64(len(f.list) - len(living)))
	for _, e := range f.list {
		if e.removed != nil {
			w.string(e.id)
			w.stamp(*e.removed)
		}
	}
}

// RecordFromItem is the inverse of Item. It returns an error that wraps
// ErrForeignWrite if the fields are not those that the metadata was written
// with, ErrItem if the metadata is damaged, or an *protocol.Error with
// CodeUpgrade if a newer Tidegate wrote it. It allocates in proportion to what
// it is given.
func RecordFromItem(key Key, version uint64, fields []protocol.FieldValue, meta []byte) (*Record, error) {
	if len(fields) == 0 && len(meta) == 0 {
		return nil, nil
	}
	if err := protocol.CheckFormat(meta); err != nil {
		return nil, err
	}
	r := itemReader{in: meta[1:], native: fields, rec: &Record{key: key}}
	digest := r.take(16)
	if r.failed != "" {
		return nil, r.error(key)
	}
	if want := digestOf(fields); !bytes.Equal(digest, want[:]) {
		return nil, fmt.Errorf("record %q in %q: %w", key.ID, key.Collection, ErrForeignWrite)
	}
	r.record(version)
	if r.failed == "" && len(r.in) > 0 {
		r.fail("bytes follow it")
	}
	if r.failed == "" && len(r.native) > 0 {
		r.fail("it knows nothing of a field")
	}
	if r.failed != "" {
		return nil, r.error(key)
	}
	return r.rec, nil
}

// itemReader reads metadata. After a failure it reads zeros.
type itemReader struct {
	in      []byte
	native  []protocol.FieldValue // those not yet met
	rec     *Record
	authors []*protocol.Author
	failed  string
}

func (r *itemReader) fail(why string) {
	if r.failed == "" {
		r.failed = why
	}
	r.in = nil
}

func (r *itemReader) error(key Key) error {
	return fmt.Errorf("record %q in %q: %w: %s", key.ID, key.Collection, ErrItem, r.failed)
}

func (r *itemReader) take(n uint64) []byte {
	if n > uint64(len(r.in)) {
		r.fail("it is cut short")
		return nil
	}
	taken := r.in[:n]
	r.in = r.in[n:]
	return taken
}

func (r *itemReader) uint() uint64 {
	n, size := binary.Uvarint(r.in)
	if size <= 0 {
		r.fail("a number is cut short")
		return 0
	}
	r.in = r.in[size:]
	return n
}

func (r *itemReader) int() int64 {
	n, size := binary.Varint(r.in)
	if size <= 0 {
		r.fail("a number is cut short")
		return 0
	}
	r.in = r.in[size:]
	return n
}

// count reads how many things of at least size bytes each follow.
func (r *itemReader) count(size int) int {
	n := r.uint()
	if n > uint64(len(r.in)/size) {
		r.fail("a count is too large")
		return 0
	}
	return int(n)
}

func (r *itemReader) string() string { return string(r.take(r.uint())) }

// value reads a value; absent if none is written.
func (r *itemReader) value() protocol.Value {
	data := r.take(r.uint())
	if len(data) == 0 {
		return protocol.Value{}
	}
	v, err := protocol.DecodeValue(data)
	if err != nil {
		r.fail("a value cannot be read")
	}
	return v
}

func (r *itemReader) seq() uint64 {
	back := r.uint()
	if back > r.rec.last.seq {
		r.fail("a seq is below 0")
		return 0
	}
	return r.rec.last.seq - back
}

func (r *itemReader) author() *protocol.Author {
	n := r.uint()
	if n >= uint64(len(r.authors)) {
		r.fail("an author is unknown")
		return nobody
	}
	return r.authors[n]
}

func (r *itemReader) stamp() stamp {
	seq := r.seq()
	time := protocol.Time(r.int() + int64(r.rec.last.time))
	return stamp{seq: seq, time: time, by: r.author()}
}

func (r *itemReader) record(version uint64) {
	rec := r.rec
	flags := r.uint()
	if flags&^itemDeleted != 0 {
		r.fail("it has unknown flags")
	}
	r.authors = make([]*protocol.Author, r.count(17))
	for i := range r.authors {
		author := &protocol.Author{}
		copy(author.Device[:], r.take(16))
		author.User = r.string()
		r.authors[i] = author
	}
	rec.last.seq = version
	rec.last.time = protocol.Time(r.int())
	rec.last.by = r.author()
	rec.other = r.uint()
	rec.born = r.stamp()
	if flags&itemDeleted != 0 {
		deleted := r.stamp()
		rec.deleted = &deleted
	}
	rec.fields = make([]*field, 0, r.count(5))
	for range cap(rec.fields) {
		f := r.field()
		if r.failed != "" {
			return
		}
		if n := len(rec.fields); n > 0 && rec.fields[n-1].name >= f.name {
			r.fail("its fields are out of order")
			return
		}
		rec.fields = append(rec.fields, f)
	}
}

func (r *itemReader) field() *field {
	flags := r.uint()
	f := &field{kind: protocol.FieldKind(flags & fieldKindMask)}
	if flags > fieldKindMask|fieldInline || f.kind > protocol.ListOf {
		r.fail("a field is of an unknown kind")
		return f
	}
	values := r.content(f, flags&fieldInline != 0)
	f.last = r.stamp()
	f.other = r.uint()
	switch f.kind {
	case protocol.SetOf:
		r.set(f, values)
	case protocol.ListOf:
		r.list(f, values)
	}
	f.size = f.measure()
	return f
}

// content reads the field's name and content, from the metadata or from the
// next native field, and returns the elements of a set or a list.
func (r *itemReader) content(f *field, inline bool) []protocol.Value {
	if !inline {
		if len(r.native) == 0 {
			r.fail("a field is missing")
			return nil
		}
		next := r.native[0]
		r.native = r.native[1:]
		f.name = next.Field
		if f.kind == protocol.Plain {
			f.value = next.Value
			return nil
		}
		values, ok := next.Value.Array()
		if !ok {
			r.fail("a set or a list is no array")
		}
		return values
	}
	f.name = r.string()
	if f.kind == protocol.Plain {
		f.value = r.value()
		return nil
	}
	values := make([]protocol.Value, r.count(1))
	for i := range values {
		values[i] = r.value()
		if values[i].IsAbsent() {
			r.fail("an element has no value")
		}
	}
	return values
}

func (r *itemReader) set(f *field, values []protocol.Value) {
	if len(values) > len(r.in) {
		r.fail("it is cut short")
		return
	}
	f.set = make([]setElement, len(values))
	for i, v := range values {
		if i > 0 && values[i-1].Compare(v) >= 0 {
			r.fail("a set is out of order")
			return
		}
		dots := make([]dot, r.count(2))
		if len(dots) == 0 {
			r.fail("an element was never added")
			return
		}
		for n := range dots {
			dots[n].seq = r.seq()
			dots[n].by = r.author()
		}
		f.set[i] = setElement{value: v, dots: dots}
	}
}

func (r *itemReader) list(f *field, values []protocol.Value) {
	if len(values) > len(r.in)/8 {
		r.fail("it is cut short")
		return
	}
	elements := make([]listElement, len(values))
	f.list = make([]*listElement, 0, len(values))
	for i, v := range values {
		e := &elements[i]
		e.value = v
		e.id = r.string()
		e.position = r.string()
		e.valued = r.stamp()
		e.placed = r.stamp()
		f.list = append(f.list, e)
	}
	for range r.count(4) {
		id := r.string()
		removed := r.stamp()
		f.list = append(f.list, &listElement{id: id, removed: &removed})
	}
	slices.SortFunc(f.list, func(a, b *listElement) int { return strings.Compare(a.id, b.id) })
	for i := range f.list {
		if i > 0 && f.list[i-1].id == f.list[i].id {
			r.fail("a list has an element twice")
			return
		}
	}
}
