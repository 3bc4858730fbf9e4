package session

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

// violation is something that a peer, or the world around it, does wrong, and
// what it gets.
type violation struct {
	name  string
	begin func(c *conversation)
	in    Input
	// code is the error frame's, or for what concerns only a subscription or a
	// mutation, the code that it is answered with.
	code protocol.Code
	// close is the close code; 0 if the connection goes on.
	close protocol.CloseCode
}

func frames(f ...protocol.Frame) Input { return Message{Bytes: protocol.EncodeMessage(f...)} }

func raw(b ...byte) Input { return Message{Bytes: b} }

func ack(h protocol.Handle, c protocol.Cursor) Input {
	return frames(&protocol.Ack{Received: 100, Cursors: []protocol.HandleCursor{{Handle: h, Cursor: c}}})
}

// after is begin, and then something more.
func after(more ...Input) func(c *conversation) {
	return func(c *conversation) {
		begin(c)
		for _, in := range more {
			c.step(in)
		}
		c.settle()
	}
}

func violations() []violation {
	start := func(*conversation) {}
	greeted := func(c *conversation) { c.say(hello()) }
	wrongVersion := hello()
	wrongVersion.Version = 0
	noDevice := hello()
	noDevice.Device = protocol.DeviceID{}
	longToken := hello()
	longToken.Token = strings.Repeat("t", protocol.MaxTokenBytes+1)
	noDeviceHere := subscription1(5, "rw")
	noDeviceHere.Device = protocol.DeviceID{}
	manyCollections, badCollection := subscription1(5, "rw"), subscription1(5, "rw")
	for range maxCollections + 1 {
		manyCollections.Collections = append(manyCollections.Collections, "c")
	}
	badCollection.Collections = []string{""}
	otherCommit := cursor(5)
	otherCommit.Commit[0] = 0xff
	var pings, fetches []protocol.Frame
	for range maxPings + 1 {
		pings = append(pings, &protocol.Ping{})
	}
	for range maxFetches + 1 {
		fetches = append(fetches, &protocol.Fetch{Handle: inAttached})
	}
	sound := protocol.EncodeMessage(hello())
	deep := append([]byte{protocol.Format}, bytes.Repeat([]byte{0x91}, 40)...)
	wide := append([]byte{protocol.Format, 0xdd, 0, 0, 0x0f, 0x00}, make([]byte, 0xf00)...)

	return []violation{
		// What is no message at all.
		{"no bytes", start, raw(), protocol.CodeMalformed, 4200},
		{"no frame", start, raw(protocol.Format), protocol.CodeMalformed, 4200},
		{"no frame, live", begin, raw(protocol.Format), protocol.CodeMalformed, 4200},
		{"another format version", start, raw(0x20, 0x91, 0x01), protocol.CodeUpgrade, 4202},
		{"a must-understand bit", start, raw(protocol.Format|1, 0x91, 0x01), protocol.CodeUpgrade, 4202},
		{"a truncated frame", start, Message{Bytes: sound[:len(sound)-1]}, protocol.CodeMalformed, 4200},
		{"a frame that is no array", start, raw(protocol.Format, 0x01), protocol.CodeMalformed, 4200},
		{"an empty array", start, raw(protocol.Format, 0x90), protocol.CodeMalformed, 4200},
		{"an unknown frame type", begin, raw(protocol.Format, 0x91, 0x7f), protocol.CodeMalformed, 4200},
		{"too few elements", begin, raw(protocol.Format, 0x91, byte(protocol.FramePing)), protocol.CodeMalformed, 4200},
		{"too many elements", begin, raw(protocol.Format, 0x93, byte(protocol.FramePing), 0x01, 0x01), protocol.CodeMalformed, 4200},
		{"an element of another type", begin, raw(protocol.Format, 0x92, byte(protocol.FramePing), 0xa1, 'x'), protocol.CodeMalformed, 4200},
		{"an extension type", begin, raw(protocol.Format, 0x92, byte(protocol.FramePing), 0xd4, 0x01, 0x01), protocol.CodeMalformed, 4200},
		{"a declared length beyond the end", begin, raw(protocol.Format, 0x92, byte(protocol.FramePing), 0xdf, 0xff, 0xff, 0xff, 0xff), protocol.CodeMalformed, 4200},
		{"nesting without end", begin, Message{Bytes: deep}, protocol.CodeMalformed, 4200},
		{"an array of thousands", begin, Message{Bytes: wide}, protocol.CodeMalformed, 4200},
		{"a sound frame before a broken one", begin, Message{Bytes: append(protocol.EncodeMessage(&protocol.Pong{}), 0xc1)}, protocol.CodeMalformed, 4200},
		{"a message over the limit", begin, Message{Bytes: make([]byte, 4<<10+1)}, protocol.CodeTooLarge, 4201},
		{"a message over the limit first", start, Message{Bytes: make([]byte, 4<<10+1)}, protocol.CodeTooLarge, 4201},
		{"text", begin, Violated{Err: protocol.Errorf(protocol.CodeMalformed, "text")}, protocol.CodeMalformed, 4200},
		{"too many messages", begin, Violated{Err: protocol.Errorf(protocol.CodeRate, "rate")}, protocol.CodeRate, 4002},

		// The beginning.
		{"no hello", start, frames(&protocol.Ping{}), protocol.CodeOutOfOrder, 4203},
		{"hello twice", begin, frames(hello()), protocol.CodeOutOfOrder, 4203},
		{"hello twice in one message", start, frames(hello(), hello()), "", 0}, // told once the token is verified
		{"an old version", start, frames(wrongVersion), protocol.CodeUpgrade, 4202},
		{"no device", start, frames(noDevice), protocol.CodeMalformed, 4200},
		{"a long token", start, frames(longToken), protocol.CodeTooLarge, 4201},
		{"a token that is refused", greeted, Refused{Err: protocol.Errorf(protocol.CodeToken, "no")}, protocol.CodeToken, 4101},
		{"a token that has expired", greeted, Refused{Err: protocol.Errorf(protocol.CodeExpired, "no")}, protocol.CodeExpired, 4100},
		{"a token that cannot be verified", greeted, Refused{Err: protocol.Errorf(protocol.CodeInternal, "no")}, protocol.CodeInternal, 4004},
		{"a token refused in words of no close code", greeted, Refused{Err: protocol.Errorf(protocol.CodeForbidden, "no")}, protocol.CodeToken, 4101},
		{"a token refused without a word", greeted, Refused{}, protocol.CodeToken, 4101},
		{"a token that ends before it begins", greeted, Authenticated{Access: &grant{user: "ann", expires: 1}}, protocol.CodeExpired, 4100},
		{"too much before the welcome", func(c *conversation) {
			c.say(hello())
			c.step(Message{Bytes: protocol.EncodeMessage(&protocol.Token{Token: strings.Repeat("x", 4000)})})
			c.step(Message{Bytes: protocol.EncodeMessage(&protocol.Token{Token: strings.Repeat("x", 4000)})})
		}, frames(&protocol.Token{Token: strings.Repeat("x", 4000)}), protocol.CodeOutOfOrder, 4203},

		// Frames that only a server sends.
		{"a server's frame", begin, frames(&protocol.Welcome{}), protocol.CodeMalformed, 4200},
		{"a delivery", begin, frames(&protocol.In{Handle: 1}, &protocol.Advance{}), protocol.CodeMalformed, 4200},
		{"a compressed frame", begin, frames(&protocol.Compressed{Data: []byte{1}}), protocol.CodeMalformed, 4200},

		// Subscriptions.
		{"handle 0", begin, frames(&protocol.Subscribe{Space: "rw", Device: device(1)}), protocol.CodeMalformed, 4200},
		{"a handle in use", begin, frames(subscription1(inAttached, "rw")), protocol.CodeOutOfOrder, 4203},
		{"a handle that was used", begin, frames(subscription1(inEnded, "rw")), protocol.CodeOutOfOrder, 4203},
		{"no device in the space", begin, frames(noDeviceHere), protocol.CodeMalformed, 4200},
		{"too many collections", begin, frames(manyCollections), protocol.CodeTooLarge, 4201},
		{"a collection that cannot be", begin, frames(badCollection), protocol.CodeMalformed, 4200},
		{"no space's name", begin, frames(subscription1(5, "")), protocol.CodeSpaceName, 0},
		{"a control character in it", begin, frames(subscription1(5, "a\x00b")), protocol.CodeSpaceName, 0},
		{"a name that is too long", begin, frames(subscription1(5, strings.Repeat("x", protocol.MaxNameBytes+1))), protocol.CodeSpaceName, 0},
		{"a space that is not allowed", begin, frames(subscription1(5, "other")), protocol.CodeForbidden, 0},
		{"too many subscriptions", after(frames(subscription1(5, "rw"))), frames(subscription1(6, "rw")), protocol.CodeSubscriptions, 0},
		{"a space that cannot be opened", begin, AttachFailed{Handle: inAttaching, Err: errors.New("disk")}, protocol.CodeUnavailable, 0},
		{"another user's device", begin, AttachFailed{Handle: inAttaching, Err: protocol.Errorf(protocol.CodeDeviceBound, "bound")}, protocol.CodeDeviceBound, 0},
		{"a space that fails", begin, SpaceFailed{Handle: inAttached, Err: protocol.Errorf(protocol.CodeDamaged, "bits")}, protocol.CodeDamaged, 0},
		{"unsubscribing what never was", begin, frames(&protocol.Unsubscribe{Handle: inNever}), protocol.CodeOutOfOrder, 4203},
		{"unsubscribing what has ended", begin, frames(&protocol.Unsubscribe{Handle: inEnded}), "", 0},

		// Pushes.
		{"a push to what never was", begin, frames(push(inNever, 1, 1)), protocol.CodeOutOfOrder, 4203},
		{"a push to what has ended", begin, frames(push(inEnded, 1, 1)), "", 0},
		{"a push of nothing", begin, frames(push(inAttached, 1)), protocol.CodeMalformed, 4200},
		{"counter 0", begin, frames(push(inAttached, 0, 1)), protocol.CodeMalformed, 4200},
		{"a counter that overflows", begin, frames(push(inAttached, 1<<63, 1)), protocol.CodeMalformed, 4200},
		{"a mutation that is too large", begin, frames(push(inAttached, 1, 101)), protocol.CodeMutationLarge, 0},
		{"a push to what may only be read", begin, frames(push(inReadOnly, 1, 1)), protocol.CodeForbidden, 0},
		{"more bytes than the window", begin, frames(push(inAttached, 1, 300, 300, 300, 101)), protocol.CodeOutOfOrder, 4203},
		{"more mutations than the window", begin, frames(push(inAttached, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)), protocol.CodeOutOfOrder, 4203},
		{"more than the window together", after(frames(push(inAttached, 1, 1, 1, 1, 1, 1))), frames(push(inReadOnly, 1, 1, 1, 1, 1)), protocol.CodeOutOfOrder, 4203},
		{"a push that is not what comes next", after(frames(push(inAttached, 1, 1))), Verdicts{Handle: inAttached, Push: 1, Verdicts: protocol.Verdicts{Replay: true}}, "replay", 0},
		{"a push that the space refuses", after(frames(push(inAttached, 1, 1))), PushRefused{Handle: inAttached, Push: 1, Err: protocol.Errorf(protocol.CodeBase, "base")}, protocol.CodeBase, 0},
		{"a push that cannot be stored", after(frames(push(inAttached, 1, 1))), PushRefused{Handle: inAttached, Push: 1, Err: errors.New("disk")}, protocol.CodeUnavailable, 0},

		// Acknowledgements.
		{"more received than sent", begin, frames(&protocol.Ack{Received: 101}), protocol.CodeOutOfOrder, 4203},
		{"less received than before", after(frames(&protocol.Ack{Received: 100})), frames(&protocol.Ack{Received: 99}), protocol.CodeOutOfOrder, 4203},
		{"a cursor beyond what was sent", begin, ack(inAttached, cursor(6)), protocol.CodeOutOfOrder, 4203},
		{"a cursor that goes back", after(ack(inAttached, cursor(5))), ack(inAttached, cursor(4)), protocol.CodeOutOfOrder, 4203},
		{"a cursor of another history", begin, ack(inAttached, otherCommit), protocol.CodeOutOfOrder, 4203},
		{"another commit than before", after(ack(inAttached, cursor(3))), ack(inAttached, protocol.Cursor{Seq: 3}), protocol.CodeOutOfOrder, 4203},
		{"a cursor before the answer", begin, ack(inAttaching, cursor(1)), protocol.CodeOutOfOrder, 4203},
		{"a cursor in what never was", begin, ack(inNever, cursor(1)), protocol.CodeOutOfOrder, 4203},
		{"a cursor in what has ended", begin, ack(inEnded, cursor(1)), "", 0},
		{"confirming in what never was", begin, frames(&protocol.Ack{Received: 100, Confirmed: []protocol.HandleCounters{{Handle: inNever, Counters: []uint64{1}}}}), protocol.CodeOutOfOrder, 4203},
		{"confirming counter 0", begin, frames(&protocol.Ack{Received: 100, Confirmed: []protocol.HandleCounters{{Handle: inAttached, Counters: []uint64{0}}}}), protocol.CodeMalformed, 4200},
		{"confirming what has ended", begin, frames(&protocol.Ack{Received: 100, Confirmed: []protocol.HandleCounters{{Handle: inEnded, Counters: []uint64{1}}}}), "", 0},

		// Presence and values.
		{"presence that is too large", begin, frames(&protocol.Presence{Handle: inAttached, Value: protocol.StringValue(strings.Repeat("x", 20))}), protocol.CodePresence, 0},
		{"presence in what never was", begin, frames(&protocol.Presence{Handle: inNever}), protocol.CodeOutOfOrder, 4203},
		{"presence in what has ended", begin, frames(&protocol.Presence{Handle: inEnded}), "", 0},
		{"a value of what never was", begin, frames(&protocol.Fetch{Handle: inNever}), protocol.CodeOutOfOrder, 4203},
		{"a value of what has ended", begin, frames(&protocol.Fetch{Handle: inEnded}), "", 0},
		{"a value before the answer", begin, frames(&protocol.Fetch{Handle: inAttaching}), protocol.CodeOutOfOrder, 4203},
		{"too many values", begin, frames(fetches...), protocol.CodeRate, 4002},
		{"too many pings", begin, frames(pings...), protocol.CodeRate, 4002},

		// Tokens on a live connection.
		{"a token before the last was answered", after(frames(&protocol.Token{Token: "a"})), frames(&protocol.Token{Token: "b"}), protocol.CodeOutOfOrder, 4203},
		{"another user's token", after(frames(&protocol.Token{Token: "a"})), Authenticated{Access: &grant{user: "bob", tenant: "acme"}}, protocol.CodeToken, 4101},
		{"another tenant's token", after(frames(&protocol.Token{Token: "a"})), Authenticated{Access: &grant{user: "ann", tenant: "other"}}, protocol.CodeToken, 4101},
		{"a fresh token that is refused", after(frames(&protocol.Token{Token: "a"})), Refused{Err: protocol.Errorf(protocol.CodeToken, "no")}, protocol.CodeToken, 4101},
		{"a fresh token that has expired", after(frames(&protocol.Token{Token: "a"})), Authenticated{Access: &grant{user: "ann", tenant: "acme", expires: 1}}, protocol.CodeExpired, 4100},
		{"a fresh token for fewer spaces", after(frames(&protocol.Token{Token: "a"})), Authenticated{Access: &grant{user: "ann", tenant: "acme", read: []string{"rw"}}}, protocol.CodeForbidden, 0},
		{"an answer about no token", begin, Refused{Err: protocol.Errorf(protocol.CodeToken, "no")}, "", 0},
		{"an access that nobody asked for", begin, Authenticated{Access: &grant{user: "bob"}}, "", 0},
	}
}

// TestViolations is a row for each thing that a peer can get wrong: with its
// error code, its close code, and a neighbour that notices nothing.
func TestViolations(t *testing.T) {
	other := newNeighbour(t)
	for _, v := range violations() {
		t.Run(v.name, func(t *testing.T) {
			c := &conversation{t: t, s: New(Config{Limits: testLimits()}, epoch), now: epoch}
			v.begin(c)
			if c.s.state >= closing {
				t.Fatal("the connection has ended before the row began")
			}
			c.s.Step(c.now, v.in)
			r := c.s.Ready()
			var code protocol.Code
			if r.Write != nil {
				for _, f := range decode(r.Write.Prefix) {
					switch f := f.(type) {
					case *protocol.ErrorFrame:
						code = f.Code
						if v.close != 0 && (f.Handle != 0 || f.Counter != 0) {
							t.Error("an error that ends the connection is about a part of it")
						}
						if f.Message == "" {
							t.Error("the error has no message")
						}
					case *protocol.Unsubscribed:
						code = f.Code
					case *protocol.Verdicts:
						if f.Replay {
							code = "replay"
						}
					}
				}
			}
			if code != v.code {
				t.Errorf("code %q, want %q", code, v.code)
			}
			switch {
			case v.close == 0 && r.Close != nil:
				t.Errorf("closed with %d (%s)", r.Close.Code, r.Close.Message)
			case v.close != 0 && r.Close == nil:
				t.Errorf("not closed, want %d", v.close)
			case v.close != 0:
				if want, _ := v.code.Close(); r.Close.Code != v.close || v.close != want || r.Close.Cause != v.code || r.Close.Message == "" {
					t.Errorf("closed with %+v, want %d", *r.Close, v.close)
				}
				if len(c.s.subs) != 0 || c.s.state != closed {
					t.Error("something is left after the close")
				}
				if got := c.say(&protocol.Ping{}); got != "nothing" {
					t.Errorf("after the close: %s", got)
				}
			}
		})
		other.goesOn()
	}
}

// TestLateEnds: what ends a connection by time alone.
func TestLateEnds(t *testing.T) {
	expiring := func(c *conversation) {
		c.say(hello())
		c.step(Authenticated{Access: &grant{user: "ann", expires: epoch + 40_000}})
		c.settle()
	}
	stuck := func(c *conversation) {
		begin(c)
		c.say(&protocol.Ping{})
	}
	rows := []struct {
		name  string
		begin func(*conversation)
		// at is when it ends, in milliseconds; not one earlier.
		at   protocol.Time
		want string
	}{
		{"no hello", func(*conversation) {}, 5000, "error hello-late, close 4001"},
		{"a token that is not verified", func(c *conversation) { c.say(hello()) }, 5000, "error internal, close 4004"},
		{"a token that ends", expiring, 40_000, "error expired, close 4100"},
		{"a peer that is silent", begin, 50_000, "error silent, close 4003"},
		{"a socket that takes nothing", stuck, 60_000, "close 4005"},
	}
	other := newNeighbour(t)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := &conversation{t: t, s: New(Config{Limits: testLimits()}, epoch), now: epoch}
			row.begin(c)
			busy := c.s.lanes.writing
			for c.now < epoch+row.at-1 {
				// Only at the times that the session itself asked for.
				c.now = min(c.s.wake(), epoch+row.at-1)
				if got := c.step(Tick{}); strings.Contains(got, "close") {
					t.Fatalf("after %d ms: %s", c.now-epoch, got)
				}
				if !busy {
					c.settle()
				}
			}
			c.now++
			if got := c.step(Tick{}); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
		other.goesOn()
	}
}

// TestAnswersThatAreNotRead: who sends what has to be answered, and reads no
// answer, is not read from any more; a shell that reads on sees it closed.
func TestAnswersThatAreNotRead(t *testing.T) {
	c := &conversation{t: t, s: New(Config{Limits: testLimits()}, epoch), now: epoch}
	begin(c)
	c.say(&protocol.Ping{}) // the socket is busy from here on
	paused := false
	for range maxAnswers {
		c.s.Step(c.now, frames(&protocol.Presence{Handle: inAttached, Value: protocol.StringValue(strings.Repeat("x", 30))}))
		r := c.s.Ready()
		if paused = r.Pause; paused {
			break
		}
	}
	if waits := len(c.s.lanes.control); !paused || waits > pauseAnswers+1000 {
		t.Fatalf("paused %v with %d bytes waiting", paused, waits)
	}
	for range maxAnswers {
		if c.s.state == closing {
			break
		}
		c.say(&protocol.Presence{Handle: inAttached, Value: protocol.StringValue(strings.Repeat("x", 30))})
	}
	if waits := len(c.s.lanes.control); waits > maxAnswers+1000 {
		t.Fatalf("%d bytes wait", waits)
	}
	c.s.Step(c.now, Written{})
	r := c.s.Ready()
	if r.Close == nil || r.Close.Code != 4002 {
		t.Fatalf("closed with %v, want 4002", r.Close)
	}
}

// TestReasonFits: WebSocket allows 123 bytes for the reason, in whole characters.
func TestReasonFits(t *testing.T) {
	c := &conversation{t: t, s: New(Config{}, epoch), now: epoch}
	c.s.Step(c.now, Violated{Err: protocol.Errorf(protocol.CodeRate, "%s", strings.Repeat("é", 100))})
	r := c.s.Ready()
	if want := strings.Repeat("é", 61); r.Close == nil || r.Close.Message != want {
		t.Errorf("closed with %+v", r.Close)
	}
}
