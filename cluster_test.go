package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/gateway"
	"github.com/tidegate/tidegate/internal/engine"
)

// What package cluster offers is what a gateway wants.
var _ gateway.Bus = cluster.Bus(nil)

// TestClusterErrors asks for buses that cannot be.
func TestClusterErrors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // the cases run after this function has returned
	const table = "dynamodb://tidegate?region=eu-central-1"
	secret := map[string]string{"secret": strings.Repeat("s", 40), "short": "hunter2\n", "pem": "no certificate"}
	for _, c := range []struct {
		name   string
		args   []string
		status int
		says   []string
	}{
		{"a store of one's own", []string{"--store", "memory:", "--cluster-listen", "127.0.0.1:0"}, 2, []string{"--store memory:", "dynamodb://TABLE"}},
		{"a file", []string{"--cluster", "nats://127.0.0.1:4222"}, 2, []string{"--store file:tidegate.db", "dynamodb://TABLE"}},
		{"both kinds", []string{"--store", table, "--cluster", "nats://127.0.0.1:4222", "--cluster-listen", "127.0.0.1:0"}, 2, []string{"--cluster-listen", "--cluster", "choose one"}},
		{"peers alone", []string{"--store", table, "--cluster-peers", "10.0.0.1:6222"}, 2, []string{"--cluster-listen", "--cluster"}},
		{"peers of NATS servers", []string{"--store", table, "--cluster", "nats://127.0.0.1:4222", "--cluster-peers", "10.0.0.1:6222"}, 2, []string{"--cluster-peers", "--cluster-listen"}},
		{"a secret for NATS servers", []string{"--store", table, "--cluster", "nats://127.0.0.1:4222", "--cluster-secret-file", "secret"}, 2, []string{"--cluster-secret-file", "--cluster-credentials"}},
		{"credentials for gateways", []string{"--store", table, "--cluster-listen", "127.0.0.1:0", "--cluster-credentials", "secret"}, 2, []string{"--cluster-credentials"}},
		{"everybody, without a secret", []string{"--store", table, "--cluster-listen", "0.0.0.0:0"}, 2, []string{"refusing", "0.0.0.0:0", "secret", "127.0.0.1"}},
		{"a secret that is not there", []string{"--store", table, "--cluster-listen", "127.0.0.1:0", "--cluster-secret-file", "none"}, 1, []string{"--cluster-secret-file", "none", "no such file"}},
		{"a secret that is too short", []string{"--store", table, "--cluster-listen", "127.0.0.1:0", "--cluster-secret-file", "short"}, 1, []string{"short", "7 bytes", "32"}},
		{"half of TLS", []string{"--store", table, "--cluster-listen", "127.0.0.1:0", "--cluster-tls-cert", "pem"}, 2, []string{"--cluster-tls-cert", "--cluster-tls-key"}},
		{"an authority alone", []string{"--store", table, "--cluster-listen", "127.0.0.1:0", "--cluster-tls-ca", "pem"}, 2, []string{"--cluster-tls-ca", "--cluster-tls-cert"}},
		{"an authority that is none", []string{"--store", table, "--cluster", "tls://127.0.0.1:4222", "--cluster-tls-ca", "pem"}, 1, []string{"--cluster-tls-ca", "pem", "PEM"}},
		{"an address without a port", []string{"--store", table, "--cluster-listen", "127.0.0.1"}, 2, []string{"127.0.0.1", "HOST:PORT"}},
		{"a peer that is a URL", []string{"--store", table, "--cluster-listen", "127.0.0.1:0", "--cluster-peers", "nats://gateway-2:6222"}, 2, []string{"nats://gateway-2:6222", "HOST:PORT"}},
		{"a port in use", []string{"--store", table, "--cluster-listen", taken.Addr().String()}, 1, []string{taken.Addr().String(), "in use"}},
		{"a server that is no URL", []string{"--store", table, "--cluster", "127.0.0.1:4222"}, 2, []string{"--cluster", "nats://HOST:PORT"}},
		{"credentials that are not there", []string{"--store", table, "--cluster", "nats://127.0.0.1:4222", "--cluster-credentials", "none.creds"}, 1, []string{"none.creds"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, content := range secret {
				write(t, dir, name, content)
			}
			r := tidegate(t, dir, nil, append([]string{"serve", "--listen", "127.0.0.1:0"}, c.args...)...)
			if r.status != c.status {
				t.Errorf("exit status %d, want %d", r.status, c.status)
			}
			for _, want := range c.says {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if t.Failed() {
				t.Logf("tidegate serve %s\n%s%s", strings.Join(c.args, " "), r.stdout, r.stderr)
			}
		})
	}
}

// TestClusterTLS opens two buses from flags, with certificates in files.
func TestClusterTLS(t *testing.T) {
	dir := t.TempDir()
	authority, certificate, key := certificates(t)
	flags := clusterFlags{
		Listen: "127.0.0.1:0", SecretFile: write(t, dir, "secret", strings.Repeat("s", 40)+"\n"),
		TLSCert: write(t, dir, "cert.pem", certificate), TLSKey: write(t, dir, "key.pem", key), TLSCA: write(t, dir, "ca.pem", authority),
	}
	open := func(name string, peers ...string) closingBus {
		flags.Peers = peers
		bus, err := flags.open(name, "dynamodb://tidegate", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { bus.Close() })
		return bus
	}
	first := open("first")
	second := open("second", first.(*cluster.Embedded).Address().String())
	heard := make(chan struct{}, 1)
	if _, err := second.Subscribe("test", func([]byte) {
		select {
		case heard <- struct{}{}:
		default:
		}
	}); err != nil {
		t.Fatal(err)
	}
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for late := time.After(patience); ; {
		first.Publish("test", nil)
		select {
		case <-heard:
			return
		case <-again.C:
		case <-late:
			t.Fatal("the second does not hear the first")
		}
	}
}

// certificates makes an authority, and a certificate of its with its key, for
// 127.0.0.1, in PEM.
func certificates(t *testing.T) (authority, certificate, key string) {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tests"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ownDER, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "gateway"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   ca.NotBefore, NotAfter: ca.NotAfter,
	}, ca, &own.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	ownKey, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return text("CERTIFICATE", caDER), text("CERTIFICATE", ownDER), text("PRIVATE KEY", ownKey)
}

// TestClusterProcesses runs two gateways on one table: what a device does on one
// reaches the devices of the other over the bus.
func TestClusterProcesses(t *testing.T) {
	e := engine.Need(t, engine.Dynoxide)
	store := fmt.Sprintf("dynamodb://%s?region=%s&endpoint=%s", e.Table(t), engine.Region, e.Endpoint)
	dir := t.TempDir()
	if made := tidegate(t, dir, e.Env(), "table", "create", "--store", store, "--allow-missing"); made.status != 0 {
		t.Fatalf("the table could not be made:\n%s%s", made.stdout, made.stderr)
	}
	write(t, dir, "secret", strings.Repeat("s", 40)+"\n")
	var routes []string
	for range 2 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, listener.Addr().String())
		listener.Close() // for a gateway to take
	}
	all := strings.Join(routes, ",") // its own address does no harm
	var gateways []*process
	var boards []*client.Space
	for i, route := range routes {
		g := serve(t, dir, e.Env(), "serve", "--listen", "127.0.0.1:0", "--store", store, "--name", fmt.Sprint("gateway-", i),
			"--cluster-listen", route, "--cluster-peers", all, "--cluster-secret-file", "secret")
		gateways = append(gateways, g)
		c, err := client.Open(t.Context(), client.Options{URL: "ws://" + g.address, Store: client.MemoryStore()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		boards = append(boards, c.Space("board", client.SpaceOptions{}))
	}
	deadline := time.Now().Add(patience)
	for sum := 0.0; sum < 10; sum = series(t, gateways[0], "tidegate_commits_heard_total") + series(t, gateways[1], "tidegate_commits_heard_total") {
		if time.Now().After(deadline) {
			t.Fatalf("nothing comes over the bus:\n%s\n%s", gateways[0].said(), gateways[1].said())
		}
		for i, b := range boards {
			w, err := b.Collection("cards").Create(t.Context(), client.NewID(), map[string]any{"by": i})
			if err != nil {
				t.Fatal(err)
			}
			v, err := w.Durable(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := boards[1-i].WaitFor(t.Context(), v.Seq); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, g := range gateways {
		joined := fmt.Sprintf(`msg="a gateway has joined the bus" peer=gateway-%d`, 1-i)
		for series(t, g, "tidegate_bus_connected") != 1 || !strings.Contains(g.said(), joined) {
			if time.Now().After(deadline) {
				t.Fatalf("it does not say that it is connected:\n%s", g.said())
			}
		}
	}
	for _, g := range gateways {
		if status := g.end(t); status != 0 {
			t.Errorf("exit status %d:\n%s", status, g.said())
		}
	}
}

// series reads a gateway's metric.
func series(t *testing.T, g *process, name string) (value float64) {
	t.Helper()
	response, err := http.Get("http://" + g.address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if figure, found := bytes.CutPrefix(line, []byte(name+" ")); found {
			if _, err := fmt.Sscan(string(figure), &value); err != nil {
				t.Fatal(err)
			}
		}
	}
	return value
}
