package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tidegate/tidegate/protocol"
)

// writeCertificate writes a certificate for 127.0.0.1 with a serial number.
func writeCertificate(t *testing.T, dir string, serial int64) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyBytes, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile = write(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	keyFile = write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyBytes})))
	pool = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return certFile, keyFile, pool
}

// TestCertificateReload shows that a renewed certificate is used, and that a
// broken one is not.
func TestCertificateReload(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, _ := writeCertificate(t, dir, 1)
	c, err := loadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		t.Helper()
		c.checked = time.Time{} // as if the time to look had come
		pair, err := c.current(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.SerialNumber.Int64()
	}
	change := func(name string, seconds int) {
		at := time.Now().Add(time.Duration(seconds) * time.Second)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if got := serial(); got != 1 {
		t.Errorf("certificate %d, want the first", got)
	}
	writeCertificate(t, dir, 2)
	change(certFile, 1)
	if got := serial(); got != 2 {
		t.Errorf("certificate %d, want the second", got)
	}
	write(t, dir, "key.pem", "half a k")
	change(keyFile, 2)
	if got := serial(); got != 2 {
		t.Errorf("certificate %d while the new key is broken", got)
	}
	writeCertificate(t, dir, 3)
	change(keyFile, 3)
	if got := serial(); got != 3 {
		t.Errorf("certificate %d, want the third", got)
	}
	if _, err := loadCertificate(filepath.Join(dir, "none.pem"), keyFile); err == nil {
		t.Error("a certificate that is not there was loaded")
	}
}

// TestTLS connects to the real program by wss.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile, pool := writeCertificate(t, dir, 1)
	g := serveAt(t, dir, "https", nil, "--listen", "127.0.0.1:0", "--store", "memory:", "--tls-cert", certFile, "--tls-key", keyFile)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	ws, _, err := websocket.Dial(ctx, "wss://"+g.address+protocol.SyncPath, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{protocol.Subprotocol},
		HTTPHeader: http.Header{"Origin": {"https://" + g.address}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	hello := protocol.EncodeMessage(&protocol.Hello{Version: protocol.Version, Device: protocol.DeviceID{1}})
	if err := ws.Write(ctx, websocket.MessageBinary, hello); err != nil {
		t.Fatal(err)
	}
	_, answer, err := ws.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	frames, err := protocol.DecodeMessage(answer, nil)
	if err != nil || frames[0].Type() != protocol.FrameWelcome {
		t.Errorf("the hello got %v, %v", frames, err)
	}
	if !strings.Contains(g.said(), "https://") {
		t.Errorf("it says\n%s", g.said())
	}
}
