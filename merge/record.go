package merge

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidegate/tidegate/protocol"
)

// Key names a record in its space.
type Key struct {
	Collection string
	ID         string
}

// Compare orders keys by collection, then id, both as bytes.
func (k Key) Compare(other Key) int {
	if c := strings.Compare(k.Collection, other.Collection); c != 0 {
		return c
	}
	return strings.Compare(k.ID, other.ID)
}

// Record is the image of one record: its content, and of each part who changed
// it last and when, which is all that later merges need to know of the past.
//
// A Record is immutable. Apply and the other functions return a new one that
// shares what did not change, so any number of goroutines may read the same
// Record. A nil *Record is a record that does not exist; the methods take it.
type Record struct {
	key Key
	// last is the newest change of anything in the record; its seq is the
	// record's version. other is the newest seq at which a device other than
	// last's changed it, 0 if none did.
	last  stamp
	other uint64
	// born is the record's creation or, if there was one, its last undelete.
	born stamp
	// deleted is set while the record is a tombstone. A tombstone keeps its fields,
	// for an undelete.
	deleted *stamp
	// fields are in byte order of their names. A field that was removed stays here
	// without content, since its last change still decides what is concurrent.
	fields []*field
}

// stamp says where a change comes from.
type stamp struct {
	seq  uint64
	time protocol.Time
	by   *protocol.Author
}

// nobody is the author of what a snapshot holds: a client does not learn it.
var nobody = &protocol.Author{}

func (s stamp) device() protocol.DeviceID { return s.by.Device }

// unseen is the concurrency test: somebody else made the change, after base.
func (s stamp) unseen(base uint64, device protocol.DeviceID) bool {
	return s.seq > base && s.by.Device != device
}

// same says whether two stamps are of one mutation, as far as one can tell.
func (s stamp) same(other stamp) bool {
	return s.seq == other.seq && s.time == other.time && *s.by == *other.by
}

// losesTo says whether an edit made at time by device wins over s: the later edit
// time wins, ties the greater device id.
func (s stamp) losesTo(time protocol.Time, device protocol.DeviceID) bool {
	if s.time != time {
		return s.time < time
	}
	return slices.Compare(s.by.Device[:], device[:]) < 0
}

// field is one field of a record; immutable once its Apply is done.
type field struct {
	name string
	kind protocol.FieldKind
	// value is the content of a plain field; absent if the field was removed.
	value protocol.Value
	// set is in byte order of the elements' values; list in byte order of their ids.
	set  []setElement
	list []*listElement
	// last and other are as in Record.
	last  stamp
	other uint64
	// size is about what the field costs in an item, in bytes.
	size int
	// owner is the Apply that made this field and may still change it.
	owner *editor
}

// setElement is an element of a set. It is there while adds that no remove has
// seen remain.
type setElement struct {
	value protocol.Value
	dots  []dot
}

// dot is one add of an element.
type dot struct {
	seq uint64
	by  *protocol.Author
}

// seen says whether the author of a mutation knew of the add.
func (d dot) seen(base uint64, device protocol.DeviceID) bool {
	return d.seq <= base || d.by.Device == device
}

// listElement is an element of a list, or the tombstone of one; immutable.
type listElement struct {
	id       string
	position string
	value    protocol.Value
	valued   stamp // last change of the value
	placed   stamp // last change of the position
	// removed is set on a tombstone, which has neither value nor position.
	removed *stamp
}

// visible says whether the field has content. A set or list without elements
// is absent, as a removed field is.
func (f *field) visible() bool {
	if f == nil {
		return false
	}
	switch f.kind {
	case protocol.SetOf:
		return len(f.set) > 0
	case protocol.ListOf:
		for _, e := range f.list {
			if e.removed == nil {
				return true
			}
		}
		return false
	default:
		return !f.value.IsAbsent()
	}
}

// content returns the field's content as one value: the array of its elements
// for a set or a list, absent if there is none.
func (f *field) content() protocol.Value {
	if f == nil {
		return protocol.Value{}
	}
	switch f.kind {
	case protocol.SetOf:
		if len(f.set) == 0 {
			return protocol.Value{}
		}
		values := make([]protocol.Value, len(f.set))
		for i := range f.set {
			values[i] = f.set[i].value
		}
		return arrayOf(values)
	case protocol.ListOf:
		living := f.living()
		if len(living) == 0 {
			return protocol.Value{}
		}
		values := make([]protocol.Value, len(living))
		for i, e := range living {
			values[i] = e.value
		}
		return arrayOf(values)
	default:
		return f.value
	}
}

// unseen is the concurrency test for a field that may not exist.
func (f *field) unseen(base uint64, device protocol.DeviceID) bool {
	return f != nil && f.last.unseen(base, device)
}

// living returns the elements of a list in their order.
func (f *field) living() []*listElement {
	if f == nil {
		return nil
	}
	living := make([]*listElement, 0, len(f.list))
	for _, e := range f.list {
		if e.removed == nil {
			living = append(living, e)
		}
	}
	slices.SortFunc(living, func(a, b *listElement) int {
		if c := strings.Compare(a.position, b.position); c != 0 {
			return c
		}
		return strings.Compare(a.id, b.id)
	})
	return living
}

// element finds an element of a list, living or tombstone, and where it stands
// or would stand.
func (f *field) element(id string) (int, *listElement) {
	if f == nil {
		return 0, nil
	}
	i, ok := slices.BinarySearchFunc(f.list, id, func(e *listElement, id string) int { return strings.Compare(e.id, id) })
	if !ok {
		return i, nil
	}
	return i, f.list[i]
}

// member finds an element of a set and where it stands or would stand.
func (f *field) member(v protocol.Value) (int, *setElement) {
	if f == nil {
		return 0, nil
	}
	i, ok := slices.BinarySearchFunc(f.set, v, func(e setElement, v protocol.Value) int { return e.value.Compare(v) })
	if !ok {
		return i, nil
	}
	return i, &f.set[i]
}

// byOthers returns the seq of the last change of the record by another device.
func (r *Record) byOthers(device protocol.DeviceID) uint64 {
	switch {
	case r == nil:
		return 0
	case r.last.by.Device != device:
		return r.last.seq
	}
	return r.other
}

// byOthers returns the seq of the last change of the field by another device.
func (f *field) byOthers(device protocol.DeviceID) uint64 {
	switch {
	case f == nil:
		return 0
	case f.last.by.Device != device:
		return f.last.seq
	}
	return f.other
}

func (r *Record) search(name string) (int, bool) {
	return slices.BinarySearchFunc(r.fields, name, func(f *field, name string) int { return strings.Compare(f.name, name) })
}

// field returns a field, nil if the record never had it.
func (r *Record) field(name string) *field {
	if r == nil {
		return nil
	}
	if i, ok := r.search(name); ok {
		return r.fields[i]
	}
	return nil
}

// Key returns the record's key.
func (r *Record) Key() Key {
	if r == nil {
		return Key{}
	}
	return r.key
}

// Version returns the seq of the last commit that changed the record; 0 if
// there is no record.
func (r *Record) Version() uint64 {
	if r == nil {
		return 0
	}
	return r.last.seq
}

// Alive says whether the record exists and is not deleted.
func (r *Record) Alive() bool { return r != nil && r.deleted == nil }

// Value returns the content of a field: the array of the elements for a set or
// a list, absent if the field or the record has none or is deleted.
func (r *Record) Value(path string) protocol.Value {
	if !r.Alive() {
		return protocol.Value{}
	}
	return r.field(path).content()
}

// Size returns about how many bytes of memory the record takes.
func (r *Record) Size() int {
	if r == nil {
		return 0
	}
	size := 256 + len(r.key.Collection) + len(r.key.ID)
	for _, f := range r.fields {
		size += 192 + f.size + 40*len(f.set) + 120*len(f.list)
	}
	return size
}

// itemSize is about how many bytes the record takes in a store: what the limit
// on records counts.
func (r *Record) itemSize() int {
	if r == nil {
		return 0
	}
	size := 0
	for _, f := range r.fields {
		size += f.size
	}
	return size
}

// measure estimates what the field costs in an item.
func (f *field) measure() int {
	size := len(f.name) + 16 + f.value.Size()
	for i := range f.set {
		size += f.set[i].value.Size() + 8*len(f.set[i].dots)
	}
	for _, e := range f.list {
		size += len(e.id) + len(e.position) + e.value.Size() + 16
	}
	return size
}

// State returns what everybody who may see the record sees of it, and whether
// the record is alive. Of a tombstone, nobody sees anything.
func (r *Record) State() (protocol.RecordState, bool) {
	if !r.Alive() {
		return protocol.RecordState{}, false
	}
	state := protocol.RecordState{
		Collection: r.key.Collection,
		ID:         r.key.ID,
		Version:    r.last.seq,
		Fields:     make([]protocol.FieldState, 0, len(r.fields)),
	}
	for _, f := range r.fields {
		if f.visible() {
			state.Fields = append(state.Fields, f.state())
		}
	}
	return state, true
}

func (f *field) state() protocol.FieldState {
	state := protocol.FieldState{Field: f.name, Kind: f.kind}
	switch f.kind {
	case protocol.SetOf:
		state.Elements = make([]protocol.ElementState, len(f.set))
		for i := range f.set {
			state.Elements[i].Value = f.set[i].value
		}
	case protocol.ListOf:
		living := f.living()
		state.Elements = make([]protocol.ElementState, len(living))
		for i, e := range living {
			state.Elements[i] = protocol.ElementState{Element: e.id, Position: e.position, Value: e.value}
		}
	default:
		state.Value = f.value
	}
	return state
}

// RecordFromState returns the image that a client starts from when a snapshot
// gives it a record. It lacks authors and edit times: good for folding and for
// showing, not for merging.
func RecordFromState(state protocol.RecordState) *Record {
	at := stamp{seq: state.Version, by: nobody}
	r := &Record{
		key:    Key{state.Collection, state.ID},
		last:   at,
		born:   at,
		fields: make([]*field, 0, len(state.Fields)),
	}
	for i := range state.Fields {
		f := fieldFromState(&state.Fields[i], at)
		// A peer's page may not be in order, or name a field twice.
		at, found := r.search(f.name)
		if found {
			r.fields[at] = f
		} else {
			r.fields = slices.Insert(r.fields, at, f)
		}
	}
	return r
}

func fieldFromState(state *protocol.FieldState, at stamp) *field {
	f := &field{name: state.Field, kind: state.Kind, last: at}
	switch state.Kind {
	case protocol.SetOf:
		for i := range state.Elements {
			if at, e := f.member(state.Elements[i].Value); e == nil {
				f.set = slices.Insert(f.set, at, setElement{value: state.Elements[i].Value, dots: []dot{{f.last.seq, f.last.by}}})
			}
		}
	case protocol.ListOf:
		for i := range state.Elements {
			e := &state.Elements[i]
			if at, old := f.element(e.Element); old == nil {
				f.list = slices.Insert(f.list, at, &listElement{id: e.Element, position: e.Position, value: e.Value, valued: f.last, placed: f.last})
			}
		}
	default:
		f.kind = protocol.Plain
		f.value = state.Value
	}
	f.size = f.measure()
	return f
}

// TrimBelow forgets what only bases below the horizon could ask for: the record
// itself if it was deleted before (then it returns nil), the marks of removed
// fields, and the tombstones of list elements. What people see does not change.
// A tombstone stays while a person is asked whether it is to be one.
func (r *Record) TrimBelow(horizon uint64) *Record {
	if r == nil || r.deleted != nil && r.deleted.seq < horizon && !r.field(openField).visible() {
		return nil
	}
	var fields []*field // only if something changes
	for i, f := range r.fields {
		trimmed := f.trimBelow(horizon)
		if trimmed == f && fields == nil {
			continue
		}
		if fields == nil {
			fields = slices.Clone(r.fields[:i])
		}
		if trimmed != nil {
			fields = append(fields, trimmed)
		}
	}
	if fields == nil {
		return r
	}
	trimmed := *r
	trimmed.fields = fields
	return &trimmed
}

func (f *field) trimBelow(horizon uint64) *field {
	if f.last.seq < horizon && !f.visible() {
		return nil
	}
	old := func(e *listElement) bool { return e.removed != nil && e.removed.seq < horizon }
	if !slices.ContainsFunc(f.list, old) {
		return f
	}
	trimmed := *f
	trimmed.list = slices.DeleteFunc(slices.Clone(f.list), old)
	trimmed.size = trimmed.measure()
	return &trimmed
}

// arrayOf makes an array value. It cannot fail for elements of a field: their
// nesting was checked when they came in.
func arrayOf(values []protocol.Value) protocol.Value {
	array, err := protocol.ArrayValue(values...)
	if err != nil {
		return protocol.Null
	}
	return array
}

// elementID is the id of the n-th element of a list that was given as an array.
func elementID(n int) string { return strconv.Itoa(n) }
