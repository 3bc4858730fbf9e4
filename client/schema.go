package client

import (
	"maps"
	"slices"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// flatten turns the fields as the app wrote them into the fields that the schema
// declares: maps for declared nested objects become a field for each leaf. Without
// a schema every value is a field's.
func (tx *Tx) flatten(key Key, fields map[string]any) map[string]protocol.Value {
	flat := map[string]protocol.Value{}
	collection := tx.schema.Collection(key.Collection)
	var add func(path string, value any)
	add = func(path string, value any) {
		if inner, ok := value.(map[string]any); ok && declaredObject(collection, path) {
			for name, v := range inner {
				add(path+"."+name, v)
			}
			return
		}
		if tx.schema != nil && collection != nil {
			if _, err := tx.schema.Rule(key.Collection, path); err != nil {
				tx.Fail(&protocol.Error{Code: protocol.CodeMalformed, Message: path + " " + err.Error(), Field: path})
			}
		}
		if err := protocol.CheckName(protocol.NameField, path); err != nil {
			tx.Fail(err)
			return
		}
		flat[path] = tx.value(path, value)
	}
	for name, value := range fields {
		add(name, value)
	}
	return flat
}

// declaredObject says whether the path is that of an object whose properties are
// fields of their own.
func declaredObject(collection *merge.Collection, path string) bool {
	if collection == nil || collection.Field(path) != nil {
		return false
	}
	prefix := path + "."
	return slices.ContainsFunc(collection.Fields(), func(f *merge.Field) bool {
		return len(f.Path) > len(prefix) && f.Path[:len(prefix)] == prefix
	})
}

// groups splits fields into the sets that make one op each: a field by itself, or
// all members of an x-merge-group, those that were not given as they are now.
func (tx *Tx) groups(key Key, fields map[string]protocol.Value) []map[string]protocol.Value {
	var groups []map[string]protocol.Value
	done := map[string]bool{}
	collection := tx.schema.Collection(key.Collection)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if done[name] {
			continue
		}
		group := map[string]protocol.Value{name: fields[name]}
		if field := collection.Field(name); field != nil {
			for _, member := range field.Members() {
				if value, given := fields[member]; given {
					group[member] = value
				} else if member != name {
					group[member] = tx.look(key).Value(member)
				}
			}
		}
		for member := range group {
			done[member] = true
		}
		groups = append(groups, group)
	}
	return groups
}
