package tape

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"unicode"

	"github.com/tidegate/tidegate/protocol"
)

// plain makes what encoding/json can write of anything, as the vectors of package
// protocol show it: structures are objects with keys in lowerCamelCase, byte
// strings and ids are hex, device ids UUIDs, values plain JSON with bytes as
// {"$bytes": hex}; what is absent is left out.
func plain(x any) any { return of(reflect.ValueOf(x)) }

// Ready shows what a core wants done, its Ready, as vectors do: as everything,
// but what is zero or empty is left out, of it and of its events.
func Ready(x any) map[string]any {
	v := reflect.ValueOf(x)
	fields := object{}
	for i := range v.NumField() {
		f := v.Field(i)
		if f.IsZero() || f.Kind() == reflect.Slice && f.Len() == 0 {
			continue
		}
		name := camel(v.Type().Field(i).Name)
		if f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Struct {
			list := make([]any, f.Len())
			for j := range list {
				list[j] = Ready(f.Index(j).Interface())
			}
			fields[name] = list
			continue
		}
		fields[name] = of(f)
	}
	return fields
}

func of(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	switch x := v.Interface().(type) {
	case protocol.Value:
		return tagged(x.Any())
	case *protocol.Error:
		return object{"code": x.Code} // the words are everybody's own
	case fmt.Stringer: // ids and hashes
		if v.Kind() == reflect.Array {
			return x.String()
		}
	case []byte:
		return hex.EncodeToString(x)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return of(v.Elem())
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = of(v.Index(i))
		}
		return list
	case reflect.Struct:
		if v.NumField() == 2 && v.Type().Name() == "Entry" {
			return []any{of(v.Field(0)), of(v.Field(1))} // a key and its value
		}
		fields := object{}
		for i := range v.NumField() {
			if value, ok := v.Field(i).Interface().(protocol.Value); ok && value.IsAbsent() {
				continue
			}
			if v.Type().Field(i).Anonymous {
				for name, inner := range of(v.Field(i)).(object) {
					fields[name] = inner
				}
				continue
			}
			fields[camel(v.Type().Field(i).Name)] = of(v.Field(i))
		}
		return fields
	}
	return v.Interface()
}

func tagged(x any) any {
	switch x := x.(type) {
	case []byte:
		return object{"$bytes": hex.EncodeToString(x)}
	case []any:
		list := make([]any, len(x))
		for i := range x {
			list[i] = tagged(x[i])
		}
		return list
	case map[string]any:
		entries := object{}
		for key, value := range x {
			entries[key] = tagged(value)
		}
		return entries
	}
	return x
}

// camel brings a field's name into lowerCamelCase.
func camel(name string) string {
	if name == "ID" {
		return "id"
	}
	runes := []rune(name)
	runes[0] = unicode.ToLower(runes[0])
	return string(runes)
}
