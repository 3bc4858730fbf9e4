package dynamo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

const (
	// maxAttempts bounds how often a request is sent for one call; who called may
	// call again.
	maxAttempts = 8
	// backoffMin and backoffMax bound the pauses in between: each is drawn from 0 to
	// a bound that doubles ("full jitter", after Marc Brooker's "Exponential Backoff
	// And Jitter").
	backoffMin = 25 * time.Millisecond
	backoffMax = time.Second
)

// method is a method of the SDK's client.
type method[In, Out any] func(context.Context, *In, ...func(*dynamodb.Options)) (*Out, error)

// once sends one request. The outcome says what became of it if it failed.
func once[In, Out any](ctx context.Context, s *Store, op Operation, action string, send method[In, Out], in *In) (*Out, outcome, error) {
	if s.closed.Load() {
		return nil, refused, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, unsent, err
	}
	if op != OpTable {
		if what, err := s.checked(ctx); err != nil {
			return nil, what, err
		}
	}
	sent := new(atomic.Bool)
	began := time.Now()
	out, err := send(context.WithValue(ctx, sentKey{}, sent), in)
	call := Call{Op: op, Action: action, Took: time.Since(began)}
	if err == nil {
		call.Read, call.Write = consumed(out)
		s.units.add(call)
		return out, 0, nil
	}
	what := classify(err, sent.Load())
	call.Throttled = what == throttled
	call.Unmet = what == unmet
	call.Err = err
	if what == unmet {
		// The answer does not say what was billed: what the item takes, or what was to
		// be written, whichever is more.
		call.Write = unmetUnits(in, err)
	}
	s.units.add(call)
	if what == unmet {
		return nil, what, err
	}
	return nil, what, s.explain(action, err, sent.Load())
}

// repeated sends a request until it succeeds, for as long as that may help. Only
// what may be done twice is sent so.
func repeated[In, Out any](ctx context.Context, s *Store, op Operation, action string, send method[In, Out], in *In) (*Out, outcome, error) {
	var last error
	for attempt := 1; ; attempt++ {
		limited, cancel := context.WithTimeout(ctx, s.config.AttemptTimeout)
		out, what, err := once(limited, s, op, action, send, in)
		cancel()
		if last != nil && ctx.Err() != nil && err != nil {
			// That time ran out says less than why it did.
			err = fmt.Errorf("%w (%w)", last, ctx.Err())
		}
		last = err
		if err == nil || what == refused || what == unmet || ctx.Err() != nil || attempt == maxAttempts {
			return out, what, err
		}
		if !s.pause(ctx, op, attempt) {
			return nil, what, err
		}
	}
}

// pause waits before another attempt; false if there is no time for one.
func (s *Store) pause(ctx context.Context, op Operation, attempt int) bool {
	bound := min(backoffMin<<(attempt-1), backoffMax)
	wait := time.Duration(rand.Int64N(int64(bound)))
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return false
	}
	if sleep(ctx, wait) != nil {
		return false
	}
	s.units.retried(op)
	return true
}

// sleep waits; if ctx ends before, it returns why.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sentKey is the context's key for whether a request was handed to the transport.
type sentKey struct{}

// sentMarker notes that a request was handed to the transport.
type sentMarker struct {
	next *http.Client
}

// Do implements the SDK's HTTPClient.
func (m sentMarker) Do(req *http.Request) (*http.Response, error) {
	if sent, ok := req.Context().Value(sentKey{}).(*atomic.Bool); ok {
		sent.Store(true)
	}
	return m.next.Do(req)
}

// within calls do for 0 … n-1, at most width at a time, and returns the errors.
func within(n, width int, do func(i int) error) error {
	if n == 1 {
		return do(0)
	}
	errs := make([]error, n)
	var next atomic.Int64
	done := make(chan struct{})
	width = min(width, n)
	for range width {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = do(i)
			}
		}()
	}
	for range width {
		<-done
	}
	return firstError(errs)
}

// firstError returns the first error, and how many there were.
func firstError(errs []error) error {
	var first error
	count := 0
	for _, err := range errs {
		if err != nil {
			count++
			if first == nil {
				first = err
			}
		}
	}
	if count > 1 {
		return fmt.Errorf("%w (and %d more)", first, count-1)
	}
	return first
}
