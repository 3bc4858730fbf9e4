package space

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

var errClosed = protocol.Errorf(protocol.CodeUnavailable, "the space is closed here; connect again")

// errTooLate answers a request that was not sent.
var errTooLate = errors.New("the request was held up for too long to be sent")

// Space is an open space: one goroutine, run, owns its Core; each call to the
// store runs in a goroutine of its own. Others talk to run by posting functions.
type Space struct {
	// Static after start.
	key     Key
	store   Store
	opt     *Options
	manager *Manager
	log     *slog.Logger
	ring    *Ring
	signal  chan struct{} // has room for one: inbox is not empty
	done    chan struct{} // closed when run has ended
	ctx     context.Context
	cancel  context.CancelFunc // ends calls to the store
	calls   sync.WaitGroup

	// Owned by run.
	core  *Core
	sinks map[SessionID]*Attachment
	clock clock
	idle  time.Time // since when nobody is attached; zero if somebody is

	mu      sync.Mutex
	inbox   []func(*Core, protocol.Time) // guarded by mu
	ended   bool                         // guarded by mu: nothing is taken any more
	horizon uint64                       // guarded by mu; a copy of the core's

	attached int // guarded by manager.mu
}

// start opens a space, once the one before it under the same key, if any, has
// ended.
func (m *Manager) start(key Key, before *Space) *Space {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Space{
		key:     key,
		store:   m.store,
		opt:     &m.opt,
		manager: m,
		log:     m.opt.Log.With("tenant", key.Tenant, "space", key.Space),
		ring:    NewRing(m.opt.RingBytes, m.opt.Compress),
		signal:  make(chan struct{}, 1),
		done:    make(chan struct{}),
		ctx:     ctx,
		cancel:  cancel,
		core:    NewCore(key, m.opt.Config),
		sinks:   make(map[SessionID]*Attachment),
		clock:   clock{now: m.opt.Now},
	}
	go s.run(before)
	return s
}

// post has run call a function with the core; false if the space has ended.
func (s *Space) post(f func(*Core, protocol.Time)) bool {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return false
	}
	s.inbox = append(s.inbox, f)
	s.mu.Unlock()
	select {
	case s.signal <- struct{}{}:
	default: // run will see it with what is there already
	}
	return true
}

// enter calls a function in run and waits for it.
func (s *Space) enter(f func(*Core)) error {
	called := make(chan struct{})
	if !s.post(func(c *Core, _ protocol.Time) {
		defer close(called)
		f(c)
	}) {
		return errClosed
	}
	select {
	case <-called:
		return nil
	case <-s.done:
	}
	select {
	case <-called:
		return nil
	default:
		return errClosed
	}
}

// run owns the core.
func (s *Space) run(before *Space) {
	defer close(s.done)
	defer s.manager.ended(s)
	defer s.calls.Wait()
	defer s.cancel()
	if before != nil {
		<-before.done
	}
	if h := s.opt.Hooks.Opened; h != nil {
		h(s.key)
	}
	if h := s.opt.Hooks.Closed; h != nil {
		defer h(s.key)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.signal:
		case <-timer.C:
		case <-s.ctx.Done():
			s.end()
			return
		}
		s.mu.Lock()
		inbox := s.inbox
		s.inbox = nil
		s.mu.Unlock()
		now := s.clock.read()
		for _, f := range inbox {
			f(s.core, now)
		}
		s.core.Tick(now)
		ready := s.core.Ready()
		s.do(&ready)
		if ready.Closed {
			s.end()
			return
		}
		s.closeIfIdle(now)
		timer.Reset(s.untilNext(now, ready.Wake))
	}
}

// do does what the core asks for, in the order that Ready prescribes.
func (s *Space) do(ready *Ready) {
	for _, req := range ready.Requests {
		s.calls.Add(1)
		go s.call(req)
	}
	s.ring.Take(ready)
	if ready.Start != nil || len(ready.Published) > 0 {
		head := s.core.Head()
		for _, a := range s.sinks {
			a.moved(head)
		}
	}
	s.tellPeers(ready)
	for _, r := range ready.Replies {
		if a := s.sinks[r.Session]; a != nil {
			a.tell(r.Body)
			if _, lost := r.Body.(Lost); lost {
				s.forget(a)
			}
		}
	}
	for i := range ready.Events {
		s.report(&ready.Events[i])
	}
	s.mu.Lock()
	s.horizon = s.core.Horizon()
	s.mu.Unlock()
}

// tellPeers tells the other gateways.
func (s *Space) tellPeers(ready *Ready) {
	peers := s.opt.Peers
	if peers == nil {
		return
	}
	for i := range ready.Published {
		if p := &ready.Published[i]; p.Own {
			peers.Committed(s.key, LogItem{Seq: p.Cursor.Seq, Data: p.Data})
		}
	}
	if ready.Announce > 0 {
		peers.Announce(s.key, ready.Announce)
	}
	for _, h := range ready.HandOver {
		peers.HandOver(s.key, h.Gateway, h.Pushes)
	}
}

// call makes one request of the core.
func (s *Space) call(req Request) {
	defer s.calls.Done()
	// Whoever has waited until it is too late is not sent at all.
	left := time.Duration(int64(req.NotAfter)-s.opt.Now().UnixMilli()) * time.Millisecond
	ctx, cancel := context.WithTimeout(s.ctx, left)
	resp := s.passed(ctx, req.Op, func() Response {
		if s.opt.Now().UnixMilli() > int64(req.NotAfter) {
			return Response{Err: errTooLate}
		}
		return s.request(s.ctx, req.Op)
	})
	cancel()
	resp.ID = req.ID
	s.post(func(c *Core, now protocol.Time) { c.Respond(now, resp) })
}

// passed makes a call once the gate lets it, if that is before the context ends.
func (s *Space) passed(ctx context.Context, op RequestOp, call func() Response) Response {
	if _, isAppend := op.(AppendOp); !isAppend {
		if err := s.manager.gate.enter(ctx, s.key); err != nil {
			return Response{Err: err}
		}
		defer s.manager.gate.leave()
	}
	return call()
}

// read makes a call for a reader.
func (s *Space) read(ctx context.Context, op RequestOp) Response {
	return s.passed(ctx, op, func() Response { return s.request(ctx, op) })
}

// request makes a call to the store.
func (s *Space) request(ctx context.Context, op RequestOp) (resp Response) {
	ctx, cancel := context.WithTimeout(ctx, s.opt.StoreTimeout)
	defer cancel()
	began := time.Now()
	var name string
	switch op := op.(type) {
	case AppendOp:
		name = "append"
		resp.Err = s.store.Append(ctx, s.key, op.Seq, op.Data)
		if errors.Is(resp.Err, context.DeadlineExceeded) || errors.Is(resp.Err, context.Canceled) {
			// A store that gave up waiting does not know, whatever it says.
			resp.Err = fmt.Errorf("%w: %w", ErrUnknown, resp.Err)
		}
	case LogOp:
		name = "log"
		resp.Log, resp.Err = s.store.Log(ctx, s.key, op.From, op.MaxBytes)
	case PutOp:
		name = "put"
		resp.Err = s.store.Put(ctx, s.key, op.Items)
	case GetOp:
		name = "get"
		resp.Items, resp.Err = s.store.Get(ctx, s.key, op.Keys)
	case ScanOp:
		name = "scan"
		resp.Items, resp.Err = s.store.Scan(ctx, s.key, op.After, op.MaxBytes)
	case TrimOp:
		name = "trim"
		resp.Err = s.store.Trim(ctx, s.key, op.Below, op.Drop)
	}
	if h := s.opt.Hooks.Store; h != nil {
		h(name, time.Since(began), resp.Err)
	}
	return resp
}

// closeIfIdle begins to close a space that nobody has been attached to for a
// while.
func (s *Space) closeIfIdle(now protocol.Time) {
	if s.core.Attached() > 0 {
		s.idle = time.Time{}
		return
	}
	if s.idle.IsZero() {
		s.idle = time.Now()
	}
	if time.Since(s.idle) >= s.opt.IdleAfter && s.manager.retire(s) {
		s.core.Close(now)
		s.signalSelf()
	}
}

func (s *Space) signalSelf() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// untilNext is how long run may sleep.
func (s *Space) untilNext(now, wake protocol.Time) time.Duration {
	sleep := time.Hour
	if wake > 0 {
		sleep = min(sleep, time.Duration(max(wake-now, 0))*time.Millisecond)
	}
	if !s.idle.IsZero() {
		sleep = min(sleep, max(s.opt.IdleAfter-time.Since(s.idle), time.Millisecond))
	}
	return sleep
}

// end refuses what is posted from now on, and loses who is still attached.
func (s *Space) end() {
	s.mu.Lock()
	s.ended = true
	s.inbox = nil
	s.mu.Unlock()
	for _, a := range s.sinks {
		a.tell(Lost{errClosed})
		s.forget(a)
	}
}

// forget drops an attachment that has ended.
func (s *Space) forget(a *Attachment) {
	delete(s.sinks, a.session)
	s.manager.left(a)
}

// report passes an event on to metrics and the log.
func (s *Space) report(e *Event) {
	if h := s.opt.Hooks.Event; h != nil {
		h(s.key, *e)
	}
	switch e.Kind {
	case EventOpened:
		s.log.Debug("space opened", "head", e.Seq, "folded", e.N)
	case EventDamaged:
		s.log.Error("space is damaged and read-only", "head", e.Seq, "err", e.Err)
	case EventForeign:
		s.log.Warn("somebody else changed an image in the store", "head", e.Seq, "err", e.Err)
	case EventHole:
		s.log.Warn("log was trimmed past head; beginning again from the images", "head", e.Seq, "first", e.N)
	case EventUnknown:
		s.log.Warn("outcome of an append is unknown", "seq", e.Seq, "attempt", e.N, "err", e.Err)
	case EventRetry:
		s.log.Warn("call to the store failed; repeating it", "attempt", e.N, "err", e.Err)
	case EventTrimmed:
		s.log.Info("horizon raised", "horizon", e.N)
	}
}

// clock reads the time so that it never goes back, and goes on as fast as the
// monotonic clock where that keeps running. Where it does not, in a machine that
// was suspended, the wall clock catches up.
type clock struct {
	now  func() time.Time
	last time.Time
	at   protocol.Time
}

func (k *clock) read() protocol.Time {
	now := k.now()
	at := protocol.Time(now.UnixMilli())
	if !k.last.IsZero() {
		at = max(at, k.at+protocol.Time(now.Sub(k.last)/time.Millisecond), k.at)
	}
	// Rounding must not lose time: the monotonic part is measured from the last
	// reading that moved.
	if at > k.at || k.last.IsZero() {
		k.last, k.at = now, at
	}
	return k.at
}
