package space

import (
	"github.com/tidegate/tidegate/protocol"
)

// Position is how far one reader has been brought. It is a plain value; its
// owner keeps it between reads and gives it back unchanged. The zero Position
// stands before the first commit; to be given a snapshot, set Snapshot alone.
type Position struct {
	// Cursor is the last commit that has been delivered. While a snapshot is under
	// way it is the commit that the snapshot began at.
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
	// MaxBytes bounds the frames; one commit, or a page of one record, comes whole
	// even if it is larger.
	MaxBytes int
	// Collections are what the reader asked for, in any order; empty for all.
	// Records of ConflictCollection come with any choice.
	Collections []string
	// Device gets the conflict notices meant for it, and its counter at the end of
	// a snapshot.
	Device protocol.DeviceID
	// Compress asks for compressed frames where they are smaller: single commits of
	// the ring, which are packed once for everybody; what comes from the store as a
	// whole, for this reader.
	Compress bool
	// Into is what the frames are appended to; may be nil.
	Into []byte
}

// Chunk is what a read gave: whole delivery frames, ready to stand behind a
// format byte and an In frame.
type Chunk struct {
	// Frames is ReadRequest.Into with the frames appended.
	Frames []byte
	// To is where the reader stands once the frames are delivered. If it is From,
	// there is nothing now: head is reached, or the end of a snapshot waits for this
	// gateway's head to reach what its pages contained. A head that moves is reason
	// to read again.
	To Position
	// More is true if another read would give something at once.
	More bool
	// Commits is how many commits the frames hold or pass over.
	Commits int
	// AckNow is true if one of them asks to be acknowledged at once.
	AckNow bool
}

// Reader reads a space for delivery: from the ring if the position is near, else
// from the log as it is stored, else from a snapshot. Its users are the shell,
// for which Enter crosses to the goroutine of the Core, and the simulator, for
// which it calls at once.
type Reader struct {
	Ring *Ring
	// Enter calls the function with the space's Core, or returns an error without
	// having called it.
	Enter func(func(*Core)) error
	// Do makes a LogOp or a ScanOp.
	Do func(RequestOp) Response
}

// Read returns what comes after a position. It does not wait for commits to come.
// An error of type *protocol.Error is for the device, unless its code is
// CodeUnavailable: then, as with any other error, the read may be repeated.
func (r *Reader) Read(req ReadRequest) (Chunk, error) {
	if req.From.Snapshot {
		chunk, err := r.page(req)
		return r.packed(&req, chunk), err
	}
	chunk, ok, head, want := r.Ring.near(&req)
	if ok {
		return chunk, nil
	}
	chunk, err := r.log(&req, head, want)
	return r.packed(&req, chunk), err
}

// packed gives a chunk from the store as one compressed frame, if the reader
// takes such and it is smaller. Nobody else is given the same bytes: a page holds
// what is newer than the store, and where it begins is the reader's own; to keep
// it would cost more than to pack it.
func (r *Reader) packed(req *ReadRequest, chunk Chunk) Chunk {
	compress, begin := r.Ring.compress, len(req.Into)
	if !req.Compress || compress == nil || len(chunk.Frames) <= begin {
		return chunk
	}
	if packed, smaller := compress(chunk.Frames[begin:]); smaller {
		chunk.Frames = append(chunk.Frames[:begin], packed...)
	}
	return chunk
}

// log reads commits that have left the ring, up to head: what lies beyond it may
// be durable, but has not been folded here.
func (r *Reader) log(req *ReadRequest, head protocol.Cursor, want filter) (Chunk, error) {
	from := req.From.Cursor.Seq + 1
	resp := r.Do(LogOp{From: from, MaxBytes: req.MaxBytes})
	if resp.Err != nil {
		return Chunk{}, resp.Err
	}
	if len(resp.Log) == 0 || resp.Log[0].Seq > from {
		// A hole is the horizon.
		return Chunk{Frames: req.Into, To: Position{Cursor: req.From.Cursor, Snapshot: true}, More: true}, nil
	}
	a := newAssembly(req, want)
	for _, item := range resp.Log {
		if item.Seq > head.Seq {
			break
		}
		stored, err := protocol.ParseCommit(item.Data)
		if err != nil {
			return Chunk{}, protocol.Errorf(protocol.CodeDamaged, "commit %d of the log cannot be read: %v", item.Seq, err)
		}
		if !a.add(&stored, nil) {
			break
		}
	}
	return a.chunk(head), nil
}
