package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	bbolt "go.etcd.io/bbolt"

	"github.com/tidegate/tidegate/space"
)

// All keys of the file are built and taken apart here. Those of a space begin
// with the lengths and bytes of its tenant's and its own name:
//
//	space   uint16(len(tenant)) ‖ tenant ‖ uint16(len(space)) ‖ space
//	commit  space ‖ uint64(seq)
//	item    space ‖ kind ‖ ordered(A) ‖ B
//
// Integers are big-endian, so that keys are ordered as seqs are. Since no space's
// prefix is a prefix of another's, no key of one space lies among another's.
// An item's A is not length-prefixed, as keys must be ordered by its bytes:
// ordered(A) replaces each 0x00 by 0x00 0xFF and ends with 0x00 0x01, which sorts
// before anything that a longer A could have there.

var (
	bucketMeta  = []byte("tidegate")
	bucketLog   = []byte("log")
	bucketItems = []byte("items")

	metaFormat = []byte("format")
)

const (
	seqBytes     = 8
	maxNameBytes = 1<<16 - 1
)

// errKey: a name is too long to stand in a key. Callers never see it as long as
// they keep to protocol.MaxNameBytes.
var errKey = errors.New("name is too long for a key of the store")

// spacePrefix begins all keys of a space. There is room behind it for what
// usually follows.
func spacePrefix(key space.Key) ([]byte, error) {
	if len(key.Tenant) > maxNameBytes || len(key.Space) > maxNameBytes {
		return nil, fmt.Errorf("%w: tenant of %d bytes, space of %d", errKey, len(key.Tenant), len(key.Space))
	}
	k := make([]byte, 0, 4+len(key.Tenant)+len(key.Space)+64)
	k = binary.BigEndian.AppendUint16(k, uint16(len(key.Tenant)))
	k = append(k, key.Tenant...)
	k = binary.BigEndian.AppendUint16(k, uint16(len(key.Space)))
	k = append(k, key.Space...)
	return checkSize(k)
}

// parseSpacePrefix takes apart what spacePrefix puts before all keys of a space.
func parseSpacePrefix(key []byte) (space.Key, []byte, bool) {
	tenant, rest, ok := cutName(key)
	if !ok {
		return space.Key{}, nil, false
	}
	name, rest, ok := cutName(rest)
	return space.Key{Tenant: string(tenant), Space: string(name)}, rest, ok
}

func cutName(b []byte) (name, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	size := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; size > len(b) {
		return nil, nil, false
	}
	return b[:size], b[size:], true
}

// logKey appends a seq to a copy of a space's prefix.
func logKey(prefix []byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(bytes.Clone(prefix), seq)
}

// logSeq returns the seq of a commit's key if it belongs to the space of prefix.
func logSeq(prefix, key []byte) (seq uint64, ok bool) {
	if len(key) != len(prefix)+seqBytes || !bytes.HasPrefix(key, prefix) {
		return 0, false
	}
	return binary.BigEndian.Uint64(key[len(prefix):]), true
}

// kindPrefix begins the keys of all items of a kind in a space.
func kindPrefix(prefix []byte, kind space.ItemKind) []byte {
	return append(bytes.Clone(prefix), byte(kind))
}

// itemKey is the key of an item in the space of prefix.
func itemKey(prefix []byte, key space.ItemKey) ([]byte, error) {
	k := kindPrefix(prefix, key.Kind)
	for a := key.A; ; {
		plain, rest, zero := strings.Cut(a, "\x00")
		k = append(k, plain...)
		if !zero {
			break
		}
		k = append(k, 0x00, 0xFF)
		a = rest
	}
	k = append(k, 0x00, 0x01)
	k = append(k, key.B...)
	return checkSize(k)
}

// parseItemKey takes apart what itemKey put behind kindPrefix(…, kind).
func parseItemKey(kind space.ItemKind, rest []byte) (key space.ItemKey, ok bool) {
	var a []byte
	for {
		plain, after, found := bytes.Cut(rest, []byte{0x00})
		if !found || len(after) == 0 {
			return space.ItemKey{}, false
		}
		a = append(a, plain...)
		rest = after[1:]
		switch after[0] {
		case 0x01:
			return space.ItemKey{Kind: kind, A: string(a), B: string(rest)}, true
		case 0xFF:
			a = append(a, 0x00)
		default:
			return space.ItemKey{}, false
		}
	}
}

// checkSize keeps to bbolt's limit, leaving room for a seq.
func checkSize(key []byte) ([]byte, error) {
	if len(key) > bbolt.MaxKeySize-seqBytes {
		return nil, fmt.Errorf("%w: %d bytes", errKey, len(key))
	}
	return key, nil
}
