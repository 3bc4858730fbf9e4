package transfer

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/tidegate/tidegate/compress"
	"github.com/tidegate/tidegate/space"
)

// writer writes an export. Errors of the stream underneath stick.
type writer struct {
	out   io.Writer
	codec *compress.Codec
	seal  [sha256.Size]byte
	err   error

	spaces uint64 // whole ones
	bytes  int64  // of logs and items, unpacked

	// Of the space that is being written.
	key    space.Key
	digest *digest
	kind   byte   // of the chunk that body becomes
	body   []byte // what waits to be written
	seq    uint64 // of the next log entry that may join body
	items  space.ItemKind
}

// newWriter begins an export.
func newWriter(out io.Writer, source, selection string) (*writer, error) {
	w, err := resumeWriter(out, sha256.Sum256(header()), 0)
	if err != nil {
		return nil, err
	}
	_, w.err = out.Write(header())
	w.chunk(chunkFile, appendBytes(appendBytes(nil, source), selection))
	return w, w.err
}

// resumeWriter goes on behind a chunk with the given seal and so many whole
// spaces.
func resumeWriter(out io.Writer, seal [sha256.Size]byte, spaces uint64) (*writer, error) {
	codec, err := newCodec()
	if err != nil {
		return nil, err
	}
	return &writer{out: out, codec: codec, seal: seal, spaces: spaces}, nil
}

// chunk writes a chunk.
func (w *writer) chunk(kind byte, body []byte) {
	if w.err != nil {
		return
	}
	packing, stored := byte(packedNot), body
	if packed, pays := w.codec.Encode(nil, body, 0); pays {
		packing, stored = packedZstd, packed
	}
	b := make([]byte, 0, frameBytes+len(stored)+sha256.Size)
	b = append(b, kind, packing)
	b = binary.BigEndian.AppendUint32(b, uint32(len(stored)))
	b = append(b, stored...)
	w.seal = nextSeal(w.seal, b)
	b = append(b, w.seal[:]...)
	_, w.err = w.out.Write(b)
}

func nextSeal(seal [sha256.Size]byte, chunk []byte) (next [sha256.Size]byte) {
	h := sha256.New()
	h.Write(seal[:])
	h.Write(chunk)
	h.Sum(next[:0])
	return next
}

// begin begins a space, or begins it again.
func (w *writer) begin(key space.Key, watermark uint64) {
	w.key, w.digest, w.kind, w.body = key, newDigest(), 0, nil
	body := appendBytes(appendBytes(nil, key.Tenant), key.Space)
	w.chunk(chunkSpace, binary.AppendUvarint(body, watermark))
}

// entry writes a log entry; its seq is one more than that before it.
func (w *writer) entry(entry space.LogItem) error {
	if len(entry.Data) > maxBodyBytes-2*binary.MaxVarintLen64 {
		return fmt.Errorf("%s: commit %d has %d bytes; an export holds %d at most", nameOf(w.key), entry.Seq, len(entry.Data), maxBodyBytes)
	}
	if w.kind != chunkLog || w.seq != entry.Seq || len(w.body)+len(entry.Data) > chunkBytes {
		w.flush()
		w.kind, w.seq = chunkLog, entry.Seq
		w.body = binary.AppendUvarint(w.body, entry.Seq)
	}
	w.body = appendBytes(w.body, entry.Data)
	w.seq++
	w.bytes += int64(len(entry.Data))
	w.digest.addEntry(entry)
	return w.err
}

// item writes an item.
func (w *writer) item(item *space.Item) error {
	encoded := appendItem(nil, item)
	if len(encoded) > maxBodyBytes-binary.MaxVarintLen64 {
		return fmt.Errorf("%s: %s has %d bytes; an export holds %d at most", nameOf(w.key), item.Key, len(encoded), maxBodyBytes)
	}
	if w.kind != chunkItems || w.items != item.Key.Kind || len(w.body)+len(encoded) > chunkBytes {
		w.flush()
		w.kind, w.items = chunkItems, item.Key.Kind
		w.body = binary.AppendUvarint(w.body, uint64(w.items))
	}
	w.body = append(w.body, encoded...)
	w.bytes += int64(len(encoded))
	w.digest.addItem(item.Key.Kind, encoded)
	return w.err
}

func (w *writer) flush() {
	if w.kind != 0 {
		w.chunk(w.kind, w.body)
		w.kind, w.body = 0, w.body[:0]
	}
}

// end ends a space.
func (w *writer) end() error {
	w.flush()
	w.chunk(chunkSpaceEnd, w.digest.sums().append(nil))
	w.spaces++
	return w.err
}

// endFile ends the export.
func (w *writer) endFile() error {
	w.chunk(chunkFileEnd, binary.AppendUvarint(nil, w.spaces))
	return w.err
}
