package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

func (s *suite) putVersion() {
	key := record("tasks", "a")
	item := func(version uint64) space.Item {
		return space.Item{
			Key: key, Version: version, Meta: fmt.Appendf(nil, "version %d", version),
			Fields: []protocol.FieldValue{{Field: "v", Value: protocol.IntValue(int64(version))}},
		}
	}
	if got := s.mustGet(board, key)[0]; got.Version != 0 || got.Fields != nil || len(got.Meta) != 0 {
		s.Fatalf("an absent item is %+v", got)
	}
	s.mustPut(board, item(5))
	s.wantItem(board, item(5))
	s.mustPut(board, item(4))
	s.wantItem(board, item(5))
	same := item(5)
	same.Meta = []byte("other")
	s.mustPut(board, same)
	s.wantItem(board, item(5))
	s.mustPut(board, item(6))
	s.wantItem(board, item(6))
	// Fields that a newer image does not have are gone.
	bare := space.Item{Key: key, Version: 7, Meta: []byte("bare")}
	s.mustPut(board, bare)
	s.wantItem(board, bare)
}

func (s *suite) putMany() {
	s.mustPut(board, space.Item{Key: record("a", "1"), Version: 9, Meta: []byte("new")})
	var items []space.Item
	for i := range 150 {
		items = append(items, space.Item{Key: record("a", fmt.Sprint(i)), Version: 5, Meta: []byte("old")})
	}
	s.mustPut(board, items...)
	for i, item := range items {
		if i == 1 {
			item.Version, item.Meta = 9, []byte("new")
		}
		s.wantItem(board, item)
	}
	s.mustPut(board)
}

func (s *suite) putValues() {
	values := map[string]any{
		"null": nil, "true": true, "false": false, "zero": 0, "int": -123456789, "big": int64(1) << 53,
		"float": 1.5e-20, "huge": 2.5e-100, "text": "grüße, 世界\x00", "empty": "", "bytes": []byte{0, 255, 1},
		"no bytes": []byte{}, "array": []any{1, "two", nil, []any{}}, "map": map[string]any{"b": 1, "a": []byte{1}, "": map[string]any{}},
		strings.Repeat("n", protocol.MaxNameBytes): "long name",
		protocol.ConflictCollection:                []any{"title", "when.start"}, // the system's, on any record
	}
	item := space.Item{Key: record("all", "values"), Version: 1, Meta: []byte{0, 1, 2, 255}}
	for name, v := range values {
		item.Fields = append(item.Fields, protocol.FieldValue{Field: name, Value: protocol.MustValue(v)})
	}
	slices.SortFunc(item.Fields, func(a, b protocol.FieldValue) int { return strings.Compare(a.Field, b.Field) })
	s.mustPut(board, item)
	s.wantItem(board, item)
	if got := s.scanAll(board, space.ItemRecord, 1<<20); len(got) != 1 || !sameItem(got[0], item) {
		s.Fatalf("scan: %+v", got)
	}
}

func (s *suite) putRace() {
	key := device(1)
	var wg sync.WaitGroup
	for version := uint64(1); version <= 40; version++ {
		wg.Go(func() {
			item := space.Item{Key: key, Version: version, Meta: fmt.Appendf(nil, "%d", version)}
			if err := s.Put(s.Context(), board, []space.Item{item}); err != nil {
				s.Errorf("put: %v", err)
			}
		})
	}
	wg.Wait()
	s.wantItem(board, space.Item{Key: key, Version: 40, Meta: []byte("40")})
}

func (s *suite) getOrder() {
	s.mustPut(board,
		space.Item{Key: record("a", "1"), Version: 1, Meta: []byte("a1")},
		space.Item{Key: device(7), Version: 2, Meta: []byte("d7")},
		space.Item{Key: space.ItemKey{Kind: space.ItemWatermark}, Version: 3, Meta: []byte("w")},
		space.Item{Key: space.ItemKey{Kind: space.ItemHorizon}, Version: 4},
	)
	keys := []space.ItemKey{
		{Kind: space.ItemHorizon}, record("none", ""), device(7), record("a", "1"),
		{Kind: space.ItemWatermark}, device(7), {Kind: space.ItemBlob, A: "none"},
	}
	want := []uint64{4, 0, 2, 1, 3, 2, 0}
	for i, item := range s.mustGet(board, keys...) {
		if item.Version != want[i] {
			s.Errorf("%v has version %d, not %d", keys[i], item.Version, want[i])
		}
	}
	if got := s.mustGet(board); len(got) != 0 {
		s.Errorf("no keys: %v", got)
	}
	many := make([]space.ItemKey, 250)
	for i := range many {
		many[i] = record("a", fmt.Sprint(i))
	}
	s.mustGet(board, many...)
}

// nasty are names that run into each other where keys are put together without
// care.
var nasty = []string{
	"", "\x00", "\x00\x00", "\x00\x01", "\x01", "a", "a\x00", "a\x00\x00", "a\x00b", "a\x01", "a/b", "a/", "/", "//",
	"a#b", "a|b", "a:b", "ab", "b", "\xff", "\xff\xff", "é", "世界", "a\xff", "%00", "..", strings.Repeat("x", 255),
}

func (s *suite) scanOrder() {
	var want []space.ItemKey
	var items []space.Item
	for _, a := range nasty {
		for _, b := range nasty {
			items = append(items, space.Item{Key: record(a, b), Version: 1, Meta: []byte(a + "," + b)})
			want = append(want, record(a, b))
		}
	}
	s.mustPut(board, items...)
	slices.SortFunc(want, compareKeys)
	for _, maxBytes := range []int{100, 1000, 1 << 20} {
		got := s.scanAll(board, space.ItemRecord, maxBytes)
		if len(got) < len(want) && maxBytes == 100 {
			continue // see scanAll: the empty key cannot be passed a page at a time
		}
		if len(got) != len(want) {
			s.Fatalf("pages of %d: %d items, not %d", maxBytes, len(got), len(want))
		}
		for i, item := range got {
			if item.Key != want[i] || string(item.Meta) != want[i].A+","+want[i].B {
				s.Fatalf("item %d is %v, not %v", i, item.Key, want[i])
			}
		}
	}
}

func (s *suite) scanPages() {
	for i := range 100 {
		s.mustPut(board, space.Item{Key: record("tasks", fmt.Sprintf("%03d", i)), Version: 1, Meta: make([]byte, 50)})
	}
	if got := s.scanAll(board, space.ItemRecord, 300); len(got) != 100 {
		s.Fatalf("%d items", len(got))
	}
	page, err := s.Scan(s.Context(), board, record("tasks", "040"), 0)
	if err != nil || len(page) != 1 || page[0].Key != record("tasks", "041") {
		s.Fatalf("no room still means one item: %v, %v", page, err)
	}
	page, err = s.Scan(s.Context(), board, record("tasks", "0405"), 1)
	if err != nil || len(page) != 1 || page[0].Key != record("tasks", "041") {
		s.Fatalf("after a key that is not there: %v, %v", page, err)
	}
	page, err = s.Scan(s.Context(), board, record("tasks", ""), 1)
	if err != nil || len(page) != 1 || page[0].Key != record("tasks", "000") {
		s.Fatalf("after an empty id: %v, %v", page, err)
	}
	page, err = s.Scan(s.Context(), board, record("tasks", "099"), 1000)
	if err != nil || len(page) != 0 {
		s.Fatalf("after the last: %v, %v", page, err)
	}
}

func (s *suite) scanKind() {
	s.mustPut(board,
		space.Item{Key: record("\xff", "\xff"), Version: 1},
		space.Item{Key: device(0), Version: 1, Meta: []byte("d0")},
		space.Item{Key: device(255), Version: 1, Meta: []byte("d255")},
		space.Item{Key: space.ItemKey{Kind: space.ItemWatermark}, Version: 1, Meta: []byte("w")},
		space.Item{Key: space.ItemKey{Kind: space.ItemHorizon}, Version: 1},
		space.Item{Key: space.ItemKey{Kind: space.ItemBlob, A: "\x00blob"}, Version: 1, Meta: []byte("b")},
	)
	s.fill(board, 3)
	for kind, want := range map[space.ItemKind]int{
		space.ItemRecord: 1, space.ItemDevice: 2, space.ItemWatermark: 1, space.ItemHorizon: 1, space.ItemBlob: 1,
	} {
		if got := s.scanAll(board, kind, 1<<20); len(got) != want {
			s.Errorf("kind %d: %d items, not %d", kind, len(got), want)
		}
	}
}

func (s *suite) trimDrop() {
	s.fill(board, 10)
	old, fresh, blob := record("a", "old"), record("a", "fresh"), space.ItemKey{Kind: space.ItemBlob, A: "x"}
	s.mustPut(board,
		space.Item{Key: old, Version: 3, Meta: []byte("tombstone")},
		space.Item{Key: fresh, Version: 5, Meta: []byte("changed again")},
		space.Item{Key: device(1), Version: 4, Meta: []byte("gone")},
		space.Item{Key: blob, Version: 1, Meta: []byte("value")},
	)
	if err := s.Trim(s.Context(), board, 5, []space.ItemKey{old, fresh, device(1), record("never", "was")}); err != nil {
		s.Fatal(err)
	}
	s.wantLog(board, 5, 10)
	for _, key := range []space.ItemKey{old, device(1)} {
		if got := s.mustGet(board, key)[0]; got.Version != 0 {
			s.Errorf("%v is still there: %+v", key, got)
		}
	}
	s.wantItem(board, space.Item{Key: fresh, Version: 5, Meta: []byte("changed again")})
	s.wantItem(board, space.Item{Key: blob, Version: 1, Meta: []byte("value")})
	s.mustPut(board, space.Item{Key: old, Version: 2, Meta: []byte("a new one")})
	s.wantItem(board, space.Item{Key: old, Version: 2, Meta: []byte("a new one")})
}
