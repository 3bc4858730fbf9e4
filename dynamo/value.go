package dynamo

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tidegate/tidegate/protocol"
)

// A field's value is a native attribute: null, bool, number, string and bytes as
// NULL, BOOL, N, S and B, an array (also that of a set field) as L, a map as M.
// DynamoDB holds every value of the domain but maps with a key that is empty or
// very long. Such a map stands as M with the one key mapInBytes, and its
// encoding in it, as does a map that looks like that.

const (
	mapInBytes = "_"
	maxMapKey  = 32 << 10
	maxDepth   = protocol.MaxValueDepth
)

// errValue: an attribute is not what Tidegate writes.
var errValue = errors.New("not a value of Tidegate")

// attributeOf returns the native form of a value, which must not be absent.
func attributeOf(v protocol.Value) types.AttributeValue {
	switch v.Kind() {
	case protocol.KindNull:
		return &types.AttributeValueMemberNULL{Value: true}
	case protocol.KindBool:
		b, _ := v.Bool()
		return &types.AttributeValueMemberBOOL{Value: b}
	case protocol.KindNumber:
		if n, ok := v.Int(); ok {
			return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
		}
		// The shortest text that gives the same double: 17 digits at most, of the 38
		// that DynamoDB keeps.
		f, _ := v.Float()
		return &types.AttributeValueMemberN{Value: strconv.FormatFloat(f, 'g', -1, 64)}
	case protocol.KindString:
		s, _ := v.Text()
		return &types.AttributeValueMemberS{Value: s}
	case protocol.KindBytes:
		b, _ := v.Bytes()
		return &types.AttributeValueMemberB{Value: b}
	case protocol.KindArray:
		elements, _ := v.Array()
		list := make([]types.AttributeValue, len(elements))
		for i, e := range elements {
			list[i] = attributeOf(e)
		}
		return &types.AttributeValueMemberL{Value: list}
	}
	entries, _ := v.Map()
	m := make(map[string]types.AttributeValue, len(entries))
	for _, e := range entries {
		if e.Key == "" || len(e.Key) > maxMapKey || e.Key == mapInBytes && len(entries) == 1 {
			encoded := &types.AttributeValueMemberB{Value: v.Encoded()}
			return &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{mapInBytes: encoded}}
		}
		m[e.Key] = attributeOf(e.Value)
	}
	return &types.AttributeValueMemberM{Value: m}
}

// valueOf is the inverse of attributeOf. Anybody may have written the attribute:
// what is no value of the domain is an error.
func valueOf(a types.AttributeValue) (protocol.Value, error) { return valueWithin(a, maxDepth) }

func valueWithin(a types.AttributeValue, depth int) (protocol.Value, error) {
	if depth < 0 {
		return protocol.Value{}, fmt.Errorf("%w: nested too deep", errValue)
	}
	switch a := a.(type) {
	case *types.AttributeValueMemberNULL:
		return protocol.Null, nil
	case *types.AttributeValueMemberBOOL:
		return protocol.BoolValue(a.Value), nil
	case *types.AttributeValueMemberN:
		f, err := strconv.ParseFloat(a.Value, 64)
		if err != nil {
			return protocol.Value{}, fmt.Errorf("%w: number %.40q", errValue, a.Value)
		}
		v, err := protocol.NumberValue(f)
		if err != nil {
			return protocol.Value{}, fmt.Errorf("%w: number %.40q: %w", errValue, a.Value, err)
		}
		return v, nil
	case *types.AttributeValueMemberS:
		return protocol.ValueOf(a.Value)
	case *types.AttributeValueMemberB:
		return protocol.BytesValue(a.Value), nil
	case *types.AttributeValueMemberL:
		elements := make([]protocol.Value, len(a.Value))
		for i, e := range a.Value {
			var err error
			if elements[i], err = valueWithin(e, depth-1); err != nil {
				return protocol.Value{}, err
			}
		}
		return protocol.ArrayValue(elements...)
	case *types.AttributeValueMemberM:
		if encoded, ok := a.Value[mapInBytes].(*types.AttributeValueMemberB); ok && len(a.Value) == 1 {
			return protocol.DecodeValue(encoded.Value)
		}
		entries := make(map[string]protocol.Value, len(a.Value))
		for name, e := range a.Value {
			var err error
			if entries[name], err = valueWithin(e, depth-1); err != nil {
				return protocol.Value{}, err
			}
		}
		return protocol.MapValue(entries)
	case nil:
		return protocol.Value{}, fmt.Errorf("%w: nothing", errValue)
	}
	return protocol.Value{}, fmt.Errorf("%w: it is a %s", errValue, typeOf(a))
}

// typeOf names the type of an attribute as DynamoDB's documentation does.
func typeOf(a types.AttributeValue) string {
	switch a.(type) {
	case *types.AttributeValueMemberNULL:
		return "NULL"
	case *types.AttributeValueMemberBOOL:
		return "BOOL"
	case *types.AttributeValueMemberN:
		return "N"
	case *types.AttributeValueMemberS:
		return "S"
	case *types.AttributeValueMemberB:
		return "B"
	case *types.AttributeValueMemberL:
		return "L"
	case *types.AttributeValueMemberM:
		return "M"
	case *types.AttributeValueMemberSS:
		return "SS"
	case *types.AttributeValueMemberNS:
		return "NS"
	case *types.AttributeValueMemberBS:
		return "BS"
	case nil:
		return "missing"
	}
	return fmt.Sprintf("%T", a)
}
