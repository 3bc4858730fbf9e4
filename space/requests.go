package space

import (
	"errors"
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// errLost stands in for the answer to a request that did not come in time.
var errLost = errors.New("no answer from the store in time")

// request is a request whose answer is awaited, or which waits to be made again.
type request struct {
	op      RequestOp
	timeout protocol.Time // since it was made
	done    func(Response)
}

// delayed is something to do later.
type delayed struct {
	at protocol.Time
	do func()
}

// requests are the calls to the store that are in flight. Everything in it is
// dropped together when the core begins again from the images.
type requests struct {
	last    RequestID
	pending map[RequestID]*request
	// open holds the keys of pending in the order in which they were made, with
	// some that are done among them.
	open    []RequestID
	delayed []delayed
}

func (q *requests) forgetAll() {
	clear(q.pending)
	q.open = nil
	q.delayed = nil
}

// ask makes a request; done gets its answer, once.
func (c *Core) ask(op RequestOp, done func(Response)) {
	q := &c.requests
	q.last++
	q.pending[q.last] = &request{op: op, timeout: c.now + millis(c.cfg.RequestTimeout), done: done}
	q.open = append(q.open, q.last)
	c.out.Requests = append(c.out.Requests, Request{ID: q.last, Op: op, NotAfter: c.now + millis(c.cfg.RequestTimeout)})
}

// later calls do once after a pause that doubles with attempt.
func (c *Core) later(attempt uint64, do func()) {
	c.requests.delayed = append(c.requests.delayed, delayed{at: c.now + c.backoff(attempt), do: do})
}

// backoff is the pause after so many failures in a row.
func (c *Core) backoff(failures uint64) protocol.Time {
	pause, most := millis(c.cfg.RetryMin), millis(c.cfg.RetryMax)
	for ; failures > 1 && pause < most; failures-- {
		pause *= 2
	}
	return max(1, min(pause, most))
}

// askUntil repeats a request until it is answered without an error.
func (c *Core) askUntil(op RequestOp, done func(Response)) {
	c.attempt(op, 1, done)
}

func (c *Core) attempt(op RequestOp, n uint64, done func(Response)) {
	c.ask(op, func(r Response) {
		if r.Err == nil {
			done(r)
			return
		}
		c.event(Event{Kind: EventRetry, Seq: c.head.Seq, N: n, Err: r.Err})
		c.later(n, func() { c.attempt(op, n+1, done) })
	})
}

// answer passes an answer on to who waits for it.
func (q *requests) answer(r Response) {
	p := q.pending[r.ID]
	if p == nil {
		return // given up, or answered before
	}
	delete(q.pending, r.ID)
	p.done(r)
}

// expire treats overdue answers as errors, and does what was put off until now.
func (q *requests) expire(now protocol.Time) {
	// The timeouts of requests grow with their ids, so the overdue ones come first.
	// Handlers make new requests and may drop all of them.
	for len(q.open) > 0 {
		id := q.open[0]
		p := q.pending[id]
		if p != nil && p.timeout > now {
			break
		}
		q.open = q.open[1:]
		if p != nil {
			delete(q.pending, id)
			p.done(Response{ID: id, Err: errLost})
		}
	}
	for {
		i := slices.IndexFunc(q.delayed, func(d delayed) bool { return d.at <= now })
		if i < 0 {
			return
		}
		do := q.delayed[i].do
		q.delayed = slices.Delete(q.delayed, i, i+1)
		do()
	}
}

// nextDue is when expire has something to do; 0 if never.
func (q *requests) nextDue() protocol.Time {
	var at protocol.Time
	for _, id := range q.open {
		if p := q.pending[id]; p != nil {
			at = p.timeout
			break
		}
	}
	for _, d := range q.delayed {
		if at == 0 || d.at < at {
			at = d.at
		}
	}
	return at
}
