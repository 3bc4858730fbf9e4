package client

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// linkPhase is where the connection is in its life.
type linkPhase uint8

const (
	linkWaiting linkPhase = iota // until retryAt
	linkDialing                  // Ready.Connect was given
	linkHello                    // connected, Hello sent
	linkLive                     // Welcome received
	linkStopped                  // the server said that trying again would not help
)

// link is the connection and what it remembers; all but the first group dies with
// it.
type link struct {
	phase    linkPhase
	retryAt  protocol.Time
	attempts int
	fresh    bool // the next connection needs another token
	awayFrom protocol.Time
	away     time.Duration // the server asked to stay away for a random part of this
	err      error
	welcome  protocol.Welcome // the last one
	clock    time.Duration    // how far the server's clock is ahead of ours

	handle  protocol.Handle // the last one given
	handles map[protocol.Handle]*space
	ending  map[protocol.Handle]ending

	since     protocol.Time // when it was made
	heard     protocol.Time // last message
	pinged    bool          // since then
	nonce     uint64
	refreshAt protocol.Time // when to ask for a fresh token; 0 for never
	proven    bool          // something useful came over the connection

	fetching int // values asked for

	received, acked uint64        // bytes of delivery messages; what the server was told of
	ackAt           protocol.Time // when an acknowledgement is due; 0 if there is nothing to tell
}

// ending is a handle that was given up and not answered yet: deliveries under it
// are still to be decoded, and what was pushed still counts.
type ending struct {
	names    *protocol.NameTable
	inFlight flight
}

// Deadlines of a connection.
const (
	// helloWithin bounds the wait for Welcome.
	helloWithin = 10 * time.Second
	// pingEvery is used until the server has named its own interval.
	pingEvery = 25 * time.Second
	// tokenLead is how long before its expiry a token is refreshed.
	tokenLead = 30 * time.Second
	// provenAfter is how long a connection must have lived to count as a good one,
	// if nothing useful came over it.
	provenAfter = 10 * time.Second
	// tokenRetry is the wait after a refresh failed.
	tokenRetry = 5 * time.Second
)

// later returns the time d after t, in whole milliseconds.
func later(t protocol.Time, d time.Duration) protocol.Time {
	return t + protocol.Time(d.Milliseconds())
}

// between returns how far b lies behind a. The server's clock is anybody's guess,
// so the difference is bounded to what a duration holds.
func between(a, b protocol.Time) time.Duration {
	const bound = protocol.Time(100 * 365 * 24 * time.Hour / time.Millisecond)
	return time.Duration(min(max(b-a, -bound), bound)) * time.Millisecond
}

// up says whether frames can be sent.
func (l *link) up() bool { return l.phase == linkHello || l.phase == linkLive }

// runLink does what the connection's timers ask for.
func (c *Core) runLink() {
	l := &c.link
	switch l.phase {
	case linkWaiting:
		if c.now >= l.retryAt && l.retryAt != 0 {
			l.phase = linkDialing
			c.out.Connect, c.out.FreshToken = true, l.fresh
			c.statusChanged = true
		}
	case linkHello:
		if c.now >= later(l.heard, helloWithin) {
			c.dropLink(protocol.Errorf(protocol.CodeSilent, "the gateway did not answer the hello"))
		}
	case linkLive:
		every := c.pingEvery()
		switch {
		case c.now >= later(l.heard, 2*every):
			c.dropLink(protocol.Errorf(protocol.CodeSilent, "the gateway has been silent for too long"))
			return
		case c.now >= later(l.heard, every) && !l.pinged:
			l.pinged = true
			l.nonce++
			c.send(&protocol.Ping{Nonce: l.nonce})
		}
		if l.refreshAt != 0 && c.now >= l.refreshAt {
			l.refreshAt = 0
			c.out.RefreshToken = true
		}
	}
}

func (c *Core) linkWake() protocol.Time {
	l := &c.link
	switch l.phase {
	case linkWaiting:
		return l.retryAt
	case linkHello:
		return later(l.heard, helloWithin)
	case linkLive:
		at := later(l.heard, c.pingEvery())
		if l.pinged {
			at = later(l.heard, 2*c.pingEvery())
		}
		if l.refreshAt != 0 {
			at = min(at, l.refreshAt)
		}
		return at
	}
	return 0
}

func (c *Core) pingEvery() time.Duration {
	if ms := c.link.welcome.PingEvery; ms > 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return pingEvery
}

// Connected says that the connection that Ready.Connect asked for is up. Token is
// what to show; empty for none.
func (c *Core) Connected(now protocol.Time, token string) {
	c.tick(now)
	l := &c.link
	if l.phase != linkDialing {
		return
	}
	l.phase, l.fresh = linkHello, false
	l.handle, l.handles, l.ending = 0, map[protocol.Handle]*space{}, map[protocol.Handle]ending{}
	l.since, l.heard, l.pinged, l.proven, l.refreshAt = c.now, c.now, false, false, 0
	l.received, l.acked, l.ackAt, l.fetching = 0, 0, 0, 0
	c.unpark()
	c.send(&protocol.Hello{
		Version: protocol.Version, Compression: c.cfg.Compression, Token: token, Device: c.device,
		Clock: c.now, Window: c.cfg.Window, Client: c.cfg.Client,
	})
	c.statusChanged = true
	c.advance()
}

// ConnectFailed says that there is no token or no connection to be had now.
func (c *Core) ConnectFailed(now protocol.Time, err error) {
	c.tick(now)
	if c.link.phase != linkDialing {
		return
	}
	c.wait(err)
	c.advance()
}

// Disconnected says that the connection has ended: with the code that the server
// closed it with, 0 if it just broke.
func (c *Core) Disconnected(now protocol.Time, code protocol.CloseCode, err error) {
	c.tick(now)
	if !c.link.up() {
		return
	}
	c.endLink()
	if err == nil {
		err = errors.New("the connection broke")
	}
	switch code.Action() {
	case protocol.Stop:
		c.link.phase, c.link.err = linkStopped, err
		c.statusChanged = true
	case protocol.RefreshToken:
		c.link.fresh = true
		c.wait(err)
	default:
		c.wait(err)
	}
	c.advance()
}

// Reconnect tries at once, also if the client was stopped by the server: the app
// knows that something changed (the network is back, the user has logged in).
func (c *Core) Reconnect(now protocol.Time) {
	c.tick(now)
	if l := &c.link; l.phase == linkWaiting || l.phase == linkStopped {
		l.phase, l.retryAt, l.attempts = linkWaiting, c.now, 0
	}
	c.advance()
}

// TokenRefreshed answers Ready.RefreshToken. An error is tried again.
func (c *Core) TokenRefreshed(now protocol.Time, token string, err error) {
	c.tick(now)
	if c.link.phase != linkLive {
		return
	}
	if err != nil {
		c.link.err = err
		c.link.refreshAt = later(c.now, tokenRetry)
		c.statusChanged = true
	} else {
		c.send(&protocol.Token{Token: token})
	}
	c.advance()
}

// dropLink closes the connection because of what came, or did not come, over it.
func (c *Core) dropLink(err *protocol.Error) {
	if !c.link.up() {
		return
	}
	c.out.Close = err
	c.endLink()
	if err.Code == protocol.CodeUpgrade {
		// The server speaks a format that only a newer library knows.
		c.link.phase, c.link.err = linkStopped, err
		c.statusChanged = true
		return
	}
	c.wait(err)
}

// endLink forgets what belongs to the connection.
func (c *Core) endLink() {
	for _, handle := range handlesOf(c.link.handles) {
		s := c.link.handles[handle]
		s.endSubscription()
		c.changed(s)
	}
	for _, s := range c.sorted {
		s.retryAt = 0
	}
	if c.now >= later(c.link.since, provenAfter) {
		c.progress()
	}
	c.link.handles, c.link.ending = nil, nil
	c.out.Send = nil
	c.out.RefreshToken = false
}

// wait starts the wait before the next connection: exponential backoff with full
// jitter ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015), or the
// spread that a gateway which is going away asked for.
func (c *Core) wait(err error) {
	l := &c.link
	l.phase, l.err = linkWaiting, err
	if l.away > 0 {
		l.retryAt = max(c.now, l.awayFrom)
		l.away = 0
	} else {
		l.retryAt = c.now + c.jitter(c.backoff(l.attempts))
		l.attempts++
	}
	l.retryAt = max(l.retryAt, 1)
	c.statusChanged = true
}

// backoff returns the limit of the wait after a number of vain attempts.
func (c *Core) backoff(attempts int) time.Duration {
	limit := c.cfg.Backoff.Min
	for range min(attempts, 30) {
		limit = min(2*limit, c.cfg.Backoff.Max)
	}
	return limit
}

// jitter returns a random wait of at most limit, in milliseconds.
func (c *Core) jitter(limit time.Duration) protocol.Time {
	var random [8]byte
	c.random.Read(random[:]) // never fails
	return protocol.Time(binary.BigEndian.Uint64(random[:]) % (uint64(limit.Milliseconds()) + 1))
}

// progress notes that the connection is good for something: the next wait is
// short again. A welcome alone is not enough, else a gateway that fails right
// behind it would be asked without end.
func (c *Core) progress() {
	if !c.link.proven {
		c.link.proven, c.link.attempts = true, 0
	}
}

// control takes the frames that are not deliveries.
func (c *Core) control(frame protocol.Frame) error {
	l := &c.link
	if w, ok := frame.(*protocol.Welcome); ok {
		return c.welcomed(w)
	}
	if e, ok := frame.(*protocol.ErrorFrame); ok {
		return c.errorFrame(e)
	}
	if g, ok := frame.(*protocol.GoingAway); ok {
		l.away = time.Duration(min(g.Within, uint64(time.Hour.Milliseconds()))) * time.Millisecond
		l.awayFrom = c.now + c.jitter(l.away)
		l.away = max(l.away, 1)
		return nil
	}
	if l.phase != linkLive {
		return outOfPlace(frame)
	}
	switch f := frame.(type) {
	case *protocol.Subscribed:
		return c.subscribed(f)
	case *protocol.Unsubscribed:
		return c.unsubscribed(f)
	case *protocol.Verdicts:
		return c.verdicts(f)
	case *protocol.Present:
		return c.presentChanged(f)
	case *protocol.Fetched:
		return c.fetched(f)
	case *protocol.TokenAccept:
		c.expiresAt(f.Expires)
		c.unpark()
		return nil
	case *protocol.Ping:
		c.send(&protocol.Pong{Nonce: f.Nonce, Clock: c.now})
		return nil
	case *protocol.Pong:
		return nil
	}
	return outOfPlace(frame)
}

func (c *Core) welcomed(w *protocol.Welcome) error {
	l := &c.link
	if l.phase != linkHello {
		return outOfPlace(w)
	}
	if w.Version != protocol.Version {
		return protocol.Errorf(protocol.CodeUpgrade, "the gateway wants protocol version %d, this client speaks %d", w.Version, protocol.Version)
	}
	l.phase, l.welcome, l.err = linkLive, *w, nil
	l.clock = between(c.now, w.Clock)
	c.expiresAt(w.Expires)
	c.stats.Connections++
	c.statusChanged = true
	return nil
}

// expiresAt plans the refresh of the token: some time before it ends, but not in
// the first three quarters of a short life.
func (c *Core) expiresAt(expires protocol.Time) {
	l := &c.link
	l.refreshAt = 0
	if expires == 0 {
		return
	}
	left := max(between(later(c.now, l.clock), expires), 0)
	l.refreshAt = later(c.now, left-min(tokenLead, left/4))
}

func (c *Core) errorFrame(f *protocol.ErrorFrame) error {
	err := &protocol.Error{Code: f.Code, Message: f.Message}
	if f.Handle == 0 {
		c.link.err = err // if it ends the connection, the close code says what to do
		c.statusChanged = true
		return nil
	}
	if s := c.link.handles[f.Handle]; s != nil {
		c.pushRefused(s, f)
		return nil
	}
	_, liveErr := c.live(f.Handle)
	return liveErr
}

// Status returns the client's condition.
func (c *Core) Status() Status {
	l := &c.link
	status := Status{LastError: l.err, User: l.welcome.User, Clock: l.clock}
	switch l.phase {
	case linkWaiting:
		status.State = Offline
		if l.retryAt != 0 {
			status.RetryAt = time.UnixMilli(int64(l.retryAt))
		}
	case linkDialing, linkHello:
		status.State = Connecting
	case linkLive:
		status.State = Live
	case linkStopped:
		status.State = Stopped
	}
	for _, s := range c.sorted {
		status.Pending += len(s.queue)
		if s.subscription == subscriptionLive && len(s.queue) > 0 {
			status.Sent += int(max(s.pushed, s.queue[0].counter-1) - (s.queue[0].counter - 1))
		}
		status.Rejected += len(s.rejected)
		status.Conflicts += len(s.conflicts)
		if status.LastError == nil {
			status.LastError = s.err
		}
	}
	return status
}

// Stats returns what the core counted; the shell counts bytes and messages.
func (c *Core) Stats() Stats { return c.stats }
