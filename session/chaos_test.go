package session

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidegate/tidegate/protocol"
)

// chaos is a session amid a peer, spaces and a shell of which nothing can be
// expected: anything may come at any time, in answer to something or not. It
// holds what must be true of a session all the same.
type chaos struct {
	t        *rapid.T
	s        *Session
	now      protocol.Time
	attached map[protocol.Handle]bool
	cursors  map[protocol.Handle]uint64
	writing  bool
	closed   bool
	seq      uint64
}

func (c *chaos) pick(n int) int { return rapid.IntRange(0, n-1).Draw(c.t, "pick") }

func (c *chaos) handle() protocol.Handle { return protocol.Handle(1 + c.pick(6)) }

func (c *chaos) number() uint64 { return uint64(c.pick(12)) }

func (c *chaos) err() error {
	codes := []protocol.Code{protocol.CodeUnavailable, protocol.CodeDamaged, protocol.CodeInternal, protocol.CodeBase}
	if i := c.pick(len(codes) + 1); i < len(codes) {
		return protocol.Errorf(codes[i], "so")
	}
	return errors.New("inside")
}

// frame is a frame that might be the right one now, or not.
func (c *chaos) frame() protocol.Frame {
	switch c.pick(16) {
	case 0:
		return hello()
	case 1, 2, 3:
		// Often the handle that comes next.
		h := c.s.newest + 1
		if c.pick(8) == 0 {
			h = c.handle()
		}
		return &protocol.Subscribe{Handle: h, Space: []string{"rw", "ro", "no"}[c.pick(3)], Device: device(1), Cursor: cursor(c.number()), Priority: uint8(c.pick(2)), Presence: c.pick(2) == 0}
	case 4:
		return &protocol.Unsubscribe{Handle: c.handle()}
	case 5, 6, 7:
		p := push(c.handle(), 1+c.number())
		for range 1 + c.pick(3) {
			p.Bodies = append(p.Bodies, make([]byte, 20*c.pick(7)))
		}
		return p
	case 8, 9:
		f := &protocol.Ack{Received: c.s.down.sent}
		if c.pick(8) == 0 {
			f.Received = c.number()
		}
		for _, sub := range c.s.subs {
			if c.pick(2) == 0 {
				f.Cursors = append(f.Cursors, protocol.HandleCursor{Handle: sub.handle, Cursor: sub.delivered})
			}
		}
		if c.pick(2) == 0 {
			f.Confirmed = append(f.Confirmed, protocol.HandleCounters{Handle: c.handle(), Counters: []uint64{1 + c.number()}})
		}
		return f
	case 10:
		return &protocol.Window{Bytes: 100 * c.number()}
	case 11:
		return &protocol.Presence{Handle: c.handle(), Value: protocol.StringValue(strings.Repeat("x", c.pick(30)))}
	case 12:
		return &protocol.Token{Token: "fresh"}
	case 13:
		return &protocol.Ping{Nonce: c.number()}
	case 14:
		return &protocol.Pong{}
	}
	return &protocol.Fetch{Handle: c.handle()}
}

// input is anything.
func (c *chaos) input() Input {
	h := c.handle()
	switch c.pick(24) {
	case 0, 1, 2, 3, 4, 5:
		var list []protocol.Frame
		for range 1 + c.pick(4) {
			list = append(list, c.frame())
		}
		return Message{Bytes: protocol.EncodeMessage(list...)}
	case 6:
		g := &grant{user: "ann", tenant: "acme", write: []string{"rw"}, read: []string{"ro"}}
		if c.pick(4) == 0 {
			g.expires = c.now + protocol.Time(c.pick(20_000))
		}
		if c.pick(4) == 0 {
			g.write = nil
		}
		return Authenticated{Access: g}
	case 7:
		if c.pick(6) == 0 {
			return Refused{Err: protocol.Errorf(protocol.CodeToken, "no")}
		}
		return Tick{}
	case 8, 9, 10:
		return Attached{Handle: h, Subscribed: protocol.Subscribed{Mode: protocol.SubscribeMode(c.pick(3)), Head: cursor(c.number()), Counter: c.number(), Write: true}}
	case 11:
		if c.pick(2) == 0 {
			return SpaceFailed{Handle: h, Err: c.err()}
		}
		return AttachFailed{Handle: h, Err: c.err()}
	case 12:
		return Head{Handle: h, Cursor: cursor(c.number())}
	case 13, 14:
		v := Verdicts{Handle: h, Push: c.number()}
		v.Verdicts.Replay = c.pick(3) == 0
		for n := uint64(1); n < 6; n++ {
			v.Verdicts.List = append(v.Verdicts.List, protocol.Verdict{Counter: n + c.number()})
		}
		return v
	case 15:
		return PushRefused{Handle: h, Push: c.number(), Counter: c.number(), Err: c.err()}
	case 16, 17:
		c.seq++
		return Chunk{Handle: h, Frames: make([]byte, 60*c.pick(20)), To: Position{Cursor: cursor(c.seq % (1 + uint64(c.pick(200)))), Snapshot: c.pick(3) == 0, Scan: []int{1}}, More: c.pick(2) == 0}
	case 18:
		return ReadFailed{Handle: h, Err: c.err()}
	case 19, 20:
		// The shell alone keeps this rule: it does not say that it has written what it
		// was not given.
		if c.writing {
			c.writing = false
			return Written{}
		}
		return Tick{}
	case 21:
		p := PresenceChanged{Handle: h}
		for n := range c.pick(40) * c.pick(40) {
			p.Devices = append(p.Devices, protocol.DevicePresence{Author: protocol.Author{Device: device(uint64(n)), User: "bob"}})
		}
		return p
	case 22:
		return Fetched{Handle: h, Value: protocol.StringValue("v")}
	}
	switch c.pick(20) {
	case 0:
		return Drain{Within: c.number()}
	case 1:
		return Gone{}
	case 2:
		return Violated{Err: protocol.Errorf(protocol.CodeRate, "rate")}
	}
	return Tick{}
}

func (c *chaos) step() {
	if c.pick(3) == 0 {
		c.now += protocol.Time(c.pick(3000))
	}
	in := c.input()
	acked := c.s.down.received
	c.s.Step(c.now, in)
	if c.s.down.received < acked {
		c.t.Fatalf("after %T: the acknowledged bytes went back from %d to %d", in, acked, c.s.down.received)
	}
	r := c.s.Ready()
	if err := c.check(&r); err != nil {
		c.t.Fatalf("after %T: %v", in, err)
	}
}

func (c *chaos) check(r *Ready) error {
	if c.closed {
		if text := formatReady(r); text != "" {
			return fmt.Errorf("after the end:\n%s", text)
		}
		return nil
	}
	if err := checkBounds(c.s); err != nil {
		return err
	}
	if r.Wake != 0 && r.Wake <= c.now {
		return fmt.Errorf("it wants to be woken %d ms ago", c.now-r.Wake)
	}
	if r.Wake == 0 && c.s.state != closed {
		return fmt.Errorf("%v, and it does not want to be woken", c.s.state)
	}
	for _, a := range r.Attach {
		if c.attached[a.Handle] || a.Space == "no" {
			return fmt.Errorf("attach %d to %s", a.Handle, a.Space)
		}
		c.attached[a.Handle] = true
	}
	ask := func(h protocol.Handle, what string) error {
		if !c.attached[h] {
			return fmt.Errorf("%s of handle %d, which is not attached", what, h)
		}
		return nil
	}
	var errs []error
	for _, p := range r.Push {
		errs = append(errs, ask(p.Handle, "push"))
	}
	for _, p := range r.Confirm {
		errs = append(errs, ask(p.Handle, "confirm"))
	}
	for _, p := range r.Presence {
		errs = append(errs, ask(p.Handle, "presence"))
	}
	for _, p := range r.Fetch {
		errs = append(errs, ask(p.Handle, "fetch"))
	}
	for _, q := range r.Read {
		errs = append(errs, ask(q.Handle, "read"))
	}
	for _, m := range r.Cursor {
		if m.Cursor.Seq < c.cursors[m.Handle] {
			errs = append(errs, fmt.Errorf("handle %d went back", m.Handle))
		}
		c.cursors[m.Handle] = m.Cursor.Seq
	}
	for _, h := range r.Detach {
		errs = append(errs, ask(h, "detach"))
		delete(c.attached, h)
	}
	if r.Write != nil {
		if c.writing {
			errs = append(errs, errors.New("a write while one is under way"))
		}
		c.writing = true
		if len(r.Write.Frames) > 0 {
			before := c.s.down.outstanding() - uint64(r.Write.Len())
			if w := c.s.down.window; w == 0 || before > 0 && before+uint64(r.Write.Len()) > w {
				errs = append(errs, fmt.Errorf("%d bytes sent with %d outstanding, of a window of %d", r.Write.Len(), before, w))
			}
		}
	}
	c.closed = r.Close != nil || c.s.state == closed
	if c.closed && len(c.s.subs) > 0 {
		errs = append(errs, errors.New("subscriptions are left after the end"))
	}
	return errors.Join(errs...)
}

// TestChaos: no input whatever, in whatever order, makes a session panic, hold
// more than it may, overrun the client's window, or ask for what it must not.
func TestChaos(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &chaos{t: t, s: New(Config{Limits: testLimits(), ChunkBytes: 300}, epoch), now: epoch, attached: map[protocol.Handle]bool{}, cursors: map[protocol.Handle]uint64{}}
		if c.pick(10) > 0 {
			// Most runs begin well, or they would not get far.
			c.s.Step(c.now, frames(&protocol.Hello{Version: 1, Device: device(1), Window: 700}))
			c.s.Step(c.now, Authenticated{Access: &grant{user: "ann", tenant: "acme", write: []string{"rw"}, read: []string{"ro"}}})
			r := c.s.Ready()
			if err := c.check(&r); err != nil {
				t.Fatal(err)
			}
		}
		for range c.pick(200) {
			c.step()
		}
	})
}

// FuzzSession hands a session messages as a peer might make them, and answers
// what it asks for, so that they reach as far as they can.
func FuzzSession(f *testing.F) {
	for _, frame := range allFrames() {
		f.Add(byte(2), protocol.EncodeMessage(frame), protocol.EncodeMessage(hello()))
	}
	f.Add(byte(0), protocol.EncodeMessage(hello(), subscription1(1, "rw"), push(1, 1, 10)), protocol.EncodeMessage(&protocol.Unsubscribe{Handle: 1}))
	for _, v := range violations() {
		if m, ok := v.in.(Message); ok {
			f.Add(byte(2), m.Bytes, m.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, beginning byte, first, second []byte) {
		c := &conversation{t: t, s: New(Config{Limits: testLimits()}, epoch), now: epoch}
		beginnings[int(beginning)%len(beginnings)].begin(c)
		var handle protocol.Handle
		for _, in := range []Input{Message{Bytes: first}, Message{Bytes: second}} {
			inputs := []Input{in}
			for n := 0; len(inputs) > 0 && n < 100; n++ {
				c.s.Step(c.now, inputs[0])
				inputs = inputs[1:]
				r := c.s.Ready()
				if err := checkBounds(c.s); err != nil {
					t.Fatal(err)
				}
				if r.Authenticate != nil {
					inputs = append(inputs, Authenticated{Access: &grant{user: "ann", tenant: "acme", write: []string{"rw"}}})
				}
				for _, a := range r.Attach {
					if a.Handle <= handle {
						t.Fatalf("handle %d is attached after %d", a.Handle, handle)
					}
					handle = a.Handle
					inputs = append(inputs, Attached{Handle: a.Handle, Subscribed: protocol.Subscribed{Head: cursor(3), Write: true}})
				}
				for _, p := range r.Push {
					inputs = append(inputs, Verdicts{Handle: p.Handle, Verdicts: protocol.Verdicts{List: []protocol.Verdict{{Counter: p.First}}}})
				}
				for _, q := range r.Read {
					inputs = append(inputs, Chunk{Handle: q.Handle, Frames: []byte{1}, To: Position{Cursor: cursor(max(3, q.From.Cursor.Seq))}})
				}
				if r.Write != nil {
					decode(r.Write.Prefix)
					inputs = append(inputs, Written{})
				}
			}
		}
	})
}
