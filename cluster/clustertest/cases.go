package clustertest

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tidegate/tidegate/cluster"
)

func (s *suite) others() {
	all := s.fleetOf(3)
	var ears []*ear
	for _, bus := range all {
		ears = append(ears, s.listen(bus, "news"))
	}
	for i, from := range all {
		for j, e := range ears {
			if i != j {
				s.until(e, from, "news", fmt.Sprint("from ", i))
			}
		}
	}
	// By now each has heard of each other what came after its own.
	for i, e := range ears {
		if e.has(fmt.Sprint("from ", i)) {
			s.Errorf("gateway %d hears itself", i)
		}
	}
}

func (s *suite) each() {
	all := s.fleetOf(2)
	first, second, own := s.listen(all[1], "news"), s.listen(all[1], "news"), s.listen(all[0], "news")
	s.until(first, all[0], "news", "x")
	s.until(second, all[0], "news", "x")
	s.until(own, all[1], "news", "y")
	if own.has("x") || first.has("y") || second.has("y") {
		s.Error("a gateway hears itself")
	}
}

// oddSubjects would mean something to a bus that took them as they are, or run
// into one another if they were not told apart with care.
var oddSubjects = []string{
	"a", "b", "A", "ab", "a.b", "a.b.c", ".", "..", ".a", "a.", "*", "a.*", ">", "a.>", ">.a", "$SYS.REQ", "_INBOX.x",
	" ", "a b", "a  b", "a\tb", "a\r\nPUB x 0\r\n", "\x00", "\x00\x00", "a\x00", "\xff\xfe", "ä", "a\u0308", "=", "=2e", "=3d2e", "a=2eb", "%2e",
	"-", "_", "space:t:s", "space:t:\x00s", strings.Repeat("x", cluster.MaxSubject), strings.Repeat("\x01", cluster.MaxSubject),
}

func (s *suite) subjects() {
	all := s.fleetOf(2)
	ears := map[string]*ear{}
	for _, subject := range oddSubjects {
		ears[subject] = s.listen(all[1], subject)
	}
	for _, subject := range oddSubjects {
		s.until(ears[subject], all[0], subject, "on "+subject)
	}
	for subject, e := range ears {
		for _, heard := range e.all() {
			if heard != "on "+subject {
				s.Errorf("%.40q hears what was said %.40q", subject, heard)
			}
		}
	}
}

func (s *suite) noSubject() {
	bus := s.join()
	for _, subject := range []string{"", strings.Repeat("x", cluster.MaxSubject+1)} {
		bus.Publish(subject, []byte("x")) // is lost
		cancel, err := bus.Subscribe(subject, func([]byte) {})
		if err == nil || errors.Is(err, cluster.ErrClosed) {
			s.Errorf("subscribing to a subject of %d bytes: %v", len(subject), err)
		}
		if cancel != nil {
			s.Errorf("what failed can be cancelled")
		}
	}
}

func (s *suite) whole() {
	all := s.fleetOf(2)
	e := s.listen(all[1], "data")
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	for _, data := range []string{"", "\r\n", string(binary), strings.Repeat("0123456789abcdef", 20<<10), strings.Repeat("m", cluster.MaxMessage)} {
		s.until(e, all[0], "data", data)
	}
	all[0].Publish("data", bytes.Repeat([]byte{1}, cluster.MaxMessage+1)) // too large: lost, and no harm
	s.until(e, all[0], "data", "after")
	for _, heard := range e.all() {
		if len(heard) > cluster.MaxMessage {
			s.Error("a message larger than the largest")
		}
	}
}

func (s *suite) oneCall() {
	all := s.fleetOf(3)
	const want = 500
	var inside, calls atomic.Int64
	enough := make(chan struct{})
	_, err := all[2].Subscribe("one", func([]byte) {
		if inside.Add(1) != 1 {
			s.Error("two calls at once")
		}
		runtime.Gosched()
		inside.Add(-1)
		if calls.Add(1) == want {
			close(enough)
		}
	})
	if err != nil {
		s.Fatal(err)
	}
	var publishing sync.WaitGroup
	for _, bus := range all[:2] {
		publishing.Go(func() {
			for {
				select {
				case <-enough:
					return
				default:
					bus.Publish("one", []byte("x"))
					runtime.Gosched()
				}
			}
		})
	}
	s.within("hearing", publishing.Wait)
}

func (s *suite) cancel() {
	all := s.fleetOf(2)
	ended, stays := s.listen(all[1], "news"), s.listen(all[1], "news")
	s.until(ended, all[0], "news", "before")
	ended.cancel()
	ended.cancel() // does nothing
	s.until(stays, all[0], "news", "after")
	s.until(stays, all[0], "news", "long after")
	if ended.has("long after") {
		s.Error("a cancelled subscription hears")
	}
}

func (s *suite) cancelInside() {
	all := s.fleetOf(2)
	ready, entered, cancelled := make(chan func(), 1), make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	cancel, err := all[1].Subscribe("news", func([]byte) {
		if calls.Add(1) == 1 {
			close(entered)
			(<-ready)()
			close(cancelled)
		}
	})
	if err != nil {
		s.Fatal(err)
	}
	stays := s.listen(all[1], "news")
	s.within("hearing", func() {
		for {
			select {
			case <-entered:
				return
			default:
				all[0].Publish("news", []byte("x"))
				runtime.Gosched()
			}
		}
	})
	for range 20 {
		s.until(stays, all[0], "news", "meanwhile") // waits behind the call
	}
	ready <- cancel
	s.within("cancelling from a call", func() { <-cancelled })
	s.until(stays, all[0], "news", "after")
	if got := calls.Load(); got != 1 {
		s.Errorf("%d calls, the first of which cancelled", got)
	}
}

func (s *suite) stuck() {
	all := s.fleetOf(2)
	release, entered := make(chan struct{}), make(chan struct{})
	var once sync.Once
	_, err := all[1].Subscribe("stuck", func([]byte) {
		once.Do(func() { close(entered) })
		<-release
	})
	if err != nil {
		s.Fatal(err)
	}
	free := s.once(release)
	s.Cleanup(free) // before the bus is closed
	other := s.listen(all[1], "other")
	s.within("publishing", func() {
		for stuck := false; !stuck; {
			select {
			case <-entered:
				stuck = true
			default:
				all[0].Publish("stuck", []byte("x"))
				runtime.Gosched()
			}
		}
		large := make([]byte, 16<<10)
		for range 20_000 { // more than any queue may hold
			all[0].Publish("stuck", large)
		}
	})
	s.until(other, all[0], "other", "still here")
	free()
}

// once returns a function that closes c the first time.
func (s *suite) once(c chan struct{}) func() {
	return sync.OnceFunc(func() { close(c) })
}

func (s *suite) alone() {
	bus := s.join()
	s.await("alone to be connected", bus.Connected)
	bus.Publish("news", []byte("x")) // to nobody
}

func (s *suite) cut() {
	all := s.fleetOf(2)
	here, there := s.listen(all[0], "here"), s.listen(all[1], "there")
	for round := range 2 {
		heal := s.fleet.Cut(s.T)
		s.await("to notice that it is cut off", func() bool { return !all[1].Connected() })
		lost := fmt.Sprint("lost ", round)
		s.within("publishing while cut off", func() {
			for range 20_000 {
				all[1].Publish("here", []byte(lost))
				all[0].Publish("there", []byte(lost))
			}
		})
		if here.has(lost) || there.has(lost) {
			s.Error("a message went through the cut")
		}
		heal()
		s.until(here, all[1], "here", fmt.Sprint("back ", round))
		s.until(there, all[0], "there", fmt.Sprint("back ", round))
		s.await("to be connected again", all[1].Connected)
	}
}

func (s *suite) replaced() {
	all := s.fleetOf(2)
	if err := all[1].Close(); err != nil {
		s.Fatal(err)
	}
	s.meet(all[0], s.join())
}

func (s *suite) many() {
	all := s.fleetOf(3)
	const subjects, publishers = 40, 4
	for i := range subjects {
		for _, bus := range all {
			s.listen(bus, fmt.Sprint("many ", i))
		}
	}
	var working sync.WaitGroup
	for n := range publishers {
		for _, bus := range all {
			working.Go(func() {
				for i := range 400 {
					bus.Publish(fmt.Sprint("many ", (i+n)%subjects), []byte("x"))
					if i%20 == 0 {
						cancel, err := bus.Subscribe(fmt.Sprint("many ", i%subjects), func([]byte) {})
						if err != nil {
							s.Error(err)
							return
						}
						cancel()
					}
				}
			})
		}
	}
	s.within("working", working.Wait)
	e := s.listen(all[0], "after")
	s.until(e, all[1], "after", "x")
	s.until(e, all[2], "after", "y")
}

func (s *suite) close() {
	all := s.fleetOf(2)
	e := s.listen(all[1], "news")
	s.until(e, all[0], "news", "x")
	s.within("closing", func() {
		if err := all[1].Close(); err != nil {
			s.Errorf("close: %v", err)
		}
		if err := all[1].Close(); err != nil {
			s.Errorf("close again: %v", err)
		}
	})
	heard := len(e.all())
	if all[1].Connected() {
		s.Error("connected after the end")
	}
	if _, err := all[1].Subscribe("news", func([]byte) {}); !errors.Is(err, cluster.ErrClosed) {
		s.Errorf("subscribing after the end: %v", err)
	}
	e.cancel() // does nothing
	all[1].Publish("news", []byte("from the dead"))
	for range 100 {
		all[0].Publish("news", []byte("to the dead"))
	}
	if len(e.all()) != heard {
		s.Error("it hears after the end")
	}
}
