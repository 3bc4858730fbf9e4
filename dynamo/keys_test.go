package dynamo

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// awkward draws names that run into each other where keys are put together
// without care: empty, full of separators and escapes, binary, long.
func awkward() *rapid.Generator[string] {
	letters := []byte{0x00, 0x01, '"', '#', '$', '%', '0', '1', '@', 'a', 'd', 0x7f, 0x80, 0xc3, 0xa9, 0xfe, 0xff}
	return rapid.OneOf(
		rapid.Custom(func(t *rapid.T) string {
			return string(rapid.SliceOfN(rapid.SampledFrom(letters), 0, 5).Draw(t, "bytes"))
		}),
		rapid.StringN(0, 60, protocol.MaxNameBytes),
		rapid.Custom(func(t *rapid.T) string {
			return string(rapid.SliceOfN(rapid.Byte(), 0, protocol.MaxNameBytes).Draw(t, "long"))
		}),
		rapid.SampledFrom([]string{"", "#", "$", "1#", "4#acme#board", "0190b5a2-7c1e-7000-8000-000000000000"}),
	)
}

func drawSpace(t *rapid.T) space.Key {
	return space.Key{Tenant: awkward().Draw(t, "tenant"), Space: awkward().Draw(t, "space")}
}

func drawItem(t *rapid.T) space.ItemKey {
	return space.ItemKey{
		Kind: space.ItemKind(rapid.IntRange(1, 5).Draw(t, "kind")),
		A:    awkward().Draw(t, "a"),
		B:    awkward().Draw(t, "b"),
	}
}

// Different names never meet in one key, and keys are ordered as names are.
func TestKeysAreInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkPair(t, drawSpace(t), drawSpace(t), drawItem(t), drawItem(t))
	})
}

func FuzzKeys(f *testing.F) {
	f.Add("a", "b", "ab", "", "\x00", "\x01", "\x00\xff", "", byte(1), byte(2))
	f.Add("", "", "", "", "a", "#", "a#", "", byte(1), byte(1))
	f.Add("1", "11", "11", "1", "$@", "", "", "$", byte(2), byte(5))
	f.Add("\xff", "a", "ff", "61", "é", "Ã©", "\xc3", "", byte(1), byte(1))
	f.Fuzz(func(t *testing.T, tenant1, space1, tenant2, space2, a1, b1, a2, b2 string, kind1, kind2 byte) {
		checkPair(t,
			space.Key{Tenant: tenant1, Space: space1}, space.Key{Tenant: tenant2, Space: space2},
			space.ItemKey{Kind: space.ItemKind(kind1), A: a1, B: b1}, space.ItemKey{Kind: space.ItemKind(kind2), A: a2, B: b2})
		// Whatever stands in the table, taking a key apart does not panic, and what it
		// accepts it has understood.
		if key, isLog, ok := parsePartition(a1); ok {
			p, err := partitionsOf(key)
			if err != nil || isLog && p.log != a1 || !isLog && p.items != a1 {
				t.Fatalf("%q was read as %+v, whose keys are %+v", a1, key, p)
			}
		}
		if key, ok := parseItem(a1); ok {
			if back, err := sortOfItem(key); err != nil || back != a1 {
				t.Fatalf("%q was read as %+v, whose key is %q", a1, key, back)
			}
		}
		if seq, ok := parseSeq(a1); ok && sortOfSeq(seq) != a1 {
			t.Fatalf("%q was read as %d", a1, seq)
		}
	})
}

type fatal interface {
	Helper()
	Fatalf(string, ...any)
}

func checkPair(t fatal, s1, s2 space.Key, i1, i2 space.ItemKey) {
	t.Helper()
	p1, err1 := partitionsOf(s1)
	p2, err2 := partitionsOf(s2)
	if err1 == nil && err2 == nil {
		all := []string{p1.log, p1.items, p2.log, p2.items}
		slices.Sort(all)
		distinct := len(slices.Compact(all))
		if s1 != s2 && distinct != 4 || s1 == s2 && distinct != 2 {
			t.Fatalf("%q and %q have partitions %q and %q", s1, s2, p1, p2)
		}
		for _, p := range all {
			if len(p) > maxPartitionBytes || !utf8.ValidString(p) {
				t.Fatalf("%q: the partition key %q has %d bytes", s1, p, len(p))
			}
		}
		if back, isLog, ok := parsePartition(p1.log); !ok || !isLog || back != s1 {
			t.Fatalf("%q came back as %q, %v, %v", s1, back, isLog, ok)
		}
		if back, isLog, ok := parsePartition(p1.items); !ok || isLog || back != s1 {
			t.Fatalf("%q came back as %q, %v, %v", s1, back, isLog, ok)
		}
	}
	k1, err1 := sortOfItem(i1)
	k2, err2 := sortOfItem(i2)
	for _, i := range []space.ItemKey{i1, i2} {
		_, known := kinds[i.Kind]
		if _, err := sortOfItem(i); err != nil && known && len(i.A) <= protocol.MaxNameBytes && len(i.B) <= protocol.MaxNameBytes {
			t.Fatalf("%q: %v", i, err)
		}
	}
	if err1 != nil || err2 != nil {
		return
	}
	for _, k := range []string{k1, k2} {
		if len(k) >= maxSortBytes || !utf8.ValidString(k) {
			t.Fatalf("the sort key %q has %d bytes", k, len(k))
		}
	}
	if got, want := cmp.Compare(k1, k2), compareItems(i1, i2); i1.Kind == i2.Kind && got != want {
		t.Fatalf("%q and %q compare %d, their keys %q and %q compare %d", i1, i2, want, k1, k2, got)
	}
	if i1 != i2 && k1 == k2 {
		t.Fatalf("%q and %q have the key %q", i1, i2, k1)
	}
	if back, ok := parseItem(k1); !ok || back != i1 {
		t.Fatalf("%q came back as %q, %v", i1, back, ok)
	}
	first, last, err := rangeBehind(i1)
	if err != nil {
		t.Fatalf("%v", err)
	}
	within := first <= k2 && k2 <= last
	if want := i2.Kind == i1.Kind && (compareItems(i2, i1) > 0 || i1.A == "" && i1.B == ""); within != want {
		t.Fatalf("%q lies in the range behind %q: %v", i2, i1, within)
	}
}

func compareItems(a, b space.ItemKey) int {
	return cmp.Or(cmp.Compare(a.A, b.A), cmp.Compare(a.B, b.B))
}

// All short names of the bytes that separators and escapes are made of are in
// order, and no two have one key.
func TestKeysOfShortNames(t *testing.T) {
	names := []string{""}
	for from, n := 0, 0; n < 3; n++ { // a few bytes are enough: all pairs are tried
		to := len(names)
		for _, w := range names[from:to] {
			for _, c := range []byte("\x00#$%\x80\xff") {
				names = append(names, w+string([]byte{c}))
			}
		}
		from = to
	}
	slices.Sort(names)
	last := ""
	for _, a := range names {
		for _, b := range names {
			key, err := sortOfItem(space.ItemKey{Kind: space.ItemRecord, A: a, B: b})
			if err != nil || key <= last {
				t.Fatalf("%q, %q: %q does not come after %q, %v", a, b, key, last, err)
			}
			last = key
		}
	}
	seen := map[string]space.Key{}
	for _, tenant := range names[:200] {
		for _, name := range names[:200] {
			key := space.Key{Tenant: tenant, Space: name}
			p, err := partitionsOf(key)
			if err != nil {
				t.Fatal(err)
			}
			for _, partition := range []string{p.log, p.items} {
				if other, taken := seen[partition]; taken {
					t.Fatalf("%q and %q have the partition %q", key, other, partition)
				}
				seen[partition] = key
			}
		}
	}
}

func TestSeqKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Uint64().Draw(t, "a"), rapid.Uint64().Draw(t, "b")
		if cmp.Compare(sortOfSeq(a), sortOfSeq(b)) != cmp.Compare(a, b) {
			t.Fatalf("keys of seqs %d and %d are not in their order", a, b)
		}
		if seq, ok := parseSeq(sortOfSeq(a)); !ok || seq != a {
			t.Fatalf("seq %d came back as %d, %v", a, seq, ok)
		}
	})
	if sortOfSeq(1<<64-1) != lastSeq {
		t.Errorf("the last seq is %s", sortOfSeq(1<<64-1))
	}
}

// What people see in the console.
func TestKeysAreReadable(t *testing.T) {
	p, err := partitionsOf(space.Key{Tenant: "acme", Space: "доска #1"})
	if err != nil || p.log != "log#4#acme#доска #1" || p.items != "items#4#acme#доска #1" {
		t.Errorf("%+v, %v", p, err)
	}
	for key, want := range map[space.ItemKey]string{
		{Kind: space.ItemRecord, A: "tasks", B: "0190b5a2-7c1e-7000-8000-0123456789ab"}: "r#tasks#0190b5a2-7c1e-7000-8000-0123456789ab",
		{Kind: space.ItemDevice, A: "\x00\xff"}:                                         "d#00ff",
		{Kind: space.ItemWatermark}:                                                     "w#",
		{Kind: space.ItemHorizon}:                                                       "h#",
	} {
		if got, err := sortOfItem(key); err != nil || got != want {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
}

// A name that a key cannot hold is refused, not cut off.
func TestKeyTooLong(t *testing.T) {
	long := strings.Repeat("x", protocol.MaxNameBytes+1)
	for _, key := range []space.Key{{Tenant: long}, {Space: long}} {
		if _, err := partitionsOf(key); err == nil {
			t.Errorf("names of %d and %d bytes were accepted", len(key.Tenant), len(key.Space))
		}
	}
	if _, err := sortOfItem(space.ItemKey{Kind: space.ItemRecord, A: strings.Repeat("é", 300)}); err == nil {
		t.Error("a name of 600 bytes was accepted")
	}
	if _, err := sortOfItem(space.ItemKey{Kind: 9, A: "a"}); err == nil {
		t.Error("an unknown kind was accepted")
	}
}
