package transfer

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidegate/tidegate/space"
)

// Report says what was done.
type Report struct {
	// Spaces, Commits and Items are what the export holds of what was asked for;
	// Bytes is the size of those commits and items before packing.
	Spaces  uint64 `json:"spaces"`
	Commits uint64 `json:"commits"`
	Items   uint64 `json:"items"`
	Bytes   int64  `json:"bytes"`
	// Already is how much of that was where it should be before this run.
	Already Amount `json:"already"`
	// SHA256 is the export's last seal, in hexadecimal: it stands for every byte of
	// the export. Empty if the export was not read or written to its end.
	SHA256 string `json:"sha256,omitempty"`
	// Differences are what Check found, one for each space that is not the same.
	Differences []Difference `json:"differences,omitempty"`
}

// Amount counts whole spaces, commits, and items beside the log.
type Amount struct {
	Spaces  uint64 `json:"spaces"`
	Commits uint64 `json:"commits"`
	Items   uint64 `json:"items"`
}

func (a *Amount) add(b Amount) {
	a.Spaces += b.Spaces
	a.Commits += b.Commits
	a.Items += b.Items
}

// Difference is the first thing in which a space of the store is not as the
// export has it.
type Difference struct {
	Tenant string `json:"tenant"`
	Space  string `json:"space"`
	What   string `json:"what"`
}

func (r *Report) sealed(seal [32]byte) { r.SHA256 = hex.EncodeToString(seal[:]) }

// Selection says which spaces are meant: those with one of the names, of one of
// the tenants. An empty list means all.
type Selection struct {
	Tenants, Spaces []string
}

// holds reports whether a space is meant.
func (s Selection) holds(key space.Key) bool {
	return (len(s.Tenants) == 0 || slices.Contains(s.Tenants, key.Tenant)) &&
		(len(s.Spaces) == 0 || slices.Contains(s.Spaces, key.Space))
}

// exact returns the spaces that are meant if the selection names each.
func (s Selection) exact() []space.Key {
	if len(s.Tenants) == 0 || len(s.Spaces) == 0 {
		return nil
	}
	var keys []space.Key
	for _, tenant := range s.Tenants {
		for _, name := range s.Spaces {
			if key := (space.Key{Tenant: tenant, Space: name}); !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// missing is an error if none of the spaces has one of the names that were asked
// for.
func (s Selection) missing(from string, among map[space.Key]bool) error {
	check := func(what string, names []string, of func(space.Key) string) error {
		for _, name := range names {
			found := false
			for key := range among {
				found = found || of(key) == name
			}
			if !found {
				return fmt.Errorf("there is no %s %q in the %s", what, name, from)
			}
		}
		return nil
	}
	return errors.Join(
		check("space", s.Spaces, func(key space.Key) string { return key.Space }),
		check("tenant", s.Tenants, func(key space.Key) string { return key.Tenant }),
	)
}

// String says it in words, the same for the same selection.
func (s Selection) String() string {
	list := func(what, all string, names []string) string {
		if len(names) == 0 {
			return all
		}
		names = slices.Compact(slices.Sorted(slices.Values(names)))
		quoted := make([]string, len(names))
		for i, name := range names {
			quoted[i] = fmt.Sprintf("%q", name)
		}
		return what + " " + strings.Join(quoted, ", ")
	}
	return list("space", "every space", s.Spaces) + " of " + list("tenant", "every tenant", s.Tenants)
}

// Options are what all of moving has in common.
type Options struct {
	// Select says which spaces to move.
	Select Selection
	// Permanent says that an error of the store will not go away by asking again;
	// nil if none is known. What it does not name is tried again for about a quarter
	// of a minute.
	Permanent func(error) bool
	// Progress is called now and then from the calling goroutine, with what has been
	// done so far; may be nil.
	Progress func(Report)
}

func (o *Options) progress(r *Report) {
	if o.Progress != nil {
		o.Progress(*r)
	}
}
