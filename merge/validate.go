package merge

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types/ref"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/tidegate/tidegate/protocol"
)

// breach is one way in which a value or a record breaks the schema or a limit.
type breach struct {
	code protocol.RejectCode
	// field is the path of what is wrong, message fit for a user.
	field   string
	message string
	// rule names the rule that is broken, wherever and by whatever value, so that
	// a breach that was there before is told from a new one.
	rule string
}

// plainJSON gives a value to JSON Schema: bytes as a string in base64, as JSON
// would hold them.
func plainJSON(v protocol.Value) any {
	switch v.Kind() {
	case protocol.KindBytes:
		b, _ := v.Bytes()
		return base64.StdEncoding.EncodeToString(b)
	case protocol.KindArray:
		elements, _ := v.Array()
		list := make([]any, len(elements))
		for i, element := range elements {
			list[i] = plainJSON(element)
		}
		return list
	case protocol.KindMap:
		entries, _ := v.Map()
		object := make(map[string]any, len(entries))
		for _, entry := range entries {
			object[entry.Key] = plainJSON(entry.Value)
		}
		return object
	}
	return v.Any()
}

// checkValue checks a value against a part of the schema; nil if it fits.
func checkValue(s *jsonschema.Schema, path string, v protocol.Value) *breach {
	if s == nil {
		return nil
	}
	err := s.Validate(plainJSON(v))
	if err == nil {
		return nil
	}
	broken := breachesOf(err, path)
	broken[0].code = protocol.RejectSchema
	return &broken[0]
}

// breaches returns in what ways a living record breaks the collection's schema,
// in a fixed order.
func (c *Collection) breaches(rec *Record) []breach {
	if c == nil || !rec.Alive() {
		return nil
	}
	var found []breach
	if err := c.compiled.Validate(c.json(rec)); err != nil {
		found = breachesOf(err, "")
	}
	if len(c.checks) == 0 {
		return found
	}
	vars := map[string]any{"record": c.cel(rec)}
	for i := range c.checks {
		check := &c.checks[i]
		if !c.applies(check.rule, rec) {
			continue
		}
		if holds, ok := check.rule.eval(vars); ok && holds {
			continue
		}
		found = append(found, breach{protocol.RejectInvalid, check.field, check.message, keyCheck + " " + strconv.Itoa(i)})
	}
	return found
}

// applies says whether the record has the fields that a rule reads: a rule about
// the end of an event says nothing of an event without one.
func (c *Collection) applies(rule *expression, rec *Record) bool {
	for _, path := range rule.reads {
		if f := c.fieldAbove(path); f != nil && f.isOneValue() && rec.Value(f.Path).IsAbsent() {
			return false
		}
	}
	return true
}

// isOneValue says whether the field is absent when nobody has set it; a set or a
// list is empty then.
func (f *Field) isOneValue() bool {
	return f.Policy != protocol.PolicySet && f.Policy != protocol.PolicyList
}

// json gives a record to JSON Schema, nested as the schema declares it.
func (c *Collection) json(rec *Record) map[string]any {
	root := map[string]any{}
	for _, f := range rec.fields {
		v := f.content()
		if v.IsAbsent() || f.name == openField {
			continue
		}
		object := root
		rest := f.name
		for {
			name, after, nested := strings.Cut(rest, ".")
			if !nested {
				break
			}
			child, ok := object[name].(map[string]any)
			if !ok {
				child = map[string]any{}
				object[name] = child
			}
			object, rest = child, after
		}
		object[rest] = plainJSON(v)
	}
	// A set or a list that nobody has added to is an empty array, where the object
	// that it belongs to is there.
	for _, f := range c.fields {
		if f.isOneValue() {
			continue
		}
		object, rest := root, f.Path
		for object != nil {
			name, after, nested := strings.Cut(rest, ".")
			if !nested {
				break
			}
			object, _ = object[name].(map[string]any)
			rest = after
		}
		if _, there := object[rest]; object != nil && !there {
			object[rest] = []any{}
		}
	}
	return root
}

// cel gives a record to the rules of x-check, nested as the schema declares it.
func (c *Collection) cel(rec *Record) ref.Val { return c.celObject(rec, "", rec.paths(c)) }

// paths returns the paths of a record's content, with the declared sets and lists
// that are empty.
func (r *Record) paths(c *Collection) []string {
	var paths []string
	for _, f := range r.fields {
		if f.visible() && f.name != openField {
			paths = append(paths, f.name)
		}
	}
	for _, f := range c.fields {
		if !f.isOneValue() && !r.field(f.Path).visible() {
			paths = append(paths, f.Path)
		}
	}
	slices.Sort(paths)
	return paths
}

// celObject builds the map of the paths that begin with prefix. A declared
// object's own path is no field's, so names do not meet.
func (c *Collection) celObject(rec *Record, prefix string, paths []string) ref.Val {
	m := newSortedMap(len(paths))
	for i := 0; i < len(paths); {
		name, _, nested := strings.Cut(paths[i][len(prefix):], ".")
		if !nested {
			m.put(name, c.celField(rec, paths[i]))
			i++
			continue
		}
		inner := prefix + name + "."
		end := i
		for end < len(paths) && strings.HasPrefix(paths[end], inner) {
			end++
		}
		m.put(name, c.celObject(rec, inner, paths[i:end]))
		i = end
	}
	return m.done()
}

func (c *Collection) celField(rec *Record, path string) ref.Val {
	v := rec.Value(path)
	f := c.Field(path)
	if v.IsAbsent() {
		v = emptyArray // a declared set or list
	}
	return celValue(v, f != nil && f.isFractional())
}

var emptyArray = arrayOf(nil)

// isFractional says whether the field may hold numbers with fractions.
func (f *Field) isFractional() bool { return slices.Contains(f.Types, "number") }

// breachesOf lists what a validation error says, in a fixed order: the
// validator itself walks maps.
func breachesOf(err error, prefix string) []breach {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return []breach{{protocol.RejectInvalid, prefix, err.Error(), "error"}}
	}
	var found []breach
	var walk func(e *jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		_, either := e.ErrorKind.(*kind.AnyOf)
		_, one := e.ErrorKind.(*kind.OneOf)
		if len(e.Causes) > 0 && !either && !one {
			for _, cause := range e.Causes {
				walk(cause)
			}
			return
		}
		found = append(found, breachOf(e, prefix))
	}
	walk(invalid)
	slices.SortFunc(found, func(a, b breach) int {
		return cmp.Or(strings.Compare(a.field, b.field), strings.Compare(a.rule, b.rule), strings.Compare(a.message, b.message))
	})
	return found
}

// breachOf puts one error into words.
func breachOf(e *jsonschema.ValidationError, prefix string) breach {
	path := strings.Join(e.InstanceLocation, ".")
	if prefix != "" {
		path = strings.TrimSuffix(prefix+"."+path, ".")
	}
	b := breach{
		code: protocol.RejectInvalid,
		rule: path + " " + e.SchemaURL + "/" + strings.Join(e.ErrorKind.KeywordPath(), "/"),
	}
	says := func(format string, args ...any) { b.message = fmt.Sprintf(format, args...) }
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		missing := slices.Sorted(slices.Values(k.Missing))
		path = strings.TrimPrefix(path+"."+missing[0], ".")
		b.rule += " " + strings.Join(missing, ",")
		says("must not be missing")
	case *kind.DependentRequired:
		missing := slices.Sorted(slices.Values(k.Missing))
		path = strings.TrimPrefix(path+"."+missing[0], ".")
		b.rule += " " + strings.Join(missing, ",")
		says("must not be missing if %q is there", k.Prop)
	case *kind.AdditionalProperties:
		extra := slices.Sorted(slices.Values(k.Properties))
		path = strings.TrimPrefix(path+"."+extra[0], ".")
		b.rule += " " + strings.Join(extra, ",")
		says("is no field of this collection")
	case *kind.Type:
		says("must be %s, not %s", orList(k.Want), k.Got)
	case *kind.Enum:
		says("must be one of %s", values(k.Want))
	case *kind.Const:
		says("must be %s", values([]any{k.Want}))
	case *kind.Minimum:
		says("must be at least %s", number(k.Want))
	case *kind.Maximum:
		says("must be at most %s", number(k.Want))
	case *kind.ExclusiveMinimum:
		says("must be more than %s", number(k.Want))
	case *kind.ExclusiveMaximum:
		says("must be less than %s", number(k.Want))
	case *kind.MultipleOf:
		says("must be a multiple of %s", number(k.Want))
	case *kind.MinLength:
		says("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		says("must have at most %d characters", k.Want)
	case *kind.MinItems:
		says("must have at least %d elements", k.Want)
	case *kind.MaxItems:
		says("must have at most %d elements", k.Want)
	case *kind.UniqueItems:
		says("must not hold the same element twice")
	case *kind.Pattern:
		says("must match the pattern %s", k.Want)
	case *kind.Format:
		says("must be a valid %s", k.Want)
	case *kind.FalseSchema:
		says("is not allowed")
	case *kind.AnyOf, *kind.OneOf, *kind.Not:
		says("is not what the schema allows")
	default:
		says("breaks the schema: %s", e.ErrorKind.LocalizedString(printer()))
	}
	b.field = path
	b.message = about(path, b.message)
	return b
}

// about begins a message with the field that it is about.
func about(field, says string) string {
	if field == "" {
		return "the record " + says
	}
	return strconv.Quote(field) + " " + says
}

// firstProblem puts a meta-schema's complaint into one line.
func firstProblem(err error) string {
	return breachesOf(err, "")[0].message
}

func printer() *message.Printer { return message.NewPrinter(language.English) }

// orList names the JSON types.
func orList(types []string) string {
	words := make([]string, len(types))
	for i, t := range types {
		switch t {
		case "array", "integer", "object":
			words[i] = "an " + t
		case "null":
			words[i] = t
		default:
			words[i] = "a " + t
		}
	}
	return strings.Join(words, " or ")
}

func values(list []any) string {
	words := make([]string, len(list))
	for i, x := range list {
		words[i] = fmt.Sprint(x)
		if v, err := protocol.ValueOf(x); err == nil {
			words[i] = v.String()
		}
	}
	return strings.Join(words, ", ")
}

func number(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}
