package transfer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tidegate/tidegate/compress"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// visitor is told what an export holds, in its order, each chunk after its seal
// was compared. An error ends the reading.
type visitor interface {
	// begin is called when a space begins, or begins again.
	begin(key space.Key, watermark uint64) error
	// log gives entries with consecutive seqs, which go on where the last left off.
	log(entries []space.LogItem) error
	// items gives items of one kind in the order of their keys.
	items(kind space.ItemKind, items []encodedItem) error
	// end is called once all of the space was given and is as its sums say.
	end(sums sums) error
}

// reader reads an export and holds it to its format.
type reader struct {
	in     *bufio.Reader
	codec  *compress.Codec
	offset int64 // of the chunk that is being read, then of what follows it
	read   int64 // bytes taken from in
	seal   [sha256.Size]byte

	source, selection string
	spaces            uint64
	// whole is where the last whole space ends, or the first chunk; offset 0 before.
	whole struct {
		offset int64
		seal   [sha256.Size]byte
		spaces uint64
	}

	// Of the space that is being read; key is nil between spaces.
	key    *space.Key
	digest *digest
	place  int           // in itemKinds; -1 while there was only the log
	last   space.ItemKey // the last item
}

// walk reads a whole export. Its error is a *FormatError, the visitor's, or the
// stream's.
func walk(in io.Reader, v visitor) (*reader, error) {
	codec, err := newCodec()
	if err != nil {
		return nil, err
	}
	r := &reader{in: bufio.NewReaderSize(in, 64<<10), codec: codec}
	if err := r.open(); err != nil {
		return r, err
	}
	for {
		if r.key == nil {
			r.whole.offset, r.whole.seal, r.whole.spaces = r.read, r.seal, r.spaces
		}
		kind, body, err := r.chunk()
		if err != nil {
			return r, err
		}
		done, err := r.take(kind, body, v)
		if err != nil || done {
			return r, err
		}
		r.offset = r.read
	}
}

func (r *reader) wrong(kind error, format string, args ...any) error {
	return &FormatError{Kind: kind, Offset: r.offset, Space: r.key, Detail: fmt.Sprintf(format, args...)}
}

// fill reads exactly len(b) bytes; an end before that is a cut.
func (r *reader) fill(b []byte) error {
	n, err := io.ReadFull(r.in, b)
	r.read += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.wrong(ErrCutOff, "it has %d bytes and more should follow; run the export again to complete it", r.read)
	}
	return err
}

// open reads what begins every export.
func (r *reader) open() error {
	first := make([]byte, len(header()))
	n, err := io.ReadFull(r.in, first)
	r.read = int64(n)
	want := header()
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return r.wrong(ErrCutOff, "it is empty")
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	case n > 0 && !bytes.Equal(first[1:n], want[1:n]):
		return r.wrong(ErrForeign, "it does not begin as one")
	case protocol.CheckFormat(first[:n]) != nil:
		return r.wrong(ErrNewer, "format byte %#02x, known is %#02x", first[0], want[0])
	case n < len(want):
		return r.wrong(ErrCutOff, "it has %d bytes", n)
	}
	r.seal = sha256.Sum256(want)
	r.offset = r.read
	kind, body, err := r.chunk()
	if err != nil {
		return err
	}
	if kind != chunkFile {
		return r.wrong(ErrCorrupt, "it does not say what it is of")
	}
	d := decoder{data: body}
	r.source, r.selection = d.string(), d.string()
	if err := d.end(); err != nil {
		return r.wrong(ErrCorrupt, "its first chunk: %v", err)
	}
	r.offset = r.read
	return nil
}

// chunk reads a chunk, compares its seal and unpacks its body.
func (r *reader) chunk() (kind byte, body []byte, err error) {
	chunk := make([]byte, frameBytes)
	if err := r.fill(chunk); err != nil {
		return 0, nil, err
	}
	size := int(binary.BigEndian.Uint32(chunk[2:]))
	if size > maxBodyBytes {
		return 0, nil, r.wrong(ErrCorrupt, "a chunk of %d bytes", size)
	}
	// Only what was read is made room for, whatever the length says.
	for left := size; left > 0; {
		n := min(left, chunkBytes)
		chunk = slices.Grow(chunk, n)
		if err := r.fill(chunk[len(chunk) : len(chunk)+n]); err != nil {
			return 0, nil, err
		}
		chunk = chunk[:len(chunk)+n]
		left -= n
	}
	var seal [sha256.Size]byte
	if err := r.fill(seal[:]); err != nil {
		return 0, nil, err
	}
	next := nextSeal(r.seal, chunk)
	if next != seal {
		return 0, nil, r.wrong(ErrCorrupt, "the %d bytes from there on are not what their SHA-256 says", len(chunk)+len(seal))
	}
	r.seal = next
	body = chunk[frameBytes:]
	switch chunk[1] {
	case packedNot:
	case packedZstd:
		if body, err = r.codec.Decode(nil, body, maxBodyBytes); err != nil {
			return 0, nil, r.wrong(ErrCorrupt, "%v", err)
		}
	default:
		return 0, nil, r.wrong(ErrNewer, "packing %d", chunk[1])
	}
	return chunk[0], body, nil
}

// take takes a chunk in; done is true behind the last.
func (r *reader) take(kind byte, body []byte, v visitor) (done bool, err error) {
	if r.key == nil && kind != chunkSpace && kind != chunkFileEnd {
		return false, r.wrong(ErrCorrupt, "a chunk of kind %d between spaces", kind)
	}
	switch kind {
	case chunkSpace:
		return false, r.takeSpace(body, v)
	case chunkLog:
		return false, r.takeLog(body, v)
	case chunkItems:
		return false, r.takeItems(body, v)
	case chunkSpaceEnd:
		return false, r.takeEnd(body, v)
	case chunkFileEnd:
		return true, r.takeFileEnd(body)
	}
	return false, r.wrong(ErrNewer, "a chunk of kind %d", kind)
}

func (r *reader) takeSpace(body []byte, v visitor) error {
	d := decoder{data: body}
	key := space.Key{Tenant: d.string(), Space: d.string()}
	watermark := d.uint()
	if err := d.end(); err != nil {
		return r.wrong(ErrCorrupt, "a space's beginning: %v", err)
	}
	if r.key != nil && *r.key != key {
		return r.wrong(ErrCorrupt, "%s begins before its end", nameOf(key))
	}
	r.key, r.digest, r.place, r.last = &key, newDigest(), -1, space.ItemKey{}
	return v.begin(key, watermark)
}

func (r *reader) takeLog(body []byte, v visitor) error {
	entries, err := decodeLog(body)
	if err != nil {
		return r.wrong(ErrCorrupt, "a part of the log: %v", err)
	}
	if r.digest.commits > 0 && entries[0].Seq != r.digest.last+1 {
		return r.wrong(ErrCorrupt, "commit %d follows commit %d", entries[0].Seq, r.digest.last)
	}
	for _, entry := range entries {
		r.digest.addEntry(entry)
	}
	return v.log(entries)
}

func (r *reader) takeItems(body []byte, v visitor) error {
	items, err := decodeItems(body)
	if err != nil {
		return r.wrong(ErrCorrupt, "a part of the items: %v", err)
	}
	kind := items[0].Key.Kind
	place := slices.Index(itemKinds, kind)
	if place < 0 {
		return r.wrong(ErrNewer, "items of kind %d", kind)
	}
	if r.digest.commits == 0 {
		return r.wrong(ErrCorrupt, "items before the log")
	}
	for _, item := range items {
		if place < r.place || place == r.place && compareItems(item.Key, r.last) <= 0 {
			return r.wrong(ErrCorrupt, "%s follows %s", item.Key, r.last)
		}
		if kind != space.ItemBlob && item.Version > r.digest.last {
			return r.wrong(ErrCorrupt, "%s has version %d, but the log ends at %d", item.Key, item.Version, r.digest.last)
		}
		r.place, r.last = place, item.Key
		r.digest.addItem(kind, item.encoded)
	}
	return v.items(kind, items)
}

func (r *reader) takeEnd(body []byte, v visitor) error {
	want, err := decodeSums(body)
	if err != nil {
		return r.wrong(ErrCorrupt, "a space's end: %v", err)
	}
	if got := r.digest.sums(); got != want || got.commits == 0 {
		return r.wrong(ErrCorrupt, "it holds %d commits and %d items, and other ones than its end says, which are %d and %d",
			got.commits, got.items, want.commits, want.items)
	}
	if err := v.end(want); err != nil {
		return err
	}
	r.spaces++
	r.key = nil
	return nil
}

func (r *reader) takeFileEnd(body []byte) error {
	d := decoder{data: body}
	spaces := d.uint()
	if err := d.end(); err != nil {
		return r.wrong(ErrCorrupt, "the end: %v", err)
	}
	if r.key != nil {
		return r.wrong(ErrCorrupt, "the end comes before that of the space")
	}
	if spaces != r.spaces {
		return r.wrong(ErrCorrupt, "it should hold %d spaces and holds %d", spaces, r.spaces)
	}
	r.offset = r.read
	if _, err := r.in.ReadByte(); err == nil {
		return r.wrong(ErrCorrupt, "something follows the end")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// compareItems orders keys of one kind as stores do.
func compareItems(a, b space.ItemKey) int {
	if a.A != b.A {
		return bytes.Compare([]byte(a.A), []byte(b.A))
	}
	return bytes.Compare([]byte(a.B), []byte(b.B))
}
