package space

import "github.com/tidegate/tidegate/protocol"

// RequestID names a request of a Core. Ids are never used twice by one Core.
type RequestID uint64

// Request is a call to the store that a Core asks its owner to make, in any
// order and concurrently. The answer comes back through [Core.Respond]; it may
// come late, twice, after younger ones, or never: then the Core asks again under
// a new id.
type Request struct {
	ID RequestID
	Op RequestOp
	// NotAfter is when it is too late to send the request: an owner that was held up
	// until then (a suspended machine) answers with an error instead. What looked
	// free when an append was asked for, and what was not yet dropped when an image
	// was, may have been trimmed away since; a late write would bring it back.
	NotAfter protocol.Time
}

// RequestOp is one of AppendOp, LogOp, PutOp, GetOp, ScanOp and TrimOp, after the
// Store's methods.
type RequestOp interface{ requestOp() }

type (
	// AppendOp asks for Store.Append. It must be sent at most once: the Core itself
	// decides about repeating it.
	AppendOp struct {
		Seq  uint64
		Data []byte
	}
	// LogOp asks for Store.Log.
	LogOp struct {
		From     uint64
		MaxBytes int
	}
	// PutOp asks for Store.Put.
	PutOp struct{ Items []Item }
	// GetOp asks for Store.Get.
	GetOp struct{ Keys []ItemKey }
	// ScanOp asks for Store.Scan.
	ScanOp struct {
		After    ItemKey
		MaxBytes int
	}
	// TrimOp asks for Store.Trim.
	TrimOp struct {
		Below uint64
		Drop  []ItemKey
	}
)

func (AppendOp) requestOp() {}
func (LogOp) requestOp()    {}
func (PutOp) requestOp()    {}
func (GetOp) requestOp()    {}
func (ScanOp) requestOp()   {}
func (TrimOp) requestOp()   {}

// Response is what a store answered to a request.
type Response struct {
	ID RequestID
	// Log answers LogOp, Items answers GetOp and ScanOp.
	Log   []LogItem
	Items []Item
	// Err is the store's error, as it came.
	Err error
}

// SessionID names one attachment of a device to a space. Its owner chooses it,
// and never uses it twice with one Core.
type SessionID uint64

// Attach asks a Core to let a device read and push.
type Attach struct {
	Session SessionID
	Device  protocol.DeviceID
	// User is who the device's token speaks for.
	User string
	// Cursor is where the device stands; zero for a new one.
	Cursor protocol.Cursor
	// Counter is the newest of the device's counters that it has the log's word for:
	// what followed is told as Subscribed.Recent.
	Counter uint64
	// ReadOnly attaches a device that may not push: its id is not bound to User.
	ReadOnly bool
}

// Push offers mutations to a Core: see protocol.Push.
type Push struct {
	Session SessionID
	// ID is the session's number for the push; the answer carries it.
	ID       uint64
	First    uint64
	Previous protocol.Hash
	// Bodies are kept until their commit is folded, and must not be changed.
	Bodies [][]byte
}

// Reply is something that a session is told: one of Attached, Verdicts, Refused
// and Lost.
type Reply struct {
	Session SessionID
	Body    ReplyBody
}

// ReplyBody is the body of a Reply.
type ReplyBody interface{ replyBody() }

type (
	// Attached answers Attach. Handle and Write are left for the session.
	Attached struct{ protocol.Subscribed }
	// Verdicts answers pushes. Handle is left for the session.
	Verdicts struct {
		protocol.Verdicts
		// Push, if Replay is set, is the ID of the push that was not taken. A session
		// frees the push window by it.
		Push uint64
	}
	// Refused says that a push was not taken, or only its beginning, and why.
	Refused struct {
		// Push is the push's ID.
		Push uint64
		// Counter is the mutation that Err is about, and the first that was not taken;
		// 0 if nothing was taken.
		Counter uint64
		Err     *protocol.Error
	}
	// Lost ends an attachment, or refuses it. With CodeUnavailable the device may
	// attach again: it is then told what became of what it had pushed.
	Lost struct{ Err *protocol.Error }
)

func (Attached) replyBody() {}
func (Verdicts) replyBody() {}
func (Refused) replyBody()  {}
func (Lost) replyBody()     {}

// Start is the state of the log that a Core began with.
type Start struct {
	Head protocol.Cursor
	// Names is the name table at Head.
	Names []string
}

// Published is a durable commit, to be shown to readers.
type Published struct {
	Cursor protocol.Cursor
	Time   protocol.Time
	AckNow bool
	// Names are those that the commit adds to the name table.
	Names []string
	// Data is the commit as it is stored; it is never changed.
	Data []byte
	// Own is true if this Core appended it.
	Own bool
}

// HandOver is a request to another gateway to append mutations.
type HandOver struct {
	Gateway string
	Pushes  *protocol.PeerPushes
}

// Ready is what the owner of a Core must do next.
type Ready struct {
	// Requests may be sent at once, in any order, concurrently.
	Requests []Request
	// Start, if not nil, says where Published continues from now on: the space has
	// been opened, or had fallen behind the horizon and began again from the images.
	Start *Start
	// Published are commits that are durable and folded, in seq order, without a
	// gap to those of the Ready before, unless Start is set. They are to be in the
	// ring before any of Replies is passed on.
	Published []Published
	// Replies leave after everything in Published is visible to readers, each
	// session's in order. A verdict is among them only once its commit is durable.
	Replies []Reply
	// Events are for metrics and logs alone.
	Events []Event
	// Announce, unless 0, is a head to be announced to the other gateways: what is
	// Published with Own set is to be told them too, and the last may have been lost.
	Announce uint64
	// HandOver are mutations to be sent to another gateway each. Losing them costs
	// time alone.
	HandOver []HandOver
	// Wake is when Tick is to be called at the latest; 0 if only inputs matter.
	Wake protocol.Time
	// Closed is true once Close has been called and everything is checkpointed.
	Closed bool
}

// EventKind says what a Core's owner may want to count or log.
type EventKind uint8

const (
	// EventOpened: the space can be read and written. N is how many commits were folded.
	EventOpened EventKind = iota + 1
	// EventCommitted: an own commit is durable. N is its mutations, Bytes its size,
	// Took how long its append took.
	EventCommitted
	// EventVerdict: a mutation of an own commit got Outcome.
	EventVerdict
	// EventConflict: an own commit holds a conflict settled by (or, if Open, put up
	// by) Policy.
	EventConflict
	// EventFolded: another gateway's commit was folded.
	EventFolded
	// EventRace: an append found its seq taken by another gateway.
	EventRace
	// EventOffered: another gateway's commit came over the bus, and needs no read.
	EventOffered
	// EventHandOver: N mutations were handed over to another gateway.
	EventHandOver
	// EventHandOverLate: mutations that were handed over did not show up in the log
	// in time; N of them are appended here.
	EventHandOverLate
	// EventTaken: N mutations were taken that another gateway handed over.
	EventTaken
	// EventRetry: a request failed or was lost, and will be repeated. Err says why.
	EventRetry
	// EventUnknown: an append's outcome is unknown and is being resolved.
	EventUnknown
	// EventReplay: a push did not continue its device's counter and hash.
	EventReplay
	// EventCheckpoint: N images were stored, Bytes long.
	EventCheckpoint
	// EventWatermark: everything up to N is checkpointed.
	EventWatermark
	// EventTrimmed: the horizon was raised to N and what lies below was removed.
	EventTrimmed
	// EventHole: the log was trimmed past this Core's head; it began again.
	EventHole
	// EventDamaged: a log entry or an image cannot be read. Err says which and why.
	EventDamaged
	// EventEvicted: N images were forgotten to keep within the budget.
	EventEvicted
	// EventForeign: somebody else changed an image in the store; Err says which and
	// how. It is made again from the log.
	EventForeign
)

// Event is something that happened inside a Core.
type Event struct {
	Kind    EventKind
	Seq     uint64
	N       uint64
	Bytes   int
	Took    protocol.Time
	Outcome protocol.Outcome
	Policy  protocol.Policy
	Open    bool
	Err     error
}
