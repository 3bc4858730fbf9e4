package access

import (
	"errors"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

func TestCheckOrigin(t *testing.T) {
	listed := []string{"https://app.example.com", "http://dev.example.com:3000", "http://localhost:*", "capacitor://localhost"}
	for _, c := range []struct {
		origin, host string
		tls          bool
		allowed      []string
		ok           bool
	}{
		{"", "tidegate.example.com", true, nil, true}, // not a browser

		// The same origin.
		{"https://example.com", "example.com", true, nil, true},
		{"https://example.com:443", "example.com", true, nil, true},
		{"https://example.com", "example.com:443", true, nil, true},
		{"http://example.com", "example.com:80", false, nil, true},
		{"HTTPS://EXAMPLE.com", "Example.COM", true, nil, true},
		{"http://127.0.0.1:8787", "127.0.0.1:8787", false, nil, true},
		{"http://[::1]:8787", "[::1]:8787", false, nil, true},

		// Scheme, host and port all count.
		{"http://example.com", "example.com", true, nil, false},
		{"https://example.com", "example.com", false, nil, false},
		{"https://www.example.com", "example.com", true, nil, false},
		{"https://example.com.evil.com", "example.com", true, nil, false},
		{"https://evilexample.com", "example.com", true, nil, false},
		{"https://example.com:8443", "example.com", true, nil, false},
		{"https://example.com:80", "example.com", true, nil, false},
		{"http://localhost:8787", "127.0.0.1:8787", false, nil, false},

		// Not origins.
		{"null", "example.com", true, nil, false},
		{"null", "example.com", true, listed, false},
		{"null", "null", true, nil, false},
		{"example.com", "example.com", true, nil, false},
		{"https://", "", true, nil, false},
		{"https://example.com/", "example.com", true, nil, false},
		{"https://example.com/path", "example.com", true, nil, false},
		{"https://example.com?", "example.com", true, nil, false},
		{"https://example.com#", "example.com", true, nil, false},
		{"https://user@example.com", "example.com", true, nil, false},
		{"https:example.com", "example.com", true, nil, false},
		{"https://example.com:x", "example.com", true, nil, false},
		{"https://exa mple.com", "exa mple.com", true, nil, false},
		{"https://example.com", "", true, nil, false},

		// The list.
		{"https://app.example.com", "gate:8787", false, listed, true},
		{"https://app.example.com:443", "gate:8787", false, listed, true},
		{"https://app.example.com:8443", "gate:8787", false, listed, false},
		{"http://app.example.com", "gate:8787", false, listed, false},
		{"http://dev.example.com:3000", "gate:8787", false, listed, true},
		{"http://dev.example.com", "gate:8787", false, listed, false},
		{"http://localhost:5173", "gate:8787", false, listed, true},
		{"http://localhost", "gate:8787", false, listed, true},
		{"https://localhost:5173", "gate:8787", false, listed, false},
		{"http://localhost.evil.com:5173", "gate:8787", false, listed, false},
		{"capacitor://localhost", "gate:8787", false, listed, true},
		{"null", "gate:8787", false, []string{"null"}, true},
		{"https://x.com", "gate:8787", false, []string{"null"}, false},
		{"https://x.com", "gate:8787", false, []string{"*", "https://*", "x.com", ""}, false},
	} {
		err := CheckOrigin(c.origin, c.host, c.tls, c.allowed)
		if (err == nil) != c.ok {
			t.Errorf("origin %q at %q, tls %v, %q: %v", c.origin, c.host, c.tls, c.allowed, err)
		}
		var told *protocol.Error
		if err != nil && (!errors.As(err, &told) || told.Code != protocol.CodeOrigin) {
			t.Errorf("origin %q: not CodeOrigin: %v", c.origin, err)
		}
	}
}

func TestCheckAllowedOrigin(t *testing.T) {
	for entry, ok := range map[string]bool{
		"https://app.example.com":      true,
		"https://app.example.com:8443": true,
		"http://localhost:*":           true,
		"null":                         true,
		"capacitor://localhost":        true,
		"":                             false,
		"*":                            false,
		"app.example.com":              false,
		"localhost:8080":               false,
		"https://app.example.com/":     false,
		"https://app.example.com/x":    false,
		"https://*.example.com":        false,
		":*":                           false,
	} {
		if err := CheckAllowedOrigin(entry); (err == nil) != ok {
			t.Errorf("%q: %v", entry, err)
		}
	}
}
