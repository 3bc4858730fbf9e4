package client

import (
	"context"
	"fmt"

	"github.com/tidegate/tidegate/protocol"
)

// Write is a mutation that is on disk. It needs not be kept or waited for.
type Write struct {
	client *Client
	local  chan struct{} // closed once durable on disk
	done   chan struct{} // closed once settled

	// Guarded by client.mu until done is closed.
	verdict protocol.Verdict
	err     error
}

// Durable waits until the server has judged the mutation and the judgement is
// durable. A rejected mutation returns a *Rejected; its payload is in
// Space.Rejected. Otherwise the error is nil and the verdict says, op by op,
// what became of it.
//
// A verdict with Seq 0 means that the answer was lost with its connection and
// the server has since confirmed that the mutation took effect, once: whether
// alone or merged with others it did not say. What was overwritten still arrives
// as a conflict.
//
// An error that is not a *Rejected (ctx's, ErrClosed) says nothing about the
// mutation: it stays in the queue.
func (w *Write) Durable(ctx context.Context) (protocol.Verdict, error) {
	select {
	case <-w.done:
		return w.verdict, w.err
	default:
	}
	select {
	case <-w.done:
		return w.verdict, w.err
	case <-ctx.Done():
		return protocol.Verdict{}, ctx.Err()
	}
}

// Settled is closed once Durable would return without waiting.
func (w *Write) Settled() <-chan struct{} { return w.done }

// Rejected is the error of a mutation that the server rejected, wholly or in
// part. Message is fit for a user and names the field.
type Rejected struct {
	Code    protocol.RejectCode
	Message string
	// Field is the path of the field it is about, if it is about one.
	Field string
	// Verdict holds the outcomes of the ops, if only some were rejected: the others
	// took effect.
	Verdict protocol.Verdict
}

// Error returns the message with its code.
func (r *Rejected) Error() string {
	return fmt.Sprintf("rejected (%s): %s", r.Code, r.Message)
}

// rejection returns the error of a verdict, nil if nothing was rejected.
func rejection(v protocol.Verdict) error {
	if v.Outcome != protocol.Rejected {
		return nil
	}
	r := &Rejected{Code: v.Code, Message: v.Message, Field: v.Field, Verdict: v}
	for _, op := range v.Ops {
		if r.Code == "" && op.Outcome == protocol.Rejected {
			r.Code, r.Message, r.Field = op.Code, op.Message, op.Field
		}
	}
	return r
}
