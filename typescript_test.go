package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/merge"
)

// peerCards is the schema of the cards that both clients edit.
const peerCards = `{"type": "object", "properties": {
	"title": {"type": "string"},
	"votes": {"type": "integer", "x-merge": "counter"},
	"tags": {"type": "array", "items": {"type": "string"}, "x-merge": "set"},
	"steps": {"type": "array", "items": {"type": "string"}, "x-merge": "list"},
	"note": {"type": "object"}
}}`

const (
	peerDevices = 2  // of each language
	peerEdits   = 60 // of each device
)

// TestTypeScript lets devices of the Go and of the TypeScript client edit the same
// cards at random, over connections that break, while the real program is killed
// and started again. In the end all of them have the same state, bit for bit, and
// every edit has counted once.
func TestTypeScript(t *testing.T) {
	node := needNode(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience)
	defer cancel()
	dir := t.TempDir()
	write(t, dir, "schema/cards.json", peerCards)
	args := []string{"--store", "file:peers.db", "--schema", "schema", "--limit-connect-rate", "0"}
	gateway := serve(t, dir, nil, append(args, "--listen", "127.0.0.1:0")...)
	args = append(args, "--listen", gateway.address)
	line := newCutLine(t, gateway.address)

	schema, err := merge.ParseSchema(map[string][]byte{"cards.json": []byte(peerCards)})
	if err != nil {
		t.Fatal(err)
	}
	var spaces []*client.Space
	for range peerDevices {
		c, err := client.Open(ctx, client.Options{
			URL: "http://" + line.address(), Store: client.MemoryStore(), Schema: schema,
			Backoff: client.Backoff{Min: 5 * time.Millisecond, Max: 100 * time.Millisecond},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		spaces = append(spaces, c.Space("peers", client.SpaceOptions{}))
	}
	w, err := spaces[0].Collection("cards").Create(ctx, "all", map[string]any{"votes": 0})
	if err == nil {
		_, err = w.Durable(ctx)
	}
	for _, space := range spaces {
		if err == nil {
			err = space.WaitFor(ctx, 1)
		}
	}
	if err != nil {
		t.Fatal(err)
	}

	peer := exec.CommandContext(ctx, node, "client-ts/test/e2e/peer.mjs", "http://"+line.address(), "peers",
		strconv.Itoa(peerDevices), strconv.Itoa(peerEdits), "1")
	peer.Env = append(os.Environ(), "CARDS_SCHEMA="+peerCards)
	peer.Stderr = os.Stderr
	orders, err := peer.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := peer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := peer.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(stdout)

	var editing sync.WaitGroup
	for device, space := range spaces {
		editing.Go(func() { editCards(ctx, t, space, device) })
	}
	for kill := range 2 {
		time.Sleep(time.Duration(300+200*kill) * time.Millisecond) // the moment is the test
		gateway.cmd.Process.Kill()
		<-gateway.exited
		if gateway, err = relaunch(dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { gateway.cmd.Process.Kill(); <-gateway.exited }()
	editing.Wait()
	if !said.Scan() || !strings.HasPrefix(said.Text(), "drained ") {
		t.Fatalf("the TypeScript devices do not come to rest: %q", said.Text())
	}
	line.heal()
	for _, space := range spaces {
		if err := space.Drained(ctx); err != nil {
			t.Fatalf("a Go device does not come to rest: %v %+v", err, space.Status())
		}
	}
	// All edits are judged and confirmed where they were made: the last is at the
	// greatest cursor.
	seq, err := strconv.ParseUint(strings.TrimPrefix(said.Text(), "drained "), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, space := range spaces {
		seq = max(seq, space.Cursor().Seq)
	}
	hash := ""
	for i, space := range spaces {
		if err := space.WaitFor(ctx, seq); err != nil {
			t.Fatal(err)
		}
		sum := space.StateHash()
		if own := hex.EncodeToString(sum[:]); hash != "" && own != hash {
			t.Errorf("Go device %d ended in another state than the first", i)
		} else {
			hash = own
		}
	}
	fmt.Fprintln(orders, seq)
	for device := range peerDevices {
		if !said.Scan() {
			t.Fatal("the TypeScript devices did not say what they have")
		}
		if fields := strings.Fields(said.Text()); len(fields) < 2 || fields[1] != hash {
			t.Errorf("TypeScript device %d: %q, the Go devices have %s", device, said.Text(), hash)
		}
	}
	orders.Close()
	if err := peer.Wait(); err != nil {
		t.Errorf("the TypeScript devices: %v", err)
	}
	if votes := spaces[0].Collection("cards").Get("all").Get("votes"); votes != int64(2*peerDevices*peerEdits) {
		t.Errorf("%v votes for %d edits", votes, 2*peerDevices*peerEdits)
	}
	t.Logf("%d commits, %d cards, %d connections broken", seq, len(spaces[0].Confirmed()), line.cuts())
}

// needNode returns the path of node, which this test needs together with the
// TypeScript client's packages.
func needNode(t *testing.T) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join("client-ts", "node_modules", "esbuild"))
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("Go and TypeScript are not compared: %v (npm ci in client-ts)", err)
		}
		t.Skipf("NOT TESTED: Go and TypeScript in one space: %v (npm ci in client-ts)", err)
	}
	return node
}

// editCards makes a device's edits, each with a vote.
func editCards(ctx context.Context, t *testing.T, space *client.Space, device int) {
	random := rand.New(rand.NewPCG(uint64(device), 1))
	cards := space.Collection("cards")
	for n := range peerEdits {
		all := cards.All()
		id, text := all[random.IntN(len(all))].ID, fmt.Sprintf("go%d-%d", device, n)
		_, err := space.Mutate(ctx, func(tx *client.Tx) error {
			tx.Edit("cards", "all").Add("votes", 1)
			e := tx.Edit("cards", id)
			switch random.IntN(7) {
			case 0:
				tx.Create("cards", client.NewID(), map[string]any{"title": text, "tags": []any{text}, "steps": []any{"a", "b"}})
			case 1:
				e.Set("title", text)
			case 2:
				e.SetAdd("tags", text)
			case 3:
				e.ListInsert("steps", random.IntN(4), text)
			case 4:
				if steps := e.Record().Elements("steps"); len(steps) > 0 && steps[0].Element != "" {
					e.ListMove("steps", steps[0].Element, 2)
				}
			case 5:
				if tags := e.Record().Elements("tags"); len(tags) > 0 {
					e.SetRemove("tags", tags[0].Value)
				}
				e.Unset("note")
			default:
				e.Set("note", map[string]any{"by": text, "at": float64(n) / 4, "list": []any{n, nil, true}})
			}
			return nil
		})
		if err != nil {
			t.Errorf("Go device %d, edit %d: %v", device, n, err)
			return
		}
		time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond) // spread over the kills
	}
}

// cutLine is a line to the gateway that breaks after some bytes, until it is
// healed.
type cutLine struct {
	listener net.Listener
	target   string

	mu     sync.Mutex
	random *rand.Rand
	healed bool
	broken int
}

func newCutLine(t *testing.T, target string) *cutLine {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &cutLine{listener: listener, target: target, random: rand.New(rand.NewPCG(7, 7))}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(conn)
		}
	}()
	return l
}

func (l *cutLine) address() string { return l.listener.Addr().String() }

func (l *cutLine) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.healed = true
}

func (l *cutLine) cuts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}

// budget is how many bytes a new connection carries before it breaks.
func (l *cutLine) budget() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.healed {
		return 1 << 40
	}
	return 500 + l.random.Int64N(8_000)
}

func (l *cutLine) carry(conn net.Conn) {
	defer conn.Close()
	upstream, err := net.Dial("tcp", l.target)
	if err != nil {
		return
	}
	defer upstream.Close()
	ended := make(chan bool, 2)
	pass := func(to, from net.Conn) {
		n := l.budget()
		carried, _ := io.CopyN(to, from, n)
		ended <- carried == n
	}
	go pass(upstream, conn)
	go pass(conn, upstream)
	if <-ended {
		l.mu.Lock()
		l.broken++
		l.mu.Unlock()
	}
}
