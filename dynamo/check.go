package dynamo

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// checkEvery is how often a table that cannot be reached is asked for.
const checkEvery = time.Second

// tableCheck is whether the table has been found to be one of ours. Nothing is read
// or written before: what answers late may be another table than was meant.
type tableCheck struct {
	passed atomic.Bool

	mu     sync.Mutex // held while asking: who comes meanwhile gets the same answer
	at     time.Time  // guarded by mu: of the last answer
	failed outcome    // guarded by mu
	why    error      // guarded by mu
}

// checked looks at the table, unless that has been done. An error is either what
// is wrong with it, refused, or why it could not be looked at.
func (s *Store) checked(ctx context.Context) (outcome, error) {
	c := &s.check
	if c.passed.Load() {
		return 0, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.passed.Load() {
		return 0, nil
	}
	if c.why != nil && (c.failed == refused || time.Since(c.at) < checkEvery) {
		return c.failed, c.why
	}
	limited, cancel := context.WithTimeout(ctx, s.config.AttemptTimeout)
	defer cancel()
	out, what, err := once(limited, s, OpTable, "DescribeTable", s.client.DescribeTable, &dynamodb.DescribeTableInput{TableName: &s.config.Table})
	if err != nil && ctx.Err() != nil {
		return unsent, err // nobody waits for it any more, which says nothing about the table
	}
	var table *types.TableDescription
	if err == nil {
		table, err = s.description(out)
	}
	switch {
	case err == nil:
		what, err = refused, s.checkTable(table)
	case what != refused && what != throttled:
		what = unsent // the request that wanted to know has not left
	}
	c.at, c.failed, c.why = time.Now(), what, err
	c.passed.Store(err == nil)
	return what, err
}

// Unchecked returns why nobody could look at the table yet, if it was opened with
// [Config].Late; nil once somebody has.
func (s *Store) Unchecked() error {
	if s.check.passed.Load() {
		return nil
	}
	s.check.mu.Lock()
	defer s.check.mu.Unlock()
	return s.check.why
}

// Await returns once the table can be used. An error says what is wrong with it
// (see [Open]), or that ctx has ended.
func (s *Store) Await(ctx context.Context) error {
	for {
		what, err := s.checked(ctx)
		if err == nil || what == refused {
			return err
		}
		if err := sleep(ctx, checkEvery); err != nil {
			return err
		}
	}
}
