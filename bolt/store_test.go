package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	bbolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/tidegate/tidegate/space"
)

func TestMain(m *testing.M) {
	if child := os.Getenv(childVariable); child != "" {
		os.Exit(runChild(child))
	}
	goleak.VerifyTestMain(m)
}

var board = space.Key{Tenant: "acme", Space: "board"}

func storePath(t testing.TB) string { return filepath.Join(t.TempDir(), "tidegate.db") }

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustAppend(t testing.TB, s *Store, key space.Key, seq uint64) {
	t.Helper()
	if err := s.Append(t.Context(), key, seq, commitData(key, seq)); err != nil {
		t.Fatalf("append %v %d: %v", key, seq, err)
	}
}

func commitData(key space.Key, seq uint64) []byte { return fmt.Appendf(nil, "%v#%d", key, seq) }

// checkLog demands that the log of key holds exactly the seqs from..to, and
// nothing else in it.
func checkLog(t testing.TB, s *Store, key space.Key, from, to uint64) {
	t.Helper()
	next := from
	for after := uint64(0); ; {
		entries, err := s.Log(t.Context(), key, after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			if e.Seq != next || string(e.Data) != string(commitData(key, e.Seq)) {
				t.Fatalf("log of %v: got %d %q, want %d", key, e.Seq, e.Data, next)
			}
			next++
		}
		after = next
	}
	if next != to+1 {
		t.Fatalf("log of %v ends at %d, want %d", key, next-1, to)
	}
}

// checkFile has bbolt check every page.
func checkFile(t testing.TB, s *Store) {
	t.Helper()
	err := s.db.View(func(tx *bbolt.Tx) error {
		var all error
		for err := range tx.Check() {
			all = errors.Join(all, err)
		}
		return all
	})
	if err != nil {
		t.Fatalf("the file is damaged: %v", err)
	}
}

func TestReopen(t *testing.T) {
	path := storePath(t)
	s := open(t, path)
	for seq := uint64(1); seq <= 50; seq++ {
		mustAppend(t, s, board, seq)
	}
	items := sampleItems()[2:]
	if err := s.Put(t.Context(), board, items); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	checkLog(t, s, board, 1, 50)
	got, err := s.Get(t.Context(), board, []space.ItemKey{items[0].Key})
	if err != nil || !reflect.DeepEqual(got, items) {
		t.Fatalf("got %+v, %v", got, err)
	}
	checkFile(t, s)
}

// A trim that takes many transactions removes all, lets appends pass in between,
// and leaves the neighbours alone.
func TestLongTrim(t *testing.T) {
	s := open(t, storePath(t))
	const last = 3*trimStep + 10
	neighbours := []space.Key{{Tenant: "acme", Space: "boar"}, {Tenant: "acme", Space: "board2"}, {Tenant: "acmf", Space: ""}}
	var wg sync.WaitGroup
	for seq := uint64(1); seq <= last; seq++ {
		wg.Go(func() { mustAppend(t, s, board, seq) })
	}
	for _, n := range neighbours {
		wg.Go(func() { mustAppend(t, s, n, 1) })
	}
	wg.Wait()
	var drop []space.ItemKey
	var items []space.Item
	for i := range 2 * trimStep {
		key := space.ItemKey{Kind: space.ItemRecord, A: "c", B: fmt.Sprintf("%05d", i)}
		drop = append(drop, key)
		items = append(items, space.Item{Key: key, Version: uint64(last - 5 + i%10)})
	}
	if err := s.Put(t.Context(), board, items); err != nil {
		t.Fatal(err)
	}

	done := make(chan error, 1)
	go func() { done <- s.Trim(t.Context(), board, last, drop) }()
	mustAppend(t, s, board, last+1)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	checkLog(t, s, board, last, last+1)
	for _, n := range neighbours {
		checkLog(t, s, n, 1, 1)
	}
	left, err := s.Scan(t.Context(), board, space.ItemKey{Kind: space.ItemRecord}, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	var want []space.Item
	for _, item := range items {
		if item.Version >= last {
			want = append(want, item)
		}
	}
	if !reflect.DeepEqual(left, want) {
		t.Errorf("%d items are left, want %d", len(left), len(want))
	}
	checkFile(t, s)
}

// An item gives way only to a newer version, whatever else is put beside it.
func TestPut(t *testing.T) {
	s := open(t, storePath(t))
	item := func(b string, version uint64, meta string) space.Item {
		return space.Item{Key: space.ItemKey{Kind: space.ItemRecord, A: "c", B: b}, Version: version, Meta: []byte(meta)}
	}
	for _, items := range [][]space.Item{
		{item("x", 5, "five")},
		{item("x", 5, "other five"), item("y", 1, "one")},
		{item("x", 4, "four"), item("y", 2, "two"), item("y", 1, "one")},
	} {
		if err := s.Put(t.Context(), board, items); err != nil {
			t.Fatal(err)
		}
	}
	want := []space.Item{item("x", 5, "five"), item("y", 2, "two"), {Key: item("z", 0, "").Key}}
	got, err := s.Get(t.Context(), board, keysOf(want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	all, err := s.Scan(t.Context(), board, space.ItemKey{Kind: space.ItemRecord}, 1<<20)
	if err != nil || !reflect.DeepEqual(all, want[:2]) {
		t.Errorf("scan: %+v, %v", all, err)
	}
	// One at a time, each after the last.
	var stepped []space.Item
	for after := (space.ItemKey{Kind: space.ItemRecord}); ; after = stepped[len(stepped)-1].Key {
		page, err := s.Scan(t.Context(), board, after, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		stepped = append(stepped, page...)
		if len(stepped) > len(all) {
			t.Fatalf("scanning does not end: %+v", stepped)
		}
	}
	if !reflect.DeepEqual(stepped, all) {
		t.Errorf("one at a time: %+v", stepped)
	}
}

// Log returns one run of seqs, as long as fits, and one entry at least.
func TestLogBounds(t *testing.T) {
	s := open(t, storePath(t))
	for _, seq := range []uint64{1, 2, 3, 7, 8, 1<<64 - 1} {
		if err := s.Append(t.Context(), board, seq, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		from  uint64
		bytes int
		want  []uint64
	}{
		{0, 100, []uint64{1, 2, 3}},
		{1, 0, []uint64{1}},
		{1, 20, []uint64{1, 2}},
		{1, 29, []uint64{1, 2}},
		{4, 100, []uint64{7, 8}},
		{9, 100, []uint64{1<<64 - 1}},
	} {
		entries, err := s.Log(t.Context(), board, c.from, c.bytes)
		if err != nil {
			t.Fatal(err)
		}
		var got []uint64
		for _, e := range entries {
			got = append(got, e.Seq)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("from %d, %d bytes: %v, want %v", c.from, c.bytes, got, c.want)
		}
	}
	if entries, err := s.Log(t.Context(), space.Key{Tenant: "acme", Space: "boarc"}, 0, 1); err != nil || entries != nil {
		t.Errorf("of an unknown space: %v, %v", entries, err)
	}
}

// The newest commit survives every trim.
func TestTrimKeepsTheNewest(t *testing.T) {
	s := open(t, storePath(t))
	for seq := uint64(1); seq <= 3; seq++ {
		mustAppend(t, s, board, seq)
	}
	if err := s.Trim(t.Context(), board, 100, nil); err != nil {
		t.Fatal(err)
	}
	checkLog(t, s, board, 3, 3)
}

func TestClosed(t *testing.T) {
	s := open(t, storePath(t))
	mustAppend(t, s, board, 1)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	_, logErr := s.Log(ctx, board, 1, 1)
	_, getErr := s.Get(ctx, board, []space.ItemKey{{}})
	for name, err := range map[string]error{
		"append": s.Append(ctx, board, 2, nil),
		"put":    s.Put(ctx, board, nil),
		"trim":   s.Trim(ctx, board, 1, nil),
		"log":    logErr,
		"get":    getErr,
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s on a closed store: %v", name, err)
		}
	}
}

// Close commits what was queued before it.
func TestCloseDrains(t *testing.T) {
	path := storePath(t)
	s := open(t, path)
	gate := holdCommits(s)
	const n = 100
	results := make(chan error, n)
	start := func(seq uint64) {
		go func() { results <- s.Append(context.Background(), board, seq, commitData(board, seq)) }()
	}
	start(1)
	<-gate.reached
	for seq := uint64(2); seq <= n; seq++ {
		start(seq)
	}
	eventually(t, func() bool { return len(s.queue) == n-1 })
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	close(gate.release)
	for range n {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	checkLog(t, open(t, path), board, 1, n)
}
