package loadtest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// echo serves a listener that sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

func TestProxyPassesEverything(t *testing.T) {
	p, err := newProxy(echo(t), 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	c, err := net.Dial("tcp", p.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sent := bytes.Repeat([]byte("tide"), 100_000)
	go func() { _, _ = c.Write(sent) }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Error("what came back is not what was sent")
	}
	if n := p.cuts.Load(); n != 0 {
		t.Errorf("%d cuts without a reason", n)
	}
}

func TestProxyCuts(t *testing.T) {
	p, err := newProxy(echo(t), 1, 5*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for range 5 {
		c, err := net.Dial("tcp", p.address())
		if errors.Is(err, syscall.ECONNRESET) {
			continue // cut before it was known to be open
		}
		if err != nil {
			t.Fatal(err)
		}
		// Nobody sends anything, so only the cut can end the read.
		if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("the connection ended with %v, not with a reset", err)
		}
		c.Close()
	}
	if n := p.cuts.Load(); n < 5 {
		t.Errorf("%d cuts counted of 5", n)
	}
}

func TestProxyCloseEndsConnections(t *testing.T) {
	p, err := newProxy(echo(t), 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", p.address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	p.close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outlived the proxy")
	}
}
