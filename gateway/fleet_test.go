package gateway

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/cluster"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// fleet is several gateways on one store.
type fleet struct {
	t        *testing.T
	store    *watchedStore
	gateways []*running
	// cut separates the last gateway from the bus, until heal is called. Three that
	// have a server each know one another too well for that.
	cut func() (heal func())
}

// startFleet starts n gateways with a bus of a kind. Two do not poll while the bus
// is up: each knows when it misses the other. Where one of three is cut off the
// others do not know what they miss: three poll, but so seldom that many edits
// pass in between.
func startFleet(t *testing.T, kind string, n int, change func(i int, cfg *Config)) *fleet {
	t.Helper()
	f := &fleet{t: t, store: &watchedStore{Store: new(space.Memory)}}
	quiet := time.Hour
	if n > 2 {
		quiet = 2 * time.Second
	}
	var exchange cluster.Exchange
	var first string
	for i := range n {
		name := fmt.Sprint("gateway ", i)
		var bus Bus
		switch kind {
		case "in process":
			node := exchange.Join()
			t.Cleanup(func() { node.Close() })
			f.cut = func() func() { node.Cut(true); return func() { node.Cut(false) } }
			bus = node
		case "embedded":
			opt := cluster.EmbedOptions{Name: name, Listen: "127.0.0.1:0", Secret: []byte(strings.Repeat("s", cluster.MinSecretBytes))}
			if i > 0 {
				between := newLine(t, first)
				opt.Peers = []string{between.listener.Addr().String()}
				f.cut = func() func() { between.cut(); return between.mend }
			}
			node, err := cluster.Embed(opt)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = node.Address().String()
			}
			t.Cleanup(func() { node.Close() })
			bus = node
		}
		f.gateways = append(f.gateways, start(t, func(cfg *Config) {
			cfg.Store, cfg.Exclusive, cfg.Bus, cfg.Name = f.store, false, bus, name
			cfg.tune = func(o *space.Options) {
				o.Config.PollQuiet = quiet
				o.Peers.(*peers).repeat = time.Hour // what arrives was told when it happened, or asked for
			}
			if change != nil {
				change(i, cfg)
			}
		}))
	}
	f.awaitBus(true)
	return f
}

// awaitBus waits until all gateways have told their spaces that the bus is up, or
// those that are cut off that it is not.
func (f *fleet) awaitBus(up bool) {
	f.t.Helper()
	gateways := f.gateways
	if !up && len(gateways) > 2 {
		gateways = gateways[len(gateways)-1:]
	}
	for _, g := range gateways {
		waitFor(f.t, fmt.Sprintf("%s to see that its bus is up: %v", g.cfg.Name, up), func() bool { return g.peers.up.Load() == up })
	}
}

// board opens a space on each gateway, by a device of its own.
func (f *fleet) board() (boards []*client.Space) {
	f.t.Helper()
	for i, g := range f.gateways {
		boards = append(boards, device(f.t, g.address, fmt.Sprint("user", i)).Space("board", client.SpaceOptions{Presence: true}))
	}
	return boards
}

// round lets each device make an edit that all others see before the next one is
// made, and returns how often the log was read meanwhile.
func (f *fleet) round(ctx context.Context, boards []*client.Space) int64 {
	f.t.Helper()
	before := f.store.reads.Load()
	for _, author := range boards {
		w, err := author.Collection("cards").Create(ctx, client.NewID(), map[string]any{"n": 1})
		seq := applied(f.t, ctx, w, err)
		for _, other := range boards {
			if err := other.WaitFor(ctx, seq); err != nil {
				f.t.Fatalf("waiting for commit %d: %v (%+v)", seq, err, other.Status())
			}
		}
	}
	return f.store.reads.Load() - before
}

// quiet plays rounds until one needs no read of the log.
func (f *fleet) quiet(ctx context.Context, boards []*client.Space) {
	f.t.Helper()
	waitFor(f.t, "a round without reading the log", func() bool { return f.round(ctx, boards) == 0 })
}

// same demands that all devices have the same state.
func (f *fleet) same(ctx context.Context, boards []*client.Space) {
	f.t.Helper()
	for range 2 { // the second time all stand where the last one stood
		for _, b := range boards[1:] {
			settle(f.t, ctx, boards[0], b)
		}
	}
	for i, b := range boards {
		if b.StateHash() != boards[0].StateHash() {
			f.t.Errorf("device %d differs from the first", i)
		}
	}
}

// eachFleet runs a test with each kind of bus.
func eachFleet(t *testing.T, test func(t *testing.T, kind string)) {
	for _, kind := range []string{"in process", "embedded"} {
		t.Run(kind, func(t *testing.T) { test(t, kind) })
	}
}

// TestFleet shows that devices on different gateways see each other's edits at
// once and without a read of the store; that they race without harm; and that
// without the bus they converge by polling.
func TestFleet(t *testing.T) {
	eachFleet(t, func(t *testing.T, kind string) {
		for _, n := range []int{2, 3} {
			t.Run(fmt.Sprint(n, " gateways"), func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
				defer cancel()
				f := startFleet(t, kind, n, func(_ int, cfg *Config) { cfg.Schema = counting(t, "counts", "cards") })
				boards := f.board()
				f.quiet(ctx, boards)

				const each = 60
				w, err := boards[0].Collection("counts").Create(ctx, "all", map[string]any{"n": 0})
				seq := applied(t, ctx, w, err)
				made := 0
				race := func() {
					for _, b := range boards {
						if err := b.WaitFor(ctx, seq); err != nil {
							t.Fatal(err)
						}
					}
					var racing sync.WaitGroup
					for _, b := range boards {
						racing.Go(func() {
							for range each {
								if _, err := b.Collection("counts").Update(ctx, "all", func(e *client.Edit) { e.Add("n", 1) }); err != nil {
									t.Error(err)
								}
							}
						})
					}
					racing.Wait()
					made += each * n
					f.same(ctx, boards)
					for i, b := range boards {
						if got := b.Collection("counts").Get("all").Get("n"); got != int64(made) {
							t.Errorf("device %d has counted %v, want %d", i, got, made)
						}
					}
				}
				race()

				if kind == "embedded" && n > 2 {
					return
				}
				heal := f.cut()
				f.awaitBus(false)
				reads := f.store.reads.Load()
				race()
				if f.store.reads.Load() == reads {
					t.Error("they converged without a bus and without reading the log")
				}
				heal()
				f.awaitBus(true)
				f.quiet(ctx, boards)
				race()
			})
		}
	})
}

// shows waits until a device sees so many others.
func shows(t *testing.T, s *client.Space, what string, values ...any) {
	t.Helper()
	waitFor(t, what, func() bool {
		left := map[protocol.Value]bool{}
		for _, v := range values {
			left[protocol.MustValue(v)] = true
		}
		present := s.Present()
		for _, who := range present {
			delete(left, who.Value)
		}
		return len(left) == 0 && len(present) == len(values)
	})
}

// TestFleetPresence lets devices on different gateways see who is there.
func TestFleetPresence(t *testing.T) {
	eachFleet(t, func(t *testing.T, kind string) {
		ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
		defer cancel()
		f := startFleet(t, kind, 3, nil)
		clients := []*client.Client{
			device(t, f.gateways[0].address, "ada"), device(t, f.gateways[1].address, "ben"), device(t, f.gateways[1].address, "cleo"),
		}
		var boards []*client.Space
		for _, c := range clients {
			boards = append(boards, c.Space("board", client.SpaceOptions{Presence: true}))
		}
		f.quiet(ctx, boards)
		for i, b := range boards {
			if err := b.SetPresence(i); err != nil {
				t.Fatal(err)
			}
		}
		shows(t, boards[0], "ada to see both", 1, 2)
		shows(t, boards[1], "ben to see both", 0, 2)
		if err := boards[0].SetPresence("moved"); err != nil {
			t.Fatal(err)
		}
		shows(t, boards[1], "ben to see ada move", "moved", 2)

		// Who comes on a gateway where nobody was is told at once: it asks.
		late := device(t, f.gateways[2].address, "dora").Space("board", client.SpaceOptions{Presence: true})
		shows(t, late, "dora to see all", "moved", 1, 2)

		if err := clients[2].Close(); err != nil {
			t.Fatal(err)
		}
		shows(t, boards[0], "ada to see cleo leave", 1)
		shows(t, late, "dora to see cleo leave", "moved", 1)

		// A gateway that dies says nothing: what it does not repeat is forgotten.
		f.cut()
		f.gateways[0].presence.expire(time.Now().Add(presenceWithin - time.Second))
		shows(t, boards[0], "ben to be there still", 1)
		f.gateways[0].presence.expire(time.Now().Add(presenceWithin))
		shows(t, boards[0], "ben to be forgotten")
	})
}

// TestHandOver lets two gateways write one space, one of them far from the store.
// It hands its devices' mutations to the other, and nothing is lost or doubled.
func TestHandOver(t *testing.T) {
	eachFleet(t, func(t *testing.T, kind string) {
		ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
		defer cancel()
		f := startFleet(t, kind, 2, func(i int, cfg *Config) {
			cfg.Schema = counting(t, "counts")
			cfg.Store = &watchedStore{Store: cfg.Store, far: time.Duration(1+80*i) * time.Millisecond}
		})
		boards := f.board()
		for range 3 { // the near one is never idle for as long as the far one's append takes
			boards = append(boards, device(t, f.gateways[0].address, "more").Space("board", client.SpaceOptions{}))
		}
		w, err := boards[0].Collection("counts").Create(ctx, "all", map[string]any{"n": 0})
		seq := applied(t, ctx, w, err)
		for _, b := range boards {
			if err := b.WaitFor(ctx, seq); err != nil {
				t.Fatal(err)
			}
		}
		stop := make(chan struct{})
		var writing sync.WaitGroup
		var made atomic.Int64
		for _, b := range boards {
			writing.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					w, err := b.Collection("counts").Update(ctx, "all", func(e *client.Edit) { e.Add("n", 1) })
					applied(t, ctx, w, err)
					made.Add(1)
				}
			})
		}
		finish := sync.OnceFunc(func() { close(stop); writing.Wait() })
		defer finish()
		waitFor(t, "mutations to be handed over and taken", func() bool {
			return metric(t, f.gateways[1], `tidegate_mutations_handed_over_total{direction="sent"}`) > 0 &&
				metric(t, f.gateways[0], `tidegate_mutations_handed_over_total{direction="taken"}`) > 0
		})
		finish()
		f.same(ctx, boards)
		if got := boards[1].Collection("counts").Get("all").Get("n"); got != made.Load() {
			t.Errorf("counted %v, want %d", got, made.Load())
		}
		for name, least := range map[string]float64{
			`tidegate_bus_sent_total{kind="commit"}`: 3, `tidegate_bus_received_total{kind="pushes"}`: 1,
			`tidegate_commits_heard_total`: 0, `tidegate_bus_connected`: 1, `tidegate_store_calls_total{op="append",result="ok"}`: 3,
		} {
			if got := metric(t, f.gateways[0], name); got < least {
				t.Errorf("%s is %v, want %v at least", name, got, least)
			}
		}
	})
}

// metric reads one series of a gateway's metrics; 0 if there is none.
func metric(t *testing.T, g *running, name string) (value float64) {
	t.Helper()
	_, body := get(t, g, "/metrics")
	for line := range strings.Lines(body) {
		if text, found := strings.CutPrefix(line, name+" "); found {
			if _, err := fmt.Sscan(text, &value); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
	}
	return value
}
