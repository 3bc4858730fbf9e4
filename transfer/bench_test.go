package transfer

import (
	"bytes"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/tidegate/tidegate/bolt"
	"github.com/tidegate/tidegate/space"
)

// benchmarkSource is a store with a space of n commits.
func benchmarkSource(b *testing.B, n int) (source *space.Memory, export []byte) {
	b.Helper()
	source = new(space.Memory)
	cfg := keeping()
	cfg.WatermarkEvery = 256
	r := newRig(b, source, board, rigStart, cfg)
	r.work(rand.New(rand.NewPCG(1, 1)), n)
	r.close()
	return source, exported(b, source)
}

// BenchmarkExport writes an export of a store in memory.
func BenchmarkExport(b *testing.B) {
	source, export := benchmarkSource(b, 2000)
	b.SetBytes(int64(len(export)))
	for b.Loop() {
		if _, err := Export(b.Context(), source, "test", io.Discard, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkImportFile imports into a new file each time.
func BenchmarkImportFile(b *testing.B) {
	_, export := benchmarkSource(b, 2000)
	var commits uint64
	for b.Loop() {
		store, err := bolt.Open(filepath.Join(b.TempDir(), "b.db"))
		if err != nil {
			b.Fatal(err)
		}
		report, err := Import(b.Context(), store, bytes.NewReader(export), Options{})
		if err != nil {
			b.Fatal(err)
		}
		commits += report.Commits
		store.Close()
	}
	b.ReportMetric(float64(commits)/b.Elapsed().Seconds(), "commits/s")
}
