package space

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// TestFaultsAreFound plants bugs and demands that racing cores give them away: a
// test that cannot fail proves nothing. FoldTwice is not among them: it shows in
// later verdicts alone, for which the simulator has a second opinion.
func TestFaultsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("plays many seeds")
	}
	for name, plant := range map[string]func(*Faults){
		"AckBeforeDurable":       func(f *Faults) { f.AckBeforeDurable = true },
		"NoDedup":                func(f *Faults) { f.NoDedup = true },
		"SkipFoldOrder":          func(f *Faults) { f.SkipFoldOrder = true },
		"TrimBeforeHorizon":      func(f *Faults) { f.TrimBeforeHorizon = true },
		"CheckpointAheadOfLog":   func(f *Faults) { f.CheckpointAheadOfLog = true },
		"ForgetRejections":       func(f *Faults) { f.ForgetRejections = true },
		"RetryWithNewCommitID":   func(f *Faults) { f.RetryWithNewCommitID = true },
		"IgnoreHole":             func(f *Faults) { f.IgnoreHole = true },
		"SnapshotWithoutOverlay": func(f *Faults) { f.SnapshotWithoutOverlay = true },
		"NoEditTimeClamp":        func(f *Faults) { f.NoEditTimeClamp = true },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := raceConfig()
			plant(&cfg.Faults)
			for seed := uint64(1); seed <= 300; seed++ {
				if found := seedFinds(seed, cfg); found != "" {
					t.Logf("found by seed %d: %.200s", seed, found)
					return
				}
			}
			t.Error("300 seeds did not find it")
		})
	}
}

// seedFinds plays a seed and returns what it found, be it by the checks or by a
// test's own Fatal.
func seedFinds(seed uint64, cfg Config) (found string) {
	quiet := &quietTB{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if r := recover(); r != nil && found == "" {
				found = "panic"
			}
		}()
		w := newWorld(quiet, seed, 1+int(seed%3), 4, cfg)
		if err := w.run(1500); err != nil {
			found = err.Error()
		}
	}()
	<-done
	if quiet.text != "" {
		return quiet.text
	}
	return found
}

// quietTB notes failures instead of reporting them.
type quietTB struct {
	testing.TB
	text string
}

func (q *quietTB) Helper() {}

func (q *quietTB) Logf(string, ...any) {}

func (q *quietTB) Fatal(args ...any) {
	q.text = fmt.Sprint(args...)
	runtime.Goexit()
}

func (q *quietTB) Fatalf(format string, args ...any) {
	q.text = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// TestStaleHead lets a gateway stand still for hours, while another goes on and
// trims: what looks free to it then has been taken and trimmed away.
func TestStaleHead(t *testing.T) {
	for _, stale := range []bool{false, true} {
		store := new(Memory)
		cfg := raceConfig()
		cfg.CacheBytes = 1 << 20
		a := newRig(t, "a", store, cfg)
		cfg.Faults.StaleHeadAppend = stale
		b := newRig(t, "b", store, cfg)
		b.settle()
		bob := newTestClient("bob")
		bob.mutate(0, mustOp("create notes/1 n=1"))
		drive(t, b, bob, 1, 1)
		bob.mutate(0, mustOp("set notes/1 n=2"))

		ann := newTestClient("ann")
		for i := range 20 {
			ann.mutate(0, mustOp(fmt.Sprintf("create tasks/%d n=1", i)))
		}
		a.now = b.now
		a.settle()
		drive(t, a, ann, 1, 1)
		a.pass(3 * time.Hour)
		for i := range 20 {
			ann.mutate(0, mustOp(fmt.Sprintf("set tasks/%d n=2", i)))
		}
		drive(t, a, ann, 2, 1)
		a.pass(time.Hour)
		if a.core.Horizon() < 10 {
			t.Fatalf("the horizon is %d: the test proves nothing", a.core.Horizon())
		}

		b.now = a.now
		b.core.Push(b.now, bob.pushFrom(1, 1, 2))
		b.take()
		b.pass(time.Minute)
		gap := false
		if items, err := store.Log(t.Context(), rigKey, 2, 1); err != nil || items[0].Seq < a.core.Horizon() {
			gap = true
		}
		if gap != stale {
			t.Errorf("with StaleHeadAppend %v: appended into the hole: %v", stale, gap)
		}
	}
}
