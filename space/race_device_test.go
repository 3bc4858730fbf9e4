package space

import (
	"fmt"
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// worldDevice is a device of a world: it edits, pushes, reads, reconnects.
type worldDevice struct {
	*testClient
	w        *world
	rig      *rig
	core     *Core
	session  SessionID
	attached bool
	retryAt  protocol.Time
	acked    uint64 // counters up to it have been told committed
	pushed   uint64
	pushID   uint64
	verdicts map[uint64]protocol.Verdict
	replica  *replica
	open     bool // the replica has a position
}

func (d *worldDevice) lost() {
	d.attached, d.session, d.rig = false, 0, nil
	d.retryAt = d.w.now + protocol.Time(d.w.rnd.IntN(500))
}

// act lets a device do one thing.
func (d *worldDevice) act() {
	w := d.w
	if d.rig != nil && w.paused[d.rig] > 0 {
		if w.chance(400) {
			d.lost()
		}
		return
	}
	if d.rig == nil {
		if w.now < d.retryAt {
			return
		}
		r := w.rigs[w.rnd.IntN(len(w.rigs))]
		if w.paused[r] > 0 {
			return
		}
		d.rig = r
		w.sessions++
		d.session = w.sessions
		d.core = d.rig.core
		d.core.Attach(w.now, Attach{Session: d.session, Device: d.device, User: d.user, Cursor: d.replica.pos.Cursor})
		d.rig.take()
		w.launch(d.rig)
	}
	for _, body := range d.rig.answers(d.session) {
		d.told(body)
		if d.rig == nil {
			return
		}
	}
	if !d.attached {
		return
	}
	if !w.quiet && w.chance(150) {
		d.core.Detach(w.now, d.session)
		d.rig.take()
		d.lost()
		return
	}
	if w.chance(3) {
		d.read()
	}
	if !w.quiet && d.counter-d.acked < 8 && w.chance(4) {
		d.edit()
	}
	if d.pushed < d.counter {
		d.push()
	}
	if w.chance(5) {
		var counters []uint64
		for c, v := range d.verdicts {
			if v.Outcome == protocol.Rejected {
				counters = append(counters, c)
			}
		}
		slices.Sort(counters)
		d.core.Confirm(w.now, d.session, counters)
		d.rig.take()
	}
	w.launch(d.rig)
}

func (d *worldDevice) push() {
	d.pushID++
	d.core.Push(d.w.now, d.pushFrom(d.session, d.pushID, d.pushed+1))
	d.pushed = d.counter
	d.rig.take()
	d.w.launch(d.rig)
}

func (d *worldDevice) edit() {
	w := d.w
	id := w.rnd.IntN(12)
	lines := []string{
		fmt.Sprintf("create tasks/%d title=x%d n=0", id, d.counter),
		fmt.Sprintf("set tasks/%d title=%s-%d", id, d.user, d.counter),
		fmt.Sprintf("set tasks/%d f%d=%d", id, w.rnd.IntN(30), d.counter),
		fmt.Sprintf("set notes/%d text=%0*d", id, 1+w.rnd.IntN(800), d.counter),
		fmt.Sprintf("create notes/%d text=a", id),
		fmt.Sprintf("delete tasks/%d", id),
	}
	d.base = max(d.base, d.replica.pos.Cursor.Seq)
	d.mutate(w.now+protocol.Time(w.rnd.IntN(1000)-500), mustOp(lines[w.rnd.IntN(len(lines))]))
}

// stand compares what a server says of the device with what the device knows.
func (d *worldDevice) stand(counter uint64, hash protocol.Hash) {
	if counter > d.counter || d.hashes[counter] != hash {
		d.w.fail("%s is said to be at %d %s, it is at %d", d.user, counter, hash, d.counter)
		return
	}
	d.acked = max(d.acked, counter)
	d.pushed = max(counter, d.acked)
}

func (d *worldDevice) told(body ReplyBody) {
	switch body := body.(type) {
	case Attached:
		d.attached = true
		if !body.Known && d.acked > 0 {
			d.forgotten(body.Head.Seq)
			return
		}
		d.stand(body.Counter, body.Hash)
		d.learn(body.Rejections)
		if body.Mode != protocol.ModeResume || !d.open {
			if body.Mode == protocol.ModeOtherHistory {
				d.w.fail("%s was told of another history", d.user)
			}
			d.replica.pos = Position{Snapshot: true}
			d.open = true
		}
	case Verdicts:
		d.learn(body.List)
		d.stand(body.Counter, body.Hash)
		if !body.Replay {
			d.pushed = d.counter
		}
	case Refused:
		switch body.Err.Code {
		case protocol.CodeUnavailable:
		case protocol.CodeUnknownOutcome:
			// Its first mutations lie behind a horizon that was raised meanwhile.
			if d.acked > 0 {
				d.w.fail("%s was refused: %v", d.user, body.Err)
			}
			d.giveUp()
			return
		default:
			d.w.fail("%s was refused: %v", d.user, body.Err)
		}
		d.pushed = d.acked
	case Lost:
		if body.Err.Code != protocol.CodeUnavailable {
			d.w.fail("%s was lost: %v", d.user, body.Err)
		}
		d.lost()
	}
}

// forgotten is called when the space does not know the device any more. It goes
// on as another; what was not acknowledged stays unknown.
func (d *worldDevice) forgotten(head uint64) {
	w := d.w
	horizon := d.rig.perform(GetOp{Keys: []ItemKey{{Kind: ItemHorizon}}}).Items[0].Version
	for _, c := range w.history[min(head, max(horizon, 1)-1):head] {
		for _, m := range c.Mutations {
			if m.Author.Device == d.device {
				w.fail("%s was forgotten, but commit %d is not behind the horizon %d", d.user, c.Seq, horizon)
			}
		}
	}
	d.giveUp()
}

// giveUp takes a new device id.
func (d *worldDevice) giveUp() {
	w := d.w
	old := *d
	w.retired = append(w.retired, &old)
	d.core.Detach(w.now, d.session)
	d.rig.take()
	d.lost()
	name := fmt.Sprintf("n%d", len(w.retired))
	*d = worldDevice{
		testClient: newTestClient(name), w: w, retryAt: w.now,
		verdicts: make(map[uint64]protocol.Verdict), replica: d.replica, open: d.open,
	}
}

func (d *worldDevice) learn(list []protocol.Verdict) {
	for _, v := range list {
		if known, ok := d.verdicts[v.Counter]; ok && (known.Outcome != v.Outcome || known.Seq != v.Seq) {
			d.w.fail("%s %d got two verdicts: %+v and %+v", d.user, v.Counter, known, v)
		}
		d.verdicts[v.Counter] = v
	}
}

// read brings the replica a step on.
func (d *worldDevice) read() {
	if !d.open {
		return
	}
	r := d.rig.reader()
	req := ReadRequest{From: d.replica.pos, MaxBytes: 200 + d.w.rnd.IntN(3000), Device: d.device}
	chunk, err := r.Read(req)
	if err != nil {
		if code := protocol.AsError(err).Code; code != protocol.CodeUnavailable {
			d.w.fail("%s reads: %v", d.user, err)
		}
		return
	}
	if chunk.To.Cursor.Seq < d.replica.pos.Cursor.Seq && !chunk.To.Snapshot {
		d.w.fail("%s was taken back from %d to %d", d.user, d.replica.pos.Cursor.Seq, chunk.To.Cursor.Seq)
	}
	d.replica.apply(chunk.Frames)
	d.replica.pos = chunk.To
	d.check()
}

// check compares the replica with the fold of the log up to its cursor.
func (d *worldDevice) check() {
	pos := d.replica.pos
	if pos.Snapshot || pos.Cursor.Seq < d.replica.newest {
		return // in the middle of a snapshot, or too new in parts
	}
	if pos.Cursor.Seq > uint64(len(d.w.history)) {
		d.w.fail("%s was shown %d, but the log ends at %d", d.user, pos.Cursor.Seq, len(d.w.history))
		return
	}
	if !d.w.quiet && !d.w.chance(20) {
		return // it costs
	}
	if got, want := showState(d.replica.records), showState(foldOf(d.w.history[:pos.Cursor.Seq])); got != want {
		d.w.fail("%s at %d has\n%s\nnot\n%s", d.user, pos.Cursor.Seq, got, want)
	}
}
