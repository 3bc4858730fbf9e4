package bolt

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/space"
)

// BenchmarkAppend has 16 writers, each on a space of its own, append commits of
// 300 bytes: in shared transactions, and in one transaction each.
func BenchmarkAppend(b *testing.B) {
	var grouped float64
	for _, mode := range []struct {
		name  string
		batch int
	}{{"grouped", maxBatchRequests}, {"single", 1}} {
		b.Run(mode.name, func(b *testing.B) {
			s := open(b, storePath(b))
			s.maxBatch = mode.batch
			const writers = 16
			data := make([]byte, 300)
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ResetTimer()
			began := time.Now()
			for w := range writers {
				wg.Go(func() {
					key := space.Key{Tenant: "t", Space: fmt.Sprint(w)}
					for seq := uint64(1); left.Add(-1) >= 0; seq++ {
						if err := s.Append(b.Context(), key, seq, data); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			rate := float64(b.N) / time.Since(began).Seconds()
			b.ReportMetric(rate, "commits/s")
			if mode.batch == 1 {
				b.ReportMetric(grouped/rate, "grouped/single")
			} else {
				grouped = rate
			}
		})
	}
}
