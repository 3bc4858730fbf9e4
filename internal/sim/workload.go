package sim

import (
	"fmt"
	"slices"
	"sync"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// edit is one mutation that a device made, and what it was told about it.
type edit struct {
	device *device
	space  string
	// mark is the id of a record that the mutation creates in the collection
	// "marks", and nothing else ever does: it finds the mutation in the log,
	// whatever device id and counter it ended up with.
	mark     string
	mutation *protocol.Mutation
	local    bool
	settled  bool
	verdict  protocol.Verdict
	// excused says why the promise to the author does not hold for this one (the
	// disk it was on was set back, the table was).
	excused string
}

// schema is the one that every run uses: each policy is in it, and each way to
// treat a delete.
var schema = sync.OnceValue(func() *merge.Schema {
	item := func(delete string) []byte {
		return fmt.Appendf(nil, `{
			"type": "object",
			"x-merge-delete": %q,
			"properties": {
				"title":  {"type": "string"},
				"origin": {"type": "string", "x-merge": "first"},
				"lock":   {"type": "string", "x-merge": "strict"},
				"owner":  {"type": "string", "x-merge": "ask"},
				"votes":  {"type": "number", "x-merge": "counter"},
				"high":   {"type": "number", "x-merge": "max"},
				"low":    {"type": "number", "x-merge": "min"},
				"tags":   {"type": "array", "items": {"type": "string"}, "x-merge": "set"},
				"steps":  {"type": "array", "items": {"type": "string"}, "x-merge": "list"},
				"start":  {"type": "integer", "x-merge-group": "time"},
				"end":    {"type": "integer", "x-merge-group": "time"},
				"place":  {"type": "object", "properties": {"city": {"type": "string"}, "zip": {"type": "string"}}}
			},
			"x-check": [{"rule": "!has(record.start) || !has(record.end) || record.start <= record.end",
				"message": "must not end before it starts", "field": "end"}]
		}`, delete)
	}
	s, err := merge.ParseSchema(map[string][]byte{
		"schema.json": []byte(`{"version": 3}`),
		"items.json":  item("delete-wins"),
		"tasks.json":  item("update-wins"),
		"polls.json":  item("ask"),
		"marks.json":  []byte(`{"type": "object"}`),
	})
	if err != nil {
		panic(err) // it is a constant
	}
	return s
})

var collections = []string{"items", "tasks", "polls"}

// plotEdits schedules what the devices' users do.
func (w *world) plotEdits() {
	for _, d := range w.devices {
		w.plotEditsOf(d)
	}
	for range w.plan.Bursts {
		w.after(w.between(0, w.plan.Active), w.burst)
	}
}

// burst lets all devices edit at once.
func (w *world) burst() {
	edits, lasts := 4+w.below(6), w.between(50, 600)
	if !w.plan.Hot {
		for _, d := range w.devices {
			w.plotBurstOf(d, edits, 0, lasts)
		}
		return
	}
	edits, lasts = 15+w.below(15), w.between(500, 2000)
	var twins []*device
	if w.plan.Device.Clones > 0 {
		// Copies of devices that begin to edit when the gateways race already.
		for range 2 {
			d := w.devices[w.below(len(w.devices))]
			twins = append(twins, d, w.clone(d))
		}
	}
	for _, d := range w.devices {
		if slices.Contains(twins, d) {
			w.plotBurstOf(d, edits, second+lasts/2, second+lasts)
		} else {
			w.plotBurstOf(d, edits, second, second+lasts)
		}
	}
}

func (w *world) plotBurstOf(d *device, edits int, from, to protocol.Time) {
	for range edits {
		w.after(w.between(from, to), func() {
			if d.up {
				d.edit()
			}
		})
	}
}

func (w *world) plotEditsOf(d *device) {
	for range w.plan.Edits {
		w.after(w.between(0, w.plan.Active), func() {
			if d.up {
				d.edit()
			}
		})
	}
}

// edit makes a random mutation.
func (d *device) edit() {
	w := d.w
	w.marks++
	e := &edit{device: d, space: w.spaceNames[w.below(len(w.spaceNames))], mark: fmt.Sprintf("mark-%d", w.marks)}

	if rejected := d.core.Rejected(e.space); len(rejected) > 0 && w.chance(0.3) {
		// What was rejected waits for the user, who sometimes does something about it.
		r := rejected[w.below(len(rejected))]
		d.tape.Input("discard", "space", e.space, "entry", r.Entry)
		_ = d.core.Discard(e.space, r.Entry)
		w.check.discarded(e.space, r.Mutation)
		d.pump()
		return
	}

	m := &protocol.Mutation{
		Base:          d.core.Base(e.space),
		EditTime:      d.now(),
		SchemaVersion: 3,
		Whole:         w.chance(0.1),
		Ops:           []protocol.Op{{Kind: protocol.OpCreate, Collection: "marks", ID: e.mark}},
	}
	for range 1 + w.below(3) {
		m.Ops = append(m.Ops, d.op(e.space))
	}
	if w.chance(0.1) {
		last := m.Ops[len(m.Ops)-1]
		m.Preconditions = []protocol.Precondition{{Collection: last.Collection, ID: last.ID, Version: m.Base}}
	}
	e.mutation = m
	body := protocol.AppendMutation(nil, m)
	ref, err := d.core.Mutate(d.now(), e.space, m)
	d.tape.Input("mutate", "now", d.now(), "space", e.space, "body", body, "ref", ref)
	if err != nil {
		w.transcript.say(d.name, "cannot mutate: %v", err)
		return
	}
	d.refs[ref] = e
	w.edits = append(w.edits, e)
	w.transcript.say(d.name, "edits %s at %d: %s", e.space, m.Base, ops(m)+" "+e.mark)
	d.pump()
}

// op draws one op, mostly one that fits what the device sees.
func (d *device) op(space string) protocol.Op {
	w := d.w
	op := protocol.Op{Collection: collections[w.below(len(collections))], ID: fmt.Sprintf("r%d", w.below(w.plan.Records))}
	if w.chance(0.08) {
		if open := d.openConflict(space); open != "" {
			return protocol.Op{Kind: protocol.OpResolve, Collection: protocol.ConflictCollection, ID: open, Value: d.word()}
		}
	}
	seen := d.core.Get(space, merge.Key{Collection: op.Collection, ID: op.ID})
	if seen == nil || w.chance(0.03) {
		if seen == nil && w.chance(0.2) {
			op.Kind = protocol.OpUndelete
			return op
		}
		op.Kind = protocol.OpCreate
		op.Fields = []protocol.FieldValue{{Field: "title", Value: d.word()}}
		if w.chance(0.5) {
			op.Fields = append(op.Fields, protocol.FieldValue{Field: "tags", Value: protocol.MustValue([]any{"a", "b"})})
		}
		if w.chance(0.5) {
			op.Fields = append(op.Fields, protocol.FieldValue{Field: "steps", Value: protocol.MustValue([]any{"one", "two"})})
		}
		return op
	}
	number := func() protocol.Value { return protocol.IntValue(int64(w.below(20) - 5)) }
	set := func(field string) {
		op.Kind = protocol.OpSet
		op.Fields = []protocol.FieldValue{{Field: field, Value: d.word(), Was: seen.Value(field)}}
	}
	switch w.below(18) {
	case 0:
		op.Kind = protocol.OpDelete
	case 1, 2:
		op.Kind, op.Field, op.Value = protocol.OpAdd, "votes", number()
	case 3:
		op.Kind, op.Field, op.Value = protocol.OpMax, "high", number()
	case 4:
		op.Kind, op.Field, op.Value = protocol.OpMin, "low", number()
	case 5, 6:
		op.Kind, op.Field, op.Value = protocol.OpSetAdd, "tags", d.letter()
	case 7:
		op.Kind, op.Field, op.Value = protocol.OpSetRemove, "tags", d.letter()
	case 8, 9, 10:
		d.listOp(&op, seen)
	case 11:
		start := int64(w.below(100))
		op.Kind = protocol.OpSet
		op.Fields = []protocol.FieldValue{
			{Field: "end", Value: protocol.IntValue(start + int64(w.below(20)) - 2)},
			{Field: "start", Value: protocol.IntValue(start)},
		}
	case 12:
		op.Kind, op.Field, op.Was = protocol.OpUnset, "title", seen.Value("title")
	case 13:
		set("owner")
	case 14:
		set([]string{"origin", "lock"}[w.below(2)])
	case 15:
		set("place.city")
	default:
		set("title")
	}
	return op
}

// listOp makes op one on the list of steps.
func (d *device) listOp(op *protocol.Op, seen *client.Record) {
	w := d.w
	op.Field = "steps"
	elements := seen.Elements("steps")
	position := func() string {
		i := w.below(len(elements) + 1)
		var before, after string
		if i > 0 {
			before = elements[i-1].Position
		}
		if i < len(elements) {
			after = elements[i].Position
		}
		return merge.Between(before, after)
	}
	if len(elements) == 0 || w.chance(0.4) {
		op.Kind, op.Element, op.Position, op.Value = protocol.OpListInsert, fmt.Sprintf("e%d", w.random.Uint32()), position(), d.word()
		return
	}
	e := elements[w.below(len(elements))]
	op.Element = e.Element
	switch w.below(3) {
	case 0:
		op.Kind, op.Position = protocol.OpListMove, position()
	case 1:
		op.Kind, op.Value, op.Was = protocol.OpListSet, d.word(), e.Value
	case 2:
		op.Kind = protocol.OpListRemove
	}
}

// openConflict returns the id of an open conflict that the device sees.
func (d *device) openConflict(space string) string {
	open := d.core.All(space, protocol.ConflictCollection)
	if len(open) == 0 {
		return ""
	}
	return open[d.w.below(len(open))].ID
}

// word is a value that nobody else wrote; seldom a long one.
func (d *device) word() protocol.Value {
	d.w.marks++
	text := fmt.Sprintf("w%d", d.w.marks)
	if d.w.chance(0.02) {
		for len(text) < protocol.MaxInlineConflict+10 {
			text += text
		}
	}
	return protocol.StringValue(text)
}

func (d *device) letter() protocol.Value {
	return protocol.StringValue(string(rune('a' + d.w.below(5))))
}

// ops says what a mutation does, shortly.
func ops(m *protocol.Mutation) string {
	text := ""
	for _, op := range m.Ops {
		if op.Collection == "marks" {
			continue
		}
		field := op.Field
		if len(op.Fields) > 0 {
			field = op.Fields[0].Field
		}
		text += fmt.Sprintf("[%d %s/%s %s] ", op.Kind, op.Collection, op.ID, field)
	}
	return text
}
