package gateway

import (
	"sync"

	"github.com/tidegate/tidegate/compress"
	"github.com/tidegate/tidegate/protocol"
)

// packed are buffers that compressed bytes wait in until they are in their frame.
var packed = sync.Pool{New: func() any { return new([]byte) }}

// compressor packs runs of delivery frames into one compressed frame: for a space
// once for all its connections, and for a connection what only it gets, the pages
// of its snapshot.
type compressor struct {
	codec *compress.Codec
}

func newCompressor() (*compressor, error) {
	codec, err := compress.New()
	if err != nil {
		return nil, err
	}
	return &compressor{codec}, nil
}

// pack returns frames as one compressed frame, if that is shorter.
func (c *compressor) pack(frames []byte) ([]byte, bool) {
	buffer := packed.Get().(*[]byte)
	defer packed.Put(buffer)
	data, pays := c.codec.Encode((*buffer)[:0], frames, 0)
	if !pays {
		return nil, false
	}
	*buffer = data
	return protocol.AppendFrame(nil, &protocol.Compressed{Data: data}), true
}
