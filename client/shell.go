package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// The shell: what the core asks for, done. Four goroutines live as long as the
// client:
//
//	keepTime     calls Tick when Ready.Wake has come
//	keepStore    writes batches, one at a time
//	keepConnected  fetches tokens, dials, and reads the connection until it ends
//	keepToken    fetches a fresh token for the live connection
//
// and one more, writing, as long as each connection. The core is only ever
// touched under mu, and nothing blocks while mu is held.

// socket is a connection. Its queue is bounded by the windows of both sides and
// is guarded by the client's mu.
type socket struct {
	transport Transport
	queue     [][]byte
	signal    chan struct{} // cap 1: the queue has something
	done      chan struct{} // closed when the connection has ended
}

func (c *Client) start(ctx context.Context) {
	for _, run := range []func(context.Context){c.keepTime, c.keepStore, c.keepConnected, c.keepToken} {
		c.running.Go(func() { run(ctx) })
	}
}

// stop ends the client because of err; the first one counts.
func (c *Client) stop(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopLocked(err)
}

func (c *Client) stopLocked(err error) {
	if c.failed != nil {
		return
	}
	c.failed = err
	if !errors.Is(err, ErrClosed) {
		c.logger.Error("client stopped", "error", err)
	}
	c.cancel()
	c.dropSocketLocked(0, "closing")
	for ref, w := range c.waits {
		delete(c.waits, ref)
		w.err = err
		close(w.done)
	}
	for w := range c.statuses {
		w.add(c.statusLocked())
		w.end()
	}
	for _, s := range c.spaces {
		for w := range s.watchers {
			w.end()
		}
	}
}

// pumpLocked does what the core asks for. Nothing in it blocks: each channel has
// room, because the core asks for one of a kind at a time.
func (c *Client) pumpLocked() {
	if c.failed != nil {
		return
	}
	ready := c.core.Ready()
	if ready.Persist != nil {
		c.persist <- *ready.Persist
	}
	if ready.Close != nil {
		code, ok := ready.Close.Code.Close()
		if !ok {
			code, _ = protocol.CodeInternal.Close()
		}
		c.logger.Warn("connection dropped", "error", ready.Close)
		c.dropSocketLocked(code, ready.Close.Message)
	}
	if s := c.socket; s != nil && len(ready.Send) > 0 {
		s.queue = append(s.queue, ready.Send...)
		signal(s.signal)
	}
	if ready.Connect {
		c.dial <- ready.FreshToken
	}
	if ready.RefreshToken {
		signal(c.refresh)
	}
	for _, e := range ready.Events {
		c.tellLocked(e)
	}
	if ready.Wake != c.wakeAt {
		c.wakeAt = ready.Wake
		signal(c.wake)
	}
}

// signal wakes the reader of a channel with room for one, unless that is already
// being done.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (c *Client) tellLocked(e Event) {
	switch e.Kind {
	case EventLocal:
		if w := c.waits[e.Ref]; w != nil {
			close(w.local)
		}
	case EventSettled:
		if w := c.waits[e.Ref]; w != nil {
			delete(c.waits, e.Ref)
			w.verdict, w.err = e.Verdict, rejection(e.Verdict)
			close(w.done)
		}
	case EventChanged:
		if s := c.spaces[e.Space]; s != nil {
			for w := range s.watchers {
				w.add(e.Changes)
			}
		}
	case EventFetched:
		for _, ch := range c.fetches[e.Blob] {
			ch <- e.Value
		}
		delete(c.fetches, e.Blob)
	case EventStatus:
		for w := range c.statuses {
			w.add(c.statusLocked())
		}
	}
}

// keepTime runs the core's timer.
func (c *Client) keepTime(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		c.mu.Lock()
		at := c.wakeAt
		c.mu.Unlock()
		if at == 0 {
			timer.Stop()
		} else {
			timer.Reset(max(between(c.now(), at), 0))
		}
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-timer.C:
			c.mu.Lock()
			c.core.Tick(c.now())
			c.pumpLocked()
			c.mu.Unlock()
		}
	}
}

// keepStore writes the core's batches. After Close, a batch that was handed over
// is still written: who waits for it may as well have it.
func (c *Client) keepStore(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			select {
			case batch := <-c.persist:
				c.options.Store.Write(batch) // nobody is told any more
			default:
			}
			return
		case batch := <-c.persist:
			err := c.options.Store.Write(batch)
			if err != nil {
				c.stop(fmt.Errorf("%w: %w", ErrStore, err))
				return
			}
			c.mu.Lock()
			c.core.Persisted(c.now(), batch.Token)
			c.pumpLocked()
			c.mu.Unlock()
		}
	}
}

// keepConnected makes the connections that the core asks for.
func (c *Client) keepConnected(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.dial:
			c.connect(ctx)
		}
	}
}

// dialWithin bounds an attempt to connect, the token's fetch included.
const dialWithin = 30 * time.Second

// connect makes one connection and serves it until it ends.
func (c *Client) connect(ctx context.Context) {
	s, err := c.open(ctx)
	if err != nil {
		c.logger.Info("no connection", "error", err)
		c.mu.Lock()
		c.core.ConnectFailed(c.now(), err)
		c.pumpLocked()
		c.mu.Unlock()
		return
	}
	writing, cancel := context.WithCancel(ctx)
	c.running.Go(func() { c.write(writing, s) })
	c.read(ctx, s)
	cancel()
	s.transport.Close(0, "")
}

func (c *Client) open(ctx context.Context) (*socket, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	token, err := c.token(ctx)
	if err != nil {
		return nil, err
	}
	transport, err := c.options.Dial(ctx)
	if err != nil {
		return nil, err
	}
	s := &socket{transport: transport, signal: make(chan struct{}, 1), done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		transport.Close(0, "")
		return nil, c.failed
	}
	c.socket = s
	c.core.Connected(c.now(), token)
	c.pumpLocked()
	return s, nil
}

func (c *Client) token(ctx context.Context) (string, error) {
	if c.options.Token == nil {
		return "", nil
	}
	token, err := c.options.Token(ctx)
	if err != nil {
		return "", fmt.Errorf("no access token: %w", err)
	}
	return token, nil
}

// read takes messages until the connection ends.
func (c *Client) read(ctx context.Context, s *socket) {
	for {
		message, err := s.transport.Read(ctx)
		c.mu.Lock()
		if c.socket != s { // dropped by us
			c.mu.Unlock()
			return
		}
		if err != nil {
			c.disconnectedLocked(s, err)
			c.mu.Unlock()
			return
		}
		c.stats.MessagesIn++
		c.stats.BytesIn += uint64(len(message))
		c.core.Message(c.now(), message)
		c.pumpLocked()
		c.mu.Unlock()
	}
}

// write sends what is queued, in order.
func (c *Client) write(ctx context.Context, s *socket) {
	for {
		select {
		case <-s.done:
			return
		case <-s.signal:
		}
		for {
			c.mu.Lock()
			if c.socket != s || len(s.queue) == 0 {
				c.mu.Unlock()
				break
			}
			message := s.queue[0]
			s.queue = s.queue[1:]
			c.stats.MessagesOut++
			c.stats.BytesOut += uint64(len(message))
			c.mu.Unlock()
			if err := s.transport.Write(ctx, message); err != nil {
				// The reader finds out why: a close code it may have is worth more.
				s.transport.Close(0, "")
				return
			}
		}
	}
}

// forgetSocketLocked ends what belongs to the connection.
func (c *Client) forgetSocketLocked(s *socket) {
	c.socket = nil
	close(s.done)
	for blob, waiting := range c.fetches {
		delete(c.fetches, blob)
		for _, ch := range waiting {
			close(ch)
		}
	}
}

func (c *Client) disconnectedLocked(s *socket, err error) {
	c.forgetSocketLocked(s)
	var closed *CloseError
	code := protocol.CloseCode(0)
	if errors.As(err, &closed) {
		code = closed.Code
	}
	if c.failed == nil {
		c.logger.Info("connection ended", "error", err)
		c.core.Disconnected(c.now(), code, err)
		c.pumpLocked()
	}
}

// dropSocketLocked closes the connection, if there is one. The reader notices.
func (c *Client) dropSocketLocked(code protocol.CloseCode, reason string) {
	s := c.socket
	if s == nil {
		return
	}
	c.forgetSocketLocked(s)
	// Closing must not wait for a peer that has stopped reading.
	c.running.Go(func() { s.transport.Close(code, reason) })
}

// keepToken fetches fresh tokens for the live connection.
func (c *Client) keepToken(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.refresh:
		}
		within, cancel := context.WithTimeout(ctx, dialWithin)
		token, err := c.token(within)
		cancel()
		c.mu.Lock()
		if c.failed == nil {
			c.core.TokenRefreshed(c.now(), token, err)
			c.pumpLocked()
		}
		c.mu.Unlock()
	}
}

// fetch asks the gateway for an overwritten value, again on each connection until
// there is an answer.
func (s *Space) fetch(ctx context.Context, blob protocol.BlobID) (protocol.Value, error) {
	c := s.client
	for {
		answer := make(chan protocol.Value, 1)
		asked := false
		err := s.wait(ctx, func(core *Core) bool {
			if !asked && c.failed == nil && core.Fetch(c.now(), s.name, blob) {
				asked = true
				c.fetches[blob] = append(c.fetches[blob], answer)
				c.pumpLocked()
			}
			return asked
		})
		if err != nil {
			return protocol.Value{}, err
		}
		select {
		case v, ok := <-answer:
			switch {
			case !ok:
				continue // the connection ended
			case v.IsAbsent():
				return v, errors.New("the overwritten value is not kept any more")
			}
			return v, nil
		case <-ctx.Done():
			return protocol.Value{}, ctx.Err()
		}
	}
}
