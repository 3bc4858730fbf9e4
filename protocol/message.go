package protocol

import (
	"reflect"
)

// NameSource returns the name table of the space that a handle stands for. A nil
// NameSource, or a nil table, leaves literal names only: numbers are an error
// then. Decoding a commit's header or a snapshot's beginning changes the table.
type NameSource func(Handle) *NameTable

// Decoder decodes messages from a server.
type Decoder struct {
	// Names finds the name tables; see [NameSource].
	Names NameSource
	// Decompress returns the frames that data holds, compressed with the given
	// dictionary (0 for none). It bounds what it returns. If it is nil, compressed
	// frames come out as *Compressed.
	Decompress func(dictionary uint32, data []byte) ([]byte, error)
}

// frameType is what is known of a type of frame.
type frameType struct {
	name string
	// make returns an empty frame of size bytes.
	make func() Frame
	size int
	// fromClient is set for what a client may send.
	fromClient bool
}

var frameTypes = map[FrameType]frameType{
	FrameHello:        {name: "hello", make: func() Frame { return new(Hello) }, fromClient: true},
	FrameWelcome:      {name: "welcome", make: func() Frame { return new(Welcome) }},
	FrameSubscribe:    {name: "subscribe", make: func() Frame { return new(Subscribe) }, fromClient: true},
	FrameSubscribed:   {name: "subscribed", make: func() Frame { return new(Subscribed) }},
	FrameUnsubscribe:  {name: "unsubscribe", make: func() Frame { return new(Unsubscribe) }, fromClient: true},
	FramePush:         {name: "push", make: func() Frame { return new(Push) }, fromClient: true},
	FrameVerdicts:     {name: "verdicts", make: func() Frame { return new(Verdicts) }},
	FrameIn:           {name: "in", make: func() Frame { return new(In) }},
	FrameCommit:       {name: "commit", make: func() Frame { return new(CommitHeader) }},
	FrameSection:      {name: "section", make: func() Frame { return new(Section) }},
	FrameConflict:     {name: "conflict", make: func() Frame { return new(ConflictNotice) }},
	FrameAdvance:      {name: "advance", make: func() Frame { return new(Advance) }},
	FrameSnapshot:     {name: "snapshot", make: func() Frame { return new(Snapshot) }},
	FramePage:         {name: "page", make: func() Frame { return new(Page) }},
	FrameSnapshotEnd:  {name: "snapshot end", make: func() Frame { return new(SnapshotEnd) }},
	FrameAck:          {name: "ack", make: func() Frame { return new(Ack) }, fromClient: true},
	FrameWindow:       {name: "window", make: func() Frame { return new(Window) }, fromClient: true},
	FramePresence:     {name: "presence", make: func() Frame { return new(Presence) }, fromClient: true},
	FramePresent:      {name: "present", make: func() Frame { return new(Present) }},
	FrameToken:        {name: "token", make: func() Frame { return new(Token) }, fromClient: true},
	FrameTokenAccept:  {name: "token accept", make: func() Frame { return new(TokenAccept) }},
	FrameError:        {name: "error", make: func() Frame { return new(ErrorFrame) }},
	FrameGoingAway:    {name: "going away", make: func() Frame { return new(GoingAway) }},
	FramePing:         {name: "ping", make: func() Frame { return new(Ping) }, fromClient: true},
	FramePong:         {name: "pong", make: func() Frame { return new(Pong) }, fromClient: true},
	FrameFetch:        {name: "fetch", make: func() Frame { return new(Fetch) }, fromClient: true},
	FrameFetched:      {name: "fetched", make: func() Frame { return new(Fetched) }},
	FrameUnsubscribed: {name: "unsubscribed", make: func() Frame { return new(Unsubscribed) }},
	FrameCompressed:   {name: "compressed", make: func() Frame { return new(Compressed) }},
}

// frames is frameTypes by number, with the sizes.
var frames = func() (list [FrameCompressed + 1]frameType) {
	for number, kind := range frameTypes {
		kind.size = int(reflect.TypeOf(kind.make()).Elem().Size())
		list[number] = kind
	}
	return list
}()

// String returns the frame's name as SPEC.md has it.
func (t FrameType) String() string {
	if int(t) < len(frames) && frames[t].name != "" {
		return frames[t].name
	}
	return "unknown frame"
}

// AppendFrame appends a frame, with collections and fields as literal names.
func AppendFrame(dst []byte, f Frame) []byte { return AppendFrameNamed(dst, f, nil) }

// AppendFrameNamed is AppendFrame, but collections and fields that stand in
// names travel as their numbers.
func AppendFrameNamed(dst []byte, f Frame, names *NameTable) []byte {
	w := newWriter(dst, names)
	f.encode(w)
	return w.done()
}

// EncodeMessage returns a whole message.
func EncodeMessage(frames ...Frame) []byte {
	w := newWriter(AppendFormat(nil), nil)
	for _, f := range frames {
		f.encode(w)
	}
	return w.done()
}

// DecodeMessage decodes a message, as a client does. The frames do not refer to
// msg. The error is an *Error: CodeUpgrade for an unknown format, CodeMalformed
// (with what and where) for anything else.
func DecodeMessage(msg []byte, names NameSource) ([]Frame, error) {
	return Decoder{Names: names}.Decode(msg)
}

// Decode is DecodeMessage with the decoder's options.
func (d Decoder) Decode(msg []byte) ([]Frame, error) {
	if err := checkFormat(msg); err != nil {
		return nil, err
	}
	list, err := d.frames(nil, msg[1:], d.table(0), false)
	if err == nil && len(list) == 0 {
		err = Errorf(CodeMalformed, "the message holds no frame")
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

// DecodeDelivery decodes frames without a format byte, such as a commit's wire
// part, all of one space with this name table (which may be nil).
func DecodeDelivery(data []byte, names *NameTable) ([]Frame, error) {
	list, err := Decoder{}.frames(nil, data, names, false)
	if err != nil {
		return nil, err
	}
	return list, nil
}

// DecodeClientMessage scans and decodes a message from a client, as a server
// does: frames that only a server sends are malformed here. What it allocates is
// at most four times the message and 64 KiB. A push's bodies are copied, and
// otherwise untouched.
func DecodeClientMessage(msg []byte) ([]Frame, error) {
	if err := Scan(msg, MaxElements); err != nil {
		return nil, err
	}
	r := newReader(msg, "message", CodeMalformed, clientMemory, memoryBase)
	r.pos = 1
	var list []Frame
	for r.more() {
		f := r.frame(true)
		if r.err == nil {
			list = append(list, f)
		}
	}
	if r.err == nil && len(list) == 0 {
		r.err = Errorf(CodeMalformed, "the message holds no frame")
	}
	if r.err != nil {
		return nil, r.err
	}
	return list, nil
}

func (d Decoder) table(h Handle) *NameTable {
	if d.Names == nil {
		return nil
	}
	return d.Names(h)
}

// frames decodes what follows the format byte. Compressed frames are replaced
// by what they hold.
func (d Decoder) frames(list []Frame, data []byte, names *NameTable, unpacked bool) ([]Frame, *Error) {
	r := newReader(data, "message", CodeMalformed, deliveredMemory, memoryBase)
	r.names = names
	for r.more() {
		f := r.frame(false)
		if r.err != nil {
			break
		}
		switch f := f.(type) {
		case *In:
			if unpacked {
				return nil, Errorf(CodeMalformed, "an in frame stands in a compressed frame")
			}
			r.names = d.table(f.Handle)
		case *Compressed:
			if d.Decompress == nil {
				break
			}
			if unpacked {
				return nil, Errorf(CodeMalformed, "a compressed frame stands in a compressed frame")
			}
			inner, err := d.Decompress(f.Dictionary, f.Data)
			if err != nil {
				return nil, Errorf(CodeMalformed, "compressed frame: %v", err)
			}
			var failed *Error
			if list, failed = d.frames(list, inner, r.names, true); failed != nil {
				return nil, failed
			}
			continue
		}
		list = append(list, f)
	}
	if r.err != nil {
		return nil, r.err
	}
	return list, nil
}

// frame reads one frame.
func (r *reader) frame(client bool) Frame {
	r.what = "message"
	n := r.array("frame", 1)
	if r.err == nil && n == 0 {
		r.fail("frame", "an empty array is no frame")
	}
	number := r.uint("frame type")
	if r.err != nil {
		return nil
	}
	if number >= uint64(len(frames)) || frames[number].make == nil {
		r.fail("frame type", "%d is not known", number)
		return nil
	}
	kind := &frames[number]
	r.what = kind.name
	if r.only != 0 && FrameType(number) != r.only {
		r.fail("frame type", "it stands where a %s belongs", frames[r.only].name)
		return nil
	}
	if client && !kind.fromClient {
		r.fail("frame type", "a client does not send this frame")
		return nil
	}
	// Besides itself a frame costs its place in a list that grows by doubling.
	if !r.charge("frame", kind.size+4*16) {
		return nil
	}
	switch FrameType(number) {
	case FrameCommit, FrameSection, FrameConflict:
	default:
		r.mutations = -1
	}
	f := kind.make()
	f.decode(r, n-1)
	return f
}
