package main

import "testing"

func TestByteSize(t *testing.T) {
	for text, want := range map[string]byteSize{
		"4096": 4096, "1KiB": 1 << 10, "300KiB": 300 << 10, "1 MiB": 1 << 20, "2GiB": 2 << 30,
		"": 0, "0": 0, "-1": 0, "1.5MiB": 0, "1MB": 0, "banana": 0, "9999999999GiB": 0,
	} {
		var got byteSize
		err := got.UnmarshalText([]byte(text))
		if (err == nil) != (want > 0) || got != want {
			t.Errorf("%q is %d, %v, want %d", text, got, err, want)
		}
	}
	for size, want := range map[byteSize]string{1: "1", 1 << 10: "1KiB", 300 << 10: "300KiB", 1 << 20: "1MiB", 1<<20 + 1: "1048577", 3 << 30: "3GiB"} {
		if got := size.String(); got != want {
			t.Errorf("%d is written %q, want %q", int64(size), got, want)
		}
	}
}
