package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// deviceWith is device with other options.
func deviceWith(t *testing.T, g *running, user string, change func(*client.Options)) *client.Client {
	t.Helper()
	options := client.Options{
		URL:     "ws://" + g.address,
		Token:   func(context.Context) (string, error) { return token(t, user), nil },
		Store:   client.MemoryStore(),
		Backoff: client.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond},
	}
	change(&options)
	c, err := client.Open(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// made returns a mutation that must have been made.
func made(t *testing.T, w *client.Write, err error) *client.Write {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// applied waits until a mutation has taken effect and returns its seq.
func applied(t *testing.T, ctx context.Context, w *client.Write, err error) uint64 {
	t.Helper()
	v, err := made(t, w, err).Durable(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return v.Seq
}

// counting is a schema whose collections have a counter n and a set seen.
func counting(t *testing.T, collections ...string) *merge.Schema {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range collections {
		files[name+".json"] = []byte(`{"type": "object", "properties": {
			"n": {"type": "integer", "x-merge": "counter"},
			"seen": {"type": "array", "x-merge": "set"}
		}}`)
	}
	schema, err := merge.ParseSchema(files)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// text returns so many bytes that do not compress well.
func text(random *rand.Rand, n int) string {
	b := make([]byte, n/2)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return hex.EncodeToString(b)
}

// TestFarBehind shows that a device which has missed very many commits is sent
// what changed, and not what exists.
func TestFarBehind(t *testing.T) {
	const records, each, edited, commits = 4000, 500, 10, 10_000
	g := start(t, func(cfg *Config) {
		cfg.Limits.CommitMutations = 1 // so that one device makes many commits at once
		cfg.Rates = DefaultRates()
		cfg.Rates.Messages = Rate{}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
	defer cancel()

	random := rand.New(rand.NewPCG(1, 2))
	ben := device(t, g.address, "ben").Space("board", client.SpaceOptions{})
	var last *client.Write
	for from := 0; from < records; from += 200 {
		w, err := ben.Mutate(ctx, func(tx *client.Tx) error {
			for i := from; i < from+200; i++ {
				tx.Create("cards", fmt.Sprint(i), map[string]any{"n": 0, "text": text(random, each)})
			}
			return nil
		})
		last = made(t, w, err)
	}
	applied(t, ctx, last, nil)

	store := client.MemoryStore()
	keep := func(o *client.Options) { o.Store = store }
	before := deviceWith(t, g, "ada", keep)
	settle(t, ctx, before.Space("board", client.SpaceOptions{}), ben)
	left := before.Space("board", client.SpaceOptions{}).Cursor()
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}

	for i := range commits {
		w, err := ben.Collection("cards").Update(ctx, fmt.Sprint(i%edited), func(e *client.Edit) { e.Set("n", i) })
		if last = made(t, w, err); i%200 == 0 {
			applied(t, ctx, last, nil)
		}
	}
	applied(t, ctx, last, nil)
	if err := ben.Drained(ctx); err != nil {
		t.Fatal(err)
	}
	if missed := ben.Cursor().Seq - left.Seq; missed != commits {
		t.Fatalf("ada has missed %d commits, want %d", missed, commits)
	}

	again := deviceWith(t, g, "ada", keep)
	ada := again.Space("board", client.SpaceOptions{})
	if ada.Cursor() != left {
		t.Fatalf("ada comes back at %v, and had left at %v", ada.Cursor(), left)
	}
	settle(t, ctx, ada, ben)
	stats := again.Stats()
	if stats.Commits != commits || stats.Snapshots != 0 || stats.Repeats != 0 || stats.Gaps != 0 {
		t.Errorf("ada got %+v, want %d commits and nothing else", stats, commits)
	}
	if stats.BytesIn >= records*each {
		t.Errorf("ada was sent %d bytes; the records have %d", stats.BytesIn, records*each)
	}

	fresh := device(t, g.address, "cleo")
	cleo := fresh.Space("board", client.SpaceOptions{})
	settle(t, ctx, cleo, ben)
	if cleo.StateHash() != ada.StateHash() {
		t.Error("who followed the commits differs from who got a snapshot")
	}
	all := fresh.Stats()
	if all.Snapshots != 1 || all.BytesIn < records*each {
		t.Errorf("a new device got %+v, want a snapshot of at least %d bytes", all, records*each)
	}
	t.Logf("%d commits in %d bytes; everything is %d bytes", stats.Commits, stats.BytesIn, all.BytesIn)
}

// TestJoinBusySpace lets devices join, and come back to, a space that others
// never cease to edit. Every mutation counts in two records, which lie far apart
// in a snapshot: whoever sees them differ sees a state that never was.
func TestJoinBusySpace(t *testing.T) {
	const editors, joiners, notes = 3, 6, 300
	g := start(t, func(cfg *Config) { cfg.Schema = counting(t, "counts", "totals", "notes") })
	ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
	defer cancel()

	var clients []*client.Client
	var spaces []*client.Space
	var watching sync.WaitGroup
	// join opens a device that looks at every state it comes to.
	join := func(user string, store client.Store) (*client.Client, *client.Space) {
		c := deviceWith(t, g, user, func(o *client.Options) {
			o.Store = store
			o.Window = 64 << 10 // a snapshot takes several turns
			o.Dial = func(ctx context.Context) (client.Transport, error) {
				conn, err := dialSync(ctx, g)
				return slowTransport{conn}, err
			}
		})
		s := c.Space("board", client.SpaceOptions{})
		watching.Go(func() {
			for range s.Watch(ctx) {
				var ns []any
				for _, r := range s.Confirmed() { // of one moment
					if r.ID == "c" {
						ns = append(ns, r.Fields[0].Value)
					}
				}
				if len(ns) > 0 && (len(ns) != 2 || ns[0] != ns[1]) {
					t.Errorf("%s sees %v", user, ns)
				}
			}
		})
		return c, s
	}
	var counted, noted atomic.Int64
	count := func(s *client.Space) (*client.Write, error) {
		counted.Add(1)
		return s.Mutate(ctx, func(tx *client.Tx) error {
			tx.Edit("counts", "c").Add("n", 1)
			tx.Edit("totals", "c").Add("n", 1)
			return nil
		})
	}

	// The first ones come while there is nothing yet: they follow the log from its
	// beginning.
	for i := range editors {
		c, s := join(fmt.Sprintf("editor%d", i), client.MemoryStore())
		clients, spaces = append(clients, c), append(spaces, s)
	}
	awayStore := client.MemoryStore()
	away, awaySpace := join("away", awayStore)
	random := rand.New(rand.NewPCG(3, 4))
	w, err := spaces[0].Mutate(ctx, func(tx *client.Tx) error {
		tx.Create("counts", "c", map[string]any{"n": 0})
		tx.Create("totals", "c", map[string]any{"n": 0})
		return nil
	})
	applied(t, ctx, w, err)
	for from := 0; from < notes; from += 100 {
		w, err := spaces[0].Mutate(ctx, func(tx *client.Tx) error {
			for i := from; i < from+100; i++ {
				tx.Create("notes", fmt.Sprint(i), map[string]any{"text": text(random, 1000)})
			}
			return nil
		})
		applied(t, ctx, w, err)
	}
	for _, s := range append(slices.Clone(spaces[1:]), awaySpace) {
		settle(t, ctx, spaces[0], s)
	}
	if err := away.Close(); err != nil {
		t.Fatal(err)
	}

	stop := make(chan struct{})
	var editing sync.WaitGroup
	for _, s := range spaces {
		editing.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				w, err := count(s)
				if err == nil && n%10 == 0 {
					noted.Add(1)
					w, err = s.Collection("notes").Create(ctx, client.NewID(), map[string]any{"text": "made meanwhile"})
				}
				if err == nil && n%5 == 0 {
					_, err = w.Durable(ctx)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	finish := sync.OnceFunc(func() { close(stop); editing.Wait() })
	defer finish()

	for i := range joiners + 1 {
		user, store, snapshots := fmt.Sprintf("joiner%d", i), client.MemoryStore(), uint64(1)
		if i == joiners/2 {
			user, store, snapshots = "away", awayStore, 0
		}
		target := spaces[0].Cursor().Seq + 20 // what the others make while this one joins
		c, s := join(user, store)
		if err := s.WaitFor(ctx, target); err != nil {
			t.Fatalf("%s waits for commit %d: %v (%+v)", user, target, err, s.Status())
		}
		if got := c.Stats().Snapshots; got != snapshots {
			t.Errorf("%s got %d snapshots, want %d", user, got, snapshots)
		}
		for range 10 {
			w, err := count(s)
			made(t, w, err)
		}
		clients, spaces = append(clients, c), append(spaces, s)
	}
	finish()
	for _, s := range spaces {
		if err := s.Drained(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range spaces {
		settle(t, ctx, spaces[0], s)
	}
	for i, s := range spaces {
		settle(t, ctx, spaces[0], s)
		if s.StateHash() != spaces[0].StateHash() {
			t.Errorf("device %d differs from the first", i)
		}
		for _, collection := range []string{"counts", "totals"} {
			if got := s.Collection(collection).Get("c").Get("n"); got != counted.Load() {
				t.Errorf("device %d has counted %v in %s, want %d", i, got, collection, counted.Load())
			}
		}
		if got := len(s.Collection("notes").All()); got != notes+int(noted.Load()) {
			t.Errorf("device %d has %d notes, want %d", i, got, notes+int(noted.Load()))
		}
		if stats := clients[i].Stats(); stats.Gaps != 0 || stats.Connections != 1 {
			t.Errorf("device %d: %+v", i, stats)
		}
	}
	t.Logf("%d mutations in %d commits", counted.Load()+noted.Load(), spaces[0].Cursor().Seq)
	cancel()
	watching.Wait()
}

// TestBeyondTheHorizon brings a device back whose cursor the log has forgotten:
// its queue is kept and takes effect where that is still meant, and never
// revives what was deleted, even where nothing is left that says so.
func TestBeyondTheHorizon(t *testing.T) {
	store := new(space.Memory)
	key := space.Key{Tenant: "default", Space: "board"}
	version := func(of space.ItemKey) uint64 {
		return must(store.Get(context.Background(), key, []space.ItemKey{of}))[0].Version
	}
	var ahead atomic.Int64 // of the gateway's clock
	g := start(t, func(cfg *Config) { cfg.Store = store; cfg.Schema = counting(t, "counts") })
	g.manager = space.NewManager(store, space.Options{
		Config: space.Config{
			Schema: g.cfg.Schema, Exclusive: true, WatermarkEvery: 1,
			Expire: true, Limits: protocol.Limits{Horizon: 2 * time.Hour},
		},
		Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()

	adasLine := newLine(t, g.address)
	adas := device(t, adasLine.listener.Addr().String(), "ada")
	ada := adas.Space("board", client.SpaceOptions{})
	ben := device(t, g.address, "ben").Space("board", client.SpaceOptions{})
	here, there := ada.Collection("counts"), ben.Collection("counts")
	for _, id := range []string{"kept", "taken", "doomed"} {
		w, err := here.Create(ctx, id, map[string]any{"n": 0, "title": "first"})
		applied(t, ctx, w, err)
	}
	settle(t, ctx, ada, ben)
	adasLine.cut()
	for status := range adas.StatusChanges(ctx) {
		if status.State != client.Live {
			break
		}
	}
	left := ada.Cursor()
	for _, id := range []string{"kept", "taken", "doomed"} {
		w, err := here.Update(ctx, id, func(e *client.Edit) { e.Add("n", 1) })
		made(t, w, err)
		w, err = here.Update(ctx, id, func(e *client.Edit) { e.Set("title", "by ada") })
		made(t, w, err)
	}
	w, err := here.Create(ctx, "new", map[string]any{"n": 7})
	made(t, w, err)

	w, err = there.Delete(ctx, "doomed")
	applied(t, ctx, w, err)
	w, err = there.Update(ctx, "taken", func(e *client.Edit) { e.Set("title", "by ben") })
	last := applied(t, ctx, w, err)
	waitFor(t, "a checkpoint of all that", func() bool { return version(space.ItemKey{Kind: space.ItemWatermark}) >= last })
	waitFor(t, "the gateway to miss ada", func() bool { return g.manager.Spaces()[0].Attached == 1 })
	// The first commit after so long proves the head anew; the horizon is looked at
	// again, whatever happens, ten minutes later.
	ahead.Add(int64(3 * time.Hour))
	w, err = there.Update(ctx, "kept", func(e *client.Edit) { e.Add("n", 10) })
	applied(t, ctx, w, err)
	ahead.Add(int64(11 * time.Minute))
	settle(t, ctx, ben, device(t, g.address, "cleo").Space("board", client.SpaceOptions{}))
	device := ada.Device()
	waitFor(t, "the space to forget what was deleted, and ada", func() bool {
		return version(space.ItemKey{Kind: space.ItemRecord, A: "counts", B: "doomed"}) == 0 &&
			version(space.ItemKey{Kind: space.ItemDevice, A: string(device[:])}) == 0
	})
	if horizon := g.manager.Spaces()[0].Horizon; horizon <= left.Seq {
		t.Fatalf("the horizon is %d, and ada left at %d", horizon, left.Seq)
	}
	if n := len(ada.Pending()); n != 7 {
		t.Fatalf("ada has %d mutations to send, want 7", n)
	}

	before := adas.Stats().Snapshots
	adasLine.mend()
	settle(t, ctx, ada, ben)
	if stats := adas.Stats(); stats.Snapshots != before+1 || stats.Gaps != 0 {
		t.Errorf("ada got %+v, want one snapshot more than %d", stats, before)
	}
	if ada.StateHash() != ben.StateHash() {
		t.Errorf("the devices differ:\n%v\n%v", ada.Confirmed(), ben.Confirmed())
	}
	for id, want := range map[string]map[string]any{
		"kept":  {"n": int64(11), "title": "by ada"},
		"taken": {"n": int64(1), "title": "by ben"},
		"new":   {"n": int64(7)},
	} {
		record := there.Get(id)
		if record == nil {
			t.Errorf("%s is missing", id)
			continue
		}
		for field, value := range want {
			if got := record.Get(field); got != value {
				t.Errorf("%s.%s is %v, want %v", id, field, got, value)
			}
		}
	}
	if here.Get("doomed") != nil || there.Get("doomed") != nil {
		t.Error("a deleted record was revived")
	}
	kinds := map[protocol.OpKind]string{protocol.OpSet: "set", protocol.OpAdd: "add"}
	var kept []string
	for _, r := range ada.Rejected() {
		for _, op := range r.Ops() {
			kept = append(kept, fmt.Sprintf("%s %s %s", r.Verdict.Code, kinds[op.Kind], op.ID))
		}
	}
	slices.Sort(kept)
	want := []string{"missing add doomed", "stale set doomed", "stale set taken"}
	if !slices.Equal(kept, want) {
		t.Errorf("ada can still decide about %q, want %q", kept, want)
	}
}

// plainTransport is a WebSocket and nothing else.
type plainTransport struct{ conn *websocket.Conn }

func dialSync(ctx context.Context, g *running) (plainTransport, error) {
	conn, _, err := websocket.Dial(ctx, "ws://"+g.address+protocol.SyncPath,
		&websocket.DialOptions{Subprotocols: []string{protocol.Subprotocol}})
	if err != nil {
		return plainTransport{}, err
	}
	conn.SetReadLimit(-1)
	return plainTransport{conn}, nil
}

func (c plainTransport) Read(ctx context.Context) ([]byte, error) {
	_, message, err := c.conn.Read(ctx)
	return message, err
}

func (c plainTransport) Write(ctx context.Context, message []byte) error {
	return c.conn.Write(ctx, websocket.MessageBinary, message)
}

func (c plainTransport) Close(protocol.CloseCode, string) error { return c.conn.CloseNow() }

// slowTransport leaves time between messages: for the space to move on, and for
// whoever watches the device to look at each state it comes to.
type slowTransport struct{ plainTransport }

func (c slowTransport) Read(ctx context.Context) ([]byte, error) {
	time.Sleep(2 * time.Millisecond)
	return c.plainTransport.Read(ctx)
}

// lossy makes a device's connections, which lose every first acknowledgement of
// a mutation and break at random besides. It is safe for concurrent use.
type lossy struct {
	gateway *running // static

	mu sync.Mutex
	// All guarded by mu.
	random     *rand.Rand
	names      *protocol.NameTable
	judged     uint64 // the greatest counter whose verdict was lost
	lost, cuts int
	err        error // what could not be read
}

var errCut = errors.New("the connection is cut")

func (l *lossy) dial(ctx context.Context) (client.Transport, error) {
	conn, err := dialSync(ctx, l.gateway)
	return lossyTransport{conn, l}, err
}

// loses says whether a message from the gateway gets lost.
func (l *lossy) loses(message []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	frames, err := protocol.Decoder{
		Names: func(protocol.Handle) *protocol.NameTable { return l.names },
		Decompress: func(uint32, []byte) ([]byte, error) {
			return protocol.EncodeMessage(&protocol.Pong{})[1:], nil // verdicts are not compressed
		},
	}.Decode(message)
	if err != nil {
		l.err = err
	}
	lose := false
	for _, frame := range frames {
		verdicts, is := frame.(*protocol.Verdicts)
		if !is {
			continue
		}
		for _, v := range verdicts.List {
			if v.Counter > l.judged {
				l.judged, lose = v.Counter, true
			}
		}
	}
	if lose {
		l.lost++
	}
	return lose
}

// breaks says whether the connection breaks now.
func (l *lossy) breaks() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.random.IntN(30) > 0 {
		return false
	}
	l.cuts++
	return true
}

type lossyTransport struct {
	plainTransport
	by *lossy
}

func (c lossyTransport) Read(ctx context.Context) ([]byte, error) {
	message, err := c.plainTransport.Read(ctx)
	if err == nil && (c.by.loses(message) || c.by.breaks()) {
		c.conn.CloseNow()
		return nil, errCut
	}
	return message, err
}

// Write breaks before the message left, or after.
func (c lossyTransport) Write(ctx context.Context, message []byte) error {
	if c.by.breaks() {
		c.conn.CloseNow()
		return errCut
	}
	err := c.plainTransport.Write(ctx, message)
	if err == nil && c.by.breaks() {
		c.conn.CloseNow()
		return errCut
	}
	return err
}

// TestEveryAckLostOnce loses every acknowledgement once, with its connection, and
// cuts at random besides: everything counts once.
func TestEveryAckLostOnce(t *testing.T) {
	const devices, each = 3, 100
	g := start(t, func(cfg *Config) { cfg.Schema = counting(t, "counts") })
	ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
	defer cancel()
	var lines []*lossy
	var clients []*client.Client
	var spaces []*client.Space
	for i := range devices {
		l := &lossy{
			gateway: g, random: rand.New(rand.NewPCG(5, uint64(i))),
			names: protocol.NewNameTable(),
		}
		c := deviceWith(t, g, fmt.Sprintf("user%d", i), func(o *client.Options) { o.Dial = l.dial })
		lines, clients = append(lines, l), append(clients, c)
		spaces = append(spaces, c.Space("board", client.SpaceOptions{}))
	}
	w, err := spaces[0].Collection("counts").Create(ctx, "c", map[string]any{"n": 0})
	applied(t, ctx, w, err)
	for _, s := range spaces[1:] {
		settle(t, ctx, spaces[0], s)
	}
	var editing sync.WaitGroup
	for i, s := range spaces {
		editing.Go(func() {
			for n := range each {
				w, err := s.Collection("counts").Update(ctx, "c", func(e *client.Edit) {
					e.Add("n", 1)
					e.SetAdd("seen", fmt.Sprintf("%d of %d", n, i))
				})
				if err == nil && n%4 == 0 {
					_, err = w.Durable(ctx)
				}
				if err != nil {
					t.Errorf("mutation %d of device %d: %v", n, i, err)
					return
				}
			}
		})
	}
	editing.Wait()
	for _, s := range spaces {
		if err := s.Drained(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range spaces {
		settle(t, ctx, spaces[0], s)
	}
	for i, s := range spaces {
		settle(t, ctx, spaces[0], s)
		if s.StateHash() != spaces[0].StateHash() {
			t.Errorf("device %d differs from the first", i)
		}
		record := s.Collection("counts").Get("c")
		if got := record.Get("n"); got != int64(devices*each) {
			t.Errorf("device %d has counted %v, want %d", i, got, devices*each)
		}
		if got := len(record.Elements("seen")); got != devices*each {
			t.Errorf("device %d has seen %d edits, want %d", i, got, devices*each)
		}
		stats := clients[i].Stats()
		if stats.Gaps != 0 || len(s.Rejected()) != 0 {
			t.Errorf("device %d: %+v, %d rejected", i, stats, len(s.Rejected()))
		}
		l := lines[i]
		l.mu.Lock()
		if l.err != nil {
			t.Errorf("device %d was sent what cannot be decoded: %v", i, l.err)
		}
		if l.lost == 0 || l.cuts == 0 {
			t.Errorf("device %d lost %d acknowledgements and was cut %d times: the test proves nothing", i, l.lost, l.cuts)
		}
		t.Logf("device %d: %d acknowledgements lost, %d cuts, %d connections", i, l.lost, l.cuts, stats.Connections)
		l.mu.Unlock()
	}
}
