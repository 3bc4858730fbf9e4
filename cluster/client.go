package cluster

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// closeWithin bounds each step of an orderly end.
	closeWithin = time.Second
	// pingEvery and pingsMissed find a connection that is dead without having said
	// so: a peer that is paused, a cable that is cut.
	pingEvery   = 5 * time.Second
	pingsMissed = 2
	// reconnectEvery is how often a lost NATS server is tried again, with as much
	// again at random.
	reconnectEvery = 250 * time.Millisecond
)

// client publishes and subscribes through a connection to a NATS server. It is
// safe for concurrent use.
type client struct {
	// Static.
	conn    *nats.Conn
	prefix  string // of all subjects
	out     *queue
	sent    chan struct{} // closed when everything queued was sent and nothing comes any more
	dropped atomic.Uint64 // besides what subscriptions have dropped

	mu sync.Mutex
	// Both guarded by mu.
	subscriptions map[*nats.Subscription]struct{}
	closed        bool
	calls         sync.WaitGroup // calls of receive; grows under mu, while not closed
}

// clientOptions are what every connection wants.
func clientOptions(name string, log *slog.Logger) []nats.Option {
	return []nats.Option{
		nats.Name(name),
		nats.NoEcho(),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(reconnectEvery),
		nats.ReconnectJitter(reconnectEvery, reconnectEvery),
		// What was said while nobody listened is old news by the time that somebody does.
		nats.ReconnectBufSize(-1),
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(pingsMissed),
		nats.FlusherTimeout(pingEvery),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			if s != nil && errors.Is(err, nats.ErrSlowConsumer) {
				log.Warn("messages of other gateways come faster than they are taken; some are lost", "subject", s.Subject)
				return
			}
			log.Warn("bus", "error", err)
		}),
	}
}

func newClient(conn *nats.Conn, fleet string) *client {
	c := &client{
		conn:          conn,
		prefix:        escape(fleet) + ".",
		out:           newQueue(),
		sent:          make(chan struct{}),
		subscriptions: map[*nats.Subscription]struct{}{},
	}
	go c.send()
	return c
}

// send hands what is published to the connection, which may make it wait.
func (c *client) send() {
	defer close(c.sent)
	for {
		taken, more := c.out.take()
		if !more {
			return
		}
		for _, m := range taken {
			if err := c.conn.Publish(c.prefix+escape(m.subject), m.data); err != nil {
				c.dropped.Add(1) // not connected, or larger than this server takes
			}
		}
	}
}

// Publish implements Bus.
func (c *client) Publish(subject string, data []byte) {
	if checkSubject(subject) != nil || len(data) > MaxMessage || !c.conn.IsConnected() || !c.out.put(message{subject, data}) {
		c.dropped.Add(1)
	}
}

// Subscribe implements Bus.
func (c *client) Subscribe(subject string, receive func(data []byte)) (cancel func(), err error) {
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	var cancelled atomic.Bool
	s, err := c.conn.Subscribe(c.prefix+escape(subject), func(m *nats.Msg) {
		if cancelled.Load() || !c.enter() {
			return
		}
		defer c.calls.Done()
		receive(m.Data)
	})
	if err != nil {
		return nil, err
	}
	_ = s.SetPendingLimits(queueMessages, queueBytes) // fails only for a subscription that has ended
	c.subscriptions[s] = struct{}{}
	return func() {
		cancelled.Store(true)
		c.mu.Lock()
		defer c.mu.Unlock()
		if _, known := c.subscriptions[s]; known {
			delete(c.subscriptions, s)
			c.dropped.Add(droppedBy(s))
			_ = s.Unsubscribe() // fails only on a connection that has ended
		}
	}, nil
}

// enter begins a call of receive; false after Close.
func (c *client) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.calls.Add(1)
	}
	return !c.closed
}

// Lost counts messages that were not sent, or not received in time.
func (c *client) Lost() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	lost := c.dropped.Load()
	for s := range c.subscriptions {
		lost += droppedBy(s)
	}
	return lost
}

func droppedBy(s *nats.Subscription) uint64 {
	n, err := s.Dropped()
	if err != nil {
		return 0
	}
	return uint64(n)
}

// close ends the connection, after what is queued was sent, if that is quick;
// false if it was ended before.
func (c *client) close() bool {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return false
	}
	c.closed = true
	c.mu.Unlock()
	c.out.close()
	select {
	case <-c.sent:
		if c.conn.IsConnected() {
			_ = c.conn.FlushTimeout(closeWithin) // as far as that is quick
		}
	case <-time.After(closeWithin):
	}
	c.conn.Close()
	<-c.sent
	c.calls.Wait()
	return true
}
