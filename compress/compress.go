package compress

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

const (
	// MaxRatio is how many times larger than the input a decoded run may be: what
	// a peer can make us allocate stays proportional to what it sent. Encode leaves
	// runs that pack better than that as they are.
	MaxRatio = 256
	// overhead is what a compressed frame costs around its bytes, at most; a run
	// that saves less is sent plain.
	overhead = 16
	// windowSize bounds how far back an encoder looks, and with it its memory:
	// about 1.1 MB with a dictionary, where zstd's default takes 5.1 MB.
	windowSize = 64 << 10
	// smallest is the length below which packing without a dictionary has never
	// been seen to pay.
	smallest = 64
)

// Errors of Decode. They are fit to be told to the peer.
var (
	// ErrDictionary: the run was packed with a dictionary that this side does not have.
	ErrDictionary = errors.New("zstd: unknown dictionary")
	// ErrTooLarge: the run declares more than the limit, or than MaxRatio allows.
	ErrTooLarge = errors.New("zstd: the content is too large")
	// ErrCorrupt: this is not one zstd frame that declares its size and keeps to it.
	ErrCorrupt = errors.New("zstd: corrupt")
)

// formatMagic begins a dictionary in zstd's own format, as its training writes.
var formatMagic = []byte{0x37, 0xa4, 0x30, 0xec}

// Dictionary is content that both sides have, under a number that both know.
type Dictionary struct {
	// ID is from 1 on. If Data is in zstd's format it has an id of its own, which
	// must be the same.
	ID uint32
	// Data is in zstd's format, or just content that runs are likely to share.
	Data []byte
}

// Codec packs and unpacks. It is safe for concurrent use.
type Codec struct {
	// Static after New. The zstd coders guard themselves.
	encoders map[uint32]*zstd.Encoder
	decoder  *zstd.Decoder
	// ids of the dictionaries, the preferred first.
	ids []uint32
}

// New makes a codec that has these dictionaries, the preferred one first. It
// fails if a dictionary cannot be used or an id is 0 or taken.
func New(dictionaries ...Dictionary) (*Codec, error) {
	c := &Codec{encoders: make(map[uint32]*zstd.Encoder, 1+len(dictionaries))}
	workers := runtime.GOMAXPROCS(0)
	encoderOptions := []zstd.EOption{
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderCRC(false), // TLS and the socket have their own
		zstd.WithSingleSegment(true),
		zstd.WithWindowSize(windowSize),
		zstd.WithEncoderConcurrency(workers),
		zstd.WithLowerEncoderMem(true),
	}
	decoderOptions := []zstd.DOption{
		zstd.WithDecoderConcurrency(workers),
		zstd.WithDecoderLowmem(true),
		// Decode lends the decoder exactly the room that was declared.
		zstd.WithDecodeAllCapLimit(true),
	}
	plain, err := zstd.NewWriter(nil, encoderOptions...)
	if err != nil {
		return nil, fmt.Errorf("making an encoder: %w", err)
	}
	c.encoders[0] = plain
	for _, d := range dictionaries {
		if d.ID == 0 {
			return nil, errors.New("dictionary 0: ids begin at 1")
		}
		if c.encoders[d.ID] != nil {
			return nil, fmt.Errorf("dictionary %d: the id is taken", d.ID)
		}
		forEncoder, forDecoder, err := load(d)
		if err != nil {
			return nil, fmt.Errorf("dictionary %d: %w", d.ID, err)
		}
		encoder, err := zstd.NewWriter(nil, append(encoderOptions[:len(encoderOptions):len(encoderOptions)], forEncoder)...)
		if err != nil {
			return nil, fmt.Errorf("dictionary %d: %w", d.ID, err)
		}
		c.encoders[d.ID] = encoder
		c.ids = append(c.ids, d.ID)
		decoderOptions = append(decoderOptions, forDecoder)
	}
	if c.decoder, err = zstd.NewReader(nil, decoderOptions...); err != nil {
		return nil, fmt.Errorf("making a decoder: %w", err)
	}
	return c, nil
}

// load returns the options that give a dictionary to an encoder and a decoder.
func load(d Dictionary) (zstd.EOption, zstd.DOption, error) {
	if !bytes.HasPrefix(d.Data, formatMagic) {
		if len(d.Data) < 8 {
			return nil, nil, errors.New("it is shorter than 8 bytes")
		}
		return zstd.WithEncoderDictRaw(d.ID, d.Data), zstd.WithDecoderDictRaw(d.ID, d.Data), nil
	}
	inspected, err := zstd.InspectDictionary(d.Data)
	if err != nil {
		return nil, nil, err
	}
	if inspected.ID() != d.ID {
		return nil, nil, fmt.Errorf("the dictionary itself says that its id is %d", inspected.ID())
	}
	return zstd.WithEncoderDict(d.Data), zstd.WithDecoderDicts(d.Data), nil
}

// Encode appends src, packed with the given dictionary (0 for none), to dst. It
// returns dst and false if that does not pay, or if there is no such dictionary:
// then src is to be sent as it is.
func (c *Codec) Encode(dst, src []byte, dictionary uint32) ([]byte, bool) {
	encoder := c.encoders[dictionary]
	if encoder == nil || dictionary == 0 && len(src) < smallest || len(src) <= overhead {
		return dst, false
	}
	packed := encoder.EncodeAll(src, dst)
	size := len(packed) - len(dst)
	if size+overhead >= len(src) || len(src)/MaxRatio >= size {
		return dst, false
	}
	return packed, true
}

// Decode appends what src unpacks to, at most limit bytes, to dst. On an error,
// which wraps one of this package's, it returns dst as it was; nothing was
// allocated unless src declares a size within the limits.
func (c *Codec) Decode(dst, src []byte, limit int) ([]byte, error) {
	var header zstd.Header
	if err := header.Decode(src); err != nil {
		return dst, fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	switch {
	case header.Skippable || !header.HasFCS:
		return dst, fmt.Errorf("%w: its size is not declared", ErrCorrupt)
	case !header.SingleSegment:
		// Such a frame's window, and with it each of its blocks, may be larger than what
		// it declares to hold.
		return dst, fmt.Errorf("%w: it is not a single segment", ErrCorrupt)
	case header.FrameContentSize > uint64(max(limit, 0)) || header.FrameContentSize > uint64(len(src))*MaxRatio:
		return dst, fmt.Errorf("%w: %d bytes declared", ErrTooLarge, header.FrameContentSize)
	case c.encoders[header.DictionaryID] == nil:
		return dst, fmt.Errorf("%w %d", ErrDictionary, header.DictionaryID)
	}
	size := int(header.FrameContentSize)
	out := dst
	if cap(dst)-len(dst) < size {
		out = make([]byte, len(dst), len(dst)+size)
		copy(out, dst)
	}
	// The capacity is the bound: frames that follow the first find no room.
	out, err := c.decoder.DecodeAll(src, out[:len(dst):len(dst)+size])
	if err != nil {
		return dst, fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	if len(out) != len(dst)+size {
		return dst, fmt.Errorf("%w: %d bytes where %d were declared", ErrCorrupt, len(out)-len(dst), size)
	}
	return out, nil
}
