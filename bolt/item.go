package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// An item's value is
//
//	format byte ‖ uvarint(version) ‖ bytes(meta) ‖ uvarint(number of fields) ‖ fields
//
// where bytes(x) is uvarint(len(x)) ‖ x and a field is bytes(path) ‖
// bytes(value); an absent value is empty. The version stands in front because
// every put reads it. FieldValue.Was belongs to mutations and is not stored.

var errItem = errors.New("item cannot be read")

func encodeItem(item *space.Item) []byte {
	size := 1 + 3*binary.MaxVarintLen64 + len(item.Meta)
	for _, f := range item.Fields {
		size += 2*binary.MaxVarintLen32 + len(f.Field) + f.Value.Size()
	}
	b := protocol.AppendFormat(make([]byte, 0, size))
	b = binary.AppendUvarint(b, item.Version)
	b = appendBytes(b, item.Meta)
	b = binary.AppendUvarint(b, uint64(len(item.Fields)))
	for _, f := range item.Fields {
		b = appendBytes(b, f.Field)
		b = appendBytes(b, f.Value.Encoded())
	}
	return b
}

// itemVersion reads the version of a stored item alone.
func itemVersion(stored []byte) (version uint64, rest []byte, err error) {
	if len(stored) == 0 || stored[0] != format {
		return 0, nil, fmt.Errorf("%w: unknown format", errItem)
	}
	version, n := binary.Uvarint(stored[1:])
	if n <= 0 {
		return 0, nil, fmt.Errorf("%w: no version", errItem)
	}
	return version, stored[1+n:], nil
}

// decodeItem decodes a stored item. Nothing of it shares memory with stored.
func decodeItem(key space.ItemKey, stored []byte) (space.Item, error) {
	version, rest, err := itemVersion(stored)
	if err != nil {
		return space.Item{}, err
	}
	meta, rest, ok := cutBytes(rest)
	count, n := binary.Uvarint(rest)
	// A field takes two bytes at least: no count can make us allocate more than
	// the value holds.
	if !ok || n <= 0 || count > uint64(len(rest))/2 {
		return space.Item{}, fmt.Errorf("%w: cut off", errItem)
	}
	rest = rest[n:]
	item := space.Item{Key: key, Version: version}
	if len(meta) > 0 {
		item.Meta = append([]byte(nil), meta...)
	}
	if count > 0 {
		item.Fields = make([]protocol.FieldValue, count)
	}
	for i := range item.Fields {
		var path, value []byte
		path, rest, ok = cutBytes(rest)
		if !ok {
			return space.Item{}, fmt.Errorf("%w: cut off in field %d", errItem, i+1)
		}
		value, rest, ok = cutBytes(rest)
		if !ok {
			return space.Item{}, fmt.Errorf("%w: cut off in field %d", errItem, i+1)
		}
		item.Fields[i].Field = string(path)
		if len(value) == 0 {
			continue
		}
		item.Fields[i].Value, err = protocol.DecodeValue(value)
		if err != nil {
			return space.Item{}, fmt.Errorf("%w: field %q: %w", errItem, path, err)
		}
	}
	if len(rest) != 0 {
		return space.Item{}, fmt.Errorf("%w: %d bytes too many", errItem, len(rest))
	}
	return item, nil
}

func appendBytes[T string | []byte](b []byte, x T) []byte {
	b = binary.AppendUvarint(b, uint64(len(x)))
	return append(b, x...)
}

func cutBytes(b []byte) (x, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	b = b[n:]
	return b[:size], b[size:], true
}
