package session

import "github.com/tidegate/tidegate/protocol"

// Input is something that happened: one of the types of this file.
type Input interface {
	input()
}

// Message is a binary WebSocket message from the peer. The session does not keep
// Bytes.
type Message struct {
	Bytes []byte
}

// Violated says that the peer broke a rule that the shell itself watches: a text
// message (protocol.CodeMalformed), a message that was too long to read
// (CodeTooLarge), too many messages (CodeRate). Err.Code decides the close code.
type Violated struct {
	Err *protocol.Error
}

// Authenticated answers Ready.Authenticate: the token is good.
type Authenticated struct {
	Access Access
}

// Refused answers Ready.Authenticate: the token is not accepted. Err.Code is
// protocol.CodeToken, CodeExpired, or CodeInternal if it could not be verified.
type Refused struct {
	Err *protocol.Error
}

// Attached answers Attach: the space is open. Subscribed.Handle is ignored; its
// Write is false if the space itself takes no writes now, whatever the token
// allows. Heads newer than Subscribed.Head follow as Head.
type Attached struct {
	Handle     protocol.Handle
	Subscribed protocol.Subscribed
}

// AttachFailed answers Attach: the space could not be opened for this device.
// An Err that is no *protocol.Error is told as protocol.CodeUnavailable. The
// handle needs no Detach. SpaceFailed means the same before Attached.
type AttachFailed struct {
	Handle protocol.Handle
	Err    error
}

// Head says that the newest durable commit of a space has moved. Stepping it
// late, once for many commits, or out of order costs latency and nothing else;
// but the last one must be stepped.
type Head struct {
	Handle protocol.Handle
	Cursor protocol.Cursor
}

// Verdicts brings the verdicts of pushed mutations, after their commits are
// durable, in the order of their counters; or, if Verdicts.Replay is set, the
// answer to the one push with the id Push, of which nothing was taken.
// Verdicts.Handle is ignored.
type Verdicts struct {
	Handle protocol.Handle
	// Push is the Push.ID that a replay answers; not used otherwise.
	Push     uint64
	Verdicts protocol.Verdicts
}

// PushRefused answers Push: nothing of it was taken, for a reason that is not
// its counter or hash (protocol.CodeBase, CodeUnknownOutcome, CodeSchemaOld,
// CodeDamaged, CodeUnavailable …). The subscription goes on.
type PushRefused struct {
	Handle protocol.Handle
	// Push is the Push.ID that was refused.
	Push uint64
	// Counter is the mutation that Err is about; 0 for the push's first.
	Counter uint64
	Err     error
}

// SpaceFailed says that a space cannot go on for this subscription. The space
// has forgotten the handle and everything pushed under it that has no verdict
// yet. It needs no Detach.
type SpaceFailed struct {
	Handle protocol.Handle
	Err    error
}

// Chunk answers Read. Frames are delivery frames without an In, plain or as one
// compressed frame, whole commits only; they may be shared, and the session only
// reads them. A chunk may be longer than was asked for if it holds one commit or
// page. Empty Frames with To as it was mean that there is nothing yet.
type Chunk struct {
	Handle protocol.Handle
	Frames []byte
	// To is the position behind Frames.
	To Position
	// More is true if there is already more behind To.
	More bool
}

// ReadFailed answers Read. The session tries again after a while if Err is no
// *protocol.Error or has the code protocol.CodeUnavailable; any other code ends
// the subscription.
type ReadFailed struct {
	Handle protocol.Handle
	Err    error
}

// Written says that the socket has taken Ready.Write whole, and can take more.
type Written struct{}

// PresenceChanged tells who in a space has new presence; an absent value means
// that the device left. A subscription that did not ask for presence ignores it,
// and every subscription ignores its own device. It is lossy: of a device only
// the latest waits for the socket, and at most maxPresent devices do.
type PresenceChanged struct {
	Handle  protocol.Handle
	Devices []protocol.DevicePresence
}

// Fetched answers Fetch; Value is absent if there is no such value.
type Fetched struct {
	Handle protocol.Handle
	Blob   protocol.BlobID
	Value  protocol.Value
}

// Tick says that time has passed; see Ready.Wake.
type Tick struct{}

// Drain asks the session to end: the peer is told to go away and to come back
// after a random delay of at most Within milliseconds; nothing new is taken, and
// the connection closes once what was taken is answered, or after
// Config.DrainWithin.
type Drain struct {
	Within uint64
}

// Gone says that the socket has ended, whoever ended it. Nothing is written any
// more.
type Gone struct{}

func (Message) input()         {}
func (Violated) input()        {}
func (Authenticated) input()   {}
func (Refused) input()         {}
func (Attached) input()        {}
func (AttachFailed) input()    {}
func (Head) input()            {}
func (Verdicts) input()        {}
func (PushRefused) input()     {}
func (SpaceFailed) input()     {}
func (Chunk) input()           {}
func (ReadFailed) input()      {}
func (Written) input()         {}
func (PresenceChanged) input() {}
func (Fetched) input()         {}
func (Tick) input()            {}
func (Drain) input()           {}
func (Gone) input()            {}
