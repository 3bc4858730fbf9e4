package dynamo

import (
	"slices"
	"sync"
	"testing"

	"github.com/tidegate/tidegate/internal/engine"
	"github.com/tidegate/tidegate/space"
)

// calls keeps the requests that a store makes.
type calls struct {
	mu  sync.Mutex
	all []Call // guarded by mu
}

func (c *calls) add(call Call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, call)
}

// want demands the requests since the last look, and returns what they consumed.
func (c *calls) want(t *testing.T, what string, actions ...string) (read, write float64) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var got []string
	for _, call := range c.all {
		got = append(got, call.Action)
		read += call.Read
		write += call.Write
	}
	c.all = nil
	if !slices.Equal(got, actions) {
		t.Errorf("%s took %q, want %q", what, got, actions)
	}
	return read, write
}

// Each operation takes the requests that it must and no more, and is counted.
func TestUnits(t *testing.T) {
	engine.Each(t, func(t *testing.T, e *engine.Engine) {
		seen := new(calls)
		config := newTable(t, e)
		config.Observe = seen.add
		s := openStore(t, config)
		seen.want(t, "opening", "DescribeTable")
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}

		must(s.Append(ctx, board, 1, make([]byte, 100)))
		if _, write := seen.want(t, "an append", "PutItem"); write != 1 {
			t.Errorf("an append took %v write units", write)
		}
		if err := s.Append(ctx, board, 1, make([]byte, 100)); err != space.ErrTaken {
			t.Fatal(err)
		}
		if _, write := seen.want(t, "a lost race", "PutItem"); write != 1 {
			t.Errorf("a lost race took %v write units", write)
		}
		noise := make([]byte, 3000)
		random(noise)
		must(s.Append(ctx, board, 2, noise))
		if _, write := seen.want(t, "an append of 3,000 bytes", "PutItem"); write != 3 {
			t.Errorf("an append of 3,000 bytes took %v write units", write)
		}

		// A record that is new, and changes: nothing is read but what the space asks for.
		_, err := s.Get(ctx, board, []space.ItemKey{taskKey})
		must(err)
		seen.want(t, "a get", "BatchGetItem")
		must(s.Put(ctx, board, []space.Item{task(1, map[string]any{"n": 1})}))
		seen.want(t, "a new record", "PutItem")
		must(s.Put(ctx, board, []space.Item{task(2, map[string]any{"n": 2})}))
		if _, write := seen.want(t, "a changed record", "UpdateItem"); write != 1 {
			t.Errorf("a changed record took %v write units", write)
		}
		must(s.Put(ctx, board, []space.Item{{Key: space.ItemKey{Kind: space.ItemWatermark}, Version: 1}}))
		seen.want(t, "a watermark", "PutItem")

		// A store that has not read the record reads it; one that reads all reads it then.
		other := openStore(t, config)
		seen.want(t, "opening", "DescribeTable")
		must(other.Put(ctx, board, []space.Item{task(3, map[string]any{"n": 3})}))
		seen.want(t, "an unknown record", "GetItem", "UpdateItem")
		_, err = s.Scan(ctx, board, space.ItemKey{Kind: space.ItemRecord}, 1<<20)
		must(err)
		seen.want(t, "a scan", "Query")
		must(s.Put(ctx, board, []space.Item{task(4, map[string]any{"n": 4})}))
		seen.want(t, "a record that was scanned", "UpdateItem")

		_, err = s.Log(ctx, board, 1, 1<<20)
		must(err)
		if read, _ := seen.want(t, "a read of the log", "Query"); read > 2 {
			t.Errorf("a read of the log took %v read units", read)
		}
		must(s.Append(ctx, board, 3, nil))
		must(s.Trim(ctx, board, 3, []space.ItemKey{taskKey}))
		seen.want(t, "an append and a trim", "PutItem", "Query", "Query", "BatchWriteItem", "Query", "DeleteItem")

		units := s.Units()
		for op, want := range map[Operation]uint64{OpAppend: 4, OpLog: 1, OpPut: 4, OpGet: 1, OpScan: 1, OpTrim: 5, OpTable: 1, OpSpaces: 0} {
			if units[op].Calls != want {
				t.Errorf("%s: %+v, want %d calls", op, units[op], want)
			}
		}
		if u := units[OpAppend]; u.Unmet != 1 || u.Failed != 0 || u.Write != 6 {
			t.Errorf("append: %+v", u)
		}
		// The item's version, 4, is not below 3.
		if u := units[OpTrim]; u.Unmet != 1 || u.Write < 3 {
			t.Errorf("trim: %+v", u)
		}
	})
}

// What is asked for follows what was met: a reader of a few bytes does not pay
// for a page.
func TestReadsAskForWhatFits(t *testing.T) {
	engine.Each(t, func(t *testing.T, e *engine.Engine) {
		s := openStore(t, newTable(t, e))
		noise := make([]byte, 2000)
		random(noise)
		const entries = 100
		for seq := uint64(1); seq <= entries; seq++ {
			if err := s.Append(t.Context(), board, seq, noise); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Log(t.Context(), board, 1, 1<<20); err != nil {
			t.Fatal(err)
		}
		before := s.Units()[OpLog].Read
		got := 0
		for from := uint64(1); from <= entries; {
			items, err := s.Log(t.Context(), board, from, 20_000)
			if err != nil || len(items) < 9 && from+9 < entries || len(items) > 10 {
				t.Fatalf("%d entries, %v", len(items), err)
			}
			from += uint64(len(items))
			got++
		}
		read := s.Units()[OpLog].Read - before
		// 200 KB, 4 KB a unit; a page ends within a unit, and may reach one entry too far.
		if most := 50*1.2 + float64(got); read > most {
			t.Errorf("%d pages took %v read units, at most %v would do", got, read, most)
		}
	})
}
