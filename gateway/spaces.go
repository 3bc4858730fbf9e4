package gateway

import (
	"sync"
	"time"

	"github.com/tidegate/tidegate/space"
)

// durableTimes is how many commits of a space are remembered with the time at
// which they were durable, for the convergence time.
const durableTimes = 256

// spaceMeters keep what the metrics need to know of open spaces. Safe for
// concurrent use; its methods are called from spaces' goroutines and return at
// once.
type spaceMeters struct {
	metrics *metrics // static

	mu   sync.Mutex
	open map[space.Key]*spaceMeter // guarded by mu
}

// spaceMeter is what is known of one open space.
type spaceMeter struct {
	head, watermark uint64
	// durable holds commits by seq modulo its length.
	durable [durableTimes]struct {
		seq uint64
		at  time.Time
	}
}

func newSpaceMeters(m *metrics) *spaceMeters {
	return &spaceMeters{metrics: m, open: map[space.Key]*spaceMeter{}}
}

// opened and closed are told of each space.
func (s *spaceMeters) opened(key space.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[key] = &spaceMeter{}
}

func (s *spaceMeters) closed(key space.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, key)
}

// event is a hook of space.Manager.
func (s *spaceMeters) event(key space.Key, event space.Event) {
	s.metrics.count(event)
	s.mu.Lock()
	defer s.mu.Unlock()
	meter := s.open[key]
	if meter == nil {
		return
	}
	switch event.Kind {
	case space.EventOpened:
		meter.head = event.Seq
		meter.watermark = event.Seq - min(event.N, event.Seq)
	case space.EventCommitted, space.EventFolded:
		meter.head = max(meter.head, event.Seq)
		slot := &meter.durable[event.Seq%durableTimes]
		slot.seq, slot.at = event.Seq, time.Now()
	case space.EventWatermark:
		meter.watermark = max(meter.watermark, event.N)
	}
}

// converged observes how long a commit took from being durable to being applied
// by a device.
func (s *spaceMeters) converged(key space.Key, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	meter := s.open[key]
	if meter == nil {
		return
	}
	if slot := &meter.durable[seq%durableTimes]; slot.seq == seq {
		s.metrics.convergence.Observe(time.Since(slot.at).Seconds())
	}
}

// count is how many spaces are open.
func (s *spaceMeters) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// checkpointLag is the greatest number of commits that opening one of the open
// spaces anew would have to fold.
func (s *spaceMeters) checkpointLag() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var most uint64
	for _, meter := range s.open {
		if meter.head > meter.watermark {
			most = max(most, meter.head-meter.watermark)
		}
	}
	return float64(most)
}
