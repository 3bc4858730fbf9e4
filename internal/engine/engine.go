package engine

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Kind is one of the engines.
type Kind string

// The engines.
const (
	Dynoxide Kind = "dynoxide"
	Dynalite Kind = "dynalite"
)

// Kinds are all of them.
var Kinds = []Kind{Dynoxide, Dynalite}

// The pinned versions; the Makefile has the same.
const (
	dynoxideVersion = "3.2.0"
	dynaliteVersion = "4.0.0"
)

// What clients of an engine need beside its endpoint; it checks neither.
const (
	Region    = "eu-central-1"
	AccessKey = "local"
	SecretKey = "local"
)

// readyWithin is how long an engine may take to start listening.
const readyWithin = 60 * time.Second

// Engine is a running engine.
type Engine struct {
	Kind Kind
	// Endpoint is its URL, on the loopback interface.
	Endpoint string
}

// process is an engine's process, shared by a test binary.
type process struct {
	once   sync.Once
	engine *Engine
	err    error
	stop   func()
}

var (
	processes = map[Kind]*process{Dynoxide: {}, Dynalite: {}}
	tables    atomic.Int64
)

// Main runs the tests of a binary, ends the engines they started, and returns
// the exit status.
func Main(m *testing.M) int {
	defer Stop()
	return m.Run()
}

// Stop ends the engines of this binary. No test may use one afterwards.
func Stop() {
	for _, p := range processes {
		p.once.Do(func() { p.err = errors.New("the engines were stopped") })
		if p.stop != nil {
			p.stop()
			p.stop = nil
		}
	}
}

// Each runs a test on every engine.
func Each(t *testing.T, test func(t *testing.T, e *Engine)) {
	for _, kind := range Kinds {
		t.Run(string(kind), func(t *testing.T) { test(t, Need(t, kind)) })
	}
}

// Need returns a running engine, and starts it if it is the first to ask. Without
// one the test is skipped; with CI=true it fails.
func Need(t testing.TB, kind Kind) *Engine {
	t.Helper()
	p := processes[kind]
	p.once.Do(func() { p.engine, p.stop, p.err = start(kind) })
	if p.err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no %s: %v", kind, p.err)
		}
		t.Skipf("SKIPPED, there is no %s: %v", kind, p.err)
	}
	return p.engine
}

// Table returns a name for a table that no other test has.
func (e *Engine) Table(t testing.TB) string {
	name := regexp.MustCompile(`[^A-Za-z0-9_.-]+`).ReplaceAllString(t.Name(), "-")
	return fmt.Sprintf("%.200s-%d-%d", name, os.Getpid(), tables.Add(1))
}

// Env is what a child process needs in its environment to be let in.
func (e *Engine) Env() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + AccessKey, "AWS_SECRET_ACCESS_KEY=" + SecretKey, "AWS_REGION=" + Region}
}

// folder is where the Makefile puts an engine.
func folder(name string) (string, error) {
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		cache = filepath.Join(home, ".cache")
	}
	return filepath.Join(cache, "tidegate", name), nil
}

// guarded runs dynalite so that it outlives its clients: by itself it ends when one
// is killed in the middle of a request.
const guarded = `
process.on("uncaughtException", e => { if (e.code !== "ECONNRESET") { console.error(e); process.exit(1) } })
require(process.argv[1])`

// command is what starts an engine on a port.
func command(kind Kind, port int) (*exec.Cmd, error) {
	installed := func(version, file string) (string, error) {
		in, err := folder(string(kind) + "-" + version)
		if err != nil {
			return "", err
		}
		file = filepath.Join(in, file)
		if _, err := os.Stat(file); err != nil {
			return "", fmt.Errorf("%w (make engines installs it)", err)
		}
		return file, nil
	}
	if kind == Dynoxide {
		binary, err := installed(dynoxideVersion, "bin/dynoxide")
		if err != nil {
			return nil, err
		}
		return exec.Command(binary, "serve", "--host", "127.0.0.1", "--port", strconv.Itoa(port), "--log", "quiet"), nil
	}
	script, err := installed(dynaliteVersion, "node_modules/dynalite/cli.js")
	if err != nil {
		return nil, err
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	return exec.Command(node, "-e", guarded, "--", script, "--host", "127.0.0.1", "--port", strconv.Itoa(port),
		"--createTableMs", "0", "--deleteTableMs", "0", "--updateTableMs", "0"), nil
}

// start starts an engine on a free port. Somebody else may take the port first:
// then another is tried.
func start(kind Kind) (*Engine, func(), error) {
	var last error
	for range 5 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		address := listener.Addr().(*net.TCPAddr)
		listener.Close()
		cmd, err := command(kind, address.Port)
		if err != nil {
			return nil, nil, err
		}
		stop, err := run(cmd, address.String())
		if err == nil {
			return &Engine{Kind: kind, Endpoint: "http://" + address.String()}, stop, nil
		}
		last = err
	}
	return nil, nil, last
}

// run starts a process and returns once it listens, with what ends it.
func run(cmd *exec.Cmd, address string) (stop func(), err error) {
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	dieWithParent(cmd)
	started, exited, release := make(chan error, 1), make(chan struct{}), make(chan struct{})
	go startAndHold(cmd, started, release)
	if err := <-started; err != nil {
		close(release)
		return nil, err
	}
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	stop = func() {
		_ = cmd.Process.Kill()
		<-exited
		close(release)
	}
	for deadline := time.Now().Add(readyWithin); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			select {
			case <-exited: // it was another process that answered
			default:
				return stop, nil
			}
		}
		select {
		case <-exited:
			close(release)
			return nil, fmt.Errorf("%s ended: %s", cmd.Path, bytes.TrimSpace(output.Bytes()))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			stop()
			return nil, fmt.Errorf("%s did not listen on %s within %v: %s", cmd.Path, address, readyWithin, bytes.TrimSpace(output.Bytes()))
		}
	}
}
