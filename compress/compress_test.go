package compress

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"
)

// shared is raw content for a dictionary: what short runs have in common.
var shared = []byte(strings.Repeat(`{"collection":"tasks","title":"","done":false,"assignee":"","address.city":"","participants":[]}`, 4))

func newCodec(t testing.TB, dictionaries ...Dictionary) *Codec {
	t.Helper()
	c, err := New(dictionaries...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRoundTrip(t *testing.T) {
	c := newCodec(t, Dictionary{ID: 7, Data: shared})
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,8}`), 1, 20).Draw(t, "words")
		var src []byte
		for range rapid.IntRange(1, 2000).Draw(t, "length") {
			src = append(src, rapid.SampledFrom(words).Draw(t, "word")...)
		}
		dictionary := rapid.SampledFrom([]uint32{0, 7}).Draw(t, "dictionary")
		before := []byte("before")
		packed, ok := c.Encode(slices.Clone(before), src, dictionary)
		if !ok {
			if !bytes.Equal(packed, before) {
				t.Fatalf("not packed, but %q came back", packed)
			}
			return
		}
		packed = packed[len(before):]
		if len(packed) >= len(src) {
			t.Fatalf("%d bytes became %d", len(src), len(packed))
		}
		got, err := c.Decode(slices.Clone(before), packed, len(src))
		if err != nil || !bytes.Equal(got, append(before, src...)) {
			t.Fatalf("unpacked %q (%v), want %q", got, err, src)
		}
		if _, err := c.Decode(nil, packed, len(src)-1); !errors.Is(err, ErrTooLarge) {
			t.Fatalf("over the limit: %v", err)
		}
	})
}

// TestOnlyWherePays: noise and short runs stay as they are; a dictionary makes
// short ones worth it.
func TestOnlyWherePays(t *testing.T) {
	c := newCodec(t, Dictionary{ID: 7, Data: shared})
	noise := make([]byte, 4096)
	random := rand.NewChaCha8([32]byte{})
	random.Read(noise)
	short := []byte(`{"collection":"tasks","title":"x","done":false,"assignee":"","address.city":"y"}`)
	for _, test := range []struct {
		comment    string
		src        []byte
		dictionary uint32
		want       bool
	}{
		{"noise", noise, 0, false},
		{"nothing", nil, 0, false},
		{"a few bytes", []byte("aaaaaaaaaaaaaaaa"), 7, false},
		{"a short run", short, 0, false},
		{"a short run with a dictionary", short, 7, true},
		{"a dictionary that is not there", bytes.Repeat(short, 9), 8, false},
		{"a long run", bytes.Repeat(short, 9), 0, true},
		{"a run that packs too well", make([]byte, 1<<20), 0, false},
	} {
		if _, ok := c.Encode(nil, test.src, test.dictionary); ok != test.want {
			t.Errorf("%s: packed is %v", test.comment, ok)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	c := newCodec(t)
	other := newCodec(t, Dictionary{ID: 7, Data: shared})
	run := bytes.Repeat([]byte("some words, some more words, "), 20)
	packed, _ := c.Encode(nil, run, 0)
	withDictionary, _ := other.Encode(nil, run, 7)
	streamed := new(bytes.Buffer)
	stream, err := zstd.NewWriter(streamed)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		stream.Write(run)
		stream.Flush()
	}
	stream.Close()
	for _, test := range []struct {
		comment string
		src     []byte
		want    error
	}{
		{"nothing", nil, ErrCorrupt},
		{"no zstd", []byte("hello, this is not zstd at all"), ErrCorrupt},
		{"cut off", packed[:len(packed)-3], ErrCorrupt},
		{"something behind it", append(slices.Clone(packed), 1, 2, 3), ErrCorrupt},
		{"twice", append(slices.Clone(packed), packed...), ErrCorrupt},
		{"unknown dictionary", withDictionary, ErrDictionary},
		{"no size declared", streamed.Bytes(), ErrCorrupt},
		{"a skippable frame", []byte{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4}, ErrCorrupt},
	} {
		before := []byte("before")
		got, err := c.Decode(before, test.src, 1<<20)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.comment, err, test.want)
		}
		if !bytes.Equal(got, before) {
			t.Errorf("%s: %q came back", test.comment, got)
		}
	}
}

// bomb is a zstd frame of 1 KB that unpacks to size zeros, declared or not.
func bomb(size uint64, declared bool) []byte {
	b := []byte{0x28, 0xb5, 0x2f, 0xfd}
	if declared {
		b = append(b, 0xe0) // single segment, size in 8 bytes
		b = binary.LittleEndian.AppendUint64(b, size)
	} else {
		b = append(b, 0x00, 0x88) // window of 128 MiB, no size
	}
	const block = 128 << 10
	for left := size; left > 0 && len(b) < 1024; {
		n := min(left, block)
		left -= n
		head := uint32(n)<<3 | 1<<1 // one byte, n times
		if left == 0 || len(b) >= 1020 {
			head |= 1
		}
		b = append(b, byte(head), byte(head>>8), byte(head>>16), 0)
	}
	return b
}

// TestBombCostsNothing: a kilobyte that declares a gigabyte, or says nothing, or
// declares little and holds much.
func TestBombCostsNothing(t *testing.T) {
	c := newCodec(t)
	lying := bomb(32<<20, true)
	binary.LittleEndian.PutUint64(lying[5:], 1000)
	for _, test := range []struct {
		comment string
		src     []byte
		want    error
	}{
		{"declared", bomb(1<<30, true), ErrTooLarge},
		{"undeclared", bomb(1<<30, false), ErrCorrupt},
		{"a block larger than the frame", []byte("(\xb5/\xfd@5y\x00\xfa7\ax"), ErrCorrupt},
		{"declared too small", lying, ErrCorrupt},
	} {
		_, _ = c.Decode(nil, test.src, 1<<20) // what the decoder sets up once is not the bomb's
		cost := allocated(func() {
			if _, err := c.Decode(nil, test.src, 1<<20); !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", test.comment, err, test.want)
			}
		})
		if cost > 4<<10 {
			t.Errorf("%s: %d bytes allocated", test.comment, cost)
		}
	}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		comment string
		given   []Dictionary
	}{
		{"id 0", []Dictionary{{ID: 0, Data: shared}}},
		{"an id twice", []Dictionary{{ID: 1, Data: shared}, {ID: 1, Data: shared}}},
		{"too short", []Dictionary{{ID: 1, Data: []byte("x")}}},
		{"damaged", []Dictionary{{ID: 1, Data: append(slices.Clone(formatMagic), 1, 0, 0, 0, 9, 9, 9)}}},
	} {
		if _, err := New(test.given...); err == nil {
			t.Errorf("%s: accepted", test.comment)
		}
	}
}

// TestTrainedDictionary: dictionaries in zstd's format are used under their own id.
func TestTrainedDictionary(t *testing.T) {
	samples := make([][]byte, 0, 200)
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		sample := slices.Clone(shared[:60])
		for range 40 {
			sample = append(sample, byte('a'+random.IntN(6)))
		}
		samples = append(samples, append(sample, shared[30:90]...))
	}
	data, err := zstd.BuildDict(zstd.BuildDictOptions{ID: 9, Contents: samples, History: shared, Offsets: [3]int{1, 4, 8}})
	if err != nil {
		t.Fatal(err)
	}
	c := newCodec(t, Dictionary{ID: 9, Data: data})
	packed, ok := c.Encode(nil, samples[0], 9)
	if !ok {
		t.Fatal("not packed")
	}
	if got, err := c.Decode(nil, packed, 1<<10); err != nil || !bytes.Equal(got, samples[0]) {
		t.Fatalf("unpacked %q (%v)", got, err)
	}
	if _, err := New(Dictionary{ID: 10, Data: data}); err == nil {
		t.Fatal("the dictionary was taken under another id")
	}
}

func TestNegotiation(t *testing.T) {
	c := newCodec(t, Dictionary{ID: 7, Data: shared}, Dictionary{ID: 3, Data: shared[8:]})
	if got, want := c.Names(), []string{"zstd:7", "zstd:3", "zstd"}; !slices.Equal(got, want) {
		t.Errorf("names are %q, want %q", got, want)
	}
	for _, test := range []struct {
		offered []string
		want    string
	}{
		{nil, "none"},
		{[]string{"zstd"}, "zstd"},
		{[]string{"zstd:8", "zstd:3", "zstd"}, "zstd:3"},
		{[]string{"br", "zstd:07", "zstd:0", "zstd:x", "zstd:99999999999", "none"}, "none"},
	} {
		if got := c.Choose(test.offered); got != test.want {
			t.Errorf("of %q %q was chosen, want %q", test.offered, got, test.want)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	c := newCodec(t, Dictionary{ID: 7, Data: shared})
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			src := bytes.Repeat([]byte{byte(i), 'x', 'y', 'z', 0}, 200)
			src = append(src, shared...)
			for range 50 {
				packed, ok := c.Encode(nil, src, uint32(i%2*7))
				got, err := c.Decode(nil, packed, len(src))
				if !ok || err != nil || !bytes.Equal(got, src) {
					t.Errorf("worker %d: %v %v", i, ok, err)
					return
				}
			}
		})
	}
	group.Wait()
}

// FuzzDecode: nothing panics, and what is allocated stays within the input and
// the limit.
func FuzzDecode(f *testing.F) {
	const limit = 32 << 10
	c := newCodec(f, Dictionary{ID: 7, Data: shared})
	packed, _ := c.Encode(nil, bytes.Repeat(shared, 4), 0)
	f.Add(packed)
	packed, _ = c.Encode(nil, shared, 7)
	f.Add(packed)
	f.Add(bomb(1<<30, true))
	f.Add(bomb(limit, true))
	f.Add([]byte("hello"))
	f.Add([]byte("(\xb5/\xfd@5y\x00\xfa7\ax")) // a block larger than the frame
	_, _ = c.Decode(nil, packed, limit)
	f.Fuzz(func(t *testing.T, src []byte) {
		// A measurement can only be too high, by what others allocate meanwhile or
		// what a decoder sets up on first use: the least of some tries counts.
		most := uint64(4*len(src) + 64<<10)
		for try := 0; ; try++ {
			cost := allocated(func() {
				out, err := c.Decode(nil, src, limit)
				if len(out) > limit || err != nil && len(out) > 0 {
					t.Fatalf("%d bytes came back (%v)", len(out), err)
				}
			})
			if cost <= most {
				return
			}
			if try == 5 {
				t.Fatalf("%d bytes allocated for %d", cost, len(src))
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	c := newCodec(b, Dictionary{ID: 7, Data: shared})
	var dst []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(shared)))
	for b.Loop() {
		dst, _ = c.Encode(dst[:0], shared, 7)
	}
}

func BenchmarkDecode(b *testing.B) {
	c := newCodec(b, Dictionary{ID: 7, Data: shared})
	packed, _ := c.Encode(nil, shared, 7)
	dst := make([]byte, 0, len(shared))
	b.ReportAllocs()
	b.SetBytes(int64(len(shared)))
	for b.Loop() {
		if _, err := c.Decode(dst, packed, len(shared)); err != nil {
			b.Fatal(err)
		}
	}
}
