package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/coder/websocket"

	"github.com/tidegate/tidegate/protocol"
)

// Transport carries messages to and from a gateway. Read and Write are each
// called from one goroutine, Close from any.
type Transport interface {
	// Read returns the next message. When the peer closed with a code, the error is
	// (or wraps) a *CloseError.
	Read(ctx context.Context) ([]byte, error)
	// Write sends one message.
	Write(ctx context.Context, message []byte) error
	// Close ends the connection and makes Read and Write return. It does not wait
	// for the peer.
	Close(code protocol.CloseCode, reason string) error
}

// CloseError is how a peer closed the connection.
type CloseError struct {
	Code   protocol.CloseCode
	Reason string
}

// Error returns the code and the reason.
func (e *CloseError) Error() string {
	return fmt.Sprintf("the gateway closed the connection: %d %s", e.Code, e.Reason)
}

// webSocketDialer returns the default Dial.
func webSocketDialer(address string) (func(context.Context) (Transport, error), error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the gateway's URL: %w", err)
	}
	switch u.Scheme {
	case "ws", "wss", "http", "https":
	default:
		return nil, fmt.Errorf("the gateway's URL %q: want ws://, wss://, http:// or https://", address)
	}
	if u.Host == "" {
		return nil, fmt.Errorf("the gateway's URL %q names no host", address)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = protocol.SyncPath
	}
	return func(ctx context.Context) (Transport, error) {
		conn, _, err := websocket.Dial(ctx, u.String(), &websocket.DialOptions{
			Subprotocols:    []string{protocol.Subprotocol},
			CompressionMode: websocket.CompressionDisabled,
		})
		if err != nil {
			return nil, err
		}
		if conn.Subprotocol() != protocol.Subprotocol {
			conn.CloseNow()
			return nil, fmt.Errorf("the server at %s does not speak %s", u.Host, protocol.Subprotocol)
		}
		// What the server may send is bounded by the window; a single message of a
		// snapshot or a commit by the store's item limit, far below this.
		conn.SetReadLimit(maxMessage)
		return webSocket{conn}, nil
	}, nil
}

// maxMessage bounds one message from the gateway.
const maxMessage = 16 << 20

type webSocket struct{ conn *websocket.Conn }

func (w webSocket) Read(ctx context.Context) ([]byte, error) {
	_, message, err := w.conn.Read(ctx)
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		return nil, &CloseError{Code: protocol.CloseCode(closed.Code), Reason: closed.Reason}
	}
	return message, err
}

func (w webSocket) Write(ctx context.Context, message []byte) error {
	return w.conn.Write(ctx, websocket.MessageBinary, message)
}

func (w webSocket) Close(code protocol.CloseCode, reason string) error {
	// A close handshake would wait for the peer; the session's state is in the
	// cursors, so a cut connection loses nothing.
	return w.conn.CloseNow()
}
