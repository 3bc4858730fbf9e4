// Package oracle says, slowly and simply, what the log of a space means, so that
// package merge can be caught being clever and wrong.
//
// An [Oracle] is fed the commits of a log, from the first on. It keeps every
// effect that any op ever had, and decides each mutation from its logged body,
// base and clamped edit time by scanning that history; it looks at no delta, and
// at the logged verdicts only to disagree with them. What merge knows of a
// record is an image: the oracle has none, nothing is folded, compacted or
// cached, and both the state and every decision are derived from the first event
// on each time. It shares no merging code with merge. It does use merge's
// reading of the schema (what policy a field has is not a matter of merging) and
// merge.Between, which has a test of its own.
//
// It is quadratic and more, and meant for tests, the simulator and the load
// harness alone.
//
// # What it reads into the rules
//
// Where the rules can be read in more than one way, the oracle reads
//
//   - A field's last change is the last op that had an effect on it: an op that
//     lost, or found nothing to do (removing what is not there, raising a maximum
//     to less), is none.
//   - An edit is concurrent with that last change alone, not with what stood
//     before it: who overwrote the rival's value settles with both.
//   - Overwriting a value by the same value overwrites nothing: the outcome is
//     that of a collision, but no conflict is told.
//   - The members of a group win or lose against the member whose last concurrent
//     change has the greatest (edit time, device).
//   - A delete is concurrent with the last change of any field, and, if none is,
//     with the record's creation or return.
//   - What is on the list of a set at its creation is added by its creator.
//   - An element of a list that was removed keeps its id: it can be inserted
//     only once.
//   - Only living elements of a list take up positions.
//   - Undeleting what lives, and deleting what is deleted, is applied and changes
//     nothing.
//   - Sizes are not its business: what the log refused as too large it takes as
//     refused.
package oracle
