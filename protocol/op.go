package protocol

// OpKind says what an op does. The numbers are the wire's and never change.
type OpKind uint8

// The kinds of op. Those that name a field carry it in Field, except OpCreate
// and OpSet, whose fields stand in Fields.
const (
	// OpCreate makes a record with the values in Fields. It is rejected with
	// RejectExists if the record exists, RejectDeleted if it was deleted.
	OpCreate OpKind = 1
	// OpSet gives a field a new value, as the author typed it. Fields holds one
	// entry, or one for each member of an x-merge-group: those win or lose as one.
	OpSet OpKind = 2
	// OpUnset removes a field from the record; it is merged as a set to "absent".
	OpUnset OpKind = 3
	// OpAdd adds the number in Value (which may be negative) to a counter field.
	OpAdd OpKind = 4
	// OpMax raises a max field to Value if that is greater.
	OpMax OpKind = 5
	// OpMin lowers a min field to Value if that is smaller.
	OpMin OpKind = 6
	// OpSetAdd adds the element Value to a set field.
	OpSetAdd OpKind = 7
	// OpSetRemove removes the element Value from a set field, as far as the
	// author had seen it: an unseen add survives.
	OpSetRemove OpKind = 8
	// OpListInsert inserts the element Element with Value at Position.
	OpListInsert OpKind = 9
	// OpListMove moves Element to Position.
	OpListMove OpKind = 10
	// OpListSet gives Element the new Value.
	OpListSet OpKind = 11
	// OpListRemove removes Element.
	OpListRemove OpKind = 12
	// OpDelete deletes the record. It can be undeleted while its tombstone lives.
	OpDelete OpKind = 13
	// OpUndelete brings a deleted record back as it was.
	OpUndelete OpKind = 14
	// OpResolve closes the open conflict named by Collection (always
	// ConflictCollection) and ID, giving the field it is about the value Value
	// (absent removes the field).
	OpResolve OpKind = 15
	// 16 is kept for the text op.
)

// ConflictCollection is the system collection that holds the open conflicts of
// a space, one record a field. Users' collections may not begin with "_".
const ConflictCollection = "_conflicts"

// Op is one change to one field or record, as the user made it.
type Op struct {
	Kind       OpKind
	Collection string
	ID         string
	// Fields: OpCreate (any number), OpSet (one, or the members of one group).
	Fields []FieldValue
	// Field: the path of the field, for the kinds that name one. Fields of
	// declared nested objects are joined with dots ("address.city").
	Field string
	// Value: the operand; see the kinds.
	Value Value
	// Element: a list element's id, made by the client, unique in the field.
	Element string
	// Position: a list position; see merge.Between. Ordered by bytes.
	Position string
	// Was: for OpUnset and OpListSet, what FieldValue.Was is for OpSet.
	Was Value
}

// FieldValue is a value for a field.
type FieldValue struct {
	Field string
	Value Value
	// Was is the value that the author saw in the field before the edit: the
	// base of a conflict, if there will be one. It decides nothing. Absent if
	// there was none or it was longer than MaxWas bytes.
	Was Value
}

// Mutation is a list of ops, sent and answered together. Its id stands outside
// it, in the push that carries it.
type Mutation struct {
	// Base is the seq that the author had seen. With the device's earlier
	// mutations it is the mutation's causal past.
	Base uint64
	// EditTime is when the user made the edit, by the device's clock. The server
	// clamps it to [time of the base commit, now].
	EditTime Time
	// SchemaVersion is the version of the schema the client was built for; 0 if
	// it had none.
	SchemaVersion uint32
	// Whole asks for all or nothing: rejected with RejectStale if any op would
	// lose to a concurrent one.
	Whole bool
	// Preconditions must all hold, else the mutation is rejected with
	// RejectPrecondition.
	Preconditions []Precondition
	// Ops, in the order in which they were made; at least one.
	Ops []Op
}

// Precondition demands that nobody else has changed a record, or one field of
// it, after Version.
type Precondition struct {
	Collection string
	ID         string
	// Field is the field's path; empty for the whole record.
	Field string
	// Version is the greatest seq that the last change by another device may
	// have. 0 demands that the record (or field) does not exist.
	Version uint64
}
