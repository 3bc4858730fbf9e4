package merge

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// StateHash names a whole state: two spaces (or a space and a device that may
// see all of it) that agree bit for bit have the same hash. The records may come
// in any order. It is SHA-256 over the number of records and the SHA-256 of each
// record's canonical encoding, in byte order of (collection, id).
func StateHash(states iter.Seq[protocol.RecordState]) [32]byte {
	type named struct {
		key Key
		sum [sha256.Size]byte
	}
	var all []named
	var scratch []byte
	for state := range states {
		scratch = protocol.AppendRecordState(scratch[:0], &state)
		all = append(all, named{Key{state.Collection, state.ID}, sha256.Sum256(scratch)})
	}
	slices.SortFunc(all, func(a, b named) int {
		if c := a.key.Compare(b.key); c != 0 {
			return c
		}
		return bytes.Compare(a.sum[:], b.sum[:])
	})
	hash := sha256.New()
	var count [8]byte
	binary.BigEndian.PutUint64(count[:], uint64(len(all)))
	hash.Write(count[:])
	for i := range all {
		hash.Write(all[i].sum[:])
	}
	return [32]byte(hash.Sum(nil))
}
