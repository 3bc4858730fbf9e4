package space

import (
	"context"
	"sync"

	"github.com/tidegate/tidegate/protocol"
)

// Sink receives what a space tells one attachment. Both methods are called from
// the space's goroutine: they must return at once and not call back.
type Sink interface {
	// Tell passes on Attached, Verdicts, Refused or Lost, in order. After Lost
	// nothing follows, and the attachment needs no Detach.
	Tell(ReplyBody)
	// Moved says that head has moved: a read would give something. It is called at
	// most once for each batch of commits, before the verdicts in them.
	Moved(head protocol.Cursor)
}

// Attachment is a device's access to an open space. Its methods are safe for
// concurrent use and, but for Read and Fetch, return at once.
type Attachment struct {
	// Static.
	space   *Space
	session SessionID

	mu   sync.Mutex // held while the sink is called
	sink Sink       // guarded by mu; nil once the attachment has ended
	left bool       // guarded by space.manager.mu
}

// Push is [Core.Push]; p.Session is filled in.
func (a *Attachment) Push(p Push) {
	p.Session = a.session
	a.space.post(func(c *Core, now protocol.Time) { c.Push(now, p) })
}

// Confirm is [Core.Confirm].
func (a *Attachment) Confirm(counters []uint64) {
	a.space.post(func(c *Core, now protocol.Time) { c.Confirm(now, a.session, counters) })
}

// Hint is [Core.Hint].
func (a *Attachment) Hint(seq uint64) {
	a.space.post(func(c *Core, now protocol.Time) { c.Hint(now, seq) })
}

// Head is the newest commit that a read would reach.
func (a *Attachment) Head() protocol.Cursor { return a.space.ring.Head() }

// Read returns what comes after a position; see [Reader.Read].
func (a *Attachment) Read(ctx context.Context, req ReadRequest) (Chunk, error) {
	r := Reader{
		Ring:  a.space.ring,
		Enter: a.space.enter,
		Do:    func(op RequestOp) Response { return a.space.read(ctx, op) },
	}
	return r.Read(req)
}

// Fetch returns a large overwritten value; absent if there is no such value.
func (a *Attachment) Fetch(ctx context.Context, id protocol.BlobID) (protocol.Value, error) {
	resp := a.space.read(ctx, GetOp{Keys: []ItemKey{blobKey(id)}})
	if resp.Err != nil || len(resp.Items) != 1 || resp.Items[0].Version == 0 && resp.Items[0].Unreadable == nil {
		return protocol.Value{}, resp.Err
	}
	if resp.Items[0].Unreadable != nil {
		return protocol.Value{}, unreadableError(resp.Items[0])
	}
	return decodeBlob(resp.Items[0])
}

// Detach ends the attachment. The sink is not called any more once it returns.
func (a *Attachment) Detach() {
	a.mu.Lock()
	a.sink = nil
	a.mu.Unlock()
	a.space.post(func(c *Core, now protocol.Time) {
		c.Detach(now, a.session)
		a.space.forget(a)
	})
}

func (a *Attachment) tell(body ReplyBody) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sink != nil {
		a.sink.Tell(body)
	}
	if _, lost := body.(Lost); lost {
		a.sink = nil
	}
}

func (a *Attachment) moved(head protocol.Cursor) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sink != nil {
		a.sink.Moved(head)
	}
}
