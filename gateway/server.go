package gateway

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/tidegate/tidegate/access"
	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/session"
	"github.com/tidegate/tidegate/space"
)

// DefaultMaxConnections is the default of Config.MaxConnections.
const DefaultMaxConnections = 10_000

// Config says how a gateway serves. Store and Verifier are needed.
type Config struct {
	// Store keeps everything. It is its opener's to close, after Shutdown.
	Store space.Store
	// Exclusive is true if nobody else appends to Store while this gateway runs: an
	// embedded store in a locked file, or one in memory.
	Exclusive bool
	// Bus leads to the other gateways on Store; nil for none: then, unless it is
	// Exclusive, what they append is found by polling.
	Bus Bus
	// Verifier says what tokens allow. If it is one for development, only requests
	// by a local name are served.
	Verifier *access.Verifier
	// Schema is what mutations are merged under; nil for none.
	Schema *merge.Schema
	// Demo serves the collaborative page at /, with rules for the collections that
	// the page has for itself; all others stay free. It needs a Verifier for
	// development and no Schema.
	Demo bool
	// Limits bound what peers may send and commits may hold; zero fields take their
	// defaults.
	Limits protocol.Limits
	// Rates bound how often.
	Rates Rates
	// MaxConnections bounds the WebSockets open at once (DefaultMaxConnections); more
	// are answered with 503.
	MaxConnections int
	// AllowedOrigins are the pages that may connect besides the gateway's own.
	AllowedOrigins []string
	// WriteWithin is how long the socket may take for one message (20 s). A peer
	// that is slower is cut off, and goes on from its cursor when it comes back.
	WriteWithin time.Duration
	// DrainWithin is how long Shutdown waits for the verdicts of what connections
	// have pushed (5 s).
	DrainWithin time.Duration
	// ReconnectWithin is the time over which connections are asked to spread when
	// they come back after a drain (1 ms for each, 1 s at least, 30 s at most).
	ReconnectWithin time.Duration
	// CacheBytes bounds each open space's cache; 0 takes the space's default.
	CacheBytes int
	// Expire lets commits older than Limits.Horizon go. By default history is kept.
	Expire bool
	// Name is this gateway's name in commits and logs; random if empty.
	Name string
	// Version is what the status page calls this build.
	Version string
	// TLS is how to serve https; nil for plain http.
	TLS *tls.Config
	// Log is where to log; nil for nowhere. Tokens are never logged.
	Log *slog.Logger

	// tune may change how spaces are run, and outAfter for how long a store may fail
	// before pushes are refused; for tests.
	tune     func(*space.Options)
	outAfter time.Duration
}

func (c Config) withDefaults() (Config, error) {
	if c.Store == nil || c.Verifier == nil {
		return c, errors.New("a gateway needs a store and a verifier")
	}
	if c.Exclusive && c.Bus != nil {
		return c, errors.New("a gateway that has its store to itself has no others to talk to")
	}
	for _, origin := range c.AllowedOrigins {
		if err := access.CheckAllowedOrigin(origin); err != nil {
			return c, err
		}
	}
	if c.Demo && (!c.Verifier.Development() || c.Schema != nil) {
		return c, errors.New("the demonstration page is for development mode, without a schema")
	}
	defaults := protocol.DefaultLimits()
	if c.Limits.FrameBytes <= 0 {
		c.Limits.FrameBytes = defaults.FrameBytes
	}
	if c.Limits.HelloWithin <= 0 {
		c.Limits.HelloWithin = defaults.HelloWithin
	}
	if c.Rates == (Rates{}) {
		c.Rates = DefaultRates()
	}
	if c.MaxConnections <= 0 {
		c.MaxConnections = DefaultMaxConnections
	}
	if c.WriteWithin <= 0 {
		c.WriteWithin = 20 * time.Second
	}
	if c.DrainWithin <= 0 {
		c.DrainWithin = session.DefaultDrainWithin
	}
	if c.Name == "" {
		c.Name = randomName()
	}
	if c.Version == "" {
		c.Version = "development"
	}
	if c.outAfter <= 0 {
		c.outAfter = outAfter
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// Server is a gateway. It is safe for concurrent use.
type Server struct {
	// Static after New.
	cfg      Config
	started  time.Time
	http     *http.Server
	manager  *space.Manager
	metrics  *metrics
	spaces   *spaceMeters
	outages  *outages
	presence *presenceHub
	peers    *peers // nil without a bus
	arrivals *addressLimits
	health   *health
	demo     *demo // nil without the page

	compressor *compressor

	bytesIn, bytesOut atomic.Uint64

	mu sync.Mutex
	// All guarded by mu.
	connections map[*connection]struct{}
	pending     int // handshakes under way, which count as connections
	draining    bool
	drained     chan struct{} // closed once draining and without connections
}

// New makes a gateway over cfg.Store, or says what is wrong with cfg. It reads
// nothing yet. With a Bus it listens from here on, and Shutdown ends that.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	metrics := newMetrics()
	s := &Server{
		cfg:         cfg,
		started:     time.Now(),
		metrics:     metrics,
		spaces:      newSpaceMeters(metrics),
		outages:     newOutages(cfg.Store, cfg.outAfter),
		presence:    newPresenceHub(),
		arrivals:    newAddressLimits(cfg.Rates.Connections),
		connections: map[*connection]struct{}{},
		drained:     make(chan struct{}),
	}
	if s.compressor, err = newCompressor(); err != nil {
		return nil, err
	}
	schema := cfg.Schema
	if cfg.Demo {
		if s.demo, err = newDemo(&s.cfg); err != nil {
			return nil, fmt.Errorf("the demonstration page: %w", err)
		}
		schema = s.demo.schema
	}
	options := space.Options{
		Config: space.Config{
			Gateway:     cfg.Name,
			Schema:      schema,
			Limits:      cfg.Limits,
			NewCommitID: newCommitID,
			Exclusive:   cfg.Exclusive,
			CacheBytes:  cfg.CacheBytes,
			Expire:      cfg.Expire,
		},
		Compress: s.compressor.pack,
		Log:      cfg.Log,
		Hooks: space.Hooks{
			Event:  s.spaces.event,
			Store:  s.metrics.stored,
			Opened: s.spaceOpened,
			Closed: s.spaceClosed,
		},
	}
	if cfg.Bus != nil {
		s.peers = newPeers(cfg.Bus, cfg.Name, s.presence, s.metrics, cfg.Log)
		options.Peers = s.peers
	}
	if cfg.tune != nil {
		cfg.tune(&options)
	}
	s.manager = space.NewManager(s.outages, options)
	s.health = newHealth(cfg.Store, cfg.Verifier)
	s.http = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		TLSConfig:         cfg.TLS,
		ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}
	s.registerGauges()
	if s.peers != nil {
		if err := s.peers.start(s.manager); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Serve serves on listener until Shutdown, whose beginning makes it return nil.
func (s *Server) Serve(listener net.Listener) error {
	var err error
	if s.cfg.TLS != nil {
		err = s.http.ServeTLS(listener, "", "")
	} else {
		err = s.http.Serve(listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// ServeHTTP lets a gateway be part of another server.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.http.Handler.ServeHTTP(w, r) }

// errShutdown answers a second Shutdown.
var errShutdown = errors.New("the gateway is being shut down already")

// Shutdown ends the gateway: no new connections, a going-away to each existing
// one, the verdicts of what they have pushed, then the spaces are closed. It
// returns an error if ctx ended before everything was resolved and checkpointed;
// nothing that was acknowledged is lost by that.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if s.draining {
		s.mu.Unlock()
		return errShutdown
	}
	s.draining = true
	within := s.cfg.ReconnectWithin
	if within <= 0 {
		within = min(max(time.Duration(len(s.connections))*time.Millisecond, time.Second), 30*time.Second)
	}
	for c := range s.connections {
		c.phase.Store(int32(phaseDraining))
		c.inbox.put(session.Drain{Within: uint64(within.Milliseconds())})
	}
	s.drainedLocked()
	s.mu.Unlock()

	s.http.SetKeepAlivesEnabled(false)
	stopped := make(chan error, 1)
	go func() { stopped <- s.http.Shutdown(ctx) }()

	select {
	case <-s.drained:
	case <-time.After(s.cfg.DrainWithin + closeWithin + time.Second):
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.connections {
		c.abort()
	}
	s.mu.Unlock()
	select {
	case <-s.drained:
	case <-ctx.Done():
	}
	err := errors.Join(<-stopped, s.manager.Close(ctx))
	if s.peers != nil {
		s.peers.close() // last: what was appended in the end has been told
	}
	return err
}

// spaceOpened and spaceClosed are hooks of space.Manager.
func (s *Server) spaceOpened(key space.Key) {
	s.spaces.opened(key)
	s.outages.opened(key)
	if s.peers != nil {
		s.peers.opened(key)
	}
}

func (s *Server) spaceClosed(key space.Key) {
	s.spaces.closed(key)
	s.outages.closed(key)
	if s.peers != nil {
		s.peers.closed(key)
	}
}

// serveWebSocket answers a handshake and, if it is to be, starts a connection.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	if why, refusal := s.admit(r); refusal != nil {
		s.metrics.refused.WithLabelValues(why).Inc()
		if refusal.status == http.StatusServiceUnavailable || refusal.status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "5")
		}
		http.Error(w, refusal.message, refusal.status)
		return
	}
	defer s.admitted()
	socket := &socket{within: s.cfg.WriteWithin, in: &s.bytesIn, out: &s.bytesOut}
	ws, err := websocket.Accept(&socketWriter{w, socket}, r, &websocket.AcceptOptions{
		Subprotocols:       []string{protocol.Subprotocol},
		InsecureSkipVerify: true, // admit has checked the origin, port and scheme included
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		s.metrics.refused.WithLabelValues("handshake").Inc()
		return // Accept has answered
	}
	ws.SetReadLimit(-1) // reader has its own, with a close code of ours
	s.start(ws, socket, r.RemoteAddr)
}

// refusal is the HTTP answer to a handshake that is turned away.
type refusal struct {
	status  int
	message string
}

// admit says whether a handshake may go on, and if not, why. If it may, it
// counts as a connection until admitted.
func (s *Server) admit(r *http.Request) (reason string, no *refusal) {
	if s.cfg.Verifier.Development() {
		if err := access.CheckLocalHost(r.Host); err != nil {
			return "origin", &refusal{http.StatusForbidden, err.Error()}
		}
	}
	if err := access.CheckOrigin(r.Header.Get("Origin"), r.Host, r.TLS != nil, s.cfg.AllowedOrigins); err != nil {
		return "origin", &refusal{http.StatusForbidden, err.Error()}
	}
	if !offersSubprotocol(r) {
		return "handshake", &refusal{http.StatusBadRequest,
			fmt.Sprintf("%s: the WebSocket must offer the subprotocol %s", protocol.CodeUpgrade, protocol.Subprotocol)}
	}
	if !s.arrivals.allow(r.RemoteAddr, time.Now()) {
		return "rate", &refusal{http.StatusTooManyRequests,
			fmt.Sprintf("%s: too many new connections from this address", protocol.CodeRate)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return "draining", &refusal{http.StatusServiceUnavailable, fmt.Sprintf("%s: this gateway is stopping", protocol.CodeGoingAway)}
	case len(s.connections)+s.pending >= s.cfg.MaxConnections:
		return "full", &refusal{http.StatusServiceUnavailable, fmt.Sprintf("%s: this gateway has as many connections as it takes", protocol.CodeRate)}
	}
	s.pending++
	return "", nil
}

// admitted ends what admit began.
func (s *Server) admitted() {
	s.mu.Lock()
	s.pending--
	s.drainedLocked()
	s.mu.Unlock()
}

// start starts a connection.
func (s *Server) start(ws *websocket.Conn, socket *socket, remote string) {
	ctx, stop := context.WithCancel(context.Background())
	c := &connection{
		server:        s,
		name:          randomName(),
		remote:        remote,
		ws:            ws,
		socket:        socket,
		inbox:         newInbox(),
		fromPeer:      make(chan session.Input),
		ctx:           ctx,
		stop:          stop,
		presence:      s.cfg.Rates.Presence.limiter(),
		waiting:       map[protocol.Handle]protocol.Value{},
		subscriptions: map[protocol.Handle]*subscription{},
	}
	c.log = s.cfg.Log.With("session", c.name, "remote", remote)
	c.session = session.New(session.Config{
		Name:        c.name,
		Limits:      s.cfg.Limits,
		Compression: s.compressor.codec.Names(),
		WriteWithin: s.cfg.WriteWithin,
		DrainWithin: s.cfg.DrainWithin,
	}, s.now())

	s.metrics.connectionsTotal.Inc()
	s.mu.Lock()
	s.connections[c] = struct{}{}
	if s.draining { // it began while this handshake was under way
		c.inbox.put(session.Drain{Within: 1000})
	}
	s.mu.Unlock()
	c.log.Debug("connected")
	go c.reader()
	go c.owner()
}

// remove forgets a connection that has ended.
func (s *Server) remove(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.connections, c)
	s.drainedLocked()
}

// drainedLocked notices that the last connection of a draining gateway has gone.
// With the last one none can come any more.
func (s *Server) drainedLocked() {
	if s.draining && len(s.connections)+s.pending == 0 {
		select {
		case <-s.drained:
		default:
			close(s.drained)
		}
	}
}

// now is the time as the cores take it.
func (s *Server) now() protocol.Time { return protocol.Time(time.Now().UnixMilli()) }

// newCommitID draws a commit id.
func newCommitID() (id protocol.CommitID) {
	rand.Read(id[:]) // never fails: it ends the program if there is no randomness
	return id
}

// randomName names a session or a gateway.
func randomName() string {
	var name [8]byte
	rand.Read(name[:])
	return hex.EncodeToString(name[:])
}
