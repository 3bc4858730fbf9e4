package transfer

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// What bodies are made of: a number is a uvarint, bytes have their length before
// them.
//
//	file      = bytes source ‖ bytes selection
//	space     = bytes tenant ‖ bytes name ‖ watermark's version
//	log       = first seq ‖ (bytes entry) …
//	items     = kind ‖ item …
//	item      = bytes A ‖ bytes B ‖ version ‖ bytes meta ‖ number of fields ‖ (bytes path ‖ bytes value) …
//	space end = commits ‖ first ‖ last ‖ items ‖ 32 bytes ‖ 32 bytes
//	file end  = spaces
//
// The value of a field that holds none is empty.

func appendBytes[T ~string | ~[]byte](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func appendItem(dst []byte, item *space.Item) []byte {
	dst = appendBytes(dst, item.Key.A)
	dst = appendBytes(dst, item.Key.B)
	dst = binary.AppendUvarint(dst, item.Version)
	dst = appendBytes(dst, item.Meta)
	dst = binary.AppendUvarint(dst, uint64(len(item.Fields)))
	for _, f := range item.Fields {
		dst = appendBytes(dst, f.Field)
		dst = appendBytes(dst, f.Value.Encoded())
	}
	return dst
}

var errShort = errors.New("it ends too early")

// decoder takes a body apart; the first error sticks and zeros follow.
type decoder struct {
	data []byte
	err  error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.data = nil
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.data)
	if size <= 0 {
		d.fail(errShort)
		return 0
	}
	d.data = d.data[size:]
	return n
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.data)) {
		d.fail(errShort)
		return nil
	}
	b := d.data[:n:n]
	d.data = d.data[n:]
	return b
}

func (d *decoder) bytes() []byte  { return d.take(d.uint()) }
func (d *decoder) string() string { return string(d.bytes()) }

// end returns the first error; bytes that are left over are one.
func (d *decoder) end() error {
	if d.err == nil && len(d.data) > 0 {
		d.fail(errors.New("something follows its end"))
	}
	return d.err
}

// item reads an item; encoded is what it was read from.
func (d *decoder) item(kind space.ItemKind) (item space.Item, encoded []byte) {
	from := d.data
	item.Key = space.ItemKey{Kind: kind, A: d.string(), B: d.string()}
	item.Version = d.uint()
	if meta := d.bytes(); len(meta) > 0 {
		item.Meta = meta
	}
	count := d.uint()
	if count > uint64(len(d.data))/2 { // a field takes two bytes at least
		d.fail(errShort)
		return item, nil
	}
	if count > 0 {
		item.Fields = make([]protocol.FieldValue, count)
	}
	for i := range item.Fields {
		item.Fields[i].Field = d.string()
		encoded := d.bytes()
		if d.err != nil {
			return item, nil
		}
		if len(encoded) == 0 {
			continue
		}
		value, err := protocol.DecodeValue(encoded)
		if err != nil {
			d.fail(fmt.Errorf("field %q: %w", item.Fields[i].Field, err))
			return item, nil
		}
		item.Fields[i].Value = value
	}
	if d.err != nil {
		return item, nil
	}
	return item, from[: len(from)-len(d.data) : len(from)-len(d.data)]
}

func decodeLog(body []byte) ([]space.LogItem, error) {
	d := decoder{data: body}
	var entries []space.LogItem
	for seq := d.uint(); d.err == nil && len(d.data) > 0; seq++ {
		if seq == 0 {
			d.fail(errors.New("it has a commit 0"))
		}
		entries = append(entries, space.LogItem{Seq: seq, Data: d.bytes()})
	}
	if d.err == nil && len(entries) == 0 {
		d.fail(errors.New("it is empty"))
	}
	return entries, d.end()
}

// encodedItem is an item with what it was decoded from.
type encodedItem struct {
	space.Item
	encoded []byte
}

func decodeItems(body []byte) ([]encodedItem, error) {
	d := decoder{data: body}
	kind := d.uint()
	if kind > 0xff {
		d.fail(fmt.Errorf("items of kind %d", kind))
	}
	var items []encodedItem
	for d.err == nil && len(d.data) > 0 {
		item, encoded := d.item(space.ItemKind(kind))
		if d.err == nil && item.Version == 0 {
			d.fail(fmt.Errorf("%s has version 0", item.Key))
		}
		items = append(items, encodedItem{item, encoded})
	}
	if d.err == nil && len(items) == 0 {
		d.fail(errors.New("it is empty"))
	}
	return items, d.end()
}

func decodeSums(body []byte) (s sums, err error) {
	d := decoder{data: body}
	s.commits, s.first, s.last, s.items = d.uint(), d.uint(), d.uint(), d.uint()
	copy(s.log[:], d.take(uint64(len(s.log))))
	copy(s.rest[:], d.take(uint64(len(s.rest))))
	return s, d.end()
}
