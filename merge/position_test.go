package merge

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/tidegate/tidegate/protocol"
)

func TestBetween(t *testing.T) {
	cases := []struct{ a, b, want string }{
		{"", "", "a0"},
		{"a0", "", "a1"},
		{"az", "", "b00"},
		{"", "a0", "Zz"},
		{"", "Z0", "Yzz"},
		{"", "b00", "az"},
		{"a0", "a1", "a0V"},
		{"a0", "a0V", "a0F"},
		{"a0V", "a1", "a0k"},
		{"a0", "a2", "a1"},
		{"Zz", "a0", "ZzV"},
		{"a1", "a2V", "a2"},
		{"", "a0V", "a0"},
		{"zzzzzzzzzzzzzzzzzzzzzzzzzzz", "", "zzzzzzzzzzzzzzzzzzzzzzzzzzzV"},
		{"", "A000000000000000000000000001", "A000000000000000000000000000V"},
		{"a1", "a0", "a2"},      // no gap: b counts as open
		{"a1", "a1", "a2"},      // nor here
		{"nonsense/", "", "a0"}, // no position: counts as open
		{"", "a00", "a0"},       // nor this: it ends in 0
	}
	for _, c := range cases {
		if got := Between(c.a, c.b); got != c.want {
			t.Errorf("Between(%q, %q) = %q, want %q", c.a, c.b, got, c.want)
		}
	}
}

func TestBetweenIsBetween(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		list := []string{Between("", "")}
		for range rapid.IntRange(1, 200).Draw(r, "inserts") {
			at := rapid.IntRange(0, len(list)).Draw(r, "at")
			before, after := "", ""
			if at > 0 {
				before = list[at-1]
			}
			if at < len(list) {
				after = list[at]
			}
			p := Between(before, after)
			if !ValidPosition(p) || p <= before || after != "" && p >= after {
				r.Fatalf("Between(%q, %q) = %q", before, after, p)
			}
			list = append(list[:at], append([]string{p}, list[at:]...)...)
		}
	})
}

// Appending and prepending grow positions hardly at all; the worst case, always
// into the same gap, is good for more than a thousand elements.
func TestPositionsGrowSlowly(t *testing.T) {
	first, last := Between("", ""), Between("", "")
	for range 100_000 {
		first, last = Between("", first), Between(last, "")
	}
	if len(first) > 4 || len(last) > 4 {
		t.Errorf("after 100000: %q, %q", first, last)
	}
	low, high := "a0", "a1"
	for i := range 1200 {
		if i%2 == 0 {
			low = Between(low, high)
		} else {
			high = Between(low, high)
		}
	}
	narrow := "a1"
	for range 1200 {
		narrow = Between("a0", narrow)
	}
	if len(low) > protocol.MaxNameBytes || len(narrow) > protocol.MaxNameBytes {
		t.Errorf("%d and %d bytes", len(low), len(narrow))
	}
}

func FuzzBetween(f *testing.F) {
	f.Add("a0", "a1")
	f.Add("", "A000000000000000000000000001")
	f.Add("zzzzzzzzzzzzzzzzzzzzzzzzzzz", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 300 || len(b) > 300 {
			return
		}
		p := Between(a, b)
		if !ValidPosition(p) {
			t.Fatalf("Between(%q, %q) = %q", a, b, p)
		}
		if ValidPosition(a) && p <= a || ValidPosition(a) && ValidPosition(b) && a < b && p >= b {
			t.Fatalf("Between(%q, %q) = %q", a, b, p)
		}
	})
}
