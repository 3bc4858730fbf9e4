package gateway

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"github.com/tidegate/tidegate/access"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/session"
	"github.com/tidegate/tidegate/space"
)

// closeWithin bounds how long a peer may take to answer a close.
const closeWithin = 3 * time.Second

// phase is where a connection is in its life, for the metrics.
type phase int32

const (
	phaseHello phase = iota
	phaseLive
	phaseDraining
	phases
)

func (p phase) String() string {
	return [...]string{phaseHello: "hello", phaseLive: "live", phaseDraining: "draining"}[p]
}

// connection is one WebSocket.
type connection struct {
	// Static.
	server *Server
	name   string
	remote string
	ws     *websocket.Conn
	socket *socket
	inbox  *inbox
	// fromPeer carries what reader has read: one message at a time, when owner
	// takes it.
	fromPeer chan session.Input
	// ctx ends with the connection.
	ctx  context.Context
	stop context.CancelFunc

	phase atomic.Int32

	// Owned by owner.
	session  *session.Session
	log      *slog.Logger
	queue    []session.Input
	written  bool // a message was written, and the session is to hear of it
	paused   bool
	wake     protocol.Time // when the session wants a Tick
	presence *rate.Limiter
	// waiting is presence that the rate limit holds back, the latest of each handle.
	waiting map[protocol.Handle]protocol.Value
	closed  bool
	said    bool // the gateway sent the close code

	mu sync.Mutex
	// subscriptions is written by owner under mu, read by owner without and by
	// metrics with it.
	subscriptions map[protocol.Handle]*subscription
}

// reader reads from the socket until it ends.
func (c *connection) reader() {
	limit := c.server.cfg.Rates.Messages.limiter()
	for {
		in := c.read()
		// Waiting here is the whole enforcement: the socket fills, and TCP tells the
		// peer to slow down. Nothing is lost, and nobody is turned away for a burst.
		if err := limit.Wait(c.ctx); err != nil {
			return
		}
		select {
		case c.fromPeer <- in:
		case <-c.ctx.Done():
			return
		}
		if _, message := in.(session.Message); !message {
			return
		}
	}
}

// read returns the peer's next message, or what is wrong with it, or that the
// socket has ended.
func (c *connection) read() session.Input {
	kind, body, err := c.ws.Reader(context.Background())
	if err != nil {
		return session.Gone{}
	}
	if kind != websocket.MessageBinary {
		return session.Violated{Err: &protocol.Error{Code: protocol.CodeMalformed, Message: "a text message: all messages are binary"}}
	}
	limit := c.server.cfg.Limits.FrameBytes
	// ReadAll grows with what has arrived, never with what was announced.
	data, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
	switch {
	case len(data) > limit:
		return session.Violated{Err: &protocol.Error{Code: protocol.CodeTooLarge,
			Message: "a message of more than " + strconv.Itoa(limit) + " bytes"}}
	case err != nil:
		return session.Gone{}
	}
	return session.Message{Bytes: data}
}

// owner owns the session until the connection ends.
func (c *connection) owner() {
	defer c.end()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	c.queue = append(c.queue, session.Tick{}) // it says when it wants the next
	c.run()
	for !c.closed {
		fromPeer := c.fromPeer
		if c.paused {
			fromPeer = nil
		}
		c.setTimer(timer)
		select {
		case in := <-fromPeer:
			c.queue = append(c.queue, in)
		case <-c.inbox.wake:
			c.queue = c.inbox.take(c.queue)
		case <-timer.C:
			c.queue = append(c.queue, session.Tick{})
		case <-c.ctx.Done():
			c.queue = append(c.queue, session.Gone{})
		}
		c.run()
	}
}

// setTimer sets the timer for the session's next Tick, or for presence that
// waits.
func (c *connection) setTimer(timer *time.Timer) {
	wait := time.Hour
	if c.wake != 0 {
		wait = time.Until(time.UnixMilli(int64(c.wake)))
	}
	if len(c.waiting) > 0 {
		wait = min(wait, 50*time.Millisecond)
	}
	timer.Reset(max(wait, 0))
}

// run steps the session until there is nothing left to tell it.
func (c *connection) run() {
	for !c.closed {
		var in session.Input
		switch {
		case len(c.queue) > 0:
			in = c.queue[0]
			c.queue = c.queue[1:]
		case c.written:
			// Last: the session chooses its next message knowing all that came while
			// this one was written.
			c.written = false
			in = session.Written{}
		default:
			c.queue = nil
			c.flushPresence()
			return
		}
		switch event := in.(type) {
		case session.Gone:
			c.closed = true
		case chunkRead:
			if s := c.subscriptions[event.Handle]; s != nil && event.ackNow {
				s.ackNow = event.To.Cursor.Seq
			}
			in = event.Chunk
		case session.Authenticated:
			c.log = c.log.With("tenant", event.Access.Tenant(), "user", event.Access.User())
			c.log.Debug("authenticated")
		case session.AttachFailed:
			c.forget(event.Handle)
		case session.SpaceFailed:
			c.forget(event.Handle)
		}
		c.session.Step(c.server.now(), in)
		if attached, is := in.(session.Attached); is {
			// Only now: a session passes over presence that comes before.
			c.joinRoom(attached.Handle)
		}
		c.perform(c.session.Ready())
	}
}

// perform does what the session is ready for, in the order that Ready states.
func (c *connection) perform(r session.Ready) {
	c.paused = r.Pause
	c.wake = r.Wake
	if r.Authenticate != nil {
		go c.authenticate(r.Authenticate.Token)
	}
	for _, a := range r.Attach {
		c.attach(a)
	}
	for _, p := range r.Push {
		if s := c.subscriptions[p.Handle]; s != nil {
			c.push(s, p)
		}
	}
	for _, f := range r.Confirm {
		if s := c.subscriptions[f.Handle]; s != nil {
			s.attached.Confirm(f.Counters)
		}
	}
	for _, m := range r.Cursor {
		if s := c.subscriptions[m.Handle]; s != nil {
			s.moved(m.Cursor.Seq)
			if s.ackNow != 0 && m.Cursor.Seq >= s.ackNow {
				c.server.spaces.converged(s.key, s.ackNow)
				s.ackNow = 0
			}
		}
	}
	for _, p := range r.Presence {
		c.setPresence(p)
	}
	for _, f := range r.Fetch {
		if s := c.subscriptions[f.Handle]; s != nil {
			go c.fetch(s, f.Blob)
		}
	}
	for _, read := range r.Read {
		switch s := c.subscriptions[read.Handle]; {
		case s == nil:
		case s.near(read.From):
			c.queue = append(c.queue, c.readSpace(s, read))
		default:
			// It may have to come from the store: in a goroutine of its own.
			go func() { c.inbox.put(c.readSpace(s, read)) }()
		}
	}
	for _, handle := range r.Detach {
		c.detach(handle)
	}
	if r.Write != nil {
		if err := c.socket.writeMessage(r.Write.Prefix, r.Write.Frames); err != nil {
			c.queue = append(c.queue[:0], session.Gone{})
			if r.Close == nil {
				return
			}
		}
		c.written = true
		c.queue = c.inbox.take(c.queue)
	}
	if r.Close != nil {
		c.closed = true
		c.close(r.Close)
	}
}

// authenticate verifies a token, in a goroutine of its own: keys may have to be
// fetched.
func (c *connection) authenticate(token string) {
	grant, err := c.server.cfg.Verifier.Verify(c.ctx, token)
	if err != nil {
		c.inbox.put(session.Refused{Err: protocol.AsError(err)})
		return
	}
	c.phase.CompareAndSwap(int32(phaseHello), int32(phaseLive))
	c.inbox.put(session.Authenticated{Access: grant})
}

// A grant is all that a session asks about access.
var _ session.Access = (*access.Grant)(nil)

// attach opens a space for the session.
func (c *connection) attach(a session.Attach) {
	s := &subscription{
		handle:  a.Handle,
		key:     space.Key{Tenant: a.Tenant, Space: a.Space},
		author:  a.Author,
		inbox:   c.inbox,
		watches: a.Presence,
	}
	attachment, err := c.server.manager.Attach(s.key, space.Attach{
		Device:   a.Author.Device,
		User:     a.Author.User,
		Cursor:   a.Cursor,
		Counter:  a.Counter,
		ReadOnly: !a.Write,
	}, s)
	if err != nil {
		c.inbox.put(session.AttachFailed{Handle: a.Handle, Err: err})
		return
	}
	s.attached = attachment
	c.mu.Lock()
	c.subscriptions[a.Handle] = s
	c.mu.Unlock()
}

// joinRoom lets an attached subscription take part in its space's presence.
func (c *connection) joinRoom(handle protocol.Handle) {
	if s := c.subscriptions[handle]; s != nil && !s.joined {
		s.joined = true
		c.server.presence.join(s, s.watches)
	}
}

// push passes a push on to its space, unless that is without its store. What was
// pushed before goes on, and may or may not be committed already. An error to a
// later push would have to wait for that: then the subscription ends instead, and
// the device is told what became of it all when it is back.
func (c *connection) push(s *subscription, p session.Push) {
	if !c.server.outages.out(s.key) {
		s.pushed(p.ID, p.First+uint64(len(p.Bodies))-1)
		s.attached.Push(space.Push{ID: p.ID, First: p.First, Previous: p.Previous, Bodies: p.Bodies})
		return
	}
	c.server.metrics.unavailable.Inc()
	if s.unanswered() {
		c.detach(p.Handle)
		c.queue = append(c.queue, session.SpaceFailed{Handle: p.Handle, Err: errOut})
	} else {
		c.queue = append(c.queue, session.PushRefused{Handle: p.Handle, Push: p.ID, Err: errOut})
	}
}

// detach closes a space.
func (c *connection) detach(handle protocol.Handle) {
	if s := c.forget(handle); s != nil {
		s.attached.Detach()
	}
}

// forget ends what this side has of a subscription, whose space has ended it
// already if it is not to be detached.
func (c *connection) forget(handle protocol.Handle) *subscription {
	s := c.subscriptions[handle]
	if s == nil {
		return nil
	}
	c.mu.Lock()
	delete(c.subscriptions, handle)
	c.mu.Unlock()
	delete(c.waiting, handle)
	if s.joined {
		c.server.presence.leave(s)
	}
	return s
}

// readSpace reads what the session asked for, and returns the answer.
func (c *connection) readSpace(s *subscription, read session.Read) session.Input {
	from := space.Position{Cursor: read.From.Cursor, Snapshot: read.From.Snapshot}
	if position, inside := read.From.Scan.(space.Position); inside {
		from = position
	}
	chunk, err := s.attached.Read(c.ctx, space.ReadRequest{
		From:        from,
		MaxBytes:    read.MaxBytes,
		Collections: read.Collections,
		Device:      read.Device,
		Compress:    read.Compression != "" && read.Compression != "none",
	})
	if err != nil {
		return session.ReadFailed{Handle: s.handle, Err: err}
	}
	to := session.Position{Cursor: chunk.To.Cursor, Snapshot: chunk.To.Snapshot}
	if chunk.To.Snapshot {
		to.Scan = chunk.To
	}
	c.server.metrics.deliveries.Add(float64(chunk.Commits))
	return chunkRead{
		Chunk:  session.Chunk{Handle: s.handle, Frames: chunk.Frames, To: to, More: chunk.More},
		ackNow: chunk.AckNow,
	}
}

// chunkRead is a chunk on its way to the session, with what the metrics want to
// know of it.
type chunkRead struct {
	session.Chunk
	ackNow bool
}

// fetch gets an overwritten value from the store.
func (c *connection) fetch(s *subscription, blob protocol.BlobID) {
	value, err := s.attached.Fetch(c.ctx, blob)
	if err != nil {
		// Absent is an answer; asking again is the client's choice.
		c.server.cfg.Log.Warn("fetching an overwritten value", "session", c.name, "error", err)
	}
	c.inbox.put(session.Fetched{Handle: s.handle, Blob: blob, Value: value})
}

// setPresence sets presence now, or remembers it until the rate limit lets it.
func (c *connection) setPresence(p session.Presence) {
	s := c.subscriptions[p.Handle]
	if s == nil {
		return
	}
	if _, waits := c.waiting[p.Handle]; waits || !c.presence.Allow() {
		if waits {
			c.server.metrics.presenceDropped.Inc()
		}
		c.waiting[p.Handle] = p.Value
		return
	}
	c.server.presence.set(s, p.Value)
}

// flushPresence sets the presence that has waited, as far as the limit lets it.
func (c *connection) flushPresence() {
	for handle, value := range c.waiting {
		if !c.presence.Allow() {
			return
		}
		delete(c.waiting, handle)
		if s := c.subscriptions[handle]; s != nil {
			c.server.presence.set(s, value)
		}
	}
}

// close ends the WebSocket with a code.
func (c *connection) close(how *session.Close) {
	c.said = true
	c.server.metrics.closes.WithLabelValues(strconv.Itoa(int(how.Code))).Inc()
	level := slog.LevelDebug
	if how.Cause != protocol.CodeGoingAway && how.Cause != "" {
		level = slog.LevelInfo
	}
	c.log.Log(c.ctx, level, "closing", "code", int(how.Code), "cause", string(how.Cause), "reason", how.Message)
	c.inbox.close()
	// The library waits for the peer's answer and reads what is still under way,
	// without a deadline of its own on the bytes of a message: ours bounds it.
	_ = c.socket.SetReadDeadline(time.Now().Add(closeWithin))
	c.stop() // reader does not offer anything any more
	_ = c.ws.Close(websocket.StatusCode(how.Code), how.Message)
}

// abort ends the connection from outside, whatever it is waiting for.
func (c *connection) abort() {
	c.stop()
	_ = c.socket.Close()
}

// end cleans up, whichever way the connection ended.
func (c *connection) end() {
	c.stop()
	c.inbox.close()
	_ = c.ws.CloseNow()
	for handle := range c.subscriptions {
		// A session that is Gone or closed has detached everything; this is for one
		// that was stopped from outside.
		c.detach(handle)
	}
	switch {
	case c.said:
	case c.socket.tooSlow():
		c.server.metrics.closes.WithLabelValues("slow").Inc()
		c.log.Info("the socket took no bytes for too long")
	default:
		c.server.metrics.closes.WithLabelValues("peer").Inc()
		c.log.Debug("the peer has gone")
	}
	c.server.remove(c)
}
