package cluster

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// MinSecretBytes is the length of the shortest shared secret.
const MinSecretBytes = 32

const (
	// settledAfter is how old a route must be before it counts. One that the peer is
	// about to refuse exists on this side for as long as the refusal travels.
	settledAfter = 300 * time.Millisecond
	// watchEvery is how often routes are looked at, to log who comes and goes.
	watchEvery = 500 * time.Millisecond
	// implicitRetries is how often, once a second, a peer is tried again that this
	// gateway knows only because another told of it. Longer than a restart, and short
	// enough that the addresses of machines that are gone are forgotten.
	implicitRetries = 600
)

// noPort is what the server is to listen on for clients: a port that cannot exist,
// since its one client connects within the process. There is an option to that
// end, DontListen, but with it (in 2.15) the routes wait for the clients' port for
// ever. This way the server finds that it cannot listen, says so, and goes on.
const (
	noPort        = 1 << 16
	noPortAddress = "127.0.0.1:65536"
)

// EmbedOptions say how gateways with a server each find one another. Listen is
// needed.
type EmbedOptions struct {
	// Name is this gateway's name, which no other gateway of the fleet may have.
	Name string
	// Fleet is the name of all gateways that share a store; "tidegate" if empty.
	// Gateways of another fleet are refused.
	Fleet string
	// Listen is the address, host:port, for the routes of other gateways; port 0
	// chooses a free one.
	Listen string
	// Peers are addresses of other gateways' Listen. One that is reached tells of all
	// that it knows. An address of this gateway itself does no harm.
	Peers []string
	// Secret is what gateways prove to one another that they belong together: at
	// least MinSecretBytes bytes, the same everywhere. It may be empty if Listen is
	// an address of this machine alone.
	Secret []byte
	// TLS encrypts the routes, in both directions: it holds this gateway's
	// certificate, the authorities for the others', and whether theirs is asked for.
	// All gateways have it, or none. Nil for plain TCP.
	TLS *tls.Config
	// Log is where to log; nil for nowhere.
	Log *slog.Logger
}

// Embedded is a bus by a NATS server within this process, whose routes lead to
// those of the other gateways. It implements Bus.
type Embedded struct {
	*client
	// Static.
	server *server.Server
	alone  bool // no peers are configured: it waits for others to come
	log    *serverLog
	stop   chan struct{} // closed to end watch
	ended  chan struct{} // closed when watch has ended

	met atomic.Bool // there was a peer once
}

var _ Bus = (*Embedded)(nil)

// Embed starts a server and returns the bus that it carries. It does not wait
// for peers. The error says what is wrong with the options, or why the address
// cannot be listened on.
func Embed(opt EmbedOptions) (*Embedded, error) {
	fleet, err := fleetName(opt.Fleet)
	if err != nil {
		return nil, err
	}
	host, port, err := listenAddress(opt)
	if err != nil {
		return nil, err
	}
	password := routePassword(opt.Secret)
	peers, err := peerURLs(opt.Peers, password)
	if err != nil {
		return nil, err
	}
	log := newServerLog(orNowhere(opt.Log))
	options := &server.Options{
		ServerName: escape(opt.Name), // a NATS name has no blanks
		Host:       "127.0.0.1",
		Port:       noPort,
		NoSigs:     true,
		// What the server would tell its own operators about itself.
		NoSystemAccount: true,
		MaxPayload:      MaxMessage,
		MaxControlLine:  2 * 4096,
		PingInterval:    pingEvery,
		MaxPingsOut:     pingsMissed,
		Routes:          peers,
		Cluster: server.ClusterOpts{
			Name: escape(fleet),
			Host: host, Port: port,
			// What a peer that was met by hearsay is greeted with.
			Username: routeUser, Password: password,
			TLSConfig:  opt.TLS,
			TLSTimeout: 5,
			// There is one account, and with it one connection in use.
			PoolSize:       -1,
			ConnectRetries: implicitRetries,
			PingInterval:   pingEvery,
			MaxPingsOut:    pingsMissed,
		},
		CustomRouterAuthentication: &routeCheck{password, log},
	}
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("the bus's server: %w", err)
	}
	s.SetLoggerV2(log, false, false, false)
	s.Start()
	e := &Embedded{server: s, alone: len(opt.Peers) == 0, log: log, stop: make(chan struct{}), ended: make(chan struct{})}
	if err := e.listening(opt.Listen); err != nil {
		e.shutdown()
		return nil, err
	}
	conn, err := nats.Connect("", append(clientOptions(opt.Name, log.to), nats.InProcessServer(s))...)
	if err != nil {
		e.shutdown()
		return nil, fmt.Errorf("connecting to the bus's own server: %w", err)
	}
	e.client = newClient(conn, fleet)
	go e.watch()
	return e, nil
}

// listenAddress checks Listen and Secret, and returns Listen as the server wants
// it.
func listenAddress(opt EmbedOptions) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(opt.Listen)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, wrong("address %q: want HOST:PORT, such as 10.0.0.1:6222", opt.Listen)
	}
	if port == 0 {
		port = server.RANDOM_PORT // 0 would mean no routes at all
	}
	if n := len(opt.Secret); n > 0 && n < MinSecretBytes {
		return "", 0, wrong("the secret has %d bytes: want %d at least", n, MinSecretBytes)
	}
	if len(opt.Secret) == 0 && !Loopback(host) {
		return "", 0, wrong("refusing to listen on %s without a secret: whoever reaches it could invent commits; give all gateways one, or listen on 127.0.0.1", opt.Listen)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	return host, port, nil
}

// Loopback reports whether a host is this machine alone, for certain.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// routeUser is the user of routes; who knows the password is all that matters.
const routeUser = "tidegate"

// routePassword is what a gateway says for the secret: never the secret itself,
// which may serve elsewhere too.
func routePassword(secret []byte) string {
	if len(secret) == 0 {
		return ""
	}
	sum := sha256.Sum256(append([]byte("tidegate routes\n"), secret...))
	return hex.EncodeToString(sum[:])
}

// peerURLs makes routes of peers' addresses.
func peerURLs(peers []string, password string) ([]*url.URL, error) {
	var urls []*url.URL
	for _, peer := range peers {
		host, port, err := net.SplitHostPort(peer)
		if n, notNumber := strconv.Atoi(port); err != nil || notNumber != nil || host == "" || n < 1 || n > 65535 {
			return nil, wrong("peer %q: want HOST:PORT, such as gateway-1.internal:6222", peer)
		}
		u := &url.URL{Scheme: "nats-route", Host: peer}
		if password != "" {
			u.User = url.UserPassword(routeUser, password)
		}
		urls = append(urls, u)
	}
	return urls, nil
}

// routeCheck decides which gateways may join.
type routeCheck struct {
	password string
	log      *serverLog
}

// Check implements server.Authentication. A gateway without a secret is as wrong
// for one that has it as the other way round: the operator meant something.
func (r *routeCheck) Check(c server.ClientAuthentication) bool {
	if subtle.ConstantTimeCompare([]byte(c.GetOpts().Password), []byte(r.password)) == 1 {
		return true
	}
	address := "unknown"
	if remote := c.RemoteAddress(); remote != nil {
		address = remote.String()
	}
	r.log.refused(address)
	return false
}

// listening waits until the server listens for routes.
func (e *Embedded) listening(address string) error {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for e.server.ClusterAddr() == nil {
		select {
		case why := <-e.log.fatal:
			return fmt.Errorf("the bus cannot listen on %s: %s", address, why)
		case <-ticker.C: // the server has nothing to wait for
		}
	}
	return nil
}

// Address is where the gateway listens for routes.
func (e *Embedded) Address() net.Addr { return e.server.ClusterAddr() }

// peers returns the names of the gateways that a route leads to, in order.
func (e *Embedded) peers() []string {
	routes, err := e.server.Routez(nil)
	if err != nil {
		return nil
	}
	var names []string
	for _, route := range routes.Routes {
		if routes.Now.Sub(route.Start) >= settledAfter {
			names = append(names, route.RemoteName)
		}
	}
	if len(names) > 0 {
		e.met.Store(true)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Connected implements Bus. A gateway without configured peers that nobody has
// joined is alone. One that was joined and left again cannot know whether the
// others have ended or are cut off; it assumes the worse.
func (e *Embedded) Connected() bool {
	return e.conn.IsConnected() && (len(e.peers()) > 0 || e.alone && !e.met.Load())
}

// watch logs who comes and goes.
func (e *Embedded) watch() {
	defer close(e.ended)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var before []string
	for {
		select {
		case <-e.stop:
			return
		case <-ticker.C:
		}
		now := e.peers()
		for _, name := range now {
			if !slices.Contains(before, name) {
				e.log.joined(name)
			}
		}
		for _, name := range before {
			if !slices.Contains(now, name) {
				e.log.to.Warn("a gateway has left the bus", "peer", name)
			}
		}
		before = now
	}
}

// Status says how the bus is.
func (e *Embedded) Status() Status {
	status := Status{Connected: e.Connected(), Peers: e.peers(), Lost: e.Lost()}
	status.Refused, status.Trouble = e.log.trouble()
	return status
}

// String says in a line how the bus is.
func (e *Embedded) String() string { return e.Status().String() }

// Close implements Bus.
func (e *Embedded) Close() error {
	if e.client.close() {
		close(e.stop)
		<-e.ended
		e.shutdown()
	}
	return nil
}

// shutdown ends the server.
func (e *Embedded) shutdown() {
	e.server.Shutdown()
	e.server.WaitForShutdown()
}

// DefaultFleet is the name of a fleet that has none.
const DefaultFleet = "tidegate"

// fleetName checks the name of a fleet.
func fleetName(name string) (string, error) {
	const most = 255 // as long as the name of a table
	if name == "" {
		return DefaultFleet, nil
	}
	if len(name) > most {
		return "", wrong("the fleet's name has %d bytes: want %d at most", len(name), most)
	}
	return name, nil
}

// orNowhere is log, or one that says nothing.
func orNowhere(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
