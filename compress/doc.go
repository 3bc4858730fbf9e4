// Package compress packs and unpacks runs of frames with zstd.
//
// It knows bytes only: which frames are worth packing, and what a compressed
// frame looks like on the wire, is package protocol's and package session's
// business. A [Codec] is made once, from the dictionaries that this side has,
// and shared by everybody: it is safe for concurrent use, and holds its encoders
// and decoders itself.
//
// Three rules:
//
//   - Only where it pays. [Codec.Encode] says no unless the result is smaller by
//     more than a compressed frame costs.
//   - Every decode is bounded. A packed run declares its size; [Codec.Decode]
//     looks at the declaration before it allocates, refuses what is over the
//     caller's limit or more than [MaxRatio] times the input, and never produces
//     more than was declared. A bomb costs nothing.
//   - Dictionaries have ids. A run packed with a dictionary names it, and a side
//     that does not have it says so instead of producing something else.
package compress
