package session

import "github.com/tidegate/tidegate/protocol"

// Status is what an operator may want to know of a connection.
type Status struct {
	// State is "awaiting hello", "awaiting access", "live", "closing" or "closed".
	State    string
	Draining bool
	Device   protocol.DeviceID
	// User and Tenant are empty until the token was verified.
	User   string
	Tenant string
	// Window is the client's, in bytes; Outstanding is what was sent and not yet
	// acknowledged, Sent all that was sent in delivery messages.
	Window      uint64
	Outstanding uint64
	Sent        uint64
	// PushedBytes and PushedMutations wait for their answers.
	PushedBytes     int
	PushedMutations int
	Subscriptions   []SubscriptionStatus
}

// SubscriptionStatus is how far one space of a connection is.
type SubscriptionStatus struct {
	Handle protocol.Handle
	Space  string
	// Head is the newest commit that is known to exist, Delivered the last cursor
	// that the device was sent, Acked the last that it has durably applied.
	Head      protocol.Cursor
	Delivered protocol.Cursor
	Acked     protocol.Cursor
	// Snapshot is true while a snapshot is on its way.
	Snapshot bool
}

// Status returns how the connection stands.
func (s *Session) Status() Status {
	st := Status{
		State:           s.state.String(),
		Draining:        s.leave.draining,
		Device:          s.device,
		Window:          s.down.window,
		Outstanding:     s.down.outstanding(),
		Sent:            s.down.sent,
		PushedBytes:     s.up.bytes,
		PushedMutations: s.up.count,
	}
	if s.access != nil {
		st.User, st.Tenant = s.access.User(), s.access.Tenant()
	}
	for _, sub := range s.subs {
		st.Subscriptions = append(st.Subscriptions, SubscriptionStatus{
			Handle:    sub.handle,
			Space:     sub.space,
			Head:      sub.head,
			Delivered: sub.delivered,
			Acked:     sub.acked,
			Snapshot:  sub.from.Snapshot,
		})
	}
	return st
}
