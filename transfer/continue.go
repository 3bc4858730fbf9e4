package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tidegate/tidegate/space"
)

// ErrComplete: the export needs no continuing.
var ErrComplete = errors.New("the export is complete already: write another file, or remove this one")

// Continue completes an export that was cut off, or writes one into an empty
// file. The whole spaces in it are kept, unless the store has newer commits of
// them; what follows the last whole one is written anew. Only an export of the
// same store (by the name that Export was given) and of the same selection can be
// continued.
func Continue(ctx context.Context, store Source, from string, file *os.File, opt Options) (Report, error) {
	if size, err := file.Seek(0, io.SeekEnd); err != nil {
		return Report{}, err
	} else if size == 0 {
		return Export(ctx, store, from, file, opt)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return Report{}, err
	}
	had := &keeper{had: make(map[space.Key]space.LogItem)}
	r, err := walk(file, had)
	switch {
	case err == nil:
		return Report{}, ErrComplete
	case !errors.Is(err, ErrCutOff) && !errors.Is(err, ErrCorrupt):
		return Report{}, err
	case r.whole.offset == 0: // not even the first chunk is whole
		if err := cut(file, 0); err != nil {
			return Report{}, err
		}
		return Export(ctx, store, from, file, opt)
	case r.source != from || r.selection != opt.Select.String():
		return Report{}, fmt.Errorf("the export was begun for %s in %s, not for %s in %s: write another file, or remove this one",
			r.selection, r.source, opt.Select, from)
	}
	if err := cut(file, r.whole.offset); err != nil {
		return Report{}, err
	}
	w, err := resumeWriter(file, r.whole.seal, r.whole.spaces)
	if err != nil {
		return Report{}, err
	}
	e := &exporter{calls: newCalls(ctx, store, &opt), source: store, opt: opt, out: w, had: had.had}
	e.report = Report{Spaces: had.amount.Spaces, Commits: had.amount.Commits, Items: had.amount.Items, Bytes: had.bytes, Already: had.amount}
	return e.run()
}

// cut ends a file at an offset, and goes there.
func cut(file *os.File, offset int64) error {
	if err := file.Truncate(offset); err != nil {
		return err
	}
	_, err := file.Seek(offset, io.SeekStart)
	return err
}

// keeper counts what an export holds, and remembers each space's last commit.
type keeper struct {
	had    map[space.Key]space.LogItem
	amount Amount
	bytes  int64

	// Of the space that is being read.
	key     space.Key
	last    space.LogItem
	pending int64
}

func (k *keeper) begin(key space.Key, _ uint64) error {
	k.key, k.pending = key, 0
	return nil
}

func (k *keeper) log(entries []space.LogItem) error {
	for _, entry := range entries {
		k.pending += int64(len(entry.Data))
	}
	last := entries[len(entries)-1]
	k.last = space.LogItem{Seq: last.Seq, Data: bytes.Clone(last.Data)} // the others go
	return nil
}

func (k *keeper) items(_ space.ItemKind, items []encodedItem) error {
	for _, item := range items {
		k.pending += int64(len(item.encoded))
	}
	return nil
}

func (k *keeper) end(sums sums) error {
	k.had[k.key] = k.last
	k.amount.add(Amount{Spaces: 1, Commits: sums.commits, Items: sums.items})
	k.bytes += k.pending
	return nil
}
