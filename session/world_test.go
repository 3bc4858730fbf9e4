package session

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidegate/tidegate/protocol"
)

// world is a session with an honest client, honest spaces and an honest shell
// around it, which do what they may in any order: whatever waits, waits as long
// as pick says. It checks what a session promises whenever it says something, and
// at the end that everybody has everything.
type world struct {
	pick   func(n int) int
	s      *Session
	now    protocol.Time
	access *grant
	spaces []*testSpace
	// allowed are the spaces that the access in force allows.
	allowed map[string]bool

	// The shell.
	writing  *Outgoing
	replies  []Input    // in order
	reads    []openRead // answered in any order
	attached map[protocol.Handle]*testSpace
	offered  map[protocol.Handle]uint64
	cursors  map[protocol.Handle]protocol.Cursor
	open     []Push // without a verdict, in order
	ended    bool

	// The client.
	client struct {
		outbox    []protocol.Frame // in order
		welcome   *protocol.Welcome
		handle    protocol.Handle
		subs      map[protocol.Handle]*clientSub
		window    uint64
		received  uint64
		acked     uint64 // as the session has seen it
		counter   map[string]uint64
		cursor    map[string]protocol.Cursor
		unsettled []unsettled
		pushes    int
		refreshes int
	}
	err error
}

// openRead is a read that is not answered. What it found may be older than its
// answer.
type openRead struct {
	Read
	found *Chunk
}

type unsettled struct {
	handle  protocol.Handle
	counter uint64
	size    int
	// push tells mutations of one push from those of the next.
	push int
}

type testSpace struct {
	name    string
	log     []testCommit
	horizon uint64
}

type testCommit struct {
	pad    int
	notice bool
}

type clientSub struct {
	space    *testSpace
	ready    bool
	ending   bool
	snapshot bool
	noticed  bool
	cursor   protocol.Cursor
	told     protocol.Cursor
}

func (w *world) failf(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (sp *testSpace) head() protocol.Cursor { return cursor(uint64(len(sp.log))) }

// read is what an honest space answers.
func (sp *testSpace) read(r Read) Chunk {
	c := Chunk{Handle: r.Handle, To: r.From}
	if !r.From.Snapshot && r.From.Cursor.Seq+1 < sp.horizon {
		c.To = Position{Snapshot: true}
	}
	if c.To.Snapshot {
		page, begun := c.To.Scan.(int)
		if !begun {
			c.To.Cursor = sp.head()
			c.Frames = protocol.AppendFrame(c.Frames, &protocol.Snapshot{})
		}
		c.Frames = protocol.AppendFrame(c.Frames, padding(min(200, r.MaxBytes/2)))
		if c.To.Scan = page + 1; page == 2 {
			c.Frames = protocol.AppendFrame(c.Frames, &protocol.SnapshotEnd{Cursor: c.To.Cursor})
			c.To = Position{Cursor: c.To.Cursor}
		}
		c.More = c.To.Snapshot || c.To.Cursor.Seq < sp.head().Seq
		return c
	}
	for seq := r.From.Cursor.Seq + 1; seq <= sp.head().Seq; seq++ {
		commit := sp.log[seq-1]
		var frames []byte
		if commit.pad > 0 {
			frames = protocol.AppendFrame(frames, padding(commit.pad))
		}
		if commit.notice && r.Device == device(1) {
			frames = protocol.AppendFrame(frames, &protocol.ConflictNotice{Conflict: protocol.Conflict{Seq: seq, Collection: "c", ID: "i", Policy: protocol.PolicyLWW}})
		}
		frames = protocol.AppendFrame(frames, &protocol.Advance{Cursor: cursor(seq)})
		if len(c.Frames) > 0 && len(c.Frames)+len(frames) > r.MaxBytes {
			break
		}
		c.Frames = append(c.Frames, frames...)
		c.To.Cursor = cursor(seq)
	}
	c.More = c.To.Cursor.Seq < sp.head().Seq
	return c
}

func padding(n int) protocol.Frame { return &protocol.Compressed{Data: make([]byte, n)} }

func newWorld(faults Faults, pick func(n int) int) *world {
	w := &world{
		pick:     pick,
		now:      epoch,
		attached: map[protocol.Handle]*testSpace{},
		offered:  map[protocol.Handle]uint64{},
		cursors:  map[protocol.Handle]protocol.Cursor{},
		allowed:  map[string]bool{},
	}
	limits := testLimits()
	w.s = New(Config{Limits: limits, ChunkBytes: 600, Faults: faults}, w.now)
	w.client.subs = map[protocol.Handle]*clientSub{}
	w.client.counter = map[string]uint64{}
	w.client.cursor = map[string]protocol.Cursor{}
	w.client.window = uint64(300 + 500*pick(4))
	for i := range 3 {
		sp := &testSpace{name: string(rune('a' + i))}
		for range pick(20) {
			w.commit(sp)
		}
		w.spaces = append(w.spaces, sp)
		w.allowed[sp.name] = true
		// Some of it this device has from an earlier connection.
		if n := len(sp.log); n > 0 {
			w.client.cursor[sp.name] = cursor(uint64(pick(n + 1)))
		}
	}
	w.access = w.grant()
	w.client.outbox = append(w.client.outbox, &protocol.Hello{Version: 1, Device: device(1), Window: w.client.window})
	return w
}

// grant allows what the world allows.
func (w *world) grant() *grant {
	return &grant{user: "ann", tenant: "acme", write: slices.Sorted(maps.Keys(w.allowed))}
}

func (w *world) commit(sp *testSpace) {
	sp.log = append(sp.log, testCommit{pad: []int{0, 10, 100, 400, 2000}[w.pick(5)], notice: w.pick(4) == 0})
	for _, h := range slices.Sorted(maps.Keys(w.attached)) {
		if w.attached[h] == sp {
			w.replies = append(w.replies, Head{Handle: h, Cursor: sp.head()})
		}
	}
}

// step steps an input, and does or notes what the session wants.
func (w *world) step(in Input) {
	if w.err != nil || w.ended {
		return
	}
	w.s.Step(w.now, in)
	r := w.s.Ready()
	w.check(&r)
	if r.Authenticate != nil {
		w.replies = append(w.replies, Authenticated{})
	}
	for _, a := range r.Attach {
		sp := w.spaces[a.Space[0]-'a']
		w.attached[a.Handle] = sp
		mode := protocol.ModeResume
		if a.Cursor.Seq+1 < sp.horizon || a.Cursor.Seq == 0 && len(sp.log) > 0 {
			mode = protocol.ModeSnapshot
		}
		w.replies = append(w.replies, Attached{Handle: a.Handle, Subscribed: protocol.Subscribed{Mode: mode, Head: sp.head(), Write: true}})
	}
	w.open = append(w.open, r.Push...)
	for _, q := range r.Read {
		open := openRead{Read: q}
		if w.pick(2) == 0 {
			found := w.attached[q.Handle].read(q)
			open.found = &found
		}
		w.reads = append(w.reads, open)
	}
	for _, h := range r.Detach {
		delete(w.attached, h)
		w.open = slices.DeleteFunc(w.open, func(p Push) bool { return p.Handle == h })
	}
	if r.Write != nil {
		w.writing = r.Write
	}
}

// check is what holds of everything that a session says.
func (w *world) check(r *Ready) {
	if r.Close != nil {
		w.failf("closed: %+v", *r.Close)
		return
	}
	if r.Wake != 0 && r.Wake <= w.now {
		w.failf("it wants to be woken %d ms ago", w.now-r.Wake)
	}
	for _, p := range r.Push {
		if w.offered[p.Handle]++; p.ID != w.offered[p.Handle] || w.attached[p.Handle] == nil {
			w.failf("push %d of handle %d", p.ID, p.Handle)
		}
		if !w.allowed[w.attached[p.Handle].name] {
			w.failf("pushed to a space that is not allowed")
		}
	}
	for _, c := range r.Cursor {
		if c.Cursor.Seq < w.cursors[c.Handle].Seq {
			w.failf("handle %d went back from %d to %d", c.Handle, w.cursors[c.Handle].Seq, c.Cursor.Seq)
		}
		w.cursors[c.Handle] = c.Cursor
	}
	for _, q := range r.Read {
		if slices.ContainsFunc(w.reads, func(o openRead) bool { return o.Handle == q.Handle }) {
			w.failf("two reads of handle %d at once", q.Handle)
		}
		if q.MaxBytes <= 0 {
			w.failf("a read of %d bytes", q.MaxBytes)
		}
	}
	if len(w.reads)+len(r.Read) > maxReads {
		w.failf("%d reads at once", len(w.reads)+len(r.Read))
	}
	if r.Write != nil {
		if w.writing != nil {
			w.failf("a write while one is under way")
		}
		w.checkDelivery(r.Write)
	}
	if err := checkBounds(w.s); err != nil {
		w.failf("%v", err)
	}
}

// checkDelivery holds a message against the window and the access in force.
func (w *world) checkDelivery(out *Outgoing) {
	in, ok := decode(out.Prefix)[0].(*protocol.In)
	if !ok {
		if len(out.Frames) > 0 {
			w.failf("a delivery without an In")
		}
		return
	}
	sp := w.attached[in.Handle]
	if sp == nil {
		w.failf("a delivery for handle %d, which is not attached", in.Handle)
		return
	}
	if !w.allowed[sp.name] {
		w.failf("space %s was delivered, which is not allowed", sp.name)
	}
	sent := w.s.Status().Sent
	before := sent - uint64(out.Len()) - w.client.acked
	if window := w.client.window; window == 0 || before > 0 && before+uint64(out.Len()) > window {
		w.failf("%d bytes sent with %d outstanding, of a window of %d", out.Len(), before, window)
	}
}

// checkBounds is what must hold of a session's insides.
func checkBounds(s *Session) error {
	bytes, count, held, fetched := 0, 0, 0, 0
	for _, sub := range s.subs {
		for _, p := range sub.open {
			b, n := p.rest()
			bytes, count = bytes+b, count+n
		}
		for _, a := range sub.answers {
			bytes, count = bytes+a.bytes, count+a.count
		}
		if sub.held != nil {
			held++
		}
		fetched += sub.fetches.asked + len(sub.fetches.ready)
		if len(sub.present.changed) > maxPresent || len(sub.present.changed) != len(sub.present.order) {
			return fmt.Errorf("%d presences wait, %d of them in order", len(sub.present.changed), len(sub.present.order))
		}
		if sub.acked.Seq > sub.delivered.Seq {
			return fmt.Errorf("seq %d is acknowledged, %d was delivered", sub.acked.Seq, sub.delivered.Seq)
		}
	}
	l := &s.cfg.Limits
	switch {
	case bytes != s.up.bytes || count != s.up.count:
		return fmt.Errorf("the push window holds %d bytes and %d mutations, but counts %d and %d", bytes, count, s.up.bytes, s.up.count)
	case bytes > l.PushWindowBytes || count > l.PushWindowMutations:
		return fmt.Errorf("the push window holds %d bytes and %d mutations", bytes, count)
	case held > maxReads:
		return fmt.Errorf("%d chunks are held", held)
	case fetched > maxFetches:
		return fmt.Errorf("%d values are asked for", fetched)
	case len(s.subs) > l.Subscriptions:
		return fmt.Errorf("%d subscriptions", len(s.subs))
	case s.heldBytes > 2*l.FrameBytes:
		return fmt.Errorf("%d bytes wait for the token", s.heldBytes)
	case s.lanes.answers > maxAnswers+l.FrameBytes*8:
		return fmt.Errorf("%d bytes of answers wait", s.lanes.answers)
	}
	return nil
}

// act does one thing that may happen now.
func (w *world) act() {
	switch w.pick(16) {
	case 0:
		w.commit(w.spaces[w.pick(len(w.spaces))])
	case 1, 2, 3:
		w.written()
	case 4, 5:
		w.reply()
	case 6, 7:
		w.answerRead()
	case 8:
		w.judge()
	case 9:
		w.now += protocol.Time(w.pick(300))
		w.step(Tick{})
	case 10, 11:
		w.send()
	case 12:
		w.clientAcks()
	case 13:
		w.clientPushes()
	case 14:
		w.clientSubscribes()
	case 15:
		w.rare()
	}
}

func (w *world) written() {
	if w.writing == nil {
		return
	}
	msg := w.writing
	w.writing = nil
	w.receive(msg)
	w.step(Written{})
}

func (w *world) reply() {
	if len(w.replies) == 0 {
		return
	}
	in := w.replies[0]
	w.replies = w.replies[1:]
	if _, ok := in.(Authenticated); ok {
		if w.client.welcome != nil {
			delete(w.allowed, w.spaces[0].name)
		}
		w.access = w.grant()
		in = Authenticated{Access: w.access}
	}
	w.step(in)
}

func (w *world) answerRead() {
	if len(w.reads) == 0 {
		return
	}
	i := w.pick(len(w.reads))
	r := w.reads[i]
	w.reads = slices.Delete(w.reads, i, i+1)
	sp := w.attached[r.Handle]
	if sp == nil {
		// The space has been let go of; the answer comes all the same.
		w.step(ReadFailed{Handle: r.Handle, Err: fmt.Errorf("detached")})
		return
	}
	if w.pick(10) == 0 {
		w.step(ReadFailed{Handle: r.Handle, Err: fmt.Errorf("the store is busy")})
		return
	}
	if r.found == nil {
		found := sp.read(r.Read)
		r.found = &found
	}
	w.step(*r.found)
}

// judge lets a space answer its oldest push, in one of three ways.
func (w *world) judge() {
	if len(w.open) == 0 {
		return
	}
	p := w.open[0]
	w.open = w.open[1:]
	switch w.pick(6) {
	case 0:
		w.replies = append(w.replies, PushRefused{Handle: p.Handle, Push: p.ID, Err: protocol.Errorf(protocol.CodeBase, "base")})
	case 1:
		w.replies = append(w.replies, Verdicts{Handle: p.Handle, Push: p.ID, Verdicts: protocol.Verdicts{Replay: true}})
	default:
		v := Verdicts{Handle: p.Handle}
		for i := range p.Bodies {
			v.Verdicts.List = append(v.Verdicts.List, protocol.Verdict{Counter: p.First + uint64(i)})
		}
		w.replies = append(w.replies, v)
	}
}

// rare is what does not happen all the time.
func (w *world) rare() {
	switch w.pick(12) {
	case 0:
		handles := slices.Sorted(maps.Keys(w.client.subs))
		if len(handles) == 0 {
			return
		}
		h := handles[w.pick(len(handles))]
		if !w.client.subs[h].ending {
			w.client.subs[h].ending = true
			w.client.outbox = append(w.client.outbox, &protocol.Unsubscribe{Handle: h})
		}
	case 1:
		w.client.outbox = append(w.client.outbox, &protocol.Ping{})
	case 2:
		if w.client.welcome != nil {
			w.client.outbox = append(w.client.outbox, &protocol.Window{Bytes: uint64(300 * w.pick(6))})
		}
	case 3:
		sp := w.spaces[w.pick(len(w.spaces))]
		sp.horizon = uint64(w.pick(len(sp.log) + 1))
	case 4:
		// The access changes its mind; deliveries that are on their way are not meant.
		if w.client.welcome != nil && w.pick(3) == 0 {
			delete(w.allowed, w.spaces[w.pick(len(w.spaces))].name)
			w.access.write = slices.Sorted(maps.Keys(w.allowed))
		}
	case 5:
		// A fresh token for less. Until the session hears of it, the old one counts.
		if w.client.welcome != nil && w.client.refreshes == 0 {
			w.client.refreshes++
			w.client.outbox = append(w.client.outbox, &protocol.Token{Token: "fresh"})
		}
	}
}

// finish lets everything come to rest, commits once more while the last commit is
// being read, and says whether everybody has everything.
func (w *world) finish() {
	w.rest()
	for _, sp := range w.spaces {
		for range 2 {
			w.commit(sp)
			for len(w.replies) > 0 && w.err == nil {
				w.reply()
			}
		}
	}
	w.rest()
	w.complete()
}

// rest does all that waits, until nothing does.
func (w *world) rest() {
	for round := 0; round < 2000 && w.err == nil; round++ {
		w.clientAcks()
		for (len(w.client.outbox) > 0 || len(w.replies) > 0 || len(w.reads) > 0 || len(w.open) > 0 || w.writing != nil) && w.err == nil {
			w.send()
			w.reply()
			w.answerRead()
			w.judge()
			w.written()
		}
		if w.client.window < 300 {
			w.client.outbox = append(w.client.outbox, &protocol.Window{Bytes: 300})
			continue
		}
		if w.done() {
			break
		}
		w.now += 1000
		w.step(Tick{})
	}
}

// complete checks that nothing is missing.
func (w *world) complete() {
	if w.err != nil {
		return
	}
	for _, h := range slices.Sorted(maps.Keys(w.client.subs)) {
		sub := w.client.subs[h]
		switch {
		case !w.allowed[sub.space.name] && sub.cursor == sub.space.head():
			// Nothing has come since the access was lost: nobody had to notice.
		case !sub.ready || sub.ending || sub.snapshot || sub.cursor != sub.space.head():
			w.failf("space %s: the client stands at %d of %d: %+v", sub.space.name, sub.cursor.Seq, sub.space.head().Seq, *sub)
		}
	}
	if st := w.s.Status(); len(w.client.unsettled) > 0 || st.PushedMutations > 0 || st.PushedBytes > 0 {
		w.failf("%d mutations have no verdict, the session counts %d", len(w.client.unsettled), st.PushedMutations)
	}
}

func (w *world) done() bool {
	if len(w.client.unsettled) > 0 {
		return false
	}
	for _, sub := range w.client.subs {
		if sub.ending || sub.cursor != sub.space.head() {
			return false
		}
	}
	return true
}

// lie acknowledges what was not sent: the only dishonest thing in this world.
func (w *world) lie() {
	if w.err != nil {
		return
	}
	w.s.Step(w.now, Message{Bytes: protocol.EncodeMessage(&protocol.Ack{Received: w.client.received + 1})})
	if r := w.s.Ready(); r.Close == nil && w.s.state != closing {
		w.failf("a lie was believed")
	}
}

// runWorld plays steps and then lets everything come to rest.
func runWorld(faults Faults, steps int, pick func(n int) int) error {
	w := newWorld(faults, pick)
	for i := 0; i < steps && w.err == nil; i++ {
		w.act()
	}
	w.finish()
	w.lie()
	return w.err
}

// TestHonestWorld: whatever the order in which things happen, no commit is
// missed, no window is overrun, nothing is delivered that is not allowed, and at
// the end everybody has everything.
func TestHonestWorld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") }
		if err := runWorld(Faults{}, draw(400), draw); err != nil {
			t.Fatal(err)
		}
	})
}

func seeded(seed uint64) func(n int) int {
	rng := rand.New(rand.NewPCG(seed, 1))
	return func(n int) int { return rng.IntN(n) }
}

// TestFaultsAreFound: the world finds each planted bug, so it would find others.
func TestFaultsAreFound(t *testing.T) {
	const seeds = 400
	run := func(faults Faults) (seed uint64, err error) {
		for seed := range uint64(seeds) {
			if err := runWorld(faults, 300, seeded(seed)); err != nil {
				return seed, err
			}
		}
		return 0, nil
	}
	if seed, err := run(Faults{}); err != nil {
		t.Fatalf("no bug is planted, but with seed %d: %v", seed, err)
	}
	for name, faults := range map[string]Faults{
		"CursorBeforeDelivery": {CursorBeforeDelivery: true},
		"IgnoreWindow":         {IgnoreWindow: true},
		"ResumeSkipsOne":       {ResumeSkipsOne: true},
		"SnapshotToHead":       {SnapshotToHead: true},
		"NoNotices":            {NoNotices: true},
		"LostWakeup":           {LostWakeup: true},
		"DropVerdicts":         {DropVerdicts: true},
		"AcceptAnyAck":         {AcceptAnyAck: true},
		"KeepGrant":            {KeepGrant: true},
		"SkipDeliveryCheck":    {SkipDeliveryCheck: true},
	} {
		t.Run(name, func(t *testing.T) {
			seed, err := run(faults)
			if err == nil {
				t.Fatalf("not found in %d seeds", seeds)
			}
			t.Logf("seed %d: %v", seed, err)
		})
	}
}
