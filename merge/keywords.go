package merge

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// keywords are a subschema's keywords together with those it refers to.
type keywords struct {
	values map[string]any
	// from is the pointer of the subschema that each keyword stands in.
	from map[string]string
}

// maxRefs bounds a chain of $ref.
const maxRefs = 16

// keywords follows $ref within the file; a keyword beside a $ref goes before the
// one referred to.
func (p *collectionParser) keywords(node any, at string) keywords {
	k := keywords{map[string]any{}, map[string]string{}}
	for range maxRefs {
		object, ok := node.(map[string]any)
		if !ok {
			break
		}
		for key, value := range object {
			if _, ok := k.values[key]; !ok {
				k.values[key] = value
				k.from[key] = at
			}
		}
		target, _ := object["$ref"].(string)
		fragment, ok := strings.CutPrefix(target, "#")
		if !ok {
			break
		}
		if fragment, err := url.PathUnescape(fragment); err == nil {
			node, at = p.lookup(fragment), fragment
		}
	}
	return k
}

// lookup follows a JSON pointer; nil if there is nothing.
func (p *collectionParser) lookup(at string) any {
	node := p.doc
	if at == "" {
		return node
	}
	for token := range strings.SplitSeq(strings.TrimPrefix(at, "/"), "/") {
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

func (k keywords) has(key string) bool { _, ok := k.values[key]; return ok }

// types returns what "type" allows; nothing for anything.
func (k keywords) types() []string {
	switch t := k.values["type"].(type) {
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

// text returns the first of the keywords that is a string.
func (k keywords) text(keys ...string) string {
	for _, key := range keys {
		if s, ok := k.values[key].(string); ok {
			return s
		}
	}
	return ""
}

// Where subschemas stand in a schema.
var (
	schemaMaps  = []string{"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
	schemaLists = []string{"allOf", "anyOf", "oneOf", "prefixItems", "items"}
	schemaOnes  = []string{"items", "additionalItems", "additionalProperties", "propertyNames", "contains", "not", "if", "then", "else", "unevaluatedItems", "unevaluatedProperties", "contentSchema"}
)

// strays reports our keywords that nothing read: misspelt, or where they mean
// nothing.
func (p *collectionParser) strays(node any, at string) {
	object, ok := node.(map[string]any)
	if !ok {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		here := pointer(at, key)
		ours := strings.HasPrefix(key, keyMerge) || strings.HasPrefix(key, keyCheck)
		switch {
		case !ours || p.used[here]:
		case slices.Contains([]string{keyMerge, keyGroup, keyAsk, keyDelete, keyCheck}, key):
			p.add(p.file, here, onRecord+"; "+onProperty, "%s means nothing here", key)
		default:
			p.add(p.file, here, onRecord+"; "+onProperty, "unknown keyword %q", key)
		}
	}
	for _, key := range schemaMaps {
		children, _ := object[key].(map[string]any)
		for name, child := range children {
			p.strays(child, pointer(pointer(at, key), name))
		}
	}
	for _, key := range schemaLists {
		children, _ := object[key].([]any)
		for i, child := range children {
			p.strays(child, pointer(pointer(at, key), strconv.Itoa(i)))
		}
	}
	for _, key := range schemaOnes {
		p.strays(object[key], pointer(at, key))
	}
}
