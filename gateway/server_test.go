package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tidegate/tidegate/access"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// get returns the answer to a request and its body.
func get(t *testing.T, g *running, path string) (*http.Response, string) {
	t.Helper()
	response, err := http.Get("http://" + g.address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// TestHandshakes shows which handshakes are turned away, and with what.
func TestHandshakes(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*Config)
		header  http.Header
		host    string
		remote  string
		before  int // handshakes from the same address before
		status  int
		mention string
	}{
		{name: "not a WebSocket", header: http.Header{"Upgrade": nil}, status: 426, mention: protocol.Subprotocol},
		{name: "without the subprotocol", header: http.Header{"Sec-Websocket-Protocol": nil}, status: 400, mention: protocol.Subprotocol},
		{name: "with another subprotocol", header: http.Header{"Sec-Websocket-Protocol": {"tidegate.v99"}}, status: 400, mention: protocol.Subprotocol},
		{name: "another site", header: http.Header{"Origin": {"https://evil.example"}}, status: 403, mention: "https://evil.example"},
		{name: "the same host on another port", header: http.Header{"Origin": {"http://localhost:9999"}}, host: "localhost:8787", status: 403, mention: "origin"},
		{name: "the same host by another scheme", header: http.Header{"Origin": {"https://localhost:8787"}}, host: "localhost:8787", status: 403, mention: "origin"},
		{name: "a file", header: http.Header{"Origin": {"null"}}, status: 403, mention: "origin"},
		{name: "another site that rebound its name", host: "rebound.example:8787", status: 403, mention: "rebound.example"},
		{name: "too many from one address", change: func(c *Config) { c.Rates = Rates{Connections: Rate{PerSecond: 0.001, Burst: 2}} },
			remote: "192.0.2.1:1234", before: 2, status: 429, mention: "rate"},
		{name: "an old WebSocket", header: http.Header{"Sec-Websocket-Version": {"8"}}, status: 400, mention: "version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := start(t, c.change)
			var answer *httptest.ResponseRecorder
			for range c.before + 1 {
				request := httptest.NewRequest("GET", protocol.SyncPath, nil)
				request.Host = "localhost:8787"
				request.Header = http.Header{
					"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
					"Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}, "Sec-Websocket-Protocol": {protocol.Subprotocol},
				}
				for name, value := range c.header {
					request.Header[name] = value
				}
				if c.host != "" {
					request.Host = c.host
				}
				if c.remote != "" {
					request.RemoteAddr = c.remote
				}
				answer = httptest.NewRecorder()
				g.ServeHTTP(answer, request)
			}
			if answer.Code != c.status || !strings.Contains(answer.Body.String(), c.mention) {
				t.Errorf("answered %d %q, want %d with %q", answer.Code, answer.Body, c.status, c.mention)
			}
		})
	}
}

// TestAllowedOrigins shows that a listed origin and the gateway's own may
// connect, over a real socket.
func TestAllowedOrigins(t *testing.T) {
	g := start(t, func(c *Config) { c.AllowedOrigins = []string{"https://app.example.com", "http://localhost:*"} })
	for origin, want := range map[string]bool{
		"":                             true,
		"https://app.example.com":      true,
		"http://" + g.address:          true,
		"http://localhost:5173":        true,
		"http://app.example.com":       false,
		"https://app.example.com:8443": false,
	} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		ws, _, err := websocket.Dial(ctx, "ws://"+g.address+protocol.SyncPath, &websocket.DialOptions{
			Subprotocols: []string{protocol.Subprotocol}, HTTPHeader: http.Header{"Origin": {origin}},
		})
		cancel()
		if err == nil {
			ws.CloseNow()
		}
		if (err == nil) != want {
			t.Errorf("origin %q: %v, want allowed = %v", origin, err, want)
		}
	}
}

// TestMaxConnections shows that a full gateway turns newcomers away, and takes
// them again when somebody has left.
func TestMaxConnections(t *testing.T) {
	g := start(t, func(c *Config) { c.MaxConnections = 1 })
	first := connect(t, g, "")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, answer, err := websocket.Dial(ctx, "ws://"+g.address+protocol.SyncPath, &websocket.DialOptions{Subprotocols: []string{protocol.Subprotocol}})
	if err == nil || answer == nil || answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Fatalf("the second of one connections got %v, %+v", err, answer)
	}
	first.ws.Close(websocket.StatusNormalClosure, "")
	waitFor(t, "the first connection to be gone", func() bool { return g.inPhase(phaseLive) == 0 })
	connect(t, g, "")
}

// waitFor waits until something is true that no event tells of.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestMessageRate shows that a peer that sends faster than it may is slowed
// down, and neither lost nor cut off.
func TestMessageRate(t *testing.T) {
	g := start(t, func(c *Config) {
		c.Rates = DefaultRates()
		c.Rates.Messages = Rate{PerSecond: 20, Burst: 1}
	})
	p := connect(t, g, "")
	began := time.Now()
	const pings = 10
	for n := range uint64(pings) {
		p.send(&protocol.Ping{Nonce: n})
	}
	for n := range uint64(pings) {
		if pong := await[*protocol.Pong](p); pong.Nonce != n {
			t.Fatalf("pong %d came for ping %d", pong.Nonce, n)
		}
	}
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("10 messages at 20 a second took %v", took)
	}
}

// TestPresenceRate shows that of too many presence updates the latest arrives.
func TestPresenceRate(t *testing.T) {
	g := start(t, func(c *Config) {
		c.Rates = DefaultRates()
		c.Rates.Presence = Rate{PerSecond: 10, Burst: 1}
	})
	watcher, mover := connect(t, g, ""), connect(t, g, "")
	watcher.subscribe(1, "room")
	mover.subscribe(1, "room")
	const last = 200
	for n := range int64(last + 1) {
		mover.send(&protocol.Presence{Handle: 1, Value: protocol.IntValue(n)})
	}
	for told := 0; ; told++ {
		present := await[*protocol.Present](watcher)
		if n, _ := present.Devices[0].Value.Int(); n == last {
			if told > 20 {
				t.Errorf("%d of %d updates came, at 10 a second", told, last)
			}
			break
		}
	}
	mover.ws.CloseNow()
	if present := await[*protocol.Present](watcher); !present.Devices[0].Value.IsAbsent() {
		t.Errorf("after the device was gone, %+v", present)
	}
}

// TestPresenceOfNewcomer shows that who comes later is told who is there.
func TestPresenceOfNewcomer(t *testing.T) {
	g := start(t, nil)
	first := connect(t, g, "")
	first.subscribe(1, "room")
	first.send(&protocol.Presence{Handle: 1, Value: protocol.StringValue("here")}, &protocol.Ping{Nonce: 1})
	await[*protocol.Pong](first)
	for range 20 { // whichever of subscription and presence is handled first
		late := connect(t, g, "")
		late.subscribe(1, "room")
		present := await[*protocol.Present](late)
		if len(present.Devices) != 1 || present.Devices[0].Author.Device != first.device || present.Devices[0].Value != protocol.StringValue("here") {
			t.Fatalf("a newcomer was told %+v", present)
		}
		late.ws.CloseNow()
	}
}

// TestExpiry shows that a token's end ends the connection with the code that asks
// for a fresh one, and that a fresh one shown in time keeps it.
func TestExpiry(t *testing.T) {
	g := start(t, func(c *Config) {
		c.Limits = protocol.DefaultLimits()
		c.Limits.TokenGrace = 100 * time.Millisecond
	})
	brief := func() string {
		return minted(t, func(o *access.MintOptions) { o.For = 4 * time.Second })
	}
	leaves, stays := connect(t, g, brief()), connect(t, g, brief())
	stays.send(&protocol.Token{Token: token(t, "eve")})
	if accepted := await[*protocol.TokenAccept](stays); accepted.Expires < g.now()+60_000 {
		t.Errorf("the fresh token was accepted until %d", accepted.Expires)
	}
	began := time.Now()
	closed, _ := awaitClose(leaves)
	if want, _ := protocol.CodeExpired.Close(); closed.code != want {
		t.Errorf("closed with %d (%s), want %d", closed.code, closed.reason, want)
	}
	if took := time.Since(began); took > 4*time.Second+5*time.Second {
		t.Errorf("it took %v", took)
	}
	stays.send(&protocol.Ping{Nonce: 1})
	await[*protocol.Pong](stays)
}

// TestSlowPeer shows that a peer that takes no bytes is cut off, while one beside
// it goes on, and so does who writes.
func TestSlowPeer(t *testing.T) {
	g := start(t, func(c *Config) { c.WriteWithin = 200 * time.Millisecond })
	slow := dial(t, g)
	hello := slow.hello("")
	hello.Window = 1 << 40
	slow.send(hello)
	await[*protocol.Welcome](slow)
	slow.subscribe(1, "room")

	writer, reader := connect(t, g, ""), connect(t, g, "")
	writer.subscribe(1, "room")
	reader.subscribe(1, "room")
	large := strings.Repeat("x", 100<<10)
	for n := range 400 {
		counter := writer.push(1, 0, create("notes", fmt.Sprint(n), "text", large+fmt.Sprint(n)))
		if v := writer.verdict(1, counter); v.Outcome != protocol.Applied {
			t.Fatalf("mutation %d got %+v", n, v)
		}
		writer.send(&protocol.Ack{Received: writer.received})
		for {
			header := await[*protocol.CommitHeader](reader)
			reader.send(&protocol.Ack{Received: reader.received})
			if header.Seq == uint64(n+1) {
				break
			}
		}
		if g.inPhase(phaseLive) == 2 {
			return // cut off
		}
	}
	waitFor(t, "the slow peer to be cut off", func() bool { return g.inPhase(phaseLive) == 2 })
}

// TestDrain shows what Shutdown does to connections: they are told to go away,
// what they pushed is answered, and newcomers are turned away.
func TestDrain(t *testing.T) {
	g := start(t, nil)
	p := connect(t, g, "")
	p.subscribe(1, "room")
	counter := p.push(1, 0, create("notes", "n", "text", "just before"))
	shut := make(chan error, 1)
	go func() { shut <- g.Shutdown(context.Background()) }()

	var away *protocol.GoingAway
	var verdict *protocol.Verdicts
	for {
		frame, err := p.next()
		var closed *closedError
		if errors.As(err, &closed) {
			if want, _ := protocol.CodeGoingAway.Close(); closed.code != want {
				t.Errorf("closed with %d (%s), want %d", closed.code, closed.reason, want)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch f := frame.(type) {
		case *protocol.GoingAway:
			away = f
		case *protocol.Verdicts:
			verdict = f
		}
	}
	if away == nil || away.Within < 1000 {
		t.Errorf("told to go away with %+v", away)
	}
	// The push raced with the shutdown: it was either refused whole or answered.
	if verdict != nil && (len(verdict.List) != 1 || verdict.List[0].Counter != counter) {
		t.Errorf("answered %+v", verdict)
	}
	if err := <-shut; err != nil {
		t.Errorf("shutting down: %v", err)
	}
	answer := httptest.NewRecorder()
	request := httptest.NewRequest("GET", "http://localhost/readyz", nil)
	g.ServeHTTP(answer, request)
	if answer.Code != http.StatusServiceUnavailable {
		t.Errorf("a gateway that has gone is ready: %d %s", answer.Code, answer.Body)
	}
	if err := g.Shutdown(context.Background()); !errors.Is(err, errShutdown) {
		t.Errorf("a second shutdown returned %v", err)
	}
}

// TestDrainSilentPeer shows that a peer that answers nothing does not hold up the
// end.
func TestDrainSilentPeer(t *testing.T) {
	g := start(t, func(c *Config) { c.DrainWithin = 100 * time.Millisecond })
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
		protocol.SyncPath, protocol.Subprotocol)
	waitFor(t, "the connection", func() bool { return g.inPhase(phaseHello) == 1 })
	began := time.Now()
	if err := g.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("it took %v", took)
	}
}

// brokenStore is a store whose reads fail while broken.
type brokenStore struct {
	space.Store
	broken bool
}

func (b *brokenStore) Get(ctx context.Context, key space.Key, keys []space.ItemKey) ([]space.Item, error) {
	if b.broken {
		return nil, errors.New("the disk is gone")
	}
	return b.Store.Get(ctx, key, keys)
}

// TestHealth shows what the probes answer.
func TestHealth(t *testing.T) {
	g := start(t, nil)
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready"} {
		if response, body := get(t, g, path); response.StatusCode != 200 || strings.TrimSpace(body) != want {
			t.Errorf("%s answers %d %q", path, response.StatusCode, body)
		}
	}
	store := &brokenStore{Store: new(space.Memory), broken: true}
	h := newHealth(store, must(access.NewDevelopment(testSecret, nil)))
	if why := h.check(context.Background()); !strings.Contains(why, "the disk is gone") {
		t.Errorf("a broken store is %q", why)
	}
	store.broken = false
	if why := h.check(context.Background()); why == "" {
		t.Error("the store was asked again within a second")
	}
	h.checked = h.checked.Add(-probeEvery)
	if why := h.check(context.Background()); why != "" {
		t.Errorf("a mended store is %q", why)
	}
	if why := h.probe(context.Background(), earliest.Add(-time.Hour)); !strings.Contains(why, "clock") {
		t.Errorf("a clock that was never set is %q", why)
	}
}

// TestStatusPage shows that the page says how to connect, and that nothing of the
// request gets into it unescaped.
func TestStatusPage(t *testing.T) {
	g := start(t, nil)
	response, body := get(t, g, "/status")
	for _, want := range []string{"ws://" + g.address + protocol.SyncPath, protocol.Subprotocol, "Development mode", "ready", `lang="en"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
	if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the content security policy is %q", policy)
	}
	if response, _ := get(t, g, "/status.css"); response.StatusCode != 200 || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/css") {
		t.Errorf("the style answers %d %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	if response, _ := get(t, g, "/"); response.Request.URL.Path != "/status" {
		t.Errorf("without the demonstration page, / leads to %s", response.Request.URL)
	}
	if response, _ := get(t, g, "/nothing"); response.StatusCode != 404 {
		t.Errorf("an unknown path answers %d", response.StatusCode)
	}
	answer := httptest.NewRecorder()
	request := httptest.NewRequest("GET", "/", nil)
	request.Host = "rebound.example"
	g.ServeHTTP(answer, request)
	if answer.Code != http.StatusForbidden {
		t.Errorf("in development mode a page by another name answers %d", answer.Code)
	}
}

// TestMetrics drives a gateway a little and looks for the metrics that an
// operator relies on.
func TestMetrics(t *testing.T) {
	g := start(t, nil)
	p := connect(t, g, "")
	p.subscribe(1, "room")
	_, header := p.verdictAndCommit(1, p.push(1, 0, create("notes", "n", "text", "x")))
	p.send(&protocol.Ack{Received: p.received, Cursors: []protocol.HandleCursor{{Handle: 1, Cursor: protocol.Cursor{Seq: header.Seq, Commit: header.ID}}}})
	p.send(&protocol.Ping{Nonce: 1})
	await[*protocol.Pong](p)

	_, body := get(t, g, "/metrics")
	for _, want := range []string{
		"tidegate_connections 1\n",
		"tidegate_connections_opened_total 1\n",
		`tidegate_connections_refused_total{reason="origin"} 0`,
		`tidegate_sessions{state="hello"} 0`,
		`tidegate_sessions{state="live"} 1`,
		"tidegate_open_spaces 1\n",
		"tidegate_commits_total 1\n",
		"tidegate_mutations_total 1\n",
		`tidegate_verdicts_total{outcome="applied"} 1`,
		`tidegate_verdicts_total{outcome="rejected"} 0`,
		`tidegate_conflicts_total{policy="lww"} 0`,
		`tidegate_append_retries_total{reason="taken"} 0`,
		`tidegate_append_retries_total{reason="unknown"} 0`,
		"tidegate_lagging_cursors 0\n",
		"tidegate_deliveries_total 1\n",
		"tidegate_received_bytes_total ",
		"tidegate_sent_bytes_total ",
		"tidegate_checkpoint_lag_commits ",
		"tidegate_convergence_seconds_count 1\n",
		"tidegate_append_seconds_count 1\n",
		"go_goroutines ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the metrics do not have %q", want)
		}
	}
	if t.Failed() {
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "tidegate_") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}
