package client

import "errors"

// Store keeps what a client must not forget: an ordered map of bytes. It
// understands nothing of it. One client owns a store at a time and calls it from
// one goroutine at a time.
type Store interface {
	// Load calls yield for every entry, in the order of the keys, and stops with
	// the first error. The slices are yield's to keep.
	Load(yield func(key, value []byte) error) error

	// Write makes a batch durable, all of it or nothing. It returns nil only once
	// the batch survives a killed process and a power cut. After an error the
	// client stops: what the store holds then is its state before the batch, or
	// after it.
	Write(batch Batch) error

	// Close releases the store.
	Close() error
}

// Batch is what a client wants to remember, as one atomic write.
type Batch struct {
	// Token is handed back to [Core.Persisted]; the store ignores it.
	Token uint64
	// Puts and Deletes are ordered by key and do not overlap.
	Puts    []Entry
	Deletes [][]byte
}

// Entry is a key and its value.
type Entry struct {
	Key, Value []byte
}

// Errors of the stores of this package.
var (
	// ErrStoreInUse: another process (or another client of this one) has the store
	// open.
	ErrStoreInUse = errors.New("the client's store is in use")
	// ErrStoreCorrupt: the store cannot be read. Nothing in it was changed.
	ErrStoreCorrupt = errors.New("the client's store is damaged")
	// ErrStoreVersion: the store was written by a newer version of this library.
	// Nothing in it was changed.
	ErrStoreVersion = errors.New("the client's store was written by a newer version")
)
