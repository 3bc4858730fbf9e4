package gateway

import (
	"fmt"
	"testing"

	"github.com/tidegate/tidegate/compress"
	"github.com/tidegate/tidegate/protocol"
)

// TestSnapshotCompressed shows that the pages of a snapshot travel compressed to a
// device that can unpack them, and plain to one that cannot, and say the same.
func TestSnapshotCompressed(t *testing.T) {
	g := start(t, nil)
	writer := connect(t, g, token(t, "ann"))
	writer.subscribe(1, "board")
	const records = 2000
	var last uint64
	for i := 0; i < records; i += 100 {
		var ops []protocol.Op
		for n := i; n < i+100; n++ {
			ops = append(ops, create("cards", fmt.Sprintf("card-%05d", n), "title", fmt.Sprint("a title like many others, but for ", n)))
		}
		last = writer.push(1, 0, ops...)
	}
	writer.verdict(1, last)

	codec := must(compress.New())
	var bytes [2]uint64
	for i, names := range [][]string{nil, {"zstd"}} {
		p := dial(t, g)
		hello := p.hello(token(t, "ben"))
		hello.Compression = names
		p.send(hello)
		welcome := await[*protocol.Welcome](p)
		if want := append(names, "none")[0]; welcome.Compression != want {
			t.Fatalf("asked for %q, the gateway will use %q", names, welcome.Compression)
		}
		if s := p.subscribe(1, "board"); s.Mode != protocol.ModeSnapshot {
			t.Fatalf("mode %v", s.Mode)
		}
		seen, packed := map[string]bool{}, 0
		for ended := false; !ended; {
			frame, err := p.next()
			if err != nil {
				t.Fatal(err)
			}
			frames := []protocol.Frame{frame}
			if f, is := frame.(*protocol.Compressed); is {
				packed++
				content := must(codec.Decode(nil, f.Data, 1<<20))
				frames = must(protocol.DecodeDelivery(content, p.names[1]))
			}
			for _, f := range frames {
				switch f := f.(type) {
				case *protocol.Page:
					for _, record := range f.Records {
						seen[record.ID] = true
					}
				case *protocol.SnapshotEnd:
					ended = true
				}
			}
		}
		if len(seen) != records || (packed > 0) != (names != nil) {
			t.Errorf("%q: %d records, %d compressed frames", names, len(seen), packed)
		}
		bytes[i] = p.received
	}
	t.Logf("%d bytes plain, %d compressed", bytes[0], bytes[1])
	if bytes[1] > bytes[0]/2 {
		t.Errorf("compressed, the snapshot has %d bytes, plain %d", bytes[1], bytes[0])
	}
}
