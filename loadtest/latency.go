package loadtest

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// latencies collects durations between 1 µs and 10 minutes, to three digits. It
// is safe for concurrent use.
type latencies struct {
	mu   sync.Mutex
	hist *hdrhistogram.Histogram
}

func newLatencies() *latencies {
	return &latencies{hist: hdrhistogram.New(1, (10 * time.Minute).Microseconds(), 3)}
}

func (l *latencies) add(d time.Duration) {
	us := min(max(d.Microseconds(), 1), l.hist.HighestTrackableValue())
	l.mu.Lock()
	defer l.mu.Unlock()
	// The value is in range, which is all that RecordValue can object to.
	_ = l.hist.RecordValue(us)
}

// Quantiles are latencies in milliseconds.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func (l *latencies) quantiles() Quantiles {
	l.mu.Lock()
	defer l.mu.Unlock()
	ms := func(us int64) float64 { return float64(us) / 1000 }
	return Quantiles{
		P50: ms(l.hist.ValueAtQuantile(50)),
		P99: ms(l.hist.ValueAtQuantile(99)),
		Max: ms(l.hist.Max()),
	}
}
