package sim

import (
	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/session"
	"github.com/tidegate/tidegate/space"
)

// NamedBug is a bug that can be planted.
type NamedBug struct {
	Name string
	Bug  Bug
}

// Bugs are mistakes that somebody might make, each behind a switch that only
// tests can reach. The simulator has to find every one of them.
func Bugs() []NamedBug {
	return []NamedBug{
		{"a verdict leaves before its commit is durable", Bug{Space: space.Faults{AckBeforeDurable: true}}},
		{"pushes are taken whatever their counter and hash", Bug{Space: space.Faults{NoDedup: true}}},
		// Each of these two hides the other: whoever was suspended for hours begins
		// again, and whoever does not meets the hole.
		{"after hours of suspension a gateway goes on over what was trimmed", Bug{Space: space.Faults{StaleHeadAppend: true, IgnoreHole: true}}},
		{"commits are folded out of order", Bug{Space: space.Faults{SkipFoldOrder: true}}},
		{"the log is trimmed before its checkpoint", Bug{Space: space.Faults{TrimBeforeHorizon: true}}},
		{"an image is stored before its commit is durable", Bug{Space: space.Faults{CheckpointAheadOfLog: true}}},
		{"a rejection is forgotten before it was confirmed", Bug{Space: space.Faults{ForgetRejections: true}}},
		{"an append of unknown outcome is repeated as a new commit", Bug{Space: space.Faults{RetryWithNewCommitID: true}}},
		{"a cursor of another history is resumed", Bug{Space: space.Faults{IgnoreCommitID: true}}},
		{"a delta is folded into an image that has it", Bug{Space: space.Faults{FoldTwice: true}}},
		{"a snapshot lacks what is not checkpointed", Bug{Space: space.Faults{SnapshotWithoutOverlay: true}}},
		{"a device's clock is believed", Bug{Space: space.Faults{NoEditTimeClamp: true}}},
		{"what the bus brings is taken for the end of the log", Bug{Space: space.Faults{OfferProvesHead: true}}},
		{"what the bus brings is folded across a gap", Bug{Space: space.Faults{OfferAnySeq: true}}},
		{"an append goes on that the bus says is beaten", Bug{Space: space.Faults{OfferKeepsAppend: true}}},
		{"the bus is believed never to lose a message", Bug{Space: space.Faults{TrustBus: true}}},
		{"what is handed over is taken whatever its hash", Bug{Space: space.Faults{HandOverUnchecked: true}}},
		{"what was handed over in vain is dropped", Bug{Space: space.Faults{HandOverForgets: true}}},

		{"a cursor is sent before what it covers", Bug{Session: session.Faults{CursorBeforeDelivery: true}}},
		{"a device resumes one commit too far", Bug{Session: session.Faults{ResumeSkipsOne: true}}},
		{"after a snapshot delivery goes on from the head", Bug{Session: session.Faults{SnapshotToHead: true}}},
		{"a head that moves during a read is forgotten", Bug{Session: session.Faults{LostWakeup: true}}},
		{"verdicts that wait for the socket are lost", Bug{Session: session.Faults{DropVerdicts: true}}},
		{"nobody is told of conflicts", Bug{Session: session.Faults{NoNotices: true}}},

		{"a verdict takes the pending op out of the view too early", Bug{Client: client.Faults{VerdictDropsPendingEarly: true}}},
		{"a mutation is called local before it is on disk", Bug{Client: client.Faults{LocalBeforePersist: true}}},
		{"a mutation is pushed before it is on disk", Bug{Client: client.Faults{PushBeforePersist: true}}},
		{"a snapshot without the device's counter", Bug{Client: client.Faults{SnapshotWithoutCounter: true}}},
		{"a clone is not noticed", Bug{Client: client.Faults{SkipHashCheck: true}}},
		{"mutations are pushed in the wrong order", Bug{Client: client.Faults{ReorderPush: true}}},
		{"a rejected mutation is not kept", Bug{Client: client.Faults{DropRejected: true}}},
		{"a gap in the commits is passed over", Bug{Client: client.Faults{SkipGapCheck: true}, Session: session.Faults{ResumeSkipsOne: true}}},
		{"the cursor is durable before the state", Bug{Client: client.Faults{CursorBeforeState: true}}},
		{"a new device id goes on with the old counters", Bug{Client: client.Faults{ReplaceDeviceKeepsChain: true}}},
		{"a committed mutation never leaves the view", Bug{Client: client.Faults{KeepSettled: true}}},
	}
}
