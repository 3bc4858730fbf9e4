package protocol

// Outcome is what became of a mutation or of one op. The numbers are the
// wire's. A mutation's outcome is the greatest of its ops' outcomes.
type Outcome uint8

const (
	// Applied: it took effect and nothing concurrent stood in the way.
	Applied Outcome = 0
	// Merged: it took effect together with, or over, a concurrent change.
	Merged Outcome = 1
	// Superseded: a concurrent change stays in its place; its value is kept in a
	// settled conflict.
	Superseded Outcome = 2
	// Conflicted ("conflict" in words): the committed value stays and a person is
	// asked.
	Conflicted Outcome = 3
	// Rejected: it had no effect; the code and message say why.
	Rejected Outcome = 4
)

// String returns the outcome's word.
func (o Outcome) String() string {
	switch o {
	case Applied:
		return "applied"
	case Merged:
		return "merged"
	case Superseded:
		return "superseded"
	case Conflicted:
		return "conflict"
	case Rejected:
		return "rejected"
	}
	return "unknown"
}

// RejectCode says why an op or a mutation was rejected. It is a fact of the log.
type RejectCode string

const (
	// RejectStale: a strict field, or a mutation marked whole, met a concurrent change.
	RejectStale RejectCode = "stale"
	// RejectMissing: the record (or list element) does not exist.
	RejectMissing RejectCode = "missing"
	// RejectExists: the record (or list element) to create exists.
	RejectExists RejectCode = "exists"
	// RejectDeleted: the record was deleted, and the author knew or could have known.
	RejectDeleted RejectCode = "deleted"
	// RejectPolicy: the op does not fit the field's policy (an add on an lww field).
	RejectPolicy RejectCode = "policy"
	// RejectGroup: a set does not carry all members of the field's group.
	RejectGroup RejectCode = "group"
	// RejectSchema: the op's value breaks the collection's schema.
	RejectSchema RejectCode = "schema"
	// RejectInvalid: the merged record would break the collection's schema.
	RejectInvalid RejectCode = "invalid"
	// RejectPrecondition: a precondition of the mutation does not hold.
	RejectPrecondition RejectCode = "precondition"
	// RejectTooLarge: the mutation, the field or the merged record is too large.
	RejectTooLarge RejectCode = "too-large"
	// RejectMalformed: the body is not a mutation, or holds a value outside the domain.
	RejectMalformed RejectCode = "malformed"
	// RejectName: a collection, record or field name that is not allowed.
	RejectName RejectCode = "name"
	// RejectForbidden: the author may not do this to this record.
	RejectForbidden RejectCode = "forbidden"
	// RejectUnknownOutcome is given by a client alone, never by the log: whether the
	// mutation took effect cannot be known any more (the server forgot the device
	// behind the horizon). It is kept for the user to decide.
	RejectUnknownOutcome RejectCode = "unknown-outcome"
)

// OpVerdict is what became of one op.
type OpVerdict struct {
	Outcome Outcome
	// Code, Message and Field are set if the outcome is Rejected. Message is fit
	// for a user and names the field.
	Code    RejectCode
	Message string
	Field   string
}

// Verdict is what became of a mutation.
type Verdict struct {
	Counter uint64
	// Seq of the commit that holds the mutation.
	Seq     uint64
	Outcome Outcome
	// Code, Message and Field: set if the mutation was rejected as a whole; then
	// Ops is empty.
	Code    RejectCode
	Message string
	Field   string
	// Ops is empty if every op has the mutation's Outcome and none was rejected,
	// else one entry an op.
	Ops []OpVerdict
}
