package protocol

// Value is an immutable value of a field: null, bool, finite number, string,
// bytes, array or map, held as its canonical msgpack encoding. Two Values are
// equal exactly if == says so, and a Value can be a map key. The zero Value
// means "absent" and is not a value of the domain; null is [Null].
//
// The canonical form: integers in the shortest form; every integral double as
// an integer, −0 as 0; other doubles as float64; strings valid UTF-8; map keys
// strings, in byte order, without duplicates; no extension types; at most
// [MaxDepth] levels. Numbers beyond ±2^53 when integral, below 1e-130 in
// magnitude, infinite or NaN are refused by name: DynamoDB and JavaScript could
// not hold them.
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
