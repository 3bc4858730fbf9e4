package protocol

// SchemaRef names the schema that a commit was merged under.
type SchemaRef struct {
	// Version is chosen by the operator and only grows; 0 means no schema.
	Version uint32
	// Fingerprint is the first 8 bytes of the SHA-256 of the schema's canonical
	// form: the same version with other contents is refused.
	Fingerprint [8]byte
}

// Committed is one mutation in a commit, with what became of it.
type Committed struct {
	Author  Author
	Counter uint64
	// Hash is the device's running hash after this mutation.
	Hash Hash
	// Base is the mutation's base, EditTime its clamped edit time.
	Base     uint64
	EditTime Time
	// Body is the mutation as its author sent it (see DecodeMutation).
	Body    []byte
	Verdict Verdict
	// Changes is the delta: what the mutation changed after merging.
	Changes []Change
}

// Commit is one entry of the log.
//
// Stored, it is
//
//	format byte ‖ uvarint(len(wire)) ‖ wire ‖ private
//
// where wire holds one FrameCommit and one FrameSection a collection (and
// label), exactly as they go to subscribers, and private is a msgpack array with
// what only the log keeps: bodies, counters, hashes, verdicts, conflicts, the
// schema's fingerprint.
type Commit struct {
	Seq    uint64
	ID     CommitID
	Time   Time
	Schema SchemaRef
	// AckNow asks subscribers to acknowledge at once: convergence is measured on
	// such commits, about one a second in a space.
	AckNow bool
	// Gateway names the gateway that appended it: a hint for hand-over, never a
	// matter of correctness.
	Gateway string
	// Names are the collections and fields that this commit adds to the space's
	// name table, in order.
	Names     []string
	Mutations []Committed
	Conflicts []Conflict
}
