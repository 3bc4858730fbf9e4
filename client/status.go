package client

import (
	"context"
	"iter"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// State says how a client stands to its gateway.
type State uint8

const (
	// Offline: there is no connection; another is tried when its time has come.
	Offline State = iota
	// Connecting: a connection is being made or greeted.
	Connecting
	// Live: the gateway has welcomed the client.
	Live
	// Stopped: the gateway refused the client in a way that trying again would not
	// mend, or the client was closed or its store failed. LastError says why.
	// Reading and, unless the store failed, mutating go on working.
	Stopped
)

// String returns the state's name.
func (s State) String() string {
	return [...]string{"offline", "connecting", "live", "stopped"}[s]
}

// Status is a client's condition, for an app's status line.
type Status struct {
	State State
	// Pending is the number of mutations without a verdict, in all spaces; Sent of
	// these went out on this connection.
	Pending, Sent int
	// Rejected and Conflicts are the lengths of the lists that wait for the user,
	// in all spaces. Conflicts counts the settled ones.
	Rejected, Conflicts int
	// LastError is why the last connection ended or a space cannot be synced; nil
	// after a connection was made.
	LastError error
	// RetryAt is when a connection is tried next; zero unless offline.
	RetryAt time.Time
	// User is who the token says we are; empty before the first connection.
	User string
	// Clock is by how much the gateway's clock is ahead of ours, as far as known.
	Clock time.Duration
}

// SpaceState says how a space stands to the gateway.
type SpaceState uint8

const (
	// SpaceOffline: there is no subscription.
	SpaceOffline SpaceState = iota
	// SpaceSubscribing: asked for.
	SpaceSubscribing
	// SpaceCatchingUp: the gateway is sending what was missed.
	SpaceCatchingUp
	// SpaceLive: the cursor has reached the head that the gateway named.
	SpaceLive
	// SpaceParked: the gateway refused the space (SpaceStatus.Err says why). The
	// queue is kept; the next connection tries again.
	SpaceParked
)

// String returns the state's name.
func (s SpaceState) String() string {
	return [...]string{"offline", "subscribing", "catching-up", "live", "parked"}[s]
}

// SpaceStatus is a space's condition.
type SpaceStatus struct {
	State SpaceState
	// Err is why the space is parked or was refused last; nil if it is in sync.
	Err error
	// Writable is false if the token allows reading only. Mutations are kept.
	Writable bool
	// Pending is the number of mutations without a verdict.
	Pending int
	// Cursor is what the space has confirmed; Head the newest commit that the
	// gateway has named. Their distance is the lag.
	Cursor protocol.Cursor
	Head   uint64
	// SchemaVersion is the schema the gateway merges under; 0 if none or unknown.
	SchemaVersion uint32
}

// Stats count what a client did since Open.
type Stats struct {
	// Connections that were welcomed.
	Connections uint64
	// MessagesIn, BytesIn, MessagesOut and BytesOut count WebSocket messages and
	// their payloads.
	MessagesIn, BytesIn, MessagesOut, BytesOut uint64
	// Commits and Snapshots that were applied; Repeats are deliveries of commits
	// that were there already and were skipped; Gaps are deliveries that did not
	// continue the cursor and ended the connection.
	Commits, Snapshots, Repeats, Gaps uint64
}

// Status returns the client's condition now.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.statusLocked()
}

func (c *Client) statusLocked() Status {
	status := c.core.Status()
	if c.failed != nil {
		status.State, status.LastError = Stopped, c.failed
	}
	return status
}

// StatusChanges yields the client's condition, first as it is and then after
// every change, until ctx is done or the client is closed. A slow reader gets
// the latest one and misses those between.
func (c *Client) StatusChanges(ctx context.Context) iter.Seq[Status] {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := newWatcher(func(_, latest Status) Status { return latest })
	w.add(c.statusLocked())
	if c.failed == nil {
		c.statuses[w] = struct{}{}
	} else {
		w.end()
	}
	return w.each(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.statuses, w)
	})
}

// Stats returns what the client counted.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := c.core.Stats()
	stats.MessagesIn, stats.BytesIn = c.stats.MessagesIn, c.stats.BytesIn
	stats.MessagesOut, stats.BytesOut = c.stats.MessagesOut, c.stats.BytesOut
	return stats
}
