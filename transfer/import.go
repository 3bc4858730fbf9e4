package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/tidegate/tidegate/space"
)

const (
	// appendsAtOnce is how many commits are on their way to a store at once, where
	// their order does not matter.
	appendsAtOnce = 64
	// putsAtOnce is how many parts the items of a chunk are put in.
	putsAtOnce = 8
)

// Import brings the selected spaces of an export into a store. It may be called
// again after an error, and passes over what is there. A space that the store has
// with another history is ErrOtherHistory; nothing of it is written. An error of
// the export is a [*FormatError]; spaces before it are whole, and the one it is in
// is served to nobody until an import has come to its end.
func Import(ctx context.Context, store space.Store, in io.Reader, opt Options) (Report, error) {
	i := &importer{to: newCalls(ctx, store, &opt), opt: opt, known: make(map[space.Key]bool)}
	r, err := walk(in, i)
	if err == nil {
		i.report.sealed(r.seal)
		err = opt.Select.missing("export", i.known)
	}
	return i.report, err
}

// importer is the visitor that writes.
type importer struct {
	to     *calls
	opt    Options
	report Report
	known  map[space.Key]bool // those that were selected and brought to their end

	// Of the space that is being read.
	key       space.Key
	watermark uint64
	selected  bool
	again     bool    // the export began it before, and begins it again
	into      landing // nil until the first part of the log has come
	already   Amount
	bytes     int64
}

// landing is how one space comes into the store.
type landing interface {
	// log takes entries. It returns how many of them the store had.
	log(entries []space.LogItem) (already uint64, err error)
	// items takes items. It returns how many of them the store had.
	items(kind space.ItemKind, items []space.Item) (already uint64, err error)
	// end makes the space whole. last is its last commit's seq.
	end(last uint64) error
}

func (i *importer) begin(key space.Key, watermark uint64) error {
	i.again = i.into != nil
	i.key, i.watermark, i.selected, i.into = key, watermark, i.opt.Select.holds(key), nil
	i.already, i.bytes = Amount{}, 0
	return nil
}

// about says which space an error is about.
func (i *importer) about(err error) error {
	if err == nil || errors.Is(err, i.to.ctx.Err()) {
		return err
	}
	return fmt.Errorf("%s: %w", nameOf(i.key), err)
}

func (i *importer) log(entries []space.LogItem) (err error) {
	if !i.selected {
		return nil
	}
	if i.into == nil {
		if i.into, err = i.land(entries[0]); err != nil {
			return i.about(err)
		}
	}
	already, err := i.into.log(entries)
	if err != nil {
		return i.about(err)
	}
	i.already.Commits += already
	for _, entry := range entries {
		i.bytes += int64(len(entry.Data))
	}
	return i.tell()
}

func (i *importer) items(kind space.ItemKind, encoded []encodedItem) error {
	if !i.selected {
		return nil
	}
	items := make([]space.Item, len(encoded))
	for n, item := range encoded {
		items[n] = item.Item
		i.bytes += int64(len(item.encoded))
	}
	already, err := i.into.items(kind, items)
	if err != nil {
		return i.about(err)
	}
	i.already.Items += already
	return i.tell()
}

func (i *importer) end(sums sums) error {
	if !i.selected {
		return nil
	}
	if err := i.into.end(sums.last); err != nil {
		return i.about(err)
	}
	i.into = nil
	i.known[i.key] = true
	if i.already.Commits == sums.commits && i.already.Items == sums.items {
		i.already.Spaces = 1
	}
	i.report.Spaces++
	i.report.Commits += sums.commits
	i.report.Items += sums.items
	i.report.Bytes += i.bytes
	i.report.Already.add(i.already)
	i.bytes = 0
	return i.tell()
}

// tell reports what has been done, and ends where that was asked for.
func (i *importer) tell() error {
	report := i.report
	report.Bytes += i.bytes
	i.opt.progress(&report)
	return i.to.ctx.Err()
}

// land looks at what the store has of the space, whose log begins with first in
// the export.
func (i *importer) land(first space.LogItem) (landing, error) {
	if first.Seq > i.watermark+1 {
		return nil, fmt.Errorf("the export's log begins at commit %d, and its images reach to %d only", first.Seq, i.watermark)
	}
	images, err := i.to.get(i.key, space.ItemKey{Kind: space.ItemWatermark})
	if err != nil {
		return nil, err
	}
	mark := images[0]
	page, err := i.to.log(i.key, 0, pageBytes)
	if err != nil {
		return nil, err
	}
	there := cursor{to: i.to, key: i.key, page: page, done: len(page) == 0}
	since, unfinished := space.Unfinished(mark)
	low := mark.Version <= space.UnfinishedVersion
	switch {
	case unfinished:
	case low && len(page) == 0:
		// There is nothing; or an import was cut off before the space's only commit.
		since = i.watermark
		rest, err := i.to.scan(i.key, space.ItemKey{Kind: space.ItemRecord}, false)
		if err != nil {
			return nil, err
		}
		if len(rest) > 0 {
			since = mark.Version
		}
	case low && first.Seq == 1 && page[0].Seq == 2:
		since = mark.Version // an import was cut off before the first commit
	case len(page) == 0:
		return nil, fmt.Errorf("it is damaged in the store: everything up to commit %d is checkpointed, but the log is gone", mark.Version)
	default:
		return &existing{to: i.to, key: i.key, there: there, from: page[0].Seq, alone: len(page) == 1 && page[0].Seq == 1}, nil
	}
	if err := i.to.put(i.key, space.UnfinishedMark(since)); err != nil {
		return nil, err
	}
	return &fresh{
		to: i.to, key: i.key, watermark: i.watermark, first: first, there: there, since: since, again: i.again,
		compare: unfinished || mark.Version > 0 || len(page) > 0 || since < i.watermark,
	}, nil
}

// cursor walks along the log that the store has, in the order of the export.
type cursor struct {
	to   *calls
	key  space.Key
	page []space.LogItem
	next uint64 // where the page after this one begins
	done bool   // there is no page after this one
}

// at returns the store's entry at seq, or the first behind it; seq 0 if there is
// none. What is asked for must not go back.
func (c *cursor) at(seq uint64) (entry space.LogItem, err error) {
	for {
		for len(c.page) > 0 && c.page[0].Seq < seq {
			c.next, c.page = c.page[0].Seq+1, c.page[1:]
		}
		if len(c.page) > 0 {
			return c.page[0], nil
		}
		if c.done {
			return space.LogItem{}, nil
		}
		if c.page, err = c.to.log(c.key, max(c.next, seq), pageBytes); err != nil {
			return space.LogItem{}, err
		}
		c.done = len(c.page) == 0
	}
}

// missing returns the items of which the store has no version or an older one.
func (c *calls) missing(key space.Key, items []space.Item) (missing []space.Item, already uint64, err error) {
	keys := make([]space.ItemKey, len(items))
	for i := range items {
		keys[i] = items[i].Key
	}
	there, err := c.get(key, keys...)
	if err != nil {
		return nil, 0, err
	}
	for i := range items {
		if there[i].Version < items[i].Version {
			missing = append(missing, items[i])
		} else {
			already++
		}
	}
	return missing, already, nil
}

// putAll puts items, some at once.
func (c *calls) putAll(key space.Key, items []space.Item) error {
	if len(items) == 0 {
		return nil
	}
	size := (len(items) + putsAtOnce - 1) / putsAtOnce
	var parts [][]space.Item
	for len(items) > 0 {
		n := min(size, len(items))
		parts = append(parts, items[:n:n])
		items = items[n:]
	}
	return atOnce(parts, putsAtOnce, func(part []space.Item) error { return c.put(key, part...) })
}

// atOnce calls do with each of list, n at once, and returns the first error.
func atOnce[T any](list []T, n int, do func(T) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	next := 0
	for range min(n, len(list)) {
		wg.Go(func() {
			for {
				mu.Lock()
				at := next
				next++
				stop := failed != nil
				mu.Unlock()
				if stop || at >= len(list) {
					return
				}
				if err := do(list[at]); err != nil {
					mu.Lock()
					if failed == nil {
						failed = err
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return failed
}
