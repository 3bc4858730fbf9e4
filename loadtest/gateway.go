package loadtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// listening is what a gateway prints before its address.
const listening = "tidegate: listening on http://"

// ownGateway is a gateway that the harness runs as a child: this same program. It
// is safe for concurrent use.
type ownGateway struct {
	// static after startGateway
	program string
	args    []string // of serve, but for --listen

	mu sync.Mutex
	// guarded by mu
	listen  string // the address, once it is known: restarts use it again
	command *exec.Cmd
	exited  chan struct{} // closed when command has ended
	log     tail
	kills   int
	pauses  int
	// used is what processes that were killed said that they had used of the store.
	used StoreUse
}

// startGateway starts a gateway of the given program with the given arguments.
func startGateway(ctx context.Context, program string, args ...string) (*ownGateway, error) {
	g := &ownGateway{program: program, args: args, listen: "127.0.0.1:0"}
	if err := g.start(ctx); err != nil {
		return nil, err
	}
	return g, nil
}

// address is the host and port on which the gateway listens; it never changes.
func (g *ownGateway) address() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.listen
}

// harmed is how often the gateway was killed and paused.
func (g *ownGateway) harmed() (kills, pauses int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.kills, g.pauses
}

const (
	// startWithin is how long a gateway may take until it listens.
	startWithin = 30 * time.Second
	// restartWithin is how long a restart is tried again: the port and the store of
	// a killed predecessor may be refused for a moment.
	restartWithin = 15 * time.Second
	// stopWithin is how long a gateway may take to end when asked.
	stopWithin = 30 * time.Second
)

// start runs the program for the first time and waits until it listens.
func (g *ownGateway) start(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.runLocked(ctx)
}

// restartLocked runs the program again after a kill.
func (g *ownGateway) restartLocked(ctx context.Context) error {
	deadline := time.Now().Add(restartWithin)
	for {
		err := g.runLocked(ctx)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (g *ownGateway) runLocked(ctx context.Context) error {
	cmd := exec.Command(g.program, append([]string{"serve", "--listen", g.listen}, g.args...)...)
	cmd.Env = environment()
	cmd.SysProcAttr = dieWithParent()
	cmd.Stderr = &g.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting a gateway: %w", err)
	}
	exited := make(chan struct{})
	address := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if a, ok := strings.CutPrefix(lines.Text(), listening); ok {
				select {
				case address <- strings.TrimSuffix(a, "/"):
				default:
				}
			}
		}
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		close(exited)
	}()
	select {
	case a := <-address:
		if _, _, err := net.SplitHostPort(a); err != nil {
			endProcess(cmd, exited)
			return fmt.Errorf("the gateway says that it listens on %q: %w", a, err)
		}
		g.listen, g.command, g.exited = a, cmd, exited
		return nil
	case <-exited:
		return fmt.Errorf("the gateway ended at its start (%s):\n%s", cmd.ProcessState, g.log.text())
	case <-time.After(startWithin):
		endProcess(cmd, exited)
		return fmt.Errorf("the gateway did not listen within %s:\n%s", startWithin, g.log.text())
	case <-ctx.Done():
		endProcess(cmd, exited)
		return ctx.Err()
	}
}

// kill ends the gateway as a power cut would, and starts it again on the same
// port and store.
func (g *ownGateway) kill(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.aliveLocked(); err != nil {
		return err
	}
	g.used.add(scrape(g.listen))
	endProcess(g.command, g.exited)
	g.command = nil
	g.kills++
	return g.restartLocked(ctx)
}

// pause stops the gateway's process for some time, as a machine that is suspended
// or starved does, and lets it go on.
func (g *ownGateway) pause(d time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.aliveLocked(); err != nil {
		return err
	}
	if err := suspend(g.command.Process); err != nil {
		return fmt.Errorf("pausing a gateway: %w", err)
	}
	time.Sleep(d) // the pause is the fault
	g.pauses++
	if err := resume(g.command.Process); err != nil {
		return fmt.Errorf("letting a gateway go on: %w", err)
	}
	return nil
}

// use is what the gateway has used of its store, over all its lives.
func (g *ownGateway) use() StoreUse {
	g.mu.Lock()
	defer g.mu.Unlock()
	use := g.used
	if g.command != nil {
		use.add(scrape(g.listen))
	}
	return use
}

// alive returns an error, with the end of its log, if the gateway has ended by
// itself.
func (g *ownGateway) alive() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.aliveLocked()
}

func (g *ownGateway) aliveLocked() error {
	if g.command == nil {
		return errors.New("the gateway does not run")
	}
	select {
	case <-g.exited:
		return fmt.Errorf("the gateway ended by itself (%s):\n%s", g.command.ProcessState, g.log.text())
	default:
		return nil
	}
}

// stop ends the gateway gracefully, and with force if that takes too long.
func (g *ownGateway) stop() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.command == nil {
		return nil
	}
	cmd, exited := g.command, g.exited
	g.command = nil
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-exited:
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			return fmt.Errorf("the gateway ended with %s:\n%s", cmd.ProcessState, g.log.text())
		}
		return nil
	case <-time.After(stopWithin):
		endProcess(cmd, exited)
		return fmt.Errorf("the gateway did not stop within %s of being asked:\n%s", stopWithin, g.log.text())
	}
}

// endProcess kills a child and waits until it is gone.
func endProcess(cmd *exec.Cmd, exited <-chan struct{}) {
	_ = cmd.Process.Kill()
	<-exited
}

// environment is this process's, less what would configure the child behind our
// back.
func environment() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "TIDEGATE_") {
			env = append(env, e)
		}
	}
	return env
}

// tail keeps the last few KiB that were written to it.
type tail struct {
	mu   sync.Mutex
	data []byte
}

const tailBytes = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, p...)
	if n := len(t.data) - tailBytes; n > 0 {
		t.data = append(t.data[:0], t.data[n:]...)
	}
	return len(p), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.data)
}
