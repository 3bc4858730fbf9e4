package bolt

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// asNobody runs f as a user whom files of root do not belong to. It changes the
// identity of one thread alone.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f() // the test's files are made unreadable for their owner as well
		return
	}
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		if err := syscall.Setfsuid(65534); err != nil {
			done <- err
			return
		}
		f()
		done <- nil
	}()
	if err := <-done; err != nil {
		t.Skipf("SKIPPED: no other user can be taken on: %v", err)
	}
}

func TestOpenPermissions(t *testing.T) {
	dir := t.TempDir()
	// The test's directories must be passable for anybody.
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	locked := filepath.Join(dir, "locked")
	if err := os.Mkdir(locked, 0o555); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "tidegate.db")
	for _, c := range []struct {
		name, path string
		mode       os.FileMode
	}{
		{"unreadable", file, 0},
		{"not writable", file, 0o444},
		{"directory not writable", filepath.Join(locked, "tidegate.db"), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.path == file {
				os.Chmod(file, 0o600)
				open(t, file).Close()
				os.Chmod(file, c.mode)
			}
			var err error
			asNobody(t, func() {
				var s *Store
				if s, err = Open(c.path); err == nil {
					s.Close()
				}
			})
			if !errors.Is(err, ErrPermission) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOpenReadOnlyFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err == nil {
		t.Cleanup(func() { syscall.Unmount(dir, 0) })
		path := filepath.Join(dir, "tidegate.db")
		open(t, path).Close()
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{path, filepath.Join(dir, "new.db")} {
			if _, err := Open(path); !errors.Is(err, ErrReadOnly) {
				t.Errorf("%s: got %v", path, err)
			}
		}
	}
	// Without the right to mount, the system's error at least.
	if err := openError("x", &os.PathError{Op: "open", Path: "x", Err: syscall.EROFS}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("got %v", err)
	}
}
