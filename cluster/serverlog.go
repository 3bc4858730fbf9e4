package cluster

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// repeatAfter is how long the same trouble is not logged again: peers try once a
// second, for as long as it takes.
const repeatAfter = time.Minute

// serverLog takes what the embedded server logs, says what matters in the
// operator's words, and remembers it for Status. It implements server.Logger and
// is safe for concurrent use.
type serverLog struct {
	// Static.
	to    *slog.Logger
	fatal chan string // has room for one: why the server cannot work

	mu sync.Mutex
	// All guarded by mu.
	refusals uint64
	last     string               // what last kept a peer away
	logged   map[string]time.Time // when a trouble was last logged
}

func newServerLog(to *slog.Logger) *serverLog {
	return &serverLog{to: to, fatal: make(chan string, 1), logged: map[string]time.Time{}}
}

// refused notes a peer that does not know the secret.
func (l *serverLog) refused(address string) {
	l.mu.Lock()
	l.refusals++
	l.mu.Unlock()
	host := address
	if at := strings.LastIndexByte(address, ':'); at > 0 {
		host = address[:at] // each attempt has a port of its own
	}
	l.note("refused a gateway at "+host+": its cluster secret is not ours", "address", address)
}

// joined notes a peer.
func (l *serverLog) joined(name string) {
	l.mu.Lock()
	l.last = ""
	clear(l.logged)
	l.mu.Unlock()
	l.to.Info("a gateway has joined the bus", "peer", name)
}

// note remembers a trouble, and logs it unless it was logged a moment ago.
func (l *serverLog) note(trouble string, args ...any) {
	l.mu.Lock()
	l.last = trouble
	now := time.Now()
	recent := now.Sub(l.logged[trouble]) < repeatAfter
	if !recent {
		const most = 64 // troubles that differ, by address say
		if len(l.logged) >= most {
			clear(l.logged)
		}
		l.logged[trouble] = now
	}
	l.mu.Unlock()
	if !recent {
		l.to.Warn(trouble, args...)
	}
}

// trouble is what Status shows.
func (l *serverLog) trouble() (refusals uint64, last string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusals, l.last
}

// Noticef implements server.Logger.
func (l *serverLog) Noticef(format string, v ...any) {
	l.to.Debug("bus server: " + fmt.Sprintf(format, v...))
}

// Warnf implements server.Logger.
func (l *serverLog) Warnf(format string, v ...any) { l.Errorf(format, v...) }

// Errorf implements server.Logger.
func (l *serverLog) Errorf(format string, v ...any) {
	switch text := fmt.Sprintf(format, v...); {
	case strings.Contains(text, "Authorization Violation"):
		l.note("a peer refuses this gateway: its cluster secret is not ours")
	case strings.Contains(text, "authentication error"), strings.Contains(text, "Authentication Error"):
		// routeCheck has said it
	case strings.Contains(text, "duplicate name"):
		l.note("a peer has this gateway's name: each needs a name of its own")
	case strings.Contains(text, "cluster name"):
		l.note("a peer belongs to another fleet: the names of the clusters differ")
	default:
		l.note("bus server: " + text)
	}
}

// Fatalf implements server.Logger. It does not end the program. The port for
// clients is not wanted; see noPort.
func (l *serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.Contains(text, noPortAddress) {
		return
	}
	select {
	case l.fatal <- text:
	default:
	}
}

// Debugf implements server.Logger.
func (l *serverLog) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (l *serverLog) Tracef(string, ...any) {}
