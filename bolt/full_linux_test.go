package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tidegate/tidegate/space"
)

// meetFull fills the store until it is refused, and demands that nothing is lost,
// that reads go on, that the store writes again once free was called, and that
// the file is whole.
func meetFull(path string, free func() error) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx := context.Background()
	data := bytes.Repeat([]byte("x"), 20_000)
	seq := uint64(1)
	for round := range 3 {
		if seq, err = fillUntilFull(s, board, seq, data); err != nil {
			return fmt.Errorf("round %d, at %d: %w", round, seq, err)
		}
		// Several times, in company, and other kinds of writing too.
		results := make(chan error, 4)
		for i := range cap(results) - 1 {
			go func() { results <- s.Append(ctx, space.Key{Space: fmt.Sprint(i)}, 1, bytes.Repeat(data, 50)) }()
		}
		go func() {
			results <- s.Put(ctx, board, []space.Item{{Key: space.ItemKey{Kind: space.ItemBlob}, Version: seq, Meta: bytes.Repeat(data, 50)}})
		}()
		for range cap(results) {
			if err := <-results; !errors.Is(err, space.ErrFull) || errors.Is(err, space.ErrUnknown) {
				return fmt.Errorf("round %d: a large write on a full disk: %v", round, err)
			}
		}
		if err := s.Health(); err != nil {
			return err
		}
		if err := expect(s, seq-1); err != nil {
			return err
		}
	}
	if err := free(); err != nil {
		return err
	}
	for range 20 {
		if err := s.Append(ctx, board, seq, data); err != nil {
			return fmt.Errorf("with room again: %w", err)
		}
		seq++
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = Open(path); err != nil {
		return err
	}
	defer s.Close()
	return expect(s, seq-1)
}

// expect demands commits 1..last in the log.
func expect(s *Store, last uint64) error {
	entries, err := s.Log(context.Background(), board, 1, 1<<40)
	if err != nil {
		return err
	}
	if uint64(len(entries)) != last {
		return fmt.Errorf("the log has %d entries, want %d", len(entries), last)
	}
	tx, err := s.db.Begin(false)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for err := range tx.Check() {
		return fmt.Errorf("the file is damaged: %w", err)
	}
	return nil
}

func init() { children["file limit"] = childMeetsFileLimit }

// childMeetsFileLimit runs meetFull under a limit of the file's size. The limit
// holds for a whole process, hence the child.
func childMeetsFileLimit(path string) error {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	limit := old
	limit.Cur = 24 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	return meetFull(path, func() error { return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old) })
}

func TestFileSizeLimit(t *testing.T) {
	out, err := child("file limit", storePath(t)).Output()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
}

func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("SKIPPED: a small disk cannot be mounted (%v); TestFileSizeLimit covers part of it", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := meetFull(filepath.Join(dir, "tidegate.db"), func() error { return os.Remove(filler) }); err != nil {
		t.Fatal(err)
	}

	// However little room there is, a store that could not be made is no obstacle
	// to the next attempt.
	t.Run("opening", func(t *testing.T) {
		for pages := range 10 {
			fillDisk(t, filler)
			info, err := os.Stat(filler)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(filler, info.Size()-int64(pages*os.Getpagesize())); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "new.db")
			s, err := Open(path)
			if err == nil {
				s.Close()
				if pages == 0 {
					t.Fatal("it was made without room")
				}
			} else if !errors.Is(err, space.ErrFull) {
				t.Fatalf("with %d pages: %v", pages, err)
			}
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			s = open(t, path)
			mustAppend(t, s, board, 1)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// fillDisk writes to path until there is no room.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for page := make([]byte, os.Getpagesize()); err == nil; {
		_, err = f.Write(page)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
