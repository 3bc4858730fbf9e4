package session

import "github.com/tidegate/tidegate/protocol"

// Ready is what the shell must do now. The requests about one handle are carried
// out in the order of the fields, and those of one field in the order of the
// slice; nothing is asked about a handle before its Attach or after its Detach.
// Answers come back as inputs, in any order; those about a handle that the
// session has let go of are ignored.
type Ready struct {
	// Authenticate asks for the token to be verified; answered exactly once, with
	// Authenticated or Refused. At most one is open at a time. The shell bounds how
	// long it takes; the session gives up on a hello's token after HelloWithin.
	Authenticate *Authenticate

	// Attach opens spaces; each is answered with Attached or AttachFailed.
	Attach []Attach

	// Push hands on mutations, for handles that are attached, in the order in which
	// the peer sent them: a space must take them in this order. Every mutation is
	// answered, by Verdicts, PushRefused or SpaceFailed, and a verdict only once its
	// commit is durable.
	Push []Push

	// Confirm names rejections that the device has stored durably.
	Confirm []Confirm

	// Cursor tells how far devices have durably applied their spaces, for the
	// horizon and the operator. Losing one is harmless; they only go forward.
	Cursor []CursorMoved

	// Presence sets this device's presence in spaces. Latest wins, may be lost. A
	// Detach also ends it.
	Presence []Presence

	// Fetch asks for overwritten values; each is answered with Fetched.
	Fetch []Fetch

	// Read asks for what lies behind positions; each is answered exactly once, with
	// Chunk or ReadFailed. There is at most one open for a handle. What is near
	// should be answered at once, before anything else is stepped.
	Read []Read

	// Detach closes spaces. Nothing more is expected about their handles, and what
	// still comes is ignored. A session that has closed has detached everything.
	Detach []protocol.Handle

	// Write is the next WebSocket message. There is none while one is being
	// written: the shell answers it with Written once the socket has taken it. Its
	// slices may be shared and stay as they are until then.
	Write *Outgoing

	// Pause is true while the shell must not read from the socket: the peer waits
	// for its token to be verified, or does not take the answers to what it sent.
	// One message that was already read may still be stepped.
	Pause bool

	// Close ends the connection, after Write has been written if both are set, and
	// at once otherwise, even if an earlier Write is still under way. It comes once,
	// and nothing comes after it; Gone needs none.
	Close *Close

	// Wake is when the session wants the next Tick at the latest; 0 for never. A
	// Tick that comes early or often is harmless.
	Wake protocol.Time
}

// Authenticate asks for a token to be verified.
type Authenticate struct {
	// Token as the peer sent it, at most protocol.MaxTokenBytes; empty in
	// development mode.
	Token string
}

// Attach asks for a space to be opened for a device.
type Attach struct {
	Handle protocol.Handle
	// Tenant and Space name the space.
	Tenant string
	Space  string
	// Author is the device, and the user that it is bound to.
	Author protocol.Author
	// Cursor is where the device says it stands.
	Cursor protocol.Cursor
	// Counter is protocol.Subscribe.Counter.
	Counter uint64
	// Presence is true if PresenceChanged is wanted.
	Presence bool
	// Write is true if the token allows writing.
	Write bool
}

// Push is a push of the peer, checked as far as a session can: it is allowed to
// write, its counters are above 0, and its bodies within the limit and the
// window. Bodies are not decoded.
type Push struct {
	Handle protocol.Handle
	// ID is this push's number under its handle, from 1 on.
	ID       uint64
	First    uint64
	Previous protocol.Hash
	Bodies   [][]byte
}

// Confirm names rejections that a device has stored.
type Confirm struct {
	Handle   protocol.Handle
	Counters []uint64
}

// CursorMoved is how far a device has durably applied a space.
type CursorMoved struct {
	Handle protocol.Handle
	Cursor protocol.Cursor
}

// Presence is this connection's presence in a space; absent leaves.
type Presence struct {
	Handle protocol.Handle
	Value  protocol.Value
}

// Fetch asks for an overwritten value.
type Fetch struct {
	Handle protocol.Handle
	Blob   protocol.BlobID
}

// Position is how far a subscription has been served: behind a commit, or inside
// a snapshot.
type Position struct {
	// Cursor is the last commit that was delivered, or passed over as invisible.
	// During a snapshot it is whatever the space makes it.
	Cursor protocol.Cursor
	// Snapshot is true from a snapshot's beginning to its end.
	Snapshot bool
	// Scan is the space's own note of where in the snapshot the position lies; nil
	// to begin one. The session hands it back as it got it.
	Scan any
}

// Read asks for what lies behind a position.
type Read struct {
	Handle protocol.Handle
	From   Position
	// MaxBytes is how much fits; a single commit or page may be longer.
	MaxBytes int
	// Collections restricts what is seen; empty for all.
	Collections []string
	// Device is whose notices of conflicts, and whose counter at a snapshot's end,
	// belong into the frames.
	Device protocol.DeviceID
	// Compression is what Welcome promised: "none", "zstd" or "zstd:<dictionary id>".
	Compression string
}

// Lane is a class of what is written; the smaller goes first.
type Lane uint8

const (
	LaneControl Lane = iota
	LaneVerdicts
	LaneDeltas
	LaneSnapshots
	LanePresence
)

// String returns the lane's name.
func (l Lane) String() string {
	switch l {
	case LaneControl:
		return "control"
	case LaneVerdicts:
		return "verdicts"
	case LaneDeltas:
		return "deltas"
	case LaneSnapshots:
		return "snapshots"
	case LanePresence:
		return "presence"
	}
	return "unknown"
}

// Outgoing is one WebSocket message: Prefix followed by Frames. They are apart
// so that frames shared by many connections need not be copied for each.
type Outgoing struct {
	// Lane is the highest lane that has something in the message.
	Lane Lane
	// Prefix begins with the format byte.
	Prefix []byte
	Frames []byte
}

// Len returns the length of the message.
func (o *Outgoing) Len() int { return len(o.Prefix) + len(o.Frames) }

// Bytes returns the message in one piece, which is a copy if there are Frames.
func (o *Outgoing) Bytes() []byte {
	if len(o.Frames) == 0 {
		return o.Prefix
	}
	b := make([]byte, 0, o.Len())
	return append(append(b, o.Prefix...), o.Frames...)
}

// Close is how a connection ends.
type Close struct {
	Code protocol.CloseCode
	// Message is the close frame's reason: short, fit to be logged by the peer, and
	// within the 123 bytes that WebSocket allows.
	Message string
	// Cause is what it was in the protocol's words, for metrics and logs.
	Cause protocol.Code
}
