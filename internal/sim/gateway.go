package sim

import (
	"errors"
	"slices"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/session"
	"github.com/tidegate/tidegate/space"
)

// gateway is a gateway process: the cores that a real one has, in a shell that
// has virtual time in place of goroutines. What it knows is lost in a crash.
type gateway struct {
	w    *world
	name string
	up   bool
	// life counts the process's starts: what was scheduled in an earlier one does
	// not happen.
	life int
	// paused holds back what happens, in backlog, as SIGSTOP does.
	paused  bool
	backlog []func()
	skew    protocol.Time
	// slow stretches the way to the store.
	slow float64
	// deaf is when it was last cut off from the others.
	deaf deaf

	spaces   []*hosted // in the order in which they were opened
	conns    []*conn
	nextID   space.SessionID
	draining bool
}

// hosted is a space that a gateway has open.
type hosted struct {
	g      *gateway
	key    space.Key
	core   *space.Core
	ring   *space.Ring
	rooms  []*subscription
	wakeAt protocol.Time
}

// subscription is a device's attachment to a hosted space.
type subscription struct {
	conn     *conn
	handle   protocol.Handle
	id       space.SessionID
	hosted   *hosted
	author   protocol.Author
	presence bool
	value    protocol.Value
}

func (g *gateway) now() protocol.Time { return g.w.now + g.skew }

// do lets something happen in the process, later: not if it has died by then,
// and not while it is paused.
func (g *gateway) do(delay protocol.Time, what func()) {
	life := g.life
	g.w.after(delay, func() {
		switch {
		case g.life != life || !g.up:
		case g.paused:
			g.backlog = append(g.backlog, what)
		default:
			what()
		}
	})
}

// pause stops the process, without its noticing, for a while.
func (g *gateway) pause(d protocol.Time) {
	if g.paused || !g.up {
		return
	}
	g.w.transcript.say(g.name, "is paused for %d ms", d)
	g.paused = true
	life := g.life
	g.w.after(d, func() {
		if g.life == life {
			g.resume()
		}
	})
}

// resume lets a paused process find everything that happened meanwhile, in order.
func (g *gateway) resume() {
	if !g.paused {
		return
	}
	g.paused = false
	life := g.life
	backlog := g.backlog
	g.backlog = nil
	for _, what := range backlog {
		if g.life == life {
			what()
		}
	}
}

// start begins a life.
func (g *gateway) start() {
	g.life++
	g.up, g.draining = true, false
	g.spaces, g.conns, g.paused, g.backlog = nil, nil, false, nil
	g.w.transcript.say(g.name, "starts, its clock is %d ms off", g.skew)
}

// crash ends it, with everything that was not in the store.
func (g *gateway) crash() {
	if !g.up {
		return
	}
	g.w.transcript.say(g.name, "crashes")
	g.up, g.paused, g.backlog = false, false, nil
	g.life++
	for _, c := range g.conns {
		c.serverGone()
	}
	g.spaces, g.conns = nil, nil
}

// drain asks every session to go away, and ends the process when they have gone.
func (g *gateway) drain() {
	if !g.up || g.draining {
		return
	}
	g.w.transcript.say(g.name, "drains")
	g.draining = true
	for _, c := range slices.Clone(g.conns) {
		c.step(session.Drain{Within: 2000})
	}
	g.do(6*second, func() {
		for _, h := range slices.Clone(g.spaces) {
			h.core.Close(g.now())
			h.pump()
		}
	})
	g.do(10*second, g.crash)
}

// space returns the space with the key, opening it if need be.
func (g *gateway) space(key space.Key) *hosted {
	for _, h := range g.spaces {
		if h.key == key {
			return h
		}
	}
	h := &hosted{g: g, key: key, core: space.NewCore(key, g.w.spaceConfig(g)), ring: space.NewRing(g.w.ringBytes(), nil)}
	g.spaces = append(g.spaces, h)
	h.core.Bus(g.now(), g.busUp())
	h.pump()
	return h
}

// pump does what the space's core wants done.
func (h *hosted) pump() {
	g := h.g
	r := h.core.Ready()
	life := g.life
	for _, req := range r.Requests {
		g.w.call(g.name, h.key, req, g.slow, func(answer space.Response) {
			if g.life != life {
				return
			}
			g.do(0, func() {
				h.core.Respond(g.now(), answer)
				h.pump()
			})
		})
	}
	if r.Start != nil && r.Start.Head.Seq > 0 {
		g.w.transcript.say(g.name, "%s begins at %d", name(h.key), r.Start.Head.Seq)
	}
	for _, p := range r.Published {
		g.w.check.published(g.name, h.key, p)
	}
	h.ring.Take(&r)
	h.tellPeers(&r)
	if r.Start != nil || len(r.Published) > 0 {
		head := h.core.Head()
		for _, s := range slices.Clone(h.rooms) {
			s.conn.step(session.Head{Handle: s.handle, Cursor: head})
		}
	}
	for _, e := range r.Events {
		g.w.check.event(g.name, h.key, e)
	}
	for _, reply := range r.Replies {
		h.tell(reply)
	}
	if r.Closed {
		g.spaces = slices.DeleteFunc(g.spaces, func(other *hosted) bool { return other == h })
		return
	}
	h.wake(r.Wake)
}

// wake ticks the core when it wants it, and forgets when it wanted it before.
func (h *hosted) wake(at protocol.Time) {
	if at == h.wakeAt {
		return
	}
	h.wakeAt = at
	if at == 0 {
		return
	}
	g := h.g
	g.do(max(at-g.now(), 1), func() {
		if h.wakeAt == at {
			h.wakeAt = 0
			h.core.Tick(g.now())
			h.pump()
		}
	})
}

// tell passes a reply on to its session.
func (h *hosted) tell(reply space.Reply) {
	i := slices.IndexFunc(h.rooms, func(s *subscription) bool { return s.id == reply.Session })
	if i < 0 {
		return
	}
	s := h.rooms[i]
	switch body := reply.Body.(type) {
	case space.Attached:
		if body.Mode != protocol.ModeResume {
			s.conn.wire.device.snapshots[h.key.Space] = true
		}
		h.g.w.transcript.say(h.g.name, "%s attaches to %s: mode %d, counter %d of %v, head %d", s.conn.wire.name(), name(h.key), body.Mode, body.Counter, s.author.Device, body.Head.Seq)
		s.conn.step(session.Attached{Handle: s.handle, Subscribed: body.Subscribed})
	case space.Verdicts:
		if body.Replay {
			h.g.w.transcript.say(h.g.name, "%s is at %d in %s, says the answer to its push", s.conn.wire.name(), body.Counter, name(h.key))
		}
		s.conn.step(session.Verdicts{Handle: s.handle, Push: body.Push, Verdicts: body.Verdicts})
	case space.Refused:
		h.g.w.transcript.say(h.g.name, "%s pushed what is refused in %s: %v", s.conn.wire.name(), name(h.key), body.Err)
		s.conn.step(session.PushRefused{Handle: s.handle, Push: body.Push, Counter: body.Counter, Err: body.Err})
	case space.Lost:
		h.rooms = slices.Delete(h.rooms, i, i+1)
		s.conn.subs = slices.DeleteFunc(s.conn.subs, func(other *subscription) bool { return other == s })
		s.conn.step(session.SpaceFailed{Handle: s.handle, Err: body.Err})
	}
}

// conn is the server's end of a connection, with its session.
type conn struct {
	g       *gateway
	life    int
	session *session.Session
	wire    *wire
	subs    []*subscription
	closed  bool
	wakeAt  protocol.Time
	paused  bool
	held    [][]byte
}

// accept is a gateway that takes a connection.
func (g *gateway) accept(wire *wire) *conn {
	c := &conn{g: g, life: g.life, wire: wire, session: session.New(g.w.sessionConfig(), g.now())}
	g.conns = append(g.conns, c)
	c.pump()
	return c
}

// receive is a message from the peer.
func (c *conn) receive(message []byte) {
	if c.closed {
		return
	}
	if c.paused {
		c.held = append(c.held, message)
		return
	}
	c.step(session.Message{Bytes: message})
}

// step steps the session and does what it wants done.
func (c *conn) step(in session.Input) {
	if c.closed {
		return
	}
	c.session.Step(c.g.now(), in)
	c.pump()
}

func (c *conn) pump() {
	g := c.g
	r := c.session.Ready()
	c.paused = r.Pause
	if r.Authenticate != nil {
		token := r.Authenticate.Token
		g.do(g.w.between(0, 20), func() { c.step(session.Authenticated{Access: grant{token}}) })
	}
	for _, a := range r.Attach {
		c.attach(a)
	}
	for _, p := range r.Push {
		if s := c.sub(p.Handle); s != nil {
			g.w.transcript.say(g.name, "%s pushes %d mutations from %d on to %s", c.wire.name(), len(p.Bodies), p.First, name(s.hosted.key))
			s.hosted.core.Push(g.now(), space.Push{Session: s.id, ID: p.ID, First: p.First, Previous: p.Previous, Bodies: p.Bodies})
			s.hosted.pumpSoon()
		}
	}
	for _, f := range r.Confirm {
		if s := c.sub(f.Handle); s != nil {
			s.hosted.core.Confirm(g.now(), s.id, f.Counters)
			s.hosted.pumpSoon()
		}
	}
	for _, p := range r.Presence {
		if s := c.sub(p.Handle); s != nil {
			s.present(p.Value)
		}
	}
	for _, f := range r.Fetch {
		if s := c.sub(f.Handle); s != nil {
			c.fetch(s, f.Blob)
		}
	}
	for _, read := range r.Read {
		if s := c.sub(read.Handle); s != nil {
			g.do(g.w.between(0, 3), func() { c.read(s, read) })
		}
	}
	for _, handle := range r.Detach {
		if s := c.sub(handle); s != nil {
			c.detach(s)
		}
	}
	if r.Write != nil {
		c.write(r.Write.Bytes())
	}
	if r.Close != nil {
		g.w.transcript.say(g.name, "closes %s: %d %s", c.wire.name(), r.Close.Code, r.Close.Message)
		c.wire.closeByServer(r.Close)
		c.end()
		return
	}
	if at := r.Wake; at != c.wakeAt {
		c.wakeAt = at
		if at != 0 {
			g.do(max(at-g.now(), 1), func() {
				if c.wakeAt == at {
					c.wakeAt = 0
					c.step(session.Tick{})
				}
			})
		}
	}
	for !c.paused && len(c.held) > 0 && !c.closed {
		message := c.held[0]
		c.held = c.held[1:]
		c.step(session.Message{Bytes: message})
	}
}

// pumpSoon pumps behind everything that happens now, so that a session is not
// stepped from within its own step.
func (h *hosted) pumpSoon() { h.g.do(0, h.pump) }

func (c *conn) attach(a session.Attach) {
	g := c.g
	key := space.Key{Tenant: a.Tenant, Space: a.Space}
	g.nextID++
	s := &subscription{conn: c, handle: a.Handle, id: g.nextID, author: a.Author, presence: a.Presence}
	c.subs = append(c.subs, s)
	s.hosted = g.space(key)
	s.hosted.rooms = append(s.hosted.rooms, s)
	s.hosted.core.Attach(g.now(), space.Attach{
		Session: s.id, Device: a.Author.Device, User: a.Author.User, Cursor: a.Cursor, Counter: a.Counter, ReadOnly: !a.Write,
	})
	s.hosted.pumpSoon()
	if s.presence {
		for _, other := range s.hosted.rooms {
			if other != s && !other.value.IsAbsent() {
				g.do(0, func() {
					c.step(session.PresenceChanged{Handle: s.handle, Devices: []protocol.DevicePresence{{Author: other.author, Value: other.value}}})
				})
			}
		}
	}
}

func (c *conn) detach(s *subscription) {
	s.hosted.core.Detach(c.g.now(), s.id)
	s.hosted.rooms = slices.DeleteFunc(s.hosted.rooms, func(other *subscription) bool { return other == s })
	c.subs = slices.DeleteFunc(c.subs, func(other *subscription) bool { return other == s })
	s.present(protocol.Value{})
	s.hosted.pumpSoon()
}

// present makes a value known to the others.
func (s *subscription) present(value protocol.Value) {
	if value.IsAbsent() && s.value.IsAbsent() {
		return
	}
	s.value = value
	for _, other := range s.hosted.rooms {
		if other != s && other.presence {
			s.hosted.g.do(0, func() {
				other.conn.step(session.PresenceChanged{Handle: other.handle, Devices: []protocol.DevicePresence{{Author: s.author, Value: value}}})
			})
		}
	}
}

func (c *conn) sub(handle protocol.Handle) *subscription {
	for _, s := range c.subs {
		if s.handle == handle {
			return s
		}
	}
	return nil
}

var errReadFailed = errors.New("simulated: the read failed")

// read reads for a delivery: at one instant, but the session hears of it later.
func (c *conn) read(s *subscription, read session.Read) {
	if c.closed {
		return
	}
	if c.g.w.chance(c.g.w.plan.Store.Throttled) {
		c.step(session.ReadFailed{Handle: s.handle, Err: errReadFailed})
		return
	}
	from := space.Position{Cursor: read.From.Cursor, Snapshot: read.From.Snapshot}
	if position, inside := read.From.Scan.(space.Position); inside {
		from = position
	}
	chunk, err := s.hosted.read(space.ReadRequest{
		From: from, MaxBytes: read.MaxBytes, Collections: read.Collections, Device: read.Device,
	})
	if err != nil {
		c.step(session.ReadFailed{Handle: s.handle, Err: err})
		return
	}
	to := session.Position{Cursor: chunk.To.Cursor, Snapshot: chunk.To.Snapshot}
	if chunk.To.Snapshot {
		to.Scan = chunk.To
	}
	c.g.do(c.g.w.between(0, 30), func() {
		c.step(session.Chunk{Handle: s.handle, Frames: chunk.Frames, To: to, More: chunk.More})
	})
}

// read reads the space as a real gateway's shell does, but at one instant.
func (h *hosted) read(req space.ReadRequest) (space.Chunk, error) {
	r := space.Reader{
		Ring:  h.ring,
		Enter: func(f func(*space.Core)) error { f(h.core); h.pumpSoon(); return nil },
		Do: func(op space.RequestOp) space.Response {
			return h.g.w.execute(h.g.w.store, h.key, space.Request{Op: op})
		},
	}
	return r.Read(req)
}

// fetch reads an overwritten value.
func (c *conn) fetch(s *subscription, blob protocol.BlobID) {
	c.g.do(c.g.w.between(1, 10), func() {
		c.step(session.Fetched{Handle: s.handle, Blob: blob, Value: c.g.w.blob(s.hosted.key, blob)})
	})
}

// write gives a message to the socket, which takes it after a while.
func (c *conn) write(message []byte) {
	c.wire.toDevice(message)
	c.g.do(c.wire.takes(), func() { c.step(session.Written{}) })
}

// serverGone is the end of the process that held the connection.
func (c *conn) serverGone() {
	c.closed = true
	c.wire.cut("the gateway died")
}

// lost tells the session that its socket has ended.
func (c *conn) lost() {
	if c.closed {
		return
	}
	c.step(session.Gone{})
	c.end()
}

func (c *conn) end() {
	c.closed = true
	for _, s := range slices.Clone(c.subs) {
		c.detach(s)
	}
	c.g.conns = slices.DeleteFunc(c.g.conns, func(other *conn) bool { return other == c })
}

// grant is what a token of the simulation allows: everything, as the user that
// the token names.
type grant struct{ user string }

func (g grant) Check(string, bool) error { return nil }
func (g grant) User() string             { return g.user }
func (g grant) Tenant() string           { return "tenant-" + g.user[:1] }
func (g grant) Expires() protocol.Time   { return 0 }
