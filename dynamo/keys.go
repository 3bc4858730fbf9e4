package dynamo

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// All keys of the table are built and taken apart here. Both key attributes are
// strings, so that people can read them:
//
//	_p  log#4#acme#board           the log of a space, and
//	    items#4#acme#board         what stands beside it
//	_k  00000000000000000042       a commit: its seq, as 20 digits
//	    r#tasks#0190-…             a record
//	    d#00ff…, b#00ff…           a device's entry, a large value: their ids in hex
//	    w#, h#                     the watermark, the horizon
//
// The number in _p is the length of the tenant's name in bytes. Names that are
// not valid UTF-8 stand there in hex, both of them, and log- and items- become
// loghex and itemshex.
//
// Items of a kind must be in the byte order of their names, and DynamoDB orders
// strings by their UTF-8 bytes. Hence two replacements in the names of records:
// a byte above 0x7f becomes the code point of that number, and one up to '$' (as
// are the separator and the space) becomes '$' and the byte 0x40 above it. What
// is replaced takes two bytes instead of one and keeps its place in the order;
// letters, digits and most signs of ASCII are not replaced.

// The key attributes.
const (
	attrPartition = "_p"
	attrSort      = "_k"
)

const (
	separator = '#'
	// escape precedes what is replaced by two ASCII signs. It comes next after the
	// separator, so that a name sorts before all that it begins.
	escape = '$'
	// behind is the least string that is greater than all sort keys of a kind, put
	// after the kind's letter.
	behind = "$"

	logPartition      = "log"
	itemsPartition    = "items"
	logHexPartition   = "loghex"
	itemsHexPartition = "itemshex"

	// seqDigits are enough for every seq.
	seqDigits = 20
	lastSeq   = "18446744073709551615"

	// DynamoDB's limits.
	maxPartitionBytes = 2048
	maxSortBytes      = 1024
)

// kinds are the letters that sort keys of items begin with.
var kinds = map[space.ItemKind]byte{
	space.ItemRecord:    'r',
	space.ItemDevice:    'd',
	space.ItemWatermark: 'w',
	space.ItemHorizon:   'h',
	space.ItemBlob:      'b',
}

// errKey: a name cannot stand in a key. Callers never see it as long as they
// keep to protocol.MaxNameBytes.
var errKey = errors.New("the name is too long for a key of the table")

// partitions are the partition keys of a space.
type partitions struct {
	log, items string
}

// partitionsOf returns the partition keys of a space.
func partitionsOf(key space.Key) (partitions, error) {
	if len(key.Tenant) > protocol.MaxNameBytes || len(key.Space) > protocol.MaxNameBytes {
		return partitions{}, fmt.Errorf("%w: tenant of %d bytes, space of %d, allowed are %d",
			errKey, len(key.Tenant), len(key.Space), protocol.MaxNameBytes)
	}
	rest := "#" + strconv.Itoa(len(key.Tenant)) + "#"
	if utf8.ValidString(key.Tenant) && utf8.ValidString(key.Space) {
		rest += key.Tenant + "#" + key.Space
		return partitions{logPartition + rest, itemsPartition + rest}, nil
	}
	rest += hex.EncodeToString([]byte(key.Tenant)) + "#" + hex.EncodeToString([]byte(key.Space))
	return partitions{logHexPartition + rest, itemsHexPartition + rest}, nil
}

// parsePartition takes a partition key apart; false if it is none of ours.
func parsePartition(partition string) (key space.Key, isLog, ok bool) {
	kind, rest, _ := strings.Cut(partition, "#")
	number, rest, _ := strings.Cut(rest, "#")
	size, err := strconv.Atoi(number)
	if err != nil || size < 0 || size > protocol.MaxNameBytes {
		return space.Key{}, false, false
	}
	encoded := kind == logHexPartition || kind == itemsHexPartition
	if encoded {
		size *= 2
	}
	if len(rest) <= size || rest[size] != separator {
		return space.Key{}, false, false
	}
	key = space.Key{Tenant: rest[:size], Space: rest[size+1:]}
	if encoded {
		tenant, err1 := hex.DecodeString(key.Tenant)
		name, err2 := hex.DecodeString(key.Space)
		if err1 != nil || err2 != nil {
			return space.Key{}, false, false
		}
		key = space.Key{Tenant: string(tenant), Space: string(name)}
	}
	// One space has one key: another spelling of it is not ours.
	p, err := partitionsOf(key)
	return key, partition == p.log, err == nil && (partition == p.log || partition == p.items)
}

// sortOfSeq is the sort key of a commit.
func sortOfSeq(seq uint64) string {
	digits := strconv.FormatUint(seq, 10)
	return strings.Repeat("0", seqDigits-len(digits)) + digits
}

// parseSeq is the inverse of sortOfSeq.
func parseSeq(sort string) (seq uint64, ok bool) {
	seq, err := strconv.ParseUint(sort, 10, 64)
	return seq, err == nil && sortOfSeq(seq) == sort
}

// sortOfItem is the sort key of an item.
func sortOfItem(key space.ItemKey) (string, error) {
	letter, known := kinds[key.Kind]
	if !known {
		return "", fmt.Errorf("the kind of %s is not known to this store", key)
	}
	b := append(make([]byte, 0, 4+2*len(key.A)+2*len(key.B)), letter, separator)
	if named(key.Kind) {
		b = appendName(b, key.A)
	} else {
		b = hex.AppendEncode(b, []byte(key.A))
	}
	if key.B != "" {
		b = appendName(append(b, separator), key.B)
	}
	// The successor of every key must be one too: see rangeBehind.
	if len(b) >= maxSortBytes {
		return "", fmt.Errorf("%w: %d bytes for %s, allowed are %d", errKey, len(b), key, maxSortBytes-1)
	}
	return string(b), nil
}

// named is true if items of the kind are named by people and programs, and not
// by bytes.
func named(kind space.ItemKind) bool { return kind == space.ItemRecord }

// parseItem is the inverse of sortOfItem.
func parseItem(sort string) (key space.ItemKey, ok bool) {
	if len(sort) < 2 || sort[1] != separator {
		return space.ItemKey{}, false
	}
	for kind, letter := range kinds {
		if letter == sort[0] {
			key.Kind = kind
		}
	}
	a, b, _ := strings.Cut(sort[2:], "#")
	if key.B, ok = parseName(b); !ok {
		return space.ItemKey{}, false
	}
	if named(key.Kind) {
		key.A, ok = parseName(a)
	} else {
		var bytes []byte
		var err error
		bytes, err = hex.DecodeString(a)
		key.A, ok = string(bytes), err == nil
	}
	if !ok {
		return space.ItemKey{}, false
	}
	again, err := sortOfItem(key)
	return key, err == nil && again == sort
}

// rangeBehind returns the least and the greatest sort key that a scan after key
// reads. An empty name is where a scan begins, and included.
func rangeBehind(key space.ItemKey) (first, last string, err error) {
	first, err = sortOfItem(key)
	if err != nil {
		return "", "", err
	}
	last = first[:1] + behind
	if key.A != "" || key.B != "" {
		first += "\x00" // nothing lies between a string and this
	}
	return first, last, nil
}

// appendName appends a name so that the results are ordered as the names are,
// hold no separator, and are valid UTF-8.
func appendName(dst []byte, name string) []byte {
	for i := range len(name) {
		switch c := name[i]; {
		case c <= escape:
			dst = append(dst, escape, c+0x40)
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			dst = utf8.AppendRune(dst, rune(c))
		}
	}
	return dst
}

// parseName is the inverse of appendName; it also accepts some of what that
// never returns.
func parseName(encoded string) (name string, ok bool) {
	b := make([]byte, 0, len(encoded))
	escaped := false
	for _, c := range encoded {
		switch {
		case escaped:
			c -= 0x40
			escaped = false
		case c == escape:
			escaped = true
			continue
		}
		if c < 0 || c > 0xff {
			return "", false
		}
		b = append(b, byte(c))
	}
	return string(b), !escaped
}
