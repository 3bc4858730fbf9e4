package oracle

import (
	"fmt"
	"strings"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// collision is a conflict as the oracle derives it.
type collision struct {
	key     key
	field   string
	element string
	policy  protocol.Policy
	open    bool
	kept    stamp
	lost    stamp
	// value is what was overwritten, or waits.
	value protocol.Value
}

func (t *turn) collide(c collision) { t.collisions = append(t.collisions, c) }

func (c collision) String() string {
	s := fmt.Sprintf("%s/%s.%s", c.key.collection, c.key.id, c.field)
	if c.element != "" {
		s += "[" + c.element + "]"
	}
	return fmt.Sprintf("%s (%s, open %t, kept device %s, lost device %s)", s, c.policy, c.open, c.kept.author.Device, c.lost.author.Device)
}

// compareConflicts checks that whoever lost something is told, and nobody else.
// Several losses of one device in one field and commit may be told as one.
func compareConflicts(derived []collision, logged []protocol.Conflict) error {
	same := func(d *collision, l *protocol.Conflict) bool {
		return d.key.collection == l.Collection && d.key.id == l.ID && d.field == l.Field && d.element == l.Element &&
			d.open == l.Open && d.lost.author.Device == l.Lost.Author.Device
	}
	for i := range derived {
		d, found, kept := &derived[i], false, false
		for j := range logged {
			l := &logged[j]
			if !same(d, l) {
				continue
			}
			found = true
			kept = kept || l.Lost.Value == d.value || l.Lost.Blob != protocol.BlobID{}
		}
		if !found {
			return fmt.Errorf("nobody is told of the conflict %v; told are %s", d, describeConflicts(logged))
		}
		if !kept && !d.value.IsAbsent() {
			return fmt.Errorf("the conflict %v does not keep the value %s; told are %s", d, d.value, describeConflicts(logged))
		}
	}
	for j := range logged {
		l, found := &logged[j], false
		for i := range derived {
			found = found || same(&derived[i], l)
		}
		if !found {
			return fmt.Errorf("a conflict is told that there was none of: %s", describeConflicts(logged[j:j+1]))
		}
	}
	return nil
}

func describeConflicts(list []protocol.Conflict) string {
	if len(list) == 0 {
		return "none"
	}
	var all []string
	for i := range list {
		c := &list[i]
		all = append(all, fmt.Sprintf("%s/%s.%s[%s] (%s, open %t, kept device %s %s, lost device %s %s)", c.Collection, c.ID, c.Field, c.Element,
			c.Policy, c.Open, c.Kept.Author.Device, c.Kept.Value, c.Lost.Author.Device, c.Lost.Value))
	}
	return strings.Join(all, "; ")
}

// Fields of a conflict record.
const (
	fieldCollection = "collection"
	fieldID         = "id"
	fieldField      = "field"
	fieldPolicy     = "policy"
	fieldBase       = "base"
	fieldKept       = "kept"
	fieldLost       = "lost"
	fieldKeptBlob   = "keptBlob"
	fieldLostBlob   = "lostBlob"
	fieldKeptBy     = "keptBy"
	fieldLostBy     = "lostBy"
	fieldKeptTime   = "keptTime"
	fieldLostTime   = "lostTime"
	fieldOthers     = "others"
)

// lifts says whether the field's x-merge-ask makes a question of a collision.
func (t *turn) lifts(r *record, f protocol.FieldValue, wins bool) bool {
	old, last := r.value(f.Field), r.last(f.Field)
	if old == f.Value || wins && (last == nil || !last.at.unseenBy(t.at)) {
		return false
	}
	q := merge.Question{Field: f.Field, Base: f.Was, Kept: old, Lost: f.Value, LostTime: t.at.time, Collided: t.collided[r.key]}
	if last != nil {
		q.KeptTime = last.at.time
	}
	if wins {
		q.Kept, q.Lost, q.KeptTime, q.LostTime = q.Lost, q.Kept, q.LostTime, q.KeptTime
	}
	return t.o.rules.schema.Asks(r.key.collection, q)
}

// askFields opens a conflict for each field of a set op that would change.
func (t *turn) askFields(r *record, op *protocol.Op) {
	for _, f := range op.Fields {
		standing := r.value(f.Field)
		if standing == f.Value {
			continue
		}
		// A member of a group may never have had a value; then it is the record that
		// stands.
		kept := r.events[len(r.events)-1].at
		if e := r.last(f.Field); e != nil {
			kept = e.at
		}
		t.ask(r.key, f.Field, kept, t.at, f.Was, standing, f.Value)
	}
}

// ask opens a conflict about a field, or adds the lost value to the open one.
func (t *turn) ask(k key, field string, keptAt, lostAt stamp, base, kept, lost protocol.Value) {
	t.collide(collision{key: k, field: field, policy: protocol.PolicyAsk, open: true, kept: keptAt, lost: lostAt, value: lost})
	r := t.record(key{protocol.ConflictCollection, t.o.rules.conflictID(k, field)})
	by := func(s stamp) protocol.Value {
		return valueOf(map[string]any{
			"device": s.author.Device.String(),
			"user":   s.author.User,
		})
	}
	write := func(f string, v protocol.Value) {
		if !v.IsAbsent() {
			t.append(r, event{kind: put, field: f, value: v})
		}
	}
	if l, _ := r.life(); l == alive {
		others, _ := r.value(fieldOthers).Any().([]any)
		other := map[string]any{
			"device": lostAt.author.Device.String(),
			"user":   lostAt.author.User,
			"time":   int64(lostAt.time),
		}
		if inline, blob := apart(lost); !blob.IsAbsent() {
			other["blob"] = blob.Any()
		} else if !inline.IsAbsent() {
			other["value"] = inline.Any()
		}
		write(fieldOthers, newest(append(others, other)))
		return
	}
	t.markOpen(k, field, setAdd)
	t.append(r, makeEvent(created))
	write(fieldCollection, protocol.StringValue(k.collection))
	write(fieldID, protocol.StringValue(k.id))
	write(fieldField, protocol.StringValue(field))
	write(fieldPolicy, protocol.StringValue(string(protocol.PolicyAsk)))
	write(fieldBase, base)
	inline, blob := apart(kept)
	write(fieldKept, inline)
	write(fieldKeptBlob, blob)
	inline, blob = apart(lost)
	write(fieldLost, inline)
	write(fieldLostBlob, blob)
	write(fieldKeptBy, by(keptAt))
	write(fieldLostBy, by(lostAt))
	write(fieldKeptTime, protocol.IntValue(int64(keptAt.time)))
	write(fieldLostTime, protocol.IntValue(int64(lostAt.time)))
}

// apart returns the value, or, if it is too long to stand in a conflict, the name
// of the item that holds it.
func apart(v protocol.Value) (inline, blob protocol.Value) {
	if v.Size() <= protocol.MaxInlineConflict {
		return v, protocol.Value{}
	}
	return protocol.Value{}, protocol.StringValue(protocol.BlobOf(v).String())
}

// newest keeps what a conflict has room for of its further lost values: the last
// 64 of them, in 64 KiB at most.
func newest(others []any) protocol.Value {
	for {
		size := 0
		for _, other := range others {
			size += valueOf(other).Size()
		}
		if len(others) <= 64 && size <= 64<<10 {
			return valueOf(others)
		}
		others = others[1:]
	}
}

// resolve closes an open conflict and gives its field the value decided on.
func (t *turn) resolve(op *protocol.Op) result {
	r := t.record(key{protocol.ConflictCollection, op.ID})
	if l, _ := r.life(); l != alive {
		return rejected(protocol.RejectMissing)
	}
	for _, e := range r.events {
		if e.at.unseenBy(t.at) {
			return rejected(protocol.RejectStale)
		}
	}
	text := func(f string) string { s, _ := r.value(f).Text(); return s }
	target := t.record(key{text(fieldCollection), text(fieldID)})
	field := text(fieldField)
	if kind := op.Value.Kind(); field == "" && kind != protocol.KindAbsent && kind != protocol.KindMap {
		return rejected(protocol.RejectPolicy)
	}
	op = &protocol.Op{Kind: protocol.OpSet, Collection: target.key.collection, ID: target.key.id,
		Fields: []protocol.FieldValue{{Field: field, Value: op.Value}}, Value: op.Value}
	if field == "" {
		op.Kind, op.Fields = protocol.OpCreate, nil
		fields, _ := op.Value.Any().(map[string]any)
		for name, x := range fields {
			op.Fields = append(op.Fields, protocol.FieldValue{Field: name, Value: valueOf(x)})
		}
	}
	fit := t.o.rules.schema.Fit(op)
	if fit.Whole {
		return rejected(fit.Code)
	}
	t.append(r, makeEvent(deleted))
	t.markOpen(target.key, field, setRemove)
	switch l, _ := target.life(); {
	case field == "":
		return t.resolveDeletion(target, op.Value, fit.Fields)
	case l != alive:
		return result{}
	}
	return t.grant(target, protocol.FieldValue{Field: field, Value: op.Value})
}

// grant gives a field the value that a person decided on, over whatever it has.
func (t *turn) grant(r *record, f protocol.FieldValue) result {
	res := result{}
	if last, old := r.last(f.Field), r.value(f.Field); last != nil && last.at.unseenBy(t.at) && old != f.Value {
		t.collide(collision{key: r.key, field: f.Field, policy: t.o.rules.policy(r.key.collection, f.Field), kept: t.at, lost: last.at, value: old})
		res.outcome = protocol.Merged
	}
	if f.Value.IsAbsent() {
		t.append(r, event{kind: unset, field: f.Field})
	} else {
		t.append(r, event{kind: put, field: f.Field, value: f.Value})
	}
	return res
}

// resolveDeletion settles whether a record is deleted: with no value it is, with a
// map of fields it is there and has them.
func (t *turn) resolveDeletion(r *record, v protocol.Value, fields []protocol.FieldValue) result {
	l, _ := r.life()
	if v.IsAbsent() {
		if l != alive {
			return result{}
		}
		unseen := t.unseen(r)
		t.end(r, unseen, protocol.PolicyAsk)
		return t.met(len(unseen) > 0)
	}
	if l == dead {
		t.append(r, makeEvent(undeleted))
	}
	for _, f := range fields {
		t.fulfil(r, f)
	}
	return result{}
}

// fulfil carries out a wish for a field of a record that is there after all.
func (t *turn) fulfil(r *record, f protocol.FieldValue) {
	elements, _ := f.Value.Any().([]any)
	switch old := r.value(f.Field); t.o.rules.policy(r.key.collection, f.Field) {
	case protocol.PolicyCounter:
		if float(f.Value) != 0 || old.IsAbsent() {
			t.append(r, event{kind: added, field: f.Field, value: f.Value})
		}
	case protocol.PolicyMax:
		if old.IsAbsent() || float(f.Value) > float(old) {
			t.append(r, event{kind: raised, field: f.Field, value: f.Value})
		}
	case protocol.PolicyMin:
		if old.IsAbsent() || float(f.Value) < float(old) {
			t.append(r, event{kind: lowered, field: f.Field, value: f.Value})
		}
	case protocol.PolicySet:
		for _, e := range elements {
			t.append(r, event{kind: setAdd, field: f.Field, value: valueOf(e)})
		}
	case protocol.PolicyList:
		position := ""
		if items := r.items(f.Field); len(items) > 0 {
			position = items[len(items)-1].Position
		}
		for i, e := range elements {
			position = merge.Between(position, "")
			id := fmt.Sprintf("%d-%d-%s", i, t.logged.Counter, t.at.author.Device)
			t.append(r, event{kind: listInsert, field: f.Field, element: id, position: position, value: valueOf(e)})
		}
	default:
		t.grant(r, f)
	}
}

// markOpen notes in a record that one of its fields has an open conflict, or has
// none any more: the system field of the collection's name holds those fields, as
// a set that everybody sees.
func (t *turn) markOpen(k key, field string, kind eventKind) {
	r := t.record(k)
	t.append(r, event{kind: kind, field: protocol.ConflictCollection, value: protocol.StringValue(field)})
}

// forgetOpen deletes the open conflicts of a record that is deleted.
func (t *turn) forgetOpen(r *record) {
	for k := range t.o.records {
		if k.collection != protocol.ConflictCollection {
			continue
		}
		c := t.record(k)
		if l, _ := c.life(); l != alive {
			continue
		}
		of, _ := c.value(fieldCollection).Text()
		id, _ := c.value(fieldID).Text()
		if of == r.key.collection && id == r.key.id {
			t.append(c, makeEvent(deleted))
			field, _ := c.value(fieldField).Text()
			t.markOpen(r.key, field, setRemove)
		}
	}
}

func valueOf(x any) protocol.Value {
	v, err := protocol.ValueOf(x)
	if err != nil {
		return protocol.Value{}
	}
	return v
}
