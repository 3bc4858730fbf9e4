package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

const (
	// outAfter is for how long a store must have failed a space before pushes to it
	// are refused: a request that is lost now and then is repeated in silence.
	outAfter = 3 * time.Second
	// outFor is how long the last failure counts. A space that has something to do
	// asks again sooner; if nobody asks any more, the next push finds out.
	outFor = 15 * time.Second
)

// errOut answers pushes while the store is out of reach.
var errOut = protocol.Errorf(protocol.CodeUnavailable, "the store cannot be read or written now; what is queued stays queued")

// outages is the store as spaces see it. It notes which of them have had no answer
// for a while: what is pushed there is refused, instead of waiting in memory
// without a word. What was taken before goes on: its outcome may be unknown, and
// is found out. Safe for concurrent use.
type outages struct {
	// Static.
	space.Store
	after time.Duration

	mu   sync.Mutex
	open map[space.Key]*outage // guarded by mu: of open spaces
}

// outage is how calls for one space have fared.
type outage struct {
	// since is when the first of the calls began that have failed in a row; zero if
	// the last one was answered. failed is when the last of them had failed.
	since, failed time.Time
	// appending is when the append began that has no answer yet; zero if none waits.
	// A space has one at most. Reads are repeated inside the store, so that a long one
	// says nothing.
	appending time.Time
}

func newOutages(store space.Store, after time.Duration) *outages {
	return &outages{Store: store, after: after, open: map[space.Key]*outage{}}
}

// opened and closed are told of each space.
func (o *outages) opened(key space.Key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open[key] = &outage{}
}

func (o *outages) closed(key space.Key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.open, key)
}

// out reports whether the store has not answered a space for too long.
func (o *outages) out(key space.Key) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.outLocked(o.open[key], time.Now())
}

func (o *outages) outLocked(s *outage, now time.Time) bool {
	switch {
	case s == nil:
		return false
	case !s.appending.IsZero() && now.Sub(s.appending) >= o.after:
		return true
	}
	return !s.since.IsZero() && now.Sub(s.since) >= o.after && now.Sub(s.failed) < outFor
}

// count is how many open spaces are without their store.
func (o *outages) count() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	for _, s := range o.open {
		if o.outLocked(s, now) {
			n++
		}
	}
	return n
}

// answered notes what became of a call that began at a time.
func (o *outages) answered(ctx context.Context, key space.Key, began time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.open[key]
	switch {
	case s == nil:
	case err == nil, errors.Is(err, space.ErrTaken), errors.Is(err, space.ErrThrottled):
		// A store that throttles is there: it slows devices down by their windows.
		s.since = time.Time{}
	case errors.Is(ctx.Err(), context.Canceled):
		// Nobody waited for the answer any more.
	default:
		if s.since.IsZero() {
			s.since = began
		}
		s.failed = time.Now()
	}
}

// appends notes that an append begins, or with the zero time that it has ended.
func (o *outages) appends(key space.Key, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.open[key]; s != nil {
		s.appending = at
	}
}

// Append implements space.Store, as do the reads below. Images are put behind the
// log: whether that succeeds is not what a push waits for.
func (o *outages) Append(ctx context.Context, key space.Key, seq uint64, data []byte) error {
	began := time.Now()
	o.appends(key, began)
	err := o.Store.Append(ctx, key, seq, data)
	o.answered(ctx, key, began, err)
	o.appends(key, time.Time{})
	return err
}

// Log implements space.Store.
func (o *outages) Log(ctx context.Context, key space.Key, from uint64, maxBytes int) ([]space.LogItem, error) {
	began := time.Now()
	entries, err := o.Store.Log(ctx, key, from, maxBytes)
	o.answered(ctx, key, began, err)
	return entries, err
}

// Get implements space.Store.
func (o *outages) Get(ctx context.Context, key space.Key, keys []space.ItemKey) ([]space.Item, error) {
	began := time.Now()
	items, err := o.Store.Get(ctx, key, keys)
	o.answered(ctx, key, began, err)
	return items, err
}

// Scan implements space.Store.
func (o *outages) Scan(ctx context.Context, key space.Key, after space.ItemKey, maxBytes int) ([]space.Item, error) {
	began := time.Now()
	items, err := o.Store.Scan(ctx, key, after, maxBytes)
	o.answered(ctx, key, began, err)
	return items, err
}
