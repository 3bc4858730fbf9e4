package sim

import (
	"time"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/session"
	"github.com/tidegate/tidegate/space"
)

// plan is what a run will do to the system: drawn from the seed, so that some
// runs are almost calm and some are a catastrophe. The bugs are not drawn.
type plan struct {
	Gateways int
	Devices  int
	Spaces   int
	// Edits is how many mutations each device tries to make.
	Edits int
	// Records is how many records the devices fight over, in each collection.
	Records int
	// Active is how long the devices edit, in virtual time; Heal how long the
	// system has afterwards, without faults, to come to rest.
	Active, Heal protocol.Time

	Store   storeFaults
	Network networkFaults
	Gateway gatewayFaults
	Device  deviceFaults

	// Bus is true if the gateways tell each other what they commit.
	Bus       bool
	BusFaults busFaults
	// Bursts are times at which all devices edit at once, so that their gateways
	// race.
	Bursts int
	// Hot is a burst that lasts, in one space, with a gateway that is much farther
	// from the store than another.
	Hot bool

	// RestoreTable puts the store back to an earlier state, once.
	RestoreTable bool
	// Expire lets the log be trimmed behind a short horizon; the run then lasts
	// days of virtual time.
	Expire bool
	// SmallCache gives a space's cache room for a handful of records.
	SmallCache bool

	Bug Bug
}

// storeFaults are probabilities for each request.
type storeFaults struct {
	Lost, Throttled, Ambiguous, Duplicated float64
}

// networkFaults: Cut is the probability, for each message, that its connection
// breaks; Refused, for each attempt to connect, that it fails.
type networkFaults struct {
	Cut, Refused float64
	// SlowReaders is the share of connections that take bytes hesitantly.
	SlowReaders float64
	// Partitions is how often a device is cut off from everything for a while.
	Partitions int
}

// gatewayFaults are counts over the run.
type gatewayFaults struct {
	Crashes, Pauses, Drains int
	// Skew is the greatest distance of a gateway's clock from the true time.
	Skew protocol.Time
}

// deviceFaults are counts over the run.
type deviceFaults struct {
	Crashes, Clones, Restores int
	// Skew is the greatest distance of a device's clock from the true time.
	Skew protocol.Time
}

const (
	second = protocol.Time(time.Second / time.Millisecond)
	minute = 60 * second
	hour   = 60 * minute
	year   = 365 * 24 * hour
)

// draw fills a plan from the schedule's randomness.
func draw(s *schedule) plan {
	p := plan{
		Gateways: 1 + s.below(3),
		Devices:  2 + s.below(4),
		Spaces:   1 + s.below(2),
		Edits:    4 + s.below(16),
		Records:  1 + s.below(4),
		Active:   s.between(10*second, 90*second),
		Heal:     15 * minute,
	}
	wild := func(p, most float64) float64 {
		if s.chance(p) {
			return s.random.Float64() * most
		}
		return 0
	}
	count := func(p float64, most int) int {
		if s.chance(p) {
			return 1 + s.below(most)
		}
		return 0
	}
	p.Store = storeFaults{
		Lost:       wild(0.4, 0.08),
		Throttled:  wild(0.4, 0.15),
		Ambiguous:  wild(0.5, 0.3),
		Duplicated: wild(0.3, 0.2),
	}
	p.Network = networkFaults{
		Cut:         wild(0.6, 0.06),
		Refused:     wild(0.4, 0.3),
		SlowReaders: wild(0.3, 0.6),
		Partitions:  count(0.4, 3),
	}
	p.Gateway = gatewayFaults{
		Crashes: count(0.4, 3),
		Pauses:  count(0.3, 3),
		Drains:  count(0.2, 2),
	}
	if s.chance(0.5) {
		p.Gateway.Skew = 30 * second
	}
	p.Device = deviceFaults{
		Crashes:  count(0.5, 4),
		Clones:   count(0.15, 2),
		Restores: count(0.12, 1),
	}
	if s.chance(0.5) {
		p.Device.Skew = 5 * year
	}
	p.Bus = p.Gateways > 1 && s.chance(0.8)
	p.BusFaults = busFaults{
		Lost:       wild(0.4, 0.4),
		Late:       wild(0.4, 0.3),
		Duplicated: wild(0.3, 0.3),
		Partitions: count(0.25, 2),
		Breaks:     count(0.25, 2),
	}
	p.Bursts = count(0.3, 2)
	if p.Bus && s.chance(0.2) {
		p.Hot, p.Bursts, p.Spaces = true, 1+s.below(2), 1
		p.Device.Clones = max(p.Device.Clones, count(0.7, 1))
	}
	p.RestoreTable = s.chance(0.06)
	p.SmallCache = s.chance(0.3)
	if s.chance(0.12) {
		p.Expire = true
		p.Active = s.between(4*hour, 12*hour)
		p.Bus = p.Bus || p.Gateways == 1 && s.chance(0.5)
		p.Gateways = max(p.Gateways, 2)
		p.Gateway.Pauses = max(p.Gateway.Pauses, count(0.7, 3))
		p.Heal = 2 * hour
	}
	return p
}

// Bug is a set of planted bugs. The zero value is the real system.
type Bug struct {
	Space   space.Faults
	Session session.Faults
	Client  client.Faults
}
