package transfer

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/tidegate/tidegate/space"
)

// Check reads the selected spaces of an export and of a store, and compares them,
// commit by commit and item by item, and their hashes. It writes nothing. What
// differs is in the report; the error is nil if both could be read.
//
// A space that has been served since it was imported has gone on, and differs.
func Check(ctx context.Context, store space.Store, in io.Reader, opt Options) (Report, error) {
	c := &checker{
		to: newCalls(ctx, store, &opt), opt: opt,
		known: make(map[space.Key]bool), differ: make(map[space.Key]string),
	}
	r, err := walk(in, c)
	if err == nil {
		c.report.sealed(r.seal)
		err = opt.Select.missing("export", c.known)
	}
	for _, key := range slices.SortedFunc(maps.Keys(c.differ), func(a, b space.Key) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Space, b.Space))
	}) {
		c.report.Differences = append(c.report.Differences, Difference{key.Tenant, key.Space, c.differ[key]})
	}
	return c.report, err
}

// checker is the visitor that compares.
type checker struct {
	to     *calls
	opt    Options
	report Report
	known  map[space.Key]bool
	differ map[space.Key]string // the first difference of each space that has one

	// Of the space that is being read.
	key      space.Key
	selected bool
	digest   *digest // of what the store has
	next     uint64  // seq of the store's entry to be compared next; 0 before the first
	page     []space.LogItem
	place    int // in itemKinds: what is being compared
	waiting  []space.Item
	after    space.ItemKey
	started  bool
	bytes    int64
}

func (c *checker) begin(key space.Key, _ uint64) error {
	c.key, c.selected = key, c.opt.Select.holds(key)
	c.digest, c.next, c.page = newDigest(), 0, nil
	c.kind(0)
	c.bytes = 0
	delete(c.differ, key) // an older state of it may have been compared before
	return nil
}

// kind goes on to the items of a kind.
func (c *checker) kind(place int) {
	c.place, c.waiting, c.started = place, nil, false
	if place < len(itemKinds) {
		c.after = space.ItemKey{Kind: itemKinds[place]}
	}
}

// same is false once the space was found to differ.
func (c *checker) same() bool { return c.selected && c.differ[c.key] == "" }

func (c *checker) found(format string, args ...any) {
	if c.differ[c.key] == "" {
		c.differ[c.key] = fmt.Sprintf(format, args...)
	}
}

func (c *checker) log(entries []space.LogItem) error {
	for _, entry := range entries {
		c.bytes += int64(len(entry.Data))
		if !c.same() {
			continue
		}
		there, err := c.entry()
		if err != nil {
			return err
		}
		switch {
		case there == nil && c.next == 0:
			c.found("the store does not have it")
		case there == nil:
			c.found("commit %d is not there: the log ends at %d", entry.Seq, c.next-1)
		case there.Seq != entry.Seq:
			c.found("commit %d is not there: commit %d follows instead", entry.Seq, there.Seq)
		case !bytes.Equal(there.Data, entry.Data):
			c.found("commit %d is %s there, and %s in the export", entry.Seq, commitID(there.Data), commitID(entry.Data))
		default:
			c.digest.addEntry(*there)
			c.next, c.page = there.Seq+1, c.page[1:]
		}
	}
	return c.tell()
}

// entry returns the store's next entry, nil at its end.
func (c *checker) entry() (*space.LogItem, error) {
	if len(c.page) == 0 {
		var err error
		if c.page, err = c.to.log(c.key, c.next, pageBytes); err != nil || len(c.page) == 0 {
			return nil, err
		}
	}
	return &c.page[0], nil
}

// item returns the store's next item of the kind, nil at its end.
func (c *checker) item() (*space.Item, error) {
	if len(c.waiting) == 0 {
		var err error
		if c.waiting, err = c.to.scan(c.key, c.after, c.started); err != nil || len(c.waiting) == 0 {
			return nil, err
		}
		c.after, c.started = c.waiting[len(c.waiting)-1].Key, true
	}
	return &c.waiting[0], nil
}

func (c *checker) items(kind space.ItemKind, items []encodedItem) error {
	if err := c.upTo(slices.Index(itemKinds, kind)); err != nil {
		return err
	}
	for _, item := range items {
		c.bytes += int64(len(item.encoded))
		if !c.same() {
			continue
		}
		there, err := c.item()
		if err != nil {
			return err
		}
		if there == nil || compareItems(there.Key, item.Key) > 0 {
			c.found("%s is not there", item.Key)
			continue
		}
		encoded := appendItem(nil, there)
		switch {
		case there.Key != item.Key:
			c.found("%s is there, and not in the export", there.Key)
		case there.Version != item.Version:
			c.found("%s has version %d there, and %d in the export", item.Key, there.Version, item.Version)
		case !bytes.Equal(encoded, item.encoded):
			c.found("%s has another content there, of the same version %d", item.Key, item.Version)
		default:
			c.digest.addItem(kind, encoded)
			c.waiting = c.waiting[1:]
		}
	}
	return c.tell()
}

// upTo sees to it that the store has no more items of the kinds before place.
func (c *checker) upTo(place int) error {
	for c.place < place {
		if c.same() {
			there, err := c.item()
			if err != nil {
				return err
			}
			if there != nil {
				c.found("%s is there, and not in the export", there.Key)
			}
		}
		c.kind(c.place + 1)
	}
	return nil
}

func (c *checker) end(sums sums) error {
	if !c.selected {
		return nil
	}
	c.known[c.key] = true
	if mark, err := c.to.get(c.key, space.ItemKey{Kind: space.ItemWatermark}); err != nil {
		return err
	} else if _, unfinished := space.Unfinished(mark[0]); unfinished {
		c.differ[c.key] = "it has not all come: run the import again to its end"
	}
	// Whether the log goes on says more than which image has changed since.
	if more, err := c.to.log(c.key, sums.last+1, 1); err != nil {
		return err
	} else if len(more) > 0 && c.next > sums.last {
		c.differ[c.key] = fmt.Sprintf("it has gone on: commit %d is there, and the export ends at %d", more[0].Seq, sums.last)
	}
	if err := c.upTo(len(itemKinds)); err != nil {
		return err
	}
	if c.same() && c.digest.sums() != sums {
		c.found("its hash is not that of the export")
	}
	c.report.Spaces++
	c.report.Commits += sums.commits
	c.report.Items += sums.items
	c.report.Bytes += c.bytes
	c.bytes = 0
	return c.tell()
}

func (c *checker) tell() error {
	report := c.report
	report.Bytes += c.bytes
	c.opt.progress(&report)
	return c.to.ctx.Err()
}
