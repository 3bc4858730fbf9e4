package session

import (
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// The bounds that are a session's own. Limits of the protocol stand in
// protocol.Limits.
const (
	// DefaultWindow is the window of a client that asks for none, in bytes.
	DefaultWindow = 1 << 20
	// DefaultChunkBytes is how much one read asks for.
	DefaultChunkBytes = 128 << 10
	// DefaultWriteWithin is how long one message may take to be written: as long as
	// a chunk takes over the slowest link that is worth serving.
	DefaultWriteWithin = 60 * time.Second
	// DefaultDrainWithin is how long a draining session waits for the verdicts of
	// mutations that it took.
	DefaultDrainWithin = 5 * time.Second

	// maxCollections bounds the filter of one subscription.
	maxCollections = 256
	// maxPings is how many of the peer's pings may wait for their pongs.
	maxPings = 16
	// maxFetches is how many overwritten values may be asked for or on their way.
	maxFetches = 16
	// maxPresent is of how many devices in a space the presence may wait.
	maxPresent = 1024
	// maxAnswers bounds the answers that wait because the peer does not read them;
	// from pauseAnswers on the shell is asked not to read from it.
	maxAnswers   = 1 << 20
	pauseAnswers = 64 << 10
	// messageBytes is about where a message of small frames ends.
	messageBytes = 64 << 10
	// maxReads is how many reads may be open, if all but the youngest are slow.
	maxReads = 4
	// oldestVersion is the oldest version of the protocol that is still spoken.
	oldestVersion = 1

	// slowRead is when a read no longer keeps other subscriptions waiting.
	slowRead protocol.Time = 100
	// retryFirst and retryLast bound the pause before a read is tried again.
	retryFirst protocol.Time = 100
	retryLast  protocol.Time = 5000
	// lingerWithin is how long the last message may take to be written.
	lingerWithin protocol.Time = 1000
)

// Config says how a session behaves. It is copied and never changed.
type Config struct {
	// Name is what Welcome calls the session, so that client and operator can speak
	// of the same one.
	Name string
	// Limits bound what the peer may send; zero fields take the defaults.
	Limits protocol.Limits
	// Compression lists what the shell can send: "zstd", "zstd:<dictionary id>".
	// The first entry of the client's list that is in here is used, "none" if there
	// is no such.
	Compression []string
	// Window is the window of a client that asks for none, in bytes (DefaultWindow).
	Window uint64
	// ChunkBytes is how much one read asks for (DefaultChunkBytes).
	ChunkBytes int
	// WriteWithin is how long one message may take to be written
	// (DefaultWriteWithin); then the connection ends with protocol.CodeSlow.
	WriteWithin time.Duration
	// DrainWithin is how long a draining session waits for verdicts
	// (DefaultDrainWithin).
	DrainWithin time.Duration
	// Faults plants bugs, for tests only.
	Faults Faults
}

func (c Config) withDefaults() Config {
	number := func(field *int, def int) {
		if *field <= 0 {
			*field = def
		}
	}
	interval := func(field *time.Duration, def time.Duration) {
		if *field <= 0 {
			*field = def
		}
	}
	l, def := &c.Limits, protocol.DefaultLimits()
	number(&l.FrameBytes, def.FrameBytes)
	number(&l.MutationBytes, def.MutationBytes)
	number(&l.Subscriptions, def.Subscriptions)
	number(&l.PushWindowBytes, def.PushWindowBytes)
	number(&l.PushWindowMutations, def.PushWindowMutations)
	number(&l.PresenceBytes, def.PresenceBytes)
	interval(&l.HelloWithin, def.HelloWithin)
	interval(&l.PingEvery, def.PingEvery)
	interval(&l.TokenGrace, def.TokenGrace)
	number(&c.ChunkBytes, DefaultChunkBytes)
	interval(&c.WriteWithin, DefaultWriteWithin)
	interval(&c.DrainWithin, DefaultDrainWithin)
	if c.Window == 0 {
		c.Window = DefaultWindow
	}
	return c
}

// millis is a duration in the unit of protocol.Time.
func millis(d time.Duration) protocol.Time { return protocol.Time(d / time.Millisecond) }

// Faults are bugs that a test can plant, to prove that it would find them. The
// zero value is a correct session; nothing but a test may set any.
type Faults struct {
	// CursorBeforeDelivery sends the head's cursor while commits before it are
	// still to be delivered, and does not deliver them.
	CursorBeforeDelivery bool
	// IgnoreWindow sends deliveries whatever the client has acknowledged.
	IgnoreWindow bool
	// ResumeSkipsOne resumes one commit behind the client's cursor.
	ResumeSkipsOne bool
	// SnapshotToHead goes on from the head after a snapshot, instead of from the
	// cursor at the snapshot's end.
	SnapshotToHead bool
	// NoNotices reads for no device in particular: nobody is told of conflicts.
	NoNotices bool
	// LostWakeup forgets heads that move while a read is in flight.
	LostWakeup bool
	// DropVerdicts loses the verdicts that wait for the socket.
	DropVerdicts bool
	// AcceptAnyAck believes acknowledgements of what was never sent.
	AcceptAnyAck bool
	// KeepGrant goes on with the old access when a token was refreshed.
	KeepGrant bool
	// SkipDeliveryCheck delivers without asking Access.
	SkipDeliveryCheck bool
}

// state is where a connection is in its life.
type state uint8

const (
	// awaitingHello: nothing is known of the peer.
	awaitingHello state = iota
	// awaitingAccess: the hello's token is being verified; what the peer sends
	// meanwhile is held.
	awaitingAccess
	// live: everything flows.
	live
	// closing: the last message waits for the socket to take the one before it.
	closing
	// closed: nothing is said any more, and nothing heard.
	closed
)

func (st state) String() string {
	return [...]string{"awaiting hello", "awaiting access", "live", "closing", "closed"}[st]
}

// Session is one device's connection. See the package's comment for who may
// call it.
type Session struct {
	// Static after New.
	cfg Config

	state state
	now   protocol.Time
	// out gathers requests until Ready takes them.
	out Ready

	handshake
	token  tokens
	alive  alive
	leave  leave
	down   downlink
	up     uplink
	lanes  lanes
	access Access

	// subs are the subscriptions by handle, in the order of their handles, which is
	// the order in which they came. newest is the greatest handle ever used.
	subs   []*subscription
	newest protocol.Handle
}

// New returns a session for a connection that was opened at now.
func New(cfg Config, now protocol.Time) *Session {
	s := &Session{cfg: cfg.withDefaults(), now: now}
	s.handshake.by = now + millis(s.cfg.Limits.HelloWithin)
	return s
}

// Step tells the session what happened. now must not go back; if it does, the
// session stays at the latest time it has seen.
func (s *Session) Step(now protocol.Time, in Input) {
	s.now = max(s.now, now)
	if s.state == closed {
		return
	}
	switch in := in.(type) {
	case Message:
		s.message(in.Bytes)
	case Violated:
		s.fail(in.Err)
	case Authenticated:
		s.authenticated(in.Access)
	case Refused:
		s.refused(in.Err)
	case Attached:
		s.attached(in.Handle, in.Subscribed)
	case AttachFailed:
		s.spaceFailed(in.Handle, in.Err)
	case SpaceFailed:
		s.spaceFailed(in.Handle, in.Err)
	case Head:
		s.head(in.Handle, in.Cursor)
	case Verdicts:
		s.verdicts(in)
	case PushRefused:
		s.pushRefused(in)
	case Chunk:
		s.chunk(in)
	case ReadFailed:
		s.readFailed(in.Handle, in.Err)
	case Written:
		s.lanes.writing = false
	case PresenceChanged:
		s.presenceChanged(in.Handle, in.Devices)
	case Fetched:
		s.fetched(in)
	case Drain:
		s.drain(in.Within)
	case Gone:
		s.gone()
	case Tick:
		// The time alone matters; see watch.
	}
	s.watch()
}

// Ready returns what is to be done now and forgets it: the shell does all of it.
// It is to be called after every Step.
func (s *Session) Ready() Ready {
	switch s.state {
	case live:
		if !s.drained() {
			s.write()
			s.read()
			s.writeIdle()
			// A delivery that was not allowed any more has left something to say.
			s.write()
			break
		}
		s.finish()
		fallthrough
	case closing:
		s.farewell()
	case awaitingHello, awaitingAccess, closed:
	}
	out := s.out
	s.out = Ready{}
	out.Pause = s.paused()
	out.Wake = s.wake()
	return out
}

// watch looks at everything that time alone brings about.
func (s *Session) watch() {
	switch s.state {
	case awaitingHello, awaitingAccess:
		s.watchHandshake()
	case live:
		s.watchToken()
		s.watchPeer()
	case closing, closed:
	}
}

// wake is when watch, read or farewell would have something to do if nothing
// else happened.
func (s *Session) wake() protocol.Time {
	var at protocol.Time
	sooner := func(t protocol.Time) {
		if t != 0 && (at == 0 || t < at) {
			at = t
		}
	}
	switch s.state {
	case awaitingHello, awaitingAccess:
		sooner(s.handshake.by)
	case live:
		s.wakeToken(sooner)
		s.wakePeer(sooner)
		s.wakeRead(sooner)
		if s.leave.draining {
			sooner(s.leave.by)
		}
	case closing:
		sooner(s.leave.by)
	case closed:
	}
	return at
}
