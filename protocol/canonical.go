package protocol

import (
	"bytes"
	"math"
	"slices"
	"unicode/utf8"
)

// smallestNumber is the least magnitude, other than 0, of a number: DynamoDB's.
const smallestNumber = 1e-130

// checkNumber says whether a double lies in the domain.
func checkNumber(f float64) Refusal {
	switch {
	case math.IsNaN(f):
		return RefuseNaN
	case math.IsInf(f, 0):
		return RefuseInfinite
	case f > MaxInteger || f < -MaxInteger:
		return RefuseRange // every double of that size is integral
	case f != 0 && math.Abs(f) < smallestNumber:
		return RefuseTiny
	}
	return ""
}

// scanValue checks the value that begins at pos and returns where it ends, and
// whether its bytes are canonical as they stand. depth is how many more levels
// of arrays and maps it may open. It allocates nothing.
func scanValue(data []byte, pos, depth int) (end int, canonical bool, refusal Refusal) {
	t, pos, refusal := readToken(data, pos)
	if refusal != "" {
		return pos, false, refusal
	}
	switch t.kind {
	case tokenInt:
		if t.big || t.number > MaxInteger || t.number < -MaxInteger {
			return pos, false, RefuseRange
		}
	case tokenFloat:
		if refusal := checkNumber(t.float); refusal != "" {
			return pos, false, refusal
		}
		if t.float == math.Trunc(t.float) {
			t.shortest = false // an integer, or −0
		}
	case tokenString:
		if !utf8.Valid(data[pos : pos+t.size]) {
			return pos, false, RefuseUTF8
		}
		pos += t.size
	case tokenBytes:
		pos += t.size
	case tokenExtension:
		return pos, false, RefuseExtension
	case tokenArray:
		if depth == 0 {
			return pos, false, RefuseDepth
		}
		canonical = t.shortest
		for range t.size {
			next, ok, refusal := scanValue(data, pos, depth-1)
			if refusal != "" {
				return next, false, refusal
			}
			pos, canonical = next, canonical && ok
		}
		return pos, canonical, ""
	case tokenMap:
		if depth == 0 {
			return pos, false, RefuseDepth
		}
		return scanMap(data, pos, depth-1, t)
	}
	return pos, t.shortest, ""
}

func scanMap(data []byte, pos, depth int, t token) (end int, canonical bool, refusal Refusal) {
	canonical = t.shortest
	var previous []byte
	for i := range t.size / 2 {
		key, body, refusal := readToken(data, pos)
		if refusal != "" {
			return body, false, refusal
		}
		if key.kind != tokenString {
			return pos, false, RefuseKey
		}
		text := data[body : body+key.size]
		if !utf8.Valid(text) {
			return body, false, RefuseUTF8
		}
		if i > 0 && bytes.Compare(previous, text) >= 0 {
			canonical = false // out of order, or there twice: canonicalise sees which
		}
		previous = text
		next, ok, refusal := scanValue(data, body+key.size, depth)
		if refusal != "" {
			return next, false, refusal
		}
		pos, canonical = next, canonical && key.shortest && ok
	}
	return pos, canonical, ""
}

// canonicalise appends the canonical form of the value at pos, which scanValue
// has accepted. Only repeated map keys are still found here.
func canonicalise(w *writer, data []byte, pos int) (end int, refusal Refusal) {
	t, pos, _ := readToken(data, pos)
	switch t.kind {
	case tokenNil:
		w.value(Null)
	case tokenBool:
		w.bool(t.number == 1)
	case tokenInt:
		w.int(t.number)
	case tokenFloat:
		w.float(t.float)
	case tokenString:
		w.text(data[pos : pos+t.size])
		pos += t.size
	case tokenBytes:
		w.bytes(data[pos : pos+t.size])
		pos += t.size
	case tokenArray:
		w.array(t.size)
		for range t.size {
			if pos, refusal = canonicalise(w, data, pos); refusal != "" {
				return pos, refusal
			}
		}
	case tokenMap:
		return canonicaliseMap(w, data, pos, t.size/2)
	}
	return pos, ""
}

func canonicaliseMap(w *writer, data []byte, pos, entries int) (end int, refusal Refusal) {
	// Offsets of the keys are all that is kept: four bytes for each entry of at
	// least two.
	keys := make([]uint32, entries)
	for i := range keys {
		keys[i] = uint32(pos)
		key, body, _ := readToken(data, pos)
		pos, _, _ = scanValue(data, body+key.size, MaxDepth)
	}
	keyAt := func(offset uint32) (text []byte, value int) {
		key, body, _ := readToken(data, int(offset))
		return data[body : body+key.size], body + key.size
	}
	slices.SortFunc(keys, func(a, b uint32) int {
		left, _ := keyAt(a)
		right, _ := keyAt(b)
		return bytes.Compare(left, right)
	})
	_ = w.enc.EncodeMapLen(entries)
	var previous []byte
	for i, offset := range keys {
		text, value := keyAt(offset)
		if i > 0 && bytes.Equal(previous, text) {
			return int(offset), RefuseDuplicate
		}
		previous = text
		w.text(text)
		if at, refusal := canonicalise(w, data, value); refusal != "" {
			return at, refusal
		}
	}
	return pos, ""
}

// float writes a number of the domain in its canonical form.
func (w *writer) float(f float64) {
	if f == math.Trunc(f) {
		w.int(int64(f))
		return
	}
	_ = w.enc.EncodeFloat64(f)
}

// text writes the bytes of a string.
func (w *writer) text(b []byte) {
	switch n := len(b); {
	case n <= 31:
		w.buf = append(w.buf, codeFixStrMax-31+byte(n))
	case n <= math.MaxUint8:
		w.buf = append(w.buf, codeStr8, byte(n))
	case n <= math.MaxUint16:
		w.buf = append(w.buf, codeStr16, byte(n>>8), byte(n))
	default:
		w.buf = append(w.buf, codeStr32, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	w.buf = append(w.buf, b...)
}

// refusalTexts say in words what a Refusal means.
var refusalTexts = map[Refusal]string{
	RefuseTruncated: "the value is cut off",
	RefuseTrailing:  "something follows the value",
	RefuseInvalid:   "the byte 0xc1 begins nothing",
	RefuseExtension: "extension types are not values",
	RefuseDepth:     "the value is nested deeper than 24 levels",
	RefuseInfinite:  "a number is infinite",
	RefuseNaN:       "a number is NaN",
	RefuseRange:     "a number lies beyond ±2^53",
	RefuseTiny:      "a number is nearer to 0 than 1e-130",
	RefuseUTF8:      "a string is not valid UTF-8",
	RefuseKey:       "a map key is not a string",
	RefuseDuplicate: "a map key stands twice",
	RefuseType:      "it is of no type that a value can have",
}

func refuse(refusal Refusal, where string) *Error {
	err := Errorf(CodeMalformed, "%s: %s", where, refusalTexts[refusal])
	err.Refusal = refusal
	return err
}
