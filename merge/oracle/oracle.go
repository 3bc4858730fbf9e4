package oracle

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// Oracle replays the log of one space. It is not safe for concurrent use.
type Oracle struct {
	rules   rules
	seq     uint64
	time    protocol.Time
	records map[key]*record
	// devices is where each device stands: counter, hash, base.
	devices map[protocol.DeviceID]*device
}

// device is what the log says of a device so far.
type device struct {
	user    string
	counter uint64
	hash    protocol.Hash
	base    uint64
}

// New returns an oracle for a space whose log has not begun. A nil schema means
// that there is none: every field is lww.
func New(schema *merge.Schema) *Oracle {
	return &Oracle{
		rules:   rules{schema},
		records: map[key]*record{},
		devices: map[protocol.DeviceID]*device{},
	}
}

// Seq is the seq of the last commit.
func (o *Oracle) Seq() uint64 { return o.seq }

// Commit takes the next commit of the log, derives what becomes of its mutations
// from their bodies, and returns an error that names the first thing in which
// the log disagrees: an order that the log must not have (seqs, counters, hashes,
// bases, times), an outcome, or a conflict of which nobody is told. After an
// error the oracle is of no more use.
func (o *Oracle) Commit(c *protocol.Commit) error {
	if c.Seq != o.seq+1 {
		return fmt.Errorf("commit %d follows commit %d", c.Seq, o.seq)
	}
	if c.Time < o.time {
		return fmt.Errorf("commit %d: its time %d is before the previous commit's, %d", c.Seq, c.Time, o.time)
	}
	if len(c.Mutations) == 0 {
		return fmt.Errorf("commit %d holds no mutation", c.Seq)
	}
	o.seq, o.time = c.Seq, c.Time
	var told []collision
	for i := range c.Mutations {
		m := &c.Mutations[i]
		if err := o.order(c, m); err != nil {
			return fmt.Errorf("commit %d, %s: %w", c.Seq, name(m), err)
		}
		t := &turn{o: o, at: stamp{c.Seq, m.Author, m.Base, m.EditTime}, logged: m.Verdict}
		if err := t.run(m); err != nil {
			return fmt.Errorf("commit %d, %s: %w", c.Seq, name(m), err)
		}
		told = append(told, t.collisions...)
	}
	if err := compareConflicts(told, c.Conflicts); err != nil {
		return fmt.Errorf("commit %d: %w", c.Seq, err)
	}
	return nil
}

// order checks what the log promises about each device, whatever its mutations say.
func (o *Oracle) order(c *protocol.Commit, m *protocol.Committed) error {
	d := o.devices[m.Author.Device]
	if d == nil {
		d = &device{user: m.Author.User}
		o.devices[m.Author.Device] = d
	}
	switch {
	case m.Author.User != d.user:
		return fmt.Errorf("the device belongs to user %q", d.user)
	case m.Counter != d.counter+1:
		return fmt.Errorf("the device's last counter was %d", d.counter)
	case m.Hash != d.hash.Next(m.Body):
		return errors.New("the hash does not continue the device's chain")
	case m.Base < d.base:
		return fmt.Errorf("the base went back from %d to %d", d.base, m.Base)
	case m.Base >= c.Seq:
		return fmt.Errorf("the base %d is not before the commit", m.Base)
	case m.EditTime > c.Time:
		return fmt.Errorf("the edit time %d is after the commit's, %d", m.EditTime, c.Time)
	case m.Verdict.Counter != m.Counter || m.Verdict.Seq != c.Seq:
		return fmt.Errorf("the verdict is for counter %d, seq %d", m.Verdict.Counter, m.Verdict.Seq)
	}
	d.counter, d.hash, d.base = m.Counter, m.Hash, m.Base
	return nil
}

// State returns what everybody sees now: all living records, by (collection, id).
func (o *Oracle) State() []protocol.RecordState {
	var all []protocol.RecordState
	for _, r := range o.records {
		if l, _ := r.life(); l == alive {
			all = append(all, r.state())
		}
	}
	slices.SortFunc(all, func(a, b protocol.RecordState) int {
		if c := strings.Compare(a.Collection, b.Collection); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all
}

// Counter is the counter of a device's last mutation in the log.
func (o *Oracle) Counter(d protocol.DeviceID) uint64 {
	if d := o.devices[d]; d != nil {
		return d.counter
	}
	return 0
}

func name(m *protocol.Committed) string {
	return fmt.Sprintf("mutation %d of device %s (base %d)", m.Counter, m.Author.Device, m.Base)
}

// result is what became of an op, less the words.
type result struct {
	outcome protocol.Outcome
	code    protocol.RejectCode
}

func (r result) String() string {
	words := [...]string{"applied", "merged", "superseded", "conflict", "rejected"}
	s := fmt.Sprint(uint8(r.outcome))
	if int(r.outcome) < len(words) {
		s = words[r.outcome]
	}
	if r.code != "" {
		s += "(" + string(r.code) + ")"
	}
	return s
}

func rejected(code protocol.RejectCode) result { return result{protocol.Rejected, code} }

// perOp lays a logged verdict out, one result an op.
func perOp(v *protocol.Verdict, ops int) ([]result, error) {
	all := make([]result, ops)
	if len(v.Ops) == 0 {
		for i := range all {
			all[i] = result{v.Outcome, v.Code}
		}
		return all, nil
	}
	if len(v.Ops) != ops {
		return nil, fmt.Errorf("the log has %d verdicts for %d ops", len(v.Ops), ops)
	}
	greatest := protocol.Applied
	for i, op := range v.Ops {
		all[i] = result{op.Outcome, op.Code}
		greatest = max(greatest, op.Outcome)
	}
	if v.Outcome != greatest {
		return nil, fmt.Errorf("the log says %v of a mutation whose worst op is %v", result{outcome: v.Outcome}, result{outcome: greatest})
	}
	return all, nil
}
