package space

import (
	"encoding/binary"
	"sort"

	"github.com/tidegate/tidegate/protocol"
)

const (
	// exactTimes is for how many of the last commits the time is known exactly.
	exactTimes = 4096
	// thinTimes bounds the sample that is kept of the commits before them.
	thinTimes = 1024
	// thinStep is how far apart commits of the sample are at first.
	thinStep = 16
)

// timeline knows when commits were made: exactly for the last ones, by a sample
// for those before. Edit times are clamped by it, and the horizon is found by it.
// Times never fall from one commit to the next.
type timeline struct {
	// thin is the sample, in seq order; all before recent.
	thin []commitTime
	// recent[i] is commit last-len(recent)+1+i.
	recent []recentCommit
	last   uint64
	step   uint64
}

type commitTime struct {
	seq  uint64
	time protocol.Time
}

type recentCommit struct {
	time protocol.Time
	// id is zero if it is not known: a watermark does not keep it.
	id protocol.CommitID
}

func (t *timeline) first() uint64 { return t.last - uint64(len(t.recent)) + 1 }

// add appends the commit that follows the last one.
func (t *timeline) add(seq uint64, time protocol.Time, id protocol.CommitID) {
	if n := len(t.recent); n > 0 {
		time = max(time, t.recent[n-1].time)
	}
	t.recent = append(t.recent, recentCommit{max(time, 0), id})
	t.last = seq
	// Thinning in batches keeps add cheap.
	if len(t.recent) < exactTimes+exactTimes/4 {
		return
	}
	first := t.first()
	over := len(t.recent) - exactTimes
	t.step = max(t.step, thinStep)
	for i := range over {
		if seq := first + uint64(i); seq%t.step == 0 {
			t.thin = append(t.thin, commitTime{seq, t.recent[i].time})
		}
	}
	t.recent = append(t.recent[:0:0], t.recent[over:]...)
	for len(t.thin) > thinTimes {
		t.step *= 2
		kept := t.thin[:0]
		for _, c := range t.thin {
			if c.seq%t.step == 0 {
				kept = append(kept, c)
			}
		}
		t.thin = kept
	}
}

// at is the time of commit seq, or of a commit not long before; 0 if none is known.
func (t *timeline) at(seq uint64) protocol.Time {
	if len(t.recent) > 0 && seq >= t.first() {
		return t.recent[min(seq, t.last)-t.first()].time
	}
	i := sort.Search(len(t.thin), func(i int) bool { return t.thin[i].seq > seq })
	if i == 0 {
		return 0
	}
	return t.thin[i-1].time
}

// id is the commit id at seq, if it is known.
func (t *timeline) id(seq uint64) (protocol.CommitID, bool) {
	if len(t.recent) == 0 || seq < t.first() || seq > t.last {
		return protocol.CommitID{}, false
	}
	id := t.recent[seq-t.first()].id
	return id, id != protocol.CommitID{}
}

// before is the newest commit known to have been made at time or earlier; 0 if
// there is none.
func (t *timeline) before(time protocol.Time) uint64 {
	if i := sort.Search(len(t.recent), func(i int) bool { return t.recent[i].time > time }); i > 0 {
		return t.first() + uint64(i) - 1
	}
	if i := sort.Search(len(t.thin), func(i int) bool { return t.thin[i].time > time }); i > 0 {
		return t.thin[i-1].seq
	}
	return 0
}

func (t *timeline) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(t.thin)))
	var previous commitTime
	for _, c := range t.thin {
		dst = binary.AppendUvarint(dst, c.seq-previous.seq)
		dst = binary.AppendUvarint(dst, uint64(c.time-previous.time))
		previous = c
	}
	dst = binary.AppendUvarint(dst, uint64(len(t.recent)))
	time := protocol.Time(0)
	for _, r := range t.recent {
		dst = binary.AppendUvarint(dst, uint64(r.time-time))
		time = r.time
	}
	return dst
}

// decodeTimeline reads a timeline that ends with commit last.
func decodeTimeline(d *decoder, last uint64) timeline {
	t := timeline{last: last, step: thinStep}
	var at commitTime
	for range d.count(2) {
		at = commitTime{at.seq + d.uint(), at.time + d.time()}
		t.thin = append(t.thin, at)
	}
	for len(t.thin) > 1 && uint64(len(t.thin)) < thinTimes && t.thin[1].seq-t.thin[0].seq > t.step {
		t.step *= 2
	}
	time := protocol.Time(0)
	for range d.count(1) {
		time += d.time()
		t.recent = append(t.recent, recentCommit{time: time})
	}
	if uint64(len(t.recent)) > last || len(t.thin) > 0 && len(t.recent) > 0 && t.thin[len(t.thin)-1].seq >= t.first() || time < 0 {
		d.fail(errShort)
		return timeline{last: last}
	}
	return t
}
