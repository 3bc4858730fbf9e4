package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	bbolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/tidegate/tidegate/space"
)

// view runs read in a read transaction, and returns once everything that it can
// have seen is durable. Nothing of the transaction may outlive read.
func (s *Store) view(ctx context.Context, read func(*bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.Health(); err != nil {
		return err
	}
	seen, err := s.snapshot(read)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	if err != nil {
		return err
	}
	return s.awaitDurable(ctx, seen)
}

// snapshot runs read in a read transaction and returns the id of the last write
// transaction that it could see.
func (s *Store) snapshot(read func(*bbolt.Tx) error) (seen int64, err error) {
	defer faultsPanic()()
	defer catch(&err)
	err = s.db.View(func(tx *bbolt.Tx) error {
		seen = int64(tx.ID())
		return read(tx)
	})
	return seen, err
}

// awaitDurable returns when the transaction is known to be durable. It waits only
// for one whose commit is just being synced.
func (s *Store) awaitDurable(ctx context.Context, transaction int64) error {
	for {
		if s.durable.Load() >= transaction {
			return nil
		}
		s.mu.Lock()
		settled, stopped := s.settled, s.stopped
		s.mu.Unlock()
		if stopped != nil {
			return stopped
		}
		if s.durable.Load() >= transaction { // settled between the two looks
			return nil
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Log implements space.Store.
func (s *Store) Log(ctx context.Context, key space.Key, from uint64, maxBytes int) ([]space.LogItem, error) {
	prefix, err := spacePrefix(key)
	if err != nil {
		return nil, err
	}
	var entries []space.LogItem
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketLog).Cursor()
		size := 0
		for k, v := c.Seek(logKey(prefix, from)); k != nil; k, v = c.Next() {
			seq, ok := logSeq(prefix, k)
			if !ok {
				return nil // the next space's
			}
			size += len(v)
			if n := len(entries); n > 0 && (size > maxBytes || seq != entries[n-1].Seq+1) {
				return nil
			}
			entries = append(entries, space.LogItem{Seq: seq, Data: bytes.Clone(v)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Get implements space.Store.
func (s *Store) Get(ctx context.Context, key space.Key, keys []space.ItemKey) ([]space.Item, error) {
	prefix, err := spacePrefix(key)
	if err != nil {
		return nil, err
	}
	items := make([]space.Item, len(keys))
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketItems)
		for i, k := range keys {
			items[i] = space.Item{Key: k}
			stored, err := itemKey(prefix, k)
			if err != nil {
				return err
			}
			v := b.Get(stored)
			if v == nil {
				continue
			}
			if items[i], err = decodeItem(k, v); err != nil {
				return damaged(key, k, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

// Scan implements space.Store.
func (s *Store) Scan(ctx context.Context, key space.Key, after space.ItemKey, maxBytes int) ([]space.Item, error) {
	prefix, err := spacePrefix(key)
	if err != nil {
		return nil, err
	}
	kind := kindPrefix(prefix, after.Kind)
	start, err := itemKey(prefix, after)
	if err != nil {
		return nil, err
	}
	fromStart := after.A == "" && after.B == ""
	var items []space.Item
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketItems).Cursor()
		size := 0
		for k, v := c.Seek(start); k != nil; k, v = c.Next() {
			rest, ok := bytes.CutPrefix(k, kind)
			if !ok {
				return nil // the next kind's or space's
			}
			if !fromStart && bytes.Equal(k, start) {
				continue
			}
			size += len(rest) + len(v)
			if len(items) > 0 && size > maxBytes {
				return nil
			}
			itemKey, ok := parseItemKey(after.Kind, rest)
			if !ok {
				return damaged(key, after, errItem)
			}
			item, err := decodeItem(itemKey, v)
			if err != nil {
				return damaged(key, itemKey, err)
			}
			items = append(items, item)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return items, nil
}

func damaged(key space.Key, item space.ItemKey, err error) error {
	return fmt.Errorf("%w: tenant %q, space %q, item %d %q %q: %w", ErrCorrupt, key.Tenant, key.Space, item.Kind, item.A, item.B, err)
}
