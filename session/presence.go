package session

import "github.com/tidegate/tidegate/protocol"

// presences is a subscription's presence, both ways. All of it is lossy: the
// latest of each device wins.
type presences struct {
	// own is what the peer set and the space was not told yet.
	own *protocol.Value
	// changed is what waits for the socket, by device; order is the order in which
	// the devices began to wait.
	changed map[protocol.DeviceID]protocol.DevicePresence
	order   []protocol.DeviceID
	served  uint64
}

func (s *Session) presence(f *protocol.Presence) *protocol.Error {
	sub, err := s.find(f.Handle)
	if sub == nil {
		return err
	}
	if size := f.Value.Size(); size > s.cfg.Limits.PresenceBytes {
		s.reply(&protocol.ErrorFrame{
			Code:    protocol.CodePresence,
			Message: protocol.Errorf(protocol.CodePresence, "the presence has %d bytes, at most %d are allowed", size, s.cfg.Limits.PresenceBytes).Message,
			Handle:  f.Handle,
		})
		return nil
	}
	value := f.Value
	sub.present.own = &value
	s.offerPresence(sub)
	return nil
}

// offerPresence tells the space what the peer set, once it is attached.
func (s *Session) offerPresence(sub *subscription) {
	if sub.stage != attached || sub.present.own == nil {
		return
	}
	value := *sub.present.own
	sub.present.own = nil
	if err := s.allowed(sub.space, false); err != nil {
		s.end(sub, err)
		return
	}
	for i := range s.out.Presence {
		if s.out.Presence[i].Handle == sub.handle {
			s.out.Presence[i].Value = value
			return
		}
	}
	s.out.Presence = append(s.out.Presence, Presence{Handle: sub.handle, Value: value})
}

// presenceChanged notes who in the space has changed.
func (s *Session) presenceChanged(h protocol.Handle, devices []protocol.DevicePresence) {
	sub := s.lookup(h)
	if sub == nil || sub.stage != attached || !sub.presence {
		return
	}
	p := &sub.present
	for _, d := range devices {
		if d.Author.Device == sub.device {
			continue
		}
		if _, waits := p.changed[d.Author.Device]; !waits {
			if len(p.changed) >= maxPresent {
				continue
			}
			if p.changed == nil {
				p.changed = make(map[protocol.DeviceID]protocol.DevicePresence)
			}
			p.order = append(p.order, d.Author.Device)
		}
		p.changed[d.Author.Device] = d
	}
}

// writePresence sends the presence of one space, as much as fits a message.
func (s *Session) writePresence() bool {
	for {
		var next *subscription
		for _, sub := range s.subs {
			if len(sub.present.order) == 0 {
				continue
			}
			if next == nil || sub.priority > next.priority || sub.priority == next.priority && sub.present.served < next.present.served {
				next = sub
			}
		}
		if next == nil {
			return false
		}
		if err := s.allowed(next.space, false); err != nil && !s.cfg.Faults.SkipDeliveryCheck {
			s.end(next, err)
			continue
		}
		p := &next.present
		frame := &protocol.Present{Handle: next.handle}
		size, taken := 0, 0
		for _, device := range p.order {
			if size >= messageBytes {
				break
			}
			d := p.changed[device]
			delete(p.changed, device)
			size += d.Value.Size() + len(d.Author.User) + len(device)
			taken++
			frame.Devices = append(frame.Devices, d)
		}
		p.order = p.order[taken:]
		if len(p.order) == 0 {
			p.order, p.changed = nil, nil
		}
		p.served = s.lanes.next()
		s.emit(Outgoing{Lane: LanePresence, Prefix: protocol.EncodeMessage(frame)})
		return true
	}
}
