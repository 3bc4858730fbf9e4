package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tidegate/tidegate/protocol"
)

// TestSocketFrames writes messages of every length at which the frame's header
// or the way of writing changes, while the library answers pings on the same
// socket, and reads them back with the library: a control frame inside a data
// frame, or a wrong length, would end it.
func TestSocketFrames(t *testing.T) {
	lengths := []int{0, 1, 125, 126, 127, 65535, 65536, gatherBelow - 1, gatherBelow, gatherBelow + 1, 1 << 20}
	var in, out atomic.Uint64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &socket{within: patience, in: &in, out: &out}
		ws, err := websocket.Accept(&socketWriter{w, s}, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.CloseNow()
		var reading sync.WaitGroup
		reading.Go(func() {
			for {
				if _, _, err := ws.Read(context.Background()); err != nil { // answers pings
					return
				}
			}
		})
		for _, n := range lengths {
			for _, cut := range []int{0, n / 3, n} {
				message := pattern(n)
				if err := s.writeMessage(message[:cut], message[cut:]); err != nil {
					t.Errorf("writing %d bytes: %v", n, err)
				}
			}
		}
		reading.Wait()
	}))
	defer server.Close()

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(-1)
	var pings sync.WaitGroup
	for range 4 {
		pings.Go(func() {
			for ctx.Err() == nil {
				if err := ws.Ping(ctx); err != nil {
					return
				}
			}
		})
	}
	for _, n := range lengths {
		for range 3 {
			kind, message, err := ws.Read(ctx)
			if err != nil {
				t.Fatalf("reading %d bytes: %v", n, err)
			}
			if kind != websocket.MessageBinary || !bytes.Equal(message, pattern(n)) {
				t.Fatalf("a message of %d bytes came as another of %d", n, len(message))
			}
		}
	}
	cancel()
	ws.CloseNow()
	pings.Wait()
	server.CloseClientConnections()
	if out.Load() < 1<<20 || in.Load() == 0 {
		t.Errorf("counted %d bytes in, %d out", in.Load(), out.Load())
	}
}

// TestEarlyBytes sends the hello together with the handshake, so that the HTTP
// server has read it before the connection is taken over.
func TestEarlyBytes(t *testing.T) {
	g := start(t, nil)
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	device := newDevice()
	message := protocol.EncodeMessage(&protocol.Hello{Version: protocol.Version, Device: device, Client: strings.Repeat("c", 60)})
	frame := append([]byte{0x82, 0x80 | byte(len(message)), 0, 0, 0, 0}, message...) // masked with zeros
	if len(message) >= 126 {
		t.Fatalf("the hello has %d bytes", len(message))
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: %s\r\n\r\n%s",
		protocol.SyncPath, protocol.Subprotocol, frame)
	conn.SetReadDeadline(time.Now().Add(patience))
	reader := bufio.NewReader(conn)
	answer, err := http.ReadResponse(reader, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake got %v, %v", answer, err)
	}
	head := make([]byte, 2)
	if _, err := io.ReadFull(reader, head); err != nil || head[0] != 0x82 {
		t.Fatalf("the hello got %x, %v", head, err)
	}
}

func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i * 7)
	}
	return p
}

// TestSocketDeadline shows that a peer that takes no bytes costs a write no more
// than its deadline, and that this is told apart from other ends.
func TestSocketDeadline(t *testing.T) {
	ours, theirs := net.Pipe() // nobody reads theirs
	defer theirs.Close()
	var in, out atomic.Uint64
	s := &socket{Conn: ours, within: 20 * time.Millisecond, in: &in, out: &out}
	err := s.writeMessage([]byte("prefix"), []byte("frames"))
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a write that nobody takes ended with %v", err)
	}
	if !s.tooSlow() {
		t.Error("the deadline was not noticed")
	}

	ours, theirs = net.Pipe()
	theirs.Close()
	s = &socket{Conn: ours, within: patience, in: &in, out: &out}
	if err := s.writeMessage(nil, []byte("frames")); err == nil {
		t.Error("a write to a closed connection succeeded")
	}
	if s.tooSlow() {
		t.Error("a closed connection was taken for a slow one")
	}
}
