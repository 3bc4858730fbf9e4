package session

import (
	"math"
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// pushes are the pushes of one subscription that have no answer yet. Answers go
// out in the order of the pushes, whatever order the space gives them in: so the
// peer knows what an answer is about, and counts the window as we do.
type pushes struct {
	// open are all of them, in the order in which they came.
	open []*pushed
	// waiting are those that came before the space was attached.
	waiting []*pushed
	// offered is the id of the last push that was handed on.
	offered uint64
	// counter and hash are where the device stands, as far as is known.
	counter uint64
	hash    protocol.Hash
}

// pushed is a push without its answer. It remembers sizes alone: the bodies are
// the space's once it has them.
type pushed struct {
	// id is the push's number under its handle; 0 until it is handed on.
	id    uint64
	first uint64
	// sizes are the bodies' lengths; settled where there was a verdict.
	sizes []int
	left  int
	// frame is what came, until it is handed on.
	frame *protocol.Push
	// refusal is what the push is answered with if it was not taken: kept until its
	// turn.
	refusal protocol.Frame
}

// settled marks a mutation that has its verdict.
const settled = -1

// rest is what a push still takes of the window.
func (p *pushed) rest() (bytes, count int) {
	for _, size := range p.sizes {
		if size != settled {
			bytes += size
		}
	}
	return bytes, p.left
}

// answer is an answer to a push, or to a part of one, that waits for the socket.
// Until it is handed to it, the mutations that it answers stay in the window.
type answer struct {
	frame        protocol.Frame
	bytes, count int
}

func (s *Session) push(f *protocol.Push) *protocol.Error {
	sub, err := s.find(f.Handle)
	if sub == nil {
		return err
	}
	n := len(f.Bodies)
	switch {
	case n == 0:
		return protocol.Errorf(protocol.CodeMalformed, "the push holds no mutation")
	case f.First == 0:
		return protocol.Errorf(protocol.CodeMalformed, "counters begin at 1")
	case f.First > math.MaxInt64:
		return protocol.Errorf(protocol.CodeMalformed, "counter %d is beyond 2^63", f.First)
	}
	p := &pushed{first: f.First, sizes: make([]int, n), left: n, frame: f}
	large, bytes := -1, 0
	for i, body := range f.Bodies {
		p.sizes[i] = len(body)
		bytes += len(body)
		if large < 0 && len(body) > s.cfg.Limits.MutationBytes {
			large = i
		}
	}
	if err := s.charge(bytes, n); err != nil {
		return err
	}
	sub.open = append(sub.open, p)
	switch {
	case large >= 0:
		s.refuse(sub, p, f.First+uint64(large), protocol.Errorf(protocol.CodeMutationLarge,
			"the mutation has %d bytes, at most %d are allowed", p.sizes[large], s.cfg.Limits.MutationBytes))
	case s.leave.draining:
		s.refuse(sub, p, f.First, goingAway())
	case sub.stage == attaching:
		sub.waiting = append(sub.waiting, p)
	default:
		s.offer(sub, p)
	}
	return nil
}

// offer hands a push on to its space, if its author may write there now.
func (s *Session) offer(sub *subscription, p *pushed) {
	err := s.allowed(sub.space, true)
	if err == nil && !sub.write {
		err = protocol.Errorf(protocol.CodeForbidden, "the token did not allow writing when the space was subscribed to: subscribe again")
	}
	if err != nil {
		s.refuse(sub, p, p.first, err)
		return
	}
	sub.offered++
	p.id = sub.offered
	s.out.Push = append(s.out.Push, Push{
		Handle:   sub.handle,
		ID:       p.id,
		First:    p.first,
		Previous: p.frame.Previous,
		Bodies:   p.frame.Bodies,
	})
	p.frame = nil
}

// refuse answers a push with an error. Nothing of it was taken.
func (s *Session) refuse(sub *subscription, p *pushed, counter uint64, why *protocol.Error) {
	p.refusal = &protocol.ErrorFrame{Code: why.Code, Message: why.Message, Handle: sub.handle, Counter: counter}
	s.turn(sub)
}

// replay answers a push that did not continue what the device has committed.
// What of it has no verdict was not taken.
func (s *Session) replay(sub *subscription, p *pushed, v protocol.Verdicts) {
	v.Handle, v.Replay, v.List = sub.handle, true, nil
	p.refusal = &v
	s.turn(sub)
}

// turn answers the refused pushes whose turn it is.
func (s *Session) turn(sub *subscription) {
	for len(sub.open) > 0 && sub.open[0].refusal != nil {
		p := sub.open[0]
		sub.open = sub.open[1:]
		if v, ok := p.refusal.(*protocol.Verdicts); ok && v.Counter < sub.counter {
			// It has waited while the device went on.
			v.Counter, v.Hash = sub.counter, sub.hash
		}
		bytes, count := p.rest()
		s.queue(sub, answer{frame: p.refusal, bytes: bytes, count: count})
	}
	s.settle(sub)
}

// queue puts an answer into the verdict lane.
func (s *Session) queue(sub *subscription, a answer) {
	if s.cfg.Faults.DropVerdicts && s.lanes.writing {
		s.discharge(a.bytes, a.count)
		return
	}
	if v, ok := a.frame.(*protocol.Verdicts); ok && !v.Replay && len(sub.answers) > 0 {
		last := &sub.answers[len(sub.answers)-1]
		if w, ok := last.frame.(*protocol.Verdicts); ok && !w.Replay {
			w.Counter, w.Hash = v.Counter, v.Hash
			w.List = append(w.List, v.List...)
			last.bytes += a.bytes
			last.count += a.count
			return
		}
	}
	sub.answers = append(sub.answers, a)
}

// verdicts takes what became of mutations. Verdicts of what is not open are
// dropped: the bound on what may wait is that everything was pushed first.
func (s *Session) verdicts(in Verdicts) {
	sub := s.lookup(in.Handle)
	if sub == nil {
		return
	}
	if in.Verdicts.Replay {
		if p := sub.find(in.Push); p != nil {
			s.replay(sub, p, in.Verdicts)
		}
		return
	}
	v := in.Verdicts
	v.Handle, v.List = sub.handle, nil
	if v.Counter > sub.counter {
		sub.counter, sub.hash = v.Counter, v.Hash
	}
	bytes := 0
	for _, verdict := range in.Verdicts.List {
		if size, ok := sub.settle(verdict.Counter); ok {
			bytes += size
			v.List = append(v.List, verdict)
		}
	}
	if len(v.List) > 0 {
		s.queue(sub, answer{frame: &v, bytes: bytes, count: len(v.List)})
	}
	s.turn(sub)
}

func (s *Session) pushRefused(in PushRefused) {
	sub := s.lookup(in.Handle)
	if sub == nil {
		return
	}
	p := sub.find(in.Push)
	if p == nil {
		return
	}
	counter := in.Counter
	if counter == 0 {
		counter = p.first
	}
	s.refuse(sub, p, counter, spaceError(in.Err))
}

// find returns the open push with an id, if it was not refused yet. Part of it may
// have verdicts: another gateway may have committed the beginning of it, from
// another copy of the device, before the rest turned out not to follow.
func (p *pushes) find(id uint64) *pushed {
	for _, o := range p.open {
		if id != 0 && o.id == id && o.refusal == nil {
			return o
		}
	}
	return nil
}

// settle marks a mutation as answered and returns its size; false if none with
// this counter is open. The first push that holds it is the one that was taken:
// had it not been, its refusal would have come before.
func (p *pushes) settle(counter uint64) (size int, ok bool) {
	for i, o := range p.open {
		if o.id == 0 || o.refusal != nil || counter < o.first || counter-o.first >= uint64(len(o.sizes)) || o.sizes[counter-o.first] == settled {
			continue
		}
		size = o.sizes[counter-o.first]
		o.sizes[counter-o.first] = settled
		if o.left--; o.left == 0 {
			p.open = slices.Delete(p.open, i, i+1)
		}
		return size, true
	}
	return 0, false
}
