package gateway

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tidegate/tidegate/access"
	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// schemaFiles is the schema of the refused inputs.
var schemaFiles = map[string][]byte{
	"tasks.json": []byte(`{"type": "object", "properties": {
		"title": {"type": "string", "maxLength": 40},
		"votes": {"type": "integer", "x-merge": "counter"},
		"start": {"type": "integer", "x-merge-group": "when"},
		"end": {"type": "integer", "x-merge-group": "when"}
	}, "additionalProperties": false}`),
}

// small are limits that a test can pass.
func small() protocol.Limits {
	limits := protocol.DefaultLimits()
	limits.FrameBytes = 64 << 10
	limits.MutationBytes = 16 << 10
	limits.FieldBytes = 8 << 10
	limits.Subscriptions = 3
	limits.PushWindowMutations = 8
	limits.PresenceBytes = 256
	limits.HelloWithin = time.Minute // a busy machine is not what is tested
	return limits
}

// expired returns a token that has ended.
func expired(t *testing.T) string {
	t.Helper()
	minted, err := access.Mint(testSecret, access.MintOptions{
		User: "eve", Spaces: []access.SpaceGrant{{Pattern: "*"}}, Now: time.Now().Add(-time.Hour), For: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	return minted
}

// minted returns a token with something changed.
func minted(t *testing.T, change func(*access.MintOptions)) string {
	t.Helper()
	options := access.MintOptions{User: "eve", Spaces: []access.SpaceGrant{{Pattern: "*", Write: true}}}
	change(&options)
	token, err := access.Mint(testSecret, options)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// nested is a message of arrays inside arrays.
func nested(depth int) []byte {
	return append([]byte{protocol.Format}, bytes.Repeat([]byte{0x91}, depth)...)
}

// TestRefusedConnections sends everything that ends a connection, and shows what
// the peer is told and that its neighbour goes on.
func TestRefusedConnections(t *testing.T) {
	hello := func(p *peer) { p.send(p.hello("")); await[*protocol.Welcome](p) }
	subscribed := func(p *peer) { hello(p); p.subscribe(1, "room") }
	raw := func(message ...byte) func(*testing.T, *peer) {
		return func(t *testing.T, p *peer) { p.raw(message) }
	}
	frames := func(frames ...protocol.Frame) func(*testing.T, *peer) {
		return func(t *testing.T, p *peer) { p.send(frames...) }
	}
	says := func(change func(*protocol.Hello)) func(*testing.T, *peer) {
		return func(t *testing.T, p *peer) {
			h := p.hello("")
			change(h)
			p.send(h)
		}
	}
	shows := func(token func(*testing.T) string) func(*testing.T, *peer) {
		return func(t *testing.T, p *peer) { p.send(p.hello(token(t))) }
	}
	hugeMap := append([]byte{protocol.Format, 0xdf}, binary.BigEndian.AppendUint32(nil, 10_000_000)...)
	hugeString := append([]byte{protocol.Format, 0x92, byte(protocol.FrameToken), 0xdb}, binary.BigEndian.AppendUint32(nil, 1<<31)...)

	for _, c := range []struct {
		name   string
		before func(*peer)
		send   func(*testing.T, *peer)
		code   protocol.Code
	}{
		// Not a message.
		{"a text message", hello, func(t *testing.T, p *peer) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			p.ws.Write(ctx, websocket.MessageText, []byte("hello?"))
		}, protocol.CodeMalformed},
		{"an empty message", hello, raw(), protocol.CodeMalformed},
		{"a message without frames", hello, raw(protocol.Format), protocol.CodeMalformed},
		{"a later format", hello, raw(0x20, 0xc0), protocol.CodeUpgrade},
		{"an unknown must-understand bit", hello, raw(protocol.Format|0x01, 0xc0), protocol.CodeUpgrade},
		{"not a frame", hello, raw(protocol.Format, 0xc0), protocol.CodeMalformed},
		{"an unknown frame", hello, raw(protocol.Format, 0x91, 99), protocol.CodeMalformed},
		{"a frame of the wrong length", hello, raw(protocol.Format, 0x91, byte(protocol.FramePing)), protocol.CodeMalformed},
		{"a frame that ends too early", hello, raw(protocol.Format, 0x92, byte(protocol.FramePing)), protocol.CodeMalformed},
		{"bytes behind a frame", hello, raw(protocol.Format, 0x92, byte(protocol.FramePing), 1, 0xc1), protocol.CodeMalformed},
		{"a map of ten million in five bytes", hello, raw(hugeMap...), protocol.CodeMalformed},
		{"a string of two gigabytes in nine", hello, raw(hugeString...), protocol.CodeMalformed},
		{"arrays nested too deeply", hello, raw(nested(protocol.MaxDepth + 2)...), protocol.CodeMalformed},
		{"arrays nested fifty thousand deep", hello, raw(nested(50_000)...), protocol.CodeMalformed},
		{"a message over the limit", hello, raw(append([]byte{protocol.Format}, make([]byte, 64<<10)...)...), protocol.CodeTooLarge},
		{"a message far over the limit", hello, raw(append([]byte{protocol.Format}, make([]byte, 8<<20)...)...), protocol.CodeTooLarge},

		// The server's frames.
		{"a welcome", hello, frames(&protocol.Welcome{}), protocol.CodeMalformed},
		{"a commit", subscribed, frames(&protocol.In{Handle: 1}, &protocol.CommitHeader{Seq: 1}), protocol.CodeMalformed},
		{"a verdict", subscribed, frames(&protocol.Verdicts{Handle: 1}), protocol.CodeMalformed},
		{"an error", hello, frames(&protocol.ErrorFrame{Code: protocol.CodeInternal}), protocol.CodeMalformed},
		{"going away", hello, frames(&protocol.GoingAway{}), protocol.CodeMalformed},

		// The handshake.
		{"nothing at all", func(*peer) {}, func(*testing.T, *peer) {}, protocol.CodeHelloLate},
		{"a ping before the hello", func(*peer) {}, frames(&protocol.Ping{Nonce: 1}), protocol.CodeOutOfOrder},
		{"a subscribe before the hello", func(*peer) {}, frames(&protocol.Subscribe{Handle: 1, Space: "room"}), protocol.CodeOutOfOrder},
		{"two hellos", hello, says(func(*protocol.Hello) {}), protocol.CodeOutOfOrder},
		{"a version that is not spoken", func(*peer) {}, says(func(h *protocol.Hello) { h.Version = 0 }), protocol.CodeUpgrade},
		{"a hello without a device", func(*peer) {}, says(func(h *protocol.Hello) { h.Device = protocol.DeviceID{} }), protocol.CodeMalformed},
		{"a token that is none", func(*peer) {}, says(func(h *protocol.Hello) { h.Token = "let me in" }), protocol.CodeToken},
		{"a token over the limit", func(*peer) {}, says(func(h *protocol.Hello) { h.Token = strings.Repeat("x", protocol.MaxTokenBytes+1) }), protocol.CodeTooLarge},
		{"an expired token", func(*peer) {}, shows(expired), protocol.CodeExpired},
		{"a token for another audience", func(*peer) {}, shows(func(t *testing.T) string {
			return minted(t, func(o *access.MintOptions) { o.Audience = "elsewhere" })
		}), protocol.CodeToken},
		{"a token with another secret", func(*peer) {}, shows(func(t *testing.T) string {
			token, err := access.Mint(access.RandomSecret(), access.MintOptions{User: "eve", Spaces: []access.SpaceGrant{{Pattern: "*"}}})
			if err != nil {
				t.Fatal(err)
			}
			return token
		}), protocol.CodeToken},
		{"a fresh token that is none", hello, frames(&protocol.Token{Token: "let me stay"}), protocol.CodeToken},

		// Out of order.
		{"a push to a space that was never opened", hello, frames(&protocol.Push{Handle: 9, First: 1, Bodies: [][]byte{{0}}}), protocol.CodeOutOfOrder},
		{"presence in a space that was never opened", hello, frames(&protocol.Presence{Handle: 9, Value: protocol.True}), protocol.CodeOutOfOrder},
		{"a fetch from a space that was never opened", hello, frames(&protocol.Fetch{Handle: 9}), protocol.CodeOutOfOrder},
		{"an end of what was never opened", hello, frames(&protocol.Unsubscribe{Handle: 9}), protocol.CodeOutOfOrder},
		{"an ack for a space that was never opened", hello, frames(&protocol.Ack{Cursors: []protocol.HandleCursor{{Handle: 9}}}), protocol.CodeOutOfOrder},
		{"an ack of what was never sent", hello, frames(&protocol.Ack{Received: 1 << 40}), protocol.CodeOutOfOrder},
		{"a handle used twice", subscribed, func(t *testing.T, p *peer) {
			p.send(&protocol.Subscribe{Handle: 1, Space: "other", Device: p.device})
		}, protocol.CodeOutOfOrder},
		{"the handle 0", hello, func(t *testing.T, p *peer) {
			p.send(&protocol.Subscribe{Handle: 0, Space: "room", Device: p.device})
		}, protocol.CodeMalformed},
		{"a subscription without a device", hello, frames(&protocol.Subscribe{Handle: 1, Space: "room"}), protocol.CodeMalformed},
		{"a push of nothing", subscribed, frames(&protocol.Push{Handle: 1, First: 1}), protocol.CodeMalformed},
		{"a push of the counter 0", subscribed, frames(&protocol.Push{Handle: 1, First: 0, Bodies: [][]byte{{0}}}), protocol.CodeMalformed},
		{"a push beyond the window", subscribed, frames(&protocol.Push{Handle: 1, First: 1, Bodies: make([][]byte, 9)}), protocol.CodeOutOfOrder},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := start(t, func(cfg *Config) {
				cfg.Limits = small()
				if c.code == protocol.CodeHelloLate {
					cfg.Limits.HelloWithin = time.Second
				}
			})
			neighbour := connect(t, g, "")
			neighbour.subscribe(1, "room")

			culprit := dial(t, g)
			c.before(culprit)
			c.send(t, culprit)
			closed, told := awaitClose(culprit)
			want, ends := c.code.Close()
			if !ends {
				t.Fatalf("%s does not end connections", c.code)
			}
			if closed.code != want {
				t.Errorf("closed with %d (%s), want %d", closed.code, closed.reason, want)
			}
			if told == nil || told.Code != c.code {
				t.Errorf("told %+v, want the code %s", told, c.code)
			}

			counter := neighbour.push(1, 0, create("notes", "n1", "text", "still here"))
			if v, _ := neighbour.verdictAndCommit(1, counter); v.Outcome != protocol.Applied {
				t.Errorf("the neighbour's mutation got %+v", v)
			}
		})
	}
}

// TestRefusedRequests sends everything that is refused without ending the
// connection, and shows that the connection and its neighbour go on.
func TestRefusedRequests(t *testing.T) {
	errorFrame := func(code protocol.Code) func(*testing.T, *peer) {
		return func(t *testing.T, p *peer) {
			t.Helper()
			if told := await[*protocol.ErrorFrame](p); told.Code != code || told.Message == "" {
				t.Errorf("told %+v, want the code %s", told, code)
			}
		}
	}
	ended := func(code protocol.Code) func(*testing.T, *peer) {
		return func(t *testing.T, p *peer) {
			t.Helper()
			if told := await[*protocol.Unsubscribed](p); told.Code != code || told.Message == "" {
				t.Errorf("told %+v, want the code %s", told, code)
			}
		}
	}
	rejected := func(code protocol.RejectCode, field string) func(*testing.T, *peer) {
		return func(t *testing.T, p *peer) {
			t.Helper()
			verdicts := await[*protocol.Verdicts](p)
			if verdicts.Replay || len(verdicts.List) != 1 {
				t.Fatalf("told %+v, want one verdict", verdicts)
			}
			v := verdicts.List[0]
			got, at, message := v.Code, v.Field, v.Message
			if len(v.Ops) > 0 {
				got, at, message = v.Ops[0].Code, v.Ops[0].Field, v.Ops[0].Message
			}
			if v.Outcome != protocol.Rejected || got != code || message == "" || field != "" && at != field {
				t.Errorf("told %+v, want %s at %q", v, code, field)
			}
		}
	}
	replay := func(t *testing.T, p *peer) {
		t.Helper()
		if v := await[*protocol.Verdicts](p); !v.Replay {
			t.Errorf("told %+v, want a replay", v)
		}
	}
	open := func(name string, device *protocol.DeviceID) func(*peer) {
		return func(p *peer) {
			id := p.device
			if device != nil {
				id = *device
			}
			p.send(&protocol.Subscribe{Handle: 2, Space: name, Device: id})
		}
	}
	op := func(op protocol.Op) func(*peer) { return func(p *peer) { p.push(1, 0, op) } }
	pushBody := func(body []byte) func(*peer) {
		return func(p *peer) { p.send(&protocol.Push{Handle: 1, First: 1, Bodies: [][]byte{body}}) }
	}
	bound := newDevice()

	for _, c := range []struct {
		name string
		send func(*peer)
		want func(*testing.T, *peer)
	}{
		{"a space that the token does not allow", open("secret", nil), ended(protocol.CodeForbidden)},
		{"a space whose name cannot be", open("", nil), ended(protocol.CodeSpaceName)},
		{"a space whose name is too long", open(strings.Repeat("r", 256), nil), ended(protocol.CodeSpaceName)},
		{"more subscriptions than allowed", func(p *peer) {
			for h := range protocol.Handle(3) {
				p.send(&protocol.Subscribe{Handle: 2 + h, Space: "room", Device: p.device})
			}
		}, ended(protocol.CodeSubscriptions)},
		{"a device of another user", open("room", &bound), ended(protocol.CodeDeviceBound)},
		{"writing what may only be read", func(p *peer) {
			p.send(&protocol.Subscribe{Handle: 2, Space: "readonly", Device: p.device})
			await[*protocol.Subscribed](p)
			p.push(2, 0, create("tasks", "t", "title", "x"))
		}, errorFrame(protocol.CodeForbidden)},
		{"a mutation over the limit", pushBody(make([]byte, 17<<10)), errorFrame(protocol.CodeMutationLarge)},
		{"a base beyond head", func(p *peer) { p.push(1, 1_000_000, create("tasks", "t", "title", "x")) }, errorFrame(protocol.CodeBase)},
		{"a first counter that is not 1", func(p *peer) {
			p.counter[1] = 5
			p.push(1, 0, create("tasks", "t", "title", "x"))
		}, errorFrame(protocol.CodeUnknownOutcome)},
		{"a counter that skips", func(p *peer) {
			p.verdict(1, p.push(1, 0, create("tasks", "mine", "title", "x")))
			p.counter[1] = 5
			p.push(1, 0, create("tasks", "t", "title", "x"))
		}, replay},
		{"a counter used again with another payload", func(p *peer) {
			p.verdict(1, p.push(1, 0, create("tasks", "mine", "title", "x")))
			p.counter[1], p.hash[1] = 0, protocol.Hash{}
			p.push(1, 0, create("tasks", "mine", "title", "y"))
		}, replay},
		{"presence over the limit", func(p *peer) {
			p.send(&protocol.Presence{Handle: 1, Value: protocol.StringValue(strings.Repeat("p", 300))})
		}, errorFrame(protocol.CodePresence)},

		{"a body that is no mutation", pushBody([]byte("gibberish")), rejected(protocol.RejectMalformed, "")},
		{"a collection without a schema", op(create("unknown", "t", "title", "x")), rejected(protocol.RejectName, "")},
		{"a collection of ours", op(create("_mine", "t", "title", "x")), rejected(protocol.RejectName, "")},
		{"a field that the schema does not have", op(create("tasks", "t", "colour", "red")), rejected(protocol.RejectSchema, "")},
		{"a value that breaks the schema", op(create("tasks", "t", "title", strings.Repeat("x", 41))), rejected(protocol.RejectSchema, "title")},
		{"an update of what does not exist", op(protocol.Op{Kind: protocol.OpSet, Collection: "tasks", ID: "none",
			Fields: []protocol.FieldValue{{Field: "title", Value: protocol.StringValue("x")}}}), rejected(protocol.RejectMissing, "")},
		{"a set of a counter", func(p *peer) {
			p.verdict(1, p.push(1, 0, create("tasks", "c", "title", "x")))
			p.push(1, 0, protocol.Op{Kind: protocol.OpSet, Collection: "tasks", ID: "c",
				Fields: []protocol.FieldValue{{Field: "votes", Value: protocol.IntValue(3)}}})
		}, rejected(protocol.RejectPolicy, "votes")},
		{"half of a group", func(p *peer) {
			p.verdict(1, p.push(1, 0, create("tasks", "g", "title", "x")))
			p.push(1, 0, protocol.Op{Kind: protocol.OpSet, Collection: "tasks", ID: "g",
				Fields: []protocol.FieldValue{{Field: "start", Value: protocol.IntValue(3)}}})
		}, rejected(protocol.RejectGroup, "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			schema, err := merge.ParseSchema(schemaFiles)
			if err != nil {
				t.Fatal(err)
			}
			g := start(t, func(cfg *Config) { cfg.Limits, cfg.Schema = small(), schema })
			neighbour := connect(t, g, token(t, "ned"))
			neighbour.device = bound
			neighbour.subscribe(1, "room")
			neighbour.verdict(1, neighbour.push(1, 0, create("tasks", "n0", "title", "here")))

			culprit := connect(t, g, token(t, "eve",
				access.SpaceGrant{Pattern: "room", Write: true}, access.SpaceGrant{Pattern: "readonly"},
				access.SpaceGrant{Pattern: strings.Repeat("r", 250) + "*"}))
			culprit.subscribe(1, "room")
			c.send(culprit)
			c.want(t, culprit)

			culprit.send(&protocol.Ping{Nonce: 7})
			if pong := await[*protocol.Pong](culprit); pong.Nonce != 7 {
				t.Errorf("the connection answers %+v", pong)
			}
			counter := neighbour.push(1, 0, create("tasks", "n1", "title", "still here"))
			if v := neighbour.verdict(1, counter); v.Outcome != protocol.Applied {
				t.Errorf("the neighbour's mutation got %+v", v)
			}
		})
	}
}
