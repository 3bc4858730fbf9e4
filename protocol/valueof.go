package protocol

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"
)

// ValueOf makes a Value of plain Go: nil, booleans, numbers, strings, []byte,
// slices, arrays and maps with string keys of those, [Value]s in any place, and
// json.Number. Pointers are followed, nil ones are null. What lies outside the
// domain is refused with an *Error: its Refusal says why, its Field where.
func ValueOf(x any) (Value, error) {
	if v, ok := x.(Value); ok {
		return v, nil
	}
	w := newWriter(nil, nil)
	err := w.any(x, "", MaxValueDepth)
	encoded := w.done()
	if err != nil {
		return Value{}, err
	}
	return Value{string(encoded)}, nil
}

// MustValue is ValueOf for constants and tests: it panics where ValueOf refuses.
func MustValue(x any) Value {
	v, err := ValueOf(x)
	if err != nil {
		panic(err)
	}
	return v
}

// ArrayValue returns an array of values, none of which may be absent. It fails
// if they are nested too deep.
func ArrayValue(elements ...Value) (Value, error) { return ValueOf(elements) }

// MapValue returns a map of values. Absent ones are left out.
func MapValue(entries map[string]Value) (Value, error) { return ValueOf(entries) }

func (w *writer) any(x any, path string, depth int) error {
	switch x := x.(type) {
	case nil:
		w.value(Null)
	case bool:
		w.bool(x)
	case string:
		return w.anyString(x, path)
	case []byte:
		w.bytes(x)
	case int:
		return w.anyInt(int64(x), path)
	case int64:
		return w.anyInt(x, path)
	case float64:
		return w.anyFloat(x, path)
	case json.Number:
		return w.anyNumber(x, path)
	case Value:
		return w.anyValue(x, path, depth)
	case []any:
		return anyArray(w, x, path, depth)
	case []string:
		return anyArray(w, x, path, depth)
	case []Value:
		return anyArray(w, x, path, depth)
	case map[string]any:
		return anyMap(w, x, path, depth)
	case map[string]Value:
		present := make(map[string]Value, len(x))
		for key, v := range x {
			if !v.IsAbsent() {
				present[key] = v
			}
		}
		return anyMap(w, present, path, depth)
	default:
		return w.reflected(reflect.ValueOf(x), path, depth)
	}
	return nil
}

// reflected takes the types that the switch in any does not name.
func (w *writer) reflected(x reflect.Value, path string, depth int) error {
	switch x.Kind() {
	case reflect.Bool:
		w.bool(x.Bool())
	case reflect.String:
		return w.anyString(x.String(), path)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return w.anyInt(x.Int(), path)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if x.Uint() > MaxInteger {
			return refuseAt(RefuseRange, path)
		}
		w.uint(x.Uint())
	case reflect.Float32, reflect.Float64:
		return w.anyFloat(x.Float(), path)
	case reflect.Pointer, reflect.Interface:
		if x.IsNil() {
			w.value(Null)
			return nil
		}
		// A pointer costs a level too: a cycle of pointers must end.
		if depth == 0 {
			return refuseAt(RefuseDepth, path)
		}
		return w.any(x.Elem().Interface(), path, depth-1)
	case reflect.Slice, reflect.Array:
		if x.Kind() == reflect.Slice && x.Type().Elem().Kind() == reflect.Uint8 {
			w.bytes(x.Bytes())
			return nil
		}
		list := make([]any, x.Len())
		for i := range list {
			list[i] = x.Index(i).Interface()
		}
		return anyArray(w, list, path, depth)
	case reflect.Map:
		if x.Type().Key().Kind() != reflect.String {
			return refuseAt(RefuseKey, path)
		}
		entries := make(map[string]any, x.Len())
		for at := x.MapRange(); at.Next(); {
			entries[at.Key().String()] = at.Value().Interface()
		}
		return anyMap(w, entries, path, depth)
	default:
		return refuseAt(RefuseType, path)
	}
	return nil
}

func (w *writer) anyString(s, path string) error {
	if !utf8.ValidString(s) {
		return refuseAt(RefuseUTF8, path)
	}
	w.string(s)
	return nil
}

func (w *writer) anyInt(n int64, path string) error {
	if n > MaxInteger || n < -MaxInteger {
		return refuseAt(RefuseRange, path)
	}
	w.int(n)
	return nil
}

func (w *writer) anyFloat(f float64, path string) error {
	if refusal := checkNumber(f); refusal != "" {
		return refuseAt(refusal, path)
	}
	w.float(f)
	return nil
}

func (w *writer) anyNumber(n json.Number, path string) error {
	if i, err := n.Int64(); err == nil {
		return w.anyInt(i, path)
	}
	f, err := n.Float64()
	if err != nil && f == 0 {
		return refuseAt(RefuseType, path)
	}
	return w.anyFloat(f, path)
}

func (w *writer) anyValue(v Value, path string, depth int) error {
	if v.IsAbsent() {
		return refuseAt(RefuseType, path)
	}
	if _, _, refusal := scanValue([]byte(v.encoded), 0, depth); refusal != "" {
		return refuseAt(refusal, path)
	}
	w.value(v)
	return nil
}

func anyArray[E any](w *writer, list []E, path string, depth int) error {
	if depth == 0 {
		return refuseAt(RefuseDepth, path)
	}
	w.array(len(list))
	for i, element := range list {
		if err := w.any(element, joinPath(path, strconv.Itoa(i)), depth-1); err != nil {
			return err
		}
	}
	return nil
}

func anyMap[E any](w *writer, entries map[string]E, path string, depth int) error {
	if depth == 0 {
		return refuseAt(RefuseDepth, path)
	}
	keys := make([]string, 0, len(entries))
	for key := range entries {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, cmp.Compare[string])
	_ = w.enc.EncodeMapLen(len(keys))
	for _, key := range keys {
		if err := w.anyString(key, path); err != nil {
			return err
		}
		if err := w.any(entries[key], joinPath(path, key), depth-1); err != nil {
			return err
		}
	}
	return nil
}

func joinPath(path, part string) string {
	if path == "" {
		return part
	}
	return path + "." + part
}

func refuseAt(refusal Refusal, path string) error {
	where := "value"
	if path != "" {
		where = "value at " + clip(path, 128)
	}
	err := refuse(refusal, where)
	err.Field = clip(path, MaxNameBytes)
	return err
}
