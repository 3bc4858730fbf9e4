package clustertest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tidegate/tidegate/cluster"
)

// Fleet makes the gateways' ends of one bus.
type Fleet struct {
	// Join adds a gateway; three of them at most.
	Join func(t *testing.T) cluster.Bus
	// Cut separates the gateway that joined last from the others, until heal is
	// called.
	Cut func(t *testing.T) (heal func())
}

// patience is how long what must happen may take.
const patience = 30 * time.Second

// Run holds the buses of the fleets that open returns to the contract. The suite
// closes them.
func Run(t *testing.T, open func(t *testing.T) Fleet) {
	for _, tt := range []struct {
		name string
		test func(*suite)
	}{
		{"everybody else hears it", (*suite).others},
		{"each subscription hears it", (*suite).each},
		{"any string is a subject", (*suite).subjects},
		{"what is no subject is refused", (*suite).noSubject},
		{"messages arrive as they were", (*suite).whole},
		{"one call at a time", (*suite).oneCall},
		{"cancel ends a subscription", (*suite).cancel},
		{"a call may cancel", (*suite).cancelInside},
		{"nobody waits for a stuck receiver", (*suite).stuck},
		{"a gateway is alone", (*suite).alone},
		{"a cut gateway is told so, and comes back", (*suite).cut},
		{"a gateway goes away and another comes", (*suite).replaced},
		{"many at once", (*suite).many},
		{"close ends it", (*suite).close},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.test(&suite{T: t, fleet: open(t)})
		})
	}
}

// suite is one test with its fleet.
type suite struct {
	*testing.T
	fleet Fleet
}

// join adds a gateway that leaves with the test.
func (s *suite) join() cluster.Bus {
	s.Helper()
	bus := s.fleet.Join(s.T)
	s.Cleanup(func() {
		if err := bus.Close(); err != nil {
			s.Errorf("close: %v", err)
		}
	})
	return bus
}

// fleetOf joins n gateways and waits until each hears each.
func (s *suite) fleetOf(n int) []cluster.Bus {
	s.Helper()
	var all []cluster.Bus
	for range n {
		all = append(all, s.join())
	}
	s.meet(all...)
	return all
}

// meet waits until each of the gateways hears each of the others.
func (s *suite) meet(all ...cluster.Bus) {
	s.Helper()
	for i, to := range all {
		for j, from := range all {
			if i == j {
				continue
			}
			subject := fmt.Sprintf("meeting %d %d", i, j)
			ear := s.listen(to, subject)
			s.until(ear, from, subject, "hello")
			ear.cancel()
		}
	}
	for _, bus := range all {
		s.await("to be connected", bus.Connected)
	}
}

// ear is a subscription that keeps what it hears.
type ear struct {
	cancel func()
	news   chan struct{} // has something in it after something was heard

	mu    sync.Mutex
	heard []string // guarded by mu
}

func (e *ear) receive(data []byte) {
	e.mu.Lock()
	e.heard = append(e.heard, string(data))
	e.mu.Unlock()
	select {
	case e.news <- struct{}{}:
	default:
	}
}

// all is what was heard so far.
func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.heard...)
}

// has reports whether it heard something.
func (e *ear) has(what string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, heard := range e.heard {
		if heard == what {
			return true
		}
	}
	return false
}

// listen subscribes.
func (s *suite) listen(bus cluster.Bus, subject string) *ear {
	s.Helper()
	e := &ear{news: make(chan struct{}, 1)}
	cancel, err := bus.Subscribe(subject, e.receive)
	if err != nil {
		s.Fatalf("subscribing to %q: %v", subject, err)
	}
	e.cancel = cancel
	return e
}

// until publishes again and again until it is heard: a bus may lose.
func (s *suite) until(e *ear, from cluster.Bus, subject, what string) {
	s.Helper()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for {
		from.Publish(subject, []byte(what))
		select {
		case <-e.news:
			if e.has(what) {
				return
			}
		case <-again.C:
		case <-late:
			s.Fatalf("%.40q on %.40q is not heard", what, subject)
		}
	}
}

// await waits for what the bus does not announce.
func (s *suite) await(what string, is func() bool) {
	s.Helper()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for !is() {
		select {
		case <-again.C:
		case <-late:
			s.Fatalf("waited in vain for a gateway %s", what)
		}
	}
}

// within calls f, which must not block.
func (s *suite) within(what string, f func()) {
	s.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		s.Fatalf("%s blocks", what)
	}
}
