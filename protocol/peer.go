package protocol

import "slices"

// PeerMessage is what one gateway tells the others about a space. It travels on
// a bus that loses, repeats and reorders: nothing about correctness depends on
// its arriving, and whoever receives one believes of it only what SPEC.md says.
type PeerMessage struct {
	// Gateway is who sends it; a name, and a hint.
	Gateway string
	// Tenant and Space are what it is about. A receiver drops what came under
	// another subject than theirs.
	Tenant string
	Space  string
	Body   PeerBody
}

// PeerBody is the body of a PeerMessage: one of *PeerCommit, *PeerHead,
// *PeerPresence, *PeerPresenceAsk and *PeerPushes.
type PeerBody interface {
	// peer returns the number of the kind, and how many elements it has.
	peer() (kind uint64, elements int)
	encodePeer(*writer)
	decodePeer(*reader)
}

// peerBodies makes an empty body of each kind; its place is the kind's number.
var peerBodies = [...]func() PeerBody{
	1: func() PeerBody { return new(PeerCommit) },
	2: func() PeerBody { return new(PeerHead) },
	3: func() PeerBody { return new(PeerPresence) },
	4: func() PeerBody { return new(PeerPresenceAsk) },
	5: func() PeerBody { return new(PeerPushes) },
}

// PeerCommit is a commit that is durable.
type PeerCommit struct {
	Seq uint64
	// Data is the commit as it is stored.
	Data []byte
}

// PeerHead says that commits up to Seq are durable: whoever missed the message
// about the last one reads the log.
type PeerHead struct {
	Seq uint64
}

// PeerPresence says what devices that are connected to the sender show, or that
// they have left.
type PeerPresence struct {
	Devices []DevicePresence
}

// PeerPresenceAsk asks the others for what their devices show.
type PeerPresenceAsk struct{}

// PeerPushes hands mutations over to a gateway that reaches the store sooner.
type PeerPushes struct {
	// Time is the sender's clock. A message that lay about for long is not taken:
	// the devices may have sent the same under other ids since.
	Time   Time
	Pushes []PeerPush
}

// PeerPush is what one device has pushed to the sender, which has checked that
// its user may write: see [Push].
type PeerPush struct {
	Author Author
	// First is the counter of Bodies[0].
	First uint64
	// Previous is the device's running hash before Bodies[0].
	Previous Hash
	Bodies   [][]byte
}

// EncodePeer returns a message in its encoding.
func EncodePeer(m *PeerMessage) []byte {
	kind, elements := m.Body.peer()
	size := 64 + len(m.Gateway) + len(m.Tenant) + len(m.Space)
	if commit, ok := m.Body.(*PeerCommit); ok {
		size += len(commit.Data)
	}
	w := newWriter(AppendFormat(make([]byte, 0, size)), nil)
	w.array(4 + elements)
	w.uint(kind)
	w.string(m.Gateway)
	w.string(m.Tenant)
	w.string(m.Space)
	m.Body.encodePeer(w)
	return w.done()
}

// DecodePeer decodes a message from another gateway. A commit's data and the
// bodies of mutations lie in msg, which must not be changed afterwards; besides
// them it allocates at most in proportion to msg. The error is an *Error:
// CodeUpgrade for an unknown format, or a kind of message that only a newer
// gateway sends; CodeMalformed for anything else.
func DecodePeer(msg []byte) (*PeerMessage, error) {
	if err := checkFormat(msg); err != nil {
		return nil, err
	}
	r := newReader(msg, "peer message", CodeMalformed, deliveredMemory, memoryBase)
	r.pos = 1
	m := new(PeerMessage)
	n := r.array("message", 1)
	kind := r.uint("kind")
	if r.err == nil && (kind == 0 || kind >= uint64(len(peerBodies))) {
		return nil, Errorf(CodeUpgrade, "peer message of kind %d is not known", kind)
	}
	if r.err == nil {
		m.Body = peerBodies[kind]()
		_, elements := m.Body.peer()
		r.arity("message", n, 4+elements)
	}
	m.Gateway = r.string("gateway")
	m.Tenant = r.string("tenant")
	m.Space = r.string("space")
	if r.err == nil {
		m.Body.decodePeer(r)
	}
	r.end()
	if r.err != nil {
		return nil, r.err
	}
	return m, nil
}

func (*PeerCommit) peer() (uint64, int)      { return 1, 2 }
func (*PeerHead) peer() (uint64, int)        { return 2, 1 }
func (*PeerPresence) peer() (uint64, int)    { return 3, 1 }
func (*PeerPresenceAsk) peer() (uint64, int) { return 4, 0 }
func (*PeerPushes) peer() (uint64, int)      { return 5, 2 }

func (b *PeerCommit) encodePeer(w *writer) {
	w.uint(b.Seq)
	w.bytes(b.Data)
}

func (b *PeerCommit) decodePeer(r *reader) {
	b.Seq = r.uint("seq")
	b.Data = slices.Clip(r.view("data"))
}

func (b *PeerHead) encodePeer(w *writer) { w.uint(b.Seq) }
func (b *PeerHead) decodePeer(r *reader) { b.Seq = r.uint("seq") }

func (b *PeerPresence) encodePeer(w *writer) { w.presences(b.Devices) }
func (b *PeerPresence) decodePeer(r *reader) { b.Devices = r.presences("devices") }

func (*PeerPresenceAsk) encodePeer(*writer) {}
func (*PeerPresenceAsk) decodePeer(*reader) {}

func (b *PeerPushes) encodePeer(w *writer) {
	w.int(int64(b.Time))
	w.array(len(b.Pushes))
	for i := range b.Pushes {
		p := &b.Pushes[i]
		w.array(5)
		w.bytes(p.Author.Device[:])
		w.string(p.Author.User)
		w.uint(p.First)
		w.bytes(p.Previous[:])
		w.array(len(p.Bodies))
		for _, body := range p.Bodies {
			w.bytes(body)
		}
	}
}

func (b *PeerPushes) decodePeer(r *reader) {
	b.Time = r.time("time")
	b.Pushes = allocate[PeerPush](r, "pushes", r.array("pushes", 40))
	for i := range b.Pushes {
		p := &b.Pushes[i]
		r.tuple("push", 5)
		r.fixed("device", p.Author.Device[:])
		p.Author.User = r.string("user")
		if p.First = r.uint("first"); r.err == nil && p.First == 0 {
			r.fail("first", "counters start at 1")
		}
		r.fixed("previous", p.Previous[:])
		p.Bodies = allocate[[]byte](r, "bodies", r.array("bodies", 2))
		for j := range p.Bodies {
			p.Bodies[j] = slices.Clip(r.view("body"))
		}
		if r.err != nil {
			break
		}
	}
}
