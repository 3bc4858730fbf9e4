package sim

import (
	"container/heap"
	"math/rand/v2"

	"github.com/tidegate/tidegate/protocol"
)

// schedule is virtual time: a queue of things that will happen. Two things at
// the same time happen in the order in which they were scheduled, so that a run
// is a function of its seed.
type schedule struct {
	now    protocol.Time
	next   uint64
	events eventHeap
	random *rand.Rand
	steps  int
}

// event is one thing that will happen.
type event struct {
	at    protocol.Time
	order uint64
	do    func()
}

// newSchedule begins at an ordinary date, so that clocks that are years off have
// room on both sides.
func newSchedule(seed uint64) *schedule {
	return &schedule{
		now:    1_700_000_000_000,
		random: rand.New(rand.NewPCG(seed, 0x7469646567617465)),
	}
}

// after lets something happen later, by a number of milliseconds.
func (s *schedule) after(delay protocol.Time, do func()) {
	s.next++
	heap.Push(&s.events, event{at: s.now + max(delay, 0), order: s.next, do: do})
}

// run lets things happen until the time, or until nothing is left.
func (s *schedule) run(until protocol.Time) {
	for len(s.events) > 0 && s.events[0].at <= until {
		e := heap.Pop(&s.events).(event)
		s.now = max(s.now, e.at)
		s.steps++
		e.do()
	}
	s.now = max(s.now, until)
}

// chance is true with the probability p.
func (s *schedule) chance(p float64) bool { return p > 0 && s.random.Float64() < p }

// between draws a whole number of milliseconds from [low, high].
func (s *schedule) between(low, high protocol.Time) protocol.Time {
	if high <= low {
		return low
	}
	return low + protocol.Time(s.random.Int64N(int64(high-low+1)))
}

// below draws an int from [0, n).
func (s *schedule) below(n int) int { return s.random.IntN(n) }

// bytes fills b with random bytes.
func (s *schedule) bytes(b []byte) {
	for i := range b {
		b[i] = byte(s.random.Uint32())
	}
}

// eventHeap orders events by time, then by the order of scheduling.
type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].order < h[j].order
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(e any)   { *h = append(*h, e.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = event{}
	*h = old[:len(old)-1]
	return last
}
