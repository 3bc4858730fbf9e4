package client

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tidegate/tidegate/internal/tape"
	"github.com/tidegate/tidegate/protocol"
)

// The vectors in testdata/vectors hold what cores were given and what they
// answered in this package's own tests, for clients in other languages. Their
// README describes them.

var update = flag.Bool("update", false, "write testdata/vectors anew")

// recording, if not nil, is where the cores of test devices write down what
// happens to them.
var recording *tape.Tape

// tapedCore is a core that writes down its inputs.
type tapedCore struct {
	*Core
	life *tape.Life
}

func newTapedCore(comment string, cfg Config, disk map[string][]byte) *tapedCore {
	core := NewCore(cfg)
	return &tapedCore{core, recording.Begin(comment, cfg.Seed, core.cfg.Client, core.cfg.Window, disk)}
}

func (c *tapedCore) Start(now protocol.Time) error {
	c.life.Input("start", "now", now)
	return c.Core.Start(now)
}

func (c *tapedCore) Open(now protocol.Time, name string, options SpaceOptions) {
	c.life.Input("open", "now", now, "space", name, "options", options)
	c.Core.Open(now, name, options)
}

func (c *tapedCore) Mutate(now protocol.Time, name string, m *protocol.Mutation) (uint64, error) {
	body := protocol.AppendMutation(nil, m)
	ref, err := c.Core.Mutate(now, name, m)
	c.life.Input("mutate", "now", now, "space", name, "body", body, "ref", ref)
	return ref, err
}

func (c *tapedCore) Retry(now protocol.Time, name string, entry uint64, ops []protocol.Op) (uint64, error) {
	ref, err := c.Core.Retry(now, name, entry, ops)
	c.life.Input("retry", "now", now, "space", name, "entry", entry, "body", protocol.AppendMutation(nil, &protocol.Mutation{Ops: ops}), "ref", ref)
	return ref, err
}

func (c *tapedCore) Discard(name string, entry uint64) error {
	c.life.Input("discard", "space", name, "entry", entry)
	return c.Core.Discard(name, entry)
}

func (c *tapedCore) Dismiss(name string, conflict protocol.Conflict) error {
	c.life.Input("dismiss", "space", name, "conflict", protocol.EncodeMessage(&protocol.ConflictNotice{Conflict: conflict}))
	return c.Core.Dismiss(name, conflict)
}

func (c *tapedCore) SetPresence(now protocol.Time, name string, value protocol.Value) {
	if value.IsAbsent() {
		c.life.Input("setPresence", "now", now, "space", name)
	} else {
		c.life.Input("setPresence", "now", now, "space", name, "value", value)
	}
	c.Core.SetPresence(now, name, value)
}

func (c *tapedCore) Fetch(now protocol.Time, name string, blob protocol.BlobID) bool {
	c.life.Input("fetch", "now", now, "space", name, "blob", blob)
	return c.Core.Fetch(now, name, blob)
}

func (c *tapedCore) Connected(now protocol.Time, token string) {
	c.life.Input("connected", "now", now, "token", token)
	c.Core.Connected(now, token)
}

func (c *tapedCore) ConnectFailed(now protocol.Time, err error) {
	c.life.Input("connectFailed", "now", now)
	c.Core.ConnectFailed(now, err)
}

func (c *tapedCore) Disconnected(now protocol.Time, code protocol.CloseCode, err error) {
	c.life.Input("disconnected", "now", now, "code", code)
	c.Core.Disconnected(now, code, err)
}

func (c *tapedCore) Reconnect(now protocol.Time) {
	c.life.Input("reconnect", "now", now)
	c.Core.Reconnect(now)
}

func (c *tapedCore) TokenRefreshed(now protocol.Time, token string, err error) {
	c.life.Input("tokenRefreshed", "now", now, "token", token, "failed", err != nil)
	c.Core.TokenRefreshed(now, token, err)
}

func (c *tapedCore) Message(now protocol.Time, message []byte) {
	c.life.Input("message", "now", now, "message", message)
	c.Core.Message(now, message)
}

func (c *tapedCore) Persisted(now protocol.Time, token uint64) {
	c.life.Input("persisted", "now", now, "token", token)
	c.Core.Persisted(now, token)
}

func (c *tapedCore) Tick(now protocol.Time) {
	c.life.Input("tick", "now", now)
	c.Core.Tick(now)
}

func (c *tapedCore) Ready() Ready {
	r := c.Core.Ready()
	if c.life == nil {
		return r
	}
	var next [8]byte
	random := *c.random // a copy: this draws nothing
	random.Read(next[:])
	c.life.Draws(next)
	c.life.Ready(r)
	for _, s := range c.sorted {
		c.life.Space(s.name, c.StateHash(s.name), c.View(s.name))
	}
	return r
}

// TestVectors compares testdata/vectors with what happens in the tests now.
func TestVectors(t *testing.T) {
	transcripts := func(t *testing.T) {
		datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
			p := &play{t: t, gateway: newModel(), devices: map[string]*testDevice{}}
			p.gateway.schema = testSchema(t)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			for block := range strings.SplitSeq(string(data), "\nplay\n") {
				commands, _, ok := strings.Cut(block, "\n----\n")
				if !ok {
					continue // the comment at the top
				}
				for line := range strings.SplitSeq(commands, "\n") {
					p.do(&out, strings.Fields(line))
				}
			}
		})
	}
	histories := func(t *testing.T) {
		for seed := range uint64(2) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				if wrong := chaos(t, seed, Faults{}); len(wrong) > 0 {
					t.Fatal(wrong)
				}
			})
		}
	}
	for _, file := range []struct {
		name, comment string
		run           func(t *testing.T)
	}{
		{"transcripts.json", "The conversations of testdata/transcripts.", transcripts},
		{"situations.json", "The situations of core_test.go, one after another.", situations},
		{"histories.json", "Random histories of a few devices: broken connections, crashes, copied stores, a trimmed log.", histories},
	} {
		t.Run(file.name, func(t *testing.T) {
			recording = &tape.Tape{}
			defer func() { recording = nil }()
			file.run(t)
			if t.Failed() {
				return
			}
			if err := recording.Golden(filepath.Join("testdata", "vectors", file.name), file.comment, *update); err != nil {
				t.Error(err)
			}
		})
	}
}

// situations runs the tests of core_test.go that have no planted bugs.
func situations(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"two devices converge", TestTwoDevicesConverge},
		{"nothing before it is durable", TestNothingBeforeDurable},
		{"the prediction stays until the cursor comes", TestPredictionStaysUntilTheCursorComes},
		{"a lost verdict", TestLostVerdict},
		{"a replay", TestReplay},
		{"a rejected mutation is kept", TestRejectedIsKept},
		{"a rejection is lost with the connection", TestRejectionLostWithConnection},
		{"a copied store", TestCopiedStore},
		{"a copied queue", TestCopiedQueue},
		{"a long copied queue", TestLongCopiedQueue},
		{"another history", TestOtherHistory},
		{"a wiped gateway", TestWipedGateway},
		{"a snapshot for a known device", TestSnapshotForKnownDevice},
		{"a forgotten device", TestForgottenDevice},
		{"a forgotten copy", TestForgottenCopy},
		{"a device id that is bound to another user", TestDeviceBound},
		{"a refused space", TestRefusedSpace},
		{"a refused push", TestPushRefused},
		{"a mutation too large for the server", TestTooLargeForTheServer},
		{"a gap ends the connection", TestGapEndsTheConnection},
		{"a repeated delivery", TestRepeatedDelivery},
		{"a filter of collections", TestCollectionFilter},
		{"the push window", TestPushWindow},
		{"a conflict is kept until it is dismissed", TestConflictIsKeptUntilDismissed},
		{"presence", TestPresence},
		{"reconnecting", TestReconnecting},
		{"the token is refreshed before it expires", TestTokenIsRefreshedBeforeItExpires},
	} {
		t.Run(test.name, test.run)
	}
}

// lifeName says what a recorded life is of.
func lifeName(t testing.TB, seed uint64) string {
	_, name, _ := strings.Cut(t.Name(), ".json/")
	return fmt.Sprintf("%s, device %d, life %d", strings.ReplaceAll(name, "_", " "), seed&0xff, seed>>20)
}
