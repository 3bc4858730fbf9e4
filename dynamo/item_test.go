package dynamo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"github.com/tidegate/tidegate/compress"
	"github.com/tidegate/tidegate/internal/engine"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// offline is a store that only encodes and decodes.
func offline(t testing.TB) *Store {
	codec, err := compress.New()
	if err != nil {
		t.Fatal(err)
	}
	return &Store{codec: codec, known: newKnownRecords(1 << 20)}
}

// drawValue draws values of every kind, and those that are hard to hold: numbers
// at the ends of the range, maps that DynamoDB has no form for.
func drawValue(depth int) *rapid.Generator[protocol.Value] {
	must := func(v protocol.Value, err error) protocol.Value {
		if err != nil {
			panic(err)
		}
		return v
	}
	number := rapid.Custom(func(t *rapid.T) protocol.Value {
		f := rapid.OneOf(
			rapid.Float64Range(-protocol.MaxInteger, protocol.MaxInteger),
			rapid.SampledFrom([]float64{
				0, math.Copysign(0, -1), 1e-130, -1e-130, 1.0000000000000002, 5e-100, 0.1, 1 << 53, -(1 << 53), 1<<53 - 1, 123456789.123456789, 1e-7, 4.35e15,
			}),
		).Draw(t, "number")
		if f != 0 && math.Abs(f) < 1e-130 {
			f = 0
		}
		return must(protocol.NumberValue(f))
	})
	leaf := rapid.OneOf(
		rapid.SampledFrom([]protocol.Value{protocol.Null, protocol.True, protocol.False, protocol.StringValue(""), protocol.BytesValue(nil)}),
		number,
		rapid.Map(rapid.String(), protocol.StringValue),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 20), protocol.BytesValue),
	)
	if depth == 0 {
		return leaf
	}
	inner := drawValue(depth - 1)
	key := rapid.OneOf(rapid.StringN(1, 8, -1), rapid.SampledFrom([]string{"", mapInBytes, "a", "#", "S"}))
	return rapid.OneOf(leaf,
		rapid.Map(rapid.SliceOfN(inner, 0, 4), func(l []protocol.Value) protocol.Value { return must(protocol.ArrayValue(l...)) }),
		rapid.Map(rapid.MapOfN(key, inner, 0, 4), func(m map[string]protocol.Value) protocol.Value { return must(protocol.MapValue(m)) }),
	)
}

func drawFields(t *rapid.T) []protocol.FieldValue {
	name := rapid.OneOf(rapid.StringN(1, 20, protocol.MaxNameBytes), rapid.SampledFrom([]string{"a", "a.b", "size", "_conflicts", "name", "#", ":v"}))
	m := rapid.MapOfN(name.Filter(isField), drawValue(3), 0, 6).Draw(t, "fields")
	var fields []protocol.FieldValue
	for name, v := range m {
		fields = append(fields, protocol.FieldValue{Field: name, Value: v})
	}
	slices.SortFunc(fields, func(a, b protocol.FieldValue) int { return strings.Compare(a.Field, b.Field) })
	return fields
}

func drawImage(t *rapid.T, version uint64) space.Item {
	item := space.Item{Key: taskKey, Version: version, Fields: drawFields(t)}
	if meta := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "meta"); len(meta) > 0 {
		item.Meta = bytes.Repeat(meta, rapid.IntRange(1, 40).Draw(t, "times"))
	}
	return item
}

func TestValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawValue(5).Draw(t, "value")
		if back, err := valueOf(attributeOf(v)); err != nil || back != v {
			t.Fatalf("%v came back as %v, %v", v, back, err)
		}
	})
	deep := protocol.IntValue(1)
	for i := range protocol.MaxValueDepth {
		var err error
		if i%2 == 0 {
			deep, err = protocol.ArrayValue(deep)
		} else {
			deep, err = protocol.MapValue(map[string]protocol.Value{"k": deep})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if back, err := valueOf(attributeOf(deep)); err != nil || back != deep {
		t.Errorf("the deepest value came back as %v, %v", back, err)
	}
}

func TestItems(t *testing.T) {
	s := offline(t)
	rapid.Check(t, func(t *rapid.T) {
		item := drawImage(t, rapid.Uint64Min(1).Draw(t, "version"))
		a, err := s.encodeItem("p", "s", &item)
		if err != nil {
			t.Fatal(err)
		}
		img := s.decodeItem("p", "s", item.Key, a)
		if img.err != nil || !reflect.DeepEqual(img.item, item) || len(img.foreign) > 0 {
			t.Fatalf("%+v came back as %+v", item, img)
		}
		if img := s.decodeItem("p", "other", item.Key, a); img.err == nil || !img.wrecked {
			t.Fatal("it was taken for another item")
		}
		a[attrOurs] = &types.AttributeValueMemberB{Value: s.encodeOurs("p", "s", &item)}
		for name := range a {
			if isField(name) {
				a[name] = text("theirs")
			}
		}
		img = s.decodeItem("p", "s", item.Key, a)
		if img.err != nil || !reflect.DeepEqual(img.item, item) {
			t.Fatalf("beside theirs, %+v came back as %+v", item, img)
		}
	})
}

// Images that follow one another are stored one after the other on every engine,
// exactly, by a store that remembers and by one that reads.
func TestImages(t *testing.T) {
	engine.Each(t, func(t *testing.T, e *engine.Engine) {
		t.Parallel()
		config := newTable(t, e)
		remembers, reads := openStore(t, config), openStore(t, config)
		version := uint64(0)
		rapid.Check(t, func(rt *rapid.T) {
			for range 3 {
				version++
				item := drawImage(rt, version)
				if err := remembers.Put(t.Context(), board, []space.Item{item}); err != nil {
					rt.Fatalf("put %+v: %v", item, err)
				}
				reads.known = newKnownRecords(1 << 20)
				got, err := reads.Get(t.Context(), board, []space.ItemKey{taskKey})
				if err != nil || !reflect.DeepEqual(got[0], item) {
					rt.Fatalf("%+v came back as %+v, %v", item, got, err)
				}
				if rapid.Bool().Draw(rt, "change hands") {
					remembers, reads = reads, remembers
				}
			}
		})
	})
}

// More fields change than one request can change: whoever reads in between, or
// after the writer died, reads one image or the other.
func TestManyChanges(t *testing.T) {
	engine.Each(t, func(t *testing.T, e *engine.Engine) {
		t.Parallel()
		config := newTable(t, e)
		many := func(version uint64) space.Item {
			fields := map[string]any{"kept": "as it was"}
			for i := range 3*maxChanges + 50 {
				fields[fmt.Sprintf("field %d %d", i, version%2*uint64(i%2))] = version
			}
			return task(version, fields)
		}
		s := openStore(t, config)
		if err := s.Put(t.Context(), board, []space.Item{many(1)}); err != nil {
			t.Fatal(err)
		}
		// 525 changes are one request to stand beside, five of a hundred, and a last one.
		const requests = 7
		for version := uint64(2); version <= requests+2; version++ {
			// The writer gets so far, and dies.
			left := int(version) - 2
			ctx, die := context.WithCancel(t.Context())
			defer die()
			limited, faults := withFaults(t, config, nil)
			writer := openStore(t, limited)
			if _, err := writer.Get(t.Context(), board, []space.ItemKey{taskKey}); err != nil {
				t.Fatal(err)
			}
			faults.Choose = func(string) engine.Fault {
				if left--; left < 0 {
					die()
					return engine.LostRequest
				}
				return engine.None
			}
			err := writer.Put(ctx, board, []space.Item{many(version)})
			want := many(version)
			if version == 2 {
				want = many(1)
			}
			if version >= requests+2 != (err == nil) {
				t.Fatalf("version %d: put: %v", version, err)
			}
			got, err := openStore(t, config).Get(t.Context(), board, []space.ItemKey{taskKey})
			if err != nil || !reflect.DeepEqual(got[0], want) {
				t.Fatalf("version %d, %v: stored is version %d with %d fields", version, err, got[0].Version, len(got[0].Fields))
			}
		}
	})
}

// FuzzDecodeItem: whatever stands in the table, reading it does not panic, and
// what is accepted was written by us.
func FuzzDecodeItem(f *testing.F) {
	s := offline(f)
	item := task(5, map[string]any{"title": "ours", "n": 1, "tags": []any{"a", map[string]any{"": nil}}})
	a, err := s.encodeItem("p", "s", &item)
	if err != nil {
		f.Fatal(err)
	}
	ourImage := s.encodeOurs("p", "s", &item)
	f.Add("5", a[attrMeta].(*types.AttributeValueMemberB).Value, []byte(nil), []byte(`{"title":"ours","n":1}`), byte(0))
	f.Add("5", a[attrMeta].(*types.AttributeValueMemberB).Value, ourImage, []byte(`{"title":"theirs"}`), byte(7))
	f.Add("-1", []byte{protocol.Format, 1, 2}, []byte{}, []byte(`{"_":[]}`), byte(255))
	f.Fuzz(func(t *testing.T, version string, meta, our, fields []byte, types byte) {
		a := fuzzedItem(version, meta, our, fields, types)
		img := s.decodeItem("p", "s", taskKey, a)
		if img.err != nil {
			return
		}
		again, err := s.encodeItem("p", "s", &img.item)
		if err != nil {
			t.Fatalf("what was accepted cannot be written: %+v: %v", img.item, err)
		}
		if back := s.decodeItem("p", "s", taskKey, again); !reflect.DeepEqual(back.item, img.item) {
			t.Fatalf("%+v came back as %+v", img.item, back.item)
		}
	})
}

// fuzzedItem makes attributes of what a fuzzer has.
func fuzzedItem(version string, meta, our, fields []byte, kinds byte) attributes {
	pick := func(bit byte, b []byte) types.AttributeValue {
		if kinds&bit != 0 {
			return text(string(b))
		}
		return &types.AttributeValueMemberB{Value: b}
	}
	a := attributes{attrVersion: &types.AttributeValueMemberN{Value: version}, attrMeta: pick(8, meta)}
	if kinds&16 != 0 {
		a[attrVersion] = text(version)
	}
	if len(our) > 0 {
		a[attrOurs] = pick(32, our)
	}
	var named map[string]any
	if json.Unmarshal(fields, &named) == nil {
		for name, v := range named {
			a[name] = fuzzedValue(v, kinds)
		}
	}
	return a
}

func fuzzedValue(v any, kinds byte) types.AttributeValue {
	switch v := v.(type) {
	case nil:
		return &types.AttributeValueMemberNULL{Value: true}
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}
	case float64:
		return &types.AttributeValueMemberN{Value: fmt.Sprint(v)}
	case string:
		switch kinds % 5 {
		case 1:
			return &types.AttributeValueMemberN{Value: v}
		case 2:
			return &types.AttributeValueMemberB{Value: []byte(v)}
		case 3:
			return &types.AttributeValueMemberSS{Value: []string{v}}
		case 4:
			return nil
		}
		return text(v)
	case []any:
		l := make([]types.AttributeValue, len(v))
		for i := range v {
			l[i] = fuzzedValue(v[i], kinds)
		}
		return &types.AttributeValueMemberL{Value: l}
	case map[string]any:
		m := make(map[string]types.AttributeValue, len(v))
		for name, e := range v {
			m[name] = fuzzedValue(e, kinds)
		}
		return &types.AttributeValueMemberM{Value: m}
	}
	return nil
}
