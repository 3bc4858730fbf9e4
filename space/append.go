package space

import (
	"errors"
	"slices"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// inflight is the one commit that this core is appending. Until its outcome is
// known it stays the same, commit id and all.
type inflight struct {
	seq    uint64
	id     protocol.CommitID
	commit *protocol.Commit
	data   []byte
	batch  []*pending // the beginning of the queue
	names  int        // the length of the name table before it

	began protocol.Time
	// sent is true while an answer is awaited.
	sent   bool
	sentAt protocol.Time
	// unknown is set once an attempt may have been written without our knowing:
	// from then on only reading the log tells that it was not.
	unknown  bool
	failures uint64
	acked    bool
}

const (
	// batchOps bounds the ops of one commit, and with them the images that it can
	// need at once.
	batchOps = 4096
	// ackNowEvery is how often a commit asks to be acknowledged at once.
	ackNowEvery = protocol.Time(1000)
)

// commit makes the next commit of what is queued, if nothing is in flight.
func (c *Core) commit() {
	if c.inflight != nil || len(c.queue) == 0 || c.now < c.appendAt || c.damaged != nil {
		return
	}
	if c.handsOver() || len(c.unfolded) > 0 || c.behind() {
		return
	}
	if !c.headProven() {
		c.readTail()
		return
	}
	if err := c.mayAppend(); err != nil {
		c.refuseQueue(err)
		return
	}
	if slices.ContainsFunc(c.wanted, func(key ItemKey) bool { return c.cache.loading[key] != 0 }) {
		return // images that the last attempt lacked are still on their way
	}
	if c.cache.dirtyBytes > c.cfg.CacheBytes {
		return // what is not stored yet fills the budget: checkpoints first
	}
	for n := c.batchSize(); ; n = (n + 1) / 2 {
		commit, blobs, ok := c.build(n, false)
		if !ok {
			return // images are being loaded
		}
		names := c.names.Len()
		data := protocol.EncodeCommit(commit, c.names)
		if len(data) > c.cfg.Limits.CommitBytes {
			c.names.Truncate(names)
			if n > 1 {
				continue
			}
			// Alone and still too large: that is a fact about the mutation.
			commit, blobs, _ = c.build(1, true)
			data = protocol.EncodeCommit(commit, c.names)
		}
		c.inflight = &inflight{
			seq: commit.Seq, id: commit.ID, commit: commit, data: data,
			batch: c.queue[:n:n], names: names, began: c.now,
		}
		c.begin(blobs)
		return
	}
}

// batchSize is how many mutations to try in one commit: their deltas take about
// as much room again as their bodies.
func (c *Core) batchSize() int {
	bytes, ops := 0, 0
	for i, n := range c.queue {
		bytes += 2 * len(n.body)
		if n.mutation != nil {
			ops += len(n.mutation.Ops)
		}
		if i > 0 && (i >= c.cfg.Limits.CommitMutations || bytes > c.cfg.Limits.CommitBytes || ops > batchOps) {
			return i
		}
	}
	return len(c.queue)
}

// build merges the first n queued mutations on head; false if images are
// missing, which are then being loaded. With tooLarge the verdict is given.
func (c *Core) build(n int, tooLarge bool) (*protocol.Commit, []merge.Blob, bool) {
	commit := &protocol.Commit{
		Seq:     c.head.Seq + 1,
		Time:    max(c.headTime, c.now),
		Schema:  c.cfg.Schema.Ref(),
		AckNow:  c.now >= c.ackNowAt+ackNowEvery,
		Gateway: c.cfg.Gateway,
	}
	batch := merge.NewBatch(c.cfg.Schema, c.view, commit.Seq, c.cfg.Limits)
	var blobs []merge.Blob
	for _, p := range c.queue[:n] {
		m := protocol.Committed{
			Author:  protocol.Author{Device: p.writer.id, User: p.user},
			Counter: p.counter,
			Hash:    p.hash,
			Base:    p.base,
			Body:    p.body,
		}
		var r merge.Result
		switch {
		case tooLarge:
			r.Verdict = rejection(protocol.RejectTooLarge, "the mutation and what it overwrites are too large for one commit; split it")
		case p.mutation == nil:
			r.Verdict = rejection(protocol.RejectMalformed, p.err.Error())
		default:
			m.EditTime = c.clamp(p.mutation.EditTime, p.base, commit.Time)
			r = batch.Merge(merge.Input{Author: m.Author, Counter: p.counter, Mutation: p.mutation, EditTime: m.EditTime})
		}
		m.Verdict, m.Changes = r.Verdict, r.Changes
		m.Verdict.Counter, m.Verdict.Seq = p.counter, commit.Seq
		commit.Mutations = append(commit.Mutations, m)
		commit.Conflicts = append(commit.Conflicts, r.Conflicts...)
		blobs = append(blobs, r.Blobs...)
	}
	if missing := batch.Missing(); len(missing) > 0 {
		keys := make([]ItemKey, len(missing))
		for i, key := range missing {
			keys[i] = recordKey(key)
		}
		c.need(keys)
		c.wanted = keys
		return nil, nil, false
	}
	c.wanted = nil
	commit.ID = c.cfg.NewCommitID()
	return commit, blobs, true
}

func rejection(code protocol.RejectCode, message string) protocol.Verdict {
	if len(message) > protocol.MaxMessageText {
		message = message[:protocol.MaxMessageText]
	}
	return protocol.Verdict{Outcome: protocol.Rejected, Code: code, Message: message}
}

// view shows a batch the records at head.
func (c *Core) view(key merge.Key) (*merge.Record, bool) {
	img := c.cache.get(recordKey(key))
	if img == nil {
		return nil, false
	}
	return img.record, true
}

// clamp bounds an edit time by what can be true: not before the author saw the
// base, not after now.
func (c *Core) clamp(edit protocol.Time, base uint64, now protocol.Time) protocol.Time {
	if c.cfg.Faults.NoEditTimeClamp {
		return edit
	}
	return min(max(edit, c.times.at(base)), now)
}

// begin stores large overwritten values, which a commit may only name once they
// are durable, and appends it.
func (c *Core) begin(blobs []merge.Blob) {
	f := c.inflight
	if c.cfg.Faults.CheckpointAheadOfLog {
		c.leak(f)
	}
	if len(blobs) == 0 {
		c.send()
		return
	}
	items := make([]Item, len(blobs))
	for i, blob := range blobs {
		items[i] = blobItem(blob.ID, blob.Value, f.seq)
	}
	f.sent = true
	c.askUntil(PutOp{Items: items}, func(Response) {
		if c.inflight == f {
			c.send()
		}
	})
}

// send makes an attempt to append what is in flight.
func (c *Core) send() {
	f := c.inflight
	f.sent = false
	if !c.headProven() {
		c.readTail() // which comes back to resend
		return
	}
	f.sent, f.sentAt = true, c.now
	if c.cfg.Faults.AckBeforeDurable && !f.acked {
		c.answerOwn(f)
	}
	c.ask(AppendOp{Seq: f.seq, Data: f.data}, func(r Response) {
		if c.inflight == f {
			c.answered(r.Err)
		}
	})
}

// answered takes the outcome of an attempt.
func (c *Core) answered(err error) {
	f := c.inflight
	f.sent = false
	switch {
	case err == nil:
		c.proved = max(c.proved, f.sentAt)
		c.appendedOwn()
		return
	case errors.Is(err, ErrTaken):
		c.readTail() // whose is it?
		return
	case errors.Is(err, errLost), errors.Is(err, ErrUnknown):
		if c.cfg.Faults.RetryWithNewCommitID {
			c.abandon()
			c.head = protocol.Cursor{Seq: f.seq, Commit: f.id}
			return
		}
		f.unknown = true
		f.failures++
		c.event(Event{Kind: EventUnknown, Seq: f.seq, N: f.failures, Err: err})
	case f.unknown:
		// This attempt failed for certain; an earlier one may still have been written.
		f.failures++
		c.event(Event{Kind: EventRetry, Seq: f.seq, N: f.failures, Err: err})
	default:
		// Certainly not written: it may be merged again, with what has come since.
		c.failures++
		c.appendAt = c.now + c.backoff(c.failures)
		c.event(Event{Kind: EventRetry, Seq: f.seq, N: c.failures, Err: err})
		c.abandon()
		return
	}
	c.later(f.failures, func() {
		if c.inflight == f {
			c.readTail()
		}
	})
}

// resend goes on with what is in flight after the log was read to its end
// without meeting its seq.
func (c *Core) resend() {
	if f := c.inflight; f != nil && !f.sent {
		c.send()
	}
}

// abandon takes back what is in flight; its mutations are still queued.
func (c *Core) abandon() {
	c.names.Truncate(c.inflight.names)
	c.inflight = nil
}

// lostRace is called when the seq in flight was found to be another gateway's.
func (c *Core) lostRace() {
	c.event(Event{Kind: EventRace, Seq: c.inflight.seq})
	c.abandon()
}

// appendedOwn is called when what is in flight is known to be durable.
func (c *Core) appendedOwn() {
	f := c.inflight
	c.inflight = nil
	c.failures = 0
	c.over.won()
	if c.queue = c.queue[len(f.batch):]; len(c.queue) == 0 {
		c.queue = nil // let go of the bodies
	}
	c.unqueue(f.batch)
	if f.commit.AckNow {
		c.ackNowAt = c.now
	}
	c.unfolded = append(c.unfolded, foldItem{commit: f.commit, data: f.data, keys: touched(f.commit), own: f})
	c.fold()
}

// answerOwn gives the verdicts of an own commit that is folded and published.
func (c *Core) answerOwn(f *inflight) {
	if f.acked {
		return
	}
	f.acked = true
	verdicts := make([]protocol.Verdict, len(f.commit.Mutations))
	for i := range f.commit.Mutations {
		verdicts[i] = f.commit.Mutations[i].Verdict
	}
	c.tellVerdicts(f.batch, verdicts)
}

// reportOwn tells the metrics of an own commit.
func (c *Core) reportOwn(f *inflight) {
	c.event(Event{Kind: EventCommitted, Seq: f.seq, N: uint64(len(f.batch)), Bytes: len(f.data), Took: c.now - f.began})
	for i := range f.commit.Mutations {
		c.event(Event{Kind: EventVerdict, Seq: f.seq, Outcome: f.commit.Mutations[i].Verdict.Outcome})
	}
	for i := range f.commit.Conflicts {
		c.event(Event{Kind: EventConflict, Seq: f.seq, Policy: f.commit.Conflicts[i].Policy, Open: f.commit.Conflicts[i].Open})
	}
}

// leak is the planted bug CheckpointAheadOfLog.
func (c *Core) leak(f *inflight) {
	var items []Item
	for key, rec := range merge.ApplyCommit(f.commit, func(key merge.Key) *merge.Record {
		rec, _ := c.view(key)
		return rec
	}) {
		fields, meta := rec.Item()
		items = append(items, Item{Key: recordKey(key), Version: rec.Version(), Fields: fields, Meta: meta})
	}
	c.ask(PutOp{Items: items}, func(Response) {})
}
