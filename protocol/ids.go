package protocol

// DeviceID names one durable store of a client: one browser profile, one phone,
// one backend worker. It is a UUID in its 16 bytes; clients make it as UUIDv7.
// A device id is bound to the user that first used it in a space.
type DeviceID [16]byte

// CommitID is the random name of one attempt to append a commit. It tells,
// after an append whose outcome was unknown, whether the commit found at a seq
// is ours, and it tells one history of a space from another.
type CommitID [8]byte

// Hash is the running hash of a device's mutations in one space: the first 16
// bytes of SHA-256(previous hash ‖ mutation body). It starts as all zeros. Two
// stores of one device (a copy, a restored backup) that wrote different things
// under the same counter differ in it from there on.
type Hash [16]byte

// Time is a point in time in milliseconds since the Unix epoch.
type Time int64

// Cursor is the last commit that a device has durably applied in a space. The
// zero Cursor stands before the first commit. The commit id tells whether seq
// still means the same history.
type Cursor struct {
	Seq    uint64
	Commit CommitID
}

// MutationID names a mutation in its space. Counters start at 1 and are
// contiguous for a device in a space.
type MutationID struct {
	Device  DeviceID
	Counter uint64
}

// Author is who made a mutation: a device and the user whose token it showed.
type Author struct {
	Device DeviceID
	User   string
}
