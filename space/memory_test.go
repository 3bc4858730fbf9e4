package space_test

import (
	"testing"

	"github.com/tidegate/tidegate/space"
	"github.com/tidegate/tidegate/space/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) space.Store { return new(space.Memory) }, storetest.Options{})
}

func TestMemorySnapshotRestore(t *testing.T) {
	m := new(space.Memory)
	key := space.Key{Tenant: "acme", Space: "board"}
	if err := m.Append(t.Context(), key, 1, []byte("one")); err != nil {
		t.Fatal(err)
	}
	backup := m.Snapshot()
	if err := m.Append(t.Context(), key, 2, []byte("two")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a backup can be restored more than once
		m.Restore(backup)
		items, err := m.Log(t.Context(), key, 1, 1000)
		if err != nil || len(items) != 1 || string(items[0].Data) != "one" {
			t.Fatalf("restored %v, %v", items, err)
		}
		if err := m.Append(t.Context(), key, 2, []byte("another two")); err != nil {
			t.Fatal(err)
		}
	}
}
