package space

import (
	"fmt"
	"testing"
)

// BenchmarkCommit measures what the core itself costs a mutation, in batches as
// group commit makes them.
func BenchmarkCommit(b *testing.B) {
	for _, batch := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			r := newRig(b, "a", new(Memory), Config{Exclusive: true, CacheBytes: 64 << 20})
			r.settle()
			c := newTestClient("ann")
			r.core.Attach(r.now, Attach{Session: 1, Device: c.device, User: c.user})
			r.take()
			r.settle()
			for i := range b.N {
				verb := "set"
				if i < 1000 {
					verb = "create"
				}
				c.mutate(r.now, mustOp(fmt.Sprintf("%s tasks/%d n=%d", verb, i%1000, i)))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for first := uint64(1); first <= c.counter; {
				p := c.pushFrom(1, 1, first)
				p.Bodies = p.Bodies[:min(batch, len(p.Bodies))]
				r.now++
				r.core.Push(r.now, p)
				r.take()
				r.settle()
				r.replies = nil
				r.events = nil
				r.heads = r.heads[max(0, len(r.heads)-1):]
				first += uint64(len(p.Bodies))
			}
		})
	}
}
