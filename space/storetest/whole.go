package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// colliding are spaces whose names, put together without care, are the same.
var colliding = []space.Key{
	{Tenant: "a", Space: "b"}, {Tenant: "ab", Space: ""}, {Tenant: "", Space: "ab"}, {Tenant: "a", Space: "bc"},
	{Tenant: "a\x00", Space: "b"}, {Tenant: "a", Space: "\x00b"}, {Tenant: "a\x00b", Space: ""},
	{Tenant: "a/b", Space: "c"}, {Tenant: "a", Space: "b/c"}, {Tenant: "a#b", Space: "c"}, {Tenant: "a", Space: "b#c"},
	{Tenant: "A", Space: "B"}, {Tenant: "a", Space: "b "}, {Tenant: "%61", Space: "b"}, {Tenant: "\xff", Space: "\xff"},
	{Tenant: "é", Space: "世界"}, {Tenant: strings.Repeat("t", 255), Space: strings.Repeat("s", 255)},
	{Tenant: "1", Space: "11"}, {Tenant: "11", Space: "1"}, {Tenant: "\x01a", Space: "b"}, {Tenant: "a", Space: "\x01b"},
}

func (s *suite) apart() {
	keys := colliding
	data := func(i int) []byte { return fmt.Appendf(nil, "of space %d", i) }
	for i, key := range keys {
		s.mustAppend(key, 1, data(i)) // taken, if another space's log were this one's
		s.mustPut(key, space.Item{Key: record("c", "r"), Version: uint64(i + 1), Meta: data(i)})
	}
	for i, key := range keys {
		if got := s.mustLog(key, 0, 1<<20); len(got) != 1 || !bytes.Equal(got[0].Data, data(i)) {
			s.Fatalf("the log of %q has %v", key, got)
		}
		got := s.scanAll(key, space.ItemRecord, 1<<20)
		if len(got) != 1 || !bytes.Equal(got[0].Meta, data(i)) || got[0].Version != uint64(i+1) {
			s.Fatalf("the items of %q are %+v", key, got)
		}
	}
	s.mustAppend(keys[0], 2, entry(2))
	if err := s.Trim(s.Context(), keys[0], 1000, []space.ItemKey{record("c", "r")}); err != nil {
		s.Fatal(err)
	}
	for i, key := range keys[1:] {
		if got := s.mustLog(key, 0, 1<<20); len(got) != 1 {
			s.Fatalf("trimming %q changed %q: %v", keys[0], key, got)
		}
		s.wantItem(key, space.Item{Key: record("c", "r"), Version: uint64(i + 2), Meta: data(i + 1)})
	}
}

func (s *suite) large() {
	big := bytes.Repeat([]byte("0123456789abcdef"), s.opt.ItemBytes/16)
	for seq := uint64(1); seq <= 4; seq++ {
		s.mustAppend(board, seq, big)
	}
	count := 0
	for from := uint64(1); from <= 4; {
		items := s.mustLog(board, from, len(big)+len(big)/2)
		if len(items) != 1 || !bytes.Equal(items[0].Data, big) {
			s.Fatalf("log from %d: %d entries", from, len(items))
		}
		from = items[0].Seq + 1
		count++
	}
	if count != 4 {
		s.Fatalf("%d entries", count)
	}
	value := protocol.BytesValue(big[:len(big)/2])
	var items []space.Item
	for i := range 4 {
		items = append(items, space.Item{
			Key: record("big", fmt.Sprint(i)), Version: 1, Meta: big[:len(big)/4],
			Fields: []protocol.FieldValue{{Field: "data", Value: value}},
		})
	}
	s.mustPut(board, items...)
	for _, item := range items {
		s.wantItem(board, item)
	}
	if got := s.scanAll(board, space.ItemRecord, len(big)); len(got) != 4 {
		s.Fatalf("%d items", len(got))
	}
}

func (s *suite) concurrent() {
	// All methods at once on several spaces: nothing is torn, nothing is mixed up.
	var wg sync.WaitGroup
	for n := range 8 {
		key := space.Key{Tenant: "t", Space: fmt.Sprint(n / 2)}
		wg.Go(func() {
			for i := range uint64(30) {
				if n%2 == 0 {
					if err := s.Append(s.Context(), key, i+1, entry(i+1)); err != nil {
						s.Errorf("append: %v", err)
						return
					}
				}
				item := space.Item{Key: record("c", fmt.Sprint(n)), Version: i + 1, Meta: entry(i + 1)}
				if err := s.Put(s.Context(), key, []space.Item{item}); err != nil {
					s.Errorf("put: %v", err)
					return
				}
				got, err := s.Get(s.Context(), key, []space.ItemKey{item.Key})
				if err != nil || !sameItem(got[0], item) {
					s.Errorf("read back %+v, %v, not %+v", got, err, item)
					return
				}
				if _, err := s.Log(s.Context(), key, 1, 1000); err != nil {
					s.Errorf("log: %v", err)
				}
				if _, err := s.Scan(s.Context(), key, space.ItemKey{Kind: space.ItemRecord}, 1000); err != nil {
					s.Errorf("scan: %v", err)
				}
				if err := s.Trim(s.Context(), key, 0, nil); err != nil {
					s.Errorf("trim: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for n := range 4 {
		s.wantLog(space.Key{Tenant: "t", Space: fmt.Sprint(n)}, 1, 30)
	}
}

func (s *suite) ended() {
	// A call under an ended context returns; if it says that it failed for certain,
	// it has done nothing.
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	err := s.Append(ctx, board, 1, entry(1))
	items := s.mustLog(board, 1, 1000)
	switch {
	case err == nil && len(items) == 0:
		s.Fatal("append returned nil and wrote nothing")
	case err != nil && !errors.Is(err, space.ErrUnknown) && !errors.Is(err, context.Canceled) && len(items) > 0:
		s.Fatalf("append returned %v and wrote", err)
	}
	if _, err := s.Log(ctx, board, 1, 1000); err != nil && !errors.Is(err, context.Canceled) {
		s.Errorf("log: %v", err)
	}
	// The store is none the worse for it.
	s.mustAppend(board, 2, entry(2))
}

func (s *suite) reopen() {
	s.fill(board, 20)
	other := space.Key{Tenant: "acme", Space: "other"}
	s.mustAppend(other, 1, entry(1))
	item := space.Item{
		Key: record("tasks", "a"), Version: 20, Meta: []byte("meta"),
		Fields: []protocol.FieldValue{{Field: "title", Value: protocol.StringValue("x")}},
	}
	s.mustPut(board, item, space.Item{Key: record("tasks", "dropped"), Version: 2})
	if err := s.Trim(s.Context(), board, 5, []space.ItemKey{record("tasks", "dropped")}); err != nil {
		s.Fatal(err)
	}
	for range 2 {
		s.Store = s.opt.Reopen(s.T, s.Store)
		s.wantLog(board, 5, 20)
		s.wantLog(other, 1, 1)
		s.wantItem(board, item)
		if got := s.mustGet(board, record("tasks", "dropped"))[0]; got.Version != 0 {
			s.Fatalf("a dropped item is back: %+v", got)
		}
		s.wantTaken(s.Append(s.Context(), board, 20, []byte("another")))
	}
	s.mustAppend(board, 21, entry(21))
	s.wantLog(board, 5, 21)
}
