package space

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// Options say how a Manager runs its spaces.
type Options struct {
	// Config is that of every space. NewCommitID may be nil: then ids are drawn from
	// crypto/rand.
	Config Config
	// RingBytes bounds the ring of encoded commits of each space (1 MiB).
	RingBytes int
	// Compress returns a FrameCompressed frame that holds the frames, if that is
	// smaller; nil to deliver plain frames only. It must be safe for concurrent use.
	Compress func(frames []byte) ([]byte, bool)
	// IdleAfter is how long a space stays open with nobody attached (30 s).
	IdleAfter time.Duration
	// StoreTimeout bounds each call to the store (5 s).
	StoreTimeout time.Duration
	// StoreCalls is how many calls to the store may be under way at once, appends
	// apart; more wait, and spaces take turns (64).
	StoreCalls int
	// Now is the clock; nil for time.Now.
	Now func() time.Time
	// Log is where spaces log; nil for nowhere.
	Log *slog.Logger
	// Hooks are called with what happens, for metrics.
	Hooks Hooks
	// Peers are the other gateways; nil for none that could be told anything.
	Peers Peers
}

// Peers tells the other gateways what happens here. Its methods are called from
// spaces' goroutines and must return at once; what they send may be lost. What the
// others tell comes in through [Manager.Offer], [Manager.Hint] and [Manager.Take].
type Peers interface {
	// Committed tells all of a commit that is durable.
	Committed(Key, LogItem)
	// Announce tells all how far the log is known to reach.
	Announce(key Key, seq uint64)
	// HandOver sends mutations to one of them, by the name in its commits.
	HandOver(key Key, gateway string, pushes *protocol.PeerPushes)
}

// Hooks are called from spaces' goroutines and must return at once. Each may be
// nil.
type Hooks struct {
	// Event is called with each Event of a space's Core.
	Event func(Key, Event)
	// Store is called after each call to the store: "append", "log", "put", "get",
	// "scan" or "trim".
	Store func(op string, took time.Duration, err error)
	// Opened and Closed are called when a space is opened and closed.
	Opened, Closed func(Key)
}

// Manager opens the spaces of a store as devices attach to them. It is safe for
// concurrent use.
type Manager struct {
	// Static after NewManager.
	store Store
	opt   Options
	gate  *gate

	mu     sync.Mutex
	spaces map[Key]*Space // guarded by mu: those that can be attached to
	// running holds all that have not ended; ending the one that was retired last
	// under a key. Both guarded by mu.
	running  map[*Space]bool
	ending   map[Key]*Space
	sessions SessionID // guarded by mu: the last one
	closed   bool      // guarded by mu
	bus      bool      // guarded by mu: what SetBus was told last
}

// NewManager returns a manager of the store's spaces. The store stays the
// caller's, and must outlive the manager.
func NewManager(store Store, opt Options) *Manager {
	if opt.Config.NewCommitID == nil {
		opt.Config.NewCommitID = func() (id protocol.CommitID) {
			_, _ = rand.Read(id[:]) // never fails
			return id
		}
	}
	opt.RingBytes = cmp.Or(max(opt.RingBytes, 0), 1<<20)
	opt.IdleAfter = cmp.Or(max(opt.IdleAfter, 0), 30*time.Second)
	opt.StoreTimeout = cmp.Or(max(opt.StoreTimeout, 0), 5*time.Second)
	opt.StoreCalls = cmp.Or(max(opt.StoreCalls, 0), 64)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	return &Manager{
		store:   store,
		opt:     opt,
		gate:    newGate(opt.StoreCalls),
		spaces:  make(map[Key]*Space),
		running: make(map[*Space]bool),
		ending:  make(map[Key]*Space),
	}
}

// Attach attaches a device to a space, opening it if need be. It returns at once;
// the sink is told Attached, or Lost. a.Session is chosen by the manager. The
// error is CodeUnavailable, after Close.
func (m *Manager) Attach(key Key, a Attach, sink Sink) (*Attachment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errClosed
	}
	s := m.spaces[key]
	if s == nil {
		s = m.start(key, m.ending[key])
		if m.bus {
			s.post(func(c *Core, now protocol.Time) { c.Bus(now, true) })
		}
		m.spaces[key] = s
		m.running[s] = true
	}
	m.sessions++
	a.Session = m.sessions
	s.attached++
	at := &Attachment{space: s, session: a.Session, sink: sink}
	s.post(func(c *Core, now protocol.Time) {
		s.sinks[a.Session] = at
		c.Attach(now, a)
	})
	return at, nil
}

// Offer is [Core.Offer]: another gateway says that a commit is durable. Like Hint
// and Take it returns at once, and does nothing unless the space is open here.
func (m *Manager) Offer(key Key, item LogItem) {
	m.post(key, func(c *Core, now protocol.Time) { c.Offer(now, item) })
}

// Hint is [Core.Hint]: another gateway has announced its head.
func (m *Manager) Hint(key Key, seq uint64) {
	m.post(key, func(c *Core, now protocol.Time) { c.Hint(now, seq) })
}

// Take is [Core.Take]: another gateway hands mutations over.
func (m *Manager) Take(key Key, pushes *protocol.PeerPushes) {
	m.post(key, func(c *Core, now protocol.Time) { c.Take(now, pushes) })
}

// SetBus is [Core.Bus] for all spaces: whether other gateways can be heard. At
// first they cannot.
func (m *Manager) SetBus(up bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bus = up
	for s := range m.running {
		s.post(func(c *Core, now protocol.Time) { c.Bus(now, up) })
	}
}

// post posts to a space if it is open.
func (m *Manager) post(key Key, f func(*Core, protocol.Time)) {
	m.mu.Lock()
	s := m.spaces[key]
	m.mu.Unlock()
	if s != nil {
		s.post(f)
	}
}

// left notes that an attachment has ended.
func (m *Manager) left(a *Attachment) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !a.left {
		a.left = true
		a.space.attached--
	}
}

// retire takes a space out of those that can be attached to, unless somebody is
// about to.
func (m *Manager) retire(s *Space) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.attached > 0 || m.spaces[s.key] != s {
		return false
	}
	m.retireLocked(s)
	return true
}

func (m *Manager) retireLocked(s *Space) {
	delete(m.spaces, s.key)
	m.ending[s.key] = s
}

// ended is called by a space as the last thing it does.
func (m *Manager) ended(s *Space) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.running, s)
	if m.ending[s.key] == s {
		delete(m.ending, s.key)
	}
}

// Close closes all spaces: what is in flight is resolved and everything is
// checkpointed, as far as ctx allows. Attached sinks are told Lost. It returns
// ctx's error if that cut it short; then opening has the more to fold, and nothing
// is lost.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	var all []*Space
	for s := range m.running {
		all = append(all, s)
	}
	for _, s := range m.spaces {
		m.retireLocked(s)
	}
	m.mu.Unlock()
	for _, s := range all {
		s.post(func(c *Core, now protocol.Time) { c.Close(now) })
	}
	var cut error
	for _, s := range all {
		select {
		case <-s.done:
			continue
		case <-ctx.Done():
			cut = ctx.Err()
		}
		for _, s := range all {
			s.cancel()
		}
		<-s.done
	}
	return cut
}

// SpaceStatus is what a Manager knows of an open space, for the operator.
type SpaceStatus struct {
	Key      Key
	Head     protocol.Cursor
	Horizon  uint64
	Attached int
}

// Spaces lists the open spaces, ordered by key.
func (m *Manager) Spaces() []SpaceStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]SpaceStatus, 0, len(m.spaces))
	for key, s := range m.spaces {
		s.mu.Lock()
		horizon := s.horizon
		s.mu.Unlock()
		list = append(list, SpaceStatus{Key: key, Head: s.ring.Head(), Horizon: horizon, Attached: s.attached})
	}
	slices.SortFunc(list, func(a, b SpaceStatus) int {
		return cmp.Or(cmp.Compare(a.Key.Tenant, b.Key.Tenant), cmp.Compare(a.Key.Space, b.Key.Space))
	})
	return list
}
