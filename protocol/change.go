package protocol

// ChangeKind says what happened to a record.
type ChangeKind uint8

const (
	// ChangeFields: fields of a living record changed.
	ChangeFields ChangeKind = 0
	// ChangeCreate: the record is new; Fields holds all of it.
	ChangeCreate ChangeKind = 1
	// ChangeDelete: the record is gone; its tombstone stays.
	ChangeDelete ChangeKind = 2
	// ChangeUndelete: the record is back; Fields holds all of it.
	ChangeUndelete ChangeKind = 3
)

// FieldChangeKind says how a field changed. All are effects after merging:
// replaying them in order needs no decision, and no schema.
type FieldChangeKind uint8

const (
	// FieldPut: the field's value is Value.
	FieldPut FieldChangeKind = 0
	// FieldUnset: the field is gone.
	FieldUnset FieldChangeKind = 1
	// SetAdded: Value is an element now (or was already, and was added again).
	SetAdded FieldChangeKind = 2
	// SetRemoved: the adds of Value that the author had seen are gone, and with
	// them the element.
	SetRemoved FieldChangeKind = 3
	// SetKept: the adds of Value that the author had seen are gone, but an unseen
	// add keeps the element. Clients ignore it.
	SetKept FieldChangeKind = 4
	// ListPut: Element stands at Position with Value (inserted).
	ListPut FieldChangeKind = 5
	// ListMoved: Element stands at Position.
	ListMoved FieldChangeKind = 6
	// ListSet: Element has Value.
	ListSet FieldChangeKind = 7
	// ListRemoved: Element is gone.
	ListRemoved FieldChangeKind = 8
	// 9 is kept for text.
)

// FieldChange is the effect of a mutation on one field.
type FieldChange struct {
	Field    string
	Kind     FieldChangeKind
	Value    Value
	Element  string
	Position string
}

// Change is the effect of a mutation on one record.
type Change struct {
	Collection string
	ID         string
	Kind       ChangeKind
	Fields     []FieldChange
}

// Stamp is where and when a delta comes from. The server's fold needs all of it
// (it decides which later edits are concurrent); a client needs Seq alone.
type Stamp struct {
	Seq    uint64
	Device DeviceID
	User   string
	// Base is the base of the mutation.
	Base uint64
	// Time is the mutation's clamped edit time.
	Time Time
}

// FieldKind says how the content of a field is laid out.
type FieldKind uint8

const (
	// Plain: one value.
	Plain FieldKind = 0
	// SetOf: the elements of a set, in byte order of their encoding.
	SetOf FieldKind = 1
	// ListOf: the elements of a list, ordered by (Position, Element).
	ListOf FieldKind = 2
	// 3 is kept for text.
)

// ElementState is one element of a set (Value alone) or of a list.
type ElementState struct {
	Element  string
	Position string
	Value    Value
}

// FieldState is what everybody who may see a record sees in one field.
type FieldState struct {
	Field    string
	Kind     FieldKind
	Value    Value
	Elements []ElementState
}

// RecordState is what everybody who may see a record sees of it: the unit of a
// snapshot page, and what promise 9 compares bit for bit.
type RecordState struct {
	Collection string
	ID         string
	// Version is the seq of the last commit that changed the record. A change
	// whose seq is not greater is skipped.
	Version uint64
	// Fields in byte order of their paths.
	Fields []FieldState
}
