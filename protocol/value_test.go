package protocol

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"
)

// TestValueRoundTrip: a value comes back from Go and from its bytes, equal means
// ==, and the library reads in the bytes what we put in.
func TestValueRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain := drawPlain(t, 3)
		v, err := ValueOf(plain)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Any(); !reflect.DeepEqual(got, plain) {
			t.Fatalf("came back as %#v, want %#v", got, plain)
		}
		if again, err := DecodeValue(v.Encoded()); err != nil || again != v {
			t.Fatalf("decoded %v (%v), want %v", again, err, v)
		}
		var theirs any
		decoder := msgpack.NewDecoder(strings.NewReader(v.encoded))
		if theirs, err = decoder.DecodeInterface(); err != nil {
			t.Fatal(err)
		}
		if again, err := ValueOf(theirs); err != nil || again != v {
			t.Fatalf("the library reads %#v (%v), want %v", theirs, err, v)
		}
	})
}

// TestForeignEncodings: whatever msgpack encoder a peer uses, the value is the
// same.
func TestForeignEncodings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain := drawPlain(t, 3)
		theirs, err := msgpack.Marshal(plain) // long integers, maps in any order
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeValue(theirs); err != nil || got != MustValue(plain) {
			t.Fatalf("%x is %v (%v), want %v", theirs, got, err, MustValue(plain))
		}
	})
}

func TestValueOfTypes(t *testing.T) {
	type text string
	type level uint8
	number := 7
	for _, test := range []struct {
		given any
		want  string
	}{
		{nil, "null"},
		{true, "true"},
		{uint16(300), "300"},
		{int8(-3), "-3"},
		{level(3), "3"},
		{float32(0.5), "0.5"},
		{2.0, "2"},
		{math.Copysign(0, -1), "0"},
		{json.Number("12"), "12"},
		{json.Number("1.25"), "1.25"},
		{text("x"), `"x"`},
		{[]byte(nil), "bytes()"},
		{[]text{"b", "a"}, `["b","a"]`},
		{[]int(nil), "[]"},
		{[2]bool{true}, "[true,false]"},
		{map[text]int{"b": 1, "a": 2}, `{"a":2,"b":1}`},
		{&number, "7"},
		{(*int)(nil), "null"},
		{[]any{Null, IntValue(1), map[string]Value{"x": True, "absent": {}}}, `[null,1,{"x":true}]`},
	} {
		v, err := ValueOf(test.given)
		if err != nil || v.String() != test.want {
			t.Errorf("%#v is %v (%v), want %s", test.given, v, err, test.want)
		}
		if _, err := DecodeValue(v.Encoded()); err != nil {
			t.Errorf("%#v: %v", test.given, err)
		}
	}
}

func TestValueOfRefuses(t *testing.T) {
	deep := any("x")
	for range MaxValueDepth + 1 {
		deep = []any{deep}
	}
	loop := new(any)
	*loop = loop
	for _, test := range []struct {
		comment string
		given   any
		want    Refusal
		field   string
	}{
		{"NaN", math.NaN(), RefuseNaN, ""},
		{"infinity in a list", map[string]any{"a": []any{1, math.Inf(1)}}, RefuseInfinite, "a.1"},
		{"beyond 2^53", int64(MaxInteger + 1), RefuseRange, ""},
		{"beyond 2^53, unsigned", uint64(1 << 60), RefuseRange, ""},
		{"beyond 2^53, a double", 1e16, RefuseRange, ""},
		{"a number as text, too large", json.Number("1e400"), RefuseInfinite, ""},
		{"a number as text that is none", json.Number("x"), RefuseType, ""},
		{"tiny", map[string]any{"x": 1e-200}, RefuseTiny, "x"},
		{"not UTF-8", []string{"a", "\xff"}, RefuseUTF8, "1"},
		{"a key that is not UTF-8", map[string]any{"\xff": 1}, RefuseUTF8, ""},
		{"keys that are numbers", map[int]string{1: "x"}, RefuseKey, ""},
		{"a struct", struct{}{}, RefuseType, ""},
		{"a function", func() {}, RefuseType, ""},
		{"an absent value in a list", []Value{{}}, RefuseType, "0"},
		{"too deep", deep, RefuseDepth, ""},
		{"too deep with a value inside", []any{MustValue(deep.([]any)[0])}, RefuseDepth, ""},
		{"a cycle", loop, RefuseDepth, ""},
	} {
		_, err := ValueOf(test.given)
		var refused *Error
		if !errors.As(err, &refused) || refused.Refusal != test.want || refused.Code != CodeMalformed {
			t.Errorf("%s: %v, want %q", test.comment, err, test.want)
			continue
		}
		if test.field != "" && refused.Field != test.field {
			t.Errorf("%s: it is about %q, want %q", test.comment, refused.Field, test.field)
		}
	}
}

func TestValueAccessors(t *testing.T) {
	list := MustValue([]any{1, "x"})
	entries := MustValue(map[string]any{"a": 1.5, "b": nil})
	for _, test := range []struct {
		v    Value
		kind ValueKind
		len  int
	}{
		{Value{}, KindAbsent, 0}, {Null, KindNull, 0}, {True, KindBool, 0}, {IntValue(-70000), KindNumber, 0},
		{MustValue(1.5), KindNumber, 0}, {StringValue(strings.Repeat("x", 300)), KindString, 0},
		{BytesValue([]byte{1}), KindBytes, 0}, {list, KindArray, 2}, {entries, KindMap, 2},
		{MustValue(make([]int, 70000)), KindArray, 70000},
	} {
		if test.v.Kind() != test.kind || test.v.Len() != test.len || test.v.IsAbsent() != (test.kind == KindAbsent) || test.v.Size() != len(test.v.Encoded()) {
			t.Errorf("%s: kind %v, length %d", test.kind, test.v.Kind(), test.v.Len())
		}
		_, isBool := test.v.Bool()
		_, isNumber := test.v.Float()
		_, isText := test.v.Text()
		_, isBytes := test.v.Bytes()
		_, isList := test.v.Array()
		_, isMap := test.v.Map()
		got := []bool{isBool, isNumber, isText, isBytes, isList, isMap}
		for i, kind := range []ValueKind{KindBool, KindNumber, KindString, KindBytes, KindArray, KindMap} {
			if got[i] != (kind == test.kind) {
				t.Errorf("%s: taken for %s is %v", test.kind, kind, got[i])
			}
		}
	}
	if elements, _ := list.Array(); !slices.Equal(elements, []Value{IntValue(1), StringValue("x")}) {
		t.Errorf("elements are %v", elements)
	}
	if got, _ := entries.Map(); !slices.Equal(got, []MapEntry{{"a", MustValue(1.5)}, {"b", Null}}) {
		t.Errorf("entries are %v", got)
	}
	if n, ok := MustValue(1.5).Int(); ok {
		t.Errorf("1.5 is the integer %d", n)
	}
	if v := IntValue(math.MinInt64); v != IntValue(-MaxInteger) {
		t.Errorf("the least integer is %v", v)
	}
	if v := StringValue("a\xffb"); v != StringValue("a\uFFFDb") {
		t.Errorf("invalid UTF-8 became %v", v)
	}
	if _, err := NumberValue(math.Inf(-1)); AsError(err).Refusal != RefuseInfinite {
		t.Errorf("−infinity: %v", err)
	}
}
