package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tidegate/tidegate/space"
)

// Source is a store to export from.
type Source interface {
	space.Store
	space.Lister
}

// ErrUnfinished: the store has a space only in part.
var ErrUnfinished = errors.New("only a part of it has been imported: run that import again to its end")

// errAgain: the space has to be read again from the beginning.
var errAgain = errors.New("its log is being trimmed while it is read")

// errTooSlow: what was written of it cannot be made consistent any more.
var errTooSlow = errors.New("its history expires faster than it can be read; run the export again")

// begins is how often the reading of a space may begin.
const begins = 5

// exporter writes spaces of a store.
type exporter struct {
	*calls
	source Source
	opt    Options
	out    *writer
	report Report
	// had are the spaces that the export holds already, and their last commits.
	had map[space.Key]space.LogItem
}

// Export writes the selected spaces of a store to out. from names the store for
// people and for Continue. The store may be in use. On an error, what was written
// is a part of an export that Continue can complete.
func Export(ctx context.Context, store Source, from string, out io.Writer, opt Options) (Report, error) {
	w, err := newWriter(out, from, opt.Select.String())
	if err != nil {
		return Report{}, fmt.Errorf("writing the export: %w", err)
	}
	e := &exporter{calls: newCalls(ctx, store, &opt), source: store, opt: opt, out: w}
	return e.run()
}

// run writes all spaces and the end.
func (e *exporter) run() (Report, error) {
	err := e.spaces()
	if err == nil {
		err = e.out.endFile()
	}
	e.report.Bytes += e.out.bytes
	e.out.bytes = 0
	if err == nil {
		e.report.sealed(e.out.seal)
	}
	if e.out.err != nil {
		err = fmt.Errorf("writing the export: %w", e.out.err)
	}
	return e.report, err
}

// spaces writes each selected space that the export does not hold yet.
func (e *exporter) spaces() error {
	if keys := e.opt.Select.exact(); keys != nil {
		for _, key := range keys {
			if err := e.oneOf(key); err != nil {
				return err
			}
		}
		return nil
	}
	done := make(map[space.Key]bool)
	for token := ""; ; {
		var keys []space.Key
		var next string
		err := e.retry(func() (err error) {
			keys, next, err = e.source.Spaces(e.ctx, token, 1000)
			return err
		})
		if err != nil {
			return fmt.Errorf("listing the store's spaces: %w", err)
		}
		for _, key := range keys {
			if !done[key] && e.opt.Select.holds(key) {
				done[key] = true
				if err := e.oneOf(key); err != nil {
					return err
				}
			}
		}
		if token = next; token == "" {
			break
		}
	}
	return e.opt.Select.missing("store", done)
}

// oneOf writes a space, unless the export holds it as it is.
func (e *exporter) oneOf(key space.Key) error {
	if last, had := e.had[key]; had {
		there, err := e.log(key, last.Seq, 1)
		if err == nil && (len(there) == 0 || there[0].Seq != last.Seq) {
			err = fmt.Errorf("the export ends with commit %d, which the store does not have: write another export", last.Seq)
		}
		if err == nil {
			err = sameEntry(last, there[0].Data)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", nameOf(key), err)
		}
		if more, err := e.log(key, last.Seq+1, 1); err != nil || len(more) == 0 {
			return err
		}
	}
	var err error
	one := &spaceExport{exporter: e, key: key}
	for range begins {
		if err = one.run(); err == nil {
			e.report.Spaces++
			e.report.Commits += e.out.digest.commits
			e.report.Items += e.out.digest.items
			e.progress()
			return nil
		}
		if !errors.Is(err, errAgain) {
			break
		}
	}
	if e.out.err != nil {
		return e.out.err
	}
	return fmt.Errorf("%s: %w", nameOf(key), err)
}

func (e *exporter) progress() {
	report := e.report
	report.Bytes += e.out.bytes
	e.opt.progress(&report)
}

// spaceExport is a space that is being written; the package comment says why in
// this order.
type spaceExport struct {
	*exporter
	key  space.Key
	next uint64 // seq of the log entry to be written next
	// began is true once something was written; since is the watermark of then: what
	// was written may have been imported already.
	began bool
	since uint64
}

func (s *spaceExport) run() error {
	images, err := s.get(s.key, space.ItemKey{Kind: space.ItemWatermark})
	if err != nil {
		return err
	}
	watermark := images[0]
	if _, unfinished := space.Unfinished(watermark); unfinished {
		return ErrUnfinished
	}
	first, err := s.log(s.key, 0, 1)
	switch {
	case err != nil:
		return err
	case len(first) == 0 && watermark.Version > 0:
		return fmt.Errorf("everything up to commit %d is checkpointed, but the log is gone", watermark.Version)
	case len(first) == 0:
		return errors.New("there is no such space: it has no commits")
	case first[0].Seq > watermark.Version+1:
		return fmt.Errorf("%w, or damaged: it begins at commit %d, and the images reach to %d only", errAgain, first[0].Seq, watermark.Version)
	}
	if !s.began {
		s.began, s.since = true, watermark.Version
	}
	s.next = first[0].Seq
	s.out.begin(s.key, watermark.Version)
	if err := s.toEnd(); err != nil {
		return err
	}
	if err := s.reaches(watermark); err != nil {
		return err
	}
	for _, kind := range []space.ItemKind{space.ItemRecord, space.ItemDevice} {
		if err := s.kind(kind); err != nil {
			return err
		}
	}
	if images, err = s.get(s.key, space.ItemKey{Kind: space.ItemHorizon}); err != nil {
		return err
	}
	horizon := images[0]
	if horizon.Version > s.since {
		// Of what was deleted since then, the images may have been dropped, and so may
		// the commits that say so: it would come back to life.
		return errTooSlow
	}
	if err := s.kind(space.ItemBlob); err != nil {
		return err
	}
	for _, item := range []space.Item{horizon, watermark} {
		if item.Version == 0 {
			continue
		}
		if err := s.out.item(&item); err != nil {
			return err
		}
	}
	return s.out.end()
}

// toEnd writes the log on to its end.
func (s *spaceExport) toEnd() error {
	for {
		page, err := s.log(s.key, s.next, pageBytes)
		if err != nil || len(page) == 0 {
			return err
		}
		if page[0].Seq != s.next {
			return fmt.Errorf("%w: commit %d follows commit %d", errAgain, page[0].Seq, s.next-1)
		}
		for _, entry := range page {
			if err := s.out.entry(entry); err != nil {
				return err
			}
			s.next = entry.Seq + 1
		}
		s.progress()
	}
}

// reaches sees to it that the log is written up to an image's version.
func (s *spaceExport) reaches(item space.Item) error {
	if item.Version < s.next {
		return nil
	}
	if err := s.toEnd(); err != nil {
		return err
	}
	if item.Version >= s.next {
		return fmt.Errorf("%s has version %d, but the log ends at commit %d", item.Key, item.Version, s.next-1)
	}
	return nil
}

// kind writes all items of a kind.
func (s *spaceExport) kind(kind space.ItemKind) error {
	after, started := space.ItemKey{Kind: kind}, false
	for {
		page, err := s.scan(s.key, after, started)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			if kind != space.ItemBlob {
				if err := s.reaches(page[i]); err != nil {
					return err
				}
			}
			if err := s.out.item(&page[i]); err != nil {
				return err
			}
		}
		after, started = page[len(page)-1].Key, true
		s.progress()
	}
}
