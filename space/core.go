package space

import (
	"github.com/tidegate/tidegate/protocol"
)

// Core is the log of one space as a machine without IO; see the package comment.
// It is not safe for concurrent use. Every input carries the time; it may not go
// back between inputs (if it does, the latest time seen is used).
//
// After any number of inputs, call Ready and do what it says.
type Core struct {
	cfg Config
	key Key
}

// NewCore returns the core of a space that is about to be opened. The first Tick
// asks for the first requests.
func NewCore(key Key, cfg Config) *Core { return &Core{cfg: cfg.withDefaults(), key: key} }

// Attach lets a device read and push. The answer is Attached, or Lost.
func (c *Core) Attach(now protocol.Time, a Attach) {}

// Detach ends an attachment. What it has pushed goes on; nothing more is told to
// the session.
func (c *Core) Detach(now protocol.Time, session SessionID) {}

// Push offers mutations. The answers are Verdicts, one for each mutation in
// counter order; or Verdicts with Replay set, or Refused, and then nothing of
// the push was taken. It does not keep the slice, but keeps the bodies.
func (c *Core) Push(now protocol.Time, session SessionID, first uint64, previous protocol.Hash, bodies [][]byte) {
}

// Confirm tells that the device has durably stored the rejections of these
// counters.
func (c *Core) Confirm(now protocol.Time, session SessionID, counters []uint64) {}

// Hint tells that some gateway has been seen to have head at seq or later: the
// log is read if this is behind. A hint decides nothing.
func (c *Core) Hint(now protocol.Time, seq uint64) {}

// Respond takes a store's answer.
func (c *Core) Respond(now protocol.Time, r Response) {}

// Tick lets time pass: lost requests are repeated, checkpoints made, the log
// polled. It is cheap, and may be called at any time.
func (c *Core) Tick(now protocol.Time) {}

// Close begins to close: pushes are refused from now on, what is in flight is
// resolved, everything is checkpointed; then Ready.Closed is true.
func (c *Core) Close(now protocol.Time) {}

// Ready returns what must be done, and forgets it.
func (c *Core) Ready() Ready { return Ready{} }

// Head is the newest commit that is known to be durable and is folded.
func (c *Core) Head() protocol.Cursor { return protocol.Cursor{} }

// Horizon is the oldest seq from which the log still serves cursors.
func (c *Core) Horizon() uint64 { return 0 }
