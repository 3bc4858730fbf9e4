package protocol

import (
	"math"
	"slices"

	"pgregory.net/rapid"
)

// Generators of everything that travels, for the property tests. What they make
// is what encoders are given in earnest: valid, and in the normal form in which
// decoders return it (no empty slices where nil is meant).

func listOf[T any](element *rapid.Generator[T], most int) *rapid.Generator[[]T] {
	return rapid.Custom(func(t *rapid.T) []T {
		list := rapid.SliceOfN(element, 0, most).Draw(t, "list")
		if len(list) == 0 {
			return nil
		}
		return list
	})
}

var (
	genText = rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "title", "naïve", "日本語", "e\u0301", "\x00", "0190b5a8-7a54-7cc0-9f2b-1d2c3b4a5968"}),
		rapid.StringN(0, 40, 200),
	)
	genName = rapid.SampledFrom([]string{"tasks", "title", "done", "address.city", "participants", "日付"})
	genUUID = rapid.Custom(func(t *rapid.T) string { return formatUUID(genBytes16.Draw(t, "uuid")) })
	genID   = rapid.OneOf(genUUID, genText)
	genUint = rapid.OneOf(rapid.Uint64Range(0, 300), rapid.Uint64Range(0, MaxInteger))
	genSeq  = rapid.Uint64Range(1, MaxInteger)
	genTime = rapid.Custom(func(t *rapid.T) Time {
		return Time(rapid.Int64Range(-MaxInteger/4, MaxInteger/4).Draw(t, "time"))
	})
	genBytes16 = rapid.Custom(func(t *rapid.T) (b [16]byte) {
		copy(b[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))
		return b
	})
	genBytes8 = rapid.Custom(func(t *rapid.T) (b [8]byte) {
		copy(b[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "bytes"))
		return b
	})
	genBody   = rapid.SliceOfN(rapid.Byte(), 1, 100)
	genHandle = rapid.Custom(func(t *rapid.T) Handle {
		return Handle(rapid.Uint32Range(1, math.MaxUint32).Draw(t, "handle"))
	})
	genDevice = rapid.Custom(func(t *rapid.T) DeviceID { return DeviceID(genBytes16.Draw(t, "device")) })
	genHash   = rapid.Custom(func(t *rapid.T) Hash { return Hash(genBytes16.Draw(t, "hash")) })
	genAuthor = rapid.Custom(func(t *rapid.T) Author {
		return Author{Device: genDevice.Draw(t, "device"), User: genText.Draw(t, "user")}
	})
	genCursor = rapid.Custom(func(t *rapid.T) Cursor {
		return Cursor{Seq: genUint.Draw(t, "seq"), Commit: CommitID(genBytes8.Draw(t, "commit"))}
	})
	genValue = rapid.Custom(func(t *rapid.T) Value {
		return MustValue(drawPlain(t, rapid.IntRange(0, 3).Draw(t, "depth")))
	})
	genOptional = rapid.Custom(func(t *rapid.T) Value {
		if rapid.Bool().Draw(t, "absent") {
			return Value{}
		}
		return genValue.Draw(t, "value")
	})
)

// drawPlain draws a Go value of the domain, in the types that Value.Any returns.
func drawPlain(t *rapid.T, depth int) any {
	kinds := 7
	if depth == 0 {
		kinds = 5
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return rapid.SampledFrom([]any{nil, true, false}).Draw(t, "constant")
	case 1:
		return rapid.OneOf(
			rapid.SampledFrom([]int64{0, 31, 127, 128, 255, 256, 65535, 65536, 1 << 32, MaxInteger, -1, -32, -33, -128, -129, -32768, -32769, -1 << 31, -1<<31 - 1, -MaxInteger}),
			rapid.Int64Range(-MaxInteger, MaxInteger),
		).Draw(t, "integer")
	case 2:
		f := rapid.Float64Range(-1e15, 1e15).Draw(t, "float")
		if f == math.Trunc(f) || math.Abs(f) < smallestNumber {
			return 0.5
		}
		return f
	case 3:
		return genText.Draw(t, "string")
	case 4:
		return rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
	case 5:
		list := make([]any, rapid.IntRange(0, 20).Draw(t, "length"))
		for i := range list {
			list[i] = drawPlain(t, depth-1)
		}
		return list
	default:
		entries := map[string]any{}
		for range rapid.IntRange(0, 20).Draw(t, "length") {
			entries[genText.Draw(t, "key")] = drawPlain(t, depth-1)
		}
		return entries
	}
}

var genOp = rapid.Custom(func(t *rapid.T) Op {
	kinds := make([]OpKind, 0, len(opParts))
	for kind := range opParts {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	op := Op{
		Kind:       rapid.SampledFrom(kinds).Draw(t, "kind"),
		Collection: genName.Draw(t, "collection"),
		ID:         genID.Draw(t, "id"),
	}
	switch op.Kind {
	case OpCreate, OpSet:
		op.Fields = listOf(genFieldValue, 4).Draw(t, "fields")
		return op
	case OpDelete, OpUndelete:
		return op
	case OpResolve:
		op.Value = genOptional.Draw(t, "value")
		return op
	}
	op.Field = genName.Draw(t, "field")
	switch op.Kind {
	case OpUnset:
		op.Was = genOptional.Draw(t, "was")
	case OpAdd, OpMax, OpMin, OpSetAdd, OpSetRemove:
		op.Value = genValue.Draw(t, "value")
	case OpListInsert:
		op.Element, op.Position, op.Value = genID.Draw(t, "element"), genText.Draw(t, "position"), genValue.Draw(t, "value")
	case OpListMove:
		op.Element, op.Position = genID.Draw(t, "element"), genText.Draw(t, "position")
	case OpListSet:
		op.Element, op.Value, op.Was = genID.Draw(t, "element"), genValue.Draw(t, "value"), genOptional.Draw(t, "was")
	case OpListRemove:
		op.Element = genID.Draw(t, "element")
	}
	return op
})

var genFieldValue = rapid.Custom(func(t *rapid.T) FieldValue {
	return FieldValue{Field: genName.Draw(t, "field"), Value: genOptional.Draw(t, "value"), Was: genOptional.Draw(t, "was")}
})

var genMutation = rapid.Custom(func(t *rapid.T) *Mutation {
	return &Mutation{
		Base:          genUint.Draw(t, "base"),
		EditTime:      genTime.Draw(t, "time"),
		SchemaVersion: rapid.Uint32().Draw(t, "schema"),
		Whole:         rapid.Bool().Draw(t, "whole"),
		Preconditions: listOf(rapid.Custom(func(t *rapid.T) Precondition {
			return Precondition{Collection: genName.Draw(t, "collection"), ID: genID.Draw(t, "id"), Field: genText.Draw(t, "field"), Version: genUint.Draw(t, "version")}
		}), 3).Draw(t, "preconditions"),
		Ops: rapid.SliceOfN(genOp, 1, 5).Draw(t, "ops"),
	}
})

var genOpVerdict = rapid.Custom(func(t *rapid.T) OpVerdict {
	v := OpVerdict{Outcome: Outcome(rapid.IntRange(0, int(Rejected)).Draw(t, "outcome"))}
	if v.Outcome == Rejected {
		v.Code, v.Message, v.Field = RejectStale, genText.Draw(t, "message"), genText.Draw(t, "field")
	}
	return v
})

var genVerdict = rapid.Custom(func(t *rapid.T) Verdict {
	v := Verdict{
		Counter: genUint.Draw(t, "counter"),
		Seq:     genUint.Draw(t, "seq"),
		Outcome: Outcome(rapid.IntRange(0, int(Rejected)).Draw(t, "outcome")),
	}
	if v.Ops = listOf(genOpVerdict, 3).Draw(t, "ops"); len(v.Ops) == 0 && v.Outcome == Rejected {
		v.Code, v.Message, v.Field = RejectSchema, genText.Draw(t, "message"), genText.Draw(t, "field")
	}
	return v
})

var genFieldChange = rapid.Custom(func(t *rapid.T) FieldChange {
	f := FieldChange{Field: genName.Draw(t, "field"), Kind: FieldChangeKind(rapid.IntRange(0, int(ListRemoved)).Draw(t, "kind"))}
	switch f.Kind {
	case FieldPut, SetAdded, SetRemoved, SetKept:
		f.Value = genValue.Draw(t, "value")
	case ListPut:
		f.Element, f.Position, f.Value = genID.Draw(t, "element"), genText.Draw(t, "position"), genValue.Draw(t, "value")
	case ListMoved:
		f.Element, f.Position = genID.Draw(t, "element"), genText.Draw(t, "position")
	case ListSet:
		f.Element, f.Value = genID.Draw(t, "element"), genValue.Draw(t, "value")
	case ListRemoved:
		f.Element = genID.Draw(t, "element")
	}
	return f
})

func genChange(collection *rapid.Generator[string]) *rapid.Generator[Change] {
	return rapid.Custom(func(t *rapid.T) Change {
		return Change{
			Collection: collection.Draw(t, "collection"),
			ID:         genID.Draw(t, "id"),
			Kind:       ChangeKind(rapid.IntRange(0, int(ChangeUndelete)).Draw(t, "kind")),
			Fields:     listOf(genFieldChange, 4).Draw(t, "fields"),
		}
	})
}

var genSide = rapid.Custom(func(t *rapid.T) Side {
	s := Side{Author: genAuthor.Draw(t, "author"), Time: genTime.Draw(t, "time"), Value: genOptional.Draw(t, "value")}
	if s.Value.IsAbsent() && rapid.Bool().Draw(t, "large") {
		s.Blob = BlobID(genBytes16.Draw(t, "blob"))
	}
	return s
})

var genConflict = rapid.Custom(func(t *rapid.T) Conflict {
	return Conflict{
		Seq: genSeq.Draw(t, "seq"), Collection: genName.Draw(t, "collection"), ID: genID.Draw(t, "id"),
		Field: genText.Draw(t, "field"), Element: genID.Draw(t, "element"),
		Policy: rapid.SampledFrom([]Policy{PolicyLWW, PolicyAsk, PolicyDeleteWins}).Draw(t, "policy"),
		Open:   rapid.Bool().Draw(t, "open"), Base: genOptional.Draw(t, "base"),
		Kept: genSide.Draw(t, "kept"), Lost: genSide.Draw(t, "lost"),
	}
})

var genElement = rapid.Custom(func(t *rapid.T) ElementState {
	return ElementState{Element: genID.Draw(t, "element"), Position: genText.Draw(t, "position"), Value: genValue.Draw(t, "value")}
})

var genFieldState = rapid.Custom(func(t *rapid.T) FieldState {
	f := FieldState{Field: genName.Draw(t, "field"), Kind: FieldKind(rapid.IntRange(0, int(ListOf)).Draw(t, "kind"))}
	switch f.Kind {
	case Plain:
		f.Value = genValue.Draw(t, "value")
	case SetOf:
		for _, v := range listOf(genValue, 4).Draw(t, "elements") {
			f.Elements = append(f.Elements, ElementState{Value: v})
		}
	case ListOf:
		f.Elements = listOf(genElement, 4).Draw(t, "elements")
	}
	return f
})

func genRecord(collection *rapid.Generator[string]) *rapid.Generator[RecordState] {
	return rapid.Custom(func(t *rapid.T) RecordState {
		return RecordState{
			Collection: collection.Draw(t, "collection"), ID: genID.Draw(t, "id"), Version: genUint.Draw(t, "version"),
			Fields: listOf(genFieldState, 4).Draw(t, "fields"),
		}
	})
}

var genHeader = rapid.Custom(func(t *rapid.T) *CommitHeader {
	h := &CommitHeader{
		Seq: genSeq.Draw(t, "seq"), ID: CommitID(genBytes8.Draw(t, "id")), Time: genTime.Draw(t, "time"),
		SchemaVersion: rapid.Uint32().Draw(t, "schema"), AckNow: rapid.Bool().Draw(t, "ack now"),
		Authors: rapid.SliceOfN(genAuthor, 1, 3).Draw(t, "authors"),
	}
	if h.Names = listOf(genName, 3).Draw(t, "names"); len(h.Names) > 0 {
		h.FirstName = rapid.Uint64Range(0, MaxNames).Draw(t, "first")
	}
	h.Mutations = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) MutationStamp {
		return MutationStamp{
			Author: rapid.IntRange(0, len(h.Authors)-1).Draw(t, "author"),
			Base:   rapid.Uint64Range(0, h.Seq).Draw(t, "base"), EditTime: genTime.Draw(t, "edit time"),
		}
	}), 1, 4).Draw(t, "mutations")
	return h
})

func genSection(mutations int) *rapid.Generator[*Section] {
	return rapid.Custom(func(t *rapid.T) *Section {
		s := &Section{Label: rapid.Uint32().Draw(t, "label"), Collection: genName.Draw(t, "collection")}
		s.Deltas = listOf(rapid.Custom(func(t *rapid.T) Delta {
			return Delta{
				Mutation: rapid.IntRange(0, mutations-1).Draw(t, "mutation"),
				Changes:  listOf(genChange(rapid.Just(s.Collection)), 3).Draw(t, "changes"),
			}
		}), 3).Draw(t, "deltas")
		return s
	})
}

// genFrames draws one frame of every type that can stand alone, by its number.
// Sections and conflicts are drawn behind a commit's header.
var genFrames = map[FrameType]func(t *rapid.T) []Frame{
	FrameHello: func(t *rapid.T) []Frame {
		return []Frame{&Hello{
			Version: rapid.Uint32().Draw(t, "version"), Compression: listOf(genText, 3).Draw(t, "compression"),
			Token: genText.Draw(t, "token"), Device: genDevice.Draw(t, "device"), Clock: genTime.Draw(t, "clock"),
			Window: genUint.Draw(t, "window"), Client: genText.Draw(t, "client"),
		}}
	},
	FrameWelcome: func(t *rapid.T) []Frame {
		return []Frame{&Welcome{
			Version: rapid.Uint32().Draw(t, "version"), Compression: genText.Draw(t, "compression"),
			Session: genText.Draw(t, "session"), Clock: genTime.Draw(t, "clock"), User: genText.Draw(t, "user"),
			Expires: genTime.Draw(t, "expires"), Window: genUint.Draw(t, "window"), WindowMutations: genUint.Draw(t, "mutations"),
			FrameBytes: genUint.Draw(t, "frame"), MutationBytes: genUint.Draw(t, "mutation"), PingEvery: genUint.Draw(t, "ping"),
		}}
	},
	FrameSubscribe: func(t *rapid.T) []Frame {
		return []Frame{&Subscribe{
			Handle: genHandle.Draw(t, "handle"), Space: genText.Draw(t, "space"), Device: genDevice.Draw(t, "device"),
			Cursor: genCursor.Draw(t, "cursor"), Counter: genUint.Draw(t, "counter"), Collections: listOf(genName, 3).Draw(t, "collections"),
			Priority: rapid.Uint8().Draw(t, "priority"), Presence: rapid.Bool().Draw(t, "presence"),
		}}
	},
	FrameSubscribed: func(t *rapid.T) []Frame {
		return []Frame{&Subscribed{
			Handle: genHandle.Draw(t, "handle"), Mode: SubscribeMode(rapid.IntRange(0, 2).Draw(t, "mode")),
			Head: genCursor.Draw(t, "head"), Horizon: genUint.Draw(t, "horizon"), Known: rapid.Bool().Draw(t, "known"),
			Counter: genUint.Draw(t, "counter"), Hash: genHash.Draw(t, "hash"),
			Recent: listOf(rapid.Custom(func(t *rapid.T) Recent {
				return Recent{Hash: genHash.Draw(t, "hash"), Rejected: rapid.Bool().Draw(t, "rejected")}
			}), 3).Draw(t, "recent"),
			Rejections: listOf(genVerdict, 3).Draw(t, "rejections"),
			Write:      rapid.Bool().Draw(t, "write"), SchemaVersion: rapid.Uint32().Draw(t, "schema"),
		}}
	},
	FrameUnsubscribe: func(t *rapid.T) []Frame { return []Frame{&Unsubscribe{Handle: genHandle.Draw(t, "handle")}} },
	FrameUnsubscribed: func(t *rapid.T) []Frame {
		return []Frame{&Unsubscribed{Handle: genHandle.Draw(t, "handle"), Code: CodeForbidden, Message: genText.Draw(t, "message")}}
	},
	FramePush: func(t *rapid.T) []Frame {
		return []Frame{&Push{
			Handle: genHandle.Draw(t, "handle"), First: genSeq.Draw(t, "first"), Previous: genHash.Draw(t, "previous"),
			Bodies: rapid.SliceOfN(genBody, 1, 4).Draw(t, "bodies"),
		}}
	},
	FrameVerdicts: func(t *rapid.T) []Frame {
		return []Frame{&Verdicts{
			Handle: genHandle.Draw(t, "handle"), Counter: genUint.Draw(t, "counter"), Hash: genHash.Draw(t, "hash"),
			Replay: rapid.Bool().Draw(t, "replay"), List: listOf(genVerdict, 4).Draw(t, "list"),
		}}
	},
	FrameIn: func(t *rapid.T) []Frame { return []Frame{&In{Handle: genHandle.Draw(t, "handle")}} },
	FrameCommit: func(t *rapid.T) []Frame {
		header := genHeader.Draw(t, "header")
		list := []Frame{header}
		for range rapid.IntRange(0, 3).Draw(t, "sections") {
			list = append(list, genSection(len(header.Mutations)).Draw(t, "section"))
		}
		for range rapid.IntRange(0, 2).Draw(t, "conflicts") {
			list = append(list, &ConflictNotice{Conflict: genConflict.Draw(t, "conflict")})
		}
		return list
	},
	FrameAdvance: func(t *rapid.T) []Frame { return []Frame{&Advance{Cursor: genCursor.Draw(t, "cursor")}} },
	FrameSnapshot: func(t *rapid.T) []Frame {
		return []Frame{&Snapshot{Names: listOf(genName, 4).Draw(t, "names"), Records: genUint.Draw(t, "records")}}
	},
	FramePage: func(t *rapid.T) []Frame {
		p := &Page{Label: rapid.Uint32().Draw(t, "label"), Collection: genName.Draw(t, "collection")}
		p.Records = listOf(genRecord(rapid.Just(p.Collection)), 4).Draw(t, "records")
		return []Frame{p}
	},
	FrameSnapshotEnd: func(t *rapid.T) []Frame {
		return []Frame{&SnapshotEnd{Cursor: genCursor.Draw(t, "cursor"), Newest: genUint.Draw(t, "newest"), Counter: genUint.Draw(t, "counter"), Hash: genHash.Draw(t, "hash")}}
	},
	FrameAck: func(t *rapid.T) []Frame {
		return []Frame{&Ack{
			Received: genUint.Draw(t, "received"),
			Cursors: listOf(rapid.Custom(func(t *rapid.T) HandleCursor {
				return HandleCursor{Handle: genHandle.Draw(t, "handle"), Cursor: genCursor.Draw(t, "cursor")}
			}), 3).Draw(t, "cursors"),
			Confirmed: listOf(rapid.Custom(func(t *rapid.T) HandleCounters {
				return HandleCounters{Handle: genHandle.Draw(t, "handle"), Counters: listOf(genUint, 3).Draw(t, "counters")}
			}), 3).Draw(t, "confirmed"),
		}}
	},
	FrameWindow: func(t *rapid.T) []Frame { return []Frame{&Window{Bytes: genUint.Draw(t, "bytes")}} },
	FramePresence: func(t *rapid.T) []Frame {
		return []Frame{&Presence{Handle: genHandle.Draw(t, "handle"), Value: genOptional.Draw(t, "value")}}
	},
	FramePresent: func(t *rapid.T) []Frame {
		return []Frame{&Present{Handle: genHandle.Draw(t, "handle"), Devices: listOf(rapid.Custom(func(t *rapid.T) DevicePresence {
			return DevicePresence{Author: genAuthor.Draw(t, "author"), Value: genOptional.Draw(t, "value")}
		}), 3).Draw(t, "devices")}}
	},
	FrameToken:       func(t *rapid.T) []Frame { return []Frame{&Token{Token: genText.Draw(t, "token")}} },
	FrameTokenAccept: func(t *rapid.T) []Frame { return []Frame{&TokenAccept{Expires: genTime.Draw(t, "expires")}} },
	FrameError: func(t *rapid.T) []Frame {
		return []Frame{&ErrorFrame{Code: CodeRate, Message: genText.Draw(t, "message"), Handle: Handle(rapid.Uint32().Draw(t, "handle")), Counter: genUint.Draw(t, "counter")}}
	},
	FrameGoingAway: func(t *rapid.T) []Frame { return []Frame{&GoingAway{Within: genUint.Draw(t, "within")}} },
	FramePing:      func(t *rapid.T) []Frame { return []Frame{&Ping{Nonce: genUint.Draw(t, "nonce")}} },
	FramePong: func(t *rapid.T) []Frame {
		return []Frame{&Pong{Nonce: genUint.Draw(t, "nonce"), Clock: genTime.Draw(t, "clock")}}
	},
	FrameFetch: func(t *rapid.T) []Frame {
		return []Frame{&Fetch{Handle: genHandle.Draw(t, "handle"), Blob: BlobID(genBytes16.Draw(t, "blob"))}}
	},
	FrameFetched: func(t *rapid.T) []Frame {
		return []Frame{&Fetched{Handle: genHandle.Draw(t, "handle"), Blob: BlobID(genBytes16.Draw(t, "blob")), Value: genOptional.Draw(t, "value")}}
	},
	FrameCompressed: func(t *rapid.T) []Frame {
		return []Frame{&Compressed{Dictionary: rapid.Uint32().Draw(t, "dictionary"), Data: genBody.Draw(t, "data")}}
	},
}

// genCommit draws a commit in normal form: what the encoder fills in (names,
// seqs and counters of verdicts and conflicts) is filled in, and each mutation's
// changes are grouped by collection in the order of the commit's sections.
var genCommit = rapid.Custom(func(t *rapid.T) *Commit {
	c := &Commit{
		Seq: genSeq.Draw(t, "seq"), ID: CommitID(genBytes8.Draw(t, "id")), Time: genTime.Draw(t, "time"),
		Schema: SchemaRef{Version: rapid.Uint32().Draw(t, "schema"), Fingerprint: genBytes8.Draw(t, "fingerprint")},
		AckNow: rapid.Bool().Draw(t, "ack now"), Gateway: genText.Draw(t, "gateway"),
	}
	authors := rapid.SliceOfN(genAuthor, 1, 3).Draw(t, "authors")
	collections := rapid.Permutation([]string{"tasks", "notes", "people"}).Draw(t, "collections")
	c.Mutations = listOf(rapid.Custom(func(t *rapid.T) Committed {
		m := Committed{
			Author: rapid.SampledFrom(authors).Draw(t, "author"), Counter: genUint.Draw(t, "counter"), Hash: genHash.Draw(t, "hash"),
			Base: rapid.Uint64Range(0, c.Seq-1).Draw(t, "base"), EditTime: genTime.Draw(t, "edit time"),
			Body: genBody.Draw(t, "body"), Verdict: genVerdict.Draw(t, "verdict"),
			Changes: listOf(genChange(rapid.SampledFrom(collections)), 4).Draw(t, "changes"),
		}
		m.Verdict.Seq, m.Verdict.Counter = c.Seq, m.Counter
		return m
	}), 4).Draw(t, "mutations")
	var order []string
	for i := range c.Mutations {
		for j := range c.Mutations[i].Changes {
			order = include(order, c.Mutations[i].Changes[j].Collection)
		}
	}
	for i := range c.Mutations {
		slices.SortStableFunc(c.Mutations[i].Changes, func(a, b Change) int {
			return slices.Index(order, a.Collection) - slices.Index(order, b.Collection)
		})
	}
	c.Conflicts = listOf(genConflict, 3).Draw(t, "conflicts")
	for i := range c.Conflicts {
		c.Conflicts[i].Seq = c.Seq
	}
	return c
})
