package merge

import "strings"

// Positions order the elements of a list. They are fractional indexes as David
// Greenspan describes them ("Implementing Fractional Indexing", 2020): an
// integer part whose first character says how long it is, so that appending and
// prepending grow a position only logarithmically, and a fraction that takes a
// place between two neighbours. Positions compare as bytes.

// digits are in byte order.
const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// firstPosition is the position of the only element of a list.
const firstPosition = "a0"

// Between returns a position greater than a and less than b. An empty a or b
// leaves that end open: Between("", "") starts a list, Between(last, "")
// appends. An a or b that is not a position counts as empty, and b counts as
// empty unless it is greater than a. The result grows by one byte for about six
// elements put one after another into the same gap.
func Between(a, b string) string {
	if !ValidPosition(a) {
		a = ""
	}
	if !ValidPosition(b) || b <= a {
		b = ""
	}
	switch {
	case a == "" && b == "":
		return firstPosition
	case a == "":
		whole, fraction := splitPosition(b)
		if whole == leastInteger {
			return whole + midpoint("", fraction)
		}
		if fraction != "" {
			return whole // b without its fraction is less than b
		}
		return decrement(whole)
	case b == "":
		whole, fraction := splitPosition(a)
		if more, ok := increment(whole); ok {
			return more
		}
		return whole + midpoint(fraction, "")
	}
	wholeA, fractionA := splitPosition(a)
	wholeB, fractionB := splitPosition(b)
	if wholeA == wholeB {
		return wholeA + midpoint(fractionA, fractionB)
	}
	if more, ok := increment(wholeA); ok && more < b {
		return more
	}
	return wholeA + midpoint(fractionA, "")
}

// ValidPosition says whether s is a position: an integer part of the length that
// its first character announces, then a fraction that does not end in "0" (so
// that there is always room before it).
func ValidPosition(s string) bool {
	if s == "" || len(s) < integerLength(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if strings.IndexByte(digits, s[i]) < 0 {
			return false
		}
	}
	whole, fraction := splitPosition(s)
	// The least integer has nothing before it, so it is only a prefix.
	if fraction == "" && whole == leastInteger {
		return false
	}
	return !strings.HasSuffix(fraction, "0")
}

// leastInteger is the least of all integer parts.
const leastInteger = "A00000000000000000000000000"

// integerLength returns the length of an integer part that begins with head, or
// one that no string has if head begins none: a is 2 bytes long, b 3, … z 27;
// Z is 2 bytes long, Y 3, … A 27.
func integerLength(head byte) int {
	switch {
	case head >= 'a' && head <= 'z':
		return int(head-'a') + 2
	case head >= 'A' && head <= 'Z':
		return int('Z'-head) + 2
	}
	return 1 << 30
}

func splitPosition(s string) (whole, fraction string) {
	n := integerLength(s[0])
	return s[:n], s[n:]
}

// increment returns the next integer part; false if there is none.
func increment(whole string) (string, bool) {
	next := []byte(whole)
	for i := len(next) - 1; i > 0; i-- {
		d := strings.IndexByte(digits, next[i])
		if d+1 < len(digits) {
			next[i] = digits[d+1]
			return string(next), true
		}
		next[i] = digits[0]
	}
	switch head := next[0]; head {
	case 'z':
		return "", false
	case 'Z':
		return "a0", true
	default:
		return string(rune(head+1)) + strings.Repeat("0", integerLength(head+1)-1), true
	}
}

// decrement returns a position less than whole, which is not leastInteger: the
// integer part before it.
func decrement(whole string) string {
	previous := []byte(whole)
	for i := len(previous) - 1; i > 0; i-- {
		d := strings.IndexByte(digits, previous[i])
		if d > 0 {
			previous[i] = digits[d-1]
			if string(previous) == leastInteger {
				// By itself it is no position: it takes a fraction.
				return leastInteger + midpoint("", "")
			}
			return string(previous)
		}
		previous[i] = digits[len(digits)-1]
	}
	if whole[0] == 'a' {
		return "Zz"
	}
	head := whole[0] - 1
	return string(rune(head)) + strings.Repeat("z", integerLength(head)-1)
}

// midpoint returns a fraction between a and b, neither ending in "0"; an empty b
// stands for one. Precondition: a < b.
func midpoint(a, b string) string {
	if b != "" {
		// Keep the common prefix; a counts as padded with zeros.
		n := 0
		for n < len(b) && digitAt(a, n) == b[n] {
			n++
		}
		if n > 0 {
			return b[:n] + midpoint(a[min(n, len(a)):], b[n:])
		}
	}
	low := strings.IndexByte(digits, digitAt(a, 0))
	high := len(digits)
	if b != "" {
		high = strings.IndexByte(digits, b[0])
	}
	if high-low > 1 {
		return digits[(low+high)/2:][:1]
	}
	// The first digits are consecutive.
	if len(b) > 1 {
		return b[:1]
	}
	return digits[low:low+1] + midpoint(a[min(1, len(a)):], "")
}

func digitAt(fraction string, i int) byte {
	if i < len(fraction) {
		return fraction[i]
	}
	return digits[0]
}
