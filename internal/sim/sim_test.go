package sim

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Uint64("sim.seed", 0, "run this seed alone, with its transcript")
	seedsFlag = flag.Int("sim.seeds", 100, "how many seeds to run")
	firstFlag = flag.Uint64("sim.first", 1, "the first of them")
	bugFlag   = flag.String("sim.bug", "", "plant the bug whose name contains this, with -sim.seed")
)

// TestSeed tells the story of one seed.
func TestSeed(t *testing.T) {
	if *seedFlag == 0 {
		t.Skip("no -sim.seed given")
	}
	var bug Bug
	for _, b := range Bugs() {
		if *bugFlag != "" && strings.Contains(b.Name, *bugFlag) {
			t.Log("with the bug: ", b.Name)
			bug = b.Bug
		}
	}
	r := Run(*seedFlag, bug, os.Stderr)
	for _, f := range r.Failures {
		t.Error(f)
	}
}

// TestSeeds lets many seeds run and checks every promise after each.
func TestSeeds(t *testing.T) {
	var (
		next                atomic.Uint64
		running             sync.WaitGroup
		mu                  sync.Mutex
		covered             = map[string]int{}
		commits, edits, bad int
		steps               int
		begun               = time.Now()
		last                = *firstFlag + uint64(*seedsFlag)
	)
	next.Store(*firstFlag)
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for {
				seed := next.Add(1) - 1
				if seed >= last {
					return
				}
				r := Run(seed, Bug{}, nil)
				mu.Lock()
				commits += r.Commits
				edits += r.Mutations
				steps += r.Steps
				for what, n := range r.Covered {
					covered[what] += n
				}
				if len(r.Failures) > 0 {
					if bad++; bad <= 10 {
						t.Errorf("seed %d:\n\t%s\n\tits story: go test ./internal/sim -run 'TestSeed$' -sim.seed %d", seed, strings.Join(r.Failures, "\n\t"), seed)
					}
				}
				mu.Unlock()
			}
		})
	}
	running.Wait()
	t.Logf("%d seeds, %d mutations, %d commits, %d events in %v; %d seeds failed", *seedsFlag, edits, commits, steps, time.Since(begun).Round(time.Millisecond), bad)
	for _, what := range []string{"commit folded from the bus", "head announced", "hand-over", "hand-over taken", "hand-over in vain"} {
		if covered[what] == 0 && *seedsFlag >= 100 {
			t.Errorf("in %d seeds there was no %s", *seedsFlag, what)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(covered)) {
		t.Logf("  %8d  %s", covered[what], what)
	}
}

// TestReplay runs seeds twice: not a line of the transcript may differ.
func TestReplay(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		var first, second bytes.Buffer
		a, b := Run(seed, Bug{}, &first), Run(seed, Bug{}, &second)
		if a.Hash != b.Hash {
			t.Errorf("seed %d: two runs differ first here:\n%s", seed, firstDifference(first.String(), second.String()))
		}
	}
}

func firstDifference(a, b string) string {
	linesA, linesB := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(linesA), len(linesB)) {
		if linesA[i] != linesB[i] {
			return fmt.Sprintf("line %d\n  %s\n  %s", i, linesA[i], linesB[i])
		}
	}
	return "one is longer"
}

// TestPlantedBugs proves that the checker can fail: each planted bug is found.
func TestPlantedBugs(t *testing.T) {
	const most = 10_000
	for _, bug := range Bugs() {
		t.Run(strings.ReplaceAll(bug.Name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= most; seed++ {
				if r := Run(seed, bug.Bug, nil); len(r.Failures) > 0 && len(Run(seed, Bug{}, nil).Failures) == 0 {
					t.Logf("found by seed %d: %s", seed, r.Failures[0])
					return
				}
			}
			t.Errorf("not found in %d seeds", most)
		})
	}
}
