package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a number of bytes as people write it: 4096, 300KiB, 1MiB.
type byteSize int64

// sizeUnits are the units, the greatest first.
var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// UnmarshalText reads a size.
func (s *byteSize) UnmarshalText(text []byte) error {
	digits, unit := string(text), int64(1)
	for _, u := range sizeUnits {
		if number, found := strings.CutSuffix(digits, u.name); found {
			digits, unit = strings.TrimSpace(number), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is no size: want a positive number of bytes, KiB, MiB or GiB, such as 300KiB", text)
	}
	*s = byteSize(n * unit)
	return nil
}

// String writes a size in the greatest unit that divides it.
func (s byteSize) String() string {
	for _, u := range sizeUnits {
		if s > 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}
