package bolt

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	bbolt "go.etcd.io/bbolt"

	"github.com/tidegate/tidegate/space"
)

const (
	// queueLength is how many requests may wait for the committer; more wait with
	// their callers.
	queueLength = 1024
	// maxBatchRequests and maxBatchBytes bound a transaction, so that the first in
	// it does not wait for ever longer ones to be written.
	maxBatchRequests = 1024
	maxBatchBytes    = 8 << 20
)

// request is one call of Append, Put or Trim on its way through the committer.
type request struct {
	// Static.
	size   int
	work   work
	answer chan error // of capacity 1

	// claimed is set by whoever comes first: the committer that takes the request
	// on, or the caller that stops waiting for it.
	claimed atomic.Bool

	// Owned by the committer.
	taken    bool  // it was the committer that claimed the request
	more     bool  // there is work left for another transaction
	own      error // what work returned
	onCommit bool  // own is true only if the transaction commits
}

// batch is the transaction that requests work in.
type batch struct {
	tx    *bbolt.Tx
	dirty bool
	// appended are the log keys that this transaction wrote.
	appended map[string]bool
}

// submit queues r and waits for its answer.
func (s *Store) submit(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.answer = make(chan error, 1)
	s.sending.RLock()
	if s.closed {
		s.sending.RUnlock()
		return ErrClosed
	}
	select {
	case s.queue <- r:
		s.sending.RUnlock()
	case <-ctx.Done():
		s.sending.RUnlock()
		return ctx.Err()
	}
	select {
	case err := <-r.answer:
		return err
	case <-ctx.Done():
		if r.claimed.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		// The answer may have come at the same moment.
		select {
		case err := <-r.answer:
			return err
		default:
		}
		if _, ok := r.work.(*appendWork); ok {
			return fmt.Errorf("%w: %w", space.ErrUnknown, ctx.Err())
		}
		return ctx.Err()
	}
}

// commitAll is the committer. It ends when the queue is closed and empty.
func (s *Store) commitAll() {
	defer close(s.ended)
	defer faultsPanic()()
	var requests []*request // those that have more to do come first
	for open := true; open || len(requests) > 0; {
		if len(requests) == 0 {
			r, ok := <-s.queue
			if !ok {
				return
			}
			requests = append(requests, r)
		}
		requests, open = s.gather(requests, open)
		s.commit(requests)
		left := requests[:0]
		for _, r := range requests {
			switch {
			case r.more && open:
				left = append(left, r)
			case r.more: // a long trim does not hold up closing; it may be repeated
				r.answer <- ErrClosed
			}
		}
		clear(requests[len(left):])
		requests = left
	}
}

// gather adds what waits in the queue, as far as a transaction has room.
func (s *Store) gather(requests []*request, open bool) ([]*request, bool) {
	size := 0
	for _, r := range requests {
		size += r.size
	}
	for open && len(requests) < s.maxBatch && size < maxBatchBytes {
		select {
		case r, ok := <-s.queue:
			if !ok {
				return requests, false
			}
			requests = append(requests, r)
			size += r.size
		default:
			return requests, true
		}
	}
	return requests, open
}

// commit does the requests' work in one transaction and answers those that are
// done with.
func (s *Store) commit(requests []*request) {
	err := s.Health()
	if err == nil {
		err = s.transact(requests)
	}
	for _, r := range requests {
		switch {
		case r.own != nil && !r.onCommit:
			r.finish(r.own)
		case err != nil:
			r.finish(err)
		case !r.more:
			r.finish(r.own)
		}
	}
}

// finish answers a request; nobody may be listening any more.
func (r *request) finish(err error) {
	r.more = false
	r.answer <- err
}

// transact does the requests' work in one transaction. Its error is that of all
// requests that depend on the transaction.
func (s *Store) transact(requests []*request) error {
	tx, err := s.begin()
	if err != nil {
		return s.stop(err)
	}
	id := int64(tx.ID())
	b := &batch{tx: tx, appended: make(map[string]bool)}
	err = b.fill(requests)
	if err == nil && !b.dirty {
		return tx.Rollback()
	}
	if err == nil {
		err = s.finishTx(tx)
	} else {
		// Something in the file cannot be read. Nothing is written to a file that is
		// known to be damaged.
		tx.Rollback()
	}
	if err == nil {
		s.durable.Store(id)
		s.settle(nil)
		return nil
	}
	// bbolt does not say how far a failed commit came. It took effect, as far as
	// the kernel knows, exactly if new readers see its id.
	seen, viewErr := s.snapshot(func(*bbolt.Tx) error { return nil })
	switch {
	case viewErr != nil || seen >= id:
		return s.stop(fmt.Errorf("%w: %w", space.ErrUnknown, err))
	case isFull(err):
		return fmt.Errorf("%w: %w", space.ErrFull, err)
	default:
		return s.stop(err)
	}
}

func (s *Store) begin() (tx *bbolt.Tx, err error) {
	defer catch(&err)
	return s.db.Begin(true)
}

// finishTx commits tx. After a panic it must still be rolled back, or its lock
// would be held for ever.
func (s *Store) finishTx(tx *bbolt.Tx) (err error) {
	defer func() {
		if errors.Is(err, ErrCorrupt) {
			tx.Rollback()
		}
	}()
	defer catch(&err)
	return s.commitTx(tx)
}

// fill does the work of the requests whose callers still wait.
func (b *batch) fill(requests []*request) (err error) {
	defer catch(&err)
	for _, r := range requests {
		if !r.taken && !r.claimed.CompareAndSwap(false, true) {
			r.own = context.Canceled // heard by nobody
			continue
		}
		r.taken = true
		r.more, r.own = r.work.do(b)
		// An append that lost its seq to one of this very transaction lost it only if
		// the transaction commits.
		if w, ok := r.work.(*appendWork); ok && errors.Is(r.own, space.ErrTaken) {
			r.onCommit = b.appended[string(w.key)]
		}
	}
	return nil
}

// stop records that the store must be opened again, and returns the error that
// says so.
func (s *Store) stop(cause error) error {
	err := fmt.Errorf("%w: %w", ErrStopped, cause)
	s.settle(err)
	return err
}

// settle lets go the readers that wait to know whether what they saw is durable.
func (s *Store) settle(stopped error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = stopped
	close(s.settled)
	s.settled = make(chan struct{})
}
