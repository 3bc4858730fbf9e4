package merge

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

var rewrite = flag.Bool("update", false, "rewrite the golden files")

// What is wrong is said with file, place and what would be right.
func TestSchemaErrors(t *testing.T) {
	cases := []struct {
		name string
		file string // "things.json" if empty
		text string
		want []string // in the one line of the error
	}{
		{"unknown policy", "", `{"properties": {"a": {"x-merge": "lastwins"}}}`,
			[]string{"things.json at /properties/a/x-merge:", `unknown policy "lastwins"`, "allowed: lww, first, strict, ask, counter, max, min, set, list"}},
		{"counter of strings", "", `{"properties": {"a": {"type": "string", "x-merge": "counter"}}}`,
			[]string{"/properties/a/x-merge:", "counter does not fit \"a\", which is string", `type "number" or "integer"`}},
		{"counter of anything", "", `{"properties": {"a": {"x-merge": "max"}}}`, []string{"max does not fit", "which is anything"}},
		{"counter or null", "", `{"properties": {"a": {"type": ["integer", "null"], "x-merge": "counter"}}}`, []string{"which is integer or null"}},
		{"set of a string", "", `{"properties": {"a": {"type": "string", "x-merge": "set"}}}`, []string{"set does not fit", `type "array"`}},
		{"list of a number", "", `{"properties": {"a": {"properties": {"b": {"type": "number", "x-merge": "list"}}, "type": "object"}}}`,
			[]string{"/properties/a/properties/b/x-merge:", `list does not fit "a.b"`}},
		{"policy that is no string", "", `{"properties": {"a": {"x-merge": 7}}}`, []string{"/properties/a/x-merge:", "not a string"}},
		{"lonely group", "", `{"properties": {"a": {"x-merge-group": "g"}}}`, []string{`group "g" has only the member "a"`}},
		{"group of two minds", "", `{"properties": {"a": {"x-merge-group": "g"}, "b": {"x-merge": "first", "x-merge-group": "g"}}}`,
			[]string{`"a" is lww, but "b" is first`}},
		{"counter in a group", "", `{"properties": {"a": {"type": "number", "x-merge": "counter", "x-merge-group": "g"}}}`,
			[]string{"/properties/a/x-merge-group:", "a counter field cannot be in a group"}},
		{"unknown keyword", "", `{"properties": {"a": {"x-merge-groop": "g"}}}`, []string{"/properties/a/x-merge-groop:", "unknown keyword", "x-merge-group"}},
		{"keyword on items", "", `{"properties": {"a": {"type": "array", "items": {"x-merge": "lww"}}}}`, []string{"/properties/a/items/x-merge:", "means nothing here"}},
		{"keyword on the record", "", `{"x-merge": "lww"}`, []string{"at /x-merge:", "means nothing here"}},
		{"group on an object of fields", "", `{"properties": {"a": {"type": "object", "properties": {"b": {}}, "x-merge-group": "g"}}}`, []string{"/properties/a/x-merge-group:", "means nothing here"}},
		{"keyword nobody refers to", "", `{"$defs": {"d": {"x-merge": "lww"}}}`, []string{"/$defs/d/x-merge:", "means nothing here"}},
		{"unknown delete policy", "", `{"x-merge-delete": "never"}`, []string{"at /x-merge-delete:", `unknown delete policy "never"`, "delete-wins, update-wins, ask"}},
		{"ask that is no CEL", "", `{"properties": {"a": {"x-merge-ask": "size(lost >"}}}`, []string{"/properties/a/x-merge-ask:", "Syntax error", "a CEL expression"}},
		{"ask of a stranger", "", `{"properties": {"a": {"x-merge-ask": "winner == 1"}}}`, []string{"undeclared reference to 'winner'"}},
		{"ask that is no bool", "", `{"properties": {"a": {"x-merge-ask": "keptTime + 1"}}}`, []string{"yields int, not bool"}},
		{"ask of a counter", "", `{"properties": {"a": {"type": "number", "x-merge": "counter", "x-merge-ask": "true"}}}`, []string{"/properties/a/x-merge-ask:", "no settled conflict"}},
		{"check that is no list", "", `{"x-check": "true"}`, []string{"at /x-check:", "not a list"}},
		{"check without a message", "", `{"x-check": [{"rule": "true"}]}`, []string{"at /x-check/0:", "needs a rule and a message"}},
		{"check with more", "", `{"x-check": [{"rule": "true", "message": "m", "level": "warn"}]}`, []string{"at /x-check/0/level:", `unknown key "level"`}},
		{"check of no field", "", `{"properties": {"a": {}}, "x-check": [{"rule": "true", "message": "m", "field": "b"}]}`, []string{"at /x-check/0/field:", `"b" is no field of things`}},
		{"check that reads no field", "", `{"properties": {"a": {}}, "x-check": [{"rule": "record.a < record.b", "message": "m"}]}`, []string{"at /x-check/0/rule:", `"b" is no field of things`}},
		{"check that is no CEL", "", `{"x-check": [{"rule": "record ~ 1", "message": "m"}]}`, []string{"at /x-check/0/rule:", "Syntax error"}},
		{"property of ours", "", `{"properties": {"_a": {}}}`, []string{"at /properties/_a:", `begins with "_"`}},
		{"property with a dot", "", `{"properties": {"a.b": {}}}`, []string{`contains "."`}},
		{"record that is no object", "", `{"type": "array"}`, []string{"at /type:", "a record is an object, not array"}},
		{"not JSON", "", "{\n\"a\": }", []string{"things.json: not JSON: line 2"}},
		{"two documents", "", `{} {}`, []string{"something follows"}},
		{"not an object", "", `[]`, []string{"not a JSON object"}},
		{"not JSON Schema", "", `{"properties": {"a": {"type": "text"}}}`, []string{"things.json", "not a JSON Schema"}},
		{"a reference into nowhere", "", `{"properties": {"a": {"$ref": "#/$defs/none"}}}`, []string{"things.json"}},
		{"a reference to a file", "", `{"properties": {"a": {"$ref": "file:///etc/passwd"}}}`, []string{"only the files of the schema set"}},
		{"a reference to the network", "", `{"properties": {"a": {"$ref": "https://example.com/a.json"}}}`, []string{"only the files of the schema set"}},
		{"a number that is none", "", `{"properties": {"a": {"minimum": 1e999999999}}}`, []string{"/properties/a/minimum:", "out of range"}},
		{"objects without end", "", `{"$ref": "#/$defs/d", "$defs": {"d": {"type": "object", "properties": {"a": {"$ref": "#/$defs/d"}}}}}`, []string{"without end"}},
		{"a bad pattern", "", `{"properties": {"a": {"pattern": "("}}}`, []string{"things.json"}},
		{"file of ours", "_things.json", `{}`, []string{"_things.json", `begins with "_"`}},
		{"version that is none", "schema.json", `{"version": -1}`, []string{"schema.json at /version:", "no whole number"}},
		{"version with more", "schema.json", `{"version": 1, "verison": 2}`, []string{"schema.json at /verison:", "unknown key"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			file := c.file
			if file == "" {
				file = "things.json"
			}
			_, err := ParseSchema(map[string][]byte{file: []byte(c.text)})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "tidegate:") {
				t.Errorf("%q shows how files are called inside", err)
			}
		})
	}
}

// All that is wrong is said at once, in order.
func TestSchemaErrorsTogether(t *testing.T) {
	_, err := ParseSchema(map[string][]byte{
		"b.json": []byte(`{"properties": {"x": {"x-merge": "odd"}, "a": {"x-merge": "even"}}}`),
		"a.json": []byte(`{"x-merge-delete": "odd"}`),
	})
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "a.json") || !strings.HasPrefix(lines[1], "b.json at /properties/a") || !strings.HasPrefix(lines[2], "b.json at /properties/x") {
		t.Errorf("%s", err)
	}
}

func TestLoadSchema(t *testing.T) {
	if _, err := LoadSchema(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a directory that is not there")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSchema(dir); err == nil || !strings.Contains(err.Error(), "no <collection>.json") {
		t.Errorf("a directory without schemas: %v", err)
	}
	s, err := LoadSchema("testdata/calendar")
	if err != nil {
		t.Fatal(err)
	}
	if s.Ref().Version != 3 || s.Collection("events") == nil || s.Collection("schema") != nil {
		t.Errorf("%+v", s.Ref())
	}
}

// The fingerprint is of what a schema says, not of how it is written down.
func TestFingerprint(t *testing.T) {
	ref := func(files ...string) [8]byte { return schemaOf(t, files...).Ref().Fingerprint }
	one := ref("a.json", `{"properties": {"x": {}, "y": {}}}`)
	if one != ref("a.json", "{\"properties\":\n{\"y\": {},   \"x\": {}}}") {
		t.Error("spaces and order count")
	}
	for _, other := range [][8]byte{
		ref("a.json", `{"properties": {"x": {"x-merge": "first"}, "y": {}}}`),
		ref("b.json", `{"properties": {"x": {}, "y": {}}}`),
		ref("a.json", `{"properties": {"x": {}, "y": {}}}`, "b.json", `{}`),
	} {
		if one == other {
			t.Error("another schema has the same fingerprint")
		}
	}
}

// Rules reach a property through $ref, and $ref'd objects are fields too.
func TestReferences(t *testing.T) {
	s := schemaOf(t, "things.json", `{
		"properties": {
			"home": {"$ref": "#/$defs/address"},
			"work": {"$ref": "#/$defs/address"},
			"views": {"$ref": "#/$defs/counter", "description": "how often"},
			"other": {"$ref": "others.json#/$defs/short"}
		},
		"$defs": {
			"address": {"type": "object", "additionalProperties": false, "properties": {"city": {"type": "string", "x-merge": "first"}}},
			"counter": {"type": "integer", "x-merge": "counter"}
		}
	}`, "others.json", `{"$defs": {"short": {"type": "string", "maxLength": 3}}}`)
	c := s.Collection("things")
	for path, policy := range map[string]string{"home.city": "first", "work.city": "first", "views": "counter", "other": "lww"} {
		if f := c.Field(path); f == nil || string(f.Policy) != policy {
			t.Errorf("%s: %+v", path, f)
		}
	}
	w := newWorld(t, s)
	w.must('a', 0, 1, create("home", map[string]any{"city": "Rome"}, "views", 1, "other", "abc"))
	for _, c := range []struct {
		field string
		value any
		code  string
	}{
		{"other", "abcd", "schema"}, {"home.city", 7, "schema"}, {"home.zip", "x", "schema"}, {"elsewhere", 1, "applied"},
	} {
		if got := outcomeOf(w.one('a', w.head(), 2, set(c.field, c.value)).Verdict); got != c.code {
			t.Errorf("%s = %v: %s, want %s", c.field, c.value, got, c.code)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, name := range []string{"calendar", "everything"} {
		s, err := LoadSchema(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := s.Explain(&got); err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", name+".explained"), got.Bytes())
	}
	var none bytes.Buffer
	if err := (*Schema)(nil).Explain(&none); err != nil || !strings.Contains(none.String(), "the later edit wins") {
		t.Errorf("%v: %s", err, &none)
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what is explained now (-update rewrites it):\n%s", path, got)
	}
}

// An expression cannot hold up a space, and what it cannot tell is asked.
func TestExpressionCost(t *testing.T) {
	w := newWorld(t, schemaOf(t, "things.json", `{"properties": {
		"list": {"type": "array"},
		"odd": {"x-merge-ask": "lost.all(x, lost.all(y, lost.all(z, x != y || y != z || true)))"}
	}, "x-check": [{"rule": "record.list.all(x, record.list.all(y, record.list.all(z, x != y || y != z || true)))", "message": "too much", "field": "list"}]}`))
	long := make([]any, 500)
	for i := range long {
		long[i] = i
	}
	w.must('a', 0, 1, create())
	if v := w.one('a', 1, 2, set("list", long)).Verdict; v.Message != "too much" {
		t.Errorf("%+v", v)
	}
	w.must('a', 2, 3, set("odd", 1))
	if v := w.one('b', 2, 4, set("odd", long)).Verdict; outcomeOf(v) != "conflict" {
		t.Errorf("%+v", v)
	}
}

// Whatever a schema holds, reading it ends, and costs in proportion.
func FuzzParseSchema(f *testing.F) {
	for _, file := range []string{"testdata/everything/things.json", "testdata/calendar/events.json"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, []byte(`{"version": 2}`))
	}
	f.Add([]byte(`{"$ref": "#/$defs/d", "$defs": {"d": {"type": "object", "properties": {"a": {"$ref": "#/$defs/d"}}}}}`), []byte(`{}`))
	f.Add([]byte(`{"properties": {"a": {"minimum": 1e999999999}}}`), []byte(`{"version": 99999999999}`))
	f.Fuzz(func(t *testing.T, data, version []byte) {
		if len(data) > 4<<10 {
			return // CEL and regular expressions cost what they cost; a schema is the operator's
		}
		var s *Schema
		var err error
		// Objects that refer to one another can make many fields of few bytes, but not
		// without end.
		if used := allocated(func() {
			s, err = ParseSchema(map[string][]byte{"things.json": data, "schema.json": version})
		}); used > 64<<20 {
			t.Fatalf("%d bytes of schema cost %d bytes", len(data), used)
		}
		if err != nil {
			return
		}
		for _, c := range s.Collections() {
			for _, field := range c.Fields() {
				if got, err := c.rule(field.Path); err != nil || got != field {
					t.Fatalf("%q: %v", field.Path, err)
				}
			}
		}
		if err := s.Explain(new(bytes.Buffer)); err != nil {
			t.Fatal(err)
		}
		rec := newRecordForTest()
		for _, c := range s.Collections() {
			c.breaches(rec)
		}
	})
}

func newRecordForTest() *Record {
	w := newWorld(&testing.T{}, nil)
	w.must('a', 0, 1, create("title", "t", "a", 1, "b", []any{"x"}))
	return w.records[things1]
}

// Rules without a schema hold for their own collections alone, and bind nobody:
// the log says that there was no schema.
func TestOpenSchema(t *testing.T) {
	files := map[string][]byte{"cards.json": []byte(`{"properties": {"votes": {"type": "integer", "x-merge": "counter"}}}`)}
	open, err := ParseOpenSchema(files)
	if err != nil {
		t.Fatal(err)
	}
	var none *Schema
	if open.Ref() != none.Ref() {
		t.Errorf("the rules call themselves %+v", open.Ref())
	}
	w := newWorld(t, open)
	w.must('a', 0, 0, on("cards", "c", create("votes", 1)), on("notes", "n", create("text", "free")))
	if v := w.one('a', 1, 0, on("cards", "c", set("votes", 5))).Verdict; v.Outcome != protocol.Rejected {
		t.Errorf("setting a counter is %v", v)
	}
	if _, err := ParseOpenSchema(map[string][]byte{"cards.json": []byte(`{"x-merge": 1}`)}); err == nil {
		t.Error("rules with an error were taken")
	}

	closed, err := ParseSchema(files)
	if err != nil {
		t.Fatal(err)
	}
	w = newWorld(t, closed)
	if v := w.one('a', 0, 0, on("notes", "n", create("text", "free"))).Verdict; v.Code != protocol.RejectName {
		t.Errorf("a schema takes another collection: %v", v)
	}
}
