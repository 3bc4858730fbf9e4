package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

const (
	// pageBytes is how much of a log or of items one read asks for.
	pageBytes = 1 << 20
	// A failed call is made again after firstPause, then twice that, and so on up to
	// mostPause; attempts of it in all.
	firstPause = 50 * time.Millisecond
	mostPause  = 5 * time.Second
	attempts   = 10
)

// ErrOtherHistory: the store has a space of that name whose commits are not those
// of the export.
var ErrOtherHistory = errors.New("the store has another history")

// calls makes calls to a store, again and again where that can help.
type calls struct {
	ctx       context.Context
	store     space.Store
	permanent func(error) bool
}

func newCalls(ctx context.Context, store space.Store, opt *Options) *calls {
	c := &calls{ctx: ctx, store: store, permanent: opt.Permanent}
	if c.permanent == nil {
		c.permanent = func(error) bool { return false }
	}
	return c
}

// retry calls do until it succeeds or that is hopeless.
func (c *calls) retry(do func() error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := do()
		switch {
		case err == nil:
			return nil
		case c.ctx.Err() != nil:
			return context.Cause(c.ctx)
		case n == attempts, errors.Is(err, space.ErrFull), errors.Is(err, ErrOtherHistory), c.permanent(err):
			return err
		}
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-c.ctx.Done():
			wait.Stop()
			return context.Cause(c.ctx)
		}
		pause = min(2*pause, mostPause)
	}
}

func (c *calls) log(key space.Key, from uint64, maxBytes int) (entries []space.LogItem, err error) {
	err = c.retry(func() error {
		entries, err = c.store.Log(c.ctx, key, from, maxBytes)
		return err
	})
	return entries, err
}

func (c *calls) get(key space.Key, keys ...space.ItemKey) (items []space.Item, err error) {
	err = c.retry(func() error {
		items, err = c.store.Get(c.ctx, key, keys)
		return err
	})
	if err == nil && len(items) != len(keys) {
		err = fmt.Errorf("the store answered %d items for %d keys", len(items), len(keys))
	}
	if err != nil {
		return nil, err
	}
	return items, vouched(items)
}

// vouched is an error if the store does not vouch for one of its items: what stands
// there must neither be carried on nor be passed over.
func vouched(items []space.Item) error {
	for _, item := range items {
		if item.Unreadable != nil {
			return fmt.Errorf("%s of the store: %w", item.Key, item.Unreadable)
		}
	}
	return nil
}

// scan returns the items behind after, none if there are no more. after may be the
// empty key of its kind, which stands for the beginning.
func (c *calls) scan(key space.Key, after space.ItemKey, started bool) (items []space.Item, err error) {
	for size := pageBytes; ; size *= 2 {
		err = c.retry(func() error {
			items, err = c.store.Scan(c.ctx, key, after, size)
			return err
		})
		if err == nil {
			err = vouched(items)
		}
		if err != nil || !started || after.A != "" || after.B != "" {
			return items, err
		}
		// What was read last was the item with the empty key, which a page begins with
		// again: one that has more in it shows what follows.
		if len(items) != 1 {
			return items[min(1, len(items)):], nil
		}
		if size >= 1<<30 {
			return nil, nil // it is alone
		}
	}
}

func (c *calls) put(key space.Key, items ...space.Item) error {
	return c.retry(func() error { return c.store.Put(c.ctx, key, items) })
}

func (c *calls) trim(key space.Key, below uint64, drop ...space.ItemKey) error {
	return c.retry(func() error { return c.store.Trim(c.ctx, key, below, drop) })
}

// append puts an entry at its seq. already is true if it was there; another entry
// there is ErrOtherHistory.
func (c *calls) append(key space.Key, entry space.LogItem) (already bool, err error) {
	err = c.retry(func() error {
		err := c.store.Append(c.ctx, key, entry.Seq, entry.Data)
		if err == nil || !errors.Is(err, space.ErrTaken) && !errors.Is(err, space.ErrUnknown) {
			return err
		}
		there, readErr := c.log(key, entry.Seq, 1)
		if readErr != nil {
			return readErr
		}
		if len(there) == 0 || there[0].Seq != entry.Seq {
			return err // it was not written, and may yet be: the same bytes
		}
		already = errors.Is(err, space.ErrTaken)
		return sameEntry(entry, there[0].Data)
	})
	return already, err
}

// sameEntry compares an entry of the export with that of the store.
func sameEntry(entry space.LogItem, there []byte) error {
	if bytes.Equal(entry.Data, there) {
		return nil
	}
	return fmt.Errorf("%w: commit %d is %s there, and %s in the export", ErrOtherHistory, entry.Seq, commitID(there), commitID(entry.Data))
}

// commitID names a stored commit for people.
func commitID(data []byte) string {
	commit, err := protocol.ParseCommit(data)
	if err != nil {
		return fmt.Sprintf("one of %d bytes that cannot be read", len(data))
	}
	return commit.ID.String()
}
