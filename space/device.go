package space

import (
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// deviceEntry is what the log says about one device: how far its mutations are
// committed, and which rejections it has not confirmed. It is a fold of the log;
// only that confirmations are forgotten if they are lost, since telling a
// rejection again does no harm. It is immutable but for being replaced.
type deviceEntry struct {
	// User is who the device is bound to.
	User    string
	Counter uint64
	Hash    protocol.Hash
	// Recent are its last mutations, at most protocol.MaxRecent: what tells a clone
	// which of its own were committed before the copies parted.
	Recent []protocol.Recent
	// Base is the base of its last mutation: bases never go back.
	Base       uint64
	Rejections []protocol.Verdict
}

// after is the entry with one more committed mutation.
func (d deviceEntry) after(m *protocol.Committed, forgetRejections bool) deviceEntry {
	if d.User == "" {
		d.User = m.Author.User
	}
	d.Counter, d.Hash = m.Counter, m.Hash
	kept := d.Recent[max(0, len(d.Recent)+1-protocol.MaxRecent):]
	d.Recent = append(slices.Clip(kept), protocol.Recent{Hash: m.Hash, Rejected: m.Verdict.Outcome == protocol.Rejected})
	d.Base = max(d.Base, m.Base)
	if m.Verdict.Outcome == protocol.Rejected && !forgetRejections {
		d.Rejections = append(slices.Clip(d.Rejections), abridged(m.Verdict))
	}
	return d
}

// recentAfter are the mutations above counter, as far back as they are
// remembered.
func (d *deviceEntry) recentAfter(counter uint64) []protocol.Recent {
	if counter >= d.Counter {
		return nil
	}
	missing := min(d.Counter-counter, uint64(len(d.Recent)))
	return slices.Clone(d.Recent[uint64(len(d.Recent))-missing:])
}

// confirmed is the entry without the rejections that the device has stored.
func (d deviceEntry) confirmed(counters []uint64) deviceEntry {
	var rest []protocol.Verdict
	for _, v := range d.Rejections {
		if !slices.Contains(counters, v.Counter) {
			rest = append(rest, v)
		}
	}
	d.Rejections = rest
	return d
}

// size is about what the entry costs in memory.
func (d deviceEntry) size() int {
	size := len(d.User) + len(d.Recent)*(len(protocol.Hash{})+1)
	for i := range d.Rejections {
		size += 96 + len(d.Rejections[i].Message)
		for j := range d.Rejections[i].Ops {
			size += 64 + len(d.Rejections[i].Ops[j].Message)
		}
	}
	return size
}

// maxEntryText bounds the messages of one rejection in an entry.
const maxEntryText = 2 << 10

// abridged is a rejection as an entry keeps it: codes all, messages as far as
// they fit. The log has it whole.
func abridged(v protocol.Verdict) protocol.Verdict {
	text := 0
	for i := range v.Ops {
		text += len(v.Ops[i].Message) + len(v.Ops[i].Field)
	}
	if text <= maxEntryText {
		return v
	}
	v.Ops = slices.Clone(v.Ops)
	text = 0
	for i := range v.Ops {
		op := &v.Ops[i]
		if text += len(op.Message) + len(op.Field); text > maxEntryText {
			op.Message, op.Field = "", ""
		}
	}
	return v
}
