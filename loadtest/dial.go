package loadtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"

	"github.com/coder/websocket"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/protocol"
)

// dialer makes the connections of one device: through the watch, each to the next
// of the gateways, and not at all while the device is offline.
type dialer struct {
	// static
	urls  []string
	watch *watch

	mu sync.Mutex
	// guarded by mu
	next    int // of urls
	offline bool
	open    map[*watchedTransport]struct{}
}

// newDialer returns the dialer of a device that connects to the first-th gateway
// first.
func newDialer(gateways []string, first int, w *watch) (*dialer, error) {
	d := &dialer{watch: w, next: first, open: map[*watchedTransport]struct{}{}}
	for _, gateway := range gateways {
		u, err := url.Parse(gateway)
		if err != nil {
			return nil, fmt.Errorf("the gateway's address: %w", err)
		}
		if u.Path == "" || u.Path == "/" {
			u.Path = protocol.SyncPath
		}
		d.urls = append(d.urls, u.String())
	}
	return d, nil
}

// gateway is where to connect now.
func (d *dialer) gateway() (url string, offline bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	url = d.urls[d.next%len(d.urls)]
	d.next++
	return url, d.offline
}

// maxMessage bounds one message of the gateway.
const maxMessage = 64 << 20

var errOffline = errors.New("the device is offline")

// dial is a client.Options.Dial.
func (d *dialer) dial(ctx context.Context) (client.Transport, error) {
	gateway, offline := d.gateway()
	if offline {
		return nil, errOffline
	}
	conn, response, err := websocket.Dial(ctx, gateway, &websocket.DialOptions{
		Subprotocols:    []string{protocol.Subprotocol},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, err
	}
	if response != nil && response.Body != nil {
		response.Body.Close()
	}
	conn.SetReadLimit(maxMessage)
	t := &watchedTransport{conn: conn, seen: d.watch.connected(), dialer: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.offline {
		conn.CloseNow()
		return nil, errOffline
	}
	d.open[t] = struct{}{}
	return t, nil
}

func (d *dialer) isOffline() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.offline
}

// setOffline takes the device off the network, or puts it back.
func (d *dialer) setOffline(offline bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offline = offline
	if offline {
		for t := range d.open {
			t.conn.CloseNow()
		}
	}
}

// watchedTransport is one connection of a device.
type watchedTransport struct {
	conn   *websocket.Conn
	seen   *watchedConn
	dialer *dialer
}

var errWithheld = errors.New("the connection was cut before a verdict")

// Read returns the next message, unless that one is to be lost; then it cuts the
// connection.
func (t *watchedTransport) Read(ctx context.Context) ([]byte, error) {
	_, msg, err := t.conn.Read(ctx)
	if err != nil {
		var closed websocket.CloseError
		if errors.As(err, &closed) {
			return nil, &client.CloseError{Code: protocol.CloseCode(closed.Code), Reason: closed.Reason}
		}
		return nil, err
	}
	switch t.seen.received(msg) {
	case cut:
		t.conn.CloseNow()
		return nil, errWithheld
	case vanish:
		return t.Read(ctx)
	}
	return msg, nil
}

// Write sends a message.
func (t *watchedTransport) Write(ctx context.Context, msg []byte) error {
	t.seen.sent(msg)
	return t.conn.Write(ctx, websocket.MessageBinary, msg)
}

// Close ends the connection.
func (t *watchedTransport) Close(protocol.CloseCode, string) error {
	t.dialer.mu.Lock()
	delete(t.dialer.open, t)
	t.dialer.mu.Unlock()
	return t.conn.CloseNow()
}
