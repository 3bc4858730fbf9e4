package protocol

import (
	"encoding/hex"
	"strings"
)

// Samples of everything that travels: the examples of SPEC.md, the vectors, the
// seeds of the fuzz tests and a part of the fingerprint are made of them.

func mustUUID(s string) [16]byte {
	id, ok := parseUUID(s)
	if !ok {
		panic(s)
	}
	return id
}

func mustHex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

var (
	phone  = DeviceID(mustUUID("01935f1c-8a3e-7b52-9c41-5d2e7f6a8b90"))
	laptop = DeviceID(mustUUID("01935f20-1c77-7d0a-8e15-2b3c4d5e6f70"))
	anna   = Author{Device: phone, User: "anna"}
	ben    = Author{Device: laptop, User: "ben"}

	firstCommit = CommitID{0x4f, 0x1b, 0x8c, 0x02, 0xd7, 0x39, 0xaa, 0x60}
	someCommit  = CommitID{0x9e, 0x30, 0x77, 0x1d, 0x05, 0xb2, 0xc4, 0xee}

	taskID = "01935f21-4d0b-7e66-a2f3-0c1d2e3f4a5b"
	noon   = Time(1_795_348_800_000)
)

var sampleMutation = &Mutation{
	Base: 41, EditTime: noon, SchemaVersion: 2,
	Ops: []Op{{Kind: OpSet, Collection: "tasks", ID: taskID, Fields: []FieldValue{
		{Field: "title", Value: StringValue("Buy milk"), Was: StringValue("Buy bread")},
	}}},
}

// allOps has one op of each kind, and each form of a field's value.
var allOps = []Op{
	{Kind: OpCreate, Collection: "tasks", ID: taskID, Fields: []FieldValue{{Field: "title", Value: StringValue("Buy milk")}, {Field: "done", Value: False}}},
	{Kind: OpSet, Collection: "tasks", ID: taskID, Fields: []FieldValue{{Field: "start", Value: IntValue(9), Was: IntValue(8)}, {Field: "end", Was: Null}}},
	{Kind: OpUnset, Collection: "tasks", ID: "plain id", Field: "address.city", Was: StringValue("Bergen")},
	{Kind: OpUnset, Collection: "tasks", ID: "plain id", Field: "address.city"},
	{Kind: OpAdd, Collection: "tasks", ID: taskID, Field: "votes", Value: IntValue(-1)},
	{Kind: OpMax, Collection: "tasks", ID: taskID, Field: "best", Value: MustValue(1.5)},
	{Kind: OpMin, Collection: "tasks", ID: taskID, Field: "least", Value: IntValue(3)},
	{Kind: OpSetAdd, Collection: "tasks", ID: taskID, Field: "participants", Value: StringValue("anna")},
	{Kind: OpSetRemove, Collection: "tasks", ID: taskID, Field: "participants", Value: StringValue("ben")},
	{Kind: OpListInsert, Collection: "tasks", ID: taskID, Field: "steps", Element: taskID, Position: "n", Value: StringValue("go")},
	{Kind: OpListMove, Collection: "tasks", ID: taskID, Field: "steps", Element: "e1", Position: "t"},
	{Kind: OpListSet, Collection: "tasks", ID: taskID, Field: "steps", Element: "e1", Value: StringValue("pay"), Was: StringValue("buy")},
	{Kind: OpListRemove, Collection: "tasks", ID: taskID, Field: "steps", Element: "e1"},
	{Kind: OpDelete, Collection: "tasks", ID: taskID},
	{Kind: OpUndelete, Collection: "tasks", ID: taskID},
	{Kind: OpResolve, Collection: ConflictCollection, ID: "5f3a", Value: StringValue("Buy milk")},
	{Kind: OpResolve, Collection: ConflictCollection, ID: "5f3a"},
}

var wholeMutation = &Mutation{
	Base: 1 << 20, EditTime: noon, Whole: true,
	Preconditions: []Precondition{{Collection: "tasks", ID: taskID, Field: "title", Version: 40}, {Collection: "tasks", ID: "plain id"}},
	Ops:           allOps,
}

var sampleConflict = Conflict{
	Seq: 42, Collection: "tasks", ID: taskID, Field: "title", Policy: PolicyLWW,
	Base: StringValue("Buy bread"),
	Kept: Side{Author: anna, Time: noon, Value: StringValue("Buy milk")},
	Lost: Side{Author: ben, Time: noon - 5000, Value: StringValue("Buy oats")},
}

var sampleHeader = &CommitHeader{
	Seq: 42, ID: someCommit, Time: noon + 120, SchemaVersion: 2,
	Authors:   []Author{anna},
	Mutations: []MutationStamp{{Author: 0, Base: 41, EditTime: noon}},
}

// allChanges has one change of each kind, with one field change of each kind.
var allChanges = []Change{
	{Collection: "tasks", ID: taskID, Fields: []FieldChange{
		{Field: "title", Value: StringValue("Buy milk")},
		{Field: "notes", Kind: FieldUnset},
		{Field: "participants", Kind: SetAdded, Value: StringValue("anna")},
		{Field: "participants", Kind: SetRemoved, Value: StringValue("ben")},
		{Field: "participants", Kind: SetKept, Value: StringValue("cleo")},
		{Field: "steps", Kind: ListPut, Element: taskID, Position: "n", Value: StringValue("go")},
		{Field: "steps", Kind: ListMoved, Element: "e1", Position: "t"},
		{Field: "steps", Kind: ListSet, Element: "e1", Value: StringValue("pay")},
		{Field: "steps", Kind: ListRemoved, Element: "e2"},
	}},
	{Collection: "tasks", ID: "plain id", Kind: ChangeCreate, Fields: []FieldChange{{Field: "title", Value: StringValue("Call")}}},
	{Collection: "tasks", ID: "gone", Kind: ChangeDelete},
	{Collection: "tasks", ID: "back", Kind: ChangeUndelete, Fields: []FieldChange{{Field: "done", Value: True}}},
}

// sampleFrames are the examples of SPEC.md, in its order.
func sampleFrames() []sample {
	body := AppendMutation(nil, sampleMutation)
	return []sample{
		{"hello", []Frame{&Hello{Version: 1, Compression: []string{"zstd"}, Token: "eyJhbGciOi…", Device: phone, Clock: noon, Client: "tidegate-go/1.0"}}},
		{"welcome", []Frame{&Welcome{Version: 1, Compression: "zstd", Session: "c7f2", Clock: noon + 12, User: "anna", Expires: noon + 3_600_000, Window: 1 << 20, WindowMutations: 256, FrameBytes: 1 << 20, MutationBytes: 128 << 10, PingEvery: 25_000}}},
		{"subscribe", []Frame{&Subscribe{Handle: 1, Space: "board-7", Device: phone, Cursor: Cursor{Seq: 40, Commit: firstCommit}, Counter: 5, Presence: true}}},
		{"subscribed", []Frame{&Subscribed{Handle: 1, Mode: ModeResume, Head: Cursor{Seq: 41, Commit: someCommit}, Horizon: 0, Known: true, Counter: 6, Hash: Hash{}.Next(body), Recent: []Recent{{Hash: Hash{}.Next(body), Rejected: false}}, Rejections: []Verdict{{Counter: 5, Seq: 33, Outcome: Rejected, Code: RejectSchema, Message: "title must not be empty", Field: "title"}}, Write: true, SchemaVersion: 2}}},
		{"unsubscribe", []Frame{&Unsubscribe{Handle: 1}}},
		{"unsubscribed", []Frame{&Unsubscribed{Handle: 1, Code: CodeForbidden, Message: "the token does not allow this space any more"}}},
		{"push", []Frame{&Push{Handle: 1, First: 7, Previous: Hash{}.Next(body), Bodies: [][]byte{body}}}},
		{"verdicts", []Frame{&Verdicts{Handle: 1, Counter: 9, Hash: Hash{}.Next(body).Next(body), List: []Verdict{
			{Counter: 7, Seq: 42, Outcome: Merged},
			{Counter: 8, Seq: 42, Outcome: Superseded, Ops: []OpVerdict{{Outcome: Applied}, {Outcome: Superseded}}},
			{Counter: 9, Seq: 43, Outcome: Rejected, Code: RejectMissing, Message: "the task does not exist"},
			{Counter: 10, Seq: 43, Outcome: Rejected, Ops: []OpVerdict{{Outcome: Applied}, {Outcome: Rejected, Code: RejectInvalid, Message: "an event must not end before it starts", Field: "end"}}},
		}}}},
		{"replay", []Frame{&Verdicts{Handle: 1, Counter: 9, Hash: Hash{}.Next(body), Replay: true}}},
		{"commit", []Frame{&In{Handle: 1}, sampleHeader, &Section{Collection: "tasks", Deltas: []Delta{{Mutation: 0, Changes: []Change{{Collection: "tasks", ID: taskID, Fields: []FieldChange{{Field: "title", Value: StringValue("Buy milk")}}}}}}}}},
		{"commit with names", []Frame{&In{Handle: 1}, &CommitHeader{Seq: 1, ID: firstCommit, Time: noon, AckNow: true, FirstName: 0, Names: []string{"tasks", "title"}, Authors: []Author{anna, ben}, Mutations: []MutationStamp{{Author: 0, Base: 0, EditTime: noon - 80}, {Author: 1, Base: 0, EditTime: noon - 3000}}}}},
		{"section", []Frame{&In{Handle: 1}, sampleHeader, &Section{Collection: "tasks", Deltas: []Delta{{Mutation: 0, Changes: allChanges}}}}},
		{"conflict", []Frame{&In{Handle: 1}, sampleHeader, &ConflictNotice{Conflict: sampleConflict}}},
		{"conflict with a large value", []Frame{&In{Handle: 1}, sampleHeader, &ConflictNotice{Conflict: Conflict{
			Seq: 42, Collection: "tasks", ID: "plain id", Policy: PolicyUpdateWins, Open: true,
			Kept: Side{Author: anna, Time: noon}, Lost: Side{Author: ben, Time: noon - 5000, Blob: BlobOf(StringValue("long"))},
		}}}},
		{"advance", []Frame{&In{Handle: 1}, &Advance{Cursor: Cursor{Seq: 57, Commit: someCommit}}}},
		{"snapshot", []Frame{&In{Handle: 1}, &Snapshot{Names: []string{"tasks", "title", "participants", "steps"}, Records: 2}}},
		{"page", []Frame{&In{Handle: 1}, &Page{Collection: "tasks", Records: []RecordState{
			{Collection: "tasks", ID: taskID, Version: 42, Fields: []FieldState{
				{Field: "participants", Kind: SetOf, Elements: []ElementState{{Value: StringValue("anna")}, {Value: StringValue("ben")}}},
				{Field: "steps", Kind: ListOf, Elements: []ElementState{{Element: "e1", Position: "n", Value: StringValue("go")}}},
				{Field: "title", Value: StringValue("Buy milk")},
			}},
			{Collection: "tasks", ID: "plain id", Version: 7},
		}}}},
		{"snapshot end", []Frame{&In{Handle: 1}, &SnapshotEnd{Cursor: Cursor{Seq: 57, Commit: someCommit}, Newest: 58, Counter: 9, Hash: Hash{}.Next(body)}}},
		{"ack", []Frame{&Ack{Received: 524_288, Cursors: []HandleCursor{{Handle: 1, Cursor: Cursor{Seq: 57, Commit: someCommit}}}, Confirmed: []HandleCounters{{Handle: 1, Counters: []uint64{5, 9}}}}}},
		{"window", []Frame{&Window{Bytes: 1 << 20}}},
		{"presence", []Frame{&Presence{Handle: 1, Value: MustValue(map[string]any{"cursor": []any{3, 14}})}}},
		{"presence left", []Frame{&Presence{Handle: 1}}},
		{"present", []Frame{&Present{Handle: 1, Devices: []DevicePresence{{Author: anna, Value: MustValue(map[string]any{"cursor": []any{3, 14}})}, {Author: ben}}}}},
		{"token", []Frame{&Token{Token: "eyJhbGciOi…"}}},
		{"token accept", []Frame{&TokenAccept{Expires: noon + 7_200_000}}},
		{"error", []Frame{&ErrorFrame{Code: CodeMutationLarge, Message: "mutation 12 has 131073 bytes, 131072 are allowed", Handle: 1, Counter: 12}}},
		{"going away", []Frame{&GoingAway{Within: 5000}}},
		{"ping", []Frame{&Ping{Nonce: 3}}},
		{"pong", []Frame{&Pong{Nonce: 3, Clock: noon}}},
		{"fetch", []Frame{&Fetch{Handle: 1, Blob: BlobOf(StringValue("long"))}}},
		{"fetched", []Frame{&Fetched{Handle: 1, Blob: BlobOf(StringValue("long")), Value: StringValue("long")}}},
		{"compressed", []Frame{&In{Handle: 1}, &Compressed{Dictionary: 0, Data: mustHex("28b52ffd200b590000920c93cf3908040506070809")}}},
	}
}

// samplePeers are the examples of what gateways tell each other.
func samplePeers() []samplePeer {
	body := AppendMutation(nil, sampleMutation)
	commit := sampleCommits()[2]
	message := func(body PeerBody) *PeerMessage {
		return &PeerMessage{Gateway: "gw-1", Tenant: "acme", Space: "board-7", Body: body}
	}
	return []samplePeer{
		{"peer commit", message(&PeerCommit{Seq: 9, Data: EncodeCommit(commit.commit, NewNameTable(commit.names...))})},
		{"peer head", message(&PeerHead{Seq: 9})},
		{"peer presence", message(&PeerPresence{Devices: []DevicePresence{{Author: anna, Value: MustValue(map[string]any{"cursor": []any{3, 14}})}, {Author: ben}}})},
		{"peer presence ask", message(&PeerPresenceAsk{})},
		{"peer pushes", message(&PeerPushes{Time: noon, Pushes: []PeerPush{{Author: anna, First: 7, Previous: Hash{}.Next(body), Bodies: [][]byte{body}}}})},
	}
}

type samplePeer struct {
	name    string
	message *PeerMessage
}

// sample is a message with a name.
type sample struct {
	name   string
	frames []Frame
}

// sampleCommits are commits with the name table before them.
func sampleCommits() []sampleCommit {
	body := AppendMutation(nil, sampleMutation)
	edit := &Commit{
		Seq: 42, ID: someCommit, Time: noon + 120, Schema: SchemaRef{Version: 2, Fingerprint: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}}, Gateway: "gw-1",
		Mutations: []Committed{{
			Author: anna, Counter: 7, Hash: Hash{}.Next(body), Base: 41, EditTime: noon, Body: body,
			Verdict: Verdict{Counter: 7, Seq: 42, Outcome: Merged},
			Changes: []Change{{Collection: "tasks", ID: taskID, Fields: []FieldChange{{Field: "title", Value: StringValue("Buy milk")}}}},
		}},
		Conflicts: []Conflict{sampleConflict},
	}
	first := &Commit{
		Seq: 1, ID: firstCommit, Time: noon, AckNow: true,
		Mutations: []Committed{
			{Author: anna, Counter: 1, Hash: Hash{}.Next(body), EditTime: noon - 10, Body: body,
				Verdict: Verdict{Counter: 1, Seq: 1},
				Changes: []Change{
					{Collection: "tasks", ID: taskID, Kind: ChangeCreate, Fields: []FieldChange{{Field: "title", Value: StringValue("Buy bread")}, {Field: "done", Value: False}}},
					{Collection: "notes", ID: "n1", Kind: ChangeCreate, Fields: []FieldChange{{Field: "title", Value: Null}}},
				}},
			{Author: ben, Counter: 1, Hash: Hash{}.Next(body), EditTime: noon - 2000, Body: body,
				Verdict: Verdict{Counter: 1, Seq: 1, Outcome: Rejected, Code: RejectMissing, Message: "the task does not exist"}},
			{Author: ben, Counter: 2, Hash: Hash{}.Next(body).Next(body), EditTime: noon - 1000, Body: body,
				Verdict: Verdict{Counter: 2, Seq: 1},
				Changes: []Change{{Collection: "tasks", ID: "t2", Kind: ChangeCreate, Fields: []FieldChange{{Field: "done", Value: True}}}}},
		},
	}
	return []sampleCommit{
		{"the first commit: two collections, two authors, a rejection", nil, first},
		{"an edit of one field, with a settled conflict", []string{"tasks", "title"}, edit},
		{"a commit of nothing but a rejection", []string{"tasks"}, &Commit{Seq: 9, ID: someCommit, Time: noon, Mutations: []Committed{{
			Author: ben, Counter: 3, Hash: Hash{}.Next(body), Base: 8, EditTime: noon, Body: body,
			Verdict: Verdict{Counter: 3, Seq: 9, Outcome: Rejected, Code: RejectStale, Message: "title has changed", Field: "title"},
		}}}},
	}
}

type sampleCommit struct {
	comment string
	names   []string
	commit  *Commit
}
