package storetest

import (
	"fmt"
	"maps"
	"testing"

	"github.com/tidegate/tidegate/space"
)

// list holds a space.Lister to its contract.
func (s *suite) list() {
	lister, ok := s.Store.(space.Lister)
	if !ok {
		s.Skip("the store lists no spaces")
	}
	// Reading a space does not make it one.
	s.mustLog(board, 1, 1000)
	s.mustGet(board, record("c", "r"))
	wantSpaces(s.T, lister, 10)
	for i, key := range colliding {
		switch i % 3 { // a log entry is enough, and so is an item
		case 0:
			s.fill(key, 5)
		case 1:
			s.mustPut(key, space.Item{Key: record("\xff", "\xff"), Version: 1, Meta: []byte("m")})
		case 2:
			s.fill(key, 1)
			for n := range 20 {
				s.mustPut(key, space.Item{Key: record("c", fmt.Sprint(n)), Version: 1, Meta: []byte("m")})
			}
		}
	}
	for _, limit := range []int{1, 2, 7, len(colliding), 1000} {
		wantSpaces(s.T, lister, limit, colliding...)
	}
	// What comes meanwhile hides nothing of what was there, and a token may be used
	// again.
	seen := map[space.Key]bool{}
	for n, token := 0, ""; ; n++ {
		s.fill(space.Key{Tenant: "new", Space: fmt.Sprint(n)}, 1)
		keys, next, err := lister.Spaces(s.Context(), token, 3)
		if err != nil {
			s.Fatal(err)
		}
		again, _, err := lister.Spaces(s.Context(), token, 3)
		if err != nil || len(keys) > 0 && len(again) == 0 {
			s.Fatalf("the page of %q, read again: %v, %v", token, again, err)
		}
		for _, key := range keys {
			seen[key] = true
		}
		if token = next; token == "" {
			break
		}
		if n > 1000 {
			s.Fatal("the listing does not end")
		}
	}
	for _, key := range colliding {
		if !seen[key] {
			s.Errorf("%q was not listed while others came", key)
		}
	}
	if s.opt.Reopen != nil {
		before := listSpaces(s.T, lister, 5)
		s.Store = s.opt.Reopen(s.T, s.Store)
		if after := listSpaces(s.T, s.Store.(space.Lister), 5); !maps.Equal(before, after) {
			s.Errorf("%d spaces were listed, after opening again %d", len(before), len(after))
		}
	}
}

// wantSpaces demands that exactly these spaces are listed, in pages of limit.
func wantSpaces(t *testing.T, lister space.Lister, limit int, want ...space.Key) {
	t.Helper()
	listed := listSpaces(t, lister, limit)
	for _, key := range want {
		if !listed[key] {
			t.Errorf("pages of %d do not list %q", limit, key)
		}
		delete(listed, key)
	}
	for key := range listed {
		t.Errorf("pages of %d list %q, which holds nothing", limit, key)
	}
}

func listSpaces(t *testing.T, lister space.Lister, limit int) map[space.Key]bool {
	t.Helper()
	listed := map[space.Key]bool{}
	for token, pages := "", 0; ; pages++ {
		keys, next, err := lister.Spaces(t.Context(), token, limit)
		if err != nil {
			t.Fatalf("the page of %q: %v", token, err)
		}
		if len(keys) > limit {
			t.Fatalf("%d spaces on a page of %d", len(keys), limit)
		}
		for _, key := range keys {
			listed[key] = true
		}
		if token = next; token == "" {
			return listed
		}
		if pages > 10000 {
			t.Fatal("the listing does not end")
		}
	}
}
