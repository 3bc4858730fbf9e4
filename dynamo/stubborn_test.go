package dynamo

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"

	"github.com/tidegate/tidegate/space"
)

// stubborn is a store that repeats what may be repeated, and resolves what is
// unknown as a space does: each append carries an id, by which it knows its own
// again.
type stubborn struct {
	*Store
}

const idBytes = 16

func (s stubborn) Append(ctx context.Context, key space.Key, seq uint64, data []byte) error {
	id := make([]byte, idBytes)
	_, _ = rand.Read(id)
	own := append(id, data...)
	doubtful := false
	for {
		err := s.Store.Append(ctx, key, seq, own)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, space.ErrTaken) && !doubtful:
			return err
		case ctx.Err() != nil:
			return err
		case errors.Is(err, space.ErrUnknown):
			doubtful = true
		}
		items, err := s.Store.Log(ctx, key, seq, 1)
		if err == nil && len(items) > 0 && items[0].Seq == seq {
			if bytes.Equal(items[0].Data, own) {
				return nil
			}
			return space.ErrTaken
		}
	}
}

func (s stubborn) Log(ctx context.Context, key space.Key, from uint64, maxBytes int) (items []space.LogItem, err error) {
	items, err = again(ctx, func() ([]space.LogItem, error) { return s.Store.Log(ctx, key, from, maxBytes) })
	for i := range items {
		items[i].Data = items[i].Data[idBytes:]
	}
	return items, err
}

func (s stubborn) Put(ctx context.Context, key space.Key, items []space.Item) error {
	_, err := again(ctx, func() (any, error) { return nil, s.Store.Put(ctx, key, items) })
	return err
}

func (s stubborn) Get(ctx context.Context, key space.Key, keys []space.ItemKey) ([]space.Item, error) {
	return again(ctx, func() ([]space.Item, error) { return s.Store.Get(ctx, key, keys) })
}

func (s stubborn) Scan(ctx context.Context, key space.Key, after space.ItemKey, maxBytes int) ([]space.Item, error) {
	return again(ctx, func() ([]space.Item, error) { return s.Store.Scan(ctx, key, after, maxBytes) })
}

func (s stubborn) Trim(ctx context.Context, key space.Key, below uint64, drop []space.ItemKey) error {
	_, err := again(ctx, func() (any, error) { return nil, s.Store.Trim(ctx, key, below, drop) })
	return err
}

func (s stubborn) Spaces(ctx context.Context, token string, limit int) (keys []space.Key, next string, err error) {
	for {
		if keys, next, err = s.Store.Spaces(ctx, token, limit); err == nil || ctx.Err() != nil {
			return keys, next, err
		}
	}
}

func again[T any](ctx context.Context, call func() (T, error)) (T, error) {
	for {
		result, err := call()
		if err == nil || ctx.Err() != nil {
			return result, err
		}
	}
}

// random fills b with what does not pack.
func random(b []byte) { _, _ = rand.Read(b) }
