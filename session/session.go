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
)

// Config says how a session behaves. It is copied and never changed.
type Config struct {
	// Name is what Welcome calls the session, so that client and operator can speak
	// of the same one.
	Name string
	// Limits bound what the peer may send.
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

// state is where a connection is in its life. A draining session is live with
// draining set.
type state uint8

const (
	awaitingHello state = iota
	awaitingAccess
	live
	// closing waits for the socket to take the last message.
	closing
	closed
)

// Session is one device's connection. See the package's comment for who may
// call it.
type Session struct {
	cfg   Config
	state state
	now   protocol.Time
}

// New returns a session for a connection that was opened at now.
func New(cfg Config, now protocol.Time) *Session {
	return &Session{cfg: cfg, now: now}
}

// Step tells the session what happened. now must not go back; if it does, the
// session stays at the latest time it has seen.
func (s *Session) Step(now protocol.Time, in Input) {
	panic("session: not built yet")
}

// Ready returns what is to be done now and forgets it: the shell does all of it.
// It is to be called after every Step.
func (s *Session) Ready() Ready {
	panic("session: not built yet")
}
