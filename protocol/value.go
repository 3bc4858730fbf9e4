package protocol

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// Value is an immutable value of a field: null, bool, finite number, string,
// bytes, array or map, held as its canonical msgpack encoding. Two Values are
// equal exactly if == says so, and a Value can be a map key. The zero Value
// means "absent" and is not a value of the domain; null is [Null].
//
// The canonical form: integers in the shortest form; every integral double as
// an integer, −0 as 0; other doubles as float64; strings valid UTF-8; map keys
// strings, in byte order, without duplicates; no extension types; at most
// [MaxValueDepth] levels. Numbers beyond ±2^53, below 1e-130 in magnitude,
// infinite or NaN are refused by name (see [Refusal]): DynamoDB and JavaScript
// could not hold them.
type Value struct {
	encoded string
}

// ValueKind is what a Value is.
type ValueKind uint8

// The kinds of value. KindAbsent is the kind of the zero Value alone.
const (
	KindAbsent ValueKind = iota
	KindNull
	KindBool
	KindNumber
	KindString
	KindBytes
	KindArray
	KindMap
)

// String returns the kind's name.
func (k ValueKind) String() string {
	return [...]string{"absent", "null", "bool", "number", "string", "bytes", "array", "map"}[k]
}

// The values that need no making.
var (
	Null  = Value{"\xc0"}
	False = Value{"\xc2"}
	True  = Value{"\xc3"}
)

// DecodeValue reads one value that fills data. What is not canonical (other
// integer widths, integers written as floats, unsorted keys) is made so; what
// lies outside the domain is refused with an *Error whose Refusal says why.
// The value does not refer to data.
func DecodeValue(data []byte) (Value, error) {
	end, canonical, refusal := scanValue(data, 0, MaxValueDepth)
	if refusal == "" && end < len(data) {
		refusal = RefuseTrailing
	}
	if refusal != "" {
		return Value{}, refuse(refusal, "value, byte "+strconv.Itoa(end))
	}
	v, refusal := takeValue(data, canonical)
	if refusal != "" {
		return Value{}, refuse(refusal, "value")
	}
	return v, nil
}

// takeValue makes a Value of bytes that scanValue has accepted.
func takeValue(data []byte, canonical bool) (Value, Refusal) {
	if canonical {
		return Value{string(data)}, ""
	}
	w := newWriter(make([]byte, 0, len(data)+8), nil)
	_, refusal := canonicalise(w, data, 0)
	encoded := w.done()
	if refusal != "" {
		return Value{}, refusal
	}
	return Value{string(encoded)}, ""
}

// Kind says what v is.
func (v Value) Kind() ValueKind {
	if v.encoded == "" {
		return KindAbsent
	}
	switch c := v.encoded[0]; {
	case c <= codePosFixedMax || c >= codeNegFixedMin:
		return KindNumber
	case c <= codeFixMapMax:
		return KindMap
	case c <= codeFixArrayMax:
		return KindArray
	case c <= codeFixStrMax:
		return KindString
	case c == codeNil:
		return KindNull
	case c <= codeTrue:
		return KindBool
	case c <= codeBin32:
		return KindBytes
	case c <= codeInt64:
		return KindNumber
	case c <= codeStr32:
		return KindString
	case c <= codeArray32:
		return KindArray
	}
	return KindMap
}

// IsAbsent says whether v is the zero Value: no value at all.
func (v Value) IsAbsent() bool { return v.encoded == "" }

// Encoded returns v's canonical encoding; nothing if it is absent.
func (v Value) Encoded() []byte { return []byte(v.encoded) }

// AppendTo appends v's canonical encoding to dst.
func (v Value) AppendTo(dst []byte) []byte { return append(dst, v.encoded...) }

// Size returns the length of v's encoding in bytes.
func (v Value) Size() int { return len(v.encoded) }

// Compare orders values by the bytes of their encodings: a total order that is
// the same everywhere, and has nothing to do with the order of numbers.
func (v Value) Compare(w Value) int { return strings.Compare(v.encoded, w.encoded) }

// head returns v's token and its body. The encoding is canonical, so nothing
// can be wrong with it.
func (v Value) head() (token, string) {
	var prefix [9]byte
	n := copy(prefix[:], v.encoded)
	// readToken checks lengths against what it is given; here only the head counts.
	t, at := readHead(prefix[:n])
	return t, v.encoded[at:]
}

// Bool returns the boolean that v is.
func (v Value) Bool() (b, ok bool) {
	return v == True, v == True || v == False
}

// Int returns the integral number that v is.
func (v Value) Int() (n int64, ok bool) {
	if v.Kind() != KindNumber {
		return 0, false
	}
	t, _ := v.head()
	return t.number, t.kind == tokenInt
}

// Float returns the number that v is. Every number of the domain is a double
// exactly.
func (v Value) Float() (f float64, ok bool) {
	if v.Kind() != KindNumber {
		return 0, false
	}
	t, _ := v.head()
	if t.kind == tokenInt {
		return float64(t.number), true
	}
	return t.float, true
}

// Text returns the string that v is.
func (v Value) Text() (s string, ok bool) {
	if v.Kind() != KindString {
		return "", false
	}
	_, body := v.head()
	return body, true
}

// Bytes returns the bytes that v is.
func (v Value) Bytes() (b []byte, ok bool) {
	if v.Kind() != KindBytes {
		return nil, false
	}
	_, body := v.head()
	return []byte(body), true
}

// Len returns how many elements an array has, or how many keys a map; 0 for
// other kinds.
func (v Value) Len() int {
	switch v.Kind() {
	case KindArray:
		t, _ := v.head()
		return t.size
	case KindMap:
		t, _ := v.head()
		return t.size / 2
	}
	return 0
}

// Array returns the elements of the array that v is.
func (v Value) Array() (elements []Value, ok bool) {
	if v.Kind() != KindArray {
		return nil, false
	}
	t, body := v.head()
	elements = make([]Value, t.size)
	for i := range elements {
		elements[i], body = splitValue(body)
	}
	return elements, true
}

// Map returns the entries of the map that v is, in byte order of their keys.
func (v Value) Map() (entries []MapEntry, ok bool) {
	if v.Kind() != KindMap {
		return nil, false
	}
	t, body := v.head()
	entries = make([]MapEntry, t.size/2)
	for i := range entries {
		var key Value
		key, body = splitValue(body)
		entries[i].Key, _ = key.Text()
		entries[i].Value, body = splitValue(body)
	}
	return entries, true
}

// MapEntry is a key and its value.
type MapEntry struct {
	Key   string
	Value Value
}

// splitValue cuts the first value off a canonical encoding.
func splitValue(encoded string) (first Value, rest string) {
	end := valueEnd(encoded, 0)
	return Value{encoded[:end]}, encoded[end:]
}

// valueEnd returns where the value that begins at pos of a canonical encoding
// ends.
func valueEnd(encoded string, pos int) int {
	for open := 1; open > 0; open-- {
		var prefix [9]byte
		n := copy(prefix[:], encoded[pos:])
		t, at := readHead(prefix[:n])
		pos += at
		switch t.kind {
		case tokenString, tokenBytes:
			pos += t.size
		case tokenArray, tokenMap:
			open += t.size
		}
	}
	return pos
}

// Any returns v as plain Go: nil, bool, int64, float64, string, []byte, []any or
// map[string]any. Absent is nil too.
func (v Value) Any() any {
	switch v.Kind() {
	case KindBool:
		return v == True
	case KindNumber:
		if n, ok := v.Int(); ok {
			return n
		}
		f, _ := v.Float()
		return f
	case KindString:
		s, _ := v.Text()
		return s
	case KindBytes:
		b, _ := v.Bytes()
		return b
	case KindArray:
		elements, _ := v.Array()
		list := make([]any, len(elements))
		for i, element := range elements {
			list[i] = element.Any()
		}
		return list
	case KindMap:
		entries, _ := v.Map()
		m := make(map[string]any, len(entries))
		for _, entry := range entries {
			m[entry.Key] = entry.Value.Any()
		}
		return m
	}
	return nil
}

// String shows v to people, as JSON where JSON can say it; bytes as
// bytes(base64), and the zero Value as "absent".
func (v Value) String() string {
	var b strings.Builder
	v.show(&b)
	return b.String()
}

func (v Value) show(b *strings.Builder) {
	switch v.Kind() {
	case KindAbsent:
		b.WriteString("absent")
	case KindNull:
		b.WriteString("null")
	case KindBool:
		b.WriteString(strconv.FormatBool(v == True))
	case KindNumber:
		if n, ok := v.Int(); ok {
			b.WriteString(strconv.FormatInt(n, 10))
			return
		}
		f, _ := v.Float()
		b.WriteString(strconv.FormatFloat(f, 'g', -1, 64))
	case KindString:
		s, _ := v.Text()
		b.WriteString(strconv.Quote(s))
	case KindBytes:
		raw, _ := v.Bytes()
		b.WriteString("bytes(" + base64.StdEncoding.EncodeToString(raw) + ")")
	case KindArray:
		elements, _ := v.Array()
		b.WriteByte('[')
		for i, element := range elements {
			if i > 0 {
				b.WriteByte(',')
			}
			element.show(b)
		}
		b.WriteByte(']')
	case KindMap:
		entries, _ := v.Map()
		b.WriteByte('{')
		for i, entry := range entries {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Quote(entry.Key) + ":")
			entry.Value.show(b)
		}
		b.WriteByte('}')
	}
}

// BoolValue returns b as a Value.
func BoolValue(b bool) Value {
	if b {
		return True
	}
	return False
}

// StringValue returns s as a Value. Invalid UTF-8 in it is replaced by U+FFFD;
// [ValueOf] refuses it instead.
func StringValue(s string) Value {
	w := newWriter(make([]byte, 0, len(s)+5), nil)
	w.string(strings.ToValidUTF8(s, "\uFFFD"))
	return Value{string(w.done())}
}

// BytesValue returns b as a Value.
func BytesValue(b []byte) Value {
	w := newWriter(make([]byte, 0, len(b)+5), nil)
	w.bytes(b)
	return Value{string(w.done())}
}

// IntValue returns n as a Value. Beyond ±2^53 it returns the nearest number
// that is in the domain; [ValueOf] refuses such numbers instead.
func IntValue(n int64) Value {
	var buf [9]byte
	n = max(min(n, MaxInteger), -MaxInteger)
	return Value{string(appendInt(buf[:0], n))}
}

// NumberValue returns f as a Value, or an *Error if it lies outside the domain.
func NumberValue(f float64) (Value, error) {
	if refusal := checkNumber(f); refusal != "" {
		return Value{}, refuse(refusal, "number")
	}
	if f == math.Trunc(f) {
		return IntValue(int64(f)), nil
	}
	buf := [9]byte{codeFloat64}
	binary.BigEndian.PutUint64(buf[1:], math.Float64bits(f))
	return Value{string(buf[:])}, nil
}

// appendInt appends n in its shortest form.
func appendInt(dst []byte, n int64) []byte {
	w := newWriter(dst, nil)
	w.int(n)
	return w.done()
}
