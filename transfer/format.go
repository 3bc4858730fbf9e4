package transfer

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/tidegate/tidegate/compress"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// magic follows the format byte.
const magic = "tidegate export"

const (
	// chunkBytes is how large a chunk's body becomes before the next begins.
	chunkBytes = 256 << 10
	// maxBodyBytes bounds a body, packed or not; a single entry or item that is larger
	// cannot be exported.
	maxBodyBytes = 16 << 20
	// frameBytes is what stands in front of a body.
	frameBytes = 1 + 1 + 4
)

// Kinds of chunks.
const (
	chunkFile     = 1
	chunkSpace    = 2
	chunkLog      = 3
	chunkItems    = 4
	chunkSpaceEnd = 5
	chunkFileEnd  = 6
)

// How a body is packed.
const (
	packedNot  = 0
	packedZstd = 1
)

// itemKinds are the kinds of items in the order in which an export has them; see
// the package comment. A kind that stores get must be added here, or it would be
// left behind.
var itemKinds = []space.ItemKind{space.ItemRecord, space.ItemDevice, space.ItemBlob, space.ItemHorizon, space.ItemWatermark}

// What can be wrong with an export. A [FormatError] wraps one of these.
var (
	// ErrForeign: this is no export of Tidegate.
	ErrForeign = errors.New("not a Tidegate export")
	// ErrNewer: a newer program wrote it.
	ErrNewer = errors.New("written by a newer Tidegate: upgrade this program")
	// ErrCutOff: the export ends before its end, as after an interrupted export or
	// copy.
	ErrCutOff = errors.New("the export is cut off")
	// ErrCorrupt: bytes are not as they were written.
	ErrCorrupt = errors.New("the export is damaged")
)

// FormatError says what is wrong with an export, and where.
type FormatError struct {
	// Kind is one of the errors above.
	Kind error
	// Offset is where the chunk begins, in bytes from the export's beginning.
	Offset int64
	// Space is the space that the chunk belongs to, if it is known.
	Space *space.Key
	// Detail says more; may be empty.
	Detail string
}

// Error says what, where and in which space.
func (e *FormatError) Error() string {
	text := fmt.Sprintf("%v, at byte %d", e.Kind, e.Offset)
	if e.Space != nil {
		text += fmt.Sprintf(", in %s", nameOf(*e.Space))
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap returns the kind.
func (e *FormatError) Unwrap() error { return e.Kind }

// nameOf names a space for people.
func nameOf(key space.Key) string {
	return fmt.Sprintf("space %q of tenant %q", key.Space, key.Tenant)
}

// header begins every export.
func header() []byte { return append(protocol.AppendFormat(nil), magic...) }

// newCodec makes what packs and unpacks bodies.
func newCodec() (*compress.Codec, error) { return compress.New() }

// digest takes in what an export has of a space, or what a store has of it: equal
// digests, equal spaces.
type digest struct {
	commits, first, last uint64
	items                uint64
	log, rest            hash.Hash
}

func newDigest() *digest { return &digest{log: sha256.New(), rest: sha256.New()} }

func (d *digest) addEntry(entry space.LogItem) {
	if d.commits == 0 {
		d.first = entry.Seq
	}
	d.commits++
	d.last = entry.Seq
	var b [2 * binary.MaxVarintLen64]byte
	d.log.Write(binary.AppendUvarint(binary.AppendUvarint(b[:0], entry.Seq), uint64(len(entry.Data))))
	d.log.Write(entry.Data)
}

// addItem takes an item, encoded by appendItem.
func (d *digest) addItem(kind space.ItemKind, encoded []byte) {
	d.items++
	d.rest.Write([]byte{byte(kind)})
	d.rest.Write(encoded)
}

// sums are what a space's end says.
type sums struct {
	commits, first, last, items uint64
	log, rest                   [sha256.Size]byte
}

func (d *digest) sums() sums {
	s := sums{commits: d.commits, first: d.first, last: d.last, items: d.items}
	d.log.Sum(s.log[:0])
	d.rest.Sum(s.rest[:0])
	return s
}

func (s sums) append(dst []byte) []byte {
	for _, n := range []uint64{s.commits, s.first, s.last, s.items} {
		dst = binary.AppendUvarint(dst, n)
	}
	return append(append(dst, s.log[:]...), s.rest[:]...)
}
