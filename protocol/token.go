package protocol

import "math"

// The codes of msgpack. The library has them as variables, which a switch cannot
// jump on.
const (
	codePosFixedMax = 0x7f
	codeFixMapMax   = 0x8f
	codeFixArrayMax = 0x9f
	codeFixStrMax   = 0xbf
	codeNil         = 0xc0
	codeFalse       = 0xc2
	codeTrue        = 0xc3
	codeBin8        = 0xc4
	codeBin16       = 0xc5
	codeBin32       = 0xc6
	codeExt8        = 0xc7
	codeExt16       = 0xc8
	codeExt32       = 0xc9
	codeFloat32     = 0xca
	codeFloat64     = 0xcb
	codeUint8       = 0xcc
	codeUint16      = 0xcd
	codeUint32      = 0xce
	codeUint64      = 0xcf
	codeInt8        = 0xd0
	codeInt16       = 0xd1
	codeInt32       = 0xd2
	codeInt64       = 0xd3
	codeFixExt1     = 0xd4
	codeFixExt2     = 0xd5
	codeFixExt4     = 0xd6
	codeFixExt8     = 0xd7
	codeFixExt16    = 0xd8
	codeStr8        = 0xd9
	codeStr16       = 0xda
	codeStr32       = 0xdb
	codeArray16     = 0xdc
	codeArray32     = 0xdd
	codeMap16       = 0xde
	codeMap32       = 0xdf
	codeNegFixedMin = 0xe0
)

// tokenKind is what a msgpack token begins.
type tokenKind uint8

const (
	tokenNil tokenKind = iota
	tokenBool
	tokenInt
	tokenFloat
	tokenString
	tokenBytes
	tokenArray
	tokenMap
	tokenExtension
)

func (k tokenKind) String() string {
	return [...]string{"nil", "a boolean", "an integer", "a float", "a string", "bytes", "an array", "a map", "an extension"}[k]
}

// token is the head of one msgpack element.
type token struct {
	kind tokenKind
	// shortest is false if the same could have been written in fewer bytes.
	shortest bool
	// size is the number of bytes of a string, bytes or extension, or the number of
	// children of an array or map (a key and a value are two).
	size int
	// number is an integer's value; big is set if it lies beyond int64.
	number int64
	big    bool
	float  float64
}

// readToken reads the head of the element at pos and returns where its body
// begins. It checks that what the head declares can be there at all: so many
// bytes, or at least one byte for each child. It allocates nothing.
func readToken(data []byte, pos int) (t token, next int, refusal Refusal) {
	t, next, refusal = head(data, pos)
	if refusal == "" && t.size > len(data)-next {
		refusal = RefuseTruncated
	}
	return t, next, refusal
}

// readHead is readToken for a head alone, of an encoding known to be sound.
func readHead(data []byte) (token, int) {
	t, next, _ := head(data, 0)
	return t, next
}

func head(data []byte, pos int) (t token, next int, refusal Refusal) {
	if pos >= len(data) {
		return t, pos, RefuseTruncated
	}
	c := data[pos]
	pos++
	t.shortest = true
	var width int
	switch {
	case c <= codePosFixedMax:
		t.kind, t.number = tokenInt, int64(c)
		return t, pos, ""
	case c >= codeNegFixedMin:
		t.kind, t.number = tokenInt, int64(int8(c))
		return t, pos, ""
	case c <= codeFixMapMax:
		t.kind, t.size = tokenMap, 2*int(c&0x0f)
	case c <= codeFixArrayMax:
		t.kind, t.size = tokenArray, int(c&0x0f)
	case c <= codeFixStrMax:
		t.kind, t.size = tokenString, int(c&0x1f)
	default:
		switch c {
		case codeNil:
			t.kind = tokenNil
			return t, pos, ""
		case codeFalse, codeTrue:
			t.kind, t.number = tokenBool, int64(c&1)
			return t, pos, ""
		case codeUint8, codeInt8, codeStr8, codeBin8, codeExt8:
			width = 1
		case codeUint16, codeInt16, codeStr16, codeBin16, codeArray16, codeMap16, codeExt16:
			width = 2
		case codeUint32, codeInt32, codeStr32, codeBin32, codeArray32, codeMap32, codeExt32, codeFloat32:
			width = 4
		case codeUint64, codeInt64, codeFloat64:
			width = 8
		case codeFixExt1, codeFixExt2, codeFixExt4, codeFixExt8, codeFixExt16:
			t.kind, t.size = tokenExtension, 1+1<<(c-codeFixExt1)
		default:
			return t, pos, RefuseInvalid
		}
	}
	if width > 0 {
		if len(data)-pos < width {
			return t, pos, RefuseTruncated
		}
		t.wide(c, data[pos:pos+width])
		pos += width
	}
	return t, pos, ""
}

// wide fills in a token whose value or length stands in bytes of its own.
func (t *token) wide(c byte, body []byte) {
	var raw uint64
	for _, b := range body {
		raw = raw<<8 | uint64(b)
	}
	// Nothing that is read here is a gigabyte long: a greater length is cut to one
	// that is certainly not there, and that an int of 32 bits can double.
	length := int(min(raw, 1<<29))
	switch c {
	case codeUint8, codeUint16, codeUint32, codeUint64:
		t.kind, t.number, t.big = tokenInt, int64(raw), raw > math.MaxInt64
		t.shortest = unsignedWidth(raw) == len(body)
	case codeInt8, codeInt16, codeInt32, codeInt64:
		unused := 64 - 8*len(body)
		t.kind, t.number = tokenInt, int64(raw)<<unused>>unused
		t.shortest = t.number < 0 && signedWidth(t.number) == len(body)
	case codeFloat32:
		t.kind, t.float, t.shortest = tokenFloat, float64(math.Float32frombits(uint32(raw))), false
	case codeFloat64:
		t.kind, t.float = tokenFloat, math.Float64frombits(raw)
	case codeStr8:
		t.kind, t.size, t.shortest = tokenString, length, raw > 31
	case codeStr16, codeStr32:
		t.kind, t.size, t.shortest = tokenString, length, unsignedWidth(raw) == len(body)
	case codeBin8, codeBin16, codeBin32:
		t.kind, t.size, t.shortest = tokenBytes, length, max(unsignedWidth(raw), 1) == len(body)
	case codeArray16:
		t.kind, t.size, t.shortest = tokenArray, length, raw > 15
	case codeArray32:
		t.kind, t.size, t.shortest = tokenArray, length, raw > math.MaxUint16
	case codeMap16:
		t.kind, t.size, t.shortest = tokenMap, 2*length, raw > 15
	case codeMap32:
		t.kind, t.size, t.shortest = tokenMap, 2*length, raw > math.MaxUint16
	case codeExt8, codeExt16, codeExt32:
		t.kind, t.size = tokenExtension, length+1
	}
}

// unsignedWidth is how many bytes n needs behind its msgpack code; 0 if it
// stands in the code itself.
func unsignedWidth(n uint64) int {
	switch {
	case n <= math.MaxInt8:
		return 0
	case n <= math.MaxUint8:
		return 1
	case n <= math.MaxUint16:
		return 2
	case n <= math.MaxUint32:
		return 4
	}
	return 8
}

// signedWidth is unsignedWidth for negative numbers.
func signedWidth(n int64) int {
	switch {
	case n >= -32:
		return 0
	case n >= math.MinInt8:
		return 1
	case n >= math.MinInt16:
		return 2
	case n >= math.MinInt32:
		return 4
	}
	return 8
}
