package bolt

import (
	"reflect"
	"runtime"
	"testing"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

func sampleItems() []space.Item {
	key := space.ItemKey{Kind: space.ItemRecord, A: "tasks", B: "1"}
	return []space.Item{
		{Key: key, Version: 1},
		{Key: key, Version: 1 << 60, Meta: []byte{0, 1, 2}},
		{Key: key, Version: 7, Meta: []byte("meta"), Fields: []protocol.FieldValue{
			{Field: "absent"},
			{Field: "done", Value: protocol.True},
			{Field: "title", Value: protocol.StringValue("héllo")},
			{Field: "tree", Value: protocol.MustValue(map[string]any{"a": []any{1, 2.5, nil}})},
		}},
	}
}

func TestItemComesBack(t *testing.T) {
	for _, item := range sampleItems() {
		stored := encodeItem(&item)
		got, err := decodeItem(item.Key, stored)
		if err != nil || !reflect.DeepEqual(got, item) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, item)
		}
		if version, _, err := itemVersion(stored); err != nil || version != item.Version {
			t.Errorf("version %d, %v, want %d", version, err, item.Version)
		}
		for cut := range stored {
			if _, err := decodeItem(item.Key, stored[:cut]); err == nil {
				t.Errorf("the first %d of %d bytes were accepted", cut, len(stored))
			}
		}
		if _, err := decodeItem(item.Key, append(stored, 0)); err == nil {
			t.Error("a byte too many was accepted")
		}
		stored[0] = 0x20
		if _, err := decodeItem(item.Key, stored); err == nil {
			t.Error("another format byte was accepted")
		}
	}
}

// What decoding allocates is proportional to what it reads.
func FuzzItem(f *testing.F) {
	for _, item := range sampleItems() {
		f.Add(encodeItem(&item))
	}
	f.Add([]byte{format, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F})
	f.Fuzz(func(t *testing.T, stored []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		item, err := decodeItem(space.ItemKey{}, stored)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 64*uint64(len(stored))+(64<<10) {
			t.Fatalf("%d bytes made it allocate %d", len(stored), used)
		}
		if err != nil {
			return
		}
		if again, err := decodeItem(space.ItemKey{}, encodeItem(&item)); err != nil || !reflect.DeepEqual(again, item) {
			t.Fatalf("%+v came back as %+v, %v", item, again, err)
		}
	})
}
