package client

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockWithin is how long FileStore waits for another process to let go of the
// file: long enough for a restart that overlaps by a moment.
const lockWithin = time.Second

// bucket holds all entries. A future layout gets another bucket, so that an old
// library finds nothing it could misread: see the check in FileStore.
var bucket = []byte("tidegate-client-1")

// FileStore opens the store in the file path, which is made if it does not
// exist; its directory must exist. Every batch is one transaction, synced to
// disk before Write returns. The error wraps ErrStoreInUse, ErrStoreCorrupt or
// ErrStoreVersion where one of them is the cause.
//
// A copy of the file is a second device: the client finds out when it connects,
// and goes on under a device id of its own.
func FileStore(path string) (Store, error) {
	db, err := openBolt(path)
	if err != nil {
		return nil, fmt.Errorf("open client store %s: %w", path, err)
	}
	if err := checkLayout(db); err != nil {
		db.Close()
		return nil, fmt.Errorf("open client store %s: %w", path, err)
	}
	if err := syncDirectory(path); err != nil {
		db.Close()
		return nil, fmt.Errorf("open client store %s: %w", path, err)
	}
	return &fileStore{db: db}, nil
}

type fileStore struct{ db *bolt.DB }

// openBolt turns a panic of the library over a damaged page into an error.
func openBolt(path string) (db *bolt.DB, err error) {
	defer recoverCorrupt(&err)
	db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: lockWithin})
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, ErrStoreInUse
	case errors.Is(err, bolterrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %w", ErrStoreVersion, err)
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum):
		return nil, fmt.Errorf("%w: %w", ErrStoreCorrupt, err)
	}
	var path2 *os.PathError
	if errors.As(err, &path2) {
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", ErrStoreCorrupt, err)
}

// checkLayout makes the bucket in an empty file and refuses a file that holds
// something else: another program's database, or a later layout of ours.
func checkLayout(db *bolt.DB) (err error) {
	defer recoverCorrupt(&err)
	return db.Update(func(tx *bolt.Tx) error {
		if tx.Bucket(bucket) != nil {
			return nil
		}
		if name, _ := tx.Cursor().First(); name != nil {
			return fmt.Errorf("%w: it holds %q, not %q", ErrStoreVersion, name, bucket)
		}
		_, err := tx.CreateBucket(bucket)
		return err
	})
}

// syncDirectory makes the file's name durable; bbolt syncs only its contents.
func syncDirectory(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

func (s *fileStore) Load(yield func(key, value []byte) error) (err error) {
	defer recoverCorrupt(&err)
	return s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(key, value []byte) error {
			// The library's slices die with the transaction.
			return yield(append([]byte(nil), key...), append([]byte(nil), value...))
		})
	})
}

func (s *fileStore) Write(batch Batch) (err error) {
	defer recoverCorrupt(&err)
	return s.db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucket)
		for _, key := range batch.Deletes {
			if err := b.Delete(key); err != nil {
				return err
			}
		}
		for _, entry := range batch.Puts {
			if err := b.Put(entry.Key, entry.Value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *fileStore) Close() error { return s.db.Close() }

func recoverCorrupt(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", ErrStoreCorrupt, r)
	}
}
