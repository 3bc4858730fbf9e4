package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tidegate/tidegate/compress"
	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// Options configure a client. URL (or Dial) and Store are needed; everything
// else has a default.
type Options struct {
	// URL of the gateway: ws, wss, http or https.
	URL string
	// Token returns an access token. It is called before every connection and
	// before the token in use expires; it may ask the user. Nil sends none, which a
	// gateway accepts in development mode only. While it fails the client stays
	// offline and tries again.
	Token func(ctx context.Context) (string, error)
	// Store keeps the client's state; see FileStore and MemoryStore. The client
	// owns it from Open on, also if Open fails, and closes it.
	Store Store
	// Schema, if the app has it, lets edits be checked and completed before they
	// are made: nested objects are flattened into their fields, a set of one
	// member of an x-merge-group carries the others along.
	Schema *merge.Schema
	// Dial replaces the WebSocket connection, for tests and other transports.
	Dial func(ctx context.Context) (Transport, error)
	// Now replaces time.Now. It is used for edit times and timers' deadlines, and
	// decides neither order nor outcome.
	Now func() time.Time
	// Logger gets what an operator of a backend would want to know. Nil discards.
	Logger *slog.Logger
	// Backoff bounds the wait before a connection is tried again: between 0 and a
	// limit that starts at Min (250 ms) and doubles up to Max (30 s).
	Backoff Backoff
	// Window is how many bytes the gateway may send ahead of what the client has
	// taken (1 MiB).
	Window int
	// Faults plants bugs, for tests of tests. Leave it zero.
	Faults Faults
}

// Backoff bounds the wait between attempts to connect.
type Backoff struct {
	Min, Max time.Duration
}

// ErrClosed answers calls on a client after Close.
var ErrClosed = errors.New("the client is closed")

// ErrStore is wrapped by the errors of a client whose store failed to write. The
// client has stopped; what the store holds is consistent, and opening it again
// continues from there.
var ErrStore = errors.New("the client's store failed")

// Client is an app's durable, always writable copy of the spaces it opens, and
// one connection to a gateway that keeps it in sync. It is safe for concurrent
// use.
type Client struct {
	// Static after Open.
	options Options
	logger  *slog.Logger
	cancel  context.CancelFunc
	running sync.WaitGroup
	wake    chan struct{} // cap 1: the timer must be set anew
	persist chan Batch    // cap 1: the core has one batch in flight at most
	dial    chan bool     // cap 1: connect now; true asks for a fresh token
	refresh chan struct{} // cap 1: fetch a token for the live connection

	mu sync.Mutex
	// Guarded by mu.
	core     *Core
	spaces   map[string]*Space
	waits    map[uint64]*Write // mutations of this run by ref, until settled
	fetches  map[protocol.BlobID][]chan protocol.Value
	socket   *socket       // nil while offline
	wakeAt   protocol.Time // 0 for never
	failed   error         // why the client stopped; nil while it runs
	stats    Stats         // what the shell counts
	statuses map[*watcher[Status]]struct{}
}

// unpacker is shared by all clients of the process: its coders are expensive and
// safe for concurrent use.
var unpacker = sync.OnceValue(func() *compress.Codec {
	codec, err := compress.New()
	if err != nil {
		panic("client: a codec without dictionaries cannot fail: " + err.Error())
	}
	return codec
})

// Open loads the store and starts to connect. It does not wait for a connection:
// everything works offline. The context bounds Open alone.
func Open(ctx context.Context, options Options) (*Client, error) {
	if options.Store == nil {
		return nil, errors.New("open client: no store given (see FileStore and MemoryStore)")
	}
	if options.Dial == nil {
		dial, err := webSocketDialer(options.URL)
		if err != nil {
			options.Store.Close()
			return nil, fmt.Errorf("open client: %w", err)
		}
		options.Dial = dial
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	logger := options.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	config := Config{
		Window:  uint64(max(options.Window, 0)),
		Client:  "tidegate-go",
		Backoff: options.Backoff,
		Faults:  options.Faults,
	}
	rand.Read(config.Seed[:]) // never fails: see crypto/rand
	config.Compression = unpacker().Names()
	config.Decompress = func(dictionary uint32, data []byte) ([]byte, error) {
		return unpacker().Decode(nil, data, maxMessage)
	}
	if options.Schema != nil {
		config.SchemaVersion = options.Schema.Ref().Version
	}
	core := NewCore(config)
	err := options.Store.Load(func(key, value []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return core.Load(key, value)
	})
	if err != nil {
		options.Store.Close()
		return nil, fmt.Errorf("open client: %w", err)
	}
	if err := core.Start(protocol.Time(options.Now().UnixMilli())); err != nil {
		options.Store.Close()
		return nil, fmt.Errorf("open client: %w", err)
	}
	running, cancel := context.WithCancel(context.Background())
	c := &Client{
		options:  options,
		logger:   logger,
		cancel:   cancel,
		wake:     make(chan struct{}, 1),
		persist:  make(chan Batch, 1),
		dial:     make(chan bool, 1),
		refresh:  make(chan struct{}, 1),
		core:     core,
		spaces:   map[string]*Space{},
		waits:    map[uint64]*Write{},
		fetches:  map[protocol.BlobID][]chan protocol.Value{},
		statuses: map[*watcher[Status]]struct{}{},
	}
	c.mu.Lock()
	c.pumpLocked()
	c.mu.Unlock()
	c.start(running)
	return c, nil
}

// SpaceOptions say what the app wants of a space.
type SpaceOptions struct {
	// Collections restricts what is synced; empty for everything. Taking fewer
	// than last time forgets the others, taking more fetches them.
	Collections []string
	// Priority orders this space against the others of the client, in both
	// directions; the greater goes first.
	Priority uint8
	// Presence asks to be told who else is there; see Space.Present.
	Presence bool
}

// Space opens a space: what the store has of it can be read at once, and it is
// kept in sync from now on. The name is checked by the server; a space that may
// not be opened says so in Space.Status and keeps its queue. Opening a space
// again returns the same Space and keeps its first options.
func (c *Client) Space(name string, options SpaceOptions) *Space {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.spaces[name]; s != nil {
		return s
	}
	s := &Space{client: c, name: name, watchers: map[*watcher[Changes]]struct{}{}}
	c.spaces[name] = s
	if c.failed == nil {
		c.core.Open(c.now(), name, options)
		c.pumpLocked()
	}
	return s
}

// Close stops the client: what is durable stays, everything else (an open
// connection, waiting calls) ends. It returns after the last goroutine ended and
// the store is closed.
func (c *Client) Close() error {
	c.stop(ErrClosed)
	c.running.Wait()
	return c.options.Store.Close()
}

// Reconnect tries to connect at once, also if the gateway had stopped the client:
// the app knows that something changed (the network is back, the user logged
// in). It does not wait.
func (c *Client) Reconnect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.core.Reconnect(c.now())
		c.pumpLocked()
	}
}

// Device returns the client's device id. In a space where the store turned out to
// be a copy, the client writes under another one: see Space.Device.
func (c *Client) Device() protocol.DeviceID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.core.Device()
}

func (c *Client) now() protocol.Time {
	return protocol.Time(c.options.Now().UnixMilli())
}
