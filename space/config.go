package space

import (
	"time"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// Config says how a space is kept. The zero value of each field but NewCommitID
// is usable.
type Config struct {
	// Gateway names this gateway in its commits; a hint for people and for
	// hand-over, never a matter of correctness. Two of one name hand nothing to each
	// other.
	Gateway string
	// Schema is what mutations are merged under; nil for none.
	Schema *merge.Schema
	// Limits bound mutations, commits and records; zero fields take the defaults.
	Limits protocol.Limits
	// NewCommitID draws a commit id. It must not repeat: with crypto/rand in
	// production, with the run's seed in the simulator.
	NewCommitID func() protocol.CommitID

	// Exclusive is true if no other gateway can append to the store: then nothing
	// polls.
	Exclusive bool
	// PollEvery is how often the log is read for other gateways' commits while a
	// device is attached (500 ms); PollQuiet while the bus is up, which tells of them
	// sooner unless it loses something (10 s).
	PollEvery, PollQuiet time.Duration
	// HandOverWithin is how long mutations that were handed to another gateway may
	// take to show up in the log before this one appends them itself (250 ms).
	HandOverWithin time.Duration

	// CacheBytes bounds what a space keeps of its records and devices in memory,
	// as far as they are stored (32 MiB).
	CacheBytes int
	// CheckpointEvery is how long a record's image may lag behind the log (2 s).
	CheckpointEvery time.Duration
	// WatermarkEvery and WatermarkBytes bound what opening a space has to fold: after
	// so many commits, or bytes of them, everything is checkpointed (256, 4 MiB).
	WatermarkEvery int
	WatermarkBytes int
	// StallAfter is how long another gateway's commits may wait for that gateway's
	// checkpoint before this one makes it (30 s).
	StallAfter time.Duration

	// Expire lets commits older than Limits.Horizon go, once a checkpoint covers
	// them. By default history is kept. A horizon below two hours is taken as two
	// hours: what relies on a head proved within the hour needs the slack.
	Expire bool

	// RequestTimeout is after how long a request to the store counts as lost (10 s).
	// The owner should give up on its calls earlier.
	RequestTimeout time.Duration
	// RetryMin and RetryMax bound the pause before a failed request is repeated; it
	// doubles from one to the other (50 ms, 5 s).
	RetryMin, RetryMax time.Duration
	// AttachWithin is how long an attach may wait for a store that does not answer
	// before it is refused with CodeUnavailable (10 s).
	AttachWithin time.Duration

	// Faults plants bugs, for the simulator that has to find them. Never set it
	// elsewhere.
	Faults Faults
}

// Faults are bugs to plant, to show that the tests would notice. All are false
// in production.
type Faults struct {
	// AckBeforeDurable lets verdicts leave when their append is sent.
	AckBeforeDurable bool
	// NoDedup takes every push, whatever its counter and hash.
	NoDedup bool
	// StaleHeadAppend appends however long ago the head was proved.
	StaleHeadAppend bool
	// SkipFoldOrder folds a commit read from the log last to first.
	SkipFoldOrder bool
	// TrimBeforeHorizon trims the log without raising the horizon or waiting for a
	// checkpoint that covers what goes.
	TrimBeforeHorizon bool
	// CheckpointAheadOfLog stores images of a commit whose append is in flight.
	CheckpointAheadOfLog bool
	// ForgetRejections leaves rejections out of device entries.
	ForgetRejections bool
	// RetryWithNewCommitID repeats an append of unknown outcome as a new commit at
	// the next seq.
	RetryWithNewCommitID bool
	// IgnoreHole folds on over commits that were trimmed away.
	IgnoreHole bool
	// IgnoreCommitID resumes a cursor without comparing its commit id.
	IgnoreCommitID bool
	// FoldTwice applies a delta again to a record's image that is newer already.
	FoldTwice bool
	// SnapshotWithoutOverlay leaves what is not yet checkpointed out of snapshots.
	SnapshotWithoutOverlay bool
	// NoEditTimeClamp believes devices' clocks.
	NoEditTimeClamp bool
	// OfferProvesHead takes a commit that another gateway tells of for the end of
	// the log.
	OfferProvesHead bool
	// OfferAnySeq folds what another gateway tells of, whatever lies between.
	OfferAnySeq bool
	// OfferKeepsAppend goes on with an append whose seq another gateway's commit is
	// known to have.
	OfferKeepsAppend bool
	// TrustBus reads the log only if the bus says that there is something.
	TrustBus bool
	// HandOverUnchecked takes handed-over mutations whatever their hash.
	HandOverUnchecked bool
	// HandOverForgets drops what was handed over and did not show up in time.
	HandOverForgets bool
}

// headProofAge is how long a head may be trusted without proof. A trimmed seq
// looks free: nobody appends or checkpoints on an older one.
const headProofAge = protocol.Time(time.Hour / time.Millisecond)

// maxEntryBytes bounds what a device leaves unconfirmed: beyond it its pushes are
// not taken. One more push window of rejections still leaves an entry that every
// store can hold.
const maxEntryBytes = 64 << 10

func (c Config) withDefaults() Config {
	limits := protocol.DefaultLimits()
	set := func(field *int, def int) {
		if *field <= 0 {
			*field = def
		}
	}
	set(&c.Limits.MutationBytes, limits.MutationBytes)
	set(&c.Limits.RecordBytes, limits.RecordBytes)
	set(&c.Limits.FieldBytes, limits.FieldBytes)
	set(&c.Limits.CommitBytes, limits.CommitBytes)
	set(&c.Limits.CommitMutations, limits.CommitMutations)
	// What is read of the log in one answer has room for any commit and the next.
	c.Limits.CommitBytes = min(c.Limits.CommitBytes, tailBytes/2)
	set(&c.CacheBytes, 32<<20)
	set(&c.WatermarkEvery, 256)
	set(&c.WatermarkBytes, 4<<20)

	setTime := func(field *time.Duration, def time.Duration) {
		if *field <= 0 {
			*field = def
		}
	}
	setTime(&c.Limits.Horizon, limits.Horizon)
	c.Limits.Horizon = max(c.Limits.Horizon, 2*time.Hour)
	setTime(&c.PollEvery, 500*time.Millisecond)
	setTime(&c.PollQuiet, 10*time.Second)
	setTime(&c.HandOverWithin, 250*time.Millisecond)
	setTime(&c.CheckpointEvery, 2*time.Second)
	setTime(&c.StallAfter, 30*time.Second)
	setTime(&c.RequestTimeout, 10*time.Second)
	setTime(&c.RetryMin, 50*time.Millisecond)
	setTime(&c.RetryMax, 5*time.Second)
	setTime(&c.AttachWithin, 10*time.Second)
	return c
}

// millis is a duration in the unit of protocol.Time.
func millis(d time.Duration) protocol.Time { return protocol.Time(d / time.Millisecond) }
