package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/tidegate/tidegate/access"
	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/dynamo"
	"github.com/tidegate/tidegate/gateway"
	"github.com/tidegate/tidegate/protocol"
)

// shutdownWithin is how long an orderly end may take; then the process ends with
// what is durable, which is everything that was acknowledged.
const shutdownWithin = 20 * time.Second

// serveCommand starts the gateway.
type serveCommand struct {
	Listen string `default:"127.0.0.1:8787" placeholder:"ADDR" env:"TIDEGATE_LISTEN" help:"Address to listen on; port 0 chooses a free one (${default})."`
	Store  string `default:"file:tidegate.db" placeholder:"file:PATH|dynamodb://TABLE|memory:" env:"TIDEGATE_STORE" help:"Where everything is kept (${default}). Several gateways can share dynamodb://TABLE?region=REGION&endpoint=URL; see tidegate table create --help."`
	Schema string `placeholder:"DIR" env:"TIDEGATE_SCHEMA" help:"Directory of JSON Schemas with x-merge; without it every collection is allowed and the later edit wins."`
	Name   string `placeholder:"NAME" env:"TIDEGATE_NAME" help:"This gateway's name in commits and logs; random if not given."`

	AuthSecretFile string `group:"Authentication" placeholder:"FILE" env:"TIDEGATE_AUTH_SECRET_FILE" help:"Check tokens with the secret in this file (HS256, at least ${min_secret} bytes)."`
	AuthJWKS       string `name:"auth-jwks" group:"Authentication" placeholder:"URL|FILE" env:"TIDEGATE_AUTH_JWKS" help:"Check tokens with the keys of this JWK set (RS256, ES256, EdDSA and such)."`
	AuthIssuer     string `group:"Authentication" placeholder:"NAME" env:"TIDEGATE_AUTH_ISSUER" help:"The \"iss\" that tokens must have."`
	AuthAudience   string `group:"Authentication" placeholder:"NAME" env:"TIDEGATE_AUTH_AUDIENCE" help:"The \"aud\" that tokens must have; needed with a JWK set, \"tidegate\" with a secret."`

	AllowOrigin []string `group:"Network" sep:"," placeholder:"ORIGIN" env:"TIDEGATE_ALLOW_ORIGIN" help:"Pages that may connect, besides the gateway's own: scheme, host and port, such as https://app.example.com or http://localhost:*. May be repeated."`
	TLSCert     string   `name:"tls-cert" group:"Network" placeholder:"FILE" env:"TIDEGATE_TLS_CERT" help:"Serve https with this certificate (PEM, chain included). It is read again when it changes."`
	TLSKey      string   `name:"tls-key" group:"Network" placeholder:"FILE" env:"TIDEGATE_TLS_KEY" help:"The certificate's key (PEM)."`

	Cluster clusterFlags `embed:"" group:"Several gateways"`

	Limits limitFlags `embed:"" prefix:"limit-" envprefix:"TIDEGATE_LIMIT_" group:"Limits"`

	Expire    bool   `group:"History" env:"TIDEGATE_EXPIRE" help:"Let commits older than --limit-horizon go once they are checkpointed. By default all history is kept."`
	LogFormat string `group:"Logging" enum:"text,json" default:"text" placeholder:"text|json" env:"TIDEGATE_LOG_FORMAT" help:"How to log on standard error (${default})."`
	LogLevel  string `group:"Logging" enum:"debug,info,warn,error" default:"info" placeholder:"LEVEL" env:"TIDEGATE_LOG_LEVEL" help:"What to log: debug, info, warn or error (${default})."`
}

// limitFlags are the limits that an operator may set; see protocol.Limits and
// gateway.Rates. Their defaults come from there.
type limitFlags struct {
	Connections   int           `default:"${limit_connections}" env:"CONNECTIONS" placeholder:"N" help:"WebSocket connections open at once (${default})."`
	ConnectRate   float64       `default:"${limit_connect_rate}" env:"CONNECT_RATE" placeholder:"N" help:"New connections a second from one address other than this machine's; 0 for no limit (${default})."`
	MessageRate   float64       `default:"${limit_message_rate}" env:"MESSAGE_RATE" placeholder:"N" help:"Messages a second on one connection; more waits (${default})."`
	PresenceRate  float64       `default:"${limit_presence_rate}" env:"PRESENCE_RATE" placeholder:"N" help:"Presence updates a second on one connection; of more the latest counts (${default})."`
	FrameBytes    byteSize      `default:"${limit_frame_bytes}" env:"FRAME_BYTES" placeholder:"SIZE" help:"Largest message from a peer (${default})."`
	MutationBytes byteSize      `default:"${limit_mutation_bytes}" env:"MUTATION_BYTES" placeholder:"SIZE" help:"Largest mutation (${default})."`
	RecordBytes   byteSize      `default:"${limit_record_bytes}" env:"RECORD_BYTES" placeholder:"SIZE" help:"Largest merged record (${default})."`
	FieldBytes    byteSize      `default:"${limit_field_bytes}" env:"FIELD_BYTES" placeholder:"SIZE" help:"Largest field (${default})."`
	PresenceBytes byteSize      `default:"${limit_presence_bytes}" env:"PRESENCE_BYTES" placeholder:"SIZE" help:"Largest presence value (${default})."`
	Subscriptions int           `default:"${limit_subscriptions}" env:"SUBSCRIPTIONS" placeholder:"N" help:"Spaces open on one connection (${default})."`
	CacheBytes    byteSize      `default:"32MiB" env:"CACHE_BYTES" placeholder:"SIZE" help:"Records of one space kept in memory (${default})."`
	Horizon       time.Duration `default:"${limit_horizon}" env:"HORIZON" placeholder:"DURATION" help:"How long history is kept for devices that were away, with --expire (${default})."`
}

// defaults are the variables that the flags' defaults and texts use.
func defaults() kong.Vars {
	limits, rates := protocol.DefaultLimits(), gateway.DefaultRates()
	return kong.Vars{
		"default_tenant":       access.DefaultTenant,
		"min_secret":           fmt.Sprint(access.MinSecretBytes),
		"min_cluster_secret":   fmt.Sprint(cluster.MinSecretBytes),
		"limit_connections":    fmt.Sprint(gateway.DefaultMaxConnections),
		"limit_connect_rate":   fmt.Sprint(rates.Connections.PerSecond),
		"limit_message_rate":   fmt.Sprint(rates.Messages.PerSecond),
		"limit_presence_rate":  fmt.Sprint(rates.Presence.PerSecond),
		"limit_frame_bytes":    byteSize(limits.FrameBytes).String(),
		"limit_mutation_bytes": byteSize(limits.MutationBytes).String(),
		"limit_record_bytes":   byteSize(limits.RecordBytes).String(),
		"limit_field_bytes":    byteSize(limits.FieldBytes).String(),
		"limit_presence_bytes": byteSize(limits.PresenceBytes).String(),
		"limit_subscriptions":  fmt.Sprint(limits.Subscriptions),
		"limit_horizon":        limits.Horizon.String(),
	}
}

// Help teaches.
func (serveCommand) Help() string {
	return `Nothing needs to be configured: then the gateway is in development mode, serves this machine only, and takes
connections without a token as the user "dev" who may write everything.

  tidegate serve
  tidegate serve --listen 127.0.0.1:0 --store memory:
  tidegate serve --auth-secret-file secret --allow-origin http://localhost:*
  TIDEGATE_LISTEN=127.0.0.1:9000 tidegate
  tidegate --config tidegate.json
  tidegate serve --store 'dynamodb://tidegate?region=eu-central-1' --cluster-listen 10.0.0.1:6222
      --cluster-peers 10.0.0.2:6222,10.0.0.3:6222 --cluster-secret-file secret

Once it listens it says so on standard output: "tidegate: listening on http://ADDR". Everything else is logged on
standard error. SIGINT or SIGTERM ends it in order: connected devices are told to come back after a moment.`
}

// Run serves until a signal comes.
func (s *serveCommand) Run(stdout io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return s.serve(ctx, stdout)
}

// serve serves until ctx ends. Everything that can be refused is refused before
// the store is opened, but for a table that cannot be reached yet: once it can, and
// is none of ours, serving ends.
func (s *serveCommand) serve(ctx context.Context, stdout io.Writer) (err error) {
	log := s.logger(os.Stderr)
	verifier, err := s.verifier()
	if err != nil {
		return err
	}
	if err := access.RefuseOpenListen(s.Listen, !verifier.Development()); err != nil {
		return usageError{err}
	}
	for _, origin := range s.AllowOrigin {
		if err := access.CheckAllowedOrigin(origin); err != nil {
			return usageError{fmt.Errorf("--allow-origin: %w", err)}
		}
	}
	tlsConfig, err := s.tls()
	if err != nil {
		return err
	}
	config := gateway.Config{
		Verifier:       verifier,
		Limits:         s.Limits.limits(),
		Rates:          s.Limits.rates(),
		MaxConnections: s.Limits.Connections,
		CacheBytes:     int(s.Limits.CacheBytes),
		AllowedOrigins: s.AllowOrigin,
		Expire:         s.Expire,
		Name:           s.Name,
		Version:        version(),
		TLS:            tlsConfig,
		Log:            log,
	}
	if s.Schema != "" {
		if config.Schema, err = loadSchema(s.Schema); err != nil {
			return err
		}
	}
	if config.Name == "" {
		config.Name = gatewayName()
	}
	config.Demo = verifier.Development() && config.Schema == nil
	listener, err := s.listen()
	if err != nil {
		return err
	}
	defer listener.Close()
	bus, err := s.Cluster.open(config.Name, s.Store, log)
	if err != nil {
		return err
	}
	if bus != nil {
		defer func() { err = errors.Join(err, bus.Close()) }()
		config.Bus = bus
	}
	store, err := openLate(ctx, s.Store, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	config.Store, config.Exclusive = store.closingStore, store.exclusive
	server, err := gateway.New(config)
	if err != nil {
		return err
	}
	unusable := make(chan error, 1)
	if table, ok := store.closingStore.(*dynamo.Store); ok {
		if err := server.Collect(newTableMetrics(table)); err != nil {
			return err
		}
		if why := table.Unchecked(); why != nil {
			log.Error("the store cannot be reached yet; devices are told so, and keep their edits", "err", why)
			go func() {
				if err := table.Await(ctx); err == nil {
					log.Info("the store can be reached")
				} else if ctx.Err() == nil {
					unusable <- tableUsage(err)
				}
			}()
		}
	}

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	scheme := "http"
	if tlsConfig != nil {
		scheme = "https"
	}
	said := fmt.Sprintf("tidegate: listening on %s://%s\n", scheme, listener.Addr())
	if verifier.Development() {
		said += fmt.Sprintf(`tidegate: development mode: this machine only, no token needed (user %q, every space);
tidegate: to be somebody else: tidegate token --user ada --space '*=write'
`, access.DevelopmentUser)
	}
	if config.Demo {
		said += fmt.Sprintf("tidegate: a board to try it on: %s://%s/\n", scheme, listener.Addr())
	}
	fmt.Fprint(stdout, said)
	log.Info("listening", "address", listener.Addr().String(), "store", s.Store, "schema", s.Schema,
		"development", verifier.Development(), "version", version())

	var wrong error // with the store
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case wrong = <-unusable:
	case <-ctx.Done():
	}
	log.Info("going away", "within", shutdownWithin.String())
	ending, cancel := context.WithTimeout(context.Background(), shutdownWithin)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return errors.Join(wrong, fmt.Errorf("shutting down: %w", err))
	}
	log.Info("gone")
	return wrong
}

// logger makes the log.
func (s *serveCommand) logger(to io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.LogLevel)) // kong has checked the value
	options := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(to, options))
	}
	return slog.New(slog.NewTextHandler(to, options))
}

// verifier makes what checks tokens; for development if nothing is configured.
func (s *serveCommand) verifier() (*access.Verifier, error) {
	if s.AuthSecretFile == "" && s.AuthJWKS == "" {
		if s.AuthIssuer != "" || s.AuthAudience != "" {
			return nil, usageError{errors.New("--auth-issuer and --auth-audience need keys to check tokens with: give --auth-secret-file or --auth-jwks")}
		}
		secret, err := developmentSecret()
		if err != nil {
			// Without a place to share the secret, tokens cannot be minted; the
			// gateway is as useful without them.
			secret = access.RandomSecret()
		}
		return access.NewDevelopment(secret, nil)
	}
	config := access.Config{KeySet: s.AuthJWKS, Issuer: s.AuthIssuer, Audience: s.AuthAudience}
	if s.AuthSecretFile != "" {
		secret, err := access.LoadSecret(s.AuthSecretFile)
		if err != nil {
			return nil, fmt.Errorf("--auth-secret-file: %w", err)
		}
		config.Secret = secret
	}
	verifier, err := access.New(config)
	if err != nil {
		return nil, usageError{fmt.Errorf("authentication: %w", err)}
	}
	return verifier, nil
}

// listen takes the address, and says what to do if somebody else has it.
func (s *serveCommand) listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", s.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("address %s is in use, perhaps by another gateway: stop that, or choose another with --listen (127.0.0.1:0 takes a free port)", s.Listen)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("address %s may not be listened on by this user: ports below 1024 are for the administrator; choose another with --listen", s.Listen)
	case err != nil:
		return nil, fmt.Errorf("--listen %s: %w", s.Listen, err)
	}
	return listener, nil
}

// tls reads certificate and key; nil for plain http.
func (s *serveCommand) tls() (*tls.Config, error) {
	if s.TLSCert == "" && s.TLSKey == "" {
		return nil, nil
	}
	if s.TLSCert == "" || s.TLSKey == "" {
		return nil, usageError{errors.New("--tls-cert and --tls-key go together")}
	}
	certificate, err := loadCertificate(s.TLSCert, s.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	return &tls.Config{GetCertificate: certificate.current, MinVersion: tls.VersionTLS12}, nil
}

// Validate refuses limits that contradict one another; kong calls it.
func (l limitFlags) Validate() error {
	commit := byteSize(protocol.DefaultLimits().CommitBytes)
	const framing = 1 << 10 // what a push adds to a mutation, at most
	switch {
	case l.Connections < 1 || l.Subscriptions < 1:
		return errors.New("--limit-connections and --limit-subscriptions: want 1 at least")
	case l.ConnectRate < 0 || l.MessageRate < 0 || l.PresenceRate < 0:
		return errors.New("--limit-connect-rate, --limit-message-rate and --limit-presence-rate must not be negative; 0 means no limit")
	case l.MutationBytes+framing > l.FrameBytes:
		return fmt.Errorf("--limit-mutation-bytes %v does not fit into --limit-frame-bytes %v, with 1KiB around it", l.MutationBytes, l.FrameBytes)
	case l.MutationBytes > commit:
		return fmt.Errorf("--limit-mutation-bytes %v does not fit into a commit, which holds %v", l.MutationBytes, commit)
	case l.FieldBytes > l.RecordBytes:
		return fmt.Errorf("--limit-field-bytes %v is more than --limit-record-bytes %v", l.FieldBytes, l.RecordBytes)
	case l.Horizon < 2*time.Hour:
		return fmt.Errorf("--limit-horizon %v: want 2h at least", l.Horizon)
	}
	return nil
}

func (l limitFlags) limits() protocol.Limits {
	limits := protocol.DefaultLimits()
	limits.FrameBytes = int(l.FrameBytes)
	limits.MutationBytes = int(l.MutationBytes)
	limits.RecordBytes = int(l.RecordBytes)
	limits.FieldBytes = int(l.FieldBytes)
	limits.PresenceBytes = int(l.PresenceBytes)
	limits.Subscriptions = l.Subscriptions
	limits.Horizon = l.Horizon
	return limits
}

func (l limitFlags) rates() gateway.Rates {
	rates := gateway.DefaultRates()
	rates.Connections.PerSecond = l.ConnectRate
	rates.Messages.PerSecond = l.MessageRate
	rates.Presence.PerSecond = l.PresenceRate
	return rates
}
