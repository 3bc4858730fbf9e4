package cluster

import (
	"fmt"
	"strings"
)

// Status is how a bus is, for the operator.
type Status struct {
	Connected bool
	// Peers are the names of those that are connected to this gateway directly, in
	// order: other gateways, or the NATS server that it uses.
	Peers []string
	// Lost counts messages that were not sent, or not received in time.
	Lost uint64
	// Refused counts attempts to join that this gateway turned away.
	Refused uint64
	// Trouble is what last kept a peer away; empty if nothing has since the bus was
	// connected.
	Trouble string
}

// String says it in a line.
func (s Status) String() string {
	var line strings.Builder
	switch {
	case !s.Connected:
		line.WriteString("not connected")
	case len(s.Peers) == 0:
		line.WriteString("connected, to nobody")
	default:
		fmt.Fprintf(&line, "connected to %s", strings.Join(s.Peers, ", "))
	}
	if s.Refused > 0 {
		fmt.Fprintf(&line, "; %d refused", s.Refused)
	}
	if s.Trouble != "" {
		fmt.Fprintf(&line, "; %s", s.Trouble)
	}
	return line.String()
}
