package dynamo

import (
	"context"
	"maps"
	"slices"
	"sync"
)

const (
	// readsApart is how many small reads of one space's items are sent each by itself.
	// Those that come while as many are under way wait for one to end, and then go
	// together: a thousand devices that come back at once cost a few requests, what
	// they all ask for is read once, and a lone read waits for nobody.
	readsApart = 4
	// smallRead is how many keys a read may have to be gathered with others.
	smallRead = 8
)

// gatherer gathers reads of items, by partition.
type gatherer struct {
	fetch func(ctx context.Context, p string, sorts []string) (map[string]attributes, error)

	mu    sync.Mutex
	reads map[string]*reads // guarded by mu: of partitions that are being read
}

// reads are those of one partition.
type reads struct {
	underWay int
	next     *gathered // nil while nobody waits
}

// gathered is a read for all who waited when it was sent: so each of them sees
// what was written before it asked.
type gathered struct {
	ctx     context.Context
	cancel  context.CancelFunc // once nobody waits any more
	keys    map[string]struct{}
	waiting int           // guarded by the gatherer's mu
	done    chan struct{} // closed when the answer is there
	// found and err are the answer; static once done is closed.
	found map[string]attributes
	err   error
}

func newGatherer(fetch func(context.Context, string, []string) (map[string]attributes, error)) *gatherer {
	return &gatherer{fetch: fetch, reads: make(map[string]*reads)}
}

// read returns the items with these sort keys, and perhaps others; absent ones are
// not among them.
func (g *gatherer) read(ctx context.Context, p string, sorts []string) (map[string]attributes, error) {
	if len(sorts) > smallRead {
		return g.fetch(ctx, p, sorts)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	r := g.reads[p]
	if r == nil {
		r = new(reads)
		g.reads[p] = r
	}
	if r.underWay < readsApart {
		r.underWay++
		g.mu.Unlock()
		defer g.ended(p, r)
		return g.fetch(ctx, p, sorts)
	}
	b := r.next
	if b == nil {
		// It goes on for as long as anybody waits, whoever was first.
		detached, cancel := context.WithCancel(context.WithoutCancel(ctx))
		b = &gathered{ctx: detached, cancel: cancel, keys: make(map[string]struct{}), done: make(chan struct{})}
		r.next = b
	}
	for _, sort := range sorts {
		b.keys[sort] = struct{}{}
	}
	b.waiting++
	g.mu.Unlock()
	defer g.left(b)
	select {
	case <-b.done:
		return b.found, b.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// left notes that somebody does not wait any more.
func (g *gatherer) left(b *gathered) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if b.waiting--; b.waiting == 0 {
		b.cancel()
	}
}

// ended notes that a read has ended, and sends the one that was gathered meanwhile.
func (g *gatherer) ended(p string, r *reads) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := r.next
	r.next = nil
	if b != nil && b.waiting > 0 {
		go g.send(p, r, b)
		return
	}
	if r.underWay--; r.underWay == 0 {
		delete(g.reads, p)
	}
}

// send reads what was gathered.
func (g *gatherer) send(p string, r *reads, b *gathered) {
	defer g.ended(p, r)
	b.found, b.err = g.fetch(b.ctx, p, slices.Sorted(maps.Keys(b.keys)))
	close(b.done)
}
