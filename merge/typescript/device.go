package typescript

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// forPeople are the keywords that a device does not evaluate: words for people,
// and expressions that only gateways do.
var forPeople = []string{"title", "description", "$comment", "examples", "default", "deprecated", "readOnly", "writeOnly", "x-merge-ask", "x-merge-delete", "x-check"}

// Where subschemas stand in a schema.
var (
	schemaMaps  = []string{"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
	schemaLists = []string{"allOf", "anyOf", "oneOf", "prefixItems", "items"}
	schemaOnes  = []string{"items", "additionalItems", "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else", "unevaluatedItems", "unevaluatedProperties"}
)

// onDevice is a schema without what a device does not evaluate.
func onDevice(node any) any {
	schema, ok := node.(map[string]any)
	if !ok {
		return node
	}
	kept := map[string]any{}
	for key, value := range schema {
		if slices.Contains(forPeople, key) {
			continue
		}
		if children, ok := value.(map[string]any); ok && slices.Contains(schemaMaps, key) {
			stripped := map[string]any{}
			for name, child := range children {
				stripped[name] = onDevice(child)
			}
			value = stripped
		} else if children, ok := value.([]any); ok && slices.Contains(schemaLists, key) {
			stripped := make([]any, len(children))
			for i, child := range children {
				stripped[i] = onDevice(child)
			}
			value = stripped
		} else if slices.Contains(schemaOnes, key) {
			value = onDevice(value)
		}
		kept[key] = value
	}
	return kept
}

// literal is a schema as an object literal: a line for each keyword, and for each
// property or definition, behind its indent.
func literal(node any, indent string) string {
	schema, ok := node.(map[string]any)
	if !ok {
		return inline(node)
	}
	inner := indent + "  "
	lines := make([]string, 0, len(schema))
	for _, key := range slices.Sorted(maps.Keys(schema)) {
		value := inline(schema[key])
		if children, ok := schema[key].(map[string]any); ok && slices.Contains(schemaMaps, key) && len(children) > 0 {
			var b strings.Builder
			for _, name := range slices.Sorted(maps.Keys(children)) {
				b.WriteString(inner + "  " + keyOf(name) + ": " + inline(children[name]) + ",\n")
			}
			value = "{\n" + b.String() + inner + "}"
		}
		lines = append(lines, inner+keyOf(key)+": "+value+",\n")
	}
	return "{\n" + strings.Join(lines, "") + indent + "}"
}

// inline is JSON on one line, as TypeScript takes it.
func inline(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, keyOf(key)+": "+inline(v[key]))
		}
		if len(parts) == 0 {
			return "{}"
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	case []any:
		parts := make([]string, len(v))
		for i, each := range v {
			parts[i] = inline(each)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // it came out of JSON
	return strings.TrimSpace(b.String())
}

// keyOf is a name as it stands in an object literal, where one name of all would
// set the prototype.
func keyOf(name string) string {
	if name == "__proto__" {
		return `["__proto__"]`
	}
	return property(name)
}

func quote(s string) string {
	data, _ := json.Marshal(s)
	return string(data)
}

// property is a name as it stands in an object type.
func property(name string) string {
	for i, r := range name {
		if !isWord(r) && r != '_' && r != '$' || i == 0 && r >= '0' && r <= '9' {
			return quote(name)
		}
	}
	return name
}

func isWord(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

func upper(r rune) rune { return unicode.ToUpper(r) }

// sentences are the lines of a comment that a description makes; a full stop ends
// each.
func sentences(description string) []string {
	var lines []string
	for line := range strings.SplitSeq(description, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if n := len(lines); n > 0 && !strings.ContainsAny(lines[n-1][len(lines[n-1])-1:], ".!?:") {
		lines[n-1] += "."
	}
	return lines
}

// comment is a doc comment, with the line break behind it; nothing of nothing.
func comment(lines []string, indent string) string {
	clean := make([]string, len(lines))
	for i, line := range lines {
		clean[i] = strings.ReplaceAll(line, "*/", "*\\/")
	}
	switch len(clean) {
	case 0:
		return ""
	case 1:
		return indent + "/** " + clean[0] + " */\n"
	}
	return indent + "/**\n" + indent + " * " + strings.Join(clean, "\n"+indent+" * ") + "\n" + indent + " */\n"
}
