package engine

import (
	"net/http"
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// Engines answer, one process for all who ask.
func TestEngines(t *testing.T) {
	Each(t, func(t *testing.T, e *Engine) {
		if again := Need(t, e.Kind); again != e {
			t.Errorf("asked twice: %v and %v", e, again)
		}
		if !strings.HasPrefix(e.Endpoint, "http://127.0.0.1:") {
			t.Errorf("it listens at %s", e.Endpoint)
		}
		resp, err := http.Get(e.Endpoint)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if a, b := e.Table(t), e.Table(t); a == b {
			t.Errorf("two tables are named %s", a)
		}
	})
}

// The Makefile installs what is looked for here.
func TestVersions(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"DYNOXIDE := " + dynoxideVersion + "\n", "DYNALITE := " + dynaliteVersion + "\n"} {
		if !strings.Contains(string(makefile), line) {
			t.Errorf("the Makefile does not say %q", line)
		}
	}
}
