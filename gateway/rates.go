package gateway

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rates bound how often a peer may do something. Each is a token bucket: PerSecond
// refills it, Burst is its size. A zero PerSecond switches the limit off.
type Rates struct {
	// Connections: new connections from one address (10 a second, 100 at once).
	// IPv6 addresses count by their /64, which is what one household has. Connections
	// from this machine are not limited: they are a proxy's, which limits by itself.
	Connections Rate
	// Messages: WebSocket messages on one connection (1,000 a second, 2,000 at once).
	// More waits in the socket: the reader pauses, TCP tells the peer.
	Messages Rate
	// Presence: presence frames on one connection (20 a second, 60 at once). Of more
	// the latest waits for its turn and the others are lost, as presence may be.
	Presence Rate
}

// Rate is a token bucket's measures.
type Rate struct {
	PerSecond float64
	Burst     int
}

// DefaultRates returns the defaults.
func DefaultRates() Rates {
	return Rates{
		Connections: Rate{PerSecond: 10, Burst: 100},
		Messages:    Rate{PerSecond: 1000, Burst: 2000},
		Presence:    Rate{PerSecond: 20, Burst: 60},
	}
}

// limiter returns a bucket of these measures.
func (r Rate) limiter() *rate.Limiter {
	if r.PerSecond <= 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(r.PerSecond), max(r.Burst, 1))
}

// maxAddresses bounds the memory that strangers can take. Beyond it the buckets
// that are full again, which say nothing, are dropped; if there are none, the
// newcomer shares one bucket with all other newcomers.
const maxAddresses = 1 << 16

// addressLimits limits new connections by address. Safe for concurrent use.
type addressLimits struct {
	rate Rate // static

	mu       sync.Mutex
	buckets  map[netip.Prefix]*rate.Limiter // guarded by mu
	overflow *rate.Limiter                  // guarded by mu
	swept    time.Time                      // guarded by mu
}

func newAddressLimits(r Rate) *addressLimits {
	return &addressLimits{rate: r, buckets: map[netip.Prefix]*rate.Limiter{}, overflow: r.limiter()}
}

// allow reports whether one more connection from remote (host:port) may come now.
func (l *addressLimits) allow(remote string, now time.Time) bool {
	if l.rate.PerSecond <= 0 {
		return true
	}
	address, err := netip.ParseAddrPort(remote)
	if err != nil {
		return true // not a network address: a test's pipe
	}
	bits := 32
	ip := address.Addr().Unmap()
	if ip.Is6() {
		bits = 64
	}
	if ip.IsLoopback() {
		return true
	}
	prefix, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket := l.buckets[prefix]
	if bucket == nil {
		if len(l.buckets) >= maxAddresses {
			l.dropFullLocked(now)
		}
		if len(l.buckets) >= maxAddresses {
			return l.overflow.AllowN(now, 1)
		}
		bucket = l.rate.limiter()
		l.buckets[prefix] = bucket
	}
	return bucket.AllowN(now, 1)
}

// dropFullLocked forgets the addresses that have been quiet for long enough. It
// looks through all of them, so once a second is enough.
func (l *addressLimits) dropFullLocked(now time.Time) {
	if now.Sub(l.swept) < time.Second {
		return
	}
	l.swept = now
	for prefix, bucket := range l.buckets {
		if bucket.TokensAt(now) >= float64(bucket.Burst()) {
			delete(l.buckets, prefix)
		}
	}
}
