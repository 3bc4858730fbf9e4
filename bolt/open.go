package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// formatVersion is the version of the file's layout: buckets, keys, item values.
// A file with a greater one is refused.
const formatVersion = 1

// format begins every value that we encode.
var format = protocol.AppendFormat(nil)[0]

// lockWithin is how long Open waits for another process to let go of the file:
// long enough for one that is being restarted, short enough for a person.
const lockWithin = time.Second

// initialMap is the address space reserved for the file. As long as the file
// fits, growing it need not wait for readers. It costs no memory; but Windows
// would make the file that large, and 32-bit systems have little to reserve.
func initialMap() int {
	if runtime.GOOS == "windows" || math.MaxInt == math.MaxInt32 {
		return 0
	}
	return 1 << 30
}

// Store is a file of spaces. Make one with [Open].
type Store struct {
	// Static after Open.
	db    *bbolt.DB
	queue chan *request
	ended chan struct{} // closed when the committer has ended

	// sending is held for reading while a request is queued, and for writing to
	// close the queue.
	sending sync.RWMutex
	closed  bool // guarded by sending

	// durable is the id of the last transaction known to be on the disk.
	durable atomic.Int64

	mu      sync.Mutex
	settled chan struct{} // guarded by mu; closed, and replaced, after each commit
	stopped error         // guarded by mu; wraps ErrStopped once the disk failed

	// Owned by the committer; tests replace them before the first request.
	commitTx func(*bbolt.Tx) error
	maxBatch int
}

var _ space.Store = (*Store)(nil)

// Open opens the store in the file at path, and creates it if there is none. Its
// error is an [*OpenError] if it knows what is wrong. The directory must exist.
func Open(path string) (*Store, error) {
	_, err := os.Stat(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	db, err := openFile(path)
	if err != nil {
		if isNew && isFull(err) {
			os.Remove(path) // a torso would be refused next time
		}
		return nil, openError(path, err)
	}
	s := &Store{
		db:       db,
		queue:    make(chan *request, queueLength),
		ended:    make(chan struct{}),
		settled:  make(chan struct{}),
		commitTx: (*bbolt.Tx).Commit,
		maxBatch: maxBatchRequests,
	}
	if err := s.prepare(path, isNew); err != nil {
		return nil, openError(path, errors.Join(err, db.Close()))
	}
	go s.commitAll()
	return s, nil
}

// openFile opens the file and checks that all of it is there.
func openFile(path string) (db *bbolt.DB, err error) {
	defer faultsPanic()()
	defer catch(&err)
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         lockWithin,
		InitialMmapSize: initialMap(),
		// The list of free pages is written with each commit. Leaving it out would
		// save a page or so a commit, but opening would read the whole file to find
		// the list again, and history is kept: the file only grows.
		NoFreelistSync: false,
		// The default, an array, becomes slow when a trim frees many pages.
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
	})
	if err != nil {
		return nil, err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		info, err := os.Stat(path)
		if err == nil && info.Size() < tx.Size() {
			err = fmt.Errorf("%w: it should have %d bytes and has %d", ErrCorrupt, tx.Size(), info.Size())
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// prepare checks the format version, or writes it into a new file.
func (s *Store) prepare(path string, isNew bool) (err error) {
	defer faultsPanic()()
	defer catch(&err)
	empty := false
	err = s.db.View(func(tx *bbolt.Tx) error {
		first, _ := tx.Cursor().First()
		empty = first == nil
		if empty {
			return nil
		}
		return checkFormat(tx)
	})
	if err != nil {
		return err
	}
	if empty {
		if err := s.db.Update(createBuckets); err != nil {
			return err
		}
	}
	if isNew {
		if err := syncDirectory(filepath.Dir(path)); err != nil {
			return err
		}
	}
	// A process that was killed may have left a transaction that the kernel has
	// and the disk has not. It is about to be read, so it must become durable.
	if err := s.db.Sync(); err != nil {
		return err
	}
	return s.db.View(func(tx *bbolt.Tx) error {
		s.durable.Store(int64(tx.ID()))
		return nil
	})
}

func createBuckets(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketMeta, bucketLog, bucketItems} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketMeta).Put(metaFormat, binary.AppendUvarint([]byte{format}, formatVersion))
}

func checkFormat(tx *bbolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return fmt.Errorf("%w: a bbolt file of another program", ErrForeign)
	}
	stored := meta.Get(metaFormat)
	if len(stored) < 2 {
		return fmt.Errorf("%w: it has no format version", ErrCorrupt)
	}
	if stored[0] != format {
		return fmt.Errorf("%w: format byte %#02x, known is %#02x", ErrNewer, stored[0], format)
	}
	version, n := binary.Uvarint(stored[1:])
	switch {
	case n <= 0 || version == 0:
		return fmt.Errorf("%w: its format version cannot be read", ErrCorrupt)
	case version > formatVersion:
		return fmt.Errorf("%w: format version %d, known is %d", ErrNewer, version, formatVersion)
	case tx.Bucket(bucketLog) == nil || tx.Bucket(bucketItems) == nil:
		return fmt.Errorf("%w: a bucket is missing", ErrCorrupt)
	}
	return nil
}

// Close commits what is queued, then closes the file. Later calls return
// [ErrClosed]; closing twice is allowed.
func (s *Store) Close() error {
	s.sending.Lock()
	if s.closed {
		s.sending.Unlock()
		<-s.ended
		return nil
	}
	s.closed = true
	close(s.queue)
	s.sending.Unlock()
	<-s.ended
	return s.db.Close()
}

// Health returns nil, or an error that wraps [ErrStopped] if the store must be
// opened again.
func (s *Store) Health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// catch turns a panic of bbolt, which asserts what it reads, and a fault of
// memory, by which the kernel reports what it cannot read, into an error. It must
// be deferred directly, before anything of the file is touched.
func catch(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrCorrupt, p)
	}
}

// faultsPanic makes faults of memory in this goroutine panic, so that catch sees
// them, until the function that it returns is called.
func faultsPanic() (restore func()) {
	old := debug.SetPanicOnFault(true)
	return func() { debug.SetPanicOnFault(old) }
}
