package client

// Faults are bugs that a test can plant, to prove that it would find them. The
// zero value is a correct client; nothing but a test may set any.
type Faults struct {
	// VerdictDropsPendingEarly lets a mutation leave the view and the queue with its
	// verdict, before the cursor has reached it.
	VerdictDropsPendingEarly bool
	// AckBeforePersist acknowledges a cursor that is not durable.
	AckBeforePersist bool
	// LocalBeforePersist says that a mutation is durable before it is.
	LocalBeforePersist bool
	// PushBeforePersist sends mutations that are not durable.
	PushBeforePersist bool
	// ForgetSent does not remember which mutations may have been sent.
	ForgetSent bool
	// SnapshotWithoutCounter ignores what the server says about the device when a
	// snapshot comes, and takes everything in the queue for uncommitted.
	SnapshotWithoutCounter bool
	// SkipHashCheck takes the server's counter for its own without comparing the
	// running hash: a clone goes unnoticed.
	SkipHashCheck bool
	// ReorderPush sends the mutations of a push in the wrong order.
	ReorderPush bool
	// DropRejected confirms rejections without keeping their payload.
	DropRejected bool
	// SkipGapCheck applies a commit that does not continue the cursor.
	SkipGapCheck bool
	// CursorBeforeState makes the cursor durable in a batch of its own, before the
	// records it stands for.
	CursorBeforeState bool
	// BaseOfHead gives mutations the server's head as their base, instead of what
	// the user had seen.
	BaseOfHead bool
	// ReplaceDeviceKeepsChain takes a new device id but goes on with the old counters.
	ReplaceDeviceKeepsChain bool
	// RebaseUnchecked rebases edits of fields that changed meanwhile.
	RebaseUnchecked bool
	// KeepSettled never lets a committed mutation leave the view.
	KeepSettled bool
}
