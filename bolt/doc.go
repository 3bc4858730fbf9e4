// Package bolt is the embedded store: all spaces in one file, on bbolt, a
// copy-on-write B+tree. It implements space.Store and needs nothing beside it.
//
// # The file
//
// Three buckets: "tidegate" holds the format version, "log" the commits, "items"
// what is kept beside the log. keys.go builds all keys, item.go the items'
// values; a commit is stored as it is given.
//
// # Group commit
//
// Callers do not open write transactions. They queue requests; one goroutine,
// the committer, takes all that wait into one transaction, with one pair of
// fsyncs for all of them. Each request gets an answer of its own: an append that
// finds its seq taken does not disturb the others. A large trim is spread over
// several transactions, so that appends pass in between.
//
// # What is durable
//
// An append is answered after the fsync of the page that makes it part of the
// file. Reads show nothing else: bbolt writes that page, and so shows it to new
// readers, before the fsync, hence a read that saw a transaction which is not
// known to be durable waits for the committer's word.
//
// # When the disk fails
//
// If there is no room, or the commit fails before the page that makes it part of
// the file was written, it had no effect, and the callers are told so. Without
// room (space.ErrFull) the store goes on, and takes writes again when there is
// room. After any other failure it stops: every further call is refused with
// [ErrStopped]. The reason is that a failed fsync cannot be repeated: the kernel
// marks the pages clean and forgets the error, so what a read shows then, and
// what a later fsync seems to confirm, need not be on the disk. If the failing
// commit had already become visible, its appends, and those refused later, wrap
// space.ErrUnknown; opening the file again, best after a look at the disk, shows
// what became of them.
//
// Damage in the middle of the file is met when it is read. It is reported as
// [ErrCorrupt] and does not end the process, even where the kernel signals it as
// a fault of memory.
//
// # Concurrency
//
// A Store is safe for concurrent use. It starts one goroutine, which [Store.Close]
// ends.
package bolt
