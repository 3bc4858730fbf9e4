package typescript

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// place is where a schema stands: references are relative to its document.
type place struct {
	collection string
	node       any // the document
}

// maxRefs bounds a chain of $ref, as merge does.
const maxRefs = 16

// keywords are a subschema's with those that it refers to within its document.
func (g *generator) keywords(at place, node any) map[string]any {
	k := map[string]any{}
	for range maxRefs {
		object, ok := node.(map[string]any)
		if !ok {
			break
		}
		for key, value := range object {
			if _, there := k[key]; !there {
				k[key] = value
			}
		}
		target, _ := object["$ref"].(string)
		fragment, ok := strings.CutPrefix(target, "#")
		if !ok {
			break
		}
		node = lookup(at.node, fragment)
	}
	return k
}

// lookup follows a JSON pointer as it stands in a URL; nil if there is nothing.
func lookup(node any, fragment string) any {
	pointer, err := url.PathUnescape(fragment)
	if err != nil || pointer != "" && pointer[0] != '/' {
		return nil
	}
	for _, token := range strings.Split(pointer, "/")[1:] {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch parent := node.(type) {
		case map[string]any:
			node = parent[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(parent) {
				return nil
			}
			node = parent[i]
		default:
			return nil
		}
	}
	return node
}

// value is the type of what satisfies a schema, as narrow as TypeScript can say
// it. One that stands before [] is put in parentheses if it must be.
func (g *generator) value(at place, node any, indent string, tight bool) string {
	switch node := node.(type) {
	case bool:
		if !node {
			return "never"
		}
	case map[string]any:
		t := g.narrow(at, node, indent)
		if tight && strings.ContainsAny(outside(t), "|&") {
			return "(" + t + ")"
		}
		return t
	}
	return g.use("Value")
}

// outside is a type without what stands in braces, brackets and quotes.
func outside(t string) string {
	var b strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(t); i++ {
		switch c := t[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case strings.IndexByte("{[(<", c) >= 0:
			depth++
		case strings.IndexByte("}])>", c) >= 0:
			depth--
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (g *generator) narrow(at place, s map[string]any, indent string) string {
	if c, ok := s["const"]; ok {
		return g.literalType(c)
	}
	if list, ok := s["enum"].([]any); ok && len(list) > 0 {
		var all []string
		for _, each := range list {
			all = append(all, g.literalType(each))
		}
		return strings.Join(unique(all), " | ")
	}
	if ref, ok := s["$ref"].(string); ok {
		return g.reference(at, ref)
	}
	if types := typesOf(s); len(types) > 0 {
		var all []string
		for _, t := range types {
			all = append(all, g.typed(at, s, t, indent))
		}
		return strings.Join(unique(all), " | ")
	}
	for _, each := range []struct{ keyword, operator string }{{"anyOf", " | "}, {"oneOf", " | "}, {"allOf", " & "}} {
		if list, ok := s[each.keyword].([]any); ok && len(list) > 0 {
			var all []string
			for _, inner := range list {
				all = append(all, g.value(at, inner, indent, each.operator == " & "))
			}
			return strings.Join(unique(all), each.operator)
		}
	}
	if s["properties"] != nil {
		return g.typed(at, s, "object", indent)
	}
	return g.use("Value")
}

func (g *generator) literalType(v any) string {
	switch v.(type) {
	case nil, bool, float64, string:
		data, err := json.Marshal(v)
		if err == nil {
			return string(data)
		}
	}
	return g.use("Value")
}

func (g *generator) typed(at place, s map[string]any, t, indent string) string {
	switch t {
	case "null", "boolean":
		return t
	case "integer", "number":
		return "number"
	case "string":
		if s["contentEncoding"] == "base64" {
			return "Uint8Array" // bytes are base64 in JSON alone
		}
		return "string"
	case "array":
		return g.array(at, s, indent)
	}
	return g.opaque(at, s, indent)
}

func (g *generator) array(at place, s map[string]any, indent string) string {
	prefix, _ := s["prefixItems"].([]any)
	items, open := s["items"]
	if len(prefix) == 0 {
		if !open {
			return "readonly " + g.use("Value") + "[]"
		}
		return "readonly " + g.value(at, items, indent, true) + "[]"
	}
	var all []string
	for i, each := range prefix {
		optional := "?"
		if least, ok := s["minItems"].(float64); ok && float64(i) < least {
			optional = ""
		}
		all = append(all, g.value(at, each, indent, true)+optional)
	}
	switch {
	case items == false:
	case open:
		all = append(all, "..."+g.value(at, items, indent, true)+"[]")
	default:
		all = append(all, "..."+g.use("Value")+"[]")
	}
	return "readonly [" + strings.Join(all, ", ") + "]"
}

// opaque is an object that is one value.
func (g *generator) opaque(at place, s map[string]any, indent string) string {
	properties, _ := s["properties"].(map[string]any)
	if len(properties) == 0 {
		inner := s["additionalProperties"]
		if inner == nil || inner == false && s["patternProperties"] != nil {
			inner = true
		}
		return "{ readonly [name: string]: " + g.value(at, inner, indent, false) + " }"
	}
	var b strings.Builder
	b.WriteString("{\n")
	inner := indent + "  "
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		optional := "?"
		if isRequired(s, name) {
			optional = ""
		}
		lines := sentences(text(g.keywords(at, properties[name])))
		fmt.Fprintf(&b, "%s%sreadonly %s%s: %s;\n", comment(lines, inner), inner, property(name), optional, g.value(at, properties[name], inner, false))
	}
	return b.String() + indent + "}"
}

// reference names the type of a definition, and writes it if nobody has.
func (g *generator) reference(at place, ref string) string {
	file, fragment, _ := strings.Cut(ref, "#")
	if file != "" {
		name, err := url.PathUnescape(strings.TrimPrefix(strings.TrimPrefix(file, "tidegate:"), "///"))
		name = strings.TrimSuffix(strings.TrimPrefix(name, "/"), ".json")
		document, ok := g.documents[name]
		if err != nil || !ok {
			return g.use("Value")
		}
		at = place{name, document}
	}
	id := at.collection + "#" + fragment
	if name, ok := g.defined[id]; ok {
		return name
	}
	node := lookup(at.node, fragment)
	if node == nil {
		return g.use("Value") // an anchor, or a name of its own
	}
	last := fragment[strings.LastIndexByte(fragment, '/')+1:]
	name := g.name(at.collection, last)
	g.defined[id] = name
	lines := sentences(text(g.keywords(at, node)))
	t := g.value(at, node, "", false)
	g.body.WriteString("\n" + comment(lines, "") + "export type " + name + " = " + t + ";\n")
	return name
}

func typesOf(s map[string]any) []string {
	switch t := s["type"].(type) {
	case string:
		return []string{t}
	case []any:
		var types []string
		for _, each := range t {
			if name, ok := each.(string); ok {
				types = append(types, name)
			}
		}
		return types
	}
	return nil
}

func isRequired(s map[string]any, name string) bool {
	list, _ := s["required"].([]any)
	return slices.Contains(list, any(name))
}

func text(s map[string]any) string {
	for _, key := range []string{"description", "title"} {
		if t, ok := s[key].(string); ok {
			return t
		}
	}
	return ""
}

// unique leaves out what was there before.
func unique(list []string) []string {
	var out []string
	for _, each := range list {
		if !slices.Contains(out, each) {
			out = append(out, each)
		}
	}
	return out
}
