package space

import (
	"context"

	"github.com/tidegate/tidegate/protocol"
)

// Sink receives what a space tells one attachment. Both methods are called from
// the space's goroutine: they must return at once and not call back.
type Sink interface {
	// Tell passes on Attached, Verdicts, Refused or Lost, in order. After Lost
	// nothing follows.
	Tell(ReplyBody)
	// Moved says that head has moved: a read would give something. It is called at
	// most once for each batch of commits, before the verdicts in them.
	Moved(head protocol.Cursor)
}

// Attachment is a device's access to an open space. Its methods are safe for
// concurrent use and, but for Read and Fetch, return at once.
type Attachment struct{}

// Push is [Core.Push].
func (a *Attachment) Push(first uint64, previous protocol.Hash, bodies [][]byte) {}

// Confirm is [Core.Confirm].
func (a *Attachment) Confirm(counters []uint64) {}

// Hint is [Core.Hint].
func (a *Attachment) Hint(seq uint64) {}

// Head is the newest commit that a read would reach.
func (a *Attachment) Head() protocol.Cursor { return protocol.Cursor{} }

// Read returns what comes after a position: from the ring if that is near, else
// from the log, else from a snapshot. It never waits for commits to come. An error
// of type *protocol.Error is for the device; any other is the store's, and the
// read may be repeated.
func (a *Attachment) Read(ctx context.Context, req ReadRequest) (Chunk, error) { return Chunk{}, nil }

// Fetch returns a large overwritten value; absent if there is no such value.
func (a *Attachment) Fetch(ctx context.Context, id protocol.BlobID) (protocol.Value, error) {
	return protocol.Value{}, nil
}

// Detach ends the attachment. The sink is not called any more once it returns.
func (a *Attachment) Detach() {}
