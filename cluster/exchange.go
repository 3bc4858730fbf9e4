package cluster

import (
	"sync"
	"sync/atomic"
)

// Exchange is a bus within one process, for tests and for programs that hold
// several gateways. The zero Exchange is ready to use, and safe for concurrent
// use.
type Exchange struct {
	mu    sync.RWMutex
	nodes map[*Node]bool // guarded by mu; false for one that is cut off
}

// Join adds a gateway.
func (e *Exchange) Join() *Node {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := &Node{exchange: e, subscriptions: map[string]map[*subscription]struct{}{}}
	if e.nodes == nil {
		e.nodes = map[*Node]bool{}
	}
	e.nodes[n] = true
	return n
}

// Node is one gateway's end of an Exchange. It implements Bus.
type Node struct {
	exchange *Exchange // static
	dropped  atomic.Uint64
	running  sync.WaitGroup // one for each subscription

	mu sync.Mutex
	// Both guarded by mu.
	subscriptions map[string]map[*subscription]struct{}
	closed        bool
}

var _ Bus = (*Node)(nil)

// subscription is a queue with a goroutine that calls receive.
type subscription struct {
	*queue
	ended atomic.Bool
}

// Cut separates the gateway from the others, or joins it to them again.
func (n *Node) Cut(cut bool) {
	n.exchange.mu.Lock()
	defer n.exchange.mu.Unlock()
	if _, joined := n.exchange.nodes[n]; joined {
		n.exchange.nodes[n] = !cut
	}
}

// Publish implements Bus.
func (n *Node) Publish(subject string, data []byte) {
	if checkSubject(subject) != nil || len(data) > MaxMessage {
		n.dropped.Add(1)
		return
	}
	n.exchange.mu.RLock()
	defer n.exchange.mu.RUnlock()
	if !n.exchange.nodes[n] {
		n.dropped.Add(1)
		return
	}
	for other, plugged := range n.exchange.nodes {
		if plugged && other != n {
			other.deliver(message{subject, data})
		}
	}
}

// deliver puts a message into the queues of the subject's subscriptions. Each
// gets a copy: what it receives is its own.
func (n *Node) deliver(m message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s := range n.subscriptions[m.subject] {
		if !s.put(message{m.subject, append([]byte(nil), m.data...)}) {
			n.dropped.Add(1)
		}
	}
}

// Subscribe implements Bus.
func (n *Node) Subscribe(subject string, receive func(data []byte)) (cancel func(), err error) {
	if err := checkSubject(subject); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, ErrClosed
	}
	s := &subscription{queue: newQueue()}
	if n.subscriptions[subject] == nil {
		n.subscriptions[subject] = map[*subscription]struct{}{}
	}
	n.subscriptions[subject][s] = struct{}{}
	n.running.Go(func() {
		for {
			taken, more := s.take()
			if !more {
				return
			}
			for _, m := range taken {
				if s.ended.Load() {
					return
				}
				receive(m.data)
			}
		}
	})
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.subscriptions[subject], s)
		if len(n.subscriptions[subject]) == 0 {
			delete(n.subscriptions, subject)
		}
		s.end()
	}, nil
}

// end ends a subscription, whatever is still queued.
func (s *subscription) end() {
	s.ended.Store(true)
	s.close()
}

// Connected implements Bus: it is not cut off, nor are all others.
func (n *Node) Connected() bool {
	n.exchange.mu.RLock()
	defer n.exchange.mu.RUnlock()
	for other, plugged := range n.exchange.nodes {
		if plugged && other != n {
			return n.exchange.nodes[n]
		}
	}
	return n.exchange.nodes[n] && len(n.exchange.nodes) == 1
}

// Lost counts messages that were not sent, or not received in time.
func (n *Node) Lost() uint64 { return n.dropped.Load() }

// Close implements Bus.
func (n *Node) Close() error {
	n.exchange.mu.Lock()
	delete(n.exchange.nodes, n)
	n.exchange.mu.Unlock()
	n.mu.Lock()
	n.closed = true
	for _, subscriptions := range n.subscriptions {
		for s := range subscriptions {
			s.end()
		}
	}
	clear(n.subscriptions)
	n.mu.Unlock()
	n.running.Wait()
	return nil
}
