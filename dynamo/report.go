package dynamo

import "github.com/tidegate/tidegate/space"

// Report tells of an item that is not as Tidegate wrote it.
type Report struct {
	Key space.Key
	// Item names the item; a commit has Seq instead.
	Item space.ItemKey
	Seq  uint64
	// Attributes are those that are not as they were written; "(removed)" stands
	// for one that is gone.
	Attributes []string
	// Kept is true if Tidegate still has all of the record, beside the foreign
	// attributes. Otherwise the record is made again from the log.
	Kept bool
	Err  error
}

// report counts a report and passes it on.
func (s *Store) report(r Report) {
	if r.Kept {
		s.kept.Add(1)
	} else {
		s.remade.Add(1)
	}
	if s.config.Report != nil {
		s.config.Report(r)
	}
}

// Reports returns how often items were met that somebody else wrote: those that
// Tidegate still has all of, and the others. An item counts each time.
func (s *Store) Reports() (kept, remade uint64) { return s.kept.Load(), s.remade.Load() }
