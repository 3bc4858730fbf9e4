package protocol

import (
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// writer appends msgpack to a slice. Its errors are those of its io.Writer,
// itself, which has none.
type writer struct {
	enc *msgpack.Encoder
	buf []byte
	// names, if not nil, gives collections and fields their numbers.
	names *NameTable
}

var writers = sync.Pool{New: func() any {
	w := new(writer)
	w.enc = msgpack.NewEncoder(w)
	return w
}}

// newWriter takes a writer that appends to dst; end it with done.
func newWriter(dst []byte, names *NameTable) *writer {
	w := writers.Get().(*writer)
	w.buf, w.names = dst, names
	return w
}

// done returns what was appended and gives the writer back.
func (w *writer) done() []byte {
	out := w.buf
	w.buf, w.names = nil, nil
	writers.Put(w)
	return out
}

// Write and WriteByte are the library's way in.

func (w *writer) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	return len(p), nil
}

func (w *writer) WriteByte(b byte) error {
	w.buf = append(w.buf, b)
	return nil
}

func (w *writer) array(n int)     { _ = w.enc.EncodeArrayLen(n) }
func (w *writer) uint(n uint64)   { _ = w.enc.EncodeUint(n) }
func (w *writer) int(n int64)     { _ = w.enc.EncodeInt(n) }
func (w *writer) bool(b bool)     { _ = w.enc.EncodeBool(b) }
func (w *writer) string(s string) { _ = w.enc.EncodeString(s) }

func (w *writer) bytes(b []byte) {
	_ = w.enc.EncodeBytesLen(len(b))
	w.buf = append(w.buf, b...)
}

// value writes v, whose encoding is what travels. A value that must be there and
// is absent is a mistake of the caller's; null keeps the frame readable.
func (w *writer) value(v Value) {
	if v.IsAbsent() {
		v = Null
	}
	w.buf = append(w.buf, v.encoded...)
}

// optional writes a value that may be absent: [] or [value].
func (w *writer) optional(v Value) {
	if v.IsAbsent() {
		w.array(0)
		return
	}
	w.array(1)
	w.value(v)
}

// id writes a record's or an element's id: a canonical UUID as its 16 bytes,
// anything else as a string.
func (w *writer) id(s string) {
	if id, ok := parseUUID(s); ok {
		w.bytes(id[:])
		return
	}
	w.string(s)
}

// name writes a collection or a field: its number, or literally.
func (w *writer) name(s string) {
	if n, ok := w.names.Number(s); ok {
		w.uint(n)
		return
	}
	w.string(s)
}

func (w *writer) strings(list []string) {
	w.array(len(list))
	for _, s := range list {
		w.string(s)
	}
}

func (w *writer) recent(list []Recent) {
	w.array(len(list))
	for i := range list {
		w.array(2)
		w.bytes(list[i].Hash[:])
		w.bool(list[i].Rejected)
	}
}

func (w *writer) cursor(c Cursor) {
	w.array(2)
	w.uint(c.Seq)
	w.bytes(c.Commit[:])
}
