package protocol

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// The shared vectors: what a client in another language must agree on. They are
// made from the samples with
//
//	go test ./protocol -run 'TestVectors|TestSpec|TestFingerprint' -update
//
// and are files, not code, so that a change of the wire shows as a change of
// theirs. testdata/vectors/README.md describes them.

var update = flag.Bool("update", false, "rewrite golden files")

// vector is one case.
type vector struct {
	Comment string `json:"comment"`
	Given   any    `json:"given,omitempty"`
	Input   any    `json:"input"`
	Want    any    `json:"want"`
}

// vectorFile is a file of them. Count is how many there are: a runner that has
// run fewer has skipped some.
type vectorFile struct {
	Comment string   `json:"comment"`
	Count   int      `json:"count"`
	Vectors []vector `json:"vectors"`
}

// object is a JSON object.
type object = map[string]any

// plainJSON brings x into the form in which JSON is read back.
func plainJSON(t testing.TB, x any) any {
	t.Helper()
	data, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

// TestVectors compares each file with what this package does now, and runs it
// as another language would: from the file alone.
func TestVectors(t *testing.T) {
	for _, kind := range []struct {
		file    string
		comment string
		vectors func() []vector
		// run returns what the package does with the given and the input.
		run func(t testing.TB, given, input any) any
	}{
		{"values.json", "Values: from any encoding to the canonical one, or a refusal by name.", valueVectors, runValue},
		{"frames.json", "Messages: bytes to frames and back to the same bytes.", frameVectors, runMessage},
		{"pages.json", "Deliveries with a name table: given the names of the space before the message.", pageVectors, runMessage},
		{"mutations.json", "Mutation bodies: bytes to a mutation and back to the same bytes.", mutationVectors, runMutation},
		{"hashchain.json", "The running hash of a device: the hash after each body.", hashVectors, runHash},
		{"commits.json", "Log entries: given the names before, the stored bytes give a commit and its deliveries.", commitVectors, runCommit},
		{"errors.json", "What each decoder refuses, with which code.", errorVectors, runError},
		{"codes.json", "Codes that end a connection: the close code, and what a client does.", codeVectors, runCode},
		{"names.json", "Which names are allowed.", nameVectors, runName},
	} {
		t.Run(kind.file, func(t *testing.T) {
			path := filepath.Join("testdata", "vectors", kind.file)
			if *update {
				list := kind.vectors()
				for i := range list {
					list[i].Want = kind.run(t, plainJSON(t, list[i].Given), plainJSON(t, list[i].Input))
				}
				var buf bytes.Buffer
				encoder := json.NewEncoder(&buf)
				encoder.SetEscapeHTML(false)
				encoder.SetIndent("", " ")
				if err := encoder.Encode(vectorFile{kind.comment, len(list), list}); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var file vectorFile
			if err := json.Unmarshal(data, &file); err != nil {
				t.Fatal(err)
			}
			if file.Count != len(file.Vectors) || file.Count != len(kind.vectors()) {
				t.Fatalf("the file says %d vectors and has %d; the samples make %d", file.Count, len(file.Vectors), len(kind.vectors()))
			}
			for _, v := range file.Vectors {
				if got := plainJSON(t, kind.run(t, v.Given, v.Input)); !reflect.DeepEqual(got, v.Want) {
					t.Errorf("%s:\n got %v\nwant %v", v.Comment, got, v.Want)
				}
			}
		})
	}
}

// valueVectors: input is hex.
func valueVectors() []vector {
	deep := func(levels int) string { return strings.Repeat("91", levels) + "c0" }
	return []vector{
		{Comment: "null", Input: "c0"},
		{Comment: "false", Input: "c2"},
		{Comment: "true", Input: "c3"},
		{Comment: "zero", Input: "00"},
		{Comment: "greatest fixint", Input: "7f"},
		{Comment: "uint8", Input: "cc80"},
		{Comment: "uint16", Input: "cd0100"},
		{Comment: "uint32", Input: "ce00010000"},
		{Comment: "uint64", Input: "cf0000000100000000"},
		{Comment: "2^53", Input: "cf0020000000000000"},
		{Comment: "2^53 + 1 is out of range", Input: "cf0020000000000001"},
		{Comment: "2^64 − 1 is out of range", Input: "cfffffffffffffffff"},
		{Comment: "−2^53", Input: "d3ffe0000000000000"},
		{Comment: "−2^53 − 1 is out of range", Input: "d3ffdfffffffffffff"},
		{Comment: "−1", Input: "ff"},
		{Comment: "−33", Input: "d0df"},
		{Comment: "1 in two bytes", Input: "cc01"},
		{Comment: "1 in nine bytes, signed", Input: "d30000000000000001"},
		{Comment: "−1 in five bytes", Input: "d2ffffffff"},
		{Comment: "1.5", Input: "cb3ff8000000000000"},
		{Comment: "1.5 as a float32", Input: "ca3fc00000"},
		{Comment: "0.1 as a float32 is another number", Input: "ca3dcccccd"},
		{Comment: "an integer as a double", Input: "cb4000000000000000"},
		{Comment: "−0", Input: "cb8000000000000000"},
		{Comment: "−0 as a float32", Input: "ca80000000"},
		{Comment: "2^53 as a double", Input: "cb4340000000000000"},
		{Comment: "2^53 + 2 as a double is out of range", Input: "cb4340000000000001"},
		{Comment: "1e300 is out of range", Input: "cb7e37e43c8800759c"},
		{Comment: "1e-130 is the smallest", Input: "cb24f1bebdf578b2f4"},
		{Comment: "just below 1e-130", Input: "cb24f1bebdf578b2f3"},
		{Comment: "the smallest double", Input: "cb0000000000000001"},
		{Comment: "infinity", Input: "cb7ff0000000000000"},
		{Comment: "−infinity as a float32", Input: "caff800000"},
		{Comment: "NaN", Input: "cb7ff8000000000000"},
		{Comment: "the empty string", Input: "a0"},
		{Comment: "a string", Input: "a3e697a5"},
		{Comment: "a string beyond the first plane", Input: "a4f09f9982"},
		{Comment: "a short string in a long form", Input: "d90161"},
		{Comment: "a string of 32 bytes", Input: "d920" + strings.Repeat("61", 32)},
		{Comment: "invalid UTF-8", Input: "a2c328"},
		{Comment: "a surrogate in UTF-8", Input: "a3eda080"},
		{Comment: "bytes", Input: "c403010203"},
		{Comment: "no bytes", Input: "c400"},
		{Comment: "bytes in a long form", Input: "c50001ff"},
		{Comment: "an empty array", Input: "90"},
		{Comment: "an array", Input: "93c001a161"},
		{Comment: "an array in a long form", Input: "dc000101"},
		{Comment: "an empty map", Input: "80"},
		{Comment: "keys in order", Input: "82a16101a16202"},
		{Comment: "keys out of order", Input: "82a16202a16101"},
		{Comment: "keys out of order, nested", Input: "92cc0182a16281a17ac0a161cb3ff0000000000000"},
		{Comment: "order is by bytes, not by length", Input: "82a16201a2616102"},
		{Comment: "a map in a long form", Input: "de0001a16101"},
		{Comment: "a key twice", Input: "82a16101a16102"},
		{Comment: "a key twice, not side by side", Input: "83a16101a16202a16103"},
		{Comment: "a key twice, in two forms", Input: "83a16101a16202d9016103"},
		{Comment: "a key that is a number", Input: "810101"},
		{Comment: "a key that is bytes", Input: "81c4016101"},
		{Comment: "24 levels", Input: deep(24)},
		{Comment: "25 levels", Input: deep(25)},
		{Comment: "an extension", Input: "d40100"},
		{Comment: "a timestamp", Input: "d6ff00000000"},
		{Comment: "0xc1", Input: "c1"},
		{Comment: "nothing", Input: ""},
		{Comment: "a string that is cut off", Input: "a361"},
		{Comment: "an array that is cut off", Input: "9201"},
		{Comment: "2^32 − 1 elements", Input: "ddffffffff"},
		{Comment: "two values", Input: "0101"},
	}
}

func runValue(t testing.TB, _, input any) any {
	v, err := DecodeValue(mustHex(input.(string)))
	if err != nil {
		return object{"refused": AsError(err).Refusal}
	}
	if again, err := ValueOf(fromTagged(t, tagged(v.Any()))); err != nil || again != v {
		t.Errorf("%v (%v) was made of the JSON of %v", again, err, v)
	}
	return object{"canonical": hex.EncodeToString(v.Encoded()), "value": tagged(v.Any())}
}

// tagged shows a Go value in JSON: bytes as {"$bytes": hex}.
func tagged(x any) any {
	switch x := x.(type) {
	case []byte:
		return object{"$bytes": hex.EncodeToString(x)}
	case []any:
		list := make([]any, len(x))
		for i := range x {
			list[i] = tagged(x[i])
		}
		return list
	case map[string]any:
		entries := object{}
		for key, value := range x {
			entries[key] = tagged(value)
		}
		return entries
	}
	return x
}

func fromTagged(t testing.TB, x any) any {
	switch x := x.(type) {
	case []any:
		list := make([]any, len(x))
		for i := range x {
			list[i] = fromTagged(t, x[i])
		}
		return list
	case map[string]any:
		if text, ok := x["$bytes"].(string); ok {
			return mustHex(text)
		}
		entries := object{}
		for key, value := range x {
			entries[key] = fromTagged(t, value)
		}
		return entries
	}
	return x
}

// toJSON shows any of the package's structs: keys in lowerCamelCase, ids and
// byte strings in hex, device ids as UUIDs, absent values left out.
func toJSON(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case Value:
		return tagged(x.Any())
	case DeviceID:
		return x.String()
	case CommitID:
		return x.String()
	case Hash:
		return x.String()
	case BlobID:
		return x.String()
	case [8]byte:
		return hex.EncodeToString(x[:])
	case []byte:
		return hex.EncodeToString(x)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return toJSON(v.Elem())
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = toJSON(v.Index(i))
		}
		return list
	case reflect.Struct:
		fields := object{}
		for i := range v.NumField() {
			if value, ok := v.Field(i).Interface().(Value); ok && value.IsAbsent() {
				continue
			}
			fields[camel(v.Type().Field(i).Name)] = toJSON(v.Field(i))
		}
		return fields
	}
	return v.Interface()
}

func camel(name string) string {
	if name == "ID" {
		return "id"
	}
	runes := []rune(name)
	runes[0] = unicode.ToLower(runes[0])
	return string(runes)
}

func framesJSON(list []Frame) any {
	all := make([]any, len(list))
	for i, f := range list {
		fields := toJSON(reflect.ValueOf(f)).(object)
		if conflict, ok := fields["conflict"].(object); ok && f.Type() == FrameConflict {
			fields = conflict
		}
		fields["frame"] = f.Type().String()
		all[i] = fields
	}
	return all
}

func frameVectors() []vector {
	var list []vector
	for _, s := range sampleFrames() {
		list = append(list, vector{Comment: s.name, Input: hex.EncodeToString(EncodeMessage(s.frames...))})
	}
	return list
}

func pageVectors() []vector {
	encode := func(names []string, list ...Frame) string {
		msg := AppendFormat(nil)
		for _, f := range list {
			msg = AppendFrameNamed(msg, f, NewNameTable(names...))
		}
		return hex.EncodeToString(msg)
	}
	names := []string{"tasks", "title", "participants", "steps"}
	var page, section []Frame
	for _, s := range sampleFrames() {
		switch s.name {
		case "page":
			page = s.frames
		case "section":
			section = s.frames
		}
	}
	return []vector{
		{Comment: "a page with numbers for names", Given: object{"names": names}, Input: encode(names, page...)},
		{Comment: "a commit with numbers for names; notes is literal", Given: object{"names": names}, Input: encode(names, section...)},
		{
			Comment: "a snapshot brings the table that its pages use", Given: object{"names": []string{"something", "else"}},
			Input: encode(names, &In{Handle: 1}, &Snapshot{Names: names, Records: 2}, page[1], &SnapshotEnd{Cursor: Cursor{Seq: 57, Commit: someCommit}, Newest: 42}),
		},
		{
			Comment: "a header adds the names that its section uses", Given: object{"names": names[:1]},
			Input: encode(names[:2], &In{Handle: 1},
				&CommitHeader{Seq: 2, ID: someCommit, Time: noon, FirstName: 1, Names: names[1:2], Authors: []Author{anna}, Mutations: []MutationStamp{{Base: 1, EditTime: noon}}},
				&Section{Collection: "tasks", Deltas: []Delta{{Changes: []Change{{ID: "1", Fields: []FieldChange{{Field: "title", Value: Null}}}}}}}),
		},
		{
			Comment: "names that are known already are sent again", Given: object{"names": names},
			Input: encode(nil, &In{Handle: 1}, &CommitHeader{Seq: 2, ID: someCommit, Time: noon, FirstName: 1, Names: names[1:]}),
		},
	}
}

func runMessage(t testing.TB, given, input any) any {
	msg := mustHex(input.(string))
	if given == nil {
		list, err := DecodeMessage(msg, nil)
		if err != nil {
			t.Fatal(err)
		}
		if again := EncodeMessage(list...); !bytes.Equal(again, msg) {
			t.Errorf("%x was encoded from the frames of %x", again, msg)
		}
		return framesJSON(list)
	}
	table := NewNameTable(texts(given.(object)["names"])...)
	list, err := DecodeMessage(msg, func(Handle) *NameTable { return table })
	if err != nil {
		t.Fatal(err)
	}
	return object{"frames": framesJSON(list), "names": table.Names()}
}

func texts(x any) []string {
	var list []string
	for _, s := range x.([]any) {
		list = append(list, s.(string))
	}
	return list
}

func mutationVectors() []vector {
	list := []vector{
		{Comment: "one field is set", Input: hex.EncodeToString(AppendMutation(nil, sampleMutation))},
		{Comment: "whole, with preconditions", Input: hex.EncodeToString(AppendMutation(nil, wholeMutation))},
	}
	for i := range allOps {
		list = append(list, vector{
			Comment: "op kind " + IntValue(int64(allOps[i].Kind)).String(),
			Input:   hex.EncodeToString(AppendMutation(nil, &Mutation{Base: 1, EditTime: noon, Ops: allOps[i : i+1]})),
		})
	}
	return list
}

func runMutation(t testing.TB, _, input any) any {
	body := mustHex(input.(string))
	m, err := DecodeMutation(body)
	if err != nil {
		t.Fatal(err)
	}
	if again := AppendMutation(nil, m); !bytes.Equal(again, body) {
		t.Errorf("%x was encoded from the mutation of %x", again, body)
	}
	return toJSON(reflect.ValueOf(m))
}

func hashVectors() []vector {
	one := hex.EncodeToString(AppendMutation(nil, sampleMutation))
	two := hex.EncodeToString(AppendMutation(nil, &Mutation{Base: 42, EditTime: noon, Ops: allOps[:1]}))
	return []vector{
		{Comment: "from the beginning", Given: object{"hash": Hash{}.String()}, Input: []string{one, two}},
		{Comment: "the same bodies in the other order", Given: object{"hash": Hash{}.String()}, Input: []string{two, one}},
		{Comment: "from a hash", Given: object{"hash": Hash{}.Next([]byte("x")).String()}, Input: []string{one}},
		{Comment: "an empty body", Given: object{"hash": Hash{}.String()}, Input: []string{""}},
	}
}

func runHash(_ testing.TB, given, input any) any {
	hash := Hash(mustHex(given.(object)["hash"].(string)))
	list := []string{}
	for _, body := range texts(input) {
		hash = hash.Next(mustHex(body))
		list = append(list, hash.String())
	}
	return list
}

func commitVectors() []vector {
	var list []vector
	for _, s := range sampleCommits() {
		given := object{"names": append([]string{}, s.names...)}
		list = append(list, vector{Comment: s.comment, Given: given, Input: hex.EncodeToString(EncodeCommit(s.commit, NewNameTable(s.names...)))})
	}
	return list
}

func runCommit(t testing.TB, given, input any) any {
	data := mustHex(input.(string))
	before := texts(given.(object)["names"])
	table := NewNameTable(before...)
	c, err := DecodeCommit(data, table)
	if err != nil {
		t.Fatal(err)
	}
	if again := EncodeCommit(c, NewNameTable(before...)); !bytes.Equal(again, data) {
		t.Errorf("%x was encoded from the commit of %x", again, data)
	}
	stored, err := ParseCommit(data)
	if err != nil {
		t.Fatal(err)
	}
	wire, err := DecodeDelivery(stored.Wire, NewNameTable(before...))
	if err != nil {
		t.Fatal(err)
	}
	var notices []any
	for _, notice := range stored.Notices {
		notices = append(notices, object{"device": notice.Device.String(), "frame": hex.EncodeToString(notice.Frame)})
	}
	return object{
		"commit": toJSON(reflect.ValueOf(c)), "names": table.Names(),
		"wire": hex.EncodeToString(stored.Wire), "frames": framesJSON(wire), "notices": append([]any{}, notices...),
	}
}

func errorVectors() []vector {
	push := hex.EncodeToString(EncodeMessage(&Push{Handle: 1, First: 1, Bodies: [][]byte{{1}}}))
	section := hex.EncodeToString(EncodeMessage(sampleHeader, &Section{Collection: "tasks", Deltas: []Delta{{Changes: allChanges[2:3]}}}))
	mutation := func(m *Mutation) string { return hex.EncodeToString(AppendMutation(nil, m)) }
	one := mutation(&Mutation{Ops: []Op{{Kind: OpDelete, Collection: "c", ID: "i"}}})
	client := object{"decoder": "client message"}
	message := object{"decoder": "message"}
	body := object{"decoder": "mutation"}
	return []vector{
		{Comment: "no bytes at all", Given: client, Input: ""},
		{Comment: "no frame", Given: client, Input: "10"},
		{Comment: "format version 2", Given: client, Input: "20" + push[2:]},
		{Comment: "a must-understand bit", Given: client, Input: "11" + push[2:]},
		{Comment: "a frame that is no array", Given: client, Input: "1001"},
		{Comment: "an empty frame", Given: client, Input: "1090"},
		{Comment: "an unknown frame", Given: client, Input: "10917f"},
		{Comment: "a frame type that is a string", Given: client, Input: "1091a16c"},
		{Comment: "a frame that only a server sends", Given: client, Input: hex.EncodeToString(EncodeMessage(&In{Handle: 1}))},
		{Comment: "one element too many", Given: client, Input: "1093180003"},
		{Comment: "one element too few", Given: client, Input: "109118"},
		{Comment: "cut off", Given: client, Input: push[:len(push)-2]},
		{Comment: "something behind it", Given: client, Input: push + "c0"},
		{Comment: "handle 0", Given: client, Input: "10920500"},
		{Comment: "a handle beyond 32 bits", Given: client, Input: "109205cf0000000100000000"},
		{Comment: "a negative number", Given: client, Input: "109218ff"},
		{Comment: "a number beyond 2^53", Given: client, Input: "109218cf0020000000000001"},
		{Comment: "nil for a number", Given: client, Input: "109218c0"},
		{Comment: "a float for a number", Given: client, Input: "109218cb3ff0000000000000"},
		{Comment: "counter 0", Given: client, Input: strings.Replace(push, "060101", "060100", 1)},
		{Comment: "a push of nothing", Given: client, Input: "1095060101c410" + strings.Repeat("00", 16) + "90"},
		{Comment: "a hash of 15 bytes", Given: client, Input: "1095060101c40f" + strings.Repeat("00", 15) + "91c40101"},
		{Comment: "a token over its limit", Given: client, Input: []any{"109214da4001", []any{"78", MaxTokenBytes + 1}}},
		{Comment: "invalid UTF-8", Given: client, Input: "109214a2c328"},
		{Comment: "an extension", Given: client, Input: "109214d40100"},
		{Comment: "33 levels", Given: client, Input: "10" + strings.Repeat("91", 33) + "c0"},
		{Comment: "4 GiB declared", Given: client, Input: "109214dbffffffff"},
		{Comment: "2^32 − 1 bodies declared", Given: client, Input: "1095060101c410" + strings.Repeat("00", 16) + "ddffffffff"},
		{Comment: "too many elements", Given: client, Input: []any{"10dd00010001", []any{"00", 1<<16 + 1}}},
		{Comment: "a value outside the domain", Given: client, Input: "1093120191cb7ff8000000000000"},
		{Comment: "two values where one may be absent", Given: client, Input: "10931201920101"},
		{Comment: "a section without a commit", Given: message, Input: "10" + section[strings.Index(section, "940a"):]},
		{Comment: "a section of a mutation that the commit does not have", Given: message, Input: strings.Replace(section, "919200", "919201", 1)},
		{Comment: "a name that is not in the table", Given: message, Input: strings.Replace(section, "a57461736b73", "05", 1)},
		{Comment: "an author that is not in the directory", Given: message, Input: strings.Replace(section, "930001", "930101", 1)},
		{Comment: "a base before the beginning", Given: message, Input: strings.Replace(section, "930001", "93002b", 1)},
		{Comment: "a UUID as text", Given: body, Input: "1096000000c2909193" + "0da163d924" + hex.EncodeToString([]byte(taskID))},
		{Comment: "a mutation of another format", Given: body, Input: "20" + one[2:]},
		{Comment: "a mutation without ops", Given: body, Input: mutation(&Mutation{})},
		{Comment: "a mutation of too many ops", Given: body, Input: []any{"1096000000c290dc03e9", []any{"930da163a169", MaxOps + 1}}},
		{Comment: "something behind a mutation", Given: body, Input: one + "c0"},
		{Comment: "an unknown op", Given: body, Input: strings.Replace(one, "930d", "9310", 1)},
		{Comment: "an op with an element too many", Given: body, Input: strings.Replace(one, "930da163a169", "940da163a169c0", 1)},
		{Comment: "a value without an op", Given: body, Input: strings.Replace(one, "930da163a169", "9304a163a169", 1)},
		{Comment: "many small parts for few bytes", Given: body, Input: []any{"1096000000c290919402a163a169dd00010000", []any{"92a000", 1 << 16}}},
	}
}

// unfold returns hex that may be given in parts: strings, and [string, times].
func unfold(input any) string {
	parts, ok := input.([]any)
	if !ok {
		return input.(string)
	}
	var whole strings.Builder
	for _, part := range parts {
		if repeated, ok := part.([]any); ok {
			whole.WriteString(strings.Repeat(repeated[0].(string), int(repeated[1].(float64))))
			continue
		}
		whole.WriteString(part.(string))
	}
	return whole.String()
}

func runError(t testing.TB, given, input any) any {
	data := mustHex(unfold(input))
	var err error
	switch decoder := given.(object)["decoder"]; decoder {
	case "client message":
		_, err = DecodeClientMessage(data)
	case "message":
		_, err = DecodeMessage(data, nil)
	case "mutation":
		_, err = DecodeMutation(data)
	default:
		t.Fatalf("no decoder %q", decoder)
	}
	if err == nil {
		t.Errorf("%x was accepted", data)
		return nil
	}
	checkError(t, err)
	t.Log(err)
	return object{"code": AsError(err).Code}
}

func codeVectors() []vector {
	var list []vector
	for code := range closeCodes {
		list = append(list, vector{Comment: "ends the connection", Input: code})
	}
	slices.SortFunc(list, func(a, b vector) int { return strings.Compare(string(a.Input.(Code)), string(b.Input.(Code))) })
	for _, code := range []Code{CodeForbidden, CodeSpaceName, CodeSubscriptions, CodeUnavailable, CodeDamaged, CodeDeviceBound, CodeUnknownOutcome, CodeBase, CodeSchemaOld, CodePresence, CodeMutationLarge} {
		list = append(list, vector{Comment: "the connection goes on", Input: code})
	}
	return list
}

func runCode(_ testing.TB, _, input any) any {
	code, ends := Code(input.(string)).Close()
	if !ends {
		return object{}
	}
	return object{"close": code, "action": code.Action().String()}
}

func nameVectors() []vector {
	list := []vector{}
	for _, name := range []string{"tasks", "", "_own", "a.b", "a._b", ".a", "a.", "日付", "with space", strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("é", 128)} {
		for _, kind := range []NameKind{NameCollection, NameProperty, NameField, NameRecord, NameElement, NamePosition, "space"} {
			list = append(list, vector{Comment: "as a " + string(kind), Given: object{"kind": kind}, Input: name})
		}
	}
	return append(list, vector{Comment: "a control character", Given: object{"kind": "space"}, Input: "a\nb"})
}

func runName(_ testing.TB, given, input any) any {
	kind, name := given.(object)["kind"].(string), input.(string)
	if kind == "space" {
		return CheckSpaceName(name) == nil
	}
	return CheckName(NameKind(kind), name) == nil
}

// TestSmallestNumber: the vectors' doubles around 1e-130 are what they say.
func TestSmallestNumber(t *testing.T) {
	if bits := math.Float64bits(smallestNumber); bits != 0x24f1bebdf578b2f4 {
		t.Errorf("1e-130 is %x", bits)
	}
}
