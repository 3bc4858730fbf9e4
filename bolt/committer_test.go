package bolt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/tidegate/tidegate/space"
)

// gate holds the committer between the writing of a transaction and its answer,
// where a slow fsync would.
type gate struct {
	reached chan struct{} // receives once a commit
	release chan struct{} // close it to let all go on
	fail    error         // what the commit then returns; set before release is closed
}

func holdCommits(s *Store) *gate {
	g := &gate{reached: make(chan struct{}, 100), release: make(chan struct{})}
	s.commitTx = func(tx *bbolt.Tx) error {
		err := tx.Commit()
		g.reached <- struct{}{}
		<-g.release
		return errors.Join(err, g.fail)
	}
	return g
}

func eventually(t *testing.T, what func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !what(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to pass within 20 s")
		}
		time.Sleep(time.Millisecond)
	}
}

// queueBehind starts calls in order while a commit is held, so that they share
// the next transaction, and returns their results in order.
func queueBehind(t *testing.T, s *Store, calls ...func() error) []error {
	t.Helper()
	g := holdCommits(s)
	first := make(chan error, 1)
	go func() { first <- s.Append(context.Background(), space.Key{Space: "first"}, 1, nil) }()
	<-g.reached
	results := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, call := range calls {
		wg.Go(func() { results[i] = call() })
		eventually(t, func() bool { return len(s.queue) == i+1 })
	}
	close(g.release)
	wg.Wait()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	// The calls took one more commit, or none if there was nothing to write.
	if n := len(g.reached); n > 1 {
		t.Fatalf("%d transactions for what was queued at once", n)
	}
	return results
}

// Requests share a transaction, each with an answer of its own.
func TestEachRequestHasItsAnswer(t *testing.T) {
	s := open(t, storePath(t))
	mustAppend(t, s, board, 1)
	other := space.Key{Tenant: "acme", Space: "other"}
	ctx := context.Background()
	appendTo := func(key space.Key, seq uint64) func() error {
		return func() error { return s.Append(ctx, key, seq, commitData(key, seq)) }
	}
	s = reopen(t, s)
	got := queueBehind(t, s,
		appendTo(board, 1),
		appendTo(board, 2),
		appendTo(board, 2),
		func() error { return s.Put(ctx, board, sampleItems()) },
		appendTo(other, 1),
		func() error { return s.Trim(ctx, board, 2, nil) },
	)
	want := []error{space.ErrTaken, nil, space.ErrTaken, nil, nil, nil}
	for i := range want {
		if !errors.Is(got[i], want[i]) || (want[i] == nil && got[i] != nil) {
			t.Errorf("call %d: got %v, want %v", i+1, got[i], want[i])
		}
	}
	checkLog(t, s, board, 2, 2)
	checkLog(t, s, other, 1, 1)
}

// reopen closes s and opens its file again: commitTx may be replaced only before
// the first request.
func reopen(t *testing.T, s *Store) *Store {
	t.Helper()
	path := s.db.Path()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, path)
}

// An append lost to another of the same transaction is not called taken if that
// transaction fails; one that found an old commit is.
func TestTakenByWhatFails(t *testing.T) {
	s := open(t, storePath(t))
	mustAppend(t, s, board, 1)
	s = reopen(t, s)
	b := &batch{appended: map[string]bool{}}
	var err error
	if b.tx, err = s.db.Begin(true); err != nil {
		t.Fatal(err)
	}
	defer b.tx.Rollback()
	prefix, _ := spacePrefix(board)
	var requests []*request
	for _, seq := range []uint64{1, 2, 2} {
		requests = append(requests, &request{work: &appendWork{key: logKey(prefix, seq), data: []byte{}}, answer: make(chan error, 1)})
	}
	if err := b.fill(requests); err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		own      error
		onCommit bool
	}{{space.ErrTaken, false}, {nil, false}, {space.ErrTaken, true}} {
		if r := requests[i]; r.own != want.own || r.onCommit != want.onCommit {
			t.Errorf("append %d: %v, %v; want %+v", i+1, r.own, r.onCommit, want)
		}
	}
}

// A read that sees a transaction whose fsync is under way waits for it.
func TestReadsWaitForDurability(t *testing.T) {
	for _, fail := range []error{nil, syscall.EIO} {
		t.Run(fmt.Sprint(fail), func(t *testing.T) {
			s := open(t, storePath(t))
			g := holdCommits(s)
			g.fail = fail
			appended := make(chan error, 1)
			go func() { appended <- s.Append(context.Background(), board, 1, commitData(board, 1)) }()
			<-g.reached

			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if entries, err := s.Log(ctx, board, 1, 1); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("a read during the fsync returned %v, %v", entries, err)
			}
			read := make(chan error, 1)
			go func() {
				entries, err := s.Log(context.Background(), board, 1, 1)
				if err == nil && len(entries) != 1 {
					err = fmt.Errorf("%d entries", len(entries))
				}
				read <- err
			}()
			close(g.release)
			appendErr, readErr := <-appended, <-read
			if fail == nil {
				if appendErr != nil || readErr != nil {
					t.Fatal(appendErr, readErr)
				}
				return
			}
			if !errors.Is(appendErr, space.ErrUnknown) || !errors.Is(appendErr, fail) {
				t.Errorf("the append whose fsync failed: %v", appendErr)
			}
			if !errors.Is(readErr, ErrStopped) {
				t.Errorf("the read of what may not be durable: %v", readErr)
			}
		})
	}
}

// A commit that failed before it was visible had no effect; unless the disk is
// full, the store stops.
func TestCommitFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		fail    error
		visible bool // the commit failed in its last fsync
		want    error
		stops   bool
		unknown bool
	}{
		{"no room", &testPathError{syscall.ENOSPC}, false, space.ErrFull, false, false},
		{"no room for growing", errors.New("file resize error: truncate x: " + syscall.EFBIG.Error()), false, space.ErrFull, false, false},
		{"quota", syscall.EDQUOT, false, space.ErrFull, false, false},
		{"write", &testPathError{syscall.EIO}, false, ErrStopped, true, false},
		{"first fsync", syscall.EIO, false, ErrStopped, true, false},
		{"last fsync", syscall.EIO, true, ErrStopped, true, true},
		{"last fsync, no room", syscall.ENOSPC, true, ErrStopped, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := storePath(t)
			s := open(t, path)
			mustAppend(t, s, board, 1)
			s = reopen(t, s)
			failing := true
			s.commitTx = func(tx *bbolt.Tx) error {
				if !failing {
					return tx.Commit()
				}
				failing = false
				if c.visible {
					return errors.Join(tx.Commit(), c.fail)
				}
				return errors.Join(tx.Rollback(), c.fail)
			}
			err := s.Append(t.Context(), board, 2, commitData(board, 2))
			if !errors.Is(err, c.want) || errors.Is(err, space.ErrUnknown) != c.unknown {
				t.Fatalf("got %v", err)
			}
			if health := s.Health(); (health != nil) != c.stops {
				t.Fatalf("health: %v", health)
			}
			_, readErr := s.Log(t.Context(), board, 1, 1)
			appendErr := s.Append(t.Context(), board, 2, commitData(board, 2))
			if c.stops {
				if !errors.Is(readErr, ErrStopped) || !errors.Is(appendErr, ErrStopped) || errors.Is(appendErr, space.ErrUnknown) != c.unknown {
					t.Errorf("after the failure: read %v, append %v", readErr, appendErr)
				}
			} else if readErr != nil || appendErr != nil {
				t.Errorf("after the failure: read %v, append %v", readErr, appendErr)
			}
			last := uint64(1)
			if !c.stops || c.visible {
				last = 2
			}
			checkLog(t, reopen(t, s), board, 1, last)
		})
	}
}

type testPathError struct{ err error }

func (e *testPathError) Error() string { return "write x: " + e.err.Error() }
func (e *testPathError) Unwrap() error { return e.err }

// Until the committer takes a request on, its caller may withdraw it: then it
// has no effect. Later its outcome is unknown, and it takes place.
func TestWithdrawn(t *testing.T) {
	s := open(t, storePath(t))
	g := holdCommits(s)
	taken, cancelTaken := context.WithCancel(t.Context())
	waiting, cancelWaiting := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- s.Append(taken, board, 1, commitData(board, 1)) }()
	<-g.reached
	go func() { second <- s.Append(waiting, board, 2, commitData(board, 2)) }()
	eventually(t, func() bool { return len(s.queue) == 1 })
	cancelTaken()
	if err := <-first; !errors.Is(err, space.ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("withdrawn from the committer: %v", err)
	}
	cancelWaiting()
	if err := <-second; !errors.Is(err, context.Canceled) || errors.Is(err, space.ErrUnknown) {
		t.Errorf("withdrawn from the queue: %v", err)
	}
	close(g.release)
	mustAppend(t, s, space.Key{Space: "after"}, 1)
	checkLog(t, s, board, 1, 1)

	if err := s.Append(taken, board, 2, nil); !errors.Is(err, context.Canceled) || errors.Is(err, space.ErrUnknown) {
		t.Errorf("withdrawn before it began: %v", err)
	}
}

// The caller's buffer is its own again when Append returns, even early.
func TestAppendCopies(t *testing.T) {
	s := open(t, storePath(t))
	data := commitData(board, 1)
	g := holdCommits(s)
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- s.Append(t.Context(), space.Key{}, 1, nil) }()
	<-g.reached
	go func() { second <- s.Append(t.Context(), board, 1, data) }()
	eventually(t, func() bool { return len(s.queue) == 1 })
	clear(data)
	close(g.release)
	if err := errors.Join(<-first, <-second); err != nil {
		t.Fatal(err)
	}
	checkLog(t, s, board, 1, 1)
}

// Many goroutines on a few seqs of a few spaces: each seq has exactly one winner.
func TestRace(t *testing.T) {
	s := open(t, storePath(t))
	const seqs, writers = 40, 8
	var mu sync.Mutex
	won := map[string]int{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for seq := uint64(1); seq <= seqs; seq++ {
				key := space.Key{Tenant: "t", Space: fmt.Sprint(w % 2)}
				err := s.Append(t.Context(), key, seq, commitData(key, seq))
				if err == nil {
					mu.Lock()
					won[fmt.Sprint(key, seq)]++
					mu.Unlock()
				} else if !errors.Is(err, space.ErrTaken) {
					t.Error(err)
				}
				item := space.Item{Key: space.ItemKey{Kind: space.ItemDevice}, Version: seq, Meta: []byte(fmt.Sprint(seq))}
				if err := s.Put(t.Context(), key, []space.Item{item}); err != nil {
					t.Error(err)
				}
				got, err := s.Get(t.Context(), key, []space.ItemKey{item.Key})
				if err != nil || got[0].Version < seq {
					t.Errorf("put version %d, got %d, %v", seq, got[0].Version, err)
				}
			}
		})
	}
	wg.Wait()
	if len(won) != 2*seqs {
		t.Errorf("%d seqs were won, want %d", len(won), 2*seqs)
	}
	for key, n := range won {
		if n != 1 {
			t.Errorf("%s was won %d times", key, n)
		}
	}
	for i := range 2 {
		checkLog(t, s, space.Key{Tenant: "t", Space: fmt.Sprint(i)}, 1, seqs)
	}
}
