package client

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// Config says how a core behaves. It is copied and never changed.
type Config struct {
	// Seed is where new device ids and the jitter of reconnecting come from. It
	// must be fresh for every core and is never stored.
	Seed [32]byte
	// Window is how many bytes of deliveries the server may send ahead (1 MiB).
	Window uint64
	// Client names the library in the server's logs.
	Client string
	// SchemaVersion is the version of the schema the app was built for; 0 for none.
	SchemaVersion uint32
	// Compression says what Decompress can unpack, best first. Nil takes plain
	// messages only. Decompress is a function of its arguments alone and bounds what
	// it returns.
	Compression []string
	Decompress  func(dictionary uint32, data []byte) ([]byte, error)
	// Backoff bounds the wait between attempts to connect.
	Backoff Backoff
	// Faults plants bugs, for tests only.
	Faults Faults
}

// Core is a client without its shell: it decides everything and does nothing.
// It is a deterministic function of its configuration and its inputs. It is not
// safe for concurrent use.
//
// Life: NewCore; Load for each stored entry; Start; then any input in any order.
// After each input the owner takes Ready and does what it says.
type Core struct {
	cfg    Config
	random *rand.ChaCha8
	now    protocol.Time
	device protocol.DeviceID // the client's primary id, as in Hello
	isNew  bool              // the primary id is not stored yet
	drawn  bool              // the primary id was drawn by this process
	refs   uint64            // the last ref given to a mutation

	// spaces by name, and in the order of their names.
	spaces map[string]*space
	sorted []*space

	link  link
	disk  disk
	stats Stats

	out           Ready
	statusChanged bool
}

// Ready is what is to be done now. Whatever depends on something durable (a push,
// an acknowledged cursor, EventLocal) is not in it before Persisted has said that
// it is: everything in a Ready may be done at once, in any order among its
// fields.
type Ready struct {
	// Persist is to be written; then call Persisted with its token. There is one
	// batch in flight at most: the next comes after Persisted. Nil for none.
	Persist *Batch
	// Send are messages for the connection, in order. They belong to the connection
	// that was up when Ready was taken; drop them if it has ended.
	Send [][]byte
	// Connect asks for a token and a connection; then call Connected or
	// ConnectFailed. FreshToken says that the token used last is not accepted any
	// more.
	Connect, FreshToken bool
	// RefreshToken asks for a fresh token for the live connection; then call
	// TokenRefreshed.
	RefreshToken bool
	// Close asks to close the connection with the code. The core has already
	// forgotten it: give it no more of its messages, and do not call Disconnected.
	Close *protocol.Error
	// Events are for the app, in order.
	Events []Event
	// Wake is when Tick is to be called at the latest; 0 for never.
	Wake protocol.Time
}

// EventKind says what an Event tells.
type EventKind uint8

const (
	// EventLocal: the mutation Ref is durable on disk.
	EventLocal EventKind = iota + 1
	// EventSettled: the mutation Ref has the verdict Verdict.
	EventSettled
	// EventChanged: Changes happened in Space.
	EventChanged
	// EventFetched: Blob has the value Value, absent if there is no such (any more).
	EventFetched
	// EventStatus: Core.Status changed.
	EventStatus
)

// Event is something the app may want to know.
type Event struct {
	Kind    EventKind
	Space   string
	Ref     uint64
	Verdict protocol.Verdict
	Changes Changes
	Blob    protocol.BlobID
	Value   protocol.Value
}

// NewCore returns a core that remembers nothing.
func NewCore(cfg Config) *Core {
	if cfg.Window == 0 {
		cfg.Window = 1 << 20
	}
	if cfg.Backoff.Min <= 0 {
		cfg.Backoff.Min = 250 * time.Millisecond
	}
	if cfg.Backoff.Max <= 0 {
		cfg.Backoff.Max = 30 * time.Second
	}
	cfg.Backoff.Max = max(cfg.Backoff.Max, cfg.Backoff.Min)
	return &Core{
		cfg:    cfg,
		random: rand.NewChaCha8(cfg.Seed),
		spaces: map[string]*space{},
	}
}

// Start begins to connect. Spaces that were left with mutations in their queue
// are synced whether they are opened or not, so that every queue drains. The
// error wraps ErrStoreCorrupt: what was loaded does not fit together.
func (c *Core) Start(now protocol.Time) error {
	c.tick(now)
	if c.device.IsZero() {
		c.device, c.isNew, c.drawn = c.newDevice(), true, true
	}
	for _, s := range c.sorted {
		s.settleIn(c)
		if err := s.restore(); err != nil {
			return err
		}
		s.open = len(s.queue) > 0
	}
	c.link.phase = linkWaiting
	c.link.retryAt = max(c.now, 1)
	c.advance()
	return nil
}

// Open begins to sync a space. Opening it again changes nothing.
func (c *Core) Open(now protocol.Time, name string, options SpaceOptions) {
	c.tick(now)
	s := c.space(name)
	if s.opened {
		return
	}
	s.open, s.opened = true, true
	s.priority, s.wantsPresence = options.Priority, options.Presence
	s.setFilter(c, options.Collections)
	if s.subscription != subscriptionNone {
		// It was subscribed for its queue's sake, with the options of the last run.
		c.resubscribe(s)
	}
	c.advance()
}

// Tick says that time has passed; see Ready.Wake.
func (c *Core) Tick(now protocol.Time) {
	c.tick(now)
	c.advance()
}

// Ready returns what is to be done now and forgets it.
func (c *Core) Ready() Ready {
	c.advance()
	out := c.out
	c.out = Ready{}
	out.Persist = c.cut()
	for _, s := range c.sorted {
		if s.news.any() {
			out.Events = append(out.Events, Event{Kind: EventChanged, Space: s.name, Changes: s.takeNews()})
		}
	}
	if c.statusChanged {
		c.statusChanged = false
		out.Events = append(out.Events, Event{Kind: EventStatus})
	}
	out.Wake = c.wakeAt()
	return out
}

// tick moves the clock. It never goes back: a clock that was set back costs a
// longer wait, nothing else.
func (c *Core) tick(now protocol.Time) { c.now = max(c.now, now) }

// advance does what has become possible: timers that ran out, pushes that became
// durable or found room, acknowledgements that are due.
func (c *Core) advance() {
	c.runLink()
	for _, s := range c.sorted {
		c.runSubscription(s)
	}
	c.push()
	c.acknowledge()
}

// wakeAt returns when the next timer runs out.
func (c *Core) wakeAt() protocol.Time {
	var at protocol.Time
	sooner := func(t protocol.Time) {
		if t != 0 && (at == 0 || t < at) {
			at = t
		}
	}
	sooner(c.linkWake())
	sooner(c.acknowledgeWake())
	if c.link.phase == linkLive {
		for _, s := range c.sorted {
			sooner(s.retryAt)
		}
	}
	return at
}

// space returns the space with the name, new if it is not known.
func (c *Core) space(name string) *space {
	if s := c.spaces[name]; s != nil {
		return s
	}
	s := newSpace(name)
	c.spaces[name] = s
	at, _ := slices.BinarySearchFunc(c.sorted, name, func(s *space, name string) int { return strings.Compare(s.name, name) })
	c.sorted = slices.Insert(c.sorted, at, s)
	return s
}

func (c *Core) newDevice() protocol.DeviceID {
	var random [16]byte
	c.random.Read(random[:]) // never fails
	return uuidV7(c.now, random)
}

// send adds a message for the connection.
func (c *Core) send(frames ...protocol.Frame) {
	c.out.Send = append(c.out.Send, protocol.EncodeMessage(frames...))
}

func (c *Core) event(e Event) { c.out.Events = append(c.out.Events, e) }

// space is what a client knows of a space.
type space struct {
	name string

	// Durable, except for the caches that are made from it.
	device        protocol.DeviceID // zero until the first mutation or subscription
	cursor        protocol.Cursor
	schemaVersion uint32
	filter        []string // collections that are synced, in order; empty for all
	names         *protocol.NameTable
	records       map[Key]*merge.Record // confirmed; living ones only
	chain                               // queue.go
	rejected      []*rejectedEntry      // oldest first
	conflicts     []protocol.Conflict   // settled, not dismissed, oldest first

	// The view: confirmed records with pending ops on top (view.go).
	overlay map[Key]*merge.Record
	touched map[Key][]*pending

	// Volatile: what the app asked for.
	open, opened  bool
	priority      uint8
	wantsPresence bool
	presence      protocol.Value
	present       map[protocol.DeviceID]protocol.DevicePresence

	subscriptionState // subscribe.go
	unsaved           // persist.go
	news              news
}

// news is what changed in a space since the last Ready.
type news struct {
	keys                                   map[Key]struct{}
	rejected, conflicts, presence, status_ bool
}

func newSpace(name string) *space {
	names := protocol.NewNameTable()
	unsaved := newUnsaved()
	unsaved.namesSaved = encodeNames(names)
	return &space{
		name:    name,
		names:   names,
		records: map[Key]*merge.Record{},
		overlay: map[Key]*merge.Record{},
		touched: map[Key][]*pending{},
		present: map[protocol.DeviceID]protocol.DevicePresence{},
		unsaved: unsaved,
		news:    news{keys: map[Key]struct{}{}},
	}
}

func (n *news) any() bool {
	return len(n.keys) > 0 || n.rejected || n.conflicts || n.presence || n.status_
}

func (s *space) takeNews() Changes {
	changes := Changes{Rejected: s.news.rejected, Conflicts: s.news.conflicts, Presence: s.news.presence, Status: s.news.status_}
	for key := range s.news.keys {
		changes.Keys = append(changes.Keys, key)
	}
	slices.SortFunc(changes.Keys, Key.Compare)
	s.news = news{keys: map[Key]struct{}{}}
	return changes
}

// changed notes that the space's status is another.
func (c *Core) changed(s *space) {
	s.news.status_ = true
	c.statusChanged = true
}

var errUnknownSpace = fmt.Errorf("the space is not open")
