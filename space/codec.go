package space

import (
	"encoding/binary"
	"errors"

	"github.com/tidegate/tidegate/protocol"
)

// What this package stores beside the log is
//
//	format byte ‖ fields
//
// where a number is a uvarint and bytes have their length before them.
//
//	device    = string user ‖ counter ‖ hash (16) ‖ base ‖ bytes rejections
//	watermark = commit id (8) ‖ time ‖ schema version ‖ fingerprint (8)
//	            ‖ count × string name ‖ timeline
//	timeline  = count × (seq − previous seq ‖ time − previous time) (thinned)
//	            ‖ count × (time − previous time) (one for each of the last seqs)
//	blob      = value
//
// rejections is a message with one verdicts frame; empty if there are none. The
// horizon's item has no content: its version says it all.

var errShort = errors.New("it ends too early")

func appendBytes[T ~string | ~[]byte](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// decoder reads fields; the first error sticks and zeros follow.
type decoder struct {
	data []byte
	err  error
}

// newDecoder checks the format byte.
func newDecoder(data []byte) *decoder {
	d := &decoder{data: data}
	if err := protocol.CheckFormat(data); err != nil {
		d.fail(err)
		return d
	}
	d.data = data[1:]
	return d
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.data = nil
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.data)
	if size <= 0 {
		d.fail(errShort)
		return 0
	}
	d.data = d.data[size:]
	return n
}

func (d *decoder) time() protocol.Time { return protocol.Time(d.uint()) }

// count reads a count of things that take at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.data)/size) {
		d.fail(errShort)
		return 0
	}
	return int(n)
}

func (d *decoder) take(n int) []byte {
	if n > len(d.data) {
		d.fail(errShort)
		return nil
	}
	b := d.data[:n:n]
	d.data = d.data[n:]
	return b
}

func (d *decoder) bytes() []byte  { return d.take(d.count(1)) }
func (d *decoder) string() string { return string(d.bytes()) }

// end returns the first error; bytes that are left over are one.
func (d *decoder) end() error {
	if d.err == nil && len(d.data) > 0 {
		d.err = errors.New("something follows its end")
	}
	return d.err
}

func encodeDeviceEntry(e *deviceEntry) []byte {
	dst := appendBytes(protocol.AppendFormat(nil), e.User)
	dst = binary.AppendUvarint(dst, e.Counter)
	dst = append(dst, e.Hash[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(e.Recent)))
	for _, r := range e.Recent {
		dst = append(dst, r.Hash[:]...)
		var rejected byte
		if r.Rejected {
			rejected = 1
		}
		dst = append(dst, rejected)
	}
	dst = binary.AppendUvarint(dst, e.Base)
	var rejections []byte
	if len(e.Rejections) > 0 {
		rejections = protocol.EncodeMessage(&protocol.Verdicts{Handle: 1, List: e.Rejections})
	}
	return appendBytes(dst, rejections)
}

func decodeDeviceEntry(data []byte) (e deviceEntry, err error) {
	d := newDecoder(data)
	e.User = d.string()
	e.Counter = d.uint()
	copy(e.Hash[:], d.take(len(e.Hash)))
	recent := d.uint()
	if recent > protocol.MaxRecent {
		return deviceEntry{}, errors.New("it remembers too many mutations")
	}
	for range recent {
		var r protocol.Recent
		copy(r.Hash[:], d.take(len(r.Hash)))
		var rejected [1]byte
		copy(rejected[:], d.take(1))
		r.Rejected = rejected[0] != 0
		e.Recent = append(e.Recent, r)
	}
	e.Base = d.uint()
	rejections := d.bytes()
	if err := d.end(); err != nil {
		return deviceEntry{}, err
	}
	if len(rejections) > 0 {
		frames, err := protocol.DecodeMessage(rejections, nil)
		if err != nil {
			return deviceEntry{}, err
		}
		if len(frames) != 1 {
			return deviceEntry{}, errors.New("its rejections are not one frame")
		}
		verdicts, ok := frames[0].(*protocol.Verdicts)
		if !ok {
			return deviceEntry{}, errors.New("its rejections are not verdicts")
		}
		e.Rejections = verdicts.List
	}
	return e, nil
}

// watermark is what opening a space starts from: the fold of the log up to
// cursor, but for the images.
type watermark struct {
	cursor protocol.Cursor
	time   protocol.Time
	schema protocol.SchemaRef
	names  []string
	times  timeline
}

func (w *watermark) item() Item {
	dst := append(protocol.AppendFormat(nil), w.cursor.Commit[:]...)
	dst = binary.AppendUvarint(dst, uint64(w.time))
	dst = binary.AppendUvarint(dst, uint64(w.schema.Version))
	dst = append(dst, w.schema.Fingerprint[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(w.names)))
	for _, name := range w.names {
		dst = appendBytes(dst, name)
	}
	return Item{Key: ItemKey{Kind: ItemWatermark}, Version: w.cursor.Seq, Meta: w.times.appendTo(dst)}
}

func decodeWatermark(version uint64, meta []byte) (w watermark, err error) {
	d := newDecoder(meta)
	w.cursor.Seq = version
	copy(w.cursor.Commit[:], d.take(len(w.cursor.Commit)))
	w.time = d.time()
	w.schema.Version = uint32(d.uint())
	copy(w.schema.Fingerprint[:], d.take(len(w.schema.Fingerprint)))
	names := d.count(1)
	if names > protocol.MaxNames {
		d.fail(errors.New("it has too many names"))
	}
	for i := 0; i < names && d.err == nil; i++ {
		w.names = append(w.names, d.string())
	}
	w.times = decodeTimeline(d, version)
	return w, d.end()
}

// blobItem keeps a large overwritten value beside the log.
func blobItem(id protocol.BlobID, value protocol.Value, seq uint64) Item {
	return Item{Key: blobKey(id), Version: seq, Meta: value.AppendTo(protocol.AppendFormat(nil))}
}

func blobKey(id protocol.BlobID) ItemKey { return ItemKey{Kind: ItemBlob, A: string(id[:])} }

func decodeBlob(item Item) (protocol.Value, error) {
	if err := protocol.CheckFormat(item.Meta); err != nil {
		return protocol.Value{}, err
	}
	return protocol.DecodeValue(item.Meta[1:])
}
