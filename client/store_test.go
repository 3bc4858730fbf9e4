package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

func entriesOf(t testing.TB, s Store) map[string]string {
	t.Helper()
	entries := map[string]string{}
	last := ""
	err := s.Load(func(key, value []byte) error {
		if string(key) < last {
			t.Errorf("key %q after %q", key, last)
		}
		last = string(key)
		entries[string(key)] = string(value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// Every store keeps what it was given, in order and whole.
func TestStores(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client.db")
	file, err := FileStore(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, store := range map[string]Store{"memory": MemoryStore(), "file": file} {
		t.Run(name, func(t *testing.T) {
			defer store.Close()
			value := []byte("1")
			if err := store.Write(Batch{Puts: []Entry{{[]byte("a"), value}, {[]byte("b"), []byte("2")}}}); err != nil {
				t.Fatal(err)
			}
			value[0] = 'x' // the store keeps what it was given
			if err := store.Write(Batch{Puts: []Entry{{[]byte("c"), []byte{}}}, Deletes: [][]byte{[]byte("b"), []byte("nothing")}}); err != nil {
				t.Fatal(err)
			}
			if got := entriesOf(t, store); !maps.Equal(got, map[string]string{"a": "1", "c": ""}) {
				t.Errorf("entries %v", got)
			}
			stop := errors.New("stop")
			if err := store.Load(func(key, value []byte) error { return stop }); !errors.Is(err, stop) {
				t.Errorf("load: %v", err)
			}
		})
	}
}

func TestFileStoreRefuses(t *testing.T) {
	dir := t.TempDir()
	t.Run("in use", func(t *testing.T) {
		path := filepath.Join(dir, "used")
		s, err := FileStore(path)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := FileStore(path); !errors.Is(err, ErrStoreInUse) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("not a store", func(t *testing.T) {
		path := filepath.Join(dir, "text")
		if err := os.WriteFile(path, []byte(strings.Repeat("this is no database\n", 1000)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := FileStore(path); !errors.Is(err, ErrStoreCorrupt) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("cut off", func(t *testing.T) {
		path := filepath.Join(dir, "cut")
		s, err := FileStore(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			s.Write(Batch{Puts: []Entry{{[]byte(fmt.Sprint(i)), make([]byte, 1000)}}})
		}
		s.Close()
		if err := os.Truncate(path, 12<<10); err != nil {
			t.Fatal(err)
		}
		s, err = FileStore(path)
		if err == nil {
			defer s.Close()
			err = s.Load(func(key, value []byte) error { return nil })
		}
		if !errors.Is(err, ErrStoreCorrupt) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("newer layout", func(t *testing.T) {
		path := filepath.Join(dir, "newer")
		db, err := bolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("tidegate-client-2")); return err })
		db.Close()
		if _, err := FileStore(path); !errors.Is(err, ErrStoreVersion) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("newer entries", func(t *testing.T) {
		store := MemoryStore()
		store.Write(Batch{Puts: []Entry{{Key: clientKey, Value: []byte{0x20, 1, 2, 3}}}})
		if _, err := Open(t.Context(), Options{Store: store, URL: "ws://127.0.0.1:1"}); !errors.Is(err, ErrStoreVersion) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no directory", func(t *testing.T) {
		_, err := FileStore(filepath.Join(dir, "missing", "client.db"))
		if !errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrStoreCorrupt) {
			t.Errorf("error %v", err)
		}
	})
}

// Whatever bytes an entry has, loading it is an error or works; it never panics.
func FuzzLoad(f *testing.F) {
	_, d := testWorld(f, 1)
	a := d[0]
	a.mutate(create("1", "title", "x"))
	settle(a)
	a.mutate(set("nowhere", "title", "x"))
	settle(a)
	a.offline = true
	a.cut()
	a.mutate(set("1", "title", "y"))
	settle(a)
	for _, key := range slices.Sorted(maps.Keys(a.disk)) {
		f.Add([]byte(key), a.disk[key])
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		c := NewCore(Config{})
		if c.Load(key, value) == nil {
			c.Start(1)
		}
	})
}

// childEnv makes this test binary a client that writes until it is killed.
const childEnv = "TIDEGATE_CLIENT_CHILD_STORE"

func childStore() string { return os.Getenv(childEnv) }

// child mutates without end and prints the id of each record that Mutate promised
// to be durable.
func child(path string) {
	store, err := FileStore(path)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	c, err := Open(context.Background(), Options{Store: store, Dial: func(context.Context) (Transport, error) { return nil, io.EOF }})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	cards := c.Space(testSpace, SpaceOptions{}).Collection("cards")
	for {
		id := NewID()
		if _, err := cards.Create(context.Background(), id, map[string]any{"title": id}); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(id)
	}
}

// A process that is killed keeps every mutation that was promised (promise 8).
func TestKilledProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client.db")
	promised := map[string]bool{}
	for round := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 10 + 7*round {
			if !lines.Scan() || strings.HasPrefix(lines.Text(), "error:") {
				t.Fatalf("the child said %q", lines.Text())
			}
			promised[lines.Text()] = true
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it still said before it died counts too
			promised[lines.Text()] = true
		}
		cmd.Wait()
	}
	store, err := FileStore(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(within(t), Options{Store: store, Dial: func(context.Context) (Transport, error) { return nil, io.EOF }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	space := c.Space(testSpace, SpaceOptions{})
	for id := range promised {
		if space.Collection("cards").Get(id) == nil {
			t.Errorf("the promised record %s is lost", id)
		}
	}
	pending := space.Pending()
	for i, p := range pending {
		if p.Counter != uint64(i+1) {
			t.Fatalf("mutation %d has the counter %d", i, p.Counter)
		}
	}
	if len(pending) < len(promised) {
		t.Errorf("%d pending of %d promised", len(pending), len(promised))
	}
}

// A copied file is a second device that finds out by itself.
func TestCopiedFile(t *testing.T) {
	s := newServer(t)
	ctx := within(t)
	dir := t.TempDir()
	first := filepath.Join(dir, "first.db")
	openFile := func(path string) (*Client, *Space) {
		store, err := FileStore(path)
		if err != nil {
			t.Fatal(err)
		}
		c := s.open(t, store)
		return c, c.Space(testSpace, SpaceOptions{})
	}
	a, space := openFile(first)
	if _, err := space.Collection("cards").Create(ctx, "1", map[string]any{"votes": 0}); err != nil {
		t.Fatal(err)
	}
	if err := space.Drained(ctx); err != nil {
		t.Fatal(err)
	}
	a.Close()
	data, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(dir, "second.db")
	if err := os.WriteFile(second, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, one := openFile(first)
	_, two := openFile(second)
	for range 10 {
		for _, space := range []*Space{one, two} {
			if _, err := space.Collection("cards").Update(ctx, "1", func(e *Edit) { e.Add("votes", 1) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(one.Drained(ctx), two.Drained(ctx)); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.model.value("cards", "1", "votes"); got != int64(20) {
		t.Errorf("votes %v, want 20", got)
	}
	if one.Device() == two.Device() {
		t.Error("the copy writes under the original's device id")
	}
}
