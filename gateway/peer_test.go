package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tidegate/tidegate/access"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// testSecret signs the tokens of tests.
var testSecret = must(access.NewSecret(bytes.Repeat([]byte("s"), access.MinSecretBytes)))

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// running is a gateway under test.
type running struct {
	*Server
	address string
}

// start starts a gateway on a free port with a store in memory, and ends it with
// the test. change may change the configuration.
func start(t testing.TB, change func(*Config)) *running {
	t.Helper()
	cfg := Config{
		Store:       new(space.Memory),
		Exclusive:   true,
		Verifier:    must(access.NewDevelopment(testSecret, nil)),
		DrainWithin: time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	server, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil && !errors.Is(err, errShutdown) {
			t.Errorf("shutting down: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serving: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return &running{server, listener.Addr().String()}
}

// token mints a token.
func token(t *testing.T, user string, spaces ...access.SpaceGrant) string {
	t.Helper()
	if len(spaces) == 0 {
		spaces = []access.SpaceGrant{{Pattern: "*", Write: true}}
	}
	minted, err := access.Mint(testSecret, access.MintOptions{User: user, Spaces: spaces})
	if err != nil {
		t.Fatal(err)
	}
	return minted
}

// peer is the other side of a connection: it sends what a test wants, right or
// wrong.
type peer struct {
	t      testing.TB
	ws     *websocket.Conn
	device protocol.DeviceID
	names  map[protocol.Handle]*protocol.NameTable
	frames []protocol.Frame // received and not yet taken
	// counters and hashes, by handle, of what was pushed.
	counter  map[protocol.Handle]uint64
	hash     map[protocol.Handle]protocol.Hash
	received uint64
}

// dial opens a WebSocket and says nothing on it.
func dial(t testing.TB, g *running) *peer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+g.address+protocol.SyncPath,
		&websocket.DialOptions{Subprotocols: []string{protocol.Subprotocol}})
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(-1)
	t.Cleanup(func() { ws.CloseNow() })
	p := &peer{
		t: t, ws: ws, device: newDevice(),
		names:   map[protocol.Handle]*protocol.NameTable{},
		counter: map[protocol.Handle]uint64{},
		hash:    map[protocol.Handle]protocol.Hash{},
	}
	return p
}

// connect opens a WebSocket and says hello.
func connect(t testing.TB, g *running, token string) *peer {
	t.Helper()
	p := dial(t, g)
	p.send(p.hello(token))
	await[*protocol.Welcome](p)
	return p
}

func newDevice() (id protocol.DeviceID) {
	rand.Read(id[:])
	return id
}

func (p *peer) hello(token string) *protocol.Hello {
	return &protocol.Hello{Version: protocol.Version, Token: token, Device: p.device, Client: "test"}
}

func (p *peer) send(frames ...protocol.Frame) {
	p.t.Helper()
	p.raw(protocol.EncodeMessage(frames...))
}

func (p *peer) raw(message []byte) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.ws.Write(ctx, websocket.MessageBinary, message); err != nil {
		p.t.Logf("writing: %v", err) // what matters is how it was closed
	}
}

// subscribe opens a space.
func (p *peer) subscribe(handle protocol.Handle, name string) *protocol.Subscribed {
	p.t.Helper()
	p.send(&protocol.Subscribe{Handle: handle, Space: name, Device: p.device, Presence: true})
	return await[*protocol.Subscribed](p)
}

// push pushes one mutation and returns its counter.
func (p *peer) push(handle protocol.Handle, base uint64, ops ...protocol.Op) uint64 {
	p.t.Helper()
	body := protocol.AppendMutation(nil, &protocol.Mutation{
		Base: base, EditTime: protocol.Time(time.Now().UnixMilli()), Ops: ops,
	})
	p.counter[handle]++
	p.send(&protocol.Push{Handle: handle, First: p.counter[handle], Previous: p.hash[handle], Bodies: [][]byte{body}})
	p.hash[handle] = p.hash[handle].Next(body)
	return p.counter[handle]
}

// verdict waits for the verdict of a mutation.
func (p *peer) verdict(handle protocol.Handle, counter uint64) protocol.Verdict {
	p.t.Helper()
	for {
		verdicts := await[*protocol.Verdicts](p)
		for _, v := range verdicts.List {
			if verdicts.Handle == handle && v.Counter == counter {
				return v
			}
		}
	}
}

// verdictAndCommit waits for the verdict of a mutation and for a commit: they
// travel in lanes of their own, so either may come first.
func (p *peer) verdictAndCommit(handle protocol.Handle, counter uint64) (verdict protocol.Verdict, header *protocol.CommitHeader) {
	p.t.Helper()
	for judged := false; !judged || header == nil; {
		frame, err := p.next()
		if err != nil {
			p.t.Fatalf("waiting for a verdict and a commit: %v", err)
		}
		switch frame := frame.(type) {
		case *protocol.CommitHeader:
			header = frame
		case *protocol.Verdicts:
			for _, v := range frame.List {
				if frame.Handle == handle && v.Counter == counter {
					verdict, judged = v, true
				}
			}
		}
	}
	return verdict, header
}

// create is an op that makes a record.
func create(collection, id, field string, value any) protocol.Op {
	return protocol.Op{Kind: protocol.OpCreate, Collection: collection, ID: id,
		Fields: []protocol.FieldValue{{Field: field, Value: protocol.MustValue(value)}}}
}

// closedError is what next returns once the connection is closed.
type closedError struct {
	code   protocol.CloseCode
	reason string
}

func (e *closedError) Error() string { return fmt.Sprintf("closed with %d: %s", e.code, e.reason) }

// next returns the next frame. Deliveries are acknowledged as received.
func (p *peer) next() (protocol.Frame, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for len(p.frames) == 0 {
		_, message, err := p.ws.Read(ctx)
		if err != nil {
			var closed websocket.CloseError
			if errors.As(err, &closed) {
				return nil, &closedError{protocol.CloseCode(closed.Code), closed.Reason}
			}
			return nil, err
		}
		frames, err := protocol.DecodeMessage(message, func(h protocol.Handle) *protocol.NameTable {
			if p.names[h] == nil {
				p.names[h] = protocol.NewNameTable()
			}
			return p.names[h]
		})
		if err != nil {
			return nil, fmt.Errorf("the gateway sent what cannot be decoded: %w", err)
		}
		for _, frame := range frames {
			if _, delivery := frame.(*protocol.In); delivery {
				p.received += uint64(len(message))
				break
			}
		}
		p.frames = frames
	}
	frame := p.frames[0]
	p.frames = p.frames[1:]
	return frame, nil
}

// await returns the next frame of a type, passing over others.
func await[F protocol.Frame](p *peer) F {
	p.t.Helper()
	var passed []string
	for {
		frame, err := p.next()
		if err != nil {
			var want F
			p.t.Fatalf("waiting for a %v frame: %v (passed over %s)", want.Type(), err, strings.Join(passed, ", "))
		}
		if wanted, is := frame.(F); is {
			return wanted
		}
		passed = append(passed, fmt.Sprintf("%v %+v", frame.Type(), frame))
	}
}

// awaitClose returns how the gateway closes the connection, and the error frame
// it sent before, if any.
func awaitClose(p *peer) (*closedError, *protocol.ErrorFrame) {
	p.t.Helper()
	var told *protocol.ErrorFrame
	for {
		frame, err := p.next()
		var closed *closedError
		if errors.As(err, &closed) {
			return closed, told
		}
		if err != nil {
			p.t.Fatalf("waiting for the connection to be closed: %v", err)
		}
		if e, is := frame.(*protocol.ErrorFrame); is {
			told = e
		}
	}
}
