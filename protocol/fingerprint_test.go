package protocol

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFingerprint: the shapes of everything that travels or is stored, and the
// numbers that both sides must share, do not change unnoticed. Whoever changes
// them decides whether Version must change too, and then runs with -update.
func TestFingerprint(t *testing.T) {
	var b strings.Builder
	seen := map[reflect.Type]bool{}
	for number := FrameHello; number <= FrameCompressed; number++ {
		fmt.Fprintf(&b, "frame %d %s client=%v\n", number, number, frames[number].fromClient)
		describe(&b, seen, reflect.TypeOf(frames[number].make()).Elem())
	}
	for _, x := range []any{Mutation{}, Commit{}, RecordState{}, Error{}, PeerMessage{}, PeerCommit{}, PeerHead{}, PeerPresence{}, PeerPresenceAsk{}, PeerPushes{}} {
		describe(&b, seen, reflect.TypeOf(x))
	}
	kinds := []OpKind{}
	for kind := range opParts {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		fmt.Fprintf(&b, "op %d parts=%d\n", kind, opParts[kind])
	}
	for _, v := range codeVectors() {
		code, _ := v.Input.(Code).Close()
		fmt.Fprintf(&b, "code %s %d %s\n", v.Input, code, code.Action())
	}
	fmt.Fprintln(&b, Format, Version, Subprotocol, MaxDepth, MaxValueDepth, MaxInteger, MaxNameBytes, MaxNames, MaxWas, MaxInlineConflict, MaxOps, MaxTokenBytes, MaxMessageText, MaxElements, MaxRecent)
	// Layouts are not in the types: the encodings of the samples stand for them.
	for _, s := range sampleFrames() {
		fmt.Fprintf(&b, "%s %x\n", s.name, EncodeMessage(s.frames...))
	}
	fmt.Fprintf(&b, "mutation %x\n", AppendMutation(nil, wholeMutation))
	for _, s := range sampleCommits() {
		fmt.Fprintf(&b, "commit %x\n", EncodeCommit(s.commit, NewNameTable(s.names...)))
	}
	for _, s := range samplePeers() {
		fmt.Fprintf(&b, "%s %x\n", s.name, EncodePeer(s.message))
	}

	sum := sha256.Sum256([]byte(b.String()))
	got := hex.EncodeToString(sum[:8])
	if *update && got != Fingerprint {
		source, err := os.ReadFile("limits.go")
		if err != nil {
			t.Fatal(err)
		}
		pinned := regexp.MustCompile(`Fingerprint = "[0-9a-f]*"`)
		if !pinned.Match(source) {
			t.Fatal("limits.go does not hold the fingerprint")
		}
		source = pinned.ReplaceAll(source, []byte(`Fingerprint = "`+got+`"`))
		if err := os.WriteFile("limits.go", source, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != Fingerprint {
		t.Errorf("the fingerprint of the shapes is %s, and %s is pinned beside Version %d.\n"+
			"Could a peer of the pinned version still read what is sent now? If not, raise Version. Then run with -update.", got, Fingerprint, Version)
	}
}

// describe writes a struct's fields with their types, and those of the structs
// within it.
func describe(b *strings.Builder, seen map[reflect.Type]bool, shape reflect.Type) {
	if seen[shape] {
		return
	}
	seen[shape] = true
	switch shape.Kind() {
	case reflect.Slice, reflect.Array, reflect.Pointer:
		describe(b, seen, shape.Elem())
	case reflect.Struct:
		fmt.Fprintf(b, "%s {", shape.Name())
		for i := range shape.NumField() {
			fmt.Fprintf(b, " %s %s;", shape.Field(i).Name, shape.Field(i).Type)
		}
		b.WriteString(" }\n")
		for i := range shape.NumField() {
			describe(b, seen, shape.Field(i).Type)
		}
	}
}
