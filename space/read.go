package space

import (
	"github.com/tidegate/tidegate/protocol"
)

// Position is how far one reader has been brought. It is a plain value; its
// owner keeps it between reads and gives it back unchanged.
type Position struct {
	// Cursor is the last commit that has been delivered; while a snapshot is under
	// way, the commit that the snapshot began at.
	Cursor protocol.Cursor
	// Snapshot is true from the start of a snapshot to its end.
	Snapshot bool

	started bool    // the Snapshot frame has been delivered
	scanned bool    // all pages have been delivered
	after   ItemKey // the last record that a page covered
	names   int     // how many names the Snapshot frame carried
	newest  uint64  // the greatest version in the pages
}

// ReadRequest asks for what comes after a position.
type ReadRequest struct {
	From Position
	// MaxBytes bounds the frames; one commit or one page of one record comes whole
	// even if it is larger.
	MaxBytes int
	// Collections are what the reader asked for, in any order; empty for all.
	// Records of ConflictCollection come with any choice.
	Collections []string
	// Device gets the conflict notices meant for it, and its counter at the end of
	// a snapshot.
	Device protocol.DeviceID
	// Compress asks for compressed frames where the owner of the ring can make them
	// and they are smaller.
	Compress bool
	// Into is what the frames are appended to; may be nil.
	Into []byte
}

// Chunk is what a read gave: whole delivery frames, ready to stand behind a
// format byte and an In frame.
type Chunk struct {
	// Frames is ReadRequest.Into with the frames appended. Nothing appended means
	// that there is nothing to deliver now: head is reached, or the end of a snapshot
	// waits for this gateway's head to reach what its pages contained.
	Frames []byte
	// To is where the reader stands once the frames are delivered.
	To Position
	// More is true if another read would give something at once.
	More bool
	// Commits is how many commits the frames hold or pass over.
	Commits int
	// AckNow is true if one of them asks to be acknowledged at once.
	AckNow bool
}
