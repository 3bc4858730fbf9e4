package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tidegate/tidegate/access"
	"github.com/tidegate/tidegate/space"
)

const (
	// probeWithin is how long the store may take to answer.
	probeWithin = 3 * time.Second
	// probeEvery is how long an answer counts: asking for readiness must not be a way
	// to keep a store busy.
	probeEvery = time.Second
)

// earliest is a time that no right clock can show any more. Commit times never
// go back, so one commit by a clock that runs ahead would bind all later ones;
// what a clock that was never set does is bounded by this.
var earliest = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// probeKey names a space that cannot exist: reading it costs one strong read.
var probeKey = space.Key{Tenant: "_", Space: "_ready"}

// maxSkew is how far the gateway's clock may be off the store's.
const maxSkew = time.Minute

// storeClock is a store that knows what time it is where it is.
type storeClock interface {
	// Now returns the store's time. An error means that it cannot be told.
	Now(ctx context.Context) (time.Time, error)
}

// health knows whether what the gateway depends on can be reached. Safe for
// concurrent use.
type health struct {
	// Static.
	store    space.Store
	verifier *access.Verifier

	mu      sync.Mutex // held while probing: whoever comes meanwhile gets the same answer
	checked time.Time  // guarded by mu
	answer  string     // guarded by mu
}

func newHealth(store space.Store, verifier *access.Verifier) *health {
	return &health{store: store, verifier: verifier}
}

// check returns why the gateway is not ready, in words without secrets, or "".
func (h *health) check(ctx context.Context) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); now.Sub(h.checked) >= probeEvery {
		h.checked = now
		h.answer = h.probe(ctx, now)
	}
	return h.answer
}

func (h *health) probe(ctx context.Context, now time.Time) string {
	if now.Before(earliest) {
		return fmt.Sprintf("the clock says %s", now.UTC().Format(time.RFC3339))
	}
	if err := h.verifier.Ready(); err != nil {
		return fmt.Sprintf("tokens cannot be verified: %v", err)
	}
	// The asker's patience must not become everybody's answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeWithin)
	defer cancel()
	if why := h.skew(ctx); why != "" {
		return why
	}
	if _, err := h.store.Get(ctx, probeKey, []space.ItemKey{{Kind: space.ItemWatermark}}); err != nil {
		return fmt.Sprintf("the store cannot be read: %v", err)
	}
	return ""
}

// skew says if the gateway's clock and the store's differ too much. If the store
// does not tell the time, others see to it.
func (h *health) skew(ctx context.Context) string {
	clock, tells := h.store.(storeClock)
	if !tells {
		return ""
	}
	before := time.Now()
	there, err := clock.Now(ctx)
	if err != nil {
		return "" // whether the store can be reached is another question
	}
	// What it answered was true at some time in between.
	after := time.Now()
	if ahead := before.Sub(there); ahead > maxSkew {
		return fmt.Sprintf("the clock is %v ahead of the store's", ahead.Round(time.Second))
	}
	if behind := there.Sub(after); behind > maxSkew {
		return fmt.Sprintf("the clock is %v behind the store's", behind.Round(time.Second))
	}
	return ""
}
