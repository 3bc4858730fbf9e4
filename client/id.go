package client

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// NewID makes an id for a new record or list element: a UUIDv7 in its usual
// text form, so that ids made later sort later.
func NewID() string {
	var random [16]byte
	rand.Read(random[:]) // never fails: see crypto/rand
	return uuidV7(protocol.Time(time.Now().UnixMilli()), random).String()
}

// uuidV7 lays out RFC 9562, section 5.7: 48 bits of milliseconds, the version,
// and random bits around the variant.
func uuidV7(now protocol.Time, random [16]byte) protocol.DeviceID {
	id := protocol.DeviceID(random)
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now)<<16)
	copy(id[:6], ms[:6])
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id
}
