package engine

import (
	"io"
	"net"
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

// Engines outlive clients that are killed in the middle of a request.
func TestOutlivesClients(t *testing.T) {
	Each(t, func(t *testing.T, e *Engine) {
		for range 10 {
			conn, err := net.Dial("tcp", strings.TrimPrefix(e.Endpoint, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: local\r\nContent-Length: 100\r\n\r\n{"); err != nil {
				t.Fatal(err)
			}
			// Once it answers another, it has seen this one begin.
			for _, cut := range []bool{false, true} {
				if cut {
					_ = conn.(*net.TCPConn).SetLinger(0)
					conn.Close()
				}
				resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(e.Endpoint)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
			}
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
