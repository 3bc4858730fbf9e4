package protocol

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// An example in SPEC.md is a marker and a block behind it: the bytes in hex, one
// line a frame, and below each line what it says in diagnostic notation.
var exampleMarker = regexp.MustCompile(`(?m)^<!-- (?:example: ([a-z ]+)|(body)) -->\n(?:` + "```text\n(?s:(.*?))\n```\n" + `)?`)

// TestSpecExamples: the examples are what the samples encode to, each frame type
// has one, and each decodes from the page's own bytes.
func TestSpecExamples(t *testing.T) {
	page, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string][]byte{}
	for _, s := range sampleFrames() {
		wanted[s.name] = EncodeMessage(s.frames...)
	}
	peers := map[string]bool{}
	for _, s := range samplePeers() {
		wanted[s.name], peers[s.name] = EncodePeer(s.message), true
	}
	if *update {
		page = exampleMarker.ReplaceAllFunc(page, func(found []byte) []byte {
			part := exampleMarker.FindSubmatch(found)
			name, data := string(part[1]), wanted[string(part[1])]
			marker := "<!-- example: " + name + " -->"
			if name == "" {
				marker, data = "<!-- body -->", AppendMutation(nil, sampleMutation)
			}
			return []byte(marker + "\n```text\n" + annotate(data) + "\n```\n")
		})
		if err := os.WriteFile("SPEC.md", page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shown := map[FrameType]bool{}
	for _, part := range exampleMarker.FindAllSubmatch(page, -1) {
		name := string(part[1])
		data := hexLines(t, string(part[3]))
		if name == "" {
			m, err := DecodeMutation(data)
			if err != nil || !bytes.Equal(AppendMutation(nil, m), data) || string(part[3]) != annotate(data) {
				t.Errorf("the body: %v", err)
			}
			continue
		}
		if !bytes.Equal(data, wanted[name]) {
			t.Errorf("%s: the page says %x, the sample is %x", name, data, wanted[name])
			continue
		}
		if string(part[3]) != annotate(data) {
			t.Errorf("%s: the notes beside the bytes do not fit them", name)
		}
		if peers[name] {
			if _, err := DecodePeer(data); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			delete(wanted, name)
			continue
		}
		list, err := DecodeMessage(data, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, f := range list {
			shown[f.Type()] = true
		}
		delete(wanted, name)
	}
	for name := range wanted {
		t.Errorf("SPEC.md does not show %q", name)
	}
	for number := FrameHello; number <= FrameCompressed; number++ {
		if !shown[number] {
			t.Errorf("SPEC.md has no example of %s", number)
		}
	}
}

// TestSpecTables: every code of the package stands in the page, with its close
// code if it has one.
func TestSpecTables(t *testing.T) {
	page, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range codeVectors() {
		code := v.Input.(Code)
		row := fmt.Sprintf("| `%s` |", code)
		if close, ends := code.Close(); ends {
			row = fmt.Sprintf("| %d | `%s` |", close, code)
		}
		if !strings.Contains(string(page), row) {
			t.Errorf("SPEC.md has no row %q", row)
		}
	}
	for refusal := range refusalTexts {
		if !strings.Contains(string(page), "`"+string(refusal)+"`") {
			t.Errorf("SPEC.md does not name the refusal %q", refusal)
		}
	}
}

// hexLines joins the lines of hex in an example; the others begin with spaces.
func hexLines(t *testing.T, block string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(block) {
		if !strings.HasPrefix(line, " ") {
			digits.WriteString(strings.TrimSpace(line))
		}
	}
	data, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// annotate shows bytes as an example: the format byte, then each element in hex,
// at most 48 bytes a line, with its diagnostic notation below.
func annotate(data []byte) string {
	lines := []string{fmt.Sprintf("%02x", data[0]), "    format"}
	for pos := 1; pos < len(data); {
		end, _ := skip(data, pos)
		for rest := data[pos:end]; len(rest) > 0; {
			n := min(48, len(rest))
			lines = append(lines, hex.EncodeToString(rest[:n]))
			rest = rest[n:]
		}
		var b strings.Builder
		diagnose(&b, data, pos)
		lines = append(lines, "    "+b.String())
		pos = end
	}
	return strings.Join(lines, "\n")
}

// diagnose writes an element in the diagnostic notation that CBOR uses: JSON,
// and h'…' for bytes.
func diagnose(b *strings.Builder, data []byte, pos int) int {
	t, pos, _ := readToken(data, pos)
	list := func(brackets string, separators ...string) int {
		b.WriteByte(brackets[0])
		for i := range t.size {
			if i > 0 {
				b.WriteString(separators[(i-1)%len(separators)])
			}
			pos = diagnose(b, data, pos)
		}
		b.WriteByte(brackets[1])
		return pos
	}
	switch t.kind {
	case tokenNil:
		b.WriteString("null")
	case tokenBool:
		fmt.Fprint(b, t.number == 1)
	case tokenInt:
		fmt.Fprint(b, t.number)
	case tokenFloat:
		fmt.Fprint(b, t.float)
	case tokenString:
		fmt.Fprintf(b, "%q", data[pos:pos+t.size])
		pos += t.size
	case tokenBytes:
		fmt.Fprintf(b, "h'%x'", data[pos:pos+t.size])
		pos += t.size
	case tokenArray:
		return list("[]", ", ")
	case tokenMap:
		return list("{}", ": ", ", ")
	}
	return pos
}
