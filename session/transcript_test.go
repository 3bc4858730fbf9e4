package session

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tidegate/tidegate/protocol"
)

// TestTranscripts runs the conversations in testdata: what is stepped, and what
// the session then wants done. Run with -rewrite to write what it says now.
//
// Time begins at 1000000 ms; device n is …000n, the commit at seq n is …000n, and
// a mutation body of n bytes is n dots.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		p := &player{t: t}
		datadriven.RunTest(t, path, p.run)
	})
}

// player is a session under test, with the shell's part played by the transcript.
type player struct {
	t   *testing.T
	s   *Session
	now protocol.Time
	// access is the last one that authenticated.
	access *grant
}

// grant is an Access that a test can change.
type grant struct {
	user, tenant string
	read, write  []string
	expires      protocol.Time
}

func (g *grant) User() string           { return g.user }
func (g *grant) Tenant() string         { return g.tenant }
func (g *grant) Expires() protocol.Time { return g.expires }

func (g *grant) Check(space string, write bool) error {
	switch {
	case slices.Contains(g.write, space):
		return nil
	case !slices.Contains(g.read, space):
		return protocol.Errorf(protocol.CodeForbidden, "no reading")
	case write:
		return errors.New("no writing")
	}
	return nil
}

const epoch protocol.Time = 1_000_000

// args reads the arguments of a directive or of a line.
type args struct {
	t    *testing.T
	name string
	list []datadriven.CmdArg
}

func (a args) at(i int) string {
	if i >= len(a.list) {
		a.t.Fatalf("%s: argument %d is missing", a.name, i+1)
	}
	return a.list[i].Key
}

func (a args) has(key string) bool {
	return slices.ContainsFunc(a.list, func(c datadriven.CmdArg) bool { return c.Key == key })
}

func (a args) all(key string) []string {
	for _, c := range a.list {
		if c.Key == key {
			return c.Vals
		}
	}
	return nil
}

func (a args) text(key, def string) string {
	if vals := a.all(key); len(vals) > 0 {
		return vals[0]
	}
	return def
}

func (a args) number(key string, def uint64) uint64 {
	n, err := strconv.ParseUint(a.text(key, strconv.FormatUint(def, 10)), 10, 64)
	if err != nil {
		a.t.Fatalf("%s: %v", a.name, err)
	}
	return n
}

func (a args) handle() protocol.Handle {
	n, err := strconv.ParseUint(a.at(0), 10, 32)
	if err != nil {
		a.t.Fatalf("%s: %v", a.name, err)
	}
	return protocol.Handle(n)
}

func (a args) value() protocol.Value {
	if v := a.text("value", ""); v != "" {
		return protocol.StringValue(v)
	}
	if a.has("bytes") {
		return protocol.StringValue(strings.Repeat("v", int(a.number("bytes", 0))))
	}
	return protocol.Value{}
}

func (a args) err() error {
	code := a.at(1)
	if code == "unknown" {
		return errors.New("something inside")
	}
	return protocol.Errorf(protocol.Code(code), "%s", a.text("message", code))
}

func device(n uint64) protocol.DeviceID { return protocol.DeviceID{14: byte(n >> 8), 15: byte(n)} }
func cursor(seq uint64) (c protocol.Cursor) {
	if seq == 0 {
		return c
	}
	return protocol.Cursor{Seq: seq, Commit: protocol.CommitID{6: byte(seq >> 8), 7: byte(seq)}}
}

func (p *player) run(t *testing.T, td *datadriven.TestData) string {
	a := args{t: t, name: td.Cmd, list: td.CmdArgs}
	if td.Cmd == "new" {
		limits := protocol.DefaultLimits()
		limits.FrameBytes = int(a.number("frame-bytes", uint64(limits.FrameBytes)))
		limits.MutationBytes = int(a.number("mutation-bytes", uint64(limits.MutationBytes)))
		limits.PushWindowBytes = int(a.number("push-bytes", uint64(limits.PushWindowBytes)))
		limits.PushWindowMutations = int(a.number("push-mutations", uint64(limits.PushWindowMutations)))
		limits.Subscriptions = int(a.number("subscriptions", uint64(limits.Subscriptions)))
		limits.PresenceBytes = int(a.number("presence-bytes", uint64(limits.PresenceBytes)))
		p.now = epoch
		p.s = New(Config{
			Name:        "s1",
			Limits:      limits,
			Compression: a.all("compression"),
			Window:      a.number("window", 0),
			ChunkBytes:  int(a.number("chunk-bytes", 1000)),
		}, p.now)
		return p.ready()
	}
	if td.Cmd == "grant" {
		// The access in use changes its mind.
		p.access.read, p.access.write = a.all("read"), a.all("write")
		return p.ready()
	}
	if td.Cmd == "wake" {
		if w := p.s.wake(); w != 0 {
			return fmt.Sprintf("in %v\n", time.Duration(w-p.now)*time.Millisecond)
		}
		return "never\n"
	}
	if td.Cmd == "status" {
		return formatStatus(p.s.Status())
	}
	if td.Cmd == "tick" {
		p.now += protocol.Time(a.number("ms", 0))
	}
	p.s.Step(p.now, p.input(a, td.Input))
	return p.ready()
}

// input is what a directive steps.
func (p *player) input(a args, lines string) Input {
	switch a.name {
	case "peer":
		var frames []protocol.Frame
		for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
			cmd, list, err := datadriven.ParseLine(line)
			if err != nil {
				p.t.Fatal(err)
			}
			frames = append(frames, p.frame(args{t: p.t, name: cmd, list: list}))
		}
		return Message{Bytes: protocol.EncodeMessage(frames...)}
	case "authenticated":
		p.access = &grant{user: a.text("user", "ann"), tenant: a.text("tenant", "acme"), read: a.all("read"), write: a.all("write")}
		if a.has("expires") {
			p.access.expires = p.now + protocol.Time(a.number("expires", 0))
		}
		return Authenticated{Access: p.access}
	case "refused":
		return Refused{Err: protocol.Errorf(protocol.Code(a.at(0)), "refused")}
	case "violated":
		return Violated{Err: protocol.Errorf(protocol.Code(a.at(0)), "violated")}
	case "attached":
		modes := map[string]protocol.SubscribeMode{"resume": protocol.ModeResume, "snapshot": protocol.ModeSnapshot, "other-history": protocol.ModeOtherHistory}
		return Attached{Handle: a.handle(), Subscribed: protocol.Subscribed{
			Mode:    modes[a.text("mode", "resume")],
			Head:    cursor(a.number("head", 0)),
			Counter: a.number("counter", 0),
			Known:   a.has("counter"),
			Write:   !a.has("read-only"),
		}}
	case "attach-failed":
		return AttachFailed{Handle: a.handle(), Err: a.err()}
	case "space-failed":
		return SpaceFailed{Handle: a.handle(), Err: a.err()}
	case "head":
		return Head{Handle: a.handle(), Cursor: cursor(a.number("seq", 0))}
	case "chunk":
		c := Chunk{Handle: a.handle(), To: Position{Cursor: cursor(a.number("to", 0)), Snapshot: a.has("snapshot")}, More: a.has("more")}
		if n := a.number("bytes", 0); n > 0 {
			c.Frames = []byte(strings.Repeat(".", int(n)))
		}
		if scan := a.text("scan", ""); scan != "" {
			c.To.Scan = scan
		}
		return c
	case "read-failed":
		return ReadFailed{Handle: a.handle(), Err: a.err()}
	case "verdicts":
		v := Verdicts{Handle: a.handle()}
		v.Verdicts.Counter = a.number("to", 0)
		for c := a.number("from", v.Verdicts.Counter); c <= v.Verdicts.Counter; c++ {
			v.Verdicts.List = append(v.Verdicts.List, protocol.Verdict{Counter: c, Seq: a.number("seq", 0)})
		}
		return v
	case "replay":
		return Verdicts{Handle: a.handle(), Push: a.number("push", 0), Verdicts: protocol.Verdicts{Replay: true, Counter: a.number("counter", 0)}}
	case "push-refused":
		return PushRefused{Handle: a.handle(), Push: a.number("push", 0), Counter: a.number("counter", 0), Err: a.err()}
	case "written":
		return Written{}
	case "present":
		c := PresenceChanged{Handle: a.handle()}
		for _, d := range a.all("devices") {
			name, value, _ := strings.Cut(d, ":")
			n, err := strconv.Atoi(name)
			if err != nil {
				p.t.Fatal(err)
			}
			presence := protocol.DevicePresence{Author: protocol.Author{Device: device(uint64(n)), User: "bob"}}
			if value != "" {
				presence.Value = protocol.StringValue(value)
			}
			c.Devices = append(c.Devices, presence)
		}
		return c
	case "fetched":
		return Fetched{Handle: a.handle(), Blob: protocol.BlobID{byte(a.number("blob", 0))}, Value: a.value()}
	case "tick":
		return Tick{}
	case "drain":
		return Drain{Within: a.number("within", 5000)}
	case "gone":
		return Gone{}
	}
	p.t.Fatalf("no directive is called %s", a.name)
	return nil
}

// frame is what a line of peer's input sends.
func (p *player) frame(a args) protocol.Frame {
	switch a.name {
	case "hello":
		return &protocol.Hello{
			Version:     uint32(a.number("version", 1)),
			Compression: a.all("compression"),
			Token:       a.text("token", "token"),
			Device:      device(a.number("device", 1)),
			Window:      a.number("window", 0),
			Client:      "test",
		}
	case "subscribe":
		return &protocol.Subscribe{
			Handle:      a.handle(),
			Space:       a.text("space", ""),
			Device:      device(a.number("device", 1)),
			Cursor:      cursor(a.number("cursor", 0)),
			Collections: a.all("collections"),
			Priority:    uint8(a.number("priority", 0)),
			Presence:    a.has("presence"),
		}
	case "unsubscribe":
		return &protocol.Unsubscribe{Handle: a.handle()}
	case "push":
		f := &protocol.Push{Handle: a.handle(), First: a.number("first", 1)}
		for _, size := range a.all("sizes") {
			n, err := strconv.Atoi(size)
			if err != nil {
				p.t.Fatal(err)
			}
			f.Bodies = append(f.Bodies, []byte(strings.Repeat(".", n)))
		}
		return f
	case "ack":
		f := &protocol.Ack{Received: a.number("received", 0)}
		for _, c := range a.all("cursors") {
			handle, seq := p.pair(c)
			f.Cursors = append(f.Cursors, protocol.HandleCursor{Handle: protocol.Handle(handle), Cursor: cursor(seq)})
		}
		for _, c := range a.all("confirmed") {
			handle, counter := p.pair(c)
			f.Confirmed = append(f.Confirmed, protocol.HandleCounters{Handle: protocol.Handle(handle), Counters: []uint64{counter}})
		}
		return f
	case "window":
		return &protocol.Window{Bytes: a.number("bytes", 0)}
	case "presence":
		return &protocol.Presence{Handle: a.handle(), Value: a.value()}
	case "token":
		return &protocol.Token{Token: a.at(0)}
	case "ping":
		return &protocol.Ping{Nonce: a.number("nonce", 0)}
	case "pong":
		return &protocol.Pong{Nonce: a.number("nonce", 0)}
	case "fetch":
		return &protocol.Fetch{Handle: a.handle(), Blob: protocol.BlobID{byte(a.number("blob", 0))}}
	}
	p.t.Fatalf("a peer does not send %s", a.name)
	return nil
}

// pair reads "handle:number".
func (p *player) pair(s string) (a, b uint64) {
	if _, err := fmt.Sscanf(s, "%d:%d", &a, &b); err != nil {
		p.t.Fatalf("%q: %v", s, err)
	}
	return a, b
}

func (p *player) ready() string {
	r := p.s.Ready()
	text := formatReady(&r)
	if text == "" {
		return "ok\n"
	}
	return text
}
