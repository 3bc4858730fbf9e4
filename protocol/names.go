package protocol

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// NameTable numbers the collections and fields of a space in the order in which
// commits first used them, from 0 on. It is append-only and part of the fold.
// It is not safe for concurrent use.
type NameTable struct {
	names   []string
	numbers map[string]uint64
}

// NewNameTable returns a table that holds names, numbered from 0. Names beyond
// MaxNames and repeated ones are left out.
func NewNameTable(names ...string) *NameTable {
	t := &NameTable{
		names:   make([]string, 0, len(names)),
		numbers: make(map[string]uint64, len(names)),
	}
	for _, name := range names {
		t.Add(name)
	}
	return t
}

// Number returns the number of name.
func (t *NameTable) Number(name string) (uint64, bool) {
	if t == nil {
		return 0, false
	}
	n, ok := t.numbers[name]
	return n, ok
}

// Name returns the name that has number n.
func (t *NameTable) Name(n uint64) (string, bool) {
	if t == nil || n >= uint64(len(t.names)) {
		return "", false
	}
	return t.names[n], true
}

// Add gives name the next number, unless it has one already or the table is
// full. It returns the name's number and whether it is new; a full table returns
// MaxNames and false, and the name travels literally.
func (t *NameTable) Add(name string) (n uint64, added bool) {
	if n, ok := t.numbers[name]; ok {
		return n, false
	}
	if len(t.names) >= MaxNames {
		return MaxNames, false
	}
	n = uint64(len(t.names))
	t.names = append(t.names, name)
	t.numbers[name] = n
	return n, true
}

// Truncate forgets the names from number n on: those of a commit that was
// encoded but not appended, because another gateway took its seq.
func (t *NameTable) Truncate(n int) {
	if n < 0 || n >= len(t.names) {
		return
	}
	for _, name := range t.names[n:] {
		delete(t.numbers, name)
	}
	clear(t.names[n:])
	t.names = t.names[:n]
}

// Len returns how many names the table holds.
func (t *NameTable) Len() int {
	if t == nil {
		return 0
	}
	return len(t.names)
}

// Names returns a copy of the names in the order of their numbers.
func (t *NameTable) Names() []string {
	if t == nil {
		return nil
	}
	return slices.Clone(t.names)
}

// Clone returns a table of its own with the same names.
func (t *NameTable) Clone() *NameTable { return NewNameTable(t.Names()...) }

// learn takes over the names that a commit's header carries. Names that the
// table has already are compared: a device that resumes behind a snapshot's
// cursor is sent some of them again.
func (t *NameTable) learn(first uint64, names []string) *Error {
	if first > uint64(len(t.names)) {
		return Errorf(CodeMalformed, "the commit adds names from number %d on, but only %d are known", first, len(t.names))
	}
	for i, name := range names {
		number := first + uint64(i)
		if number < uint64(len(t.names)) {
			if t.names[number] != name {
				return Errorf(CodeMalformed, "name %d is %q here, but %q in the commit", number, clip(t.names[number], 64), clip(name, 64))
			}
			continue
		}
		if got, added := t.Add(name); !added {
			return Errorf(CodeMalformed, "the commit adds the name %q as number %d, but it has number %d", clip(name, 64), number, got)
		}
	}
	return nil
}

// NameKind says what a name is the name of, in the words of the error message.
type NameKind string

const (
	NameCollection NameKind = "collection name"
	NameRecord     NameKind = "record id"
	// NameField is a path: properties joined with dots.
	NameField NameKind = "field path"
	// NameProperty is one property, as in the keys of a nested object.
	NameProperty NameKind = "property name"
	NameElement  NameKind = "element id"
	NamePosition NameKind = "position"
)

// CheckName says whether s may be a name of this kind: 1 to MaxNameBytes bytes
// of valid UTF-8. Collections, and each property of a field path, may not begin
// with "_" (those are ours) nor contain "." (which joins the properties of a
// path). The error, an *Error with CodeMalformed, says which rule was broken;
// its Field is the name.
func CheckName(kind NameKind, s string) error {
	refuse := func(why string) error {
		err := Errorf(CodeMalformed, "%s %q %s", kind, clip(s, 64), why)
		if kind == NameField || kind == NameProperty {
			err.Field = clip(s, MaxNameBytes)
		}
		return err
	}
	switch {
	case s == "":
		return refuse("is empty")
	case len(s) > MaxNameBytes:
		return refuse("is longer than 255 bytes")
	case !utf8.ValidString(s):
		return refuse("is not valid UTF-8")
	}
	switch kind {
	case NameCollection, NameProperty:
		if strings.Contains(s, ".") {
			return refuse(`contains "."`)
		}
		if s[0] == '_' {
			return refuse(`begins with "_"`)
		}
	case NameField:
		for property := range strings.SplitSeq(s, ".") {
			if property == "" {
				return refuse("has an empty part")
			}
			if property[0] == '_' {
				return refuse(`has a part that begins with "_"`)
			}
		}
	}
	return nil
}

// CheckSpaceName says whether s may name a space: 1 to MaxNameBytes bytes of
// valid UTF-8 without control characters. The error is an *Error with
// CodeSpaceName.
func CheckSpaceName(s string) error {
	switch {
	case s == "":
		return Errorf(CodeSpaceName, "the space's name is empty")
	case len(s) > MaxNameBytes:
		return Errorf(CodeSpaceName, "the space's name is longer than %d bytes", MaxNameBytes)
	case !utf8.ValidString(s):
		return Errorf(CodeSpaceName, "the space's name is not valid UTF-8")
	}
	for _, c := range s {
		if c < 0x20 || c >= 0x7f && c < 0xa0 {
			return Errorf(CodeSpaceName, "the space's name %q contains a control character", s)
		}
	}
	return nil
}
