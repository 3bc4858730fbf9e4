package loadtest

import (
	"sync"
	"time"
)

// convergence measures, in one space, how long it takes from the making of a
// mutation until the last device has its commit. It is safe for concurrent use.
type convergence struct {
	devices int

	mu sync.Mutex
	// guarded by mu
	commits map[uint64]*commitTimes
}

// commitTimes is what is known of one commit.
type commitTimes struct {
	// made is when the first of its mutations was made, zero as long as no author
	// was told the seq.
	made time.Time
	// reached is when a connected device had it last, by the number of devices that
	// have it.
	reached time.Time
	have    int
}

func newConvergence(devices int) *convergence {
	return &convergence{devices: devices, commits: map[uint64]*commitTimes{}}
}

func (c *convergence) at(seq uint64) *commitTimes {
	t := c.commits[seq]
	if t == nil {
		t = &commitTimes{}
		c.commits[seq] = t
	}
	return t
}

// made says that the commit holds a mutation that was made then.
func (c *convergence) made(seq uint64, when time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.at(seq); t.made.IsZero() || when.Before(t.made) {
		t.made = when
	}
}

// reached says that a device has moved from one seq to another. A device that
// was off the network when a commit was made does not count for its time: live is
// false then.
func (c *convergence) reached(from, to uint64, now time.Time, live bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for seq := from + 1; seq <= to; seq++ {
		t := c.at(seq)
		t.have++
		if live {
			t.reached = now
		}
	}
}

// collect adds the time of every commit that all devices have.
func (c *convergence) collect(into *latencies) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.commits {
		if t.have == c.devices && !t.made.IsZero() && t.reached.After(t.made) {
			into.add(t.reached.Sub(t.made))
		}
	}
}
