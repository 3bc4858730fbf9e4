package protocol

import (
	"bytes"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// checkAllocation fails if f allocates more than factor times size, and base.
// Others may allocate while it measures, which can only make the number too
// high: the least of some tries counts.
func checkAllocation(t testing.TB, size, factor, base int, f func()) {
	t.Helper()
	most := uint64(factor*size + base)
	var cost uint64
	for range 6 {
		if cost = allocated(f); cost <= most {
			return
		}
	}
	t.Fatalf("%d bytes allocated for %d, at most %d are allowed", cost, size, most)
}

// checkError demands that what decoding returns is an *Error with a code and a
// message.
func checkError(t testing.TB, err error) {
	t.Helper()
	if e, ok := err.(*Error); !ok || e.Code == "" || e.Message == "" || len(e.Message) > MaxMessageText {
		t.Fatalf("the error is %#v", err)
	}
}

func seedMessages(f *testing.F) {
	for _, s := range sampleFrames() {
		f.Add(EncodeMessage(s.frames...))
	}
	for _, s := range hostile() {
		if len(s.data) < 1<<10 { // the fuzzer gets nowhere with long ones
			f.Add(s.data)
		}
	}
}

// hostile are messages that cost a naive decoder dearly.
func hostile() []struct {
	comment string
	data    []byte
} {
	nested := append([]byte{Format}, bytes.Repeat([]byte{0x91}, 1<<20)...)
	pages := AppendFormat(nil)
	pages = append(pages, 0x94, byte(FramePage), 0, 0xa1, 'c', 0xdd, 0, 0x0f, 0, 0)
	pages = append(pages, bytes.Repeat([]byte{0x93, 0xa0, 0, 0x90}, 0x0f0000/4)...)
	return []struct {
		comment string
		data    []byte
	}{
		{"a map of 2^32-1 entries in 5 bytes", []byte{Format, 0xdf, 0xff, 0xff, 0xff, 0xff}},
		{"a push of 2^32-1 bodies", []byte{Format, 0x95, 0x06, 0x01, 0x01, 0xc4, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xdd, 0xff, 0xff, 0xff, 0xff}},
		{"a string of 4 GiB", []byte{Format, 0x92, 0x14, 0xdb, 0xff, 0xff, 0xff, 0xff}},
		{"a megabyte of nested arrays", nested},
		{"a megabyte of pings", append([]byte{Format}, bytes.Repeat([]byte{0x92, byte(FramePing), 0}, 1<<20/3)...)},
		{"a megabyte of empty bodies", append([]byte{Format, 0x95, 0x06, 0x01, 0x01, 0xc4, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xdd, 0, 0x07, 0, 0}, bytes.Repeat([]byte{0xc4, 0}, 0x070000)...)},
		{"a megabyte of empty records", pages},
	}
}

// TestHostileMessages: none of them costs more than its bytes allow.
func TestHostileMessages(t *testing.T) {
	for _, s := range hostile() {
		checkAllocation(t, len(s.data), clientMemory, memoryBase, func() {
			if _, err := DecodeClientMessage(s.data); err == nil {
				t.Errorf("%s: accepted", s.comment)
			} else {
				checkError(t, err)
			}
		})
		checkAllocation(t, len(s.data), deliveredMemory, memoryBase, func() { _, _ = DecodeMessage(s.data, nil) })
		checkAllocation(t, 0, 0, 2<<10, func() { _ = Scan(s.data, MaxElements) })
	}
}

func FuzzDecodeMessage(f *testing.F) {
	seedMessages(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		checkAllocation(t, len(data), clientMemory, memoryBase, func() {
			list, err := DecodeClientMessage(data)
			if err != nil {
				checkError(t, err)
				return
			}
			again, err := DecodeClientMessage(EncodeMessage(list...))
			if err != nil || !reflect.DeepEqual(again, list) {
				t.Fatalf("%s (%v) was decoded from the encoding of %s", show(again), err, show(list))
			}
		})
		var list []Frame
		checkAllocation(t, len(data), deliveredMemory, memoryBase, func() {
			var err error
			if list, err = DecodeMessage(data, nil); err != nil {
				checkError(t, err)
			}
		})
		if list == nil {
			return
		}
		again, err := DecodeMessage(EncodeMessage(list...), nil)
		if err != nil || !reflect.DeepEqual(again, list) {
			t.Fatalf("%s (%v) was decoded from the encoding of %s", show(again), err, show(list))
		}
		table := NewNameTable("tasks", "title")
		if _, err := DecodeMessage(data, func(Handle) *NameTable { return table }); err != nil {
			checkError(t, err)
		}
	})
}

// FuzzScan: what the scan lets pass is msgpack to the library's decoder too, is
// within the budget, and costs nothing to scan.
func FuzzScan(f *testing.F) {
	seedMessages(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		const budget = 1000
		var err error
		checkAllocation(t, 0, 0, 2<<10, func() { err = Scan(data, budget) })
		if err != nil {
			checkError(t, err)
			return
		}
		rest := bytes.NewReader(data[1:])
		library := msgpack.NewDecoder(rest)
		for rest.Len() > 0 {
			if err := library.Skip(); err != nil {
				t.Fatalf("the library says %v", err)
			}
		}
	})
}

func FuzzDecodeMutation(f *testing.F) {
	f.Add(AppendMutation(nil, sampleMutation))
	f.Add(AppendMutation(nil, wholeMutation))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m *Mutation
		checkAllocation(t, len(data), clientMemory, mutationBase, func() {
			var err error
			if m, err = DecodeMutation(data); err != nil {
				checkError(t, err)
			}
		})
		if m == nil {
			return
		}
		again, err := DecodeMutation(AppendMutation(nil, m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v (%v) was decoded from the encoding of %+v", again, err, m)
		}
	})
}

func FuzzDecodeCommit(f *testing.F) {
	for _, s := range sampleCommits() {
		f.Add(EncodeCommit(s.commit, NewNameTable(s.names...)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		names := []string{"tasks", "title"}
		var c *Commit
		checkAllocation(t, len(data), deliveredMemory, memoryBase, func() {
			table := NewNameTable(names...)
			var err error
			if c, err = DecodeCommit(data, table); err != nil {
				checkError(t, err)
				if !slices.Equal(table.Names(), names) {
					t.Fatalf("a commit that failed left the names %q", table.Names())
				}
			}
		})
		checkAllocation(t, len(data), deliveredMemory, memoryBase, func() {
			if _, err := ParseCommit(data); err != nil {
				checkError(t, err)
				if c != nil {
					t.Fatalf("decoded, but not parsed: %v", err)
				}
			}
		})
	})
}

func FuzzDecodeRecordState(f *testing.F) {
	for _, s := range sampleFrames() {
		if page, ok := s.frames[len(s.frames)-1].(*Page); ok {
			for i := range page.Records {
				f.Add(AppendRecordState(nil, &page.Records[i]))
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s *RecordState
		checkAllocation(t, len(data), deliveredMemory, memoryBase, func() {
			var err error
			if s, err = DecodeRecordState(data); err != nil {
				checkError(t, err)
			}
		})
		if s == nil {
			return
		}
		again, err := DecodeRecordState(AppendRecordState(nil, s))
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%+v (%v) was decoded from the encoding of %+v", again, err, s)
		}
	})
}

func FuzzDecodeValue(f *testing.F) {
	for _, v := range valueVectors() {
		f.Add(mustHex(v.Input.(string)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v Value
		checkAllocation(t, len(data), clientMemory, memoryBase, func() {
			var err error
			if v, err = DecodeValue(data); err != nil {
				checkError(t, err)
			}
		})
		if v.IsAbsent() {
			return
		}
		if again, err := DecodeValue(v.Encoded()); err != nil || again != v {
			t.Fatalf("%v (%v) was decoded from the encoding of %v", again, err, v)
		}
		if again, err := ValueOf(v.Any()); err != nil || again != v {
			t.Fatalf("%v (%v) was made of the Go value of %v", again, err, v)
		}
		_ = v.String()
	})
}
