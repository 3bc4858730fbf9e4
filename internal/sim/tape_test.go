package sim

import (
	"flag"
	"os"
	"testing"

	"github.com/tidegate/tidegate/internal/tape"
)

var update = flag.Bool("update", false, "write the client's vectors of simulated runs anew")

// tapedSeeds are runs in which much happens within little: copied and restored
// devices, a restored table, replays, conflicts of every policy.
var tapedSeeds = []uint64{74, 48, 40, 57}

// TestWriteVectors writes what the devices of a few runs were given and what they
// answered, for the client's TestVectorsReplayed and for clients in other
// languages. It is a recording: gateways that behave otherwise by now do not make
// it wrong.
func TestWriteVectors(t *testing.T) {
	if !*update {
		t.Skip("no -update given")
	}
	var whole tape.Tape
	for _, seed := range tapedSeeds {
		if r := run(seed, Bug{}, nil, &whole); len(r.Failures) > 0 {
			t.Fatalf("seed %d: %q", seed, r.Failures)
		}
	}
	data, err := whole.Encode("Devices of simulated runs, with real gateways, several spaces and every fault.")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("../../client/testdata/vectors/simulator.json", data, 0o644); err != nil {
		t.Fatal(err)
	}
}
