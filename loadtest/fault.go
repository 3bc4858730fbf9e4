package loadtest

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy is a TCP proxy that breaks what passes through it: every connection is
// cut, with a reset, after a random time, wherever in a message it then is. It
// is safe for concurrent use.
type proxy struct {
	// static after newProxy
	target   string
	listener net.Listener
	mean     time.Duration

	cuts atomic.Int64

	// wait counts the goroutines of the proxy.
	wait sync.WaitGroup

	// guarded by mu
	mu     sync.Mutex
	random *rand.Rand
	open   map[net.Conn]struct{}
	closed bool
	// blocked counts who keeps the proxy shut: while it is not 0, everything that
	// is open or comes is reset.
	blocked int
}

// newProxy listens on a free port of the loopback and passes connections on to
// target. A connection lives for an exponentially distributed time of the given
// mean; 0 cuts nothing.
func newProxy(target string, seed uint64, mean time.Duration) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{
		target:   target,
		listener: l,
		mean:     mean,
		random:   rand.New(rand.NewPCG(seed, 0x70726f7879)),
		open:     map[net.Conn]struct{}{},
	}
	p.wait.Go(p.accept)
	return p, nil
}

// address is where the proxy listens.
func (p *proxy) address() string { return p.listener.Addr().String() }

// close cuts everything and returns when the last goroutine has ended.
func (p *proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.listener.Close()
	for c := range p.open {
		reset(c)
	}
	p.mu.Unlock()
	p.wait.Wait()
}

// block shuts the proxy until the returned function is called.
func (p *proxy) block() (unblock func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocked++
	p.cuts.Add(1)
	for c := range p.open {
		reset(c)
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.blocked--
	}
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of descriptors, most likely: those in use will come back.
			time.Sleep(10 * time.Millisecond)
			continue
		}
		p.wait.Go(func() { p.pass(c) })
	}
}

// pass copies between one connection and the target until either ends, or its
// time is over.
func (p *proxy) pass(near net.Conn) {
	defer reset(near)
	far, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer reset(far)
	life, ok := p.admit(near, far)
	if !ok {
		return
	}
	defer p.forget(near, far)
	if life > 0 {
		timer := time.AfterFunc(life, func() {
			p.cuts.Add(1)
			reset(near)
			reset(far)
		})
		defer timer.Stop()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(far, near)
		far.Close()
		near.Close()
	}()
	_, _ = io.Copy(near, far)
	far.Close()
	near.Close()
	<-done
}

// admit draws how long a connection may live.
func (p *proxy) admit(conns ...net.Conn) (life time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.blocked > 0 {
		return 0, false
	}
	for _, c := range conns {
		p.open[c] = struct{}{}
	}
	if p.mean == 0 {
		return 0, true
	}
	return time.Duration(p.random.ExpFloat64()*float64(p.mean)) + time.Millisecond, true
}

func (p *proxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.open, c)
	}
}

// reset closes a connection so that the peer sees an error, not an end, and that
// nothing on its way is delivered.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	c.Close()
}
