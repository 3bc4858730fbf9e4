package session

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

// testLimits are small, so that tests can pass them.
func testLimits() protocol.Limits {
	l := protocol.DefaultLimits()
	l.FrameBytes = 4 << 10
	l.MutationBytes = 100
	l.PushWindowBytes = 1000
	l.PushWindowMutations = 8
	l.PresenceBytes = 20
	l.Subscriptions = 4
	return l
}

// conversation is a session at the point where a row of a table begins.
type conversation struct {
	t   *testing.T
	s   *Session
	now protocol.Time
}

// step steps an input and says in a few words what came of it.
func (c *conversation) step(in Input) string {
	c.t.Helper()
	c.s.Step(c.now, in)
	r := c.s.Ready()
	return summary(&r)
}

// settle lets the socket take everything.
func (c *conversation) settle() {
	for c.s.lanes.writing {
		c.step(Written{})
	}
}

func (c *conversation) say(frames ...protocol.Frame) string {
	c.t.Helper()
	return c.step(Message{Bytes: protocol.EncodeMessage(frames...)})
}

// summary is formatReady without the details.
func summary(r *Ready) string {
	var parts []string
	note := func(n int, what string) {
		for range n {
			parts = append(parts, what)
		}
	}
	if r.Authenticate != nil {
		note(1, "authenticate")
	}
	note(len(r.Attach), "attach")
	note(len(r.Push), "to space: push")
	note(len(r.Confirm), "to space: confirm")
	note(len(r.Cursor), "to space: cursor")
	note(len(r.Presence), "to space: presence")
	note(len(r.Fetch), "to space: fetch")
	note(len(r.Read), "read")
	if r.Write != nil {
		for _, f := range decode(r.Write.Prefix) {
			switch f := f.(type) {
			case *protocol.ErrorFrame:
				parts = append(parts, "error "+string(f.Code))
			case *protocol.Unsubscribed:
				parts = append(parts, strings.TrimSpace("unsubscribed "+string(f.Code)))
			case *protocol.Verdicts:
				parts = append(parts, "verdicts")
			default:
				parts = append(parts, f.Type().String())
			}
		}
	}
	if r.Close != nil {
		parts = append(parts, fmt.Sprintf("close %d", r.Close.Code))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// Handles of a conversation once it is live.
const (
	inAttached  protocol.Handle = 1 // space "rw", which may be written
	inReadOnly  protocol.Handle = 2 // space "ro"
	inEnded     protocol.Handle = 3 // was unsubscribed
	inAttaching protocol.Handle = 4 // not answered yet
	inNever     protocol.Handle = 9
)

func hello() *protocol.Hello { return &protocol.Hello{Version: 1, Device: device(1), Token: "t"} }

func subscription1(h protocol.Handle, space string) *protocol.Subscribe {
	return &protocol.Subscribe{Handle: h, Space: space, Device: device(1)}
}

func push(h protocol.Handle, first uint64, sizes ...int) *protocol.Push {
	p := &protocol.Push{Handle: h, First: first}
	for _, n := range sizes {
		p.Bodies = append(p.Bodies, bytes.Repeat([]byte{'.'}, n))
	}
	return p
}

// beginnings brings a new session into each state.
var beginnings = []struct {
	state string
	begin func(c *conversation)
}{
	{"before the hello", func(c *conversation) {}},
	{"token being verified", func(c *conversation) { c.say(hello()) }},
	{"live", begin},
	{"draining", func(c *conversation) {
		begin(c)
		// A push without a verdict keeps it from closing.
		c.say(push(inAttached, 1, 10))
		c.step(Drain{Within: 1000})
		c.settle()
	}},
	{"closed", func(c *conversation) {
		begin(c)
		c.step(Violated{Err: protocol.Errorf(protocol.CodeRate, "too many")})
	}},
}

// begin makes a conversation live, with subscriptions in all stages.
func begin(c *conversation) {
	c.say(hello())
	c.step(Authenticated{Access: &grant{user: "ann", tenant: "acme", read: []string{"ro"}, write: []string{"rw"}}})
	c.settle()
	c.say(subscription1(inAttached, "rw"), subscription1(inReadOnly, "ro"), subscription1(inEnded, "rw"))
	for h := inAttached; h <= inEnded; h++ {
		c.step(Attached{Handle: h, Subscribed: protocol.Subscribed{Mode: protocol.ModeResume, Write: true}})
	}
	c.say(&protocol.Unsubscribe{Handle: inEnded})
	c.say(subscription1(inAttaching, "rw"))
	c.settle()
	// One delivery, so that there is something to acknowledge.
	c.step(Head{Handle: inAttached, Cursor: cursor(5)})
	c.step(Chunk{Handle: inAttached, Frames: make([]byte, 96), To: Position{Cursor: cursor(5)}})
	c.settle()
}

// neighbour is a second session, which nothing that happens to the first one may
// touch.
type neighbour struct {
	conversation
	seq uint64
}

func newNeighbour(t *testing.T) *neighbour {
	n := &neighbour{conversation: conversation{t: t, s: New(Config{Limits: testLimits()}, epoch), now: epoch}}
	begin(&n.conversation)
	n.seq = 5
	return n
}

// goesOn delivers a commit to the neighbour and takes a push from it.
func (n *neighbour) goesOn() {
	n.t.Helper()
	n.seq++
	if got := n.step(Head{Handle: inAttached, Cursor: cursor(n.seq)}); got != "read" {
		n.t.Fatalf("the neighbour was to read, and did: %s", got)
	}
	if got := n.step(Chunk{Handle: inAttached, Frames: []byte{1, 2, 3}, To: Position{Cursor: cursor(n.seq)}}); got != "in" {
		n.t.Fatalf("the neighbour was to be delivered a commit, and got: %s", got)
	}
	n.settle()
	if got := n.say(push(inAttached, n.seq, 10), &protocol.Ack{Received: n.s.down.sent}); got != "to space: push" {
		n.t.Fatalf("the neighbour's push was to be taken, but: %s", got)
	}
	if got := n.step(Verdicts{Handle: inAttached, Verdicts: protocol.Verdicts{List: []protocol.Verdict{{Counter: n.seq}}}}); got != "verdicts" {
		n.t.Fatalf("the neighbour was to have its verdict, but: %s", got)
	}
	n.settle()
}

// TestEveryFrameInEveryState is a row for each frame that a client can send, with
// a column for each state. All of it is sound in itself; what is not stands in
// TestViolations.
func TestEveryFrameInEveryState(t *testing.T) {
	const (
		early  = "error out-of-order, close 4203" // or late
		held   = "nothing"                        // until the token is verified
		ignore = "nothing"
		later  = "nothing" // in its turn, behind the push without a verdict
	)
	rows := []struct {
		frame protocol.Frame
		// want has a column for each of beginnings.
		want [5]string
	}{
		{hello(), [5]string{"authenticate", held, early, early, ignore}},
		{subscription1(5, "rw"), [5]string{early, held, "attach", "unsubscribed going-away", ignore}},
		{&protocol.Unsubscribe{Handle: inAttached}, [5]string{early, held, "unsubscribed", ignore, ignore}},
		{push(inAttached, 2, 10), [5]string{early, held, "to space: push", later, ignore}},
		{&protocol.Ack{Received: 100, Cursors: []protocol.HandleCursor{{Handle: inAttached, Cursor: cursor(5)}}}, [5]string{early, held, "to space: cursor", "to space: cursor", ignore}},
		{&protocol.Window{Bytes: 5000}, [5]string{early, held, ignore, ignore, ignore}},
		{&protocol.Presence{Handle: inAttached, Value: protocol.StringValue("here")}, [5]string{early, held, "to space: presence", "to space: presence", ignore}},
		{&protocol.Token{Token: "fresh"}, [5]string{early, held, "authenticate", "authenticate", ignore}},
		{&protocol.Ping{Nonce: 7}, [5]string{early, held, "pong", "pong", ignore}},
		{&protocol.Pong{Nonce: 7}, [5]string{early, held, ignore, ignore, ignore}},
		{&protocol.Fetch{Handle: inAttached, Blob: protocol.BlobID{1}}, [5]string{early, held, "to space: fetch", "to space: fetch", ignore}},
	}

	// The rows are complete: they are the frames that a server accepts at all.
	have := map[protocol.FrameType]bool{}
	for _, row := range rows {
		have[row.frame.Type()] = true
		if _, err := protocol.DecodeClientMessage(protocol.EncodeMessage(row.frame)); err != nil {
			t.Errorf("%v: %v", row.frame.Type(), err)
		}
	}
	for _, f := range allFrames() {
		_, err := protocol.DecodeClientMessage(protocol.EncodeMessage(f))
		if fromClient := err == nil; fromClient != have[f.Type()] {
			t.Errorf("%v: from a client %v, in the table %v", f.Type(), fromClient, have[f.Type()])
		}
	}

	other := newNeighbour(t)
	for _, row := range rows {
		for i, b := range beginnings {
			t.Run(fmt.Sprintf("%v/%s", row.frame.Type(), b.state), func(t *testing.T) {
				c := &conversation{t: t, s: New(Config{Limits: testLimits()}, epoch), now: epoch}
				b.begin(c)
				if got := c.say(row.frame); got != row.want[i] {
					t.Errorf("got  %s\nwant %s", got, row.want[i])
				}
			})
			other.goesOn()
		}
	}
}

// allFrames is one of each frame, as empty as it can be.
func allFrames() []protocol.Frame {
	return []protocol.Frame{
		hello(), &protocol.Welcome{}, subscription1(1, "x"), &protocol.Subscribed{Handle: 1}, &protocol.Unsubscribe{Handle: 1},
		push(1, 1, 1), &protocol.Verdicts{Handle: 1}, &protocol.In{Handle: 1}, &protocol.CommitHeader{}, &protocol.Section{Collection: "c"},
		&protocol.ConflictNotice{}, &protocol.Advance{}, &protocol.Snapshot{}, &protocol.Page{Collection: "c"}, &protocol.SnapshotEnd{},
		&protocol.Ack{}, &protocol.Window{}, &protocol.Presence{Handle: 1}, &protocol.Present{Handle: 1}, &protocol.Token{},
		&protocol.TokenAccept{}, &protocol.ErrorFrame{}, &protocol.GoingAway{}, &protocol.Ping{}, &protocol.Pong{},
		&protocol.Fetch{Handle: 1}, &protocol.Fetched{Handle: 1}, &protocol.Unsubscribed{Handle: 1}, &protocol.Compressed{},
	}
}
