package protocol

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// TestNameTable: numbers and names stay each other's inverse, whatever is added
// and taken back.
func TestNameTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := NewNameTable()
		var model []string
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				name := rapid.StringMatching(`[a-c]{1,2}`).Draw(t, "name")
				at := slices.Index(model, name)
				if at < 0 {
					at = len(model)
					model = append(model, name)
					if n, added := table.Add(name); n != uint64(at) || !added {
						t.Fatalf("%q got %d (%v), want %d", name, n, added, at)
					}
				}
				if n, added := table.Add(name); n != uint64(at) || added {
					t.Fatalf("%q got %d (%v) again, want %d", name, n, added, at)
				}
			},
			"truncate": func(t *rapid.T) {
				n := rapid.IntRange(-1, 12).Draw(t, "length")
				table.Truncate(n)
				if n >= 0 && n < len(model) {
					model = model[:n]
				}
			},
			"clone": func(t *rapid.T) {
				clone := table.Clone()
				table.Add("another")
				table.Truncate(len(model))
				table = clone
			},
			"": func(t *rapid.T) {
				if table.Len() != len(model) || !slices.Equal(table.Names(), model) {
					t.Fatalf("names are %q, want %q", table.Names(), model)
				}
				for i, name := range model {
					n, known := table.Number(name)
					back, named := table.Name(n)
					if !known || !named || n != uint64(i) || back != name {
						t.Fatalf("%q has number %d, which is %q", name, n, back)
					}
				}
				if _, known := table.Name(uint64(len(model))); known {
					t.Fatal("there is a name too many")
				}
			},
		})
	})
}

// TestFullNameTable: names that find no room travel literally.
func TestFullNameTable(t *testing.T) {
	table := NewNameTable()
	for i := range MaxNames {
		table.Add(fmt.Sprint("name", i))
	}
	c := &Commit{Seq: 1, Mutations: []Committed{{
		Author: anna, Counter: 1, Body: []byte{1}, Verdict: Verdict{Counter: 1, Seq: 1},
		Changes: []Change{{Collection: "late", ID: "1", Fields: []FieldChange{{Field: "name7", Value: Null}, {Field: "later", Value: Null}}}},
	}}}
	data := EncodeCommit(c, table)
	if len(c.Names) != 0 || table.Len() != MaxNames {
		t.Fatalf("%q were added", c.Names)
	}
	got, err := DecodeCommit(data, table)
	if err != nil || got.Mutations[0].Changes[0].Collection != "late" || got.Mutations[0].Changes[0].Fields[1].Field != "later" {
		t.Fatalf("decoded %+v (%v)", got, err)
	}
}

func TestIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := genDevice.Draw(t, "id")
		if got, err := ParseDeviceID(id.String()); id.IsZero() != (err != nil) || err == nil && got != id {
			t.Fatalf("%s was parsed as %s (%v)", id, got, err)
		}
	})
	for _, text := range []string{
		"", "x", "00000000-0000-0000-0000-000000000000", "01935F1C-8A3E-7B52-9C41-5D2E7F6A8B90",
		"01935f1c8a3e7b529c415d2e7f6a8b90", "01935f1c-8a3e-7b52-9c41-5d2e7f6a8b9", "01935f1c-8a3e-7b52-9c41-5d2e7f6a8b9g",
		"01935f1c-8a3e-7b52-9c41+5d2e7f6a8b90",
	} {
		if id, err := ParseDeviceID(text); err == nil {
			t.Errorf("%q was parsed as %s", text, id)
		}
	}
	if got := (CommitID{0xab}).String(); got != "ab00000000000000" {
		t.Errorf("the commit id is %s", got)
	}
}

func TestErrors(t *testing.T) {
	known := Errorf(CodeRate, "slow down")
	if got := AsError(fmt.Errorf("wrapped: %w", known)); got != known {
		t.Errorf("the error became %v", got)
	}
	if got := AsError(io.ErrUnexpectedEOF); got.Code != CodeInternal || strings.Contains(got.Message, "EOF") {
		t.Errorf("a foreign error became %v", got)
	}
	if AsError(nil) != nil {
		t.Error("no error became one")
	}
	long := Errorf(CodeRate, "%s", strings.Repeat("é", MaxMessageText))
	if len(long.Message) > MaxMessageText || !utf8.ValidString(long.Message) {
		t.Errorf("the message has %d bytes", len(long.Message))
	}
	for code, want := range map[CloseCode]CloseAction{1000: Reconnect, 1006: Reconnect, 4000: Reconnect, 4099: Reconnect, 4100: RefreshToken, 4199: RefreshToken, 4200: Stop, 4299: Stop, 4300: Reconnect} {
		if got := code.Action(); got != want {
			t.Errorf("after %d a client does %v, want %v", code, got, want)
		}
	}
}
