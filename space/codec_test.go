package space

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

func sampleEntry() deviceEntry {
	return deviceEntry{
		User: "ann", Counter: 300, Hash: protocol.Hash{1, 2, 3}, Base: 77,
		Recent: []protocol.Recent{{Hash: protocol.Hash{7}}, {Hash: protocol.Hash{8}, Rejected: true}, {Hash: protocol.Hash{1, 2, 3}}},
		Rejections: []protocol.Verdict{
			{Counter: 5, Seq: 9, Outcome: protocol.Rejected, Code: protocol.RejectStale, Message: "title was changed", Field: "title"},
			{Counter: 8, Seq: 10, Outcome: protocol.Rejected, Ops: []protocol.OpVerdict{
				{Outcome: protocol.Applied}, {Outcome: protocol.Rejected, Code: protocol.RejectMissing, Message: "gone"},
			}},
		},
	}
}

func sampleWatermark() watermark {
	w := watermark{
		cursor: protocol.Cursor{Seq: 9000, Commit: protocol.CommitID{1, 2}},
		time:   rigStart,
		schema: protocol.SchemaRef{Version: 3, Fingerprint: [8]byte{9}},
		names:  []string{"tasks", "title", ""},
	}
	for seq := uint64(1); seq <= 9000; seq++ {
		w.times.add(seq, rigStart+protocol.Time(seq*10), protocol.CommitID{})
	}
	return w
}

func TestDeviceEntryRoundTrip(t *testing.T) {
	for _, e := range []deviceEntry{{}, sampleEntry()} {
		got, err := decodeDeviceEntry(encodeDeviceEntry(&e))
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("got %+v, %v, want %+v", got, err, e)
		}
	}
}

func TestWatermarkRoundTrip(t *testing.T) {
	for _, w := range []watermark{{cursor: protocol.Cursor{Seq: 1}, times: timeline{last: 1, step: thinStep}}, sampleWatermark()} {
		item := w.item()
		got, err := decodeWatermark(item.Version, item.Meta)
		if err != nil || got.cursor != w.cursor || got.schema != w.schema || !reflect.DeepEqual(got.names, w.names) {
			t.Fatalf("got %+v, %v", got, err)
		}
		for _, seq := range []uint64{0, 1, 2, 100, 4000, 8999, 9000} {
			if got.times.at(seq) != w.times.at(seq) {
				t.Errorf("the time of %d is %d, not %d", seq, got.times.at(seq), w.times.at(seq))
			}
		}
		again := got.item()
		if !bytes.Equal(again.Meta, item.Meta) {
			t.Error("encoding is not stable")
		}
	}
}

func TestUnknownFormatStops(t *testing.T) {
	e := sampleEntry()
	w := sampleWatermark()
	for name, data := range map[string][]byte{"device": encodeDeviceEntry(&e), "watermark": w.item().Meta} {
		for _, format := range []byte{protocol.Format | 1, protocol.Format + 0x10} {
			data[0] = format
			var err error
			if name == "device" {
				_, err = decodeDeviceEntry(data)
			} else {
				_, err = decodeWatermark(1, data)
			}
			if got := protocol.AsError(err); err == nil || got.Code != protocol.CodeUpgrade {
				t.Errorf("%s with format %#x: %v", name, format, err)
			}
		}
	}
}

func FuzzDecodeDeviceEntry(f *testing.F) {
	e := sampleEntry()
	f.Add(encodeDeviceEntry(&e))
	f.Add(encodeDeviceEntry(new(deviceEntry)))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decodeDeviceEntry(data)
		if err != nil {
			return
		}
		again, err := decodeDeviceEntry(encodeDeviceEntry(&e))
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("%+v became %+v, %v", e, again, err)
		}
	})
}

func FuzzDecodeWatermark(f *testing.F) {
	w := sampleWatermark()
	f.Add(uint64(9000), w.item().Meta)
	f.Add(uint64(1), (&watermark{cursor: protocol.Cursor{Seq: 1}}).item().Meta)
	f.Fuzz(func(t *testing.T, version uint64, data []byte) {
		w, err := decodeWatermark(version, data)
		if err != nil {
			return
		}
		for _, seq := range []uint64{0, 1, version / 2, version, version + 1} {
			w.times.at(seq)
			w.times.id(seq)
		}
		w.times.before(rigStart)
		if version < 1<<62 {
			w.times.add(version+1, rigStart, protocol.CommitID{})
		}
	})
}

func TestTimeline(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var line timeline
	times := []protocol.Time{0}
	at := rigStart
	const n = 60_000
	for seq := uint64(1); seq <= n; seq++ {
		at += protocol.Time(rnd.IntN(50))
		line.add(seq, at, protocol.CommitID{byte(seq), byte(seq >> 8), 1})
		times = append(times, at)
	}
	if len(line.thin) > thinTimes || len(line.recent) > exactTimes*5/4 {
		t.Fatalf("it keeps %d and %d", len(line.thin), len(line.recent))
	}
	for seq := uint64(n - exactTimes + 1); seq <= n; seq++ {
		if line.at(seq) != times[seq] {
			t.Fatalf("the time of %d is %d, not %d", seq, line.at(seq), times[seq])
		}
		if id, ok := line.id(seq); !ok || id != (protocol.CommitID{byte(seq), byte(seq >> 8), 1}) {
			t.Fatalf("the id of %d is %v", seq, id)
		}
	}
	last := protocol.Time(0)
	for seq := uint64(0); seq <= n; seq++ {
		got := line.at(seq)
		if got > times[seq] || got < last {
			t.Fatalf("the time of %d is %d; it was %d, and %d for the one before", seq, got, times[seq], last)
		}
		last = got
	}
	for range 1000 {
		at := rigStart + protocol.Time(rnd.Int64N(int64(times[n]-rigStart)))
		seq := line.before(at)
		if seq > 0 && times[seq] > at {
			t.Fatalf("commit %d was made at %d, after %d", seq, times[seq], at)
		}
		if seq >= n-exactTimes && seq < n && times[seq+1] <= at {
			t.Fatalf("%d is not the newest commit before %d", seq, at)
		}
	}
}
