package access

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// lookupWithin bounds the resolution of a listen address's host.
const lookupWithin = 3 * time.Second

// RefuseOpenListen refuses to serve without authentication on an address that
// other machines may reach: anything but loopback addresses and names all of
// whose addresses are such. ":8787" listens everywhere.
func RefuseOpenListen(addr string, hasAuth bool) error {
	if hasAuth {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("listen address %s: %w", quote(addr), err)
	}
	if isLoopback(host) {
		return nil
	}
	return fmt.Errorf("refusing to listen on %s without authentication: every machine that reaches it could read and write everything; "+
		"listen on 127.0.0.1, or configure a secret file or a JWK set to verify tokens with", addr)
}

// CheckLocalHost is for development mode: it refuses requests whose Host header
// names another machine. A page of any site can have its name resolve to
// 127.0.0.1 and thus be of the "same origin" as a gateway there; its requests
// still carry that name.
func CheckLocalHost(host string) error {
	if isLoopbackHost(hostname(host)) {
		return nil
	}
	return refusal(protocol.CodeOrigin, "without authentication only this machine is served, as localhost or 127.0.0.1, not as %s", quote(host))
}

// isLoopback reports whether host, which may be a name, is this machine alone.
func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	if host == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupWithin)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(addrs) == 0 {
		return false
	}
	for _, a := range addrs {
		if !a.IsLoopback() {
			return false
		}
	}
	return true
}

// isLoopbackHost reports whether host is written as this machine: an address, or
// "localhost", which RFC 6761 gives to nobody else. It asks no resolver.
func isLoopbackHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsLoopback()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// hostname is the host of a Host header, without port and brackets.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}
