// Package transfer moves whole spaces from one store to another, by way of an
// export: a stream, usually a file. [Export] and [Continue] write one, [Import]
// brings its spaces into a store, [Check] compares a store with it. An export
// holds each space as its store holds it, bit by bit: the log, the images of
// records and devices, large lost values, horizon, watermark. So cursors, counters
// and commit ids mean the same in the new store, and devices go on where they were.
//
// # The format
//
//	export = format byte ‖ "tidegate export" ‖ chunk …
//	chunk  = kind ‖ packing ‖ uint32 length ‖ body ‖ seal (32 bytes)
//
// A seal is the SHA-256 of the seal before it (of the export's first 16 bytes, for
// the first chunk) and all of the chunk that stands in front of it: nothing can be
// changed, left out or put elsewhere without being noticed, and nothing of a chunk
// is used before its seal has been compared. Bodies are packed with zstd where
// that makes them smaller. The first chunk says what the export is of; then come
// spaces, one after the other; the last chunk says how many, so that an export that
// was cut off is no whole export.
//
//	space    = tenant, name, version of its watermark (0: none)
//	log      = seq of the first entry, entries
//	items    = kind, items in the order of their keys
//	space's end = counts, SHA-256 of the log, SHA-256 of the items
//
// If a space begins again before its end, what came of it before counts for
// nothing but its commits; if it comes again after its end, the later one is newer.
//
// # Reading a space that is in use
//
// A bolt file cannot be read while a gateway has it; a table can. Then every page
// is read a moment later than the one before, and the order is what makes the
// whole consistent, for the same reasons for which a gateway may open a space:
//
//  1. The watermark comes first: the images, read later, are at least as new as it.
//  2. The log comes next, and runs ahead of the images: before an image is written
//     whose version lies beyond the log so far, the log is read on to its end. As
//     images run behind the log, it then reaches the image. If it is trimmed while it
//     is read, the space begins again.
//  3. The horizon is read after records and devices: it covers all that is absent
//     from them. If it has passed the watermark that was read, something deleted
//     meanwhile may have gone without a trace, and the export ends with an error.
//  4. Large lost values come after the log that names them: they were stored before
//     it.
//
// Spaces do not depend on one another, so each is as of a moment of its own.
//
// # Writing a space
//
// Whatever moment an import ends at, what it leaves must not be taken for the
// space. So, into a store that does not have it:
//
//  1. space.UnfinishedMark goes in. Gateways serve nobody from the space until it
//     has gone.
//  2. The log, but for the very first commit; the images; values; horizon. A gateway
//     that had the space open when it was still empty meets a log with a hole in
//     front, begins again and meets the mark.
//  3. The first commit, and then the watermark in place of the mark. Where there is
//     none, or one of the mark's own version, the mark is taken out first: then
//     it is the missing commit that bars the space (fresh.go has the details).
//
// Every write is conditional and may be repeated, so an import that was cut off is
// run again, and passes over what is there.
//
// A space that the store has already is compared commit by commit. One difference,
// and nothing is written: that is another history. If the store has less of the
// same history, what is missing is added in the order of the log, which a reader
// cannot tell from commits being made; if it has more, it is left alone.
package transfer
