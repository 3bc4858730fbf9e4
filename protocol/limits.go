package protocol

import "time"

// The numbers that the formats and the store fix. They are not configurable:
// two sides that disagree on them could not talk.
const (
	// Version is the version of the protocol. It changes when the shapes do: a
	// test compares it with a fingerprint of all of them.
	Version = 1
	// Fingerprint is that of the shapes of this version, for diagnosis.
	Fingerprint = "c2c34f06c851c606"
	// Subprotocol is the WebSocket subprotocol.
	Subprotocol = "tidegate.v1"
	// SyncPath is the path under which a gateway serves the WebSocket.
	SyncPath = "/sync"
	// MaxDepth is the greatest nesting of arrays and maps in anything a peer
	// sends, the frame's own array included.
	MaxDepth = 32
	// MaxValueDepth is the greatest nesting of arrays and maps within one value: what
	// MaxDepth leaves to a value at the deepest place of a frame.
	MaxValueDepth = 24
	// MaxInteger is the greatest magnitude of an integral number: 2^53.
	MaxInteger = 1 << 53
	// MaxNameBytes bounds collection names, record ids, field paths, element ids
	// and positions, in bytes of UTF-8.
	MaxNameBytes = 255
	// MaxNames is the size of a space's name table; later names travel literally.
	MaxNames = 4096
	// MaxWas bounds FieldValue.Was, in encoded bytes.
	MaxWas = 1 << 10
	// MaxInlineConflict is the longest overwritten value, in encoded bytes, that
	// the log itself keeps; longer ones stand in an item of their own.
	MaxInlineConflict = 4 << 10
	// MaxRecent is how many running hashes of a device the server remembers.
	MaxRecent = 64
	// MaxOps is the greatest number of ops in a mutation.
	MaxOps = 1000
	// MaxTokenBytes bounds a token before anything parses it.
	MaxTokenBytes = 16 << 10
	// MaxMessageText bounds a rejection's or an error's message, in bytes.
	MaxMessageText = 1 << 10
)

// Limits are the bounds that an operator may set, each with its default.
type Limits struct {
	// FrameBytes is the largest message a peer may send (1 MiB).
	FrameBytes int
	// MutationBytes is the largest encoded mutation (128 KiB).
	MutationBytes int
	// RecordBytes is the largest merged record, encoded (256 KiB).
	RecordBytes int
	// FieldBytes is the largest field, encoded (128 KiB).
	FieldBytes int
	// Subscriptions is the most spaces one connection may hold (64).
	Subscriptions int
	// HelloWithin is how long a connection may live without a hello (5 s).
	HelloWithin time.Duration
	// PingEvery is the interval of the server's pings (25 s).
	PingEvery time.Duration
	// CommitBytes and CommitMutations bound one commit (300 KiB, 256).
	CommitBytes     int
	CommitMutations int
	// PushWindowBytes and PushWindowMutations bound what a client may have sent
	// without a verdict, per connection (1 MiB, 256).
	PushWindowBytes     int
	PushWindowMutations int
	// PresenceBytes is the largest presence value (4 KiB).
	PresenceBytes int
	// Horizon is how long the log serves devices once a checkpoint covers it, where
	// history is not kept (30 days).
	Horizon time.Duration
	// TokenGrace is how long after a token's expiry its connection may live (5 s).
	TokenGrace time.Duration
}

// DefaultLimits returns the defaults.
func DefaultLimits() Limits {
	return Limits{
		FrameBytes:          1 << 20,
		MutationBytes:       128 << 10,
		RecordBytes:         256 << 10,
		FieldBytes:          128 << 10,
		Subscriptions:       64,
		HelloWithin:         5 * time.Second,
		PingEvery:           25 * time.Second,
		CommitBytes:         300 << 10,
		CommitMutations:     256,
		PushWindowBytes:     1 << 20,
		PushWindowMutations: 256,
		PresenceBytes:       4 << 10,
		Horizon:             30 * 24 * time.Hour,
		TokenGrace:          5 * time.Second,
	}
}
