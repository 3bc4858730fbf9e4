package cluster_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/cluster/clustertest"
)

// secret is what the gateways of tests share.
var secret = bytes.Repeat([]byte("s"), cluster.MinSecretBytes)

func TestExchange(t *testing.T) {
	clustertest.Run(t, func(*testing.T) clustertest.Fleet {
		var exchange cluster.Exchange
		var last *cluster.Node
		return clustertest.Fleet{
			Join: func(*testing.T) cluster.Bus {
				last = exchange.Join()
				return last
			},
			Cut: func(*testing.T) func() {
				node := last
				node.Cut(true)
				return func() { node.Cut(false) }
			},
		}
	})
}

// embed starts a gateway's end, and ends it with the test.
func embed(t *testing.T, opt cluster.EmbedOptions) *cluster.Embedded {
	t.Helper()
	if opt.Listen == "" {
		opt.Listen = "127.0.0.1:0"
	}
	bus, err := cluster.Embed(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bus.Close() })
	return bus
}

func TestEmbedded(t *testing.T) {
	clustertest.Run(t, func(t *testing.T) clustertest.Fleet {
		var first *cluster.Embedded
		var between *link
		n := 0
		return clustertest.Fleet{
			Join: func(t *testing.T) cluster.Bus {
				n++
				opt := cluster.EmbedOptions{Name: fmt.Sprint("gateway ", n), Secret: secret}
				if first != nil {
					between = newLink(t, first.Address().String())
					opt.Peers = []string{between.address()}
				}
				bus := embed(t, opt)
				if first == nil {
					first = bus
				}
				return bus
			},
			Cut: func(*testing.T) func() { return between.cut() },
		}
	})
}

// natsServer starts a NATS server as an operator would run one.
func natsServer(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	opt := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true}
	if change != nil {
		change(opt)
	}
	s, err := server.NewServer(opt)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func TestExternal(t *testing.T) {
	clustertest.Run(t, func(t *testing.T) clustertest.Fleet {
		s := natsServer(t, nil)
		var between *link
		return clustertest.Fleet{
			Join: func(t *testing.T) cluster.Bus {
				between = newLink(t, s.Addr().String())
				bus, err := cluster.Dial(cluster.DialOptions{Name: "gateway", Servers: []string{"nats://" + between.address()}})
				if err != nil {
					t.Fatal(err)
				}
				return bus
			},
			Cut: func(*testing.T) func() { return between.cut() },
		}
	})
}

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// await waits for what nobody announces.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for !is() {
		select {
		case <-again.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// hears waits until to hears from.
func hears(t *testing.T, to, from cluster.Bus) {
	t.Helper()
	heard := make(chan struct{})
	var once sync.Once
	cancel, err := to.Subscribe("test", func([]byte) { once.Do(func() { close(heard) }) })
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	await(t, "one gateway hears the other", func() bool {
		from.Publish("test", nil)
		select {
		case <-heard:
			return true
		default:
			return false
		}
	})
}

// link passes connections on to an address, until it is cut.
type link struct {
	to       string
	listener net.Listener
	passing  sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]struct{} // guarded by mu; nil while cut
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{to: to, listener: listener, open: map[net.Conn]struct{}{}}
	l.passing.Go(l.accept)
	t.Cleanup(func() {
		listener.Close()
		l.cut()
		l.passing.Wait()
	})
	return l
}

func (l *link) address() string { return l.listener.Addr().String() }

func (l *link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.to)
		if err != nil {
			near.Close()
			continue
		}
		l.mu.Lock()
		cut := l.open == nil
		if !cut {
			l.open[near], l.open[far] = struct{}{}, struct{}{}
		}
		l.mu.Unlock()
		if cut {
			near.Close()
			far.Close()
			continue
		}
		for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
			l.passing.Go(func() {
				io.Copy(pair[1], pair[0])
				near.Close()
				far.Close()
			})
		}
	}
}

// cut ends all connections, and refuses others until heal is called.
func (l *link) cut() (heal func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.open {
		conn.Close()
	}
	l.open = nil
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.open = map[net.Conn]struct{}{}
	}
}

// journal is a log that tests can look into.
type journal struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) WithAttrs([]slog.Attr) slog.Handler       { return j }
func (j *journal) WithGroup(string) slog.Handler            { return j }
func (j *journal) Handle(_ context.Context, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	j.lines = append(j.lines, line)
	return nil
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.lines...)
}
