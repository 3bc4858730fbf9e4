package bolt

import (
	"bytes"
	"context"
	"fmt"
	"math"

	bbolt "go.etcd.io/bbolt"

	"github.com/tidegate/tidegate/space"
)

// trimStep is how many entries or items a trim removes in one transaction: more
// would keep appends waiting for it.
const trimStep = 1024

// Append implements space.Store. The context counts as long as the request
// waits; once the committer has taken it, its end makes the outcome unknown.
func (s *Store) Append(ctx context.Context, key space.Key, seq uint64, data []byte) error {
	prefix, err := spacePrefix(key)
	if err != nil {
		return err
	}
	// The copy is ours even if the caller stops waiting.
	return s.submit(ctx, &request{
		size: len(data),
		work: &appendWork{key: logKey(prefix, seq), data: append([]byte{}, data...)},
	})
}

// Put implements space.Store.
func (s *Store) Put(ctx context.Context, key space.Key, items []space.Item) error {
	prefix, err := spacePrefix(key)
	if err != nil {
		return err
	}
	put := &putWork{items: make([]encodedItem, len(items))}
	size := 0
	for i := range items {
		k, err := itemKey(prefix, items[i].Key)
		if err != nil {
			return err
		}
		put.items[i] = encodedItem{key: k, version: items[i].Version, value: encodeItem(&items[i])}
		size += len(put.items[i].value)
	}
	return s.submit(ctx, &request{size: size, work: put})
}

// Trim implements space.Store.
func (s *Store) Trim(ctx context.Context, key space.Key, below uint64, drop []space.ItemKey) error {
	prefix, err := spacePrefix(key)
	if err != nil {
		return err
	}
	trim := &trimWork{prefix: prefix, below: below, drop: make([][]byte, len(drop))}
	for i, d := range drop {
		if trim.drop[i], err = itemKey(prefix, d); err != nil {
			return err
		}
	}
	return s.submit(ctx, &request{work: trim})
}

// work is what a request does in the committer's transaction. It is done if it
// returns no more; else it is called again in a later transaction, unless this
// one fails. An error is the request's own and leaves the transaction whole.
type work interface {
	do(b *batch) (more bool, err error)
}

type appendWork struct {
	key, data []byte
}

func (w *appendWork) do(b *batch) (bool, error) {
	bucket := b.tx.Bucket(bucketLog)
	if k, _ := bucket.Cursor().Seek(w.key); bytes.Equal(k, w.key) {
		return false, space.ErrTaken
	}
	// A log grows at its end: leaves are left nearly full.
	bucket.FillPercent = 0.9
	b.appended[string(w.key)] = true
	b.dirty = true
	return false, bucket.Put(w.key, w.data)
}

type encodedItem struct {
	key     []byte
	version uint64
	value   []byte
}

type putWork struct {
	items []encodedItem
}

func (w *putWork) do(b *batch) (bool, error) {
	bucket := b.tx.Bucket(bucketItems)
	for _, item := range w.items {
		stored, err := storedVersion(bucket, item.key)
		if err != nil {
			return false, err
		}
		if item.version <= stored {
			continue
		}
		b.dirty = true
		if err := bucket.Put(item.key, item.value); err != nil {
			return false, err
		}
	}
	return false, nil
}

type trimWork struct {
	prefix []byte
	below  uint64
	drop   [][]byte // what is left of it
}

func (w *trimWork) do(b *batch) (bool, error) {
	budget := trimStep
	if err := w.trimLog(b, &budget); err != nil {
		return false, err
	}
	bucket := b.tx.Bucket(bucketItems)
	for len(w.drop) > 0 && budget > 0 {
		key := w.drop[0]
		version, err := storedVersion(bucket, key)
		if err != nil {
			return false, err
		}
		if version != 0 && version < w.below {
			b.dirty = true
			if err := bucket.Delete(key); err != nil {
				return false, err
			}
		}
		w.drop = w.drop[1:]
		budget--
	}
	return budget == 0, nil
}

func (w *trimWork) trimLog(b *batch, budget *int) error {
	bucket := b.tx.Bucket(bucketLog)
	c := bucket.Cursor()
	below := w.below
	if newest, ok := newestSeq(c, w.prefix); ok {
		below = min(below, newest)
	}
	// Collected first: a bbolt cursor loses its place when its entry is deleted.
	var keys [][]byte
	for k, _ := c.Seek(logKey(w.prefix, 0)); k != nil && len(keys) < *budget; k, _ = c.Next() {
		seq, ok := logSeq(w.prefix, k)
		if !ok || seq >= below {
			break
		}
		keys = append(keys, k)
	}
	for _, k := range keys {
		b.dirty = true
		if err := bucket.Delete(bytes.Clone(k)); err != nil {
			return err
		}
	}
	*budget -= len(keys)
	return nil
}

// newestSeq returns the greatest seq that a space's log holds.
func newestSeq(c *bbolt.Cursor, prefix []byte) (seq uint64, ok bool) {
	end := logKey(prefix, math.MaxUint64)
	k, _ := c.Seek(end)
	switch {
	case k == nil:
		k, _ = c.Last()
	case !bytes.Equal(k, end):
		k, _ = c.Prev()
	}
	return logSeq(prefix, k)
}

// storedVersion returns the version of a stored item, 0 if there is none.
func storedVersion(bucket *bbolt.Bucket, key []byte) (uint64, error) {
	stored := bucket.Get(key)
	if stored == nil {
		return 0, nil
	}
	version, _, err := itemVersion(stored)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return version, nil
}
