package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tidegate/tidegate/internal/engine"
	"github.com/tidegate/tidegate/loadtest"
)

const (
	fleetSize = 3
	// roundWithin is how long one round may take before the test gives it up.
	roundWithin = 4 * time.Minute
	// drainWithin is how long after all faults are healed everything must be
	// everywhere.
	drainWithin = 30.0
)

// TestFleet has three gateways share a space in a table while one of them is
// killed, suspended, or cut from the bus or from the store, in turns, and devices
// go on to another gateway whenever they connect. TIDEGATE_ROUNDS says how many
// rounds there are (6).
func TestFleet(t *testing.T) {
	rounds := number(t, "TIDEGATE_ROUNDS", 6)
	e := engine.Need(t, engine.Dynoxide)
	bus := natsServer(t)
	for round := range rounds {
		seed := strconv.Itoa(1 + round)
		args := []string{"--seed", seed, "--devices", "9", "--mutations", "60", "--rate", "20", "--records", "10"}
		var harmed func(loadtest.Report) int
		switch round % 3 {
		case 0:
			args = append(args, "--kill-every", "500ms", "--chaos")
			harmed = func(r loadtest.Report) int { return r.Kills }
		case 1:
			args = append(args, "--pause-every", "300ms")
			harmed = func(r loadtest.Report) int { return r.Pauses }
		case 2:
			args = append(args, "--cut-every", "300ms", "--bus", bus)
			harmed = func(r loadtest.Report) int { return int(r.LinkCuts) }
		}
		r := fleet(t, e, args...)
		if harmed(r) == 0 {
			t.Errorf("round %d: nothing was done to the gateways", round)
		}
		if !r.Oracle || r.CheckedExactly == 0 {
			t.Errorf("round %d was not compared with the oracle", round)
		}
		if r.DrainS > drainWithin {
			t.Errorf("round %d: it took %.1f s after the faults until everything was everywhere", round, r.DrainS)
		}
		if t.Failed() {
			return
		}
	}
}

// TestFleetOnDynalite shows that a fleet does not owe its luck to one engine.
func TestFleetOnDynalite(t *testing.T) {
	e := engine.Need(t, engine.Dynalite)
	r := fleet(t, e, "--seed", "1", "--devices", "9", "--mutations", "40", "--rate", "20", "--records", "10",
		"--kill-every", "700ms", "--pause-every", "700ms", "--chaos")
	if r.Kills+r.Pauses == 0 {
		t.Error("nothing was done to the gateways")
	}
}

// fleet runs the load test on a fleet that shares a table of its own, and demands
// that nothing is wrong.
func fleet(t *testing.T, e *engine.Engine, args ...string) (r loadtest.Report) {
	t.Helper()
	dir := t.TempDir()
	store := fmt.Sprintf("dynamodb://%s?region=%s&endpoint=%s", e.Table(t), engine.Region, e.Endpoint)
	made := tidegate(t, dir, e.Env(), "table", "create", "--store", store, "--allow-missing")
	if made.status != 0 {
		t.Fatalf("the table could not be made:\n%s%s", made.stdout, made.stderr)
	}
	report := filepath.Join(dir, "report.json")
	args = append([]string{"loadtest", "edit", "--self", "--fleet", strconv.Itoa(fleetSize), "--store", store, "--json", report}, args...)
	ctx, cancel := context.WithTimeout(t.Context(), roundWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Env = dir, environment(dir, e.Env()...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	data, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if !r.OK || r.Gateways != fleetSize {
		t.Errorf("the run on %d gateways failed: %q", r.Gateways, r.Failures)
	}
	t.Logf("%s", out)
	return r
}

// natsServer starts a NATS server for gateways that do not talk to one another
// themselves, and returns its address.
func natsServer(t *testing.T) string {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not listen")
	}
	return "nats://" + s.Addr().String()
}

// number reads a figure of the test from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}
