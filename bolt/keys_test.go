package bolt

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidegate/tidegate/space"
)

// awkward draws strings over an alphabet that provokes collisions: separators,
// escapes, lengths.
func awkward(max int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(rapid.SampledFrom([]byte{0x00, 0x01, 0x02, 0x03, 'a', 0xFE, 0xFF}), 0, max).Draw(t, "bytes"))
	})
}

func drawSpace(t *rapid.T) space.Key {
	return space.Key{Tenant: awkward(4).Draw(t, "tenant"), Space: awkward(4).Draw(t, "space")}
}

func drawItem(t *rapid.T) space.ItemKey {
	return space.ItemKey{
		Kind: space.ItemKind(rapid.IntRange(0, 3).Draw(t, "kind")),
		A:    awkward(5).Draw(t, "a"),
		B:    awkward(5).Draw(t, "b"),
	}
}

// Different names never meet in one key, and no space's keys lie among another's.
func TestKeysAreInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkPair(t, drawSpace(t), drawSpace(t), drawItem(t), drawItem(t))
	})
}

func FuzzKeys(f *testing.F) {
	f.Add("a", "b", "ab", "", "\x00", "\x01", "\x00\xff", "", byte(1), byte(2))
	f.Add("", "", "", "", "a", "\x00", "a\x00", "", byte(1), byte(1))
	f.Fuzz(func(t *testing.T, tenant1, space1, tenant2, space2, a1, b1, a2, b2 string, kind1, kind2 byte) {
		checkPair(t,
			space.Key{Tenant: tenant1, Space: space1}, space.Key{Tenant: tenant2, Space: space2},
			space.ItemKey{Kind: space.ItemKind(kind1), A: a1, B: b1}, space.ItemKey{Kind: space.ItemKind(kind2), A: a2, B: b2})
		if key, rest, ok := parseSpacePrefix([]byte(tenant1)); ok {
			if prefix, err := spacePrefix(key); err == nil && string(prefix)+string(rest) != tenant1 {
				t.Fatalf("%q was read as %q, whose prefix is %q", tenant1, key, prefix)
			}
		}
		// Whatever stands in the file, taking a key apart does not panic, and what it
		// accepts it has understood.
		if key, ok := parseItemKey(1, []byte(a1)); ok {
			prefix, _ := spacePrefix(space.Key{})
			back, err := itemKey(prefix, key)
			if err == nil && !bytes.Equal(back, append(kindPrefix(prefix, 1), a1...)) {
				t.Fatalf("%q was read as %+v, whose key is %q", a1, key, back)
			}
		}
	})
}

type fatal interface {
	Helper()
	Fatalf(string, ...any)
}

func checkPair(t fatal, s1, s2 space.Key, i1, i2 space.ItemKey) {
	t.Helper()
	p1, err1 := spacePrefix(s1)
	p2, err2 := spacePrefix(s2)
	if err1 != nil || err2 != nil {
		return
	}
	if back, rest, ok := parseSpacePrefix(append(bytes.Clone(p1), 1, 2)); !ok || back != s1 || len(rest) != 2 {
		t.Fatalf("%q came back as %q, %x, %v", s1, back, rest, ok)
	}
	if s1 != s2 && (bytes.HasPrefix(p1, p2) || bytes.HasPrefix(p2, p1)) {
		t.Fatalf("%q and %q have prefixes %x and %x", s1, s2, p1, p2)
	}
	k1, err1 := itemKey(p1, i1)
	k2, err2 := itemKey(p1, i2)
	if err1 != nil || err2 != nil {
		return
	}
	want := cmp.Or(cmp.Compare(i1.Kind, i2.Kind), cmp.Compare(i1.A, i2.A), cmp.Compare(i1.B, i2.B))
	if got := bytes.Compare(k1, k2); got != want {
		t.Fatalf("%q and %q compare %d, their keys %x and %x compare %d", i1, i2, want, k1, k2, got)
	}
	rest, ok := bytes.CutPrefix(k1, kindPrefix(p1, i1.Kind))
	if !ok {
		t.Fatalf("key of %q does not begin with its kind's prefix", i1)
	}
	if back, ok := parseItemKey(i1.Kind, rest); !ok || back != i1 {
		t.Fatalf("%q came back as %q, %v", i1, back, ok)
	}
}

// words are all strings of up to n of the letters.
func words(letters string, n int) []string {
	all := []string{""}
	for from := 0; n > 0; n-- {
		to := len(all)
		for _, w := range all[from:to] {
			for i := range len(letters) {
				all = append(all, w+letters[i:i+1])
			}
		}
		from = to
	}
	return all
}

// All short names of the bytes that lengths and escapes are made of: no prefix
// of a space begins another's, and items are in the order of their names.
func TestKeysOfShortNames(t *testing.T) {
	names := words("\x00\x01\x02", 3)
	var prefixes []string
	for _, tenant := range names {
		for _, name := range names {
			prefix, err := spacePrefix(space.Key{Tenant: tenant, Space: name})
			if err != nil {
				t.Fatal(err)
			}
			prefixes = append(prefixes, string(prefix))
		}
	}
	slices.Sort(prefixes)
	for i := range prefixes[1:] {
		if strings.HasPrefix(prefixes[i+1], prefixes[i]) {
			t.Fatalf("%x begins %x", prefixes[i], prefixes[i+1])
		}
	}

	names = words("\x00\x01\xfe\xff", 3)
	slices.Sort(names)
	var last []byte
	for _, a := range names {
		for _, b := range names {
			key, err := itemKey(nil, space.ItemKey{Kind: 1, A: a, B: b})
			if err != nil || bytes.Compare(last, key) >= 0 {
				t.Fatalf("%q, %q: %x does not come after %x, %v", a, b, key, last, err)
			}
			last = key
		}
	}
}

func TestLogKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix, err := spacePrefix(drawSpace(t))
		if err != nil {
			t.Fatal(err)
		}
		a, b := rapid.Uint64().Draw(t, "a"), rapid.Uint64().Draw(t, "b")
		if bytes.Compare(logKey(prefix, a), logKey(prefix, b)) != cmp.Compare(a, b) {
			t.Fatalf("keys of seqs %d and %d are not in their order", a, b)
		}
		if seq, ok := logSeq(prefix, logKey(prefix, a)); !ok || seq != a {
			t.Fatalf("seq %d came back as %d, %v", a, seq, ok)
		}
	})
}

// A name that a key cannot hold is refused, not cut off.
func TestKeyTooLong(t *testing.T) {
	long := string(make([]byte, 1<<16))
	for _, key := range []space.Key{{Tenant: long}, {Space: long}, {Tenant: long[:40000]}} {
		if _, err := spacePrefix(key); err == nil {
			t.Errorf("names of %d and %d bytes were accepted", len(key.Tenant), len(key.Space))
		}
	}
	prefix, err := spacePrefix(space.Key{Tenant: "t", Space: "s"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := itemKey(prefix, space.ItemKey{A: long[:20000]}); err == nil {
		t.Error("an item's name of 20000 zeros was accepted")
	}
}
