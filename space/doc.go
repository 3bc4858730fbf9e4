// Package space keeps the log of one space: it decides in which order mutations
// take effect, makes them durable, and remembers whose they were.
//
// # The parts
//
// [Core] is the log of one space as a machine without IO. It is told what
// happened (a device attached, a push came, a store answered, time went by) and
// says in a [Ready] what its owner must do: send requests to the store, show
// commits to readers, pass answers to devices. It starts no goroutine, reads no
// clock, draws no random number and takes no lock; the same inputs give the same
// outputs. The simulator drives it directly.
//
// [Space] is the shell around a Core: one goroutine owns the Core, each request
// to the store runs in one of its own. [Manager] opens spaces when somebody
// attaches and closes them when nobody has for a while.
//
// [Store] is all that the log needs from whatever remembers it. [Memory] is a
// Store in memory; storetest holds the suite that every Store passes.
//
// Other gateways may append to the same log. What they tell over a bus saves reads
// ([Core.Offer], [Core.Hint]), and one that loses the race for the next seq again
// and again hands its mutations to the winner ([HandOver], [Core.Take]); what must
// be told to them is in [Ready]. Without a bus the log is polled.
//
// # What is promised
//
//   - Commit n is appended only by someone who has folded 1 … n-1, under the
//     condition that n is free. That one condition fences other gateways and makes
//     deduplication exact, without transactions and without leases.
//   - A verdict leaves only after its commit is durable, in counter order.
//   - An append whose outcome is unknown is resolved by reading, and repeated
//     under the same seq and commit id until it is; it is never reported as failed.
//   - Images of records and devices run behind the log, never ahead of it.
//   - A log entry that cannot be read makes the space read-only; it is never
//     skipped.
//
// # Memory
//
// Records are loaded when a mutation or a commit touches them, and forgotten
// again, the least recently used first, once their image is stored. A space may
// be much larger than the budget of its cache. Delivery reads from a bounded ring
// of encoded commits, else from the log as it is stored, else from the images
// (see [Reader]).
package space
