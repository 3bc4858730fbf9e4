package cluster

import "sync"

const (
	// queueMessages and queueBytes bound what waits in one queue. A commit has a few
	// kilobytes, so the first is what a healthy bus might meet.
	queueMessages = 4096
	queueBytes    = 16 << 20
)

// message is one message on its way.
type message struct {
	subject string
	data    []byte
}

// queue is a bounded queue with one taker. It is safe for concurrent use.
type queue struct {
	ready chan struct{} // has something in it when the queue has, or is closed

	mu sync.Mutex
	// All guarded by mu.
	waiting []message
	bytes   int
	closed  bool
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

// put adds a message; false if there is no room for it, or no taker any more.
func (q *queue) put(m message) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.waiting) >= queueMessages || q.bytes+len(m.data) > queueBytes {
		return false
	}
	q.waiting = append(q.waiting, m)
	q.bytes += len(m.data)
	q.wakeLocked()
	return true
}

func (q *queue) wakeLocked() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take waits for messages and returns all there are; false once the queue is
// closed and empty.
func (q *queue) take() ([]message, bool) {
	for {
		q.mu.Lock()
		taken, closed := q.waiting, q.closed
		q.waiting, q.bytes = nil, 0
		q.mu.Unlock()
		if len(taken) > 0 || closed {
			return taken, len(taken) > 0
		}
		<-q.ready
	}
}

// close ends the queue: what is in it can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wakeLocked()
}
