package oracle

import (
	"encoding/hex"
	"fmt"

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
			return fmt.Errorf("nobody is told of the conflict %v", d)
		}
		if !kept && !d.value.IsAbsent() {
			return fmt.Errorf("the conflict %v does not keep the value %s", d, d.value)
		}
	}
	for j := range logged {
		l, found := &logged[j], false
		for i := range derived {
			found = found || same(&derived[i], l)
		}
		if !found {
			return fmt.Errorf("a conflict is told that there was none of: %s/%s.%s %s (%s, open %t, lost device %s)",
				l.Collection, l.ID, l.Field, l.Element, l.Policy, l.Open, l.Lost.Author.Device)
		}
	}
	return nil
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
	fieldKeptBy     = "keptBy"
	fieldLostBy     = "lostBy"
	fieldKeptTime   = "keptTime"
	fieldLostTime   = "lostTime"
	fieldOthers     = "others"
)

// asked says whether the field's x-merge-ask lifts a collision to a question.
func (t *turn) asked(r *record, f protocol.FieldValue, wins bool) bool {
	old, last := r.value(f.Field), r.last(f.Field)
	if old == f.Value || wins && !last.at.unseenBy(t.at) {
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

// askFields opens a conflict for each field of a set op.
func (t *turn) askFields(r *record, op *protocol.Op, rival *event) {
	for _, f := range op.Fields {
		t.ask(r.key, f.Field, t.o.rules.policy(r.key.collection, f.Field), rival.at, t.at, f.Was, r.value(f.Field), f.Value)
	}
}

// ask opens a conflict about a field, or adds the lost value to the open one.
func (t *turn) ask(k key, field string, policy protocol.Policy, keptAt, lostAt stamp, base, kept, lost protocol.Value) {
	t.collide(collision{key: k, field: field, policy: policy, open: true, kept: keptAt, lost: lostAt, value: lost})
	r := t.record(key{protocol.ConflictCollection, t.o.rules.conflictID(k, field)})
	by := func(s stamp) protocol.Value {
		return valueOf(map[string]any{
			"device": hex.EncodeToString(s.author.Device[:]),
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
		write(fieldOthers, valueOf(append(others, map[string]any{
			"value":  lost.Any(),
			"device": hex.EncodeToString(lostAt.author.Device[:]),
			"user":   lostAt.author.User,
			"time":   int64(lostAt.time),
		})))
		return
	}
	t.markOpen(k, field, setAdd)
	t.append(r, makeEvent(created))
	write(fieldCollection, protocol.StringValue(k.collection))
	write(fieldID, protocol.StringValue(k.id))
	write(fieldField, protocol.StringValue(field))
	write(fieldPolicy, protocol.StringValue(string(policy)))
	write(fieldBase, base)
	write(fieldKept, kept)
	write(fieldLost, lost)
	write(fieldKeptBy, by(keptAt))
	write(fieldLostBy, by(lostAt))
	write(fieldKeptTime, protocol.IntValue(int64(keptAt.time)))
	write(fieldLostTime, protocol.IntValue(int64(lostAt.time)))
}

// resolve closes an open conflict and gives its field the value decided on.
func (t *turn) resolve(op *protocol.Op) result {
	r := t.record(key{protocol.ConflictCollection, op.ID})
	if l, _ := r.life(); l != alive {
		return rejected(protocol.RejectMissing)
	}
	for _, e := range r.generation() {
		if e.at.unseenBy(t.at) {
			return rejected(protocol.RejectStale)
		}
	}
	text := func(f string) string { s, _ := r.value(f).Text(); return s }
	target := t.record(key{text(fieldCollection), text(fieldID)})
	field := text(fieldField)
	t.append(r, makeEvent(deleted))
	t.markOpen(target.key, field, setRemove)
	if l, _ := target.life(); l != alive || field == "" {
		return result{}
	}
	if op.Value.IsAbsent() {
		t.append(target, event{kind: unset, field: field})
	} else {
		t.append(target, event{kind: put, field: field, value: op.Value})
	}
	return result{}
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
