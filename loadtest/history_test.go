package loadtest

import (
	"slices"
	"strings"
	"testing"
)

func parse(t *testing.T, lines ...string) *history {
	t.Helper()
	h, err := parseHistory(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestParseHistoryRefuses(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":        {"", "no history"},
		"no JSON":        {"{", "line 1"},
		"wrong number":   {`{"n":1}`, "n is 1, not 0"},
		"unknown parent": {`{"n":0,"parents":[0]}`, "parent 0 does not come before"},
		"unknown change": {`{"n":0,"files":[["R","a"]]}`, `must be ["A", path]`},
		"no path":        {`{"n":0,"files":[["A"]]}`, `must be ["A", path]`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseHistory(strings.NewReader(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, want one about %q", err, test.want)
			}
		})
	}
}

func TestExpect(t *testing.T) {
	h := parse(t,
		`{"n":0,"author":0,"parents":[],"files":[["A","plain"],["A","deleted"],["A","undone"],["A","raced"]]}`,
		`{"n":1,"author":1,"parents":[0],"files":[["M","plain"],["D","raced"],["D","undone"]]}`,
		`{"n":2,"author":2,"parents":[0],"files":[["M","plain"],["M","raced"],["A","plain2"]]}`,
		`{"n":3,"author":0,"parents":[1,2],"files":[["M","plain"],["D","deleted"],["A","undone"],["D","never"]]}`,
	)
	want := map[string]expected{
		"plain":   {fate: living, changes: 4, authors: []int64{0, 1, 2}, last: 0},
		"plain2":  {fate: living, changes: 1, authors: []int64{2}, last: 2},
		"deleted": {fate: gone, changes: 1, authors: []int64{0}, last: 0},
		"undone":  {fate: living, changes: 2, authors: []int64{0}, last: 0},
		"raced":   {fate: open, changes: 2, authors: []int64{0, 2}, last: 2},
		"never":   {fate: gone, changes: 0, last: -1},
	}
	got := h.expect()
	if len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
	for _, x := range got {
		w := want[x.path]
		if x.fate != w.fate || x.changes != w.changes || !slices.Equal(x.authors, w.authors) || x.last != w.last {
			t.Errorf("%s: %+v, want %+v", x.path, x, w)
		}
	}
	if cut := h.first(2); len(cut.entries) != 2 || cut.authors != 2 {
		t.Errorf("the first two entries are %d by %d authors", len(cut.entries), cut.authors)
	}
}
