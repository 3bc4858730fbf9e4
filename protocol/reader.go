package protocol

import (
	"math"
	"unicode/utf8"
	"unsafe"
)

// What decoding may allocate, in bytes for each byte read, and on top. A peer
// that sends to a server is held to little: what it may send there is opaque
// until it has been counted. A server's deliveries and our own log hold many
// small structures for few bytes, and refusing them would lose data: their bound
// follows from the least size on the wire of each structure, and is never met by
// what our encoders wrote.
const (
	memoryBase      = 64 << 10
	clientMemory    = 4
	deliveredMemory = 64
	// mutationBase leaves room for MaxOps ops, however short.
	mutationBase = 256 << 10
)

// reader reads msgpack from a slice, strictly. Its first error sticks: after it
// every method returns zeros, so that decoding code reads straight down and
// looks at err once.
//
// The library's decoder is not used here: it takes nil for 0 and −1 for 2^64−1,
// and trusts what arrays and maps declare. Seeing to that before each call means
// reading each head as the pre-scan does, and then nothing is left to call for.
type reader struct {
	data []byte
	pos  int
	// what is being read, for messages: a frame's name, "mutation", …
	what string
	// code is the code of errors about the bytes.
	code Code
	// memory is how many bytes may still be allocated.
	memory int
	// names, if not nil, resolves the numbers of collections and fields.
	names *NameTable
	// mutations is how many mutations the commit has that sections belong to; −1
	// where no commit is open.
	mutations int
	// only, if not 0, is the one type of frame that may come: another would already
	// have done its work on the names when it is found to be out of place.
	only FrameType
	err  *Error
}

func newReader(data []byte, what string, code Code, factor, base int) *reader {
	return &reader{data: data, what: what, code: code, memory: factor*len(data) + base, mutations: -1}
}

// fail notes the first error, with what and where.
func (r *reader) fail(field, format string, args ...any) {
	if r.err != nil {
		return
	}
	reason := Errorf(r.code, format, args...).Message
	r.err = Errorf(r.code, "%s: %s: %s (byte %d)", r.what, field, reason, r.pos)
}

func (r *reader) refuse(field string, refusal Refusal) {
	if r.err != nil {
		return
	}
	r.fail(field, "%s", refusalTexts[refusal])
	r.err.Refusal = refusal
}

// charge counts bytes that are about to be allocated.
func (r *reader) charge(field string, bytes int) bool {
	if r.err != nil {
		return false
	}
	if r.memory -= bytes; r.memory < 0 {
		code := CodeTooLarge
		if r.code == CodeDamaged {
			code = CodeDamaged // in the log nothing is anybody's fault
		}
		r.err = Errorf(code, "%s: %s: too many parts for its %d bytes", r.what, field, len(r.data))
		return false
	}
	return true
}

// allocate returns a slice of n elements, or nil if there is none or an error.
func allocate[T any](r *reader, field string, n int) []T {
	var element T
	if n == 0 || !r.charge(field, n*int(unsafe.Sizeof(element))) {
		return nil
	}
	return make([]T, n)
}

// more says whether there is something left to read.
func (r *reader) more() bool { return r.err == nil && r.pos < len(r.data) }

// end demands that everything was read.
func (r *reader) end() {
	if r.more() {
		r.refuse("end", RefuseTrailing)
	}
}

// peek returns the kind of the next element.
func (r *reader) peek() tokenKind {
	if r.err != nil {
		return tokenNil
	}
	t, _, refusal := readToken(r.data, r.pos)
	if refusal != "" {
		return tokenNil
	}
	return t.kind
}

func (r *reader) token(field string, want tokenKind) token {
	if r.err != nil {
		return token{}
	}
	t, next, refusal := readToken(r.data, r.pos)
	if refusal != "" {
		r.refuse(field, refusal)
		return token{}
	}
	if t.kind != want {
		r.fail(field, "expected %s, found %s", want, t.kind)
		return token{}
	}
	r.pos = next
	return t
}

// array reads the head of an array whose elements take at least least bytes.
func (r *reader) array(field string, least int) int {
	n := r.token(field, tokenArray).size
	if n*least > len(r.data)-r.pos {
		r.refuse(field, RefuseTruncated)
		return 0
	}
	return n
}

// tuple reads the head of an array that has exactly n elements.
func (r *reader) tuple(field string, n int) {
	if got := r.array(field, 1); got != n {
		r.arity(field, got, n)
	}
}

// arity demands that an array has want elements.
func (r *reader) arity(field string, got, want int) {
	if got != want {
		r.fail(field, "it has %d elements, not %d", got, want)
	}
}

// uint reads an unsigned integer up to 2^53: JavaScript has no greater ones.
func (r *reader) uint(field string) uint64 {
	t := r.token(field, tokenInt)
	if t.big || t.number < 0 || t.number > MaxInteger {
		r.fail(field, "expected an integer from 0 to 2^53")
		return 0
	}
	return uint64(t.number)
}

// int reads an integer of at most ±2^53.
func (r *reader) int(field string) int64 {
	t := r.token(field, tokenInt)
	if t.big || t.number > MaxInteger || t.number < -MaxInteger {
		r.fail(field, "expected an integer of at most ±2^53")
		return 0
	}
	return t.number
}

// small reads an unsigned integer up to limit.
func (r *reader) small(field string, limit uint64) uint64 {
	n := r.uint(field)
	if n > limit {
		r.fail(field, "%d is greater than %d", n, limit)
		return 0
	}
	return n
}

func (r *reader) uint32(field string) uint32 { return uint32(r.small(field, math.MaxUint32)) }

func (r *reader) bool(field string) bool { return r.token(field, tokenBool).number == 1 }

func (r *reader) time(field string) Time { return Time(r.int(field)) }

// handle reads the handle of a subscription, which is never 0.
func (r *reader) handle() Handle {
	h := r.uint32("handle")
	if h == 0 {
		r.fail("handle", "0 is no handle")
	}
	return Handle(h)
}

// body returns the bytes of a string or bytes token.
func (r *reader) body(t token) []byte {
	body := r.data[r.pos : r.pos+t.size]
	r.pos += t.size
	return body
}

// string reads a string; it is copied, so that it does not keep the message.
func (r *reader) string(field string) string {
	body := r.body(r.token(field, tokenString))
	if !utf8.Valid(body) {
		r.refuse(field, RefuseUTF8)
	}
	if !r.charge(field, rounded(len(body))) {
		return ""
	}
	return string(body)
}

// rounded is what an allocation of n bytes takes; a single byte takes none.
func rounded(n int) int {
	if n <= 1 {
		return 0
	}
	return (n + 15) &^ 15
}

// bytes reads bytes, copied.
func (r *reader) bytes(field string) []byte {
	body := r.body(r.token(field, tokenBytes))
	if len(body) == 0 || !r.charge(field, rounded(len(body))) {
		return nil
	}
	return append([]byte(nil), body...)
}

// view reads bytes and returns them as they lie in the input.
func (r *reader) view(field string) []byte { return r.body(r.token(field, tokenBytes)) }

// fixed reads bytes that must fill dst.
func (r *reader) fixed(field string, dst []byte) {
	body := r.view(field)
	if r.err == nil && len(body) != len(dst) {
		r.fail(field, "expected %d bytes, found %d", len(dst), len(body))
		return
	}
	copy(dst, body)
}

// fixedOrNone is fixed, but no bytes at all leave dst as it is.
func (r *reader) fixedOrNone(field string, dst []byte) {
	if body := r.view(field); len(body) > 0 {
		r.pos -= len(body)
		if len(body) != len(dst) {
			r.fail(field, "expected %d bytes or none, found %d", len(dst), len(body))
			return
		}
		r.pos += copy(dst, body)
	}
}

// id reads a record's or an element's id. A UUID has one form alone, its bytes:
// as a string it is refused, so that what is the same is encoded the same.
func (r *reader) id(field string) string {
	if r.peek() != tokenBytes {
		s := r.string(field)
		if _, ok := parseUUID(s); ok {
			r.fail(field, "a UUID travels as its 16 bytes")
		}
		return s
	}
	var id [16]byte
	r.fixed(field, id[:])
	if !r.charge(field, rounded(uuidLength)) {
		return ""
	}
	return formatUUID(id)
}

// name reads a collection or a field: a number of the table, or literally.
func (r *reader) name(field string) string {
	if r.peek() != tokenInt {
		return r.string(field)
	}
	n := r.uint(field)
	name, ok := r.names.Name(n)
	if !ok {
		r.fail(field, "name %d is not in the table", n)
	}
	return name
}

// value reads a value of the domain.
func (r *reader) value(field string) Value {
	if r.err != nil {
		return Value{}
	}
	end, canonical, refusal := scanValue(r.data, r.pos, MaxValueDepth)
	if refusal == "" {
		raw := r.data[r.pos:end]
		size := rounded(len(raw))
		if !canonical {
			// The keys of a map that must be sorted, the result while it grows, and the
			// result.
			size *= 3
		}
		if !r.charge(field, size) {
			return Value{}
		}
		var v Value
		if v, refusal = takeValue(raw, canonical); refusal == "" {
			r.pos = end
			return v
		}
	}
	r.refuse(field, refusal)
	return Value{}
}

// optional reads a value that may be absent: [] or [value].
func (r *reader) optional(field string) Value {
	switch n := r.array(field, 1); n {
	case 0:
		return Value{}
	case 1:
		return r.value(field)
	default:
		r.fail(field, "expected at most one value, found %d", n)
		return Value{}
	}
}

// skip passes over one element and returns its bytes.
func (r *reader) skip(field string) []byte {
	if r.err != nil {
		return nil
	}
	end, refusal := skip(r.data, r.pos)
	if refusal != "" {
		r.refuse(field, refusal)
		return nil
	}
	raw := r.data[r.pos:end]
	r.pos = end
	return raw
}

func (r *reader) strings(field string) []string {
	list := allocate[string](r, field, r.array(field, 1))
	for i := range list {
		list[i] = r.string(field)
	}
	return list
}

func (r *reader) recent(field string) []Recent {
	list := allocate[Recent](r, field, r.array(field, 3+len(Hash{})))
	for i := range list {
		r.tuple(field, 2)
		r.fixed(field, list[i].Hash[:])
		list[i].Rejected = r.bool(field)
	}
	return list
}

func (r *reader) cursor(field string) (c Cursor) {
	r.tuple(field, 2)
	c.Seq = r.uint(field)
	r.fixed(field, c.Commit[:])
	return c
}
