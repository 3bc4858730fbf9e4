package transfer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/tidegate/tidegate/space"
)

// FuzzImport imports whatever bytes there are: it is refused as what it is, or
// moves whole spaces that can be exported to the same bytes' worth.
func FuzzImport(f *testing.F) {
	source := new(space.Memory)
	r := newRig(f, source, board, rigStart, keeping())
	r.work(rand.New(rand.NewPCG(1, 1)), 8)
	export := exported(f, source)
	f.Add(export)
	f.Add(export[:len(export)-50])
	f.Add(header())
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzImport(t, data)
	})
}

// FuzzSealed imports chunks of any content under seals that are right: what the
// hashes do not keep out. The data is a list of: kind, length in two bytes, body.
func FuzzSealed(f *testing.F) {
	source := new(space.Memory)
	r := newRig(f, source, board, rigStart, keeping())
	r.work(rand.New(rand.NewPCG(1, 1)), 8)
	r.close()
	f.Add(unsealed(f, exported(f, source)))
	f.Add([]byte{chunkFile, 0, 2, 0, 0, chunkFileEnd, 0, 1, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		out := bytes.NewBuffer(header())
		w := &writer{out: out, seal: sha256.Sum256(header())}
		w.codec, _ = newCodec()
		for len(data) >= 3 {
			kind, size := data[0], int(binary.BigEndian.Uint16(data[1:]))
			data = data[3:]
			size = min(size, len(data))
			w.chunk(kind, data[:size])
			data = data[size:]
		}
		fuzzImport(t, out.Bytes())
	})
}

// unsealed is an export in the form that FuzzSealed takes.
func unsealed(t testing.TB, export []byte) (data []byte) {
	t.Helper()
	codec, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	for rest := export[len(header()):]; len(rest) > 0; {
		size := int(binary.BigEndian.Uint32(rest[2:]))
		body := rest[frameBytes : frameBytes+size]
		if rest[1] == packedZstd {
			if body, err = codec.Decode(nil, body, maxBodyBytes); err != nil {
				t.Fatal(err)
			}
		}
		data = append(data, rest[0])
		data = binary.BigEndian.AppendUint16(data, uint16(len(body)))
		data = append(data, body...)
		rest = rest[frameBytes+size+sha256.Size:]
	}
	return data
}

func fuzzImport(t *testing.T, data []byte) {
	into := new(space.Memory)
	report, err := Import(t.Context(), into, bytes.NewReader(data), Options{})
	check, checkErr := Check(t.Context(), into, bytes.NewReader(data), Options{})
	if err != nil {
		var format *FormatError
		if errors.As(err, &format) && !errors.As(checkErr, &format) {
			t.Fatalf("importing: %v; comparing: %v", err, checkErr)
		}
		return
	}
	if checkErr != nil || check.Spaces != report.Spaces {
		t.Fatalf("imported %+v; comparing: %+v, %v", report, check, checkErr)
	}
	// What is taken can be moved on.
	again := new(space.Memory)
	var out bytes.Buffer
	if _, err := Export(t.Context(), into, "", &out, Options{}); err != nil {
		return // an image that no log reaches, a log that no image reaches
	}
	if _, err := Import(t.Context(), again, &out, Options{}); err != nil {
		t.Fatal(err)
	}
	mustEqual(t, into, again)
}
