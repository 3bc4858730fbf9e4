package protocol

import (
	"crypto/sha256"
	"encoding/hex"
)

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

// String returns the id as a lower-case UUID.
func (d DeviceID) String() string { return formatUUID(d) }

// IsZero says whether d is the zero id, which names no device.
func (d DeviceID) IsZero() bool { return d == DeviceID{} }

// ParseDeviceID reads a lower-case UUID with hyphens, as String writes it. The
// zero id is refused.
func ParseDeviceID(s string) (DeviceID, error) {
	id, ok := parseUUID(s)
	if !ok || DeviceID(id).IsZero() {
		return DeviceID{}, Errorf(CodeMalformed, "device id %q is not a lower-case UUID", clip(s, 64))
	}
	return id, nil
}

// String returns the id in hexadecimal.
func (c CommitID) String() string { return hex.EncodeToString(c[:]) }

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Next returns the running hash after a mutation with the given encoded body.
func (h Hash) Next(body []byte) Hash {
	sum := sha256.New()
	sum.Write(h[:])
	sum.Write(body)
	var full [sha256.Size]byte
	var next Hash
	copy(next[:], sum.Sum(full[:0]))
	return next
}

// String returns the blob id in hexadecimal.
func (b BlobID) String() string { return hex.EncodeToString(b[:]) }

// BlobOf names a value that is kept in an item of its own.
func BlobOf(v Value) BlobID {
	sum := sha256.Sum256([]byte(v.encoded))
	return BlobID(sum[:16])
}

// uuidLength is the length of a UUID's text.
const uuidLength = 36

// parseUUID reads the canonical text of a UUID: lower-case, hyphens at their
// places. Nothing else is taken, so that text and bytes are one to one: record
// ids travel as bytes if they have this form, and come back as they were.
func parseUUID(s string) (id [16]byte, ok bool) {
	if len(s) != uuidLength {
		return id, false
	}
	at := 0
	for i := 0; i < uuidLength; {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if s[i] != '-' {
				return id, false
			}
			i++
			continue
		}
		high, low := unhex(s[i]), unhex(s[i+1])
		if high > 15 || low > 15 {
			return id, false
		}
		id[at] = high<<4 | low
		at++
		i += 2
	}
	return id, true
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

func formatUUID(id [16]byte) string {
	var text [uuidLength]byte
	hex.Encode(text[0:8], id[0:4])
	text[8] = '-'
	hex.Encode(text[9:13], id[4:6])
	text[13] = '-'
	hex.Encode(text[14:18], id[6:8])
	text[18] = '-'
	hex.Encode(text[19:23], id[8:10])
	text[23] = '-'
	hex.Encode(text[24:36], id[10:16])
	return string(text[:])
}
