package loadtest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/merge/oracle"
	"github.com/tidegate/tidegate/protocol"
)

// evidence is what a run leaves behind of one space: what devices made and were
// told, what they hold in the end, and, where it can be had, the log.
type evidence struct {
	space  string
	schema *merge.Schema
	// log is the whole log, nil if the gateway was not ours.
	log []*protocol.Commit
	// made are the mutations that the devices made, all settled.
	made []made
	// ends are the devices at the end, all drained.
	ends []ending
	// convergence wants to know which commit a mutation stands in where its device
	// was not told; it may be nil.
	convergence *convergence
	// fresh is a device that joined at the end: what it holds is what the store
	// holds.
	fresh ending
}

// made is a mutation that a device made, and what it was told of it.
type made struct {
	device protocol.DeviceID
	// verdict has Seq 0 if the device learned only that it took effect.
	verdict protocol.Verdict
	// tag is unique to the mutation and can be found in its body; empty if it has
	// none.
	tag string
	// began is when the mutation was made.
	began time.Time
}

// ending is what a device holds in the end.
type ending struct {
	name   string
	hash   [32]byte
	state  []protocol.RecordState
	passed []span
}

// verify compares what devices made and hold with each other, with the log and
// with the oracle, and notes everything that is wrong in the report. tag finds a
// mutation's tag in its body.
func (e *evidence) verify(r *Report, tag func(*protocol.Mutation) string) {
	truth, name := e.fresh.hash, "the store"
	if e.log != nil {
		e.verifyLog(r, tag)
		if state, ok := e.consult(r); ok {
			truth, name = merge.StateHash(slices.Values(state)), "the oracle"
			if e.fresh.hash != truth {
				r.Diverged++
				r.fail("space %q: the store's state is not the oracle's: %s", e.space, difference(e.fresh.state, state))
			}
			e.fresh.state = state
		}
	}
	for _, d := range e.ends {
		if d.hash != truth {
			r.Diverged++
			r.fail("space %q: %s does not hold what %s holds: %s", e.space, d.name, name, difference(d.state, e.fresh.state))
		}
	}
}

// verifyLog looks for what was made in the log: each once, where its device was
// told.
func (e *evidence) verifyLog(r *Report, tag func(*protocol.Mutation) string) {
	type place struct {
		seq     uint64
		outcome protocol.Outcome
	}
	byID := map[protocol.MutationID][]place{}
	tags, seqs := map[string]int{}, map[string]uint64{}
	logged := 0
	for _, c := range e.log {
		for i := range c.Mutations {
			m := &c.Mutations[i]
			id := protocol.MutationID{Device: m.Author.Device, Counter: m.Counter}
			byID[id] = append(byID[id], place{c.Seq, m.Verdict.Outcome})
			logged++
			if body, err := protocol.DecodeMutation(m.Body); err == nil {
				if t := tag(body); t != "" {
					tags[t]++
					seqs[t] = c.Seq
				}
			}
		}
	}
	for id, places := range byID {
		if len(places) > 1 {
			r.Duplicated += len(places) - 1
			r.fail("space %q: mutation %d of device %s is in the log %d times", e.space, id.Counter, id.Device, len(places))
		}
	}
	wanted := map[string]bool{}
	lost, doubled := 0, 0
	for _, m := range e.made {
		if m.tag != "" {
			wanted[m.tag] = true
			switch n := tags[m.tag]; {
			case n == 0:
				lost++
				r.fail("space %q: mutation %s of device %s was acknowledged and is not in the log", e.space, m.tag, m.device)
				continue
			case n > 1:
				doubled += n - 1
				r.fail("space %q: mutation %s of device %s took effect %d times", e.space, m.tag, m.device, n)
			}
		}
		if m.verdict.Seq == 0 {
			if e.convergence != nil && m.tag != "" {
				e.convergence.made(seqs[m.tag], m.began)
			}
			continue
		}
		places := byID[protocol.MutationID{Device: m.device, Counter: m.verdict.Counter}]
		at := slices.IndexFunc(places, func(p place) bool { return p.seq == m.verdict.Seq })
		switch {
		case len(places) == 0:
			lost++
			r.fail("space %q: mutation %d of device %s was acknowledged and is not in the log", e.space, m.verdict.Counter, m.device)
		case at < 0:
			r.fail("space %q: mutation %d of device %s was acknowledged at %d and stands at %d", e.space, m.verdict.Counter, m.device, m.verdict.Seq, places[0].seq)
		case places[at].outcome != m.verdict.Outcome:
			r.fail("space %q: mutation %d of device %s: the device was told of outcome %d, the log says %d",
				e.space, m.verdict.Counter, m.device, m.verdict.Outcome, places[at].outcome)
		}
	}
	// Mutations without a tag can still be counted.
	switch extra := logged - len(e.made); {
	case extra > doubled && r.Duplicated < extra:
		r.fail("space %q: %d mutations were made and %d are in the log", e.space, len(e.made), logged)
		doubled = extra
	case -extra > lost:
		r.fail("space %q: %d mutations were made and %d are in the log", e.space, len(e.made), logged)
		lost = -extra
	}
	r.Lost += lost
	r.Duplicated += doubled
	e.verifyPassed(r)
}

// verifyPassed checks that the commits that were passed over for a device had
// nothing to show.
func (e *evidence) verifyPassed(r *Report) {
	shows := map[uint64]bool{}
	for _, c := range e.log {
		for i := range c.Mutations {
			if len(c.Mutations[i].Changes) > 0 {
				shows[c.Seq] = true
			}
		}
	}
	for _, d := range append(slices.Clone(e.ends), e.fresh) {
		for _, span := range d.passed {
			for seq := span.from + 1; seq <= span.to; seq++ {
				if shows[seq] {
					r.Gaps++
					r.fail("space %q: %s was moved past commit %d, which changed something", e.space, d.name, seq)
				}
			}
		}
	}
}

// consult has the oracle replay the log and returns what it says the state is.
func (e *evidence) consult(r *Report) ([]protocol.RecordState, bool) {
	o := oracle.New(e.schema)
	for _, c := range e.log {
		if err := o.Commit(c); err != nil {
			r.fail("space %q: the oracle disagrees with the log: %v", e.space, err)
			return nil, false
		}
	}
	r.Oracle = true
	return o.State(), true
}

// difference says what the first difference between two states is.
func difference(got, want []protocol.RecordState) string {
	key := func(s *protocol.RecordState) string { return s.Collection + "/" + s.ID }
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return key(&want[i]) + " is missing"
		case i >= len(want):
			return key(&got[i]) + " should not be there"
		}
		g, w := &got[i], &want[i]
		switch a, b := key(g), key(w); {
		case a < b:
			return a + " should not be there"
		case a > b:
			return b + " is missing"
		}
		if string(protocol.AppendRecordState(nil, g)) != string(protocol.AppendRecordState(nil, w)) {
			return fmt.Sprintf("%s is %v, it should be %v", key(g), *g, *w)
		}
	}
	return "the records are the same"
}

// AppendLogEntry appends a commit, as it is stored, in the form in which
// `tidegate log --raw` writes it: its length as a uvarint, and its bytes.
func AppendLogEntry(dst, stored []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(stored)))
	return append(dst, stored...)
}

// maxLogEntry bounds one entry of an exported log.
const maxLogEntry = 64 << 20

// readLog reads what `tidegate log --raw` wrote.
func readLog(r io.Reader) ([]*protocol.Commit, error) {
	log := []*protocol.Commit{}
	names := protocol.NewNameTable()
	in := bufio.NewReader(r)
	for {
		n, err := binary.ReadUvarint(in)
		if errors.Is(err, io.EOF) {
			return log, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the log ends within an entry: %w", err)
		}
		if n > maxLogEntry {
			return nil, fmt.Errorf("an entry of the log has %d bytes", n)
		}
		data := make([]byte, n)
		if _, err := io.ReadFull(in, data); err != nil {
			return nil, fmt.Errorf("the log ends within an entry: %w", err)
		}
		c, err := protocol.DecodeCommit(data, names)
		if err != nil {
			return nil, fmt.Errorf("entry %d of the log: %w", len(log)+1, err)
		}
		log = append(log, c)
	}
}
