package transfer

import (
	"errors"
	"fmt"

	"github.com/tidegate/tidegate/space"
)

// fresh is the landing of a space that the store does not have, or has a part of
// because an import was cut off. Nobody is served from it.
type fresh struct {
	to        *calls
	key       space.Key
	watermark uint64
	first     space.LogItem // of the log
	there     cursor
	compare   bool // the store has something of it already
	// since is the watermark that the first of these imports had: the images in the
	// store are at least as new.
	since uint64
	again bool
	met   bool       // an entry of the export was found in the store
	mark  space.Item // the watermark to put in the end
}

// log appends all but the first commit of all, in any order: nobody reads here.
func (f *fresh) log(entries []space.LogItem) (already uint64, err error) {
	var absent []space.LogItem
	for _, entry := range entries {
		there, err := f.there.at(entry.Seq)
		switch {
		case err != nil:
			return 0, err
		case there.Seq == entry.Seq:
			if err := sameEntry(entry, there.Data); err != nil {
				return 0, err
			}
			f.met = true
			already++
		case entry.Seq > 1:
			absent = append(absent, entry)
		}
	}
	return already, atOnce(absent, appendsAtOnce, func(entry space.LogItem) error {
		_, err := f.to.append(f.key, entry)
		return err
	})
}

func (f *fresh) items(kind space.ItemKind, items []space.Item) (already uint64, err error) {
	switch {
	case kind == space.ItemWatermark:
		f.mark = items[0]
		return 0, nil
	case kind == space.ItemHorizon && items[0].Version > f.since:
		// Records that were deleted since may be there alive, and the export does not
		// know of them any more.
		return 0, fmt.Errorf("the store has a part of it from an export so old (its watermark was %d, the horizon is %d now) that this one cannot complete it: import into another store",
			f.since, items[0].Version)
	case f.compare:
		if items, already, err = f.to.missing(f.key, items); err != nil {
			return 0, err
		}
	}
	return already, f.to.putAll(f.key, items)
}

// end puts in what was held back.
func (f *fresh) end(last uint64) error {
	if f.mark.Version != f.watermark {
		return fmt.Errorf("the export's watermark is %d, and was to be %d", f.mark.Version, f.watermark)
	}
	if err := f.only(last); err != nil {
		return err
	}
	if f.mark.Version > space.UnfinishedVersion {
		if err := f.putFirst(); err != nil {
			return err
		}
		return f.to.put(f.key, f.mark) // in the mark's place
	}
	// The mark cannot be replaced, and is taken out. What bars the space meanwhile is
	// that its first commit is missing: the log has a hole in front. Only a first
	// commit that is alone leaves no hole, and makes the space whole by itself.
	alone := last == 1
	if alone {
		if err := f.putFirst(); err != nil {
			return err
		}
	}
	if err := f.to.trim(f.key, space.UnfinishedVersion+1, space.ItemKey{Kind: space.ItemWatermark}); err != nil {
		return err
	}
	if f.mark.Version > 0 {
		if err := f.to.put(f.key, f.mark); err != nil {
			return err
		}
	}
	if alone {
		return nil
	}
	err := f.putFirst()
	if errors.Is(err, ErrOtherHistory) && f.mark.Version == 0 {
		err = errors.Join(err, f.to.put(f.key, space.UnfinishedMark(f.since)))
	}
	return err
}

// putFirst appends the first commit of all, if the export has it.
func (f *fresh) putFirst() error {
	if f.first.Seq > 1 {
		return nil
	}
	_, err := f.to.append(f.key, f.first)
	return err
}

// only sees to it that the store has no commit but those of the export.
func (f *fresh) only(last uint64) error {
	behind, err := f.to.log(f.key, last+1, 1)
	if err != nil {
		return err
	}
	if len(behind) > 0 {
		return fmt.Errorf("the store has commit %d of it, from the unfinished import of a newer export: run that one again", behind[0].Seq)
	}
	before, err := f.to.log(f.key, 0, 1)
	if err != nil || len(before) == 0 || before[0].Seq >= f.first.Seq {
		return err
	}
	if !f.met && !f.again {
		return fmt.Errorf("%w: it has commit %d from an unfinished import, and none that the export has", ErrOtherHistory, before[0].Seq)
	}
	return f.to.trim(f.key, f.first.Seq)
}
