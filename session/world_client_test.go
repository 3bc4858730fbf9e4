package session

import (
	"maps"
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// The honest client of a world: it reads, acknowledges, pushes within its window,
// and holds what it is delivered against what there was to deliver.

// send hands some of the client's frames to the session, in one message.
func (w *world) send() {
	if len(w.client.outbox) == 0 || w.s.paused() {
		return
	}
	n := 1 + w.pick(len(w.client.outbox))
	msg := w.client.outbox[:n]
	w.client.outbox = w.client.outbox[n:]
	for _, f := range msg {
		switch f := f.(type) {
		case *protocol.Ack:
			w.client.acked = f.Received
		case *protocol.Window:
			w.client.window = f.Bytes
		}
	}
	w.step(Message{Bytes: protocol.EncodeMessage(msg...)})
}

func (w *world) clientAcks() {
	if w.client.welcome == nil {
		return
	}
	f := &protocol.Ack{Received: w.client.received}
	for _, h := range slices.Sorted(maps.Keys(w.client.subs)) {
		sub := w.client.subs[h]
		if sub.ready && !sub.ending && sub.cursor != sub.told {
			sub.told = sub.cursor
			f.Cursors = append(f.Cursors, protocol.HandleCursor{Handle: h, Cursor: sub.cursor})
		}
	}
	w.client.outbox = append(w.client.outbox, f)
}

func (w *world) clientPushes() {
	handles := slices.Sorted(maps.Keys(w.client.subs))
	if w.client.welcome == nil || len(handles) == 0 {
		return
	}
	h := handles[w.pick(len(handles))]
	sub := w.client.subs[h]
	n := 1 + w.pick(3)
	bytes := 0
	for _, u := range w.client.unsettled {
		bytes += u.size
	}
	const size = 90
	if sub.ending || uint64(len(w.client.unsettled)+n) > w.client.welcome.WindowMutations || uint64(bytes+n*size) > w.client.welcome.Window {
		return
	}
	first := w.client.counter[sub.space.name] + 1
	f := push(h, first)
	w.client.pushes++
	for i := range n {
		f.Bodies = append(f.Bodies, make([]byte, size))
		w.client.unsettled = append(w.client.unsettled, unsettled{h, first + uint64(i), size, w.client.pushes})
	}
	w.client.counter[sub.space.name] += uint64(n)
	w.client.outbox = append(w.client.outbox, f)
}

func (w *world) clientSubscribes() {
	if len(w.client.subs) >= w.s.cfg.Limits.Subscriptions {
		return
	}
	w.client.handle++
	sp := w.spaces[w.pick(len(w.spaces))]
	sub := &clientSub{space: sp, cursor: w.client.cursor[sp.name]}
	sub.told = sub.cursor
	w.client.subs[w.client.handle] = sub
	w.client.outbox = append(w.client.outbox, &protocol.Subscribe{
		Handle:   w.client.handle,
		Space:    sp.name,
		Device:   device(1),
		Cursor:   sub.cursor,
		Priority: uint8(w.pick(2)),
	})
}

// receive is the client reading a message.
func (w *world) receive(out *Outgoing) {
	frames, err := protocol.DecodeMessage(out.Bytes(), nil)
	if err != nil {
		w.failf("the client cannot read: %v", err)
		return
	}
	if _, ok := frames[0].(*protocol.In); ok {
		w.client.received += uint64(out.Len())
	}
	var at *clientSub
	for _, f := range frames {
		switch f := f.(type) {
		case *protocol.Welcome:
			w.client.welcome = f
		case *protocol.Ping:
			w.client.outbox = append(w.client.outbox, &protocol.Pong{Nonce: f.Nonce})
		case *protocol.Subscribed:
			sub := w.client.subs[f.Handle]
			sub.ready = true
			sub.snapshot = f.Mode != protocol.ModeResume
		case *protocol.Unsubscribed:
			delete(w.client.subs, f.Handle)
			w.client.unsettled = slices.DeleteFunc(w.client.unsettled, func(u unsettled) bool { return u.handle == f.Handle })
		case *protocol.Verdicts:
			for _, v := range f.List {
				w.answered(f.Handle, v.Counter, false)
			}
			if f.Replay {
				w.answered(f.Handle, 0, true)
			}
		case *protocol.ErrorFrame:
			w.answered(f.Handle, f.Counter, true)
		case *protocol.Pong, *protocol.TokenAccept:
		case *protocol.In:
			if at = w.client.subs[f.Handle]; at == nil {
				w.failf("a delivery for handle %d, which has ended", f.Handle)
				return
			}
		default:
			w.deliver(at, f)
		}
	}
}

// answered settles the oldest mutation under a handle, or the oldest push if it
// was refused as a whole.
func (w *world) answered(h protocol.Handle, counter uint64, whole bool) {
	i := slices.IndexFunc(w.client.unsettled, func(u unsettled) bool { return u.handle == h })
	if i < 0 {
		w.failf("an answer under handle %d, where nothing is open", h)
		return
	}
	oldest := w.client.unsettled[i]
	if counter != 0 && oldest.counter != counter {
		w.failf("an answer about counter %d, %d is the oldest", counter, oldest.counter)
	}
	w.client.unsettled = slices.DeleteFunc(w.client.unsettled, func(u unsettled) bool {
		return u == oldest || whole && u.push == oldest.push
	})
}

// deliver applies a delivery frame as a client does.
func (w *world) deliver(sub *clientSub, f protocol.Frame) {
	switch f := f.(type) {
	case *protocol.Snapshot:
		sub.snapshot = true
	case *protocol.SnapshotEnd:
		if !sub.snapshot || f.Cursor.Seq < sub.cursor.Seq {
			w.failf("a snapshot ends at %d, the cursor is %d", f.Cursor.Seq, sub.cursor.Seq)
		}
		sub.snapshot, sub.noticed = false, false
		sub.cursor = f.Cursor
	case *protocol.ConflictNotice:
		sub.noticed = true
	case *protocol.Advance:
		if sub.snapshot || f.Cursor.Seq != sub.cursor.Seq+1 {
			w.failf("space %s: seq %d follows %d", sub.space.name, f.Cursor.Seq, sub.cursor.Seq)
			return
		}
		if sub.space.log[f.Cursor.Seq-1].notice != sub.noticed {
			w.failf("space %s: the notice of commit %d did not come", sub.space.name, f.Cursor.Seq)
		}
		sub.noticed = false
		sub.cursor = f.Cursor
	}
	if sub.cursor.Seq > w.client.cursor[sub.space.name].Seq {
		w.client.cursor[sub.space.name] = sub.cursor
	}
}
