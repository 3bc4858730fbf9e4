package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/internal/engine"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "tidegate-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "tidegate")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Stderr = os.Stderr
	status := 1
	if err := build.Run(); err == nil {
		status = engine.Main(m)
	}
	os.RemoveAll(dir)
	os.Exit(status)
}

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// environment is what the program runs with: a home of its own, and nothing of
// ours.
func environment(home string, more ...string) []string {
	env := []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	return append(env, more...)
}

// result is how a run of the program ended.
type result struct {
	status         int
	stdout, stderr string
}

// tidegate runs the program in dir until it ends.
func tidegate(t *testing.T, dir string, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Env = dir, environment(dir, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("tidegate %v did not end:\n%s%s", args, stdout.String(), stderr.String())
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// process is a running gateway.
type process struct {
	cmd     *exec.Cmd
	address string
	exited  chan struct{}

	mu     sync.Mutex
	output bytes.Buffer // guarded by mu
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.Write(b)
}

// said is what the gateway has printed and logged.
func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// serve starts a gateway in dir and waits until it listens.
func serve(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	return serveAt(t, dir, "http", env, args...)
}

// serveAt is serve for a gateway that speaks scheme.
func serveAt(t *testing.T, dir, scheme string, env []string, args ...string) *process {
	t.Helper()
	p, err := launch(dir, scheme, env, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.exited
	})
	return p
}

func launch(dir, scheme string, env []string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(binary, args...), exited: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, environment(dir, env...)
	p.cmd.Stderr = p
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	listening := make(chan string, 1)
	go func() {
		defer close(p.exited)
		lines := bufio.NewScanner(io.TeeReader(stdout, p))
		for lines.Scan() {
			if address, found := strings.CutPrefix(lines.Text(), "tidegate: listening on "+scheme+"://"); found {
				listening <- address
			}
		}
		p.cmd.Wait()
	}()
	select {
	case p.address = <-listening:
		return p, nil
	case <-p.exited:
		return nil, fmt.Errorf("the gateway ended at its start:\n%s", p.said())
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.exited
		return nil, fmt.Errorf("the gateway does not listen:\n%s", p.said())
	}
}

// end ends a gateway as an operator does, and returns its exit status.
func (p *process) end(t *testing.T) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(shutdownWithin + patience):
		t.Fatalf("the gateway did not end:\n%s", p.said())
		return -1
	}
}

// write writes a file for a test.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestErrors asks for what cannot be, and shows that the answer says what was
// wrong and what is allowed.
func TestErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // the cases run after this function has returned
	for _, c := range []struct {
		name   string
		files  map[string]string
		env    []string
		args   []string
		status int
		says   []string
	}{
		{"an unknown flag", nil, nil, []string{"serve", "--lisen", "x"}, 2, []string{"--lisen", "--listen", "--help"}},
		{"an unknown flag without a command", nil, nil, []string{"--stroe", "x"}, 2, []string{"--stroe", "--store"}},
		{"an unknown command", nil, nil, []string{"sreve"}, 2, []string{"sreve"}},
		{"an unknown config key", map[string]string{"c.json": `{"listne": "x"}`}, nil, []string{"--config", "c.json"}, 2,
			[]string{"c.json", `"listne"`, "allowed are", "listen", "auth-jwks", "limit-frame-bytes"}},
		{"a config key of another command", map[string]string{"c.json": `{"user": "x"}`}, nil, []string{"--config", "c.json"}, 2, []string{`"user"`, "allowed are"}},
		{"a config value that is no value", map[string]string{"c.json": `{"listen": {"port": 1}}`}, nil, []string{"--config", "c.json"}, 2, []string{`"listen"`, "want a string"}},
		{"a config value that cannot be", map[string]string{"c.json": `{"limit-subscriptions": "many"}`}, nil, []string{"--config", "c.json"}, 2, []string{"limit-subscriptions", "many"}},
		{"a config file that is no JSON", map[string]string{"c.json": `listen: x`}, nil, []string{"--config", "c.json"}, 2, []string{"c.json", "JSON object"}},
		{"two config objects", map[string]string{"c.json": `{}{}`}, nil, []string{"--config", "c.json"}, 2, []string{"c.json", "something follows"}},
		{"a config file that is not there", nil, nil, []string{"--config", "none.json"}, 2, []string{"none.json", "no such file"}},
		{"a size that is none", nil, nil, []string{"--limit-frame-bytes", "banana"}, 2, []string{"limit-frame-bytes", "banana", "300KiB"}},
		{"a mutation larger than a message", nil, nil, []string{"--limit-frame-bytes", "64KiB"}, 2, []string{"limit-mutation-bytes", "128KiB", "64KiB"}},
		{"a field larger than its record", nil, nil, []string{"--limit-record-bytes", "64KiB"}, 2, []string{"limit-field-bytes", "64KiB"}},
		{"no connections at all", nil, nil, []string{"--limit-connections", "0"}, 2, []string{"limit-connections"}},
		{"a horizon too near", nil, nil, []string{"--limit-horizon", "1m"}, 2, []string{"limit-horizon", "2h"}},
		{"an environment variable that cannot be", nil, []string{"TIDEGATE_LIMIT_SUBSCRIPTIONS=many"}, nil, 2, []string{"limit-subscriptions", "many"}},
		{"a log format that is none", nil, nil, []string{"--log-format", "xml"}, 2, []string{"log-format", "text", "json"}},

		{"a port in use", nil, nil, []string{"--store", "memory:", "--listen", taken.Addr().String()}, 1, []string{taken.Addr().String(), "in use", "--listen"}},
		{"an address that is none", nil, nil, []string{"--store", "memory:", "--listen", "nowhere"}, 2, []string{"nowhere"}},
		{"everybody, without authentication", nil, nil, []string{"--store", "memory:", "--listen", "0.0.0.0:0"}, 2, []string{"refusing", "0.0.0.0:0", "without authentication"}},
		{"everybody, by leaving the host out", nil, nil, []string{"--store", "memory:", "--listen", ":0"}, 2, []string{"refusing", "without authentication"}},

		{"a store of no kind", nil, nil, []string{"--listen", "127.0.0.1:0", "--store", "tidegate.db"}, 2, []string{"tidegate.db", "file:PATH", "memory:"}},
		{"a store in no directory", nil, nil, []string{"--listen", "127.0.0.1:0", "--store", "file:no/where.db"}, 1, []string{"no/where.db", "directory"}},
		{"a store that is something else", map[string]string{"s.db": strings.Repeat("not a store\n", 9999)}, nil, []string{"--listen", "127.0.0.1:0", "--store", "file:s.db"}, 1, []string{"s.db", "not a Tidegate store"}},
		{"a store that is a directory", map[string]string{"s.db/x": ""}, nil, []string{"--listen", "127.0.0.1:0", "--store", "file:s.db"}, 1, []string{"s.db"}},

		{"a schema that is not there", nil, nil, []string{"--listen", "127.0.0.1:0", "--store", "memory:", "--schema", "none"}, 1, []string{"none", "no such file"}},
		{"a schema with an unknown policy", map[string]string{"schema/tasks.json": `{"properties": {"n": {"x-merge": "newest"}}}`}, nil,
			[]string{"--listen", "127.0.0.1:0", "--store", "memory:", "--schema", "schema"}, 1, []string{"tasks.json", "newest", "lww", "counter"}},
		{"a policy that does not fit the type", map[string]string{"schema/tasks.json": `{"properties": {"n": {"type": "string", "x-merge": "counter"}}}`}, nil,
			[]string{"schema", "check", "schema"}, 1, []string{"tasks.json", "counter", "n"}},
		{"a schema that is no JSON", map[string]string{"tasks.json": `{`}, nil, []string{"schema", "check", "tasks.json"}, 1, []string{"tasks.json"}},

		{"an audience without keys", nil, nil, []string{"--auth-audience", "x"}, 2, []string{"--auth-secret-file", "--auth-jwks"}},
		{"a secret that is too short", map[string]string{"secret": "hunter2"}, nil, []string{"--auth-secret-file", "secret"}, 1, []string{"secret", "32"}},
		{"a secret that is not there", nil, nil, []string{"--auth-secret-file", "secret"}, 1, []string{"secret", "no such file"}},
		{"a key set without an audience", nil, nil, []string{"--auth-jwks", "https://id.example.com/jwks.json"}, 2, []string{"audience"}},
		{"both ways to check tokens", map[string]string{"secret": strings.Repeat("s", 40)}, nil,
			[]string{"--auth-secret-file", "secret", "--auth-jwks", "https://id.example.com/jwks.json"}, 2, []string{"choose one"}},
		{"half of TLS", nil, nil, []string{"--tls-cert", "c.pem"}, 2, []string{"--tls-cert", "--tls-key"}},
		{"a certificate that is not there", nil, nil, []string{"--tls-cert", "c.pem", "--tls-key", "k.pem"}, 1, []string{"c.pem"}},
		{"an origin that is none", nil, nil, []string{"--listen", "127.0.0.1:0", "--store", "memory:", "--allow-origin", "example.com"}, 2, []string{"example.com", "https://app.example.com"}},

		{"a token for nobody", nil, nil, []string{"token", "--space", "*=read"}, 2, []string{"--user"}},
		{"a token for nothing", nil, nil, []string{"token", "--user", "ada"}, 2, []string{"--space"}},
		{"a token to do what cannot be done", nil, nil, []string{"token", "--user", "ada", "--space", "board=own"}, 2, []string{"board=own", "board=read", "board=write"}},
		{"a token that has ended already", nil, nil, []string{"token", "--user", "ada", "--space", "board=read", "--ttl", "0.5s"}, 2, []string{"expired"}},
		{"the log of no store", nil, nil, []string{"log", "--space", "board"}, 1, []string{"tidegate.db", "no such file"}},
		{"a load test of nothing", nil, nil, []string{"loadtest", "edit"}, 2, []string{"--self", "--url"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, content := range c.files {
				write(t, dir, name, content)
			}
			r := tidegate(t, dir, c.env, c.args...)
			if r.status != c.status {
				t.Errorf("exit status %d, want %d", r.status, c.status)
			}
			for _, want := range c.says {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if strings.Contains(r.stderr, "goroutine ") || strings.Count(r.stderr, "\n") > 12 {
				t.Error("that is no message for people")
			}
			if t.Failed() {
				t.Logf("tidegate %s\n%s%s", strings.Join(c.args, " "), r.stdout, r.stderr)
			}
		})
	}
}

// TestHelp shows that help teaches by example.
func TestHelp(t *testing.T) {
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"--help"}, []string{"Examples:", "tidegate token --user", "schema check", "loadtest", "Exit status"}},
		{[]string{"serve", "--help"}, []string{"development mode", "--auth-jwks", "$TIDEGATE_LISTEN", "127.0.0.1:8787", "1MiB", "tidegate --config"}},
		{[]string{"token", "--help"}, []string{"--ttl", "tidegate token --user ada"}},
		{[]string{"schema", "check", "--help"}, []string{"x-merge", "lww", "counter"}},
		{[]string{"export", "--help"}, []string{"--store", "tidegate import", "goes on where it stopped"}},
		{[]string{"import", "--help"}, []string{"--check", "dynamodb://", "another history"}},
		{[]string{"loadtest", "--help"}, []string{"replay", "edit"}},
		{[]string{"version"}, []string{"tidegate ", "protocol 1", "go1."}},
	} {
		r := tidegate(t, t.TempDir(), nil, c.args...)
		if r.status != 0 {
			t.Errorf("tidegate %v: exit status %d\n%s", c.args, r.status, r.stderr)
		}
		for _, want := range c.says {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("tidegate %v does not say %q:\n%s", c.args, want, r.stdout)
			}
		}
	}
}

// TestSchemaCheck shows that a schema is explained field by field.
func TestSchemaCheck(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "schema/tasks.json", `{"type": "object", "properties": {"title": {"type": "string"}, "votes": {"type": "integer", "x-merge": "counter"}}}`)
	for _, path := range []string{"schema", "schema/tasks.json"} {
		r := tidegate(t, dir, nil, "schema", "check", path)
		if r.status != 0 || !strings.Contains(r.stdout, "title") || !strings.Contains(r.stdout, "votes") {
			t.Errorf("schema check %s: exit status %d\n%s%s", path, r.status, r.stdout, r.stderr)
		}
	}
}

// TestStart shows that nothing needs to be configured, that the port can be
// learnt, and that a signal ends it in order.
func TestStart(t *testing.T) {
	dir := t.TempDir()
	g := serve(t, dir, []string{"TIDEGATE_LISTEN=127.0.0.1:0"})
	waitSaid(t, g, "development mode")
	waitSaid(t, g, "tidegate token --user")
	if _, err := os.Stat(filepath.Join(dir, "tidegate.db")); err != nil {
		t.Error(err)
	}

	// The file is taken now.
	r := tidegate(t, dir, nil, "--listen", "127.0.0.1:0")
	if r.status != 1 || !strings.Contains(r.stderr, "in use") || !strings.Contains(r.stderr, "tidegate.db") {
		t.Errorf("a second gateway on the file: exit status %d\n%s", r.status, r.stderr)
	}
	if status := g.end(t); status != 0 {
		t.Errorf("exit status %d\n%s", status, g.said())
	}
}

// TestPrecedence shows that the command line wins over the environment, and that
// over the file.
func TestPrecedence(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "c.json", `{"listen": "127.0.0.1:0", "store": "memory:", "log-level": "error", "limit-subscriptions": 7, "allow-origin": ["https://a.example", "https://b.example"]}`)
	g := serve(t, dir, nil, "--config", file, "--log-level", "info")
	waitSaid(t, g, "level=INFO")
	waitSaid(t, g, "store=memory:")
	g = serve(t, dir, []string{"TIDEGATE_CONFIG=" + file, "TIDEGATE_LOG_FORMAT=json", "TIDEGATE_LOG_LEVEL=info"})
	waitSaid(t, g, `"msg":"listening"`)
}

// waitSaid waits until a gateway has said something.
func waitSaid(t *testing.T, g *process, what string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(g.said(), what); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not say %q:\n%s", what, g.said())
		}
	}
}

// TestToken mints tokens for a gateway in development mode and for one with a
// secret, and connects with them.
func TestToken(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags []string
	}{
		{"development", nil},
		{"secret", []string{"--auth-secret-file", "secret"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "secret", strings.Repeat("s", 32)+"\n")
			g := serve(t, dir, nil, append([]string{"--listen", "127.0.0.1:0", "--store", "memory:"}, c.flags...)...)
			r := tidegate(t, dir, nil, append([]string{"token", "--user", "ada", "--space", "board-*=write"}, c.flags...)...)
			if r.status != 0 {
				t.Fatalf("exit status %d\n%s", r.status, r.stderr)
			}
			minted := strings.TrimSpace(r.stdout)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			device, err := client.Open(ctx, client.Options{
				URL: "http://" + g.address, Store: client.MemoryStore(),
				Token: func(context.Context) (string, error) { return minted, nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer device.Close()
			w, err := device.Space("board-1", client.SpaceOptions{}).Collection("cards").Create(ctx, client.NewID(), map[string]any{"title": "x"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Durable(ctx); err != nil {
				t.Fatal(err)
			}
			if user := device.Status().User; user != "ada" {
				t.Errorf("connected as %q", user)
			}
			if strings.Contains(g.said(), minted) {
				t.Error("the gateway logged the token")
			}
		})
	}
}

// TestLog shows the history of a space.
func TestLog(t *testing.T) {
	dir := t.TempDir()
	g := serve(t, dir, nil, "--listen", "127.0.0.1:0")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	device, err := client.Open(ctx, client.Options{URL: "http://" + g.address, Store: client.MemoryStore()})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	w, err := device.Space("board", client.SpaceOptions{}).Collection("cards").Create(ctx, "c1", map[string]any{"title": "Buy milk"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Durable(ctx); err != nil {
		t.Fatal(err)
	}
	if status := g.end(t); status != 0 {
		t.Fatalf("exit status %d\n%s", status, g.said())
	}
	r := tidegate(t, dir, nil, "log", "--space", "board")
	for _, want := range []string{"1  ", "dev", "applied", "created cards/c1", `title = "Buy milk"`} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the log does not say %q:\n%s%s", want, r.stdout, r.stderr)
		}
	}
	if r := tidegate(t, dir, nil, "log", "--space", "other"); r.status != 1 || !strings.Contains(r.stderr, "no space") {
		t.Errorf("the log of another space: exit status %d\n%s", r.status, r.stderr)
	}
}
