package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// slowTable answers reads when it is told to, with how it was when it was asked.
type slowTable struct {
	mu      sync.Mutex
	version string                // guarded by mu
	asked   [][]string            // guarded by mu: the reads so far, by their keys
	answers map[int]chan struct{} // guarded by mu: closed to answer the n-th
	err     error                 // static
}

func (s *slowTable) fetch(ctx context.Context, _ string, sorts []string) (map[string]attributes, error) {
	s.mu.Lock()
	answer := make(chan struct{})
	if s.answers == nil {
		s.answers = map[int]chan struct{}{}
	}
	s.answers[len(s.asked)] = answer
	s.asked = append(s.asked, sorts)
	found := map[string]attributes{}
	for _, sort := range sorts {
		found[sort] = attributes{"is": stringAttribute(sort + " " + s.version)}
	}
	s.mu.Unlock()
	select {
	case <-answer:
		return found, s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answer lets the n-th read go on, once all who can have come to a halt.
func (s *slowTable) answer(n int) {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.answers[n])
}

// reads returns the keys of the reads so far.
func (s *slowTable) reads() [][]string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *slowTable) write(version string) {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = version
}

// gathering is a gatherer with its small reads under way.
func gathering(t *testing.T, s *slowTable) *gatherer {
	g := newGatherer(s.fetch)
	for i := range readsApart {
		go g.read(t.Context(), "p", []string{fmt.Sprint("apart ", i)})
	}
	if n := len(s.reads()); n != readsApart {
		t.Fatalf("%d reads are under way", n)
	}
	return g
}

// A crowd's reads go together, each key once, and everybody gets their own.
func TestReadsGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowTable{version: "old"}
		g := gathering(t, s)
		read := func(want string, sorts ...string) func() {
			return func() {
				found, err := g.read(t.Context(), "p", sorts)
				for _, sort := range sorts {
					if is, _ := found[sort]["is"].(*types.AttributeValueMemberS); err != nil || is == nil || is.Value != sort+" "+want {
						t.Errorf("%s: %v, %v", sort, found[sort], err)
					}
				}
			}
		}
		var crowd sync.WaitGroup
		for i := range 50 {
			crowd.Go(read("new", fmt.Sprint("device ", i%40), "horizon"))
		}
		s.write("new") // before they are sent: all of them see it
		if n := len(s.reads()); n != readsApart {
			t.Errorf("%d reads were sent, though %d were under way", n, readsApart)
		}
		s.answer(0)
		all := s.reads()
		if len(all) != readsApart+1 || len(all[readsApart]) != 41 {
			t.Fatalf("what was gathered was sent as %q", all[readsApart:])
		}
		// Who comes now is not served by what was read before.
		crowd.Go(read("newer", "device 1"))
		s.write("newer")
		s.answer(readsApart)
		s.answer(1)
		s.answer(2)
		s.answer(3)
		s.answer(readsApart + 1)
		crowd.Wait()
		synctest.Wait()
		if n := len(s.reads()); n != readsApart+2 || len(g.reads) > 0 {
			t.Errorf("%d reads; left: %v", n, g.reads)
		}
		// Many keys are a read of their own, however many are under way.
		g = gathering(t, &slowTable{})
		s = &slowTable{}
		g.fetch = s.fetch
		crowd.Go(func() { g.read(t.Context(), "p", make([]string, smallRead+1)) })
		s.answer(0)
		crowd.Wait()
	})
}

// Who leaves takes nobody along; when all have left, nothing is read for them.
func TestGatheredLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(slowTable)
		g := gathering(t, s)
		ctx, leave := context.WithCancel(t.Context())
		var gone, stays sync.WaitGroup
		wait := func(group *sync.WaitGroup, ctx context.Context, want error) {
			group.Go(func() {
				if _, err := g.read(ctx, "p", []string{"key"}); !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			})
			synctest.Wait()
		}
		wait(&gone, ctx, context.Canceled)
		wait(&stays, t.Context(), nil)
		leave()
		gone.Wait()
		s.answer(0)
		s.answer(readsApart)
		stays.Wait()

		// All leave before it is sent.
		ctx, leave = context.WithCancel(t.Context())
		s2 := new(slowTable)
		g = gathering(t, s2)
		wait(&gone, ctx, context.Canceled)
		leave()
		gone.Wait()
		s2.answer(0)
		if n := len(s2.reads()); n != readsApart {
			t.Errorf("%d reads", n)
		}

		// All leave while it is under way, which ends it.
		ctx, leave = context.WithCancel(t.Context())
		wait(&gone, ctx, nil) // there is room for one apart again
		wait(&gone, ctx, context.Canceled)
		s2.answer(1)
		if n := len(s2.reads()); n != readsApart+2 {
			t.Errorf("%d reads", n)
		}
		s2.answer(readsApart)
		leave()
		gone.Wait()
		s2.answer(2)
		s2.answer(3)
		synctest.Wait()
		if len(g.reads) > 0 {
			t.Errorf("left: %v", g.reads)
		}
		for i := 1; i < readsApart; i++ {
			s.answer(i)
		}
	})
}

// An error is everybody's.
func TestGatheredError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowTable{err: errors.New("no")}
		g := gathering(t, s)
		var crowd sync.WaitGroup
		for range 3 {
			crowd.Go(func() {
				if _, err := g.read(t.Context(), "p", []string{"key"}); err != s.err {
					t.Errorf("got %v", err)
				}
			})
		}
		for i := range readsApart + 1 {
			s.answer(i)
		}
		crowd.Wait()
	})
}
