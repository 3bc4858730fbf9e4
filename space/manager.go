package space

import (
	"context"
	"log/slog"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// Options say how a Manager runs its spaces.
type Options struct {
	// Config is that of every space.
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
	// Now is the clock; nil for time.Now.
	Now func() time.Time
	// Log is where spaces log; nil for nowhere.
	Log *slog.Logger
	// Hooks are called with what happens, for metrics.
	Hooks Hooks
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
type Manager struct{}

// NewManager returns a manager of the store's spaces. The store stays the
// caller's, and must outlive the manager.
func NewManager(store Store, opt Options) *Manager { return &Manager{} }

// Attach attaches a device to a space, opening it if need be. It returns at once;
// the sink is told Attached, or Lost. a.Session is chosen by the manager.
func (m *Manager) Attach(key Key, a Attach, sink Sink) (*Attachment, error) { return nil, nil }

// Close closes all spaces: what is in flight is resolved and everything is
// checkpointed, as far as ctx allows. Attached sinks are told Lost.
func (m *Manager) Close(ctx context.Context) error { return nil }

// SpaceStatus is what a Manager knows of an open space, for the operator.
type SpaceStatus struct {
	Key      Key
	Head     protocol.Cursor
	Horizon  uint64
	Attached int
}

// Spaces lists the open spaces.
func (m *Manager) Spaces() []SpaceStatus { return nil }
