package protocol

// Policy is a field's or a collection's rule for concurrent edits, as written
// in x-merge and x-merge-delete.
type Policy string

const (
	PolicyLWW     Policy = "lww"
	PolicyFirst   Policy = "first"
	PolicyStrict  Policy = "strict"
	PolicyAsk     Policy = "ask"
	PolicyCounter Policy = "counter"
	PolicyMax     Policy = "max"
	PolicyMin     Policy = "min"
	PolicySet     Policy = "set"
	PolicyList    Policy = "list"

	// Policies for a delete that meets a concurrent update.
	PolicyDeleteWins Policy = "delete-wins"
	PolicyUpdateWins Policy = "update-wins"
)

// Side is one of the two edits of a conflict.
type Side struct {
	Author Author
	// Time is the edit time, clamped.
	Time Time
	// Value is the value that this side wanted; absent if the side deleted the
	// record or removed the field or element, or if it stands in Blob.
	Value Value
	// Blob names the value in the store if it was longer than MaxInlineConflict;
	// zero if not.
	Blob BlobID
}

// BlobID names a large overwritten value: the first 16 bytes of its SHA-256.
type BlobID [16]byte

// Conflict is a collision of two edits of one field (or of a delete with an
// update), as a fact of the log: told once to the device that lost, by cursor.
type Conflict struct {
	// Seq of the commit that holds it.
	Seq        uint64
	Collection string
	ID         string
	// Field is empty if the conflict is about the record's deletion.
	Field string
	// Element is the list element the conflict is about, if any.
	Element string
	Policy  Policy
	// Open is true if a person is asked: then the record ConflictID(…) in
	// ConflictCollection holds it until it is resolved.
	Open bool
	// Base is the value the loser's author had seen before the edit, if known.
	Base Value
	// Kept and Lost are the side that stands and the side that was overwritten,
	// or that waits for a person.
	Kept Side
	Lost Side
}
