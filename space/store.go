package space

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidegate/tidegate/protocol"
)

// Key names a space: nothing crosses from one tenant to another.
type Key struct {
	Tenant string
	Space  string
}

// ItemKind says what an item beside the log is.
type ItemKind uint8

const (
	// ItemRecord is a record's image; its key is (collection, id).
	ItemRecord ItemKind = 1
	// ItemDevice is a device's entry: counter, hash, user, unconfirmed rejections;
	// its key is (the device id's 16 bytes, "").
	ItemDevice ItemKind = 2
	// ItemWatermark says up to which seq everything is checkpointed, and holds what
	// else the fold needs (name table, schema, commit times); key ("", "").
	ItemWatermark ItemKind = 3
	// ItemHorizon holds the horizon; its version is the horizon; key ("", "").
	ItemHorizon ItemKind = 4
	// ItemBlob is a large overwritten value; its key is (the blob id's bytes, "").
	ItemBlob ItemKind = 5
)

// ItemKey names an item of a space. Keys of one kind are ordered by A, then B,
// both as bytes.
type ItemKey struct {
	Kind ItemKind
	A, B string
}

// String shows the key to people.
func (k ItemKey) String() string {
	switch k.Kind {
	case ItemRecord:
		return fmt.Sprintf("record %q/%q", k.A, k.B)
	case ItemDevice:
		return fmt.Sprintf("device %x", k.A)
	case ItemWatermark:
		return "the watermark"
	case ItemHorizon:
		return "the horizon"
	case ItemBlob:
		return fmt.Sprintf("value %x", k.A)
	}
	return fmt.Sprintf("item %d/%q/%q", k.Kind, k.A, k.B)
}

// Item is something that a store keeps beside the log. A record's values stand
// in Fields, one native attribute each where the store has such a thing, so that
// others can read them; Meta is ours alone.
type Item struct {
	Key ItemKey
	// Version only grows. For a record it is the seq of its last change.
	Version uint64
	// Fields are in byte order of their paths; records only.
	Fields []protocol.FieldValue
	Meta   []byte
	// Unreadable, if not nil, says why a store that others can write to cannot vouch
	// for the item: it is there, but what stands in it is not what Put was given.
	// Fields and Meta are empty then, and Version may be 0. Put never overwrites it.
	Unreadable error
}

// LogItem is an entry of the log as it is stored.
type LogItem struct {
	Seq  uint64
	Data []byte
}

// Errors of a store. Any other error from Append means that the commit was
// certainly not written and will not be; from another method, that the call may
// be repeated.
var (
	// ErrTaken: Append found the seq taken. It also answers an append that found
	// its own commit there, written by an attempt whose reply was lost: the caller
	// reads the seq and compares commit ids.
	ErrTaken = errors.New("seq is taken")
	// ErrUnknown: whether Append wrote, or will yet write, is not known.
	ErrUnknown = errors.New("outcome of the append is unknown")
	// ErrThrottled: the store is there and has no capacity for the call just now; it
	// had no effect. Whoever calls again waits a little longer each time.
	ErrThrottled = errors.New("the store has no capacity for this now")
	// ErrFull: the store has no room; nothing was written.
	ErrFull = errors.New("the store is full")
)

// Store remembers the logs of all spaces and the items beside them. It decides
// nothing and merges nothing. All reads are strongly consistent: they see every
// write that was acknowledged before they began. It is safe for concurrent use.
//
// A store also implements io.Closer; who opened it closes it. storetest holds
// the suite that every store passes.
type Store interface {
	// Append puts data at seq if nothing is there. It returns nil once the commit
	// is durable, ErrTaken, an error that wraps ErrUnknown, or another error if it
	// certainly had no effect. It does not retry.
	Append(ctx context.Context, key Key, seq uint64, data []byte) error

	// Log returns entries with consecutive seqs, the first being the smallest
	// stored one that is ≥ from: one at least if there is any, and as many more as
	// fit into maxBytes: an answer that leaves room for another entry was cut short by
	// the log's end, or by a gap that trimming left. No entries mean that nothing is
	// stored at from or later. A first seq > from means that the log was trimmed in
	// between.
	Log(ctx context.Context, key Key, from uint64, maxBytes int) ([]LogItem, error)

	// Put writes each item unless the store has one of the same key with the same
	// or a greater version. Items are written independently; if an error is
	// returned some may have been.
	Put(ctx context.Context, key Key, items []Item) error

	// Get returns one item for each key, in order; an absent one has Version 0.
	Get(ctx context.Context, key Key, keys []ItemKey) ([]Item, error)

	// Scan returns items of after's kind with keys greater than after, in order: one
	// at least if there is any, and as many more as fit into maxBytes. An after
	// with empty A and B starts at the beginning, and includes the key ("", "").
	Scan(ctx context.Context, key Key, after ItemKey, maxBytes int) ([]Item, error)

	// Trim removes log entries with seq < below, and then the items in drop whose
	// stored version is < below. The newest entry of the log is never removed.
	Trim(ctx context.Context, key Key, below uint64, drop []ItemKey) error
}
