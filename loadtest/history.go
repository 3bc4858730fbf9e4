package loadtest

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// history is the history of a repository: who changed which files, having seen
// what. Entries are in an order in which parents come before children.
type history struct {
	entries []entry
	// authors is the number of different authors.
	authors int
}

// entry is one commit of the repository. (A commit of the log is another thing:
// an entry becomes a mutation.)
type entry struct {
	N       int      `json:"n"`
	Author  int      `json:"author"`
	Time    int64    `json:"time"`
	Parents []int    `json:"parents"`
	Title   string   `json:"title"`
	Files   []change `json:"files"`
}

// change is what an entry did to one file.
type change struct {
	// Kind is 'A' (added), 'M' (modified) or 'D' (deleted).
	Kind byte
	Path string
}

// UnmarshalJSON reads a change from ["M","path"].
func (c *change) UnmarshalJSON(data []byte) error {
	var pair []string
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 || len(pair[0]) != 1 || !strings.Contains("AMD", pair[0]) || pair[1] == "" {
		return fmt.Errorf(`a change of a file must be ["A", path], ["M", path] or ["D", path], not %s`, data)
	}
	c.Kind, c.Path = pair[0][0], pair[1]
	return nil
}

// readHistory reads a history from a file of JSON lines, gzipped if its name
// says so.
func readHistory(name string) (*history, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	h, err := parseHistory(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return h, nil
}

func parseHistory(r io.Reader) (*history, error) {
	h := &history{}
	authors := map[int]bool{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(h.entries)+1, err)
		}
		if e.N != len(h.entries) {
			return nil, fmt.Errorf("line %d: n is %d, not %d", len(h.entries)+1, e.N, len(h.entries))
		}
		for _, p := range e.Parents {
			if p < 0 || p >= e.N {
				return nil, fmt.Errorf("line %d: parent %d does not come before it", len(h.entries)+1, p)
			}
		}
		authors[e.Author] = true
		h.entries = append(h.entries, e)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(h.entries) == 0 {
		return nil, errors.New("it holds no history")
	}
	h.authors = len(authors)
	return h, nil
}

// first cuts the history after its first n entries.
func (h *history) first(n int) *history {
	if n <= 0 || n >= len(h.entries) {
		return h
	}
	cut := &history{entries: h.entries[:n]}
	authors := map[int]bool{}
	for _, e := range cut.entries {
		authors[e.Author] = true
	}
	cut.authors = len(authors)
	return cut
}

// ancestry tells for every two entries whether one had seen the other.
type ancestry []bitset

type bitset []uint64

func (b bitset) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }
func (b bitset) add(i int)      { b[i/64] |= 1 << (i % 64) }

// ancestry derives who had seen what. It takes n²/8 bytes.
func (h *history) ancestry() ancestry {
	words := (len(h.entries) + 63) / 64
	all := make(ancestry, len(h.entries))
	for i, e := range h.entries {
		b := make(bitset, words)
		for _, p := range e.Parents {
			b.add(p)
			for w, bits := range all[p] {
				b[w] |= bits
			}
		}
		all[i] = b
	}
	return all
}

// saw says whether entry n had seen entry of, itself included.
func (a ancestry) saw(n, of int) bool { return n == of || a[n].has(of) }

// fate is what the history alone says of a file's record at the end.
type fate int

const (
	// open: it depends on who was faster, a change or a concurrent deletion.
	open fate = iota
	// living: every deletion was seen, and undone, by a later change.
	living
	// gone: a deletion had seen everything else; or there never was a change.
	gone
)

// expected is what follows from the history alone for one file.
type expected struct {
	path string
	fate fate
	// changes counts the A and M; authors are their authors, sorted. They hold
	// whenever the record lives, since neither a deletion nor its undoing forgets
	// what was counted.
	changes int64
	authors []int64
	// last is the author of the change that had seen all other changes, -1 if
	// there is none such.
	last int64
}

// expect derives what must be true of every file in the end, however fast or slow
// each device was.
func (h *history) expect() []expected {
	seen := h.ancestry()
	type touch struct {
		n       int
		deletes bool
	}
	touches := map[string][]touch{}
	for _, e := range h.entries {
		for _, c := range e.Files {
			touches[c.Path] = append(touches[c.Path], touch{e.N, c.Kind == 'D'})
		}
	}
	var all []expected
	for path, list := range touches {
		x := expected{path: path, fate: living, last: -1}
		for _, t := range list {
			if !t.deletes {
				x.changes++
				x.authors = append(x.authors, int64(h.entries[t.n].Author))
			}
		}
		slices.Sort(x.authors)
		x.authors = slices.Compact(x.authors)
		for _, t := range list {
			sawAll, sawChanges, undone := true, true, false
			for _, other := range list {
				saw := seen.saw(t.n, other.n)
				sawAll = sawAll && saw
				sawChanges = sawChanges && (saw || other.deletes)
				undone = undone || !other.deletes && other.n != t.n && seen.saw(other.n, t.n)
			}
			switch {
			case !t.deletes && sawChanges:
				x.last = int64(h.entries[t.n].Author)
			case t.deletes && sawAll:
				x.fate = gone
			case t.deletes && !undone && x.fate == living:
				x.fate = open
			}
		}
		if x.changes == 0 {
			x.fate = gone
		}
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b expected) int { return strings.Compare(a.path, b.path) })
	return all
}
