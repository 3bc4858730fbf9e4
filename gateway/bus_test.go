package gateway

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// TestStrangeMessages lets a newer, a broken and a lying gateway speak on the
// bus: what cannot be read or does not belong is passed over, with a word in the
// log, and everything goes on.
func TestStrangeMessages(t *testing.T) {
	var exchange cluster.Exchange
	ours, strange := exchange.Join(), exchange.Join()
	defer ours.Close()
	defer strange.Close()
	var log journal
	g := start(t, func(cfg *Config) {
		cfg.Exclusive, cfg.Bus, cfg.Name, cfg.Log = false, ours, "ours", slog.New(&log)
	})
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	board := device(t, g.address, "ada").Space("board", client.SpaceOptions{Presence: true})
	w, err := board.Collection("cards").Create(ctx, "a", map[string]any{"n": 1})
	seq := applied(t, ctx, w, err)
	key := space.Key{Tenant: "default", Space: "board"}
	waitFor(t, "the gateway to listen", func() bool {
		strange.Publish(spaceSubject(key), protocol.EncodePeer(&protocol.PeerMessage{Gateway: "strange", Tenant: key.Tenant, Space: key.Space, Body: &protocol.PeerHead{Seq: seq}}))
		return metric(t, g, `tidegate_bus_received_total{kind="head"}`) > 0
	})

	message := func(tenant, space string, body protocol.PeerBody) []byte {
		return protocol.EncodePeer(&protocol.PeerMessage{Gateway: "strange", Tenant: tenant, Space: space, Body: body})
	}
	right := message(key.Tenant, key.Space, &protocol.PeerCommit{Seq: seq + 1, Data: []byte("no commit")})
	mustUnderstand := append([]byte(nil), right...)
	mustUnderstand[0] |= 1
	newer := append([]byte(nil), right...)
	newer[0] += 0x10
	who := protocol.DevicePresence{Author: protocol.Author{Device: newDevice(), User: "eve"}, Value: protocol.True}
	misplaced := protocol.DevicePresence{Author: protocol.Author{Device: newDevice(), User: "eve"}, Value: protocol.False}
	for _, data := range [][]byte{
		nil, {}, {0}, []byte("hello"), right[:5], append(append([]byte(nil), right...), 0), mustUnderstand, newer,
		message("other", key.Space, &protocol.PeerPresence{Devices: []protocol.DevicePresence{misplaced}}),
		message(key.Tenant, "other", &protocol.PeerPresence{Devices: []protocol.DevicePresence{misplaced}}),
		message(key.Tenant, key.Space, &protocol.PeerPushes{}),
		right, // a commit that is none: the log is read instead
		message(key.Tenant, key.Space, &protocol.PeerHead{Seq: 1 << 60}),
	} {
		strange.Publish(spaceSubject(key), data)
		strange.Publish(gatewaySubject("ours"), data)
	}
	strange.Publish(gatewaySubject("ours"), message(key.Tenant, key.Space, &protocol.PeerPushes{Time: g.now(), Pushes: []protocol.PeerPush{
		{Author: who.Author, First: 1, Bodies: [][]byte{[]byte("no mutation"), nil}},
	}}))
	random := rand.New(rand.NewPCG(7, 7))
	for range 2000 {
		data := append([]byte(nil), right...)
		for range 1 + random.IntN(4) {
			data[random.IntN(len(data))] = byte(random.Uint32())
		}
		strange.Publish(spaceSubject(key), data)
		strange.Publish(gatewaySubject("ours"), data)
	}
	for _, want := range []string{refusedMalformed, refusedUpgrade, refusedSubject} {
		waitFor(t, "messages refused as "+want, func() bool { return metric(t, g, `tidegate_bus_refused_total{reason="`+want+`"}`) > 0 })
	}
	w, err = board.Collection("cards").Create(ctx, "b", map[string]any{"n": 2})
	applied(t, ctx, w, err)
	strange.Publish(spaceSubject(key), message(key.Tenant, key.Space, &protocol.PeerPresence{Devices: []protocol.DevicePresence{who}}))
	shows(t, board, "what is right to be heard still", true)
	if _, page := get(t, g, "/status"); !strings.Contains(page, "<dt>Other gateways</dt><dd>connected</dd>") {
		t.Error("the status page does not tell of the bus")
	}
	if metric(t, g, "tidegate_damaged_total") != 0 {
		t.Error("a message has damaged the space")
	}
	if lines := log.with("passing over a message of another gateway"); lines != 1 {
		t.Errorf("%d complaints, want one a minute", lines)
	}
}

// journal is a log that tests can look into.
type journal struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

func (j *journal) Enabled(context.Context, slog.Level) bool { return true }
func (j *journal) WithAttrs([]slog.Attr) slog.Handler       { return j }
func (j *journal) WithGroup(string) slog.Handler            { return j }
func (j *journal) Handle(_ context.Context, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, r.Message)
	return nil
}

// with counts the lines with a text in them.
func (j *journal) with(text string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range j.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
