package space

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestColdSnapshotIsOnePass: a gateway that has nothing in memory serves the first
// client of a large space with one pass over its items.
func TestColdSnapshotIsOnePass(t *testing.T) {
	const records = 10_000
	for _, test := range []struct {
		name   string
		fields string
	}{
		{"short records", "n=1"},
		{"ordinary records", "title=" + strings.Repeat("x", 60) + " text=" + strings.Repeat("y", 100) + " done=0 n=7"},
		{"many short fields", "a=1 b=2 c=3 d=4 e=5 f=6 g=7 h=8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := new(Memory)
			r := newRig(t, "a", store, Config{Exclusive: true})
			r.settle()
			ann := newTestClient("ann")
			for i := range records {
				ann.mutate(0, mustOp(fmt.Sprintf("create tasks/%d %s", i, test.fields)))
			}
			drive(t, r, ann, 1, 250)
			r.core.Close(r.now)
			r.take()
			r.pass(time.Minute)

			r.restart()
			r.settle()
			scanned, pages, logged := 0, 0, 0
			reader := r.reader()
			reader.Do = func(op RequestOp) Response {
				resp := r.perform(op)
				scanned += len(resp.Items)
				logged += len(resp.Log)
				pages++
				return resp
			}
			p := newReplica(t)
			p.pos.Snapshot = true
			p.read(reader, ReadRequest{MaxBytes: 128 << 10})
			if len(p.records) != records {
				t.Fatalf("%d records came", len(p.records))
			}
			t.Logf("%d items scanned in %d pages", scanned, pages)
			if scanned > records || logged > 0 {
				t.Errorf("%d items were scanned for %d records, and %d commits read", scanned, records, logged)
			}
		})
	}
}
