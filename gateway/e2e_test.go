package gateway

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// line is a device's line to a gateway, which a test can cut and mend.
type line struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	down  bool                  // guarded by mu
	conns map[net.Conn]struct{} // guarded by mu
	open  sync.WaitGroup
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{listener: listener, to: to, conns: map[net.Conn]struct{}{}}
	l.open.Go(l.accept)
	t.Cleanup(func() {
		listener.Close()
		l.cut()
		l.open.Wait()
	})
	return l
}

func (l *line) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.to)
		if err != nil {
			near.Close()
			continue
		}
		l.mu.Lock()
		if l.down {
			near.Close()
			far.Close()
		} else {
			l.conns[near], l.conns[far] = struct{}{}, struct{}{}
			l.open.Go(func() { io.Copy(far, near); far.Close() })
			l.open.Go(func() { io.Copy(near, far); near.Close() })
		}
		l.mu.Unlock()
	}
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for conn := range l.conns {
		conn.Close()
	}
	clear(l.conns)
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

// device opens a client at the other end of a line.
func device(t *testing.T, address, user string) *client.Client {
	t.Helper()
	c, err := client.Open(context.Background(), client.Options{
		URL:     "ws://" + address,
		Token:   func(context.Context) (string, error) { return token(t, user), nil },
		Store:   client.MemoryStore(),
		Backoff: client.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// settle waits until both spaces have no pending mutation and stand at the same
// commit.
func settle(t *testing.T, ctx context.Context, a, b *client.Space) {
	t.Helper()
	for _, s := range []*client.Space{a, b} {
		if err := s.Drained(ctx); err != nil {
			t.Fatalf("draining: %v (%+v)", err, s.Status())
		}
	}
	for {
		seq := max(a.Cursor().Seq, b.Cursor().Seq)
		for _, s := range []*client.Space{a, b} {
			if err := s.WaitFor(ctx, seq); err != nil {
				t.Fatalf("waiting for commit %d: %v (%+v)", seq, err, s.Status())
			}
		}
		switch ac, bc := a.Cursor(), b.Cursor(); {
		case ac == bc:
			return
		case ac.Seq == bc.Seq:
			t.Fatalf("two histories: %v and %v", ac, bc)
		}
	}
}

// TestTwoDevices is the main job: two people edit the same records, one of them
// offline for a while, and both end in the same state, with counters exact and
// the overwritten value told.
func TestTwoDevices(t *testing.T) {
	schema, err := merge.ParseSchema(map[string][]byte{
		"cards.json": []byte(`{"type": "object", "properties": {
			"title": {"type": "string"},
			"votes": {"type": "integer", "x-merge": "counter"},
			"tags": {"type": "array", "x-merge": "set"}
		}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, func(cfg *Config) { cfg.Schema = schema })
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	adasLine := newLine(t, g.address)
	ada := device(t, adasLine.listener.Addr().String(), "ada").Space("board", client.SpaceOptions{})
	ben := device(t, g.address, "ben").Space("board", client.SpaceOptions{})

	must := func(w *client.Write, err error) *client.Write {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	adas, bens := ada.Collection("cards"), ben.Collection("cards")
	w := must(adas.Create(ctx, "c1", map[string]any{"title": "draft", "votes": 0}))
	if _, err := w.Durable(ctx); err != nil {
		t.Fatal(err)
	}
	settle(t, ctx, ada, ben)

	adasLine.cut()
	for range 10 {
		must(adas.Update(ctx, "c1", func(e *client.Edit) { e.Add("votes", 1) }))
	}
	late := must(adas.Update(ctx, "c1", func(e *client.Edit) { e.SetAdd("tags", "ada"); e.Set("title", "by ada") }))
	must(adas.Create(ctx, "c2", map[string]any{"title": "made offline"}))
	if got := adas.Get("c1").Get("votes"); got != int64(10) {
		t.Errorf("offline, ada sees %v votes", got)
	}
	// Ben's edit is made later, so it wins over what Ada made offline.
	time.Sleep(2 * time.Millisecond)
	w = must(bens.Update(ctx, "c1", func(e *client.Edit) { e.Add("votes", 5); e.SetAdd("tags", "ben"); e.Set("title", "by ben") }))
	if _, err := w.Durable(ctx); err != nil {
		t.Fatal(err)
	}
	if len(ada.Pending()) == 0 || bens.Get("c2") != nil {
		t.Error("ada was not offline")
	}

	adasLine.mend()
	settle(t, ctx, ada, ben)
	if ada.StateHash() != ben.StateHash() {
		t.Errorf("the devices differ:\n%v\n%v", ada.Confirmed(), ben.Confirmed())
	}
	card := bens.Get("c1")
	if got := card.Get("votes"); got != int64(15) {
		t.Errorf("%v votes, want 15", got)
	}
	if got := card.Get("tags"); len(got.([]any)) != 2 {
		t.Errorf("tags are %v", got)
	}
	if got := card.Get("title"); got != "by ben" {
		t.Errorf("the title is %v, want the later edit", got)
	}
	if bens.Get("c2") == nil {
		t.Error("what was made offline is missing")
	}
	if v, err := late.Durable(ctx); err != nil || v.Outcome != protocol.Superseded {
		t.Errorf("ada's late edit got %+v, %v", v, err)
	}
	conflicts := ada.Conflicts()
	if len(conflicts) != 1 || conflicts[0].Field != "title" {
		t.Fatalf("ada was told of %v, want one conflict about the title", conflicts)
	}
	lost, err := conflicts[0].LostValue(ctx)
	if err != nil || lost != protocol.StringValue("by ada") {
		t.Errorf("the lost value is %v, %v", lost, err)
	}
}

// TestManyCuts drops connections at random moments while two devices count, and
// shows that every increment counts exactly once.
func TestManyCuts(t *testing.T) {
	schema, err := merge.ParseSchema(map[string][]byte{
		"counts.json": []byte(`{"type": "object", "properties": {"n": {"type": "integer", "x-merge": "counter"}}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, func(cfg *Config) { cfg.Schema = schema })
	ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
	defer cancel()
	var spaces []*client.Space
	var lines []*line
	for _, user := range []string{"ada", "ben"} {
		l := newLine(t, g.address)
		lines = append(lines, l)
		spaces = append(spaces, device(t, l.listener.Addr().String(), user).Space("board", client.SpaceOptions{}))
	}
	first, err := spaces[0].Collection("counts").Create(ctx, "c", map[string]any{"n": 0})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Durable(ctx); err != nil {
		t.Fatal(err)
	}
	settle(t, ctx, spaces[0], spaces[1])

	const each = 150
	var counting sync.WaitGroup
	for i, space := range spaces {
		counting.Go(func() {
			for n := range each {
				w, err := space.Collection("counts").Update(ctx, "c", func(e *client.Edit) { e.Add("n", 1) })
				if err != nil {
					t.Error(err)
					return
				}
				if n%10 == 0 { // cut while it is under way
					lines[i].cut()
					lines[i].mend()
				}
				if n%25 == 0 {
					if _, err := w.Durable(ctx); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	counting.Wait()
	settle(t, ctx, spaces[0], spaces[1])
	for _, s := range spaces {
		if got := s.Collection("counts").Get("c").Get("n"); got != int64(2*each) {
			t.Errorf("counted %v, want %d", got, 2*each)
		}
	}
	if spaces[0].StateHash() != spaces[1].StateHash() {
		t.Error("the devices differ")
	}
}
