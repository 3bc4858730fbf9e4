package oracle

import (
	"slices"
	"strings"

	"github.com/tidegate/tidegate/protocol"
)

// eventKind says what an event did.
type eventKind int

const (
	created eventKind = iota
	deleted
	undeleted
	put     // a field has a value
	unset   // a field is gone
	added   // a number was added to a field
	raised  // a field is at least a number
	lowered // a field is at most a number
	setAdd
	setRemove
	listInsert
	listMove
	listSet
	listRemove
)

// event is one effect that an op had: the oracle's whole memory is a list of
// them a record, in the order of the log, of which nothing is ever dropped.
type event struct {
	kind eventKind
	// at says which mutation it was.
	at stamp
	// field is empty for created, deleted and undeleted.
	field    string
	value    protocol.Value
	element  string
	position string
}

// stamp is who made a mutation, when, and what they had seen.
type stamp struct {
	seq    uint64
	author protocol.Author
	base   uint64
	time   protocol.Time
}

// same says whether two events are told apart: what a device did in one commit at
// one time, it did at once, whatever it had seen.
func (s stamp) same(other stamp) bool {
	return s.seq == other.seq && s.author == other.author && s.time == other.time
}

// unseenBy says whether the author of later could not have known of an event at
// s when making it: the one meaning of "concurrent".
func (s stamp) unseenBy(later stamp) bool {
	return s.seq > later.base && s.author.Device != later.author.Device
}

// beats says whether a concurrent edit at s wins over one at other.
func (s stamp) beats(other stamp) bool {
	if s.time != other.time {
		return s.time > other.time
	}
	return string(s.author.Device[:]) > string(other.author.Device[:])
}

// key names a record.
type key struct {
	collection, id string
}

// record is the history of one record.
type record struct {
	key    key
	events []event
}

// life is whether a record exists.
type life int

const (
	absent life = iota
	alive
	dead
)

// life scans for the last event that made or ended the record, and returns it.
func (r *record) life() (life, *event) {
	for i := len(r.events) - 1; i >= 0; i-- {
		switch r.events[i].kind {
		case created, undeleted:
			return alive, &r.events[i]
		case deleted:
			return dead, &r.events[i]
		}
	}
	return absent, nil
}

// generation is the part of the history since the record was last created. Only
// conflict records are ever created twice.
func (r *record) generation() []event {
	for i := len(r.events) - 1; i >= 0; i-- {
		if r.events[i].kind == created {
			return r.events[i:]
		}
	}
	return r.events
}

// last returns the last event of a field, nil if there is none.
func (r *record) last(field string) *event {
	events := r.generation()
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].field == field && field != "" {
			return &events[i]
		}
	}
	return nil
}

// fields lists all fields that ever had an event, in byte order.
func (r *record) fields() []string {
	var names []string
	for _, e := range r.generation() {
		if e.field != "" && !slices.Contains(names, e.field) {
			names = append(names, e.field)
		}
	}
	slices.Sort(names)
	return names
}

// value replays a field that is one value from its first event.
func (r *record) value(field string) protocol.Value {
	var v protocol.Value
	for _, e := range r.generation() {
		if e.field != field {
			continue
		}
		switch e.kind {
		case put:
			v = e.value
		case unset:
			v = protocol.Value{}
		case added:
			v = number(float(v) + float(e.value))
		case raised:
			if v.IsAbsent() || float(e.value) > float(v) {
				v = e.value
			}
		case lowered:
			if v.IsAbsent() || float(e.value) < float(v) {
				v = e.value
			}
		}
	}
	return v
}

// adds returns the adds of an element of a set that stand: those that no later
// remove has taken away, and no later add replaced. Both go as far as their author
// had seen; what that author's own device added, it had.
func (r *record) adds(field string, element protocol.Value) []*event {
	var standing []*event
	events := r.generation()
	for i := range events {
		e := &events[i]
		if e.field != field || e.value != element || e.kind != setAdd && e.kind != setRemove {
			continue
		}
		standing = slices.DeleteFunc(standing, func(a *event) bool {
			// What is noted of open conflicts is the server's, and seen by all.
			return field == protocol.ConflictCollection || !a.at.unseenBy(e.at)
		})
		if e.kind == setAdd {
			standing = append(standing, e)
		}
	}
	return standing
}

// elements lists a set's elements in byte order of their encoding.
func (r *record) elements(field string) []protocol.Value {
	var all []protocol.Value
	for _, e := range r.generation() {
		if e.field == field && e.kind == setAdd && !slices.Contains(all, e.value) && len(r.adds(field, e.value)) > 0 {
			all = append(all, e.value)
		}
	}
	slices.SortFunc(all, func(a, b protocol.Value) int {
		return strings.Compare(string(a.Encoded()), string(b.Encoded()))
	})
	return all
}

// item is a list's element, replayed.
type item struct {
	protocol.ElementState
	// moved, valued and removed are the last events that gave the element its
	// place, its value and its end.
	moved, valued, removed *event
}

// everInserted replays all elements that a list ever had, in the order in which
// they were inserted.
func (r *record) everInserted(field string) []*item {
	var all []*item
	byID := map[string]*item{}
	events := r.generation()
	for i := range events {
		e := &events[i]
		if e.field != field {
			continue
		}
		it := byID[e.element]
		switch e.kind {
		case listInsert:
			it = &item{protocol.ElementState{Element: e.element, Position: e.position, Value: e.value}, e, e, nil}
			byID[e.element] = it
			all = append(all, it)
		case listMove:
			it.Position, it.moved = e.position, e
		case listSet:
			it.Value, it.valued = e.value, e
		case listRemove:
			it.removed = e
		}
	}
	return all
}

// item replays one element of a list; nil if it was never inserted.
func (r *record) item(field, element string) *item {
	for _, it := range r.everInserted(field) {
		if it.Element == element {
			return it
		}
	}
	return nil
}

// items lists a list's living elements by (position, element).
func (r *record) items(field string) []*item {
	var all []*item
	for _, it := range r.everInserted(field) {
		if it.removed == nil {
			all = append(all, it)
		}
	}
	slices.SortFunc(all, func(a, b *item) int {
		if c := strings.Compare(a.Position, b.Position); c != 0 {
			return c
		}
		return strings.Compare(a.Element, b.Element)
	})
	return all
}

// kindOf tells how a field is laid out by what was done to it.
func (r *record) kindOf(field string) protocol.FieldKind {
	switch e := r.last(field); {
	case e == nil:
		return protocol.Plain
	case e.kind == setAdd || e.kind == setRemove:
		return protocol.SetOf
	case e.kind == listInsert || e.kind == listMove || e.kind == listSet || e.kind == listRemove:
		return protocol.ListOf
	}
	return protocol.Plain
}

// state replays the whole record.
func (r *record) state() protocol.RecordState {
	s := protocol.RecordState{Collection: r.key.collection, ID: r.key.id, Version: r.events[len(r.events)-1].at.seq}
	for _, name := range r.fields() {
		f := protocol.FieldState{Field: name, Kind: r.kindOf(name)}
		switch f.Kind {
		case protocol.Plain:
			if f.Value = r.value(name); f.Value.IsAbsent() {
				continue
			}
		case protocol.SetOf:
			for _, v := range r.elements(name) {
				f.Elements = append(f.Elements, protocol.ElementState{Value: v})
			}
		case protocol.ListOf:
			for _, it := range r.items(name) {
				f.Elements = append(f.Elements, it.ElementState)
			}
		}
		if f.Kind != protocol.Plain && len(f.Elements) == 0 {
			continue
		}
		s.Fields = append(s.Fields, f)
	}
	return s
}

// content is a field's content as one value: the elements of a set or a list are
// an array. It is absent if there is none.
func (r *record) content(field string) protocol.Value {
	var list []any
	switch r.kindOf(field) {
	case protocol.SetOf:
		for _, v := range r.elements(field) {
			list = append(list, v.Any())
		}
	case protocol.ListOf:
		for _, it := range r.items(field) {
			list = append(list, it.Value.Any())
		}
	default:
		return r.value(field)
	}
	if len(list) == 0 {
		return protocol.Value{}
	}
	return valueOf(list)
}

// float is the number in v, 0 if there is none.
func float(v protocol.Value) float64 {
	f, _ := v.Float()
	return f
}

// number is f as a value; absent if f is outside the domain.
func number(f float64) protocol.Value {
	v, err := protocol.ValueOf(f)
	if err != nil {
		return protocol.Value{}
	}
	return v
}
