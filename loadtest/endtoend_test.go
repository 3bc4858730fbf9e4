package loadtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/protocol"
)

// program is the real program, built once for all tests of this package.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(built, "tidegate")
	build := exec.Command("go", "build", "-o", path, "github.com/tidegate/tidegate")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
})

// built is the directory for the program.
var built string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "tidegate-built-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		built = dir
		return m.Run()
	}())
}

// options are those of a run with a gateway of its own.
func options(t *testing.T) Options {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the real program")
	}
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return Options{Self: true, Seed: 1, program: path, ClientStore: "memory"}
}

// perform runs a scenario and returns its report.
func perform(t *testing.T, o *Options, s *scenario) *Report {
	t.Helper()
	if err := o.prepare(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	r, err := execute(ctx, o, s)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	r.print(&text)
	t.Log(text.String())
	return r
}

// invented makes a history of n entries by a few authors who work side by side,
// on few files, and delete now and then.
func invented(n, authors int) *history {
	random := rand.New(rand.NewPCG(7, 7))
	h := &history{authors: authors}
	for i := range n {
		e := entry{N: i, Author: i % authors, Time: int64(1_000_000 + i), Title: fmt.Sprintf("entry %d", i)}
		for j := max(0, i-5); j < i; j++ {
			if random.IntN(3) == 0 {
				e.Parents = append(e.Parents, j)
			}
		}
		for f := range 8 {
			kind := "MMMMMMAD"[random.IntN(8)]
			if random.IntN(4) == 0 {
				e.Files = append(e.Files, change{kind, fmt.Sprintf("dir/file-%d", f)})
			}
		}
		h.entries = append(h.entries, e)
	}
	return h
}

func TestReplay(t *testing.T) {
	for name, set := range map[string]func(*Options){
		"plain": func(*Options) {},
		"chaos": func(o *Options) { o.Chaos = true },
		"kills": func(o *Options) { o.KillEvery = 300 * time.Millisecond },
		"chaos and kills, on disk": func(o *Options) {
			o.Chaos, o.KillEvery, o.ClientStore = true, 500*time.Millisecond, "file"
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			set(&o)
			h := invented(150, 6)
			s, err := replayScenario(h)
			if err != nil {
				t.Fatal(err)
			}
			r := perform(t, &o, s)
			if !r.OK || !r.Oracle {
				t.Errorf("the run failed: %q", r.Failures)
			}
			made := 0
			for _, e := range h.entries {
				if len(e.Files) > 0 {
					made++
				}
			}
			if r.Mutations != made || r.Devices != 6 || r.CheckedExactly == 0 {
				t.Errorf("%d mutations by %d devices, %d files checked exactly; want %d by 6", r.Mutations, r.Devices, r.CheckedExactly, made)
			}
			if o.Chaos && r.DroppedAcks == 0 {
				t.Error("no ack was dropped")
			}
			if o.KillEvery > 0 && r.Kills == 0 && r.DurationS > 2*o.KillEvery.Seconds() {
				t.Errorf("the gateway was not killed within %.1f s", r.DurationS)
			}
		})
	}
}

// Real histories are replayed whole by `make replay`; here is a part of one.
func TestReplayRealHistory(t *testing.T) {
	const name = "../../shared/data/histories/raft.jsonl.gz"
	if _, err := os.Stat(name); err != nil {
		t.Skipf("no real history at %s", name)
	}
	o := options(t)
	h, err := readHistory(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := replayScenario(h.first(400))
	if err != nil {
		t.Fatal(err)
	}
	if r := perform(t, &o, s); !r.OK || !r.Oracle {
		t.Errorf("the run failed: %q", r.Failures)
	}
}

func edit(t *testing.T, o Options) (*scenario, *EditCommand) {
	t.Helper()
	c := &EditCommand{Options: o, Devices: 6, Spaces: 2, Records: 10, Mutations: 60, Offline: 0.3}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := c.scenario()
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func TestEdit(t *testing.T) {
	for name, set := range map[string]func(*Options){
		"plain":           func(*Options) {},
		"chaos and kills": func(o *Options) { o.Chaos, o.KillEvery = true, 400*time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t)
			set(&o)
			s, _ := edit(t, o)
			r := perform(t, &o, s)
			if !r.OK || !r.Oracle {
				t.Errorf("the run failed: %q", r.Failures)
			}
			// Two mutations made the records.
			if want := 2*6*60 + 2; r.Mutations != want || r.CheckedExactly != 20 {
				t.Errorf("%d mutations, %d records checked exactly; want %d and 20", r.Mutations, r.CheckedExactly, want)
			}
		})
	}
}

// A device that does not see that it missed something ends in another state, and
// the judge says so: by what the device holds, and by what its watch saw.
func TestJudgeFindsADeviceThatMissedSomething(t *testing.T) {
	const once = "dir/once"
	h := invented(60, 4)
	h.entries[30].Files = append(h.entries[30].Files, change{'A', once})
	o := options(t)
	o.faults = client.Faults{SkipGapCheck: true}
	o.swallow = func(device string, f protocol.Frame) bool {
		section, ok := f.(*protocol.Section)
		return ok && device == "device 3 of space 0" && slices.ContainsFunc(section.Deltas, func(d protocol.Delta) bool {
			return slices.ContainsFunc(d.Changes, func(c protocol.Change) bool { return c.ID == once })
		})
	}
	s, err := replayScenario(h)
	if err != nil {
		t.Fatal(err)
	}
	if r := perform(t, &o, s); r.OK || r.Diverged == 0 || r.Gaps == 0 {
		t.Errorf("too little was found: %d diverged, %d gaps", r.Diverged, r.Gaps)
	}
}

// A run that is interrupted leaves neither a process nor a file.
func TestInterrupted(t *testing.T) {
	o := options(t)
	if err := o.prepare(); err != nil {
		t.Fatal(err)
	}
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	ctx, cancel := context.WithCancel(context.Background())
	s, err := replayScenario(invented(100, 4))
	if err != nil {
		t.Fatal(err)
	}
	act := s.act
	s.act = func(ctx context.Context, d *device) error {
		cancel()
		return act(ctx, d)
	}
	if _, err := execute(ctx, &o, s); err == nil {
		t.Error("an interrupted run reports")
	}
	left, err := os.ReadDir(temporary)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("%s was left behind", left[0].Name())
	}
}

func TestSteady(t *testing.T) {
	o := options(t)
	c := &SteadyCommand{Options: o, Devices: 4, Spaces: 2, Records: 20, Bytes: 50, Rate: 50, Duration: time.Second}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := c.scenario()
	if err != nil {
		t.Fatal(err)
	}
	if r := perform(t, &c.Options, s); !r.OK || !r.Oracle || r.CheckedExactly != 40 || r.Mutations < 8 {
		t.Errorf("%+v", r)
	}
}
