package cluster

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// DialOptions say how to reach NATS servers that run elsewhere. Servers is
// needed.
type DialOptions struct {
	// Name is shown in the servers' lists of connections.
	Name string
	// Fleet tells the gateways that share a store from all others on the same
	// servers; "tidegate" if empty.
	Fleet string
	// Servers are URLs with the scheme nats or tls; any that answers will do. A user
	// and a password may stand in them.
	Servers []string
	// Credentials names a file with a user's JWT and key, as nsc makes it; empty for
	// none.
	Credentials string
	// TLS is for servers that are reached by tls, or ask for it; nil for the system's
	// authorities.
	TLS *tls.Config
	// Log is where to log; nil for nowhere.
	Log *slog.Logger
}

// External is a bus by NATS servers that run elsewhere. It implements Bus.
type External struct {
	*client
	log *slog.Logger

	mu      sync.Mutex
	trouble string // guarded by mu: what keeps the servers away
}

var _ Bus = (*External)(nil)

// Dial returns a bus by NATS servers that run elsewhere. It does not wait for
// them, and goes on trying while they cannot be reached; the error is about the
// options.
func Dial(opt DialOptions) (*External, error) {
	if len(opt.Servers) == 0 {
		return nil, wrong("no NATS server to use")
	}
	for _, server := range opt.Servers {
		if err := checkServer(server); err != nil {
			return nil, err
		}
	}
	fleet, err := fleetName(opt.Fleet)
	if err != nil {
		return nil, err
	}
	log := orNowhere(opt.Log)
	x := &External{log: log}
	options := append(clientOptions(opt.Name, log),
		nats.RetryOnFailedConnect(true),
		// A password that is being changed is no reason to give up for good.
		nats.IgnoreAuthErrorAbort(),
		nats.ConnectHandler(func(c *nats.Conn) { x.reached(c) }),
		nats.ReconnectHandler(func(c *nats.Conn) { x.reached(c) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { x.away(err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: it was closed here
				x.away(err)
			}
		}),
	)
	if opt.TLS != nil {
		options = append(options, nats.Secure(opt.TLS))
	}
	if opt.Credentials != "" {
		if _, err := os.Stat(opt.Credentials); err != nil {
			return nil, fmt.Errorf("NATS credentials: %w", err)
		}
		options = append(options, nats.UserCredentials(opt.Credentials))
	}
	conn, err := nats.Connect(strings.Join(opt.Servers, ","), options...)
	if err != nil {
		return nil, fmt.Errorf("NATS: %w", err)
	}
	x.client = newClient(conn, fleet)
	return x, nil
}

// checkServer says what is wrong with a server's URL, without its password.
func checkServer(server string) error {
	u, err := url.Parse(server)
	if err != nil {
		return wrong("the URL of a NATS server cannot be read: want nats://HOST:PORT or tls://HOST:PORT")
	}
	if (u.Scheme != "nats" && u.Scheme != "tls") || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return wrong("NATS server %q: want nats://HOST:PORT or tls://HOST:PORT", u.Redacted())
	}
	return nil
}

// reached notes that a server is connected.
func (x *External) reached(c *nats.Conn) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.trouble = ""
	x.log.Info("bus connected", "server", c.ConnectedServerName(), "address", c.ConnectedAddr())
}

// away notes why no server is connected; each reason is logged once.
func (x *External) away(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if why := err.Error(); why != x.trouble {
		x.trouble = why
		x.log.Warn("bus not connected; spaces are polled instead", "error", why)
	}
}

// Connected implements Bus: a server is there, and so are the others, as far as
// can be told from here.
func (x *External) Connected() bool { return x.conn.IsConnected() }

// Status says how the bus is.
func (x *External) Status() Status {
	x.mu.Lock()
	status := Status{Trouble: x.trouble}
	x.mu.Unlock()
	status.Connected = x.Connected()
	status.Lost = x.Lost()
	if status.Connected {
		status.Peers = []string{x.conn.ConnectedServerName()}
	}
	return status
}

// String says in a line how the bus is.
func (x *External) String() string { return x.Status().String() }

// Close implements Bus.
func (x *External) Close() error {
	x.close()
	return nil
}
