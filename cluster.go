package main

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/dynamo"
	"github.com/tidegate/tidegate/gateway"
)

// clusterFlags say how the gateways on one store reach each other.
type clusterFlags struct {
	Listen     string   `name:"cluster-listen" placeholder:"ADDR" env:"TIDEGATE_CLUSTER_LISTEN" help:"Address for the other gateways on the same store, such as 10.0.0.1:6222. What is committed, and who is present, then reaches their devices at once; without it they poll the store."`
	Peers      []string `name:"cluster-peers" sep:"," placeholder:"ADDR" env:"TIDEGATE_CLUSTER_PEERS" help:"The other gateways' --cluster-listen. One that is running is enough: it tells of the rest."`
	SecretFile string   `name:"cluster-secret-file" placeholder:"FILE" env:"TIDEGATE_CLUSTER_SECRET_FILE" help:"The secret by which gateways know each other, at least ${min_cluster_secret} bytes, the same for all. Needed unless --cluster-listen is this machine's alone."`
	Servers    []string `name:"cluster" sep:"," placeholder:"URL" env:"TIDEGATE_CLUSTER" help:"Use these NATS servers between the gateways instead: nats://HOST:PORT or tls://HOST:PORT."`
	// Credentials belong to Servers.
	Credentials string `name:"cluster-credentials" placeholder:"FILE" env:"TIDEGATE_CLUSTER_CREDENTIALS" help:"The NATS user's credentials (a .creds file), with --cluster."`
	Name        string `name:"cluster-name" placeholder:"NAME" env:"TIDEGATE_CLUSTER_NAME" help:"The name of all gateways on one store; others are not listened to. By default the table's."`
	TLSCert     string `name:"cluster-tls-cert" placeholder:"FILE" env:"TIDEGATE_CLUSTER_TLS_CERT" help:"Encrypt what gateways tell each other, with this certificate (PEM). It is read again when it changes. All gateways have one, or none."`
	TLSKey      string `name:"cluster-tls-key" placeholder:"FILE" env:"TIDEGATE_CLUSTER_TLS_KEY" help:"The certificate's key (PEM)."`
	TLSCA       string `name:"cluster-tls-ca" placeholder:"FILE" env:"TIDEGATE_CLUSTER_TLS_CA" help:"The authorities (PEM) for the others' certificates, which are then demanded; without it the system's, for those that are connected to."`
}

// closingBus is a bus with its end.
type closingBus interface {
	gateway.Bus
	io.Closer
}

// used reports whether anything was asked for.
func (c *clusterFlags) used() bool {
	return c.Listen != "" || len(c.Peers) > 0 || c.SecretFile != "" || len(c.Servers) > 0 || c.Credentials != "" ||
		c.Name != "" || c.TLSCert != "" || c.TLSKey != "" || c.TLSCA != ""
}

// check refuses what does not go together; store is --store.
func (c *clusterFlags) check(store string) error {
	kind, _, _ := strings.Cut(store, ":")
	embedded, external := c.Listen != "", len(c.Servers) > 0
	switch {
	case !c.used():
		return nil
	case kind != dynamo.Scheme:
		return fmt.Errorf("--cluster and --cluster-… are for gateways that share a store, and --store %s is this one's alone: use dynamodb://TABLE", store)
	case embedded && external:
		return errors.New("--cluster-listen and --cluster: choose one; the gateways talk to each other, or by NATS servers")
	case !embedded && !external:
		return errors.New("--cluster-… needs an address for the other gateways, --cluster-listen, or NATS servers, --cluster")
	case external && len(c.Peers) > 0:
		return errors.New("--cluster-peers goes with --cluster-listen, not with --cluster")
	case external && c.SecretFile != "":
		return errors.New("--cluster-secret-file goes with --cluster-listen; what NATS servers ask for is in --cluster-credentials, or in their URLs")
	case embedded && c.Credentials != "":
		return errors.New("--cluster-credentials goes with --cluster, not with --cluster-listen")
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("--cluster-tls-cert and --cluster-tls-key go together")
	case embedded && c.TLSCA != "" && c.TLSCert == "":
		return errors.New("--cluster-tls-ca needs --cluster-tls-cert and --cluster-tls-key beside it")
	}
	return nil
}

// open opens the bus, or returns nil if none was asked for. name is the
// gateway's, store is --store.
func (c *clusterFlags) open(name, store string, log *slog.Logger) (closingBus, error) {
	if err := c.check(store); err != nil {
		return nil, usageError{err}
	}
	if !c.used() {
		return nil, nil
	}
	fleet := c.Name
	if fleet == "" {
		table, err := dynamo.ParseURL(store)
		if err != nil {
			return nil, usageError{fmt.Errorf("--store %q: %w", store, err)}
		}
		fleet = table.Table
	}
	tlsConfig, err := c.tls()
	if err != nil {
		return nil, err
	}
	if len(c.Servers) > 0 {
		bus, err := cluster.Dial(cluster.DialOptions{
			Name: name, Fleet: fleet, Servers: c.Servers, Credentials: c.Credentials, TLS: tlsConfig, Log: log,
		})
		if err != nil {
			return nil, blame("--cluster", err)
		}
		return bus, nil
	}
	secret, err := c.secret()
	if err != nil {
		return nil, err
	}
	bus, err := cluster.Embed(cluster.EmbedOptions{
		Name: name, Fleet: fleet, Listen: c.Listen, Peers: c.Peers, Secret: secret, TLS: tlsConfig, Log: log,
	})
	if err != nil {
		return nil, blame("--cluster-listen, --cluster-peers", err)
	}
	if host, _, err := net.SplitHostPort(c.Listen); err == nil && tlsConfig == nil && !cluster.Loopback(host) {
		log.Warn("gateways talk to each other without TLS: whoever can read the wire can join them; see --cluster-tls-cert")
	}
	return bus, nil
}

// blame says which flags an error is about, and tells what was asked wrongly from
// what went wrong.
func blame(flags string, err error) error {
	said := fmt.Errorf("%s: %w", flags, err)
	if errors.Is(err, cluster.ErrOptions) {
		return usageError{said}
	}
	return said
}

// secret reads the secret; nil without a file.
func (c *clusterFlags) secret() ([]byte, error) {
	if c.SecretFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return nil, fmt.Errorf("--cluster-secret-file: %w", err)
	}
	secret := bytes.TrimRight(text, "\r\n") // editors and echo add one
	if len(secret) < cluster.MinSecretBytes {
		return nil, fmt.Errorf("--cluster-secret-file %s: %d bytes are too few for a secret, want %d at least", c.SecretFile, len(secret), cluster.MinSecretBytes)
	}
	return secret, nil
}

// tls reads certificate, key and authorities; nil without any.
func (c *clusterFlags) tls() (*tls.Config, error) {
	if c.TLSCert == "" && c.TLSCA == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLSCert != "" {
		certificate, err := loadCertificate(c.TLSCert, c.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("--cluster-tls-cert, --cluster-tls-key: %w", err)
		}
		config.GetCertificate = certificate.current
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return certificate.current(nil)
		}
	}
	if c.TLSCA != "" {
		text, err := os.ReadFile(c.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("--cluster-tls-ca: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--cluster-tls-ca %s: no certificate in it; want PEM", c.TLSCA)
		}
		config.RootCAs, config.ClientCAs, config.ClientAuth = pool, pool, tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// gatewayName names a gateway that was given no name.
func gatewayName() string {
	var name [8]byte
	rand.Read(name[:]) // never fails: it ends the program if there is no randomness
	return hex.EncodeToString(name[:])
}
