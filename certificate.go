package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificateEvery is how often the files of a certificate are looked at again.
const certificateEvery = 10 * time.Second

// certificate is a certificate in two files, read again when they change: it is
// renewed without ending a connection. Safe for concurrent use.
type certificate struct {
	certFile, keyFile string // static

	mu      sync.Mutex
	pair    *tls.Certificate // guarded by mu
	changed time.Time        // guarded by mu: of the files that pair was read from
	checked time.Time        // guarded by mu
}

// loadCertificate reads a certificate and its key.
func loadCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	changed, err := c.lastChange()
	if err != nil {
		return nil, err
	}
	if err := c.loadLocked(changed); err != nil {
		return nil, err
	}
	return c, nil
}

// current is tls.Config.GetCertificate. While new files cannot be read, because
// one of the two is still to be written, say, the old certificate goes on.
func (c *certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) >= certificateEvery {
		c.checked = now
		if changed, err := c.lastChange(); err == nil && !changed.Equal(c.changed) {
			_ = c.loadLocked(changed)
		}
	}
	return c.pair, nil
}

// lastChange is when the younger of the files was written.
func (c *certificate) lastChange() (last time.Time, err error) {
	for _, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return last, err
		}
		if info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last, nil
}

func (c *certificate) loadLocked(changed time.Time) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", c.certFile, c.keyFile, err)
	}
	c.pair, c.changed = &pair, changed
	return nil
}
