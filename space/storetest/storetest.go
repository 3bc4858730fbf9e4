package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// Options widen the suite.
type Options struct {
	// Reopen closes a store as if the process had ended, and opens what it left
	// behind. Nil for a store that keeps nothing.
	Reopen func(t *testing.T, s space.Store) space.Store
	// ItemBytes is the largest log entry and item to try; 0 for 350 KiB.
	ItemBytes int
	// EntryBytes is what a wrapper around the store adds to each log entry, and Log
	// counts; usually 0.
	EntryBytes int
}

// Run holds the stores that open returns, empty ones, to the contract; if they
// are space.Listers, to that contract too. The suite closes them if they are
// io.Closers.
func Run(t *testing.T, open func(t *testing.T) space.Store, opt Options) {
	if opt.ItemBytes == 0 {
		opt.ItemBytes = 350 << 10
	}
	tests := []struct {
		name string
		test func(*suite)
	}{
		{"append puts once", (*suite).appendOnce},
		{"append keeps what it is given", (*suite).appendKeeps},
		{"one of racing appends wins", (*suite).appendRace},
		{"racing logs have no gap and no fork", (*suite).logRace},
		{"log begins at the smallest seq from from", (*suite).logFrom},
		{"log pages", (*suite).logPages},
		{"log fills its budget", (*suite).logFills},
		{"log never returns a gap", (*suite).logGap},
		{"put is conditional on the version", (*suite).putVersion},
		{"put writes items independently", (*suite).putMany},
		{"put keeps every kind of value", (*suite).putValues},
		{"racing puts leave the newest", (*suite).putRace},
		{"get answers in order", (*suite).getOrder},
		{"scan is in byte order", (*suite).scanOrder},
		{"scan pages", (*suite).scanPages},
		{"scan stays within its kind", (*suite).scanKind},
		{"trim removes what lies below", (*suite).trim},
		{"trim keeps the newest entry", (*suite).trimNewest},
		{"trim drops only old items", (*suite).trimDrop},
		{"a trimmed seq looks free", (*suite).trimmedFree},
		{"spaces and tenants are apart", (*suite).apart},
		{"every space is listed", (*suite).list},
		{"large entries and items", (*suite).large},
		{"many at once", (*suite).concurrent},
		{"an ended context is an error", (*suite).ended},
	}
	if opt.Reopen != nil {
		tests = append(tests, struct {
			name string
			test func(*suite)
		}{"acknowledged writes outlive the process", (*suite).reopen})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &suite{T: t, Store: open(t), opt: opt}
			t.Cleanup(func() {
				if c, ok := s.Store.(io.Closer); ok {
					if err := c.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				}
			})
			tt.test(s)
		})
	}
}

// suite is one test with its store.
type suite struct {
	*testing.T
	space.Store
	opt Options
}

var board = space.Key{Tenant: "acme", Space: "board"}

func entry(seq uint64) []byte { return fmt.Appendf(nil, "entry %d", seq) }

// fill appends entries 1 … n.
func (s *suite) fill(key space.Key, n uint64) {
	s.Helper()
	for seq := uint64(1); seq <= n; seq++ {
		s.mustAppend(key, seq, entry(seq))
	}
}

func (s *suite) mustAppend(key space.Key, seq uint64, data []byte) {
	s.Helper()
	if err := s.Append(s.Context(), key, seq, data); err != nil {
		s.Fatalf("append %d: %v", seq, err)
	}
}

func (s *suite) mustLog(key space.Key, from uint64, maxBytes int) []space.LogItem {
	s.Helper()
	items, err := s.Log(s.Context(), key, from, maxBytes)
	if err != nil {
		s.Fatalf("log from %d: %v", from, err)
	}
	for i := 1; i < len(items); i++ {
		if items[i].Seq != items[i-1].Seq+1 {
			s.Fatalf("log from %d: %d follows %d", from, items[i].Seq, items[i-1].Seq)
		}
	}
	if len(items) > 0 && items[0].Seq < from {
		s.Fatalf("log from %d begins at %d", from, items[0].Seq)
	}
	return items
}

// wantLog demands that the log holds exactly first … last, whatever the pages.
func (s *suite) wantLog(key space.Key, first, last uint64) {
	s.Helper()
	next, from := first, uint64(0)
	for {
		items := s.mustLog(key, from, 100)
		if len(items) == 0 {
			break
		}
		for _, item := range items {
			if item.Seq != next {
				s.Fatalf("the log has %d where %d was expected", item.Seq, next)
			}
			if !bytes.Equal(item.Data, entry(item.Seq)) {
				s.Fatalf("entry %d is %q", item.Seq, item.Data)
			}
			next++
		}
		from = next
	}
	if next != last+1 {
		s.Fatalf("the log ends at %d, not %d", next-1, last)
	}
}

func (s *suite) mustPut(key space.Key, items ...space.Item) {
	s.Helper()
	if err := s.Put(s.Context(), key, items); err != nil {
		s.Fatalf("put: %v", err)
	}
}

func (s *suite) mustGet(key space.Key, keys ...space.ItemKey) []space.Item {
	s.Helper()
	items, err := s.Get(s.Context(), key, keys)
	if err != nil {
		s.Fatalf("get: %v", err)
	}
	if len(items) != len(keys) {
		s.Fatalf("get returned %d items for %d keys", len(items), len(keys))
	}
	for i := range keys {
		if items[i].Key != keys[i] {
			s.Fatalf("get answered %v with %v", keys[i], items[i].Key)
		}
	}
	return items
}

// scanAll scans a kind in pages of about maxBytes.
func (s *suite) scanAll(key space.Key, kind space.ItemKind, maxBytes int) []space.Item {
	s.Helper()
	var all []space.Item
	after := space.ItemKey{Kind: kind}
	for {
		items, err := s.Scan(s.Context(), key, after, maxBytes)
		if err != nil {
			s.Fatalf("scan after %v: %v", after, err)
		}
		if len(items) == 0 {
			return all
		}
		for _, item := range items {
			if item.Key.Kind != kind {
				s.Fatalf("scan of kind %d returned %v", kind, item.Key)
			}
			if n := len(all); n > 0 && compareKeys(all[n-1].Key, item.Key) >= 0 {
				s.Fatalf("scan returned %v after %v", item.Key, all[n-1].Key)
			}
			all = append(all, item)
		}
		after = items[len(items)-1].Key
		if after.A == "" && after.B == "" {
			// The empty key stands for the beginning: only a scan for more can go past it.
			rest, err := s.Scan(s.Context(), key, after, 1<<20)
			if err != nil {
				s.Fatal(err)
			}
			if len(rest) > 0 && rest[0].Key == after {
				rest = rest[1:]
			}
			return append(all, rest...)
		}
	}
}

func compareKeys(a, b space.ItemKey) int {
	if c := bytes.Compare([]byte(a.A), []byte(b.A)); c != 0 {
		return c
	}
	return bytes.Compare([]byte(a.B), []byte(b.B))
}

func record(collection, id string) space.ItemKey {
	return space.ItemKey{Kind: space.ItemRecord, A: collection, B: id}
}

func device(n byte) space.ItemKey {
	id := protocol.DeviceID{n, 0, 0xff}
	return space.ItemKey{Kind: space.ItemDevice, A: string(id[:])}
}

// sameItem compares items, an empty slice being nothing.
func sameItem(a, b space.Item) bool {
	return a.Key == b.Key && a.Version == b.Version && bytes.Equal(a.Meta, b.Meta) &&
		slices.EqualFunc(a.Fields, b.Fields, func(x, y protocol.FieldValue) bool { return reflect.DeepEqual(x, y) })
}

func (s *suite) wantItem(key space.Key, want space.Item) {
	s.Helper()
	if got := s.mustGet(key, want.Key)[0]; !sameItem(got, want) {
		s.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func (s *suite) wantTaken(err error) {
	s.Helper()
	if !errors.Is(err, space.ErrTaken) {
		s.Fatalf("append to a taken seq: %v", err)
	}
}
