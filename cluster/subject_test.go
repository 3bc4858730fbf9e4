package cluster

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// unescape is the inverse of escape: that there is one is the proof that no two
// strings become the same token.
func unescape(t interface{ Fatalf(string, ...any) }, token string) string {
	var s []byte
	for i := 0; i < len(token); i++ {
		if token[i] != '=' {
			s = append(s, token[i])
			continue
		}
		const hex = "0123456789abcdef"
		if i+2 >= len(token) || !strings.ContainsRune(hex, rune(token[i+1])) || !strings.ContainsRune(hex, rune(token[i+2])) {
			t.Fatalf("%q: an escape that is none at %d", token, i)
		}
		s = append(s, byte(strings.IndexByte(hex, token[i+1])<<4|strings.IndexByte(hex, token[i+2])))
		i += 2
	}
	return string(s)
}

// checkEscape checks that a string becomes one token, from which it can be had
// again.
func checkEscape(t interface{ Fatalf(string, ...any) }, s string) {
	token := escape(s)
	if got := unescape(t, token); got != s {
		t.Fatalf("%q became %q, which is %q", s, token, got)
	}
	for i := range len(token) {
		switch c := token[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '=':
		default:
			t.Fatalf("%q became %q, which has %q in it", s, token, c)
		}
	}
	if len(token) > 3*len(s) || (s == "") != (token == "") {
		t.Fatalf("%d bytes became %d", len(s), len(token))
	}
}

func TestEscape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Few letters, so that what might run into one another often does.
		a := rapid.OneOf(rapid.StringOfN(rapid.SampledFrom([]rune("a=.2e*> \x00ä")), 0, 8, -1), rapid.String()).Draw(t, "a")
		b := rapid.OneOf(rapid.StringOfN(rapid.SampledFrom([]rune("a=.2e*> \x00ä")), 0, 8, -1), rapid.String()).Draw(t, "b")
		checkEscape(t, a)
		if (a == b) != (escape(a) == escape(b)) {
			t.Fatalf("%q and %q become %q and %q", a, b, escape(a), escape(b))
		}
	})
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a.b", "=2e", "a=", "*", ">", "\x00", "\xff", "space\tname"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkEscape(t, s) })
}
