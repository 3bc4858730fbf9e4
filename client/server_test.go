package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidegate/tidegate/protocol"
)

// server serves the model gateway to clients with goroutines of their own.
type server struct {
	mu    sync.Mutex
	model *model
	lines []*line
	down  bool
	// onDial is called with every attempt.
	dials int
}

func newServer(t testing.TB) *server {
	g := newModel()
	g.schema = testSchema(t)
	return &server{model: g}
}

// line is one connection to the model.
type line struct {
	server *server
	conn   *modelConn
	more   chan struct{}
	ended  chan struct{}
	err    error // guarded by server.mu
}

func (s *server) dial(context.Context) (Transport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials++
	if s.down {
		return nil, errors.New("no route to the gateway")
	}
	l := &line{server: s, conn: s.model.connect(), more: make(chan struct{}, 1), ended: make(chan struct{})}
	s.lines = append(s.lines, l)
	return l, nil
}

func (l *line) Read(ctx context.Context) ([]byte, error) {
	for {
		l.server.mu.Lock()
		if l.err != nil {
			defer l.server.mu.Unlock()
			return nil, l.err
		}
		if len(l.conn.out) > 0 {
			defer l.server.mu.Unlock()
			message := l.conn.out[0]
			l.conn.out = l.conn.out[1:]
			return message, nil
		}
		l.server.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.ended:
		case <-l.more:
		}
	}
}

func (l *line) Write(_ context.Context, message []byte) error {
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.conn.receive(message)
	for _, other := range l.server.lines {
		signal(other.more)
	}
	return nil
}

func (l *line) Close(protocol.CloseCode, string) error {
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	l.endLocked(io.EOF)
	return nil
}

func (l *line) endLocked(err error) {
	if l.err == nil {
		l.err = err
		l.conn.close()
		close(l.ended)
	}
}

// cut ends all connections; down keeps new ones away.
func (s *server) cut(err error, down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
	for _, l := range s.lines {
		l.endLocked(err)
	}
	s.lines = nil
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// open opens a client of the server that is closed with the test.
func (s *server) open(t testing.TB, store Store, configure ...func(*Options)) *Client {
	t.Helper()
	options := Options{Store: store, Dial: s.dial, Backoff: Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond}}
	for _, f := range configure {
		f(&options)
	}
	c, err := Open(within(t), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestMain(m *testing.M) {
	if store := childStore(); store != "" {
		child(store)
	}
	goleak.VerifyTestMain(m)
}
