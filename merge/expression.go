package merge

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/tidegate/tidegate/protocol"
)

// Expressions are written in CEL. They see what they are given and nothing
// else: no clock, no random numbers, no order of a hash map. What one evaluation
// may cost is bounded, so that a rule over a long list cannot hold up a space.
const (
	// maxExpression bounds an expression's source, in bytes.
	maxExpression = 4 << 10
	// maxExpressionDepth bounds its nesting.
	maxExpressionDepth = 64
	// maxExpressionCost bounds one evaluation, in CEL's cost units (about one a
	// step, or for ten bytes of a string): some milliseconds.
	maxExpressionCost = 100_000
)

// expression is a compiled CEL expression that yields a bool.
type expression struct {
	source  string
	program cel.Program
	// reads are the paths of the record's fields that the expression reads
	// without asking whether they are there (has).
	reads []string
}

// askEnv is what x-merge-ask sees.
var askEnv = sync.OnceValues(func() (*cel.Env, error) {
	return newEnv(
		cel.Variable("base", cel.DynType),
		cel.Variable("kept", cel.DynType),
		cel.Variable("lost", cel.DynType),
		cel.Variable("keptTime", cel.IntType),
		cel.Variable("lostTime", cel.IntType),
		cel.Variable("collided", cel.ListType(cel.StringType)),
		cel.Variable("field", cel.StringType),
	)
})

// checkEnv is what a rule of x-check sees.
var checkEnv = sync.OnceValues(func() (*cel.Env, error) {
	return newEnv(cel.Variable("record", cel.MapType(cel.StringType, cel.DynType)))
})

func newEnv(vars ...cel.EnvOption) (*cel.Env, error) {
	return cel.NewEnv(append(vars,
		cel.CrossTypeNumericComparisons(true),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxExpressionDepth),
	)...)
}

// compile compiles an expression; the error is fit for whoever wrote it.
func compile(source string, environment func() (*cel.Env, error)) (*expression, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	if len(source) > maxExpression {
		return nil, fmt.Errorf("the expression is longer than %d bytes", maxExpression)
	}
	checked, issues := env.Compile(source)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("the expression yields %s, not bool", t)
	}
	program, err := env.Program(checked, cel.CostLimit(maxExpressionCost))
	if err != nil {
		return nil, err
	}
	return &expression{source: source, program: program, reads: reads(checked.NativeRep().Expr())}, nil
}

// eval evaluates the expression; ok is false if it cannot be evaluated: a type
// that does not fit, or a cost over the limit.
func (x *expression) eval(vars map[string]any) (result, ok bool) {
	out, _, err := x.program.Eval(vars)
	if err != nil {
		return false, false
	}
	b, ok := out.(types.Bool)
	return bool(b), ok
}

// reads collects the paths below "record" that an expression reads, less those
// whose presence it asks for.
func reads(root ast.Expr) []string {
	var paths, guarded []string
	inner := map[int64]bool{} // selects that are the operand of another
	ast.PreOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.SelectKind || inner[e.ID()] {
			return
		}
		var path []string
		testOnly := e.AsSelect().IsTestOnly()
		for e.Kind() == ast.SelectKind {
			inner[e.ID()] = true
			path = append(path, e.AsSelect().FieldName())
			e = e.AsSelect().Operand()
		}
		if e.Kind() != ast.IdentKind || e.AsIdent() != "record" {
			return
		}
		slices.Reverse(path)
		if testOnly {
			guarded = append(guarded, strings.Join(path, "."))
		} else {
			paths = append(paths, strings.Join(path, "."))
		}
	}))
	paths = slices.DeleteFunc(paths, func(path string) bool { return slices.Contains(guarded, path) })
	slices.Sort(paths)
	return slices.Compact(paths)
}

// celValue gives a value to an expression; absent is null. Numbers of a field
// that may hold fractions are all doubles, so that arithmetic does not depend on
// whether a value happens to be integral.
func celValue(v protocol.Value, double bool) ref.Val {
	switch v.Kind() {
	case protocol.KindBool:
		b, _ := v.Bool()
		return types.Bool(b)
	case protocol.KindNumber:
		if n, ok := v.Int(); ok && !double {
			return types.Int(n)
		}
		f, _ := v.Float()
		return types.Double(f)
	case protocol.KindString:
		s, _ := v.Text()
		return types.String(s)
	case protocol.KindBytes:
		b, _ := v.Bytes()
		return types.Bytes(b)
	case protocol.KindArray:
		elements, _ := v.Array()
		list := make([]ref.Val, len(elements))
		for i, element := range elements {
			list[i] = celValue(element, double)
		}
		return types.NewRefValList(types.DefaultTypeAdapter, list)
	case protocol.KindMap:
		entries, _ := v.Map()
		m := newSortedMap(len(entries))
		for _, entry := range entries {
			m.put(entry.Key, celValue(entry.Value, double))
		}
		return m.done()
	}
	return types.NullValue
}

// sortedMap is a CEL map that is walked in the order in which it was filled:
// the usual one is walked in the random order of a Go map.
type sortedMap struct {
	traits.Mapper
	keys []ref.Val
}

type mapBuilder struct {
	entries map[ref.Val]ref.Val
	keys    []ref.Val
}

func newSortedMap(size int) *mapBuilder {
	return &mapBuilder{make(map[ref.Val]ref.Val, size), make([]ref.Val, 0, size)}
}

func (m *mapBuilder) put(key string, v ref.Val) {
	m.entries[types.String(key)] = v
	m.keys = append(m.keys, types.String(key))
}

func (m *mapBuilder) done() ref.Val {
	return sortedMap{types.NewRefValMap(types.DefaultTypeAdapter, m.entries), m.keys}
}

// Iterator walks the keys.
func (m sortedMap) Iterator() traits.Iterator {
	return types.NewRefValList(types.DefaultTypeAdapter, m.keys).Iterator()
}
