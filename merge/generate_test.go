package merge

import (
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/tidegate/tidegate/protocol"
)

// Everything is a schema with every policy, a group, nested objects, checks,
// and a collection for each delete policy.
var Everything = sync.OnceValue(func() *Schema {
	s, err := LoadSchema("testdata/everything")
	if err != nil {
		panic(err)
	}
	return s
})

// generator draws writes that collide: few records, few values, few devices,
// bases that lag behind. The same seed with fewer commits gives the beginning of
// the same history, so that shrinking the number of commits is shrinking.
type generator struct {
	r       *rand.Rand
	w       *world
	devices []byte
	// base is what a device may not go behind: its last base.
	base map[byte]uint64
}

func newGenerator(seed uint64, w *world) *generator {
	return &generator{r: rand.New(rand.NewPCG(seed, 0)), w: w, devices: []byte("abcd"), base: map[byte]uint64{}}
}

func pick[T any](g *generator, from ...T) T { return from[g.r.IntN(len(from))] }

// between draws a number from low to high, both included.
func between[T ~int | ~int64 | ~uint64](g *generator, low, high T) T {
	return low + T(g.r.Int64N(int64(high-low)+1))
}

// chance is true in percent of a hundred cases.
func (g *generator) chance(percent int) bool { return g.r.IntN(100) < percent }

// writes draws the mutations of one commit.
func (g *generator) writes() []write {
	g.w.now += protocol.Time(between(g, 0, 3))
	writes := make([]write, between(g, 1, 3))
	for i := range writes {
		by := pick(g, g.devices...)
		base := between(g, g.base[by], g.w.head())
		g.base[by] = base
		at := protocol.Time(between(g, int64(g.w.timeOf(base)), int64(g.w.now)))
		m := protocol.Mutation{Whole: g.chance(8)}
		if g.chance(8) {
			m.Preconditions = []protocol.Precondition{g.precondition()}
		}
		for range between(g, 1, 4) {
			m.Ops = append(m.Ops, g.op())
		}
		writes[i] = write{by: by, base: base, at: at, m: m}
	}
	return writes
}

func (g *generator) collection() string {
	if g.w.schema == nil {
		return "things"
	}
	return pick(g, "things", "lasting", "asking")
}

func (g *generator) id() string { return pick(g, "r1", "r2") }

func (g *generator) precondition() protocol.Precondition {
	return protocol.Precondition{
		Collection: g.collection(), ID: g.id(),
		Field:   pick(g, "", "title", "tags", "steps"),
		Version: between(g, 0, g.w.head()),
	}
}

// plainValues are what the plain fields take, by path.
var plainValues = map[string][]any{
	"title":      {"a", "b", "c"},
	"note":       {"x", "y"},
	"owner":      {"ann", "bob"},
	"state":      {"open", "done"},
	"price":      {1, 2.5},
	"where.city": {"Rome", "Oslo"},
	"where.zip":  {"1", "2"},
	"blob":       {map[string]any{"a": 1}, map[string]any{}},
	"extra":      {1, "two", []any{3}},
}

var plainPaths = []string{"title", "title", "note", "owner", "state", "price", "where.city", "where.zip", "blob", "extra"}

func (g *generator) value(path string) protocol.Value {
	return protocol.MustValue(pick(g, plainValues[path]...))
}

func (g *generator) was(op protocol.Op) protocol.Value {
	if !g.chance(30) {
		return protocol.Value{}
	}
	return protocol.MustValue("was")
}

func (g *generator) op() protocol.Op {
	op := protocol.Op{Collection: g.collection(), ID: g.id()}
	if g.w.schema == nil {
		switch pick(g, "create", "set", "set", "set", "unset", "delete", "undelete") {
		case "create":
			op.Kind = protocol.OpCreate
			op.Fields = []protocol.FieldValue{{Field: "title", Value: g.value("title")}, {Field: "tags", Value: protocol.MustValue([]any{"p"})}}
		case "set":
			op.Kind = protocol.OpSet
			field := pick(g, "title", "note", "extra")
			op.Fields = []protocol.FieldValue{{Field: field, Value: g.value(field), Was: g.was(op)}}
		case "unset":
			op.Kind = protocol.OpUnset
			op.Field = pick(g, "title", "note")
		case "delete":
			op.Kind = protocol.OpDelete
		case "undelete":
			op.Kind = protocol.OpUndelete
		}
		return op
	}
	switch pick(g, "create", "create", "set", "set", "set", "group", "unset", "number", "number", "set of", "set of", "list", "list", "list", "delete", "undelete", "resolve", "resolve") {
	case "create":
		op.Kind = protocol.OpCreate
		op.Fields = g.first()
	case "set":
		path := pick(g, plainPaths...)
		op.Kind = protocol.OpSet
		op.Fields = []protocol.FieldValue{{Field: path, Value: g.value(path), Was: g.was(op)}}
	case "group":
		op.Kind = protocol.OpSet
		a, b := "low", "high"
		if g.chance(40) {
			a, b = "asked1", "asked2"
		}
		op.Fields = []protocol.FieldValue{
			{Field: a, Value: protocol.IntValue(int64(pick(g, 1, 2, 5)))},
			{Field: b, Value: protocol.IntValue(int64(pick(g, 3, 4, 6)))},
		}
		if g.chance(10) {
			op.Fields[0].Value = protocol.Value{}
		}
	case "unset":
		op.Kind = protocol.OpUnset
		op.Field = pick(g, plainPaths...)
		op.Was = g.was(op)
	case "number":
		op.Kind = pick(g, protocol.OpAdd, protocol.OpMax, protocol.OpMin)
		op.Field = map[protocol.OpKind]string{protocol.OpAdd: "count", protocol.OpMax: "top", protocol.OpMin: "bottom"}[op.Kind]
		op.Value = protocol.MustValue(pick(g, 1, 2.5, -3, 4))
	case "set of":
		op.Kind = pick(g, protocol.OpSetAdd, protocol.OpSetAdd, protocol.OpSetRemove)
		op.Field = pick(g, "tags", "tags", "where.tags")
		op.Value = protocol.MustValue(pick(g, "p", "q", "r"))
	case "list":
		g.list(&op)
	case "delete":
		op.Kind = protocol.OpDelete
	case "undelete":
		op.Kind = protocol.OpUndelete
	case "resolve":
		g.resolve(&op)
	}
	return op
}

// first draws the fields of a record to create.
func (g *generator) first() []protocol.FieldValue {
	var fields []protocol.FieldValue
	add := func(path string, v any) {
		if g.chance(50) {
			fields = append(fields, protocol.FieldValue{Field: path, Value: protocol.MustValue(v)})
		}
	}
	add("title", "a")
	add("count", 3)
	add("tags", []any{"p", "q"})
	add("steps", []any{"one", 2})
	add("where", map[string]any{"city": "Rome", "tags": []any{"p"}})
	add("low", 2)
	add("high", 4)
	return fields
}

func (g *generator) list(op *protocol.Op) {
	op.Field = "steps"
	op.Kind = pick(g, protocol.OpListInsert, protocol.OpListInsert, protocol.OpListMove, protocol.OpListMove, protocol.OpListSet, protocol.OpListSet, protocol.OpListRemove)
	op.Element = pick(g, "0", "1", "e1", "e2", "e3")
	if op.Kind == protocol.OpListInsert {
		op.Element = fmt.Sprintf("e%d", between(g, 1, 6))
	}
	op.Position = pick(g, "a0", "a1", "a1V", "Zz")
	op.Value = protocol.MustValue(pick(g, "one", "two", "three"))
	if op.Kind == protocol.OpListMove || op.Kind == protocol.OpListRemove {
		op.Value = protocol.Value{}
	}
	if op.Kind != protocol.OpListInsert && op.Kind != protocol.OpListMove {
		op.Position = ""
	}
	if op.Kind == protocol.OpListSet {
		op.Was = g.was(*op)
	}
}

// resolve draws an answer to an open conflict, if there is one.
func (g *generator) resolve(op *protocol.Op) {
	op.Kind = protocol.OpResolve
	op.Collection = protocol.ConflictCollection
	var open []Key
	for _, key := range g.w.keys() {
		if key.Collection == protocol.ConflictCollection && g.w.records[key].Alive() {
			open = append(open, key)
		}
	}
	if len(open) == 0 {
		op.ID = ConflictID(Key{"things", "r1"}, "price")
		op.Value = protocol.MustValue(1)
		return
	}
	key := pick(g, open...)
	op.ID = key.ID
	_, path, _ := ConflictTarget(g.w.records[key])
	switch {
	case path == "":
		if g.chance(60) {
			op.Value = g.w.records[key].Value("lost")
			if op.Value.IsAbsent() {
				op.Value = protocol.MustValue(map[string]any{"title": "c", "tags": []any{"r"}})
			}
		}
	case path == "price":
		op.Value = protocol.MustValue(pick(g, 1, 7))
	case path == "note":
		op.Value = protocol.MustValue(pick(g, "x", "z"))
	default:
		op.Value = protocol.MustValue(pick(g, 1, 4))
	}
}
