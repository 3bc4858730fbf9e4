package transfer

import (
	"fmt"

	"github.com/tidegate/tidegate/space"
)

// existing is the landing of a space that the store has, and may be serving. It is
// given the commits that it lacks, and the values that they name. Images follow
// from the log: to put those of the export would bring back records that were
// deleted since and dropped.
type existing struct {
	to    *calls
	key   space.Key
	there cursor
	from  uint64 // the store's first commit
	met   bool   // an entry of the export was found in the store
	// alone: the store has nothing but the first commit, perhaps because an import
	// was cut off before its very last write. lacks: and not all of its images.
	alone, lacks bool
}

// log compares, and adds what is missing at the end, one after the other.
func (e *existing) log(entries []space.LogItem) (already uint64, err error) {
	for _, entry := range entries {
		there, err := e.there.at(entry.Seq)
		switch {
		case err != nil:
			return already, err
		case there.Seq == entry.Seq:
			if err := sameEntry(entry, there.Data); err != nil {
				return already, err
			}
			e.met = true
			already++
		case entry.Seq < e.from:
			already++ // it was there, and has expired
		case there.Seq > entry.Seq:
			return already, fmt.Errorf("it is damaged in the store: commit %d is missing, and %d is there", entry.Seq, there.Seq)
		case !e.met:
			return already, fmt.Errorf("%w, or an older part of this one: it ends at commit %d, and the export begins at %d; import into another store",
				ErrOtherHistory, max(e.there.next, 1)-1, entry.Seq)
		default:
			was, err := e.to.append(e.key, entry)
			if err != nil {
				return already, err
			}
			if was {
				already++
			}
		}
	}
	return already, nil
}

func (e *existing) items(kind space.ItemKind, items []space.Item) (already uint64, err error) {
	all := uint64(len(items))
	switch {
	case kind == space.ItemBlob:
		absent, already, err := e.to.missing(e.key, items)
		if err != nil {
			return 0, err
		}
		return already, e.to.putAll(e.key, absent)
	case !e.alone || e.lacks || items[0].Version > 1:
		return all, nil
	}
	absent, already, err := e.to.missing(e.key, items)
	if err == nil && kind == space.ItemWatermark && len(absent) > 0 {
		return already, e.to.put(e.key, absent...) // every image that it speaks of is there
	}
	e.lacks = e.lacks || len(absent) > 0
	return all, err
}

// end finds that the store has the export's space; it must have met it.
func (e *existing) end(uint64) error {
	if !e.met {
		return fmt.Errorf("%w, or a later part of this one: it begins at commit %d, where the export has ended", ErrOtherHistory, e.from)
	}
	return nil
}
