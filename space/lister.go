package space

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

// Lister is implemented by stores that can say which spaces they hold. Nothing
// that serves devices needs it; moving all spaces to another store does. On a
// store that finds its spaces by reading everything it holds, a listing costs as
// much.
type Lister interface {
	// Spaces returns a page of the spaces that hold a log entry or an item: at most
	// limit keys (limit ≥ 1), and the token of the next page. The empty token asks
	// for the first page, and is returned with the last. A page may be empty though
	// others follow.
	//
	// Every space that is there from the first page to the last is listed at least
	// once. The order is the store's own, and a space may be listed more than once,
	// on one page or on several. Spaces that come or go meanwhile may be listed or
	// not.
	//
	// A token is any bytes, and means something only to the store that returned it;
	// it may be used again, and gives what the store then holds. Another token is an
	// error, or gives spaces of this store.
	Spaces(ctx context.Context, token string, limit int) (keys []Key, next string, err error)
}

var _ Lister = (*Memory)(nil)

// Spaces implements Lister, in the order of tenants, then spaces.
func (m *Memory) Spaces(ctx context.Context, token string, limit int) ([]Key, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	var after Key
	if token != "" {
		size, n := binary.Uvarint([]byte(token))
		if n <= 0 || size > uint64(len(token)-n) {
			return nil, "", errors.New("the token of the page is not one of this store's")
		}
		after = Key{Tenant: token[n : n+int(size)], Space: token[n+int(size):]}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []Key
	for key, s := range m.spaces {
		if len(s.log)+len(s.items) > 0 && (token == "" || compareSpaces(key, after) > 0) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, compareSpaces)
	if len(keys) <= max(limit, 1) {
		return keys, "", nil
	}
	keys = keys[:max(limit, 1)]
	last := keys[len(keys)-1]
	return keys, string(binary.AppendUvarint(nil, uint64(len(last.Tenant)))) + last.Tenant + last.Space, nil
}

func compareSpaces(a, b Key) int {
	return cmp.Or(strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Space, b.Space))
}
