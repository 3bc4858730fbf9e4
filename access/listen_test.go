package access

import (
	"strings"
	"testing"
)

func TestRefuseOpenListen(t *testing.T) {
	for addr, refused := range map[string]bool{
		"127.0.0.1:8787":              false,
		"127.8.9.10:0":                false,
		"localhost:8787":              false,
		"[::1]:8787":                  false,
		"[::ffff:127.0.0.1]:8787":     false,
		":8787":                       true,
		"0.0.0.0:8787":                true,
		"[::]:8787":                   true,
		"192.168.1.5:8787":            true,
		"[fe80::1%eth0]:8787":         true,
		"[::ffff:10.0.0.1]:8787":      true,
		"8787":                        true,
		"":                            true,
		"does-not-exist.invalid:8787": true,
	} {
		err := RefuseOpenListen(addr, false)
		if (err != nil) != refused {
			t.Errorf("%q without authentication: %v", addr, err)
		}
		if err := RefuseOpenListen(addr, true); err != nil {
			t.Errorf("%q with authentication: %v", addr, err)
		}
	}
	if err := RefuseOpenListen(":8787", false); !strings.Contains(err.Error(), "127.0.0.1") || !strings.Contains(err.Error(), "secret file") {
		t.Errorf("the message does not say how to mend it: %v", err)
	}
}

func TestCheckLocalHost(t *testing.T) {
	for host, refused := range map[string]bool{
		"localhost":           false,
		"localhost:8787":      false,
		"LOCALHOST.:8787":     false,
		"app.localhost:8787":  false,
		"127.0.0.1:8787":      false,
		"[::1]:8787":          false,
		"[::1]":               false,
		"":                    true,
		"evil.example.com":    true,
		"evil.example.com:80": true,
		"localhost.evil.com":  true,
		"127.0.0.1.evil.com":  true,
		"10.0.0.1:8787":       true,
		"notlocalhost":        true,
		"[::1].evil.com:8787": true,
	} {
		if err := CheckLocalHost(host); (err != nil) != refused {
			t.Errorf("%q: %v", host, err)
		}
	}
}
