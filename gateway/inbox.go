package gateway

import (
	"sync"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/session"
)

// maxInboxPresence bounds the devices whose presence waits for one connection.
// Beyond it a change is lost, as presence may be.
const maxInboxPresence = 1024

// inbox holds what others have to say to a connection, until its owner takes it.
// Putting never waits. Safe for concurrent use.
type inbox struct {
	// wake has something in it when the inbox has. Only the owner receives from it.
	wake chan struct{}

	mu sync.Mutex
	// All guarded by mu.
	closed bool
	// inputs are answers and events, in the order in which they came. Their number
	// is bounded by what the session has asked for.
	inputs []session.Input
	// heads hold the newest head of each handle: a connection that was busy is told
	// once, not once for each commit.
	heads map[protocol.Handle]protocol.Cursor
	// present holds the newest presence of each device, by handle.
	present      map[protocol.Handle]map[protocol.DeviceID]protocol.DevicePresence
	presentCount int
}

func newInbox() *inbox {
	return &inbox{
		wake:    make(chan struct{}, 1),
		heads:   map[protocol.Handle]protocol.Cursor{},
		present: map[protocol.Handle]map[protocol.DeviceID]protocol.DevicePresence{},
	}
}

// put adds an input.
func (b *inbox) put(in session.Input) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.inputs = append(b.inputs, in)
	b.wakeLocked()
}

// putHead tells of a head, in place of an older one.
func (b *inbox) putHead(handle protocol.Handle, head protocol.Cursor) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.heads[handle] = head
	b.wakeLocked()
}

// putPresence tells of a device's presence, in place of what it was before.
func (b *inbox) putPresence(handle protocol.Handle, who protocol.DevicePresence) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	devices := b.present[handle]
	if _, known := devices[who.Author.Device]; !known {
		if b.presentCount >= maxInboxPresence {
			return
		}
		b.presentCount++
	}
	if devices == nil {
		devices = map[protocol.DeviceID]protocol.DevicePresence{}
		b.present[handle] = devices
	}
	devices[who.Author.Device] = who
	b.wakeLocked()
}

func (b *inbox) wakeLocked() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take appends everything to to: heads first, since verdicts that came with them
// are to find the head moved.
func (b *inbox) take(to []session.Input) []session.Input {
	b.mu.Lock()
	defer b.mu.Unlock()
	for handle, head := range b.heads {
		to = append(to, session.Head{Handle: handle, Cursor: head})
	}
	to = append(to, b.inputs...)
	for handle, devices := range b.present {
		changed := session.PresenceChanged{Handle: handle}
		for _, who := range devices {
			changed.Devices = append(changed.Devices, who)
		}
		to = append(to, changed)
	}
	clear(b.inputs) // let go of what they hold
	b.inputs = b.inputs[:0]
	clear(b.heads)
	clear(b.present)
	b.presentCount = 0
	return to
}

// close drops what is there and takes nothing more.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.inputs = true, nil
	clear(b.heads)
	clear(b.present)
}
