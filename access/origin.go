package access

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/tidegate/tidegate/protocol"
)

// CheckOrigin says whether a page of origin may connect. It compares scheme,
// host and port with those under which the gateway was asked (the request's Host
// header; https if tls), and with the allowed origins. Its error is a
// *protocol.Error with CodeOrigin.
//
// An empty origin is allowed: it comes from something that is not a browser, and
// that could have sent any other. "null" (a file, a sandboxed frame) is allowed
// only if it is listed. An entry's port may be "*".
//
// Behind a proxy that ends TLS the gateway is asked by http and pages are https:
// their origin must be listed.
func CheckOrigin(origin, host string, tls bool, allowed []string) error {
	if origin == "" {
		return nil
	}
	for _, a := range allowed {
		if matchOrigin(origin, a) {
			return nil
		}
	}
	own := "http://" + host
	if tls {
		own = "https://" + host
	}
	if matchOrigin(origin, own) {
		return nil
	}
	return refusal(protocol.CodeOrigin, "pages of origin %s may not connect here (%s): it must be among the allowed origins", quote(origin), quote(own))
}

// CheckAllowedOrigin says what is wrong with an entry of the list of allowed
// origins.
func CheckAllowedOrigin(entry string) error {
	if entry == "null" {
		return nil
	}
	if _, _, _, err := splitOrigin(strings.TrimSuffix(entry, ":*")); err != nil {
		return fmt.Errorf("allowed origin %s: %w; write it like https://app.example.com or http://localhost:*", quote(entry), err)
	}
	return nil
}

func matchOrigin(origin, allowed string) bool {
	if origin == "null" || allowed == "null" {
		return origin == allowed
	}
	scheme, host, port, err := splitOrigin(origin)
	if err != nil {
		return false
	}
	allowed, anyPort := strings.CutSuffix(allowed, ":*")
	allowedScheme, allowedHost, allowedPort, err := splitOrigin(allowed)
	if err != nil {
		return false
	}
	return scheme == allowedScheme && host == allowedHost && (anyPort || port == allowedPort)
}

// splitOrigin takes an origin apart (RFC 6454): nothing but scheme, host and
// port may stand there. The port is never empty.
func splitOrigin(origin string) (scheme, host, port string, err error) {
	u, err := url.Parse(origin)
	switch {
	case err != nil:
		return "", "", "", errors.New("not an origin")
	case strings.Contains(u.Host, "*"):
		return "", "", "", errors.New("a pattern")
	case u.Scheme == "" || u.Opaque != "" || u.Hostname() == "":
		return "", "", "", errors.New("scheme or host is missing")
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(origin, "#"):
		return "", "", "", errors.New("more than scheme, host and port")
	}
	scheme, port = strings.ToLower(u.Scheme), u.Port()
	if port == "" {
		switch scheme {
		case "https":
			port = "443"
		case "http":
			port = "80"
		default:
			port = "-" // an app's own scheme has none
		}
	}
	return scheme, strings.ToLower(u.Hostname()), port, nil
}
