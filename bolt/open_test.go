package bolt

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bbolt "go.etcd.io/bbolt"
)

// A file that cannot be opened is left as it is, and the error says what to do.
func TestOpenErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		// make prepares the file at path and may return another path to open.
		make func(t *testing.T, path string) string
		kind error
		says string
	}{
		{"in use", func(t *testing.T, path string) string {
			open(t, path)
			return path
		}, ErrInUse, "another tidegate process"},
		{"no directory", func(t *testing.T, path string) string {
			return filepath.Join(filepath.Dir(path), "missing", "tidegate.db")
		}, ErrNoDirectory, "create it first"},
		{"a directory", func(t *testing.T, path string) string {
			return filepath.Dir(path)
		}, ErrForeign, "name another file"},
		{"a short text", func(t *testing.T, path string) string {
			write(t, path, []byte("notes\n"))
			return path
		}, ErrForeign, "does not overwrite"},
		{"a long text", func(t *testing.T, path string) string {
			write(t, path, []byte(strings.Repeat("notes\n", 100000)))
			return path
		}, ErrForeign, "does not overwrite"},
		{"another program's bbolt file", func(t *testing.T, path string) string {
			changeFile(t, path, func(tx *bbolt.Tx) error {
				_, err := tx.CreateBucket([]byte("theirs"))
				return err
			})
			return path
		}, ErrForeign, "another program"},
		{"newer version", func(t *testing.T, path string) string {
			open(t, path).Close()
			changeFile(t, path, func(tx *bbolt.Tx) error {
				return tx.Bucket(bucketMeta).Put(metaFormat, []byte{format, formatVersion + 1})
			})
			return path
		}, ErrNewer, "upgrade"},
		{"newer format byte", func(t *testing.T, path string) string {
			open(t, path).Close()
			changeFile(t, path, func(tx *bbolt.Tx) error {
				return tx.Bucket(bucketMeta).Put(metaFormat, []byte{format + 1, formatVersion})
			})
			return path
		}, ErrNewer, "upgrade"},
		{"no version", func(t *testing.T, path string) string {
			open(t, path).Close()
			changeFile(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Delete(metaFormat) })
			return path
		}, ErrCorrupt, "backup"},
		{"a bucket is missing", func(t *testing.T, path string) string {
			open(t, path).Close()
			changeFile(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketLog) })
			return path
		}, ErrCorrupt, "backup"},
		{"cut off", func(t *testing.T, path string) string {
			fillFile(t, path)
			if err := os.Truncate(path, 64<<10); err != nil {
				t.Fatal(err)
			}
			return path
		}, ErrCorrupt, "backup"},
		{"cut off by a byte", func(t *testing.T, path string) string {
			fillFile(t, path)
			var size int64
			changeFile(t, path, func(tx *bbolt.Tx) error {
				size = tx.Size()
				return nil
			})
			if err := os.Truncate(path, size-1); err != nil {
				t.Fatal(err)
			}
			return path
		}, ErrCorrupt, "it should have"},
		{"cut off in the first pages", func(t *testing.T, path string) string {
			fillFile(t, path)
			if err := os.Truncate(path, 2*int64(os.Getpagesize())); err != nil {
				t.Fatal(err)
			}
			return path
		}, ErrCorrupt, "backup"},
		{"both first pages damaged", func(t *testing.T, path string) string {
			fillFile(t, path)
			text := read(t, path)
			for page := range 2 {
				text[page*os.Getpagesize()+60] ^= 0xFF // within the checksummed part
			}
			write(t, path, text)
			return path
		}, ErrCorrupt, "backup"},
		{"zeros behind the first pages", func(t *testing.T, path string) string {
			fillFile(t, path)
			text := read(t, path)
			clear(text[2*os.Getpagesize():])
			write(t, path, text)
			return path
		}, ErrCorrupt, "backup"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := c.make(t, storePath(t))
			before, _ := os.ReadFile(path)
			s, err := Open(path)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			var told *OpenError
			if !errors.As(err, &told) || !errors.Is(err, c.kind) {
				t.Fatalf("got %v, want %v", err, c.kind)
			}
			if text := err.Error(); !strings.Contains(text, c.says) || !strings.HasPrefix(text, path) {
				t.Errorf("the message is %q, wanted %q in it", text, c.says)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

// An empty file, and a file of bbolt that nothing was put into, are what a
// process leaves that was killed while it made a new store.
func TestOpenUnfinished(t *testing.T) {
	empty := storePath(t)
	write(t, empty, nil)
	bare := storePath(t)
	changeFile(t, bare, func(*bbolt.Tx) error { return nil })
	for _, path := range []string{empty, bare} {
		mustAppend(t, open(t, path), board, 1)
	}
}

// One damaged first page is repaired from the other.
func TestOneGoodMetaPageIsEnough(t *testing.T) {
	path := storePath(t)
	fillFile(t, path)
	text := read(t, path)
	text[60] ^= 0xFF
	write(t, path, text)
	s := open(t, path)
	checkLog(t, s, board, 1, 200)
}

// Damage within the file is met when it is read: an error, and the process lives.
func TestDamageWithin(t *testing.T) {
	path := storePath(t)
	s := open(t, path)
	items := sampleItems()
	if err := s.Put(t.Context(), board, items); err != nil {
		t.Fatal(err)
	}
	s.Close()
	changeFile(t, path, func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketItems)
		k, v := b.Cursor().First()
		return b.Put(k, v[:len(v)-1])
	})
	s = open(t, path)
	if got, err := s.Get(t.Context(), board, keysOf(items)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("get returned %v, %v", got, err)
	}
	mustAppend(t, s, board, 1)

	// The file loses its end while it is open: reading there faults.
	fillFrom(t, s, 2)
	if err := os.Truncate(path, 16<<10); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Log(t.Context(), board, 1, 1<<30); !errors.Is(err, ErrCorrupt) {
		t.Errorf("log returned %v", err)
	}
	if err := s.Append(t.Context(), board, 100000, nil); !errors.Is(err, ErrStopped) || !errors.Is(err, ErrCorrupt) {
		t.Errorf("append returned %v", err)
	}
	if err := s.Health(); !errors.Is(err, ErrStopped) {
		t.Errorf("health is %v", err)
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// changeFile changes a store's file behind its back.
func changeFile(t *testing.T, path string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(change); err != nil {
		t.Fatal(err)
	}
}

func fillFile(t *testing.T, path string) {
	t.Helper()
	s := open(t, path)
	fillFrom(t, s, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
