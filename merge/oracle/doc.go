// Package oracle says, slowly and simply, what the log of a space means, so that
// package merge can be caught being clever and wrong.
//
// An [Oracle] is fed the commits of a log, from the first on. It keeps every
// effect that any op ever had, and decides each mutation from its logged body,
// base and clamped edit time by scanning that history; it looks at no delta, and
// at the logged verdicts and conflicts only to disagree with them. What merge
// knows of a record is an image, folded and compacted; the oracle has none, and
// derives both the state and every decision from the first event on, each time.
//
// The rules are those that merge's documentation states. Of its code the oracle
// uses what merges nothing: the schema (which policy a field has, whether an op
// or a record fits, what an x-merge-ask says of two values) and merge.Between,
// which have tests of their own.
//
// It is quadratic and more, and meant for tests, the simulator and the load
// harness alone.
//
// # What it takes at the log's word
//
//   - Sizes: a mutation or an op that the log refused as too large is refused,
//     and nothing else is. They are measured in the bytes of an image. So is the
//     effort that merge spends on finding the ops to blame for an invalid record:
//     of many ops, the log may blame all.
//   - The kept side of a conflict, and all words: whoever lost must be told of the
//     right record, field and element, and what they wanted must be kept; how it is
//     put is not compared.
//
// # Where merge's image shows
//
// In three places the rules speak of what an image remembers, and the oracle
// follows: an edit is concurrent with the last change of a field alone, not with
// those that it overwrote; the end of a record is the end of its fields only as
// long as it is ended; and a set keeps one edit time for all its elements.
package oracle
