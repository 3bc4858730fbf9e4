// Package merge decides what a mutation means: it reconciles what devices did
// to the same records without having seen each other's edits.
//
// The server merges ([Batch]), everybody folds ([Apply], [Fold]): merging makes
// of a mutation and the records' images a verdict, changes and conflicts;
// folding the changes gives the next images. Only merging consults the schema.
// Everything here is deterministic: no clock, no random number, no order of a Go
// map reaches a result. The package owns the record's image and its stored form;
// package space owns the log and decides when to merge.
//
// # Images
//
// A [Record] holds, for each field (and each element of a set or a list), the
// seq, edit time and author of its last change. That suffices to tell what is
// concurrent, and survives compaction. Records are immutable.
//
// # Rules
//
// An edit of a field is concurrent if the field's last change has seq > the
// mutation's base and is another device's; mutations of one commit count as
// having its seq. Then:
//
//   - lww: the later edit time wins, ties by the greater device id. A winner's
//     outcome is merged, a loser's superseded. first: the committed value stays:
//     superseded. ask: it stays, and a conflict is opened: conflict. strict: the
//     mutation is rejected as stale, as a whole. If the two values (or positions)
//     are equal, nobody lost: the outcome is merged and there is no conflict
//     (strict rejects all the same); the winner is the last to have changed it.
//   - an unset is a set to "absent", and so is a set with no value.
//   - counter, max, min: plain numbers, absent counts as not there yet. An op that
//     leaves the value as it is makes no change. They cannot be set or unset.
//   - set: an add drops the element's adds that its author has seen (seq ≤ base,
//     or the author's own) and adds one; a remove drops those, and with the last
//     one the element. A remove that finds no add it has seen makes no change.
//   - list: position and value of an element are lww each. A remove goes before
//     unseen edits and moves. An edit of an element that was removed unseen is
//     superseded; one that never was, or was seen removed, is rejected as missing,
//     except that removing what is removed is applied without a change. An insert
//     or a move to a position where another element stands goes to
//     Between(position, the next position), the next position being that of the
//     nearest living element behind, or open.
//   - a set or a list without elements is absent.
//   - counter, max, min, set and list edits that meet no loss have the outcome
//     merged if the field's last change was concurrent, else applied.
//   - a group's members are set at once and are decided at once: concurrent if
//     any member is; compared with the concurrent member of the latest edit time.
//   - the arrays that an OpCreate gives to a set or a list become elements; those
//     of a list get the ids "0", "1", … and positions Between(previous, "").
//     Without a schema they are plain values.
//   - an OpDelete is concurrent with what others changed after its base: plain
//     fields and list elements by their last change, sets by their adds, and the
//     record's creation or return if there is nothing else. delete-wins: the record
//     goes, each value that goes with it is kept in a conflict; an author of
//     changes without a value (removals) is told by one conflict about the record.
//     update-wins: superseded. ask: an open conflict about the record (its
//     field is ""). Kept in both is the newest unseen change (by seq, edit time,
//     device). Any other op on a record that was deleted unseen is superseded
//     (with a conflict for what it wanted; an undelete wanted no value), brings the
//     record back (merged, and the deleter is told), or opens that conflict. Such a
//     conflict is resolved with no value (delete) or with a map of fields.
//   - deleting what is deleted and undeleting what lives is applied without a
//     change. A seen deletion rejects all but an undelete.
//
// # What is rejected as a whole, and what op by op
//
// Names, values that break their own part of the schema, sizes of mutations,
// preconditions and stale strict fields reject the mutation as a whole; what does
// not fit a policy or a record's existence, and what breaks the merged record,
// rejects the op alone, unless the mutation is marked whole. If a record is
// invalid after all ops, they are tried again one by one (unless that would cost
// too much: then the mutation is rejected). An op is blamed only for
// what was not broken already. If another device has changed the record since
// the mutation's base, the values of an op that is rejected as invalid are kept
// in conflicts too, unless they equal what stands.
//
// # Conflicts
//
// Whoever's value loses is told, in a [protocol.Conflict]; a value longer than
// protocol.MaxInlineConflict goes to a [Blob]. An open conflict is also a record
// in "_conflicts" (see [ConflictID]), and its field's path is an element of the
// set field "_conflicts" of the record that it is about. Deleting a record
// deletes its open conflicts, and that field.
//
// # Versions
//
// A record's version is the seq of the last commit that changed it in any way,
// including an add of an element that is there already, and the opening of a
// conflict.
package merge
