package protocol

import "math"

// The frames that a connection exchanges about itself. Each encode writes the
// array that SPEC.md shows; its decode reads the same elements in the same
// order.

// open begins a frame of n elements behind its type.
func (w *writer) open(t FrameType, n int) {
	w.array(n + 1)
	w.uint(uint64(t))
}

func (f *Hello) encode(w *writer) {
	w.open(FrameHello, 7)
	w.uint(uint64(f.Version))
	w.strings(f.Compression)
	w.string(f.Token)
	w.bytes(f.Device[:])
	w.int(int64(f.Clock))
	w.uint(f.Window)
	w.string(f.Client)
}

func (f *Hello) decode(r *reader, n int) {
	r.arity("frame", n, 7)
	f.Version = r.uint32("version")
	f.Compression = r.strings("compression")
	f.Token = r.accessToken()
	r.fixed("device", f.Device[:])
	f.Clock = r.time("clock")
	f.Window = r.uint("window")
	f.Client = r.string("client")
}

// accessToken reads a token, which nothing may parse before its length is known.
func (r *reader) accessToken() string {
	token := r.string("token")
	if len(token) > MaxTokenBytes && r.err == nil {
		r.err = Errorf(CodeTooLarge, "%s: the token is longer than %d bytes", r.what, MaxTokenBytes)
	}
	return token
}

func (f *Welcome) encode(w *writer) {
	w.open(FrameWelcome, 11)
	w.uint(uint64(f.Version))
	w.string(f.Compression)
	w.string(f.Session)
	w.int(int64(f.Clock))
	w.string(f.User)
	w.int(int64(f.Expires))
	w.uint(f.Window)
	w.uint(f.WindowMutations)
	w.uint(f.FrameBytes)
	w.uint(f.MutationBytes)
	w.uint(f.PingEvery)
}

func (f *Welcome) decode(r *reader, n int) {
	r.arity("frame", n, 11)
	f.Version = r.uint32("version")
	f.Compression = r.string("compression")
	f.Session = r.string("session")
	f.Clock = r.time("clock")
	f.User = r.string("user")
	f.Expires = r.time("expires")
	f.Window = r.uint("window")
	f.WindowMutations = r.uint("window in mutations")
	f.FrameBytes = r.uint("frame bytes")
	f.MutationBytes = r.uint("mutation bytes")
	f.PingEvery = r.uint("ping every")
}

func (f *Subscribe) encode(w *writer) {
	w.open(FrameSubscribe, 8)
	w.uint(uint64(f.Handle))
	w.string(f.Space)
	w.bytes(f.Device[:])
	w.cursor(f.Cursor)
	w.uint(f.Counter)
	w.strings(f.Collections)
	w.uint(uint64(f.Priority))
	w.bool(f.Presence)
}

func (f *Subscribe) decode(r *reader, n int) {
	r.arity("frame", n, 8)
	f.Handle = r.handle()
	f.Space = r.string("space")
	r.fixed("device", f.Device[:])
	f.Cursor = r.cursor("cursor")
	f.Counter = r.uint("counter")
	f.Collections = r.strings("collections")
	f.Priority = uint8(r.small("priority", math.MaxUint8))
	f.Presence = r.bool("presence")
}

func (f *Subscribed) encode(w *writer) {
	w.open(FrameSubscribed, 11)
	w.uint(uint64(f.Handle))
	w.uint(uint64(f.Mode))
	w.cursor(f.Head)
	w.uint(f.Horizon)
	w.bool(f.Known)
	w.uint(f.Counter)
	w.bytes(f.Hash[:])
	w.recent(f.Recent)
	w.verdicts(f.Rejections)
	w.bool(f.Write)
	w.uint(uint64(f.SchemaVersion))
}

func (f *Subscribed) decode(r *reader, n int) {
	r.arity("frame", n, 11)
	f.Handle = r.handle()
	f.Mode = SubscribeMode(r.small("mode", uint64(ModeOtherHistory)))
	f.Head = r.cursor("head")
	f.Horizon = r.uint("horizon")
	f.Known = r.bool("known")
	f.Counter = r.uint("counter")
	r.fixed("hash", f.Hash[:])
	f.Recent = r.recent("recent")
	f.Rejections = r.verdicts("rejections")
	f.Write = r.bool("write")
	f.SchemaVersion = r.uint32("schema version")
}

func (f *Unsubscribe) encode(w *writer) {
	w.open(FrameUnsubscribe, 1)
	w.uint(uint64(f.Handle))
}

func (f *Unsubscribe) decode(r *reader, n int) {
	r.arity("frame", n, 1)
	f.Handle = r.handle()
}

func (f *Unsubscribed) encode(w *writer) {
	w.open(FrameUnsubscribed, 3)
	w.uint(uint64(f.Handle))
	w.string(string(f.Code))
	w.string(f.Message)
}

func (f *Unsubscribed) decode(r *reader, n int) {
	r.arity("frame", n, 3)
	f.Handle = r.handle()
	f.Code = Code(r.string("code"))
	f.Message = r.string("message")
}

func (f *Push) encode(w *writer) {
	w.open(FramePush, 4)
	w.uint(uint64(f.Handle))
	w.uint(f.First)
	w.bytes(f.Previous[:])
	w.array(len(f.Bodies))
	for _, body := range f.Bodies {
		w.bytes(body)
	}
}

func (f *Push) decode(r *reader, n int) {
	r.arity("frame", n, 4)
	f.Handle = r.handle()
	if f.First = r.uint("first"); f.First == 0 {
		r.fail("first", "counters start at 1")
	}
	r.fixed("previous", f.Previous[:])
	count := r.array("bodies", 2)
	if count == 0 {
		r.fail("bodies", "there is none")
	}
	f.Bodies = allocate[[]byte](r, "bodies", count)
	for i := range f.Bodies {
		f.Bodies[i] = r.bytes("bodies")
	}
}

func (f *Verdicts) encode(w *writer) {
	w.open(FrameVerdicts, 5)
	w.uint(uint64(f.Handle))
	w.uint(f.Counter)
	w.bytes(f.Hash[:])
	w.bool(f.Replay)
	w.verdicts(f.List)
}

func (f *Verdicts) decode(r *reader, n int) {
	r.arity("frame", n, 5)
	f.Handle = r.handle()
	f.Counter = r.uint("counter")
	r.fixed("hash", f.Hash[:])
	f.Replay = r.bool("replay")
	f.List = r.verdicts("list")
}

func (f *In) encode(w *writer) {
	w.open(FrameIn, 1)
	w.uint(uint64(f.Handle))
}

func (f *In) decode(r *reader, n int) {
	r.arity("frame", n, 1)
	f.Handle = r.handle()
}

func (f *Ack) encode(w *writer) {
	w.open(FrameAck, 3)
	w.uint(f.Received)
	w.array(len(f.Cursors))
	for _, c := range f.Cursors {
		w.array(2)
		w.uint(uint64(c.Handle))
		w.cursor(c.Cursor)
	}
	w.array(len(f.Confirmed))
	for _, c := range f.Confirmed {
		w.array(2)
		w.uint(uint64(c.Handle))
		w.array(len(c.Counters))
		for _, counter := range c.Counters {
			w.uint(counter)
		}
	}
}

func (f *Ack) decode(r *reader, n int) {
	r.arity("frame", n, 3)
	f.Received = r.uint("received")
	f.Cursors = allocate[HandleCursor](r, "cursors", r.array("cursors", 14))
	for i := range f.Cursors {
		r.tuple("cursors", 2)
		f.Cursors[i].Handle = r.handle()
		f.Cursors[i].Cursor = r.cursor("cursors")
	}
	f.Confirmed = allocate[HandleCounters](r, "confirmed", r.array("confirmed", 3))
	for i := range f.Confirmed {
		r.tuple("confirmed", 2)
		f.Confirmed[i].Handle = r.handle()
		f.Confirmed[i].Counters = allocate[uint64](r, "confirmed", r.array("confirmed", 1))
		for j := range f.Confirmed[i].Counters {
			f.Confirmed[i].Counters[j] = r.uint("confirmed")
		}
	}
}

func (f *Window) encode(w *writer) {
	w.open(FrameWindow, 1)
	w.uint(f.Bytes)
}

func (f *Window) decode(r *reader, n int) {
	r.arity("frame", n, 1)
	f.Bytes = r.uint("bytes")
}

func (f *Presence) encode(w *writer) {
	w.open(FramePresence, 2)
	w.uint(uint64(f.Handle))
	w.optional(f.Value)
}

func (f *Presence) decode(r *reader, n int) {
	r.arity("frame", n, 2)
	f.Handle = r.handle()
	f.Value = r.optional("value")
}

func (f *Present) encode(w *writer) {
	w.open(FramePresent, 2)
	w.uint(uint64(f.Handle))
	w.presences(f.Devices)
}

func (f *Present) decode(r *reader, n int) {
	r.arity("frame", n, 2)
	f.Handle = r.handle()
	f.Devices = r.presences("devices")
}

func (w *writer) presences(list []DevicePresence) {
	w.array(len(list))
	for i := range list {
		w.array(3)
		w.bytes(list[i].Author.Device[:])
		w.string(list[i].Author.User)
		w.optional(list[i].Value)
	}
}

func (r *reader) presences(field string) []DevicePresence {
	list := allocate[DevicePresence](r, field, r.array(field, 21))
	for i := range list {
		d := &list[i]
		r.tuple(field, 3)
		r.fixed("device", d.Author.Device[:])
		d.Author.User = r.string("user")
		d.Value = r.optional("value")
	}
	return list
}

func (f *Token) encode(w *writer) {
	w.open(FrameToken, 1)
	w.string(f.Token)
}

func (f *Token) decode(r *reader, n int) {
	r.arity("frame", n, 1)
	f.Token = r.accessToken()
}

func (f *TokenAccept) encode(w *writer) {
	w.open(FrameTokenAccept, 1)
	w.int(int64(f.Expires))
}

func (f *TokenAccept) decode(r *reader, n int) {
	r.arity("frame", n, 1)
	f.Expires = r.time("expires")
}

func (f *ErrorFrame) encode(w *writer) {
	w.open(FrameError, 4)
	w.string(string(f.Code))
	w.string(f.Message)
	w.uint(uint64(f.Handle))
	w.uint(f.Counter)
}

func (f *ErrorFrame) decode(r *reader, n int) {
	r.arity("frame", n, 4)
	f.Code = Code(r.string("code"))
	f.Message = r.string("message")
	f.Handle = Handle(r.uint32("handle"))
	f.Counter = r.uint("counter")
}

func (f *GoingAway) encode(w *writer) {
	w.open(FrameGoingAway, 1)
	w.uint(f.Within)
}

func (f *GoingAway) decode(r *reader, n int) {
	r.arity("frame", n, 1)
	f.Within = r.uint("within")
}

func (f *Ping) encode(w *writer) {
	w.open(FramePing, 1)
	w.uint(f.Nonce)
}

func (f *Ping) decode(r *reader, n int) {
	r.arity("frame", n, 1)
	f.Nonce = r.uint("nonce")
}

func (f *Pong) encode(w *writer) {
	w.open(FramePong, 2)
	w.uint(f.Nonce)
	w.int(int64(f.Clock))
}

func (f *Pong) decode(r *reader, n int) {
	r.arity("frame", n, 2)
	f.Nonce = r.uint("nonce")
	f.Clock = r.time("clock")
}

func (f *Fetch) encode(w *writer) {
	w.open(FrameFetch, 2)
	w.uint(uint64(f.Handle))
	w.bytes(f.Blob[:])
}

func (f *Fetch) decode(r *reader, n int) {
	r.arity("frame", n, 2)
	f.Handle = r.handle()
	r.fixed("blob", f.Blob[:])
}

func (f *Fetched) encode(w *writer) {
	w.open(FrameFetched, 3)
	w.uint(uint64(f.Handle))
	w.bytes(f.Blob[:])
	w.optional(f.Value)
}

func (f *Fetched) decode(r *reader, n int) {
	r.arity("frame", n, 3)
	f.Handle = r.handle()
	r.fixed("blob", f.Blob[:])
	f.Value = r.optional("value")
}

func (f *Compressed) encode(w *writer) {
	w.open(FrameCompressed, 2)
	w.uint(uint64(f.Dictionary))
	w.bytes(f.Data)
}

func (f *Compressed) decode(r *reader, n int) {
	r.arity("frame", n, 2)
	f.Dictionary = r.uint32("dictionary")
	f.Data = r.bytes("data")
}
