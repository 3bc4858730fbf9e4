package bolt

import (
	"bytes"
	"context"
	"fmt"

	bbolt "go.etcd.io/bbolt"

	"github.com/tidegate/tidegate/space"
)

var _ space.Lister = (*Store)(nil)

// Spaces implements space.Lister, in the order of the file's keys. It looks at
// two keys a space and reads no values. A token is the prefix of the last space
// that was listed.
func (s *Store) Spaces(ctx context.Context, token string, limit int) ([]space.Key, string, error) {
	limit = max(limit, 1)
	if token != "" {
		if _, rest, ok := parseSpacePrefix([]byte(token)); !ok || len(rest) > 0 {
			return nil, "", fmt.Errorf("the token %q of the page is not one of this store's", token)
		}
	}
	var keys []space.Key
	var next string
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		log, items := tx.Bucket(bucketLog).Cursor(), tx.Bucket(bucketItems).Cursor()
		last := []byte(token)
		for {
			first := firstBehind(log, last)
			if item := firstBehind(items, last); first == nil || item != nil && bytes.Compare(item, first) < 0 {
				first = item
			}
			if first == nil {
				return nil
			}
			if len(keys) == limit {
				next = string(last)
				return nil
			}
			key, rest, ok := parseSpacePrefix(first)
			if !ok {
				return fmt.Errorf("%w: the key %q names no space", ErrCorrupt, first)
			}
			keys = append(keys, key)
			last = bytes.Clone(first[:len(first)-len(rest)])
		}
	})
	if err != nil {
		return nil, "", err
	}
	return keys, next, nil
}

// firstBehind returns the first key behind all that begin with prefix, or the
// very first one.
func firstBehind(c *bbolt.Cursor, prefix []byte) []byte {
	if len(prefix) == 0 {
		k, _ := c.First()
		return k
	}
	// The least string of bytes that is greater than all with the prefix.
	end := bytes.TrimRight(bytes.Clone(prefix), "\xff")
	if len(end) == 0 {
		return nil
	}
	end[len(end)-1]++
	k, _ := c.Seek(end)
	return k
}
