package compress

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

var update = flag.Bool("update", false, "write testdata/vectors anew")

// vectorFile holds what decoders in other languages must unpack, and refuse. Its
// form is that of protocol/testdata/vectors.
type vectorFile struct {
	Comment string   `json:"comment"`
	Count   int      `json:"count"`
	Vectors []vector `json:"vectors"`
}

type vector struct {
	Comment string `json:"comment"`
	Given   struct {
		Limit int `json:"limit"`
	} `json:"given"`
	Input string `json:"input"` // hex
	Want  wanted `json:"want"`
}

// wanted is the content's size and SHA-256, or that it is refused.
type wanted struct {
	Size    int    `json:"size,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	Refused bool   `json:"refused,omitempty"`
}

const vectorPath = "testdata/vectors/zstd.json"

// TestVectors runs the vectors, as another language would.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	data, err := os.ReadFile(vectorPath)
	if err != nil {
		t.Fatal(err)
	}
	var file vectorFile
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if file.Count == 0 || file.Count != len(file.Vectors) {
		t.Fatalf("the file says %d vectors and has %d", file.Count, len(file.Vectors))
	}
	c := newCodec(t)
	for _, v := range file.Vectors {
		if got := unpack(t, c, v); got != v.Want {
			t.Errorf("%s: got %+v, want %+v", v.Comment, got, v.Want)
		}
	}
}

func unpack(t *testing.T, c *Codec, v vector) wanted {
	t.Helper()
	input, err := hex.DecodeString(v.Input)
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Decode(nil, input, v.Given.Limit)
	if err != nil {
		return wanted{Refused: true}
	}
	sum := sha256.Sum256(out)
	return wanted{Size: len(out), SHA256: hex.EncodeToString(sum[:])}
}

func writeVectors(t *testing.T) {
	t.Helper()
	c := newCodec(t)
	file := vectorFile{Comment: "zstd frames: what they unpack to within a limit, or that they are refused."}
	add := func(comment string, limit int, input []byte) {
		v := vector{Comment: comment, Input: hex.EncodeToString(input)}
		v.Given.Limit = limit
		v.Want = unpack(t, c, v)
		file.Vectors = append(file.Vectors, v)
	}
	pack := func(src []byte, options ...zstd.EOption) []byte {
		e, err := zstd.NewWriter(nil, append([]zstd.EOption{zstd.WithSingleSegment(true), zstd.WithEncoderCRC(false)}, options...)...)
		if err != nil {
			t.Fatal(err)
		}
		return e.EncodeAll(src, nil)
	}
	random := rand.New(rand.NewPCG(1, 2))
	words := func(n int) []byte {
		var b bytes.Buffer
		for b.Len() < n {
			fmt.Fprintf(&b, "%s %d ", []string{"card", "column", "Übung", "title", "🙂"}[random.IntN(5)], random.IntN(50))
		}
		return b.Bytes()[:n]
	}
	noise := make([]byte, 3000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	const limit = 1 << 20
	for _, n := range []int{40, 255, 256, 300, 5000, 65535, 65536 + 255, 65536 + 256, 140_000} {
		add(fmt.Sprintf("%d bytes of words", n), limit, pack(words(n)))
	}
	add("slower and better", limit, pack(words(50_000), zstd.WithEncoderLevel(zstd.SpeedBestCompression)))
	add("bytes that do not pack", limit, pack(noise))
	add("one byte many times, within the ratio", limit, pack(bytes.Repeat([]byte{'x'}, 2000)))
	add("both, in turn", limit, pack(bytes.Join([][]byte{noise[:900], bytes.Repeat([]byte("ab"), 500), noise[900:]}, nil)))
	add("with a checksum", limit, pack(words(500), zstd.WithEncoderCRC(true)))
	whole := pack(words(500))
	add("exactly the limit", 500, whole)
	add("over the limit", 499, whole)
	add("more than the ratio allows", limit, pack(bytes.Repeat([]byte{'x'}, 1<<19)))
	add("nothing", limit, nil)
	add("cut off in its blocks", limit, whole[:len(whole)-1])
	add("cut off in its header", limit, whole[:5])
	add("something behind it", limit, append(bytes.Clone(whole), 0))
	add("another frame behind it", limit, append(bytes.Clone(whole), whole...))
	add("a skippable frame", limit, []byte{0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 0})
	add("not zstd", limit, []byte(strings.Repeat("plain ", 10)))
	add("not a single segment", limit, pack(words(500), zstd.WithSingleSegment(false)))
	withDictionary, _ := newCodec(t, Dictionary{ID: 7, Data: shared}).Encode(nil, bytes.Repeat(shared[:50], 3), 7)
	add("packed with a dictionary", limit, withDictionary)
	reserved := bytes.Clone(whole)
	reserved[4] |= 0x08
	add("a reserved bit", limit, reserved)
	file.Count = len(file.Vectors)
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(file); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("testdata/vectors", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorPath, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
