package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/merge/oracle"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/session"
	"github.com/tidegate/tidegate/space"
)

// checker watches a run and says which promises it broke. It knows the true log:
// every append that the store accepted, also what was trimmed since.
type checker struct {
	w        *world
	logs     []*history // of every space and table, the newest of a space last
	failures []string
	counts   map[string]int
}

// history is the log of one space in one table.
type history struct {
	key   space.Key
	table int
	log   []space.LogItem // seq 1 first
	over  bool            // the table was replaced
	// ids that gateways published, by seq.
	published map[uint64]protocol.CommitID
	seen      []sighting
	// trimmed is true once a horizon was raised, at which trimmedAt was the length of
	// the log.
	trimmed   bool
	trimmedAt uint64
}

// sighting is the confirmed state of a device at a cursor.
type sighting struct {
	device string
	cursor protocol.Cursor
	hash   [32]byte
}

func newChecker(w *world) *checker { return &checker{w: w, counts: map[string]int{}} }

func (c *checker) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(c.failures) < 20 && !slices.Contains(c.failures, text) {
		c.failures = append(c.failures, text)
		c.w.transcript.say("FAILED", "%s", text)
	}
}

func (c *checker) covered(what string) { c.counts[what]++ }

// history returns the log of a space in the table that is in use.
func (c *checker) history(key space.Key) *history {
	for i := len(c.logs) - 1; i >= 0; i-- {
		if h := c.logs[i]; h.key == key && !h.over {
			return h
		}
	}
	h := &history{key: key, published: map[uint64]protocol.CommitID{}}
	c.logs = append(c.logs, h)
	return h
}

// appended is told of every append that the store accepted.
func (c *checker) appended(key space.Key, seq uint64, data []byte) {
	h := c.history(key)
	if want := uint64(len(h.log)) + 1; seq != want {
		c.fail("promise 4: %s: a commit was appended at %d where %d was next", name(key), seq, want)
		return
	}
	h.log = append(h.log, space.LogItem{Seq: seq, Data: data})
}

// stored is told of items that the store is about to write.
func (c *checker) stored(key space.Key, items []space.Item) {
	for _, item := range items {
		if h := c.history(key); item.Key.Kind == space.ItemHorizon && !h.trimmed {
			h.trimmed, h.trimmedAt = true, uint64(len(h.log))
		}
	}
}

// published is told of every commit that a gateway shows to its readers.
func (c *checker) published(gateway string, key space.Key, p space.Published) {
	h := c.history(key)
	if p.Cursor.Seq > uint64(len(h.log)) {
		c.fail("promise 1: %s shows commit %d of %s, which is not durable", gateway, p.Cursor.Seq, name(key))
		return
	}
	if before, known := h.published[p.Cursor.Seq]; known && before != p.Cursor.Commit {
		c.fail("promise 4: %s shows another commit %d of %s than was shown before", gateway, p.Cursor.Seq, name(key))
	}
	h.published[p.Cursor.Seq] = p.Cursor.Commit
}

// event counts what the cores went through.
func (c *checker) event(gateway string, key space.Key, e space.Event) {
	switch e.Kind {
	case space.EventRace:
		c.covered("race")
	case space.EventUnknown:
		c.covered("unknown append")
	case space.EventOffered:
		c.covered("commit folded from the bus")
	case space.EventHandOver:
		c.covered("hand-over")
		c.w.transcript.say(gateway, "hands %d mutations of %s over", e.N, name(key))
	case space.EventTaken:
		c.covered("hand-over taken")
		c.w.transcript.say(gateway, "takes %d mutations of %s over", e.N, name(key))
	case space.EventHandOverLate:
		c.covered("hand-over in vain")
	case space.EventReplay:
		c.covered("replay")
	case space.EventTrimmed:
		c.covered("trim")
		c.w.transcript.say(gateway, "%s trimmed below %d", name(key), e.N)
	case space.EventHole:
		c.covered("hole")
	case space.EventEvicted:
		c.covered("eviction")
	case space.EventConflict:
		c.covered("conflict by " + string(e.Policy))
	case space.EventDamaged:
		c.fail("%s: %s is damaged: %v", gateway, name(key), e.Err)
	}
}

// closedBy is told that a client gave up a connection over what it received.
func (c *checker) closedBy(d *device, err *protocol.Error) {
	c.w.transcript.say(d.name, "closes: %v", err)
	c.covered("closed by a client: " + string(err.Code))
	switch err.Code {
	case protocol.CodeMalformed, protocol.CodeOutOfOrder, protocol.CodeUpgrade:
		c.fail("promise 3: %s was sent what it could not take: %v", d.name, err)
	}
}

// disconnected is told how a gateway closed a connection.
func (c *checker) disconnected(d *device, how *session.Close) {
	if how == nil {
		return
	}
	c.covered("closed by a gateway: " + string(how.Cause))
	switch how.Cause {
	case protocol.CodeMalformed, protocol.CodeOutOfOrder, protocol.CodeUpgrade, protocol.CodeTooLarge, protocol.CodeInternal:
		c.fail("%s broke the protocol, says its gateway: %s", d.name, how.Message)
	}
}

func (d *device) key(space_ string) space.Key {
	return space.Key{Tenant: grant{d.user}.Tenant(), Space: space_}
}

// observe looks at what a device has confirmed, at an instant at which that is on
// its disk, and at whether it still sees its own edits.
func (c *checker) observe(d *device, name string) {
	status := d.core.SpaceStatus(name)
	if status.Cursor.Seq > 0 {
		h := c.history(d.key(name))
		last := len(h.seen) - 1
		for last >= 0 && h.seen[last].device != d.name {
			last--
		}
		if last < 0 || h.seen[last].cursor != status.Cursor {
			h.seen = append(h.seen, sighting{d.name, status.Cursor, d.core.StateHash(name)})
		}
	}
	for _, e := range c.w.edits {
		if e.device == d && e.space == name && e.local && e.excused == "" && !wholly(e.verdict) {
			if d.core.Get(name, client.Key{Collection: "marks", ID: e.mark}) == nil && !c.isRejected(d, e) {
				c.fail("promise 8: %s does not see its own %s any more (settled: %v)", d.name, e.mark, e.settled)
			}
		}
	}
}

// wholly says whether nothing of a mutation took effect.
func wholly(v protocol.Verdict) bool { return v.Outcome == protocol.Rejected && len(v.Ops) == 0 }

func (c *checker) isRejected(d *device, e *edit) bool {
	return slices.ContainsFunc(d.core.Rejected(e.space), func(r *client.RejectedMutation) bool {
		return markOf(r.Mutation) == e.mark
	})
}

// markOf returns the mark that a mutation carries.
func markOf(m *protocol.Mutation) string {
	for _, op := range m.Ops {
		if op.Collection == "marks" {
			return op.ID
		}
	}
	return ""
}

// settled is told of a verdict that an author got.
func (c *checker) settled(d *device, e *edit) {
	// A device may itself refuse what was made on a history that has vanished.
	byDevice := e.verdict.Seq == 0 && e.verdict.Outcome == protocol.Rejected
	if !e.local && !byDevice {
		c.fail("promise 8: %s of %s has a verdict before it was durable on the device", e.mark, d.name)
	}
	if e.verdict.Seq == 0 {
		c.covered("verdict without detail")
	}
	if seq := e.verdict.Seq; seq > uint64(len(c.history(d.key(e.space)).log)) {
		c.fail("promise 1: %s was acknowledged in commit %d, which is not durable", e.mark, seq)
	}
}

// discarded is told that a user gave up a rejected mutation.
func (c *checker) discarded(space string, m *protocol.Mutation) {
	for _, e := range c.w.edits {
		if e.mark == markOf(m) {
			e.excused = "discarded by its user"
		}
	}
}

// restored is told that a device's disk was set back: what it had not sent is
// gone.
func (c *checker) restored(d *device) {
	for _, e := range c.w.edits {
		if e.device == d && e.excused == "" {
			e.excused = "its device was set back"
		}
	}
}

// tableRestored is told that the store holds an earlier state now: what was
// appended since is gone, by the operator's will.
func (c *checker) tableRestored() {
	for _, e := range c.w.edits {
		if e.excused == "" && (e.settled || e.local) {
			e.excused = "the table was set back"
		}
	}
	for _, h := range slices.Clone(c.logs) {
		if h.over {
			continue
		}
		h.over = true
		head := c.w.head(h.key)
		c.logs = append(c.logs, &history{
			key: h.key, table: h.table + 1, trimmed: h.trimmed, trimmedAt: min(h.trimmedAt, head),
			log:       slices.Clone(h.log[:min(head, uint64(len(h.log)))]),
			published: map[uint64]protocol.CommitID{},
		})
	}
}

// atRest says whether every queue is empty and every device is at its head and
// shows nothing but what it holds. One that has not heard of a restored table yet
// can be at the same seq by chance.
func (c *checker) atRest() bool {
	for _, d := range c.w.devices {
		for _, s := range c.w.spaceNames {
			status := d.core.SpaceStatus(s)
			if !d.up || status.State != client.SpaceLive || status.Pending > 0 || len(d.core.Pending(s)) > 0 ||
				status.Cursor.Seq != uint64(len(c.history(d.key(s)).log)) {
				return false
			}
		}
	}
	return true
}

// finish checks what can be checked once all is over.
func (c *checker) finish() {
	for _, d := range c.w.devices {
		for _, s := range c.w.spaceNames {
			status := d.core.SpaceStatus(s)
			head := uint64(len(c.history(d.key(s)).log))
			switch {
			case !d.up:
				c.fail("promise 11: %s is not up", d.name)
			case status.Pending > 0:
				c.fail("promise 11: %s still has %d mutations in its queue for %s (%v, %v)", d.name, status.Pending, s, status.State, status.Err)
			case len(d.core.Pending(s)) > 0:
				c.fail("promise 8: %s still predicts %d mutations in %s that are long committed", d.name, len(d.core.Pending(s)), s)
			case status.Cursor.Seq != head:
				c.fail("promise 11: %s is at %d of %d in %s (%v, %v)", d.name, status.Cursor.Seq, head, s, status.State, status.Err)
			}
			c.observe(d, s)
		}
	}
	for _, h := range c.logs {
		c.checkHistory(h)
	}
	c.checkEdits()
}

// checkHistory replays a log from its first commit.
func (c *checker) checkHistory(h *history) {
	names := protocol.NewNameTable()
	records := map[merge.Key]*merge.Record{}
	judge := oracle.New(c.w.schema)
	counters := map[protocol.DeviceID]uint64{}
	hashes := map[protocol.DeviceID]protocol.Hash{}
	marks := map[string][]uint64{}
	states := map[protocol.Cursor][32]byte{{}: stateHash(records)}
	var previous protocol.Time
	var conflicts []protocol.Conflict

	for _, item := range h.log {
		commit, err := protocol.DecodeCommit(item.Data, names)
		if err != nil {
			c.fail("%s: commit %d cannot be read: %v", name(h.key), item.Seq, err)
			return
		}
		if commit.Seq != item.Seq || commit.Time < previous {
			c.fail("%s: commit %d says it is %d, at %d after %d", name(h.key), item.Seq, commit.Seq, commit.Time, previous)
		}
		previous = commit.Time
		conflicts = append(conflicts, commit.Conflicts...)
		for _, m := range commit.Mutations {
			id := m.Author.Device
			if m.Counter != counters[id]+1 {
				c.fail("promise 2: %s: commit %d has counter %d of a device that was at %d", name(h.key), commit.Seq, m.Counter, counters[id])
			}
			if m.Hash != hashes[id].Next(m.Body) {
				c.fail("promise 2: %s: commit %d breaks a device's running hash", name(h.key), commit.Seq)
			}
			counters[id], hashes[id] = m.Counter, m.Hash
			if m.EditTime > commit.Time {
				c.fail("promise 13: %s: commit %d has an edit from its future", name(h.key), commit.Seq)
			}
			if body, err := protocol.DecodeMutation(m.Body); err == nil {
				mark := markOf(body)
				if len(marks[mark]) == 0 || mark == "" {
				} else if c.counts["clone"]+c.counts["restore of a device"] > 0 && (h.table > 0 || h.trimmed) {
					// Copies of a device (a backup is one) that both carry a queue over into
					// another history, or over the horizon, make each their own of it: nobody is
					// left who could tell.
					c.covered("carried over by two copies")
				} else {
					c.fail("promise 2: %s: %s is in commits %d and %d", name(h.key), mark, marks[mark][0], commit.Seq)
				}
				marks[mark] = append(marks[mark], commit.Seq)
			}
			for _, change := range m.Changes {
				if tenant := m.Author.User[:1]; "tenant-"+tenant != h.key.Tenant {
					c.fail("promise 5: %s: a mutation of tenant-%s changed %s", name(h.key), tenant, change.ID)
				}
			}
		}
		// Tombstones may be dropped with what is trimmed, and absent means deleted
		// then: what is decided from there on depends on more than the log, which is
		// all that the oracle knows.
		if !h.trimmed || commit.Seq <= h.trimmedAt {
			if err := judge.Commit(commit); err != nil {
				c.fail("promise 9: %s: the oracle disagrees: %v", name(h.key), err)
			}
		}
		for key, record := range merge.ApplyCommit(commit, func(k merge.Key) *merge.Record { return records[k] }) {
			records[key] = record
		}
		states[protocol.Cursor{Seq: commit.Seq, Commit: commit.ID}] = stateHash(records)
	}

	if want, got := merge.StateHash(slices.Values(judge.State())), stateHash(records); want != got && !h.trimmed {
		c.fail("promise 9: %s: the fold of the log is not what the oracle derives from it: %s", name(h.key), difference(records, judge.State()))
	}
	for _, s := range h.seen {
		want, known := states[s.cursor]
		switch {
		case !known && h.table > 0:
			// Seen in the table before, and shown again until the device noticed.
		case !known:
			c.fail("promise 4: %s stands at a commit %d of %s that never was", s.device, s.cursor.Seq, name(h.key))
		case want != s.hash:
			c.fail("promise 9: %s at %d of %s has another state than the log", s.device, s.cursor.Seq, name(h.key))
		}
	}
	if h.over {
		return
	}
	for _, e := range c.w.edits {
		if e.device.key(e.space) == h.key {
			c.checkEdit(e, marks)
		}
	}
	c.checkNotices(h, conflicts)
}

// checkNotices compares what was overwritten with what devices were told. One
// that was brought to head by a snapshot was not shown the commits between.
func (c *checker) checkNotices(h *history, conflicts []protocol.Conflict) {
	for _, d := range c.w.devices {
		for _, s := range c.w.spaceNames {
			if d.key(s) != h.key || d.snapshots[s] || h.table > 0 || d.user != userOf(conflicts, d.core.SpaceDevice(s)) {
				continue
			}
			told := d.core.Conflicts(s)
			for _, lost := range conflicts {
				if lost.Open || lost.Lost.Author.Device != d.core.SpaceDevice(s) {
					continue
				}
				if !slices.ContainsFunc(told, func(t protocol.Conflict) bool {
					return t.Collection == lost.Collection && t.ID == lost.ID && t.Field == lost.Field && t.Element == lost.Element && t.Seq >= lost.Seq
				}) {
					c.fail("%s was not told that its %s of %s/%s was overwritten in commit %d", d.name, lost.Field, lost.Collection, lost.ID, lost.Seq)
				}
			}
		}
	}
}

// userOf returns whose device lost something in the conflicts.
func userOf(conflicts []protocol.Conflict, id protocol.DeviceID) string {
	for _, lost := range conflicts {
		if lost.Lost.Author.Device == id {
			return lost.Lost.Author.User
		}
	}
	return ""
}

// checkEdit compares what an author was told with the log.
func (c *checker) checkEdit(e *edit, marks map[string][]uint64) {
	seqs := marks[e.mark]
	inLog := len(seqs) > 0
	if e.excused != "" {
		return
	}
	switch {
	case e.settled && e.verdict.Seq > 0 && !slices.Contains(seqs, e.verdict.Seq):
		c.fail("promise 1: %s was acknowledged in commit %d and is in %v", e.mark, e.verdict.Seq, seqs)
	case e.settled && e.verdict.Seq == 0 && !inLog && !c.isRejected(e.device, e):
		c.fail("promise 1: %s was acknowledged and is not in the log", e.mark)
	case e.local && !inLog && !c.isRejected(e.device, e):
		c.fail("promise 8: %s was durable on %s and is neither in the log nor in its rejected list", e.mark, e.device.name)
	case inLog && e.settled && e.verdict.Outcome == protocol.Rejected && !c.isRejected(e.device, e):
		c.fail("promise 11: %s was rejected, and its author's device does not keep it", e.mark)
	}
}

// checkEdits checks what needs no log.
func (c *checker) checkEdits() {
	p := &c.w.plan
	knowable := p.Device.Clones == 0 && p.Device.Restores == 0 && !p.RestoreTable && !p.Expire
	for _, e := range c.w.edits {
		if knowable && e.verdict.Code == protocol.RejectUnknownOutcome {
			c.fail("promise 7: %s of %s is said to be of unknown outcome: %s", e.mark, e.device.name, e.verdict.Message)
		}
		if e.local && !e.settled && e.excused == "" && e.device.waitsFor(e) {
			c.fail("promise 11: %s never got a verdict", e.mark)
		}
	}
}

// difference names the first record that is not the same.
func difference(records map[merge.Key]*merge.Record, want []protocol.RecordState) string {
	expected := map[merge.Key]string{}
	for _, state := range want {
		expected[merge.Key{Collection: state.Collection, ID: state.ID}] = fmt.Sprintf("%+v", state)
	}
	for _, key := range slices.SortedFunc(maps.Keys(records), merge.Key.Compare) {
		if state, alive := records[key].State(); alive {
			if got := fmt.Sprintf("%+v", state); got != expected[key] {
				return fmt.Sprintf("%s instead of %s", got, expected[key])
			}
			delete(expected, key)
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(expected), merge.Key.Compare) {
		return "nothing instead of " + expected[key]
	}
	return "they differ in their encoding"
}

// stateHash is the digest of what everybody sees of the records.
func stateHash(records map[merge.Key]*merge.Record) [32]byte {
	states := make([]protocol.RecordState, 0, len(records))
	for _, r := range records {
		if state, alive := r.State(); alive {
			states = append(states, state)
		}
	}
	slices.SortFunc(states, func(a, b protocol.RecordState) int {
		return strings.Compare(a.Collection+"\x00"+a.ID, b.Collection+"\x00"+b.ID)
	})
	return merge.StateHash(slices.Values(states))
}

// result says what the run came to.
func (c *checker) result(seed uint64) Result {
	r := Result{Seed: seed, Failures: c.failures, Hash: c.w.transcript.sum, Steps: c.w.steps, Mutations: len(c.w.edits), Covered: c.counts}
	for _, h := range c.logs {
		r.Commits += len(h.log)
	}
	return r
}
