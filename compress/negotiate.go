package compress

import (
	"strconv"
	"strings"
)

// How the two sides name what they can do: "none", "zstd", "zstd:<dictionary id>".
const (
	none   = "none"
	plain  = "zstd"
	prefix = "zstd:"
)

// Names lists what c can decode, the best first, for a client's hello.
func (c *Codec) Names() []string {
	names := make([]string, 0, len(c.ids)+1)
	for _, id := range c.ids {
		names = append(names, Name(id, true))
	}
	return append(names, plain)
}

// Choose returns the first of the offered names that c can encode for, as a
// server answers; "none" if there is none.
func (c *Codec) Choose(offered []string) string {
	for _, name := range offered {
		if dictionary, ok := Parse(name); ok && c.encoders[dictionary] != nil {
			return name
		}
	}
	return none
}

// Name is the name of zstd with a dictionary (0 for none), or "none".
func Name(dictionary uint32, zstd bool) string {
	switch {
	case !zstd:
		return none
	case dictionary == 0:
		return plain
	}
	return prefix + strconv.FormatUint(uint64(dictionary), 10)
}

// Parse reads a name: which dictionary to use (0 for none), and false if nothing
// is to be compressed, or the name is not known.
func Parse(name string) (dictionary uint32, zstd bool) {
	if name == plain {
		return 0, true
	}
	number, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseUint(number, 10, 32)
	// One name for each dictionary: "zstd:01" and "zstd:0" are none.
	if err != nil || id == 0 || Name(uint32(id), true) != name {
		return 0, false
	}
	return uint32(id), true
}
