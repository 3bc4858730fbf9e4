package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	bbolt "go.etcd.io/bbolt/errors"

	"github.com/tidegate/tidegate/space"
)

// What can be wrong with a store file. [Open] returns an [*OpenError] that wraps
// one of these (or space.ErrFull), and whose message says how to mend it.
var (
	// ErrInUse: another process has the file open; only one can.
	ErrInUse = errors.New("the store file is in use")
	// ErrForeign: what stands at the path is not a store of Tidegate.
	ErrForeign = errors.New("not a Tidegate store file")
	// ErrCorrupt: a store of Tidegate, but damaged. Reads may return it too.
	ErrCorrupt = errors.New("the store file is damaged")
	// ErrNewer: the file's format is newer than this program.
	ErrNewer = errors.New("the store file was written by a newer Tidegate")
	// ErrPermission: this user may not read and write the file, or may not create
	// it.
	ErrPermission = errors.New("no permission for the store file")
	// ErrReadOnly: the file lies on a file system that is mounted read-only.
	ErrReadOnly = errors.New("the store file cannot be written")
	// ErrNoDirectory: the directory that shall hold the file does not exist.
	ErrNoDirectory = errors.New("the store file's directory does not exist")
)

var (
	// ErrClosed: the store was closed. The call had no effect.
	ErrClosed = errors.New("the store is closed")
	// ErrStopped: a write to the disk failed earlier, so the store neither reads
	// nor writes until it is opened again; see the package comment.
	ErrStopped = errors.New("the store has stopped after a disk failure")
)

// OpenError says why a store file could not be opened, and what to do about it.
type OpenError struct {
	Path string
	// Kind is one of the errors above.
	Kind error
	// Err is the cause.
	Err error
}

// Error names the file, the cause and the remedy.
func (e *OpenError) Error() string {
	help := ""
	switch e.Kind {
	case ErrInUse:
		help = "probably by another tidegate process; stop that one, or name another file"
	case ErrForeign:
		help = "name another file; Tidegate does not overwrite what it did not write"
	case ErrCorrupt:
		help = "keep a copy of it, and restore a backup"
	case ErrNewer:
		help = "upgrade this program"
	case ErrPermission:
		help = "give this user permission to read and write the file and its directory"
	case ErrReadOnly:
		help = "its file system is mounted read-only"
	case ErrNoDirectory:
		help = "create it first"
	case space.ErrFull:
		help = "make room on its disk"
	}
	return fmt.Sprintf("%s: %v (%v): %s", e.Path, e.Kind, e.Err, help)
}

// Unwrap returns the kind and the cause.
func (e *OpenError) Unwrap() []error { return []error{e.Kind, e.Err} }

// openError says what err, from opening the file at path, means.
func openError(path string, err error) error {
	kind := func() error {
		switch {
		case errors.Is(err, ErrForeign), errors.Is(err, syscall.EISDIR):
			return ErrForeign
		case errors.Is(err, ErrCorrupt):
			return ErrCorrupt
		case errors.Is(err, ErrNewer):
			return ErrNewer
		case errors.Is(err, bbolt.ErrTimeout):
			return ErrInUse
		case isFull(err):
			return space.ErrFull
		case errors.Is(err, syscall.EROFS):
			return ErrReadOnly
		case errors.Is(err, fs.ErrPermission):
			return ErrPermission
		case errors.Is(err, fs.ErrNotExist):
			return ErrNoDirectory
		// The first two pages of bbolt's files hold a magic number, a version and a
		// checksum; one good page of the two is enough.
		case errors.Is(err, bbolt.ErrChecksum):
			return ErrCorrupt
		case errors.Is(err, bbolt.ErrInvalid), errors.Is(err, bbolt.ErrVersionMismatch):
			return ErrForeign
		case strings.HasPrefix(err.Error(), "file size too small"):
			return ErrForeign
		}
		return nil
	}()
	if kind == nil {
		return fmt.Errorf("%s: cannot be opened: %w", path, err)
	}
	return &OpenError{Path: path, Kind: kind, Err: err}
}

// isFull reports whether err means that there is no room: on the disk, in a
// quota, or under a limit of the file's size.
func isFull(err error) bool {
	if errors.Is(err, bbolt.ErrMaxSizeReached) {
		return true
	}
	for _, full := range noRoom {
		if errors.Is(err, full) {
			return true
		}
		// Where bbolt grows the file it keeps the system's error as text alone.
		if text := err.Error(); strings.HasPrefix(text, "file ") && strings.HasSuffix(text, full.Error()) {
			return true
		}
	}
	return false
}
