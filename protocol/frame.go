package protocol

// FrameType is the first element of a frame's array. The numbers are the wire's.
type FrameType uint8

// The frames. One WebSocket message is a format byte and one or more frames.
const (
	FrameHello        FrameType = 1
	FrameWelcome      FrameType = 2
	FrameSubscribe    FrameType = 3
	FrameSubscribed   FrameType = 4
	FrameUnsubscribe  FrameType = 5
	FramePush         FrameType = 6
	FrameVerdicts     FrameType = 7
	FrameIn           FrameType = 8
	FrameCommit       FrameType = 9
	FrameSection      FrameType = 10
	FrameConflict     FrameType = 11
	FrameAdvance      FrameType = 12
	FrameSnapshot     FrameType = 13
	FramePage         FrameType = 14
	FrameSnapshotEnd  FrameType = 15
	FrameAck          FrameType = 16
	FrameWindow       FrameType = 17
	FramePresence     FrameType = 18
	FramePresent      FrameType = 19
	FrameToken        FrameType = 20
	FrameTokenAccept  FrameType = 21
	FrameError        FrameType = 22
	FrameGoingAway    FrameType = 23
	FramePing         FrameType = 24
	FramePong         FrameType = 25
	FrameFetch        FrameType = 26
	FrameFetched      FrameType = 27
	FrameUnsubscribed FrameType = 28
	FrameCompressed   FrameType = 29
)

// Frame is one of the frame types of this file, as a pointer.
type Frame interface {
	Type() FrameType

	// encode writes the frame's array; decode reads the n elements that follow the
	// frame's type.
	encode(w *writer)
	decode(r *reader, n int)
}

// Handle is a connection's short name for a subscribed space, chosen by the
// client, from 1 on, never used twice on a connection.
type Handle uint32

// Hello is the first frame of a connection, from the client, within
// Limits.HelloWithin. Subscribes and pushes may stand in the same message.
type Hello struct {
	// Version is the newest protocol version that the client speaks.
	Version uint32
	// Compression lists what the client can decode, best first: "zstd",
	// "zstd:<dictionary id>". Plain frames are always allowed.
	Compression []string
	// Token is the access token; empty in development mode.
	Token string
	// Device is the client's device id.
	Device DeviceID
	// Clock is the client's clock: for diagnosis, never for decisions.
	Clock Time
	// Window is how many bytes of data frames the server may send before the
	// client acknowledges some; 0 asks for the default (1 MiB).
	Window uint64
	// Client names the library and its version, for the operator.
	Client string
}

// Welcome is the server's answer to Hello.
type Welcome struct {
	// Version is the version in use on this connection.
	Version uint32
	// Compression is what the server will use: "none", "zstd" or
	// "zstd:<dictionary id>".
	Compression string
	// Session names the connection in the server's logs.
	Session string
	// Clock is the server's clock.
	Clock Time
	// User as the token says.
	User string
	// Expires is when the token ends; 0 for never.
	Expires Time
	// Window and WindowMutations are what the client may have sent without a
	// verdict; FrameBytes and MutationBytes the largest message and mutation.
	Window          uint64
	WindowMutations uint64
	FrameBytes      uint64
	MutationBytes   uint64
	// PingEvery is the interval, in milliseconds, after which a silent peer may be
	// presumed dead when doubled.
	PingEvery uint64
}

// Subscribe opens a space on this connection.
type Subscribe struct {
	Handle Handle
	Space  string
	// Device is the id under which the client writes in this space. It is the
	// hello's, unless the client had to take a new one here.
	Device DeviceID
	// Cursor is where the client stands; zero for a new device.
	Cursor Cursor
	// Counter is the newest counter for which the client has the server's word: a
	// verdict, or an earlier Subscribed.
	Counter uint64
	// Collections restricts deliveries; empty for all.
	Collections []string
	// Priority orders deltas between subscriptions; the greater goes first.
	Priority uint8
	// Presence is true if the client wants to see who else is there.
	Presence bool
}

// SubscribeMode says how the server brings the client to head.
type SubscribeMode uint8

const (
	// ModeResume: commits after the cursor follow.
	ModeResume SubscribeMode = 0
	// ModeSnapshot: a new device, or a cursor below the horizon: a snapshot follows
	// and replaces what the client has. Its queue stays.
	ModeSnapshot SubscribeMode = 1
	// ModeOtherHistory: the cursor belongs to a history that this space does not
	// have (a restored table, a wiped store): a snapshot follows, and the client
	// takes a new device id in this space and keeps its queue.
	ModeOtherHistory SubscribeMode = 2
)

// Subscribed answers Subscribe.
type Subscribed struct {
	Handle Handle
	Mode   SubscribeMode
	// Head is the newest commit that the server knows to be durable.
	Head Cursor
	// Horizon is the oldest seq from which the log still serves devices.
	Horizon uint64
	// Known is false if the space has no entry for the device.
	Known bool
	// Counter and Hash are the device's last committed counter and its running
	// hash: the device tells a replay from a clone by them.
	Counter uint64
	Hash    Hash
	// Recent are the device's last mutations up to Counter, as far back as
	// Subscribe.Counter+1 or as the server remembers (MaxRecent).
	// A clone tells by them which of its pending mutations were committed while
	// both copies still agreed.
	Recent []Recent
	// Rejections are the device's rejections that it has not confirmed.
	Rejections []Verdict
	// Write is false if the token allows reading only.
	Write bool
	// SchemaVersion is the schema that the gateway merges under.
	SchemaVersion uint32
}

// Recent is one of a device's last mutations, as the server remembers it.
type Recent struct {
	// Hash is the running hash after the mutation.
	Hash Hash
	// Rejected is true if any of it was. The verdict is in Subscribed.Rejections
	// unless the device, or a copy of it, has confirmed it.
	Rejected bool
}

// Unsubscribe closes a space on this connection. The server answers
// Unsubscribed, after which nothing follows under the handle.
type Unsubscribe struct {
	Handle Handle
}

// Unsubscribed says that a subscription has ended: asked for, or because the
// access was lost or the space failed; then Code and Message say why.
type Unsubscribed struct {
	Handle  Handle
	Code    Code
	Message string
}

// Push sends mutations with contiguous counters.
type Push struct {
	Handle Handle
	// First is the counter of Bodies[0].
	First uint64
	// Previous is the device's running hash before Bodies[0].
	Previous Hash
	// Bodies are encoded mutations (see AppendMutation).
	Bodies [][]byte
}

// Verdicts answers pushes, after their commits are durable. Verdicts are in
// counter order. If Replay is set, the push began at or below the device's
// committed counter or did not continue its hash: nothing of it was taken;
// Counter and Hash say where the device stands, and the client tells by them
// whether it is a replay (its own hash at Counter is the same) or a clone.
type Verdicts struct {
	Handle  Handle
	Counter uint64
	Hash    Hash
	Replay  bool
	List    []Verdict
}

// In says which subscription the delivery frames (commit, section, conflict,
// advance, snapshot, page, snapshot end) that follow in the same message, up to
// the next In, belong to. They are encoded once for all connections and so
// cannot name it themselves.
type In struct {
	Handle Handle
}

// CommitHeader opens a commit. Its sections follow in the same message, less
// those that the connection may not see or did not ask for.
type CommitHeader struct {
	Seq           uint64
	ID            CommitID
	Time          Time
	SchemaVersion uint32
	AckNow        bool
	// FirstName is the number of Names[0] in the name table.
	FirstName uint64
	Names     []string
	// Authors is the commit's directory.
	Authors []Author
	// Mutations that changed something, in order; sections refer to them.
	Mutations []MutationStamp
}

// MutationStamp is a mutation as a commit's header shows it.
type MutationStamp struct {
	// Author is an index into Authors.
	Author   int
	Base     uint64
	EditTime Time
}

// Section is what a commit changed in one collection under one label.
type Section struct {
	Label      uint32
	Collection string
	Deltas     []Delta
}

// Delta is what one mutation changed in one collection.
type Delta struct {
	// Mutation is an index into CommitHeader.Mutations.
	Mutation int
	Changes  []Change
}

// ConflictNotice tells a device of a conflict that it lost, or is asked to
// settle. It stands right behind the sections of its commit.
type ConflictNotice struct {
	Conflict Conflict
}

// Advance moves the cursor over commits of which the connection sees nothing.
type Advance struct {
	Cursor Cursor
}

// Snapshot begins a snapshot: the client forgets its confirmed state (not its
// queue) when the snapshot's end arrives. A commit that comes before the end
// applies to the snapshot.
type Snapshot struct {
	// Names is the name table.
	Names []string
	// Records is about how many will follow, for a progress bar.
	Records uint64
}

// Page is a part of a snapshot: records of one collection.
type Page struct {
	Label      uint32
	Collection string
	Records    []RecordState
}

// SnapshotEnd ends a snapshot. Pages may hold records newer than Cursor; the
// commits after Cursor follow, and changes that a record already has are skipped.
type SnapshotEnd struct {
	Cursor Cursor
	// Newest is the greatest version that the pages contained: the state is one
	// that existed once the cursor reaches it.
	Newest uint64
	// Counter is the device's committed counter at Newest or later: pending
	// mutations up to it are in the snapshot.
	Counter uint64
	Hash    Hash
}

// Ack tells what the client has received and durably applied.
type Ack struct {
	// Received is the total of bytes of delivery messages received on this
	// connection: it opens the server's window.
	Received uint64
	// Cursors are the subscriptions whose durable cursor moved.
	Cursors []HandleCursor
	// Confirmed are the rejections the client has durably stored.
	Confirmed []HandleCounters
}

// HandleCursor is a subscription's durable cursor.
type HandleCursor struct {
	Handle Handle
	Cursor Cursor
}

// HandleCounters are counters of mutations in a subscription.
type HandleCounters struct {
	Handle   Handle
	Counters []uint64
}

// Window sets how many bytes of delivery messages the peer may send beyond the
// last acknowledged one (from the client), or of pushes without a verdict (from
// the server).
type Window struct {
	Bytes uint64
}

// Presence sets the sender's ephemeral state in a space; absent leaves.
type Presence struct {
	Handle Handle
	Value  Value
}

// Present tells who else is in a space. Only what changed is sent; the latest
// wins and intermediate states are lost.
type Present struct {
	Handle  Handle
	Devices []DevicePresence
}

// DevicePresence is one device's presence; an absent Value means that it left.
type DevicePresence struct {
	Author Author
	Value  Value
}

// Token shows a fresh token on a live connection.
type Token struct {
	Token string
}

// TokenAccept answers Token.
type TokenAccept struct {
	Expires Time
}

// ErrorFrame tells of something that went wrong. If it ends the connection, the
// close code says what to do.
type ErrorFrame struct {
	Code    Code
	Message string
	// Handle and Counter, if not 0, say what it is about.
	Handle  Handle
	Counter uint64
}

// GoingAway announces that the server is about to close the connection. The
// client reconnects after a random delay of at most Within milliseconds.
type GoingAway struct {
	Within uint64
}

// Ping asks for a Pong with the same Nonce; either side may send it.
type Ping struct {
	Nonce uint64
}

// Pong answers Ping with the sender's clock.
type Pong struct {
	Nonce uint64
	Clock Time
}

// Fetch asks for an overwritten value that was too large for its conflict.
type Fetch struct {
	Handle Handle
	Blob   BlobID
}

// Fetched answers Fetch; Value is absent if there is no such value (any more).
type Fetched struct {
	Handle Handle
	Blob   BlobID
	Value  Value
}

// Compressed stands for the delivery frames that Data holds, compressed with
// zstd. They are read as if they stood in its place; none of them is an In or
// compressed itself, and a commit's sections stand where its header does.
type Compressed struct {
	// Dictionary is the id of the dictionary; 0 for none.
	Dictionary uint32
	Data       []byte
}

func (*Hello) Type() FrameType          { return FrameHello }
func (*Welcome) Type() FrameType        { return FrameWelcome }
func (*Subscribe) Type() FrameType      { return FrameSubscribe }
func (*Subscribed) Type() FrameType     { return FrameSubscribed }
func (*Unsubscribe) Type() FrameType    { return FrameUnsubscribe }
func (*Unsubscribed) Type() FrameType   { return FrameUnsubscribed }
func (*Push) Type() FrameType           { return FramePush }
func (*Verdicts) Type() FrameType       { return FrameVerdicts }
func (*In) Type() FrameType             { return FrameIn }
func (*CommitHeader) Type() FrameType   { return FrameCommit }
func (*Section) Type() FrameType        { return FrameSection }
func (*ConflictNotice) Type() FrameType { return FrameConflict }
func (*Advance) Type() FrameType        { return FrameAdvance }
func (*Snapshot) Type() FrameType       { return FrameSnapshot }
func (*Page) Type() FrameType           { return FramePage }
func (*SnapshotEnd) Type() FrameType    { return FrameSnapshotEnd }
func (*Ack) Type() FrameType            { return FrameAck }
func (*Window) Type() FrameType         { return FrameWindow }
func (*Presence) Type() FrameType       { return FramePresence }
func (*Present) Type() FrameType        { return FramePresent }
func (*Token) Type() FrameType          { return FrameToken }
func (*TokenAccept) Type() FrameType    { return FrameTokenAccept }
func (*ErrorFrame) Type() FrameType     { return FrameError }
func (*GoingAway) Type() FrameType      { return FrameGoingAway }
func (*Ping) Type() FrameType           { return FramePing }
func (*Pong) Type() FrameType           { return FramePong }
func (*Fetch) Type() FrameType          { return FrameFetch }
func (*Fetched) Type() FrameType        { return FrameFetched }
func (*Compressed) Type() FrameType     { return FrameCompressed }
