package merge

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

// schemaVectors say what a schema refuses, for clients that check edits before
// they enter the queue. go test ./merge -run TestSchemaVectors -update writes them.
type schemaVectors struct {
	// Values are tried against each of Keywords: set as the field "f" of a record.
	Values   []json.RawMessage `json:"values"`
	Keywords []keywordVector   `json:"keywords"`
	// Sets are the schema sets of Cases, by name.
	Sets  map[string]map[string]json.RawMessage `json:"sets"`
	Cases []schemaCase                          `json:"cases"`
}

// keywordVector is a property's schema and what becomes of the values.
type keywordVector struct {
	Schema json.RawMessage `json:"schema"`
	// Refused is by the index of the value.
	Refused map[int]schemaRefusal `json:"refused"`
}

// schemaCase is a mutation of one device, against a space in which it did Before.
type schemaCase struct {
	Name   string `json:"name"`
	Set    string `json:"set"`
	Before string `json:"before,omitempty"` // a mutation's body, in hexadecimal
	Body   string `json:"body"`
	// Refused is what became of the first op that was rejected, or of the whole
	// mutation; absent if nothing was.
	Refused *schemaRefusal `json:"refused,omitempty"`
	// Gateway is set if only a gateway can tell.
	Gateway bool `json:"gateway,omitempty"`
}

type schemaRefusal struct {
	Code    protocol.RejectCode `json:"code"`
	Field   string              `json:"field"`
	Message string              `json:"message"`
}

var keywordValues = []string{
	`null`, `true`, `false`, `0`, `1`, `-1`, `2.5`, `3`, `10`, `0.3`, `9007199254740992`, `""`, `"a"`, `"abc"`, `"ABC"`, `"äöü"`, `"😀😀"`, `"a b"`,
	`"a\nb"`, `"12"`, `"2026-02-28"`, `"2026-02-30"`, `"2026-1-1"`, `"2024-02-29T23:59:59Z"`, `"2026-02-28T24:00:00Z"`, `"2026-02-28t09:30:00.5+01:00"`,
	`"09:30:00Z"`, `"09:30"`, `"ada@example.com"`, `"ada@"`, `"ada lovelace@example.com"`, `"01935f21-4d0b-7e66-a2f3-0c1d2e3f4a5b"`, `"01935f21"`,
	`"https://example.com/a?b#c"`, `"example.com"`, `"//example.com"`,
	`[]`, `[1]`, `[1,2,3]`, `[1,1]`, `["a","b"]`, `["a",1]`, `[[1],[1]]`, `[{"a":1},{"a":1}]`,
	`{}`, `{"a":1}`, `{"a":"x"}`, `{"a":1,"b":2}`, `{"b":true,"c":null}`, `{"x-1":"s"}`, `{"kind":"n","value":1}`, `{"kind":"n","value":"1"}`, `{"kind":"s","value":"1"}`,
}

var keywordSchemas = []string{
	`{}`, `true`, `false`,
	`{"type":"string"}`, `{"type":"integer"}`, `{"type":"number"}`, `{"type":"boolean"}`, `{"type":"null"}`, `{"type":"array"}`, `{"type":"object"}`,
	`{"type":["string","null"]}`, `{"type":["object","integer","array"]}`,
	`{"enum":["a","abc",3,null,{"a":1},[1]]}`, `{"const":"a"}`, `{"const":2.5}`, `{"const":[1,1]}`,
	`{"minimum":1}`, `{"maximum":2.5}`, `{"exclusiveMinimum":1}`, `{"exclusiveMaximum":3}`, `{"multipleOf":3}`, `{"multipleOf":0.1}`, `{"multipleOf":0.5}`,
	`{"minLength":2}`, `{"maxLength":2}`, `{"pattern":"^[a-z]+$"}`, `{"pattern":"b"}`, `{"pattern":"^\\d+$"}`, `{"pattern":"^\\S+$"}`, `{"pattern":"^.+$"}`, `{"pattern":"(?i)^abc$"}`, `{"pattern":"\\pL"}`,
	`{"format":"date"}`, `{"format":"date-time"}`, `{"format":"time"}`, `{"format":"email"}`, `{"format":"uuid"}`, `{"format":"uri"}`, `{"format":"hostname"}`, `{"format":"no-such-format"}`,
	`{"minItems":2}`, `{"maxItems":1}`, `{"uniqueItems":true}`, `{"items":{"type":"integer"}}`, `{"items":false}`, `{"prefixItems":[{"type":"string"}],"items":{"type":"integer"}}`,
	`{"contains":{"const":1}}`, `{"contains":{"const":1},"minContains":2}`, `{"contains":{"const":1},"maxContains":1}`, `{"contains":{"const":"q"},"minContains":0}`,
	`{"required":["a"]}`, `{"type":"object","required":["a","b"]}`, `{"additionalProperties":false}`, `{"patternProperties":{"^x-":{"type":"integer"}},"additionalProperties":{"type":"boolean"}}`,
	`{"propertyNames":{"maxLength":1}}`, `{"minProperties":1}`, `{"maxProperties":1}`, `{"dependentRequired":{"b":["a","d"]}}`, `{"dependentSchemas":{"b":{"required":["c"]}}}`,
	`{"type":"object","x-merge":"lww","properties":{"a":{"type":"integer"},"b":false}}`,
	`{"allOf":[{"type":"string"},{"minLength":2}]}`, `{"anyOf":[{"type":"integer"},{"type":"string","maxLength":1}]}`, `{"oneOf":[{"type":"number"},{"minimum":3}]}`, `{"oneOf":[{"type":"string"},{"minLength":2}]}`,
	`{"not":{"type":"string"}}`, `{"not":{"format":"date"}}`, `{"not":{"pattern":"^\\S+$"}}`, `{"not":{"unevaluatedProperties":false}}`, `{"not":{}}`,
	`{"if":{"type":"object","properties":{"kind":{"const":"n"}},"required":["kind"]},"then":{"properties":{"value":{"type":"number"}}},"else":{"not":{"required":["value"]}}}`,
	`{"$ref":"#/$defs/short"}`, `{"$ref":"#/$defs/short","minLength":1}`, `{"$ref":"other.json#/$defs/long"}`, `{"$ref":"#/$defs/loop","x-merge":"lww"}`, `{"$ref":"#anchored"}`,
	`{"unevaluatedProperties":false}`, `{"properties":{"a":true},"x-merge":"lww","unevaluatedProperties":false}`, `{"contentEncoding":"base64"}`,
}

const keywordDefs = `"$defs":{"short":{"type":"string","maxLength":2},"loop":{"type":"object","properties":{"a":{"$ref":"#/$defs/loop"}}},"anchored":{"$anchor":"anchored","type":"integer"}}`

const keywordOther = `{"$defs":{"long":{"minLength":3}}}`

// setWith is the schema set that a keyword is tried in.
func setWith(property string) map[string]json.RawMessage {
	return map[string]json.RawMessage{
		"things": json.RawMessage(`{"type":"object","properties":{"f":` + property + `},` + keywordDefs + `}`),
		"other":  json.RawMessage(keywordOther),
	}
}

// policySet is the schema set of most cases.
const policySet = `{
	"type": "object",
	"required": ["title"],
	"additionalProperties": false,
	"patternProperties": {"^extra-[a-z]+$": {"type": "integer"}},
	"properties": {
		"title": {"type": "string", "minLength": 1, "maxLength": 10},
		"first": {"x-merge": "first"},
		"strict": {"type": "integer", "x-merge": "strict"},
		"ask": {"type": "string", "x-merge": "ask", "enum": ["ada", "ben"]},
		"votes": {"type": "integer", "minimum": 0, "x-merge": "counter"},
		"top": {"type": "number", "maximum": 100, "x-merge": "max"},
		"low": {"type": "number", "x-merge": "min"},
		"labels": {"type": "array", "maxItems": 2, "items": {"type": "string", "minLength": 1}, "x-merge": "set"},
		"steps": {"$ref": "#/$defs/steps", "x-merge": "list"},
		"start": {"type": "integer", "x-merge-group": "times"},
		"end": {"type": "integer", "x-merge-group": "times"},
		"blob": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "x-merge": "lww"},
		"place": {
			"type": "object",
			"required": ["room"],
			"properties": {
				"room": {"type": "string"},
				"floor": {"type": "integer", "x-merge": "first"},
				"doors": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "x-merge": "set"}
			}
		}
	},
	"dependentRequired": {"top": ["low"]},
	"x-check": [{"rule": "record.start < record.end", "message": "it must end after it starts", "field": "end"}],
	"$defs": {"steps": {"type": "array", "items": {"$ref": "#/$defs/step"}}, "step": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}}
}`

// schemaCases are the mutations: ops before, and ops.
func schemaCases() []struct {
	name    string
	before  []protocol.Op
	ops     []protocol.Op
	gateway bool
} {
	type ops = []protocol.Op
	good := create("title", "a")
	long := strings.Repeat("x", 11)
	step := map[string]any{"text": "boil"}
	list := []struct {
		name    string
		before  []protocol.Op
		ops     []protocol.Op
		gateway bool
	}{
		{"create", nil, ops{good}, false},
		{"create everything", nil, ops{create("title", "a", "first", true, "strict", 1, "ask", "ada", "votes", 3, "top", 100, "low", -1, "labels", []any{"x", "y"}, "steps", []any{step},
			"start", 1, "end", 2, "blob", map[string]any{"a": 1}, "place", map[string]any{"room": "r", "floor": 2, "doors": []any{1}})}, false},
		{"create without a required field", nil, ops{create("votes", 1)}, false},
		{"create in a collection without a schema", nil, ops{on("nothings", "r1", protocol.Op{Kind: protocol.OpCreate})}, false},
		{"create with a field that there is not", nil, ops{create("title", "a", "titel", "b")}, false},
		{"create with a field that a pattern allows", nil, ops{create("title", "a", "extra-x", 1)}, false},
		{"create with a field that a pattern judges", nil, ops{create("title", "a", "extra-x", "1")}, false},
		{"create with a value of the wrong type", nil, ops{create("title", 1)}, false},
		{"create with too long a value", nil, ops{create("title", long)}, false},
		{"create with a counter that is no number", nil, ops{create("title", "a", "votes", "3")}, false},
		{"create with a counter below its minimum", nil, ops{create("title", "a", "votes", -3)}, false},
		{"create with a set that is no array", nil, ops{create("title", "a", "labels", "x")}, false},
		{"create with an element of the wrong type", nil, ops{create("title", "a", "labels", []any{"x", 1})}, false},
		{"create with too many elements", nil, ops{create("title", "a", "labels", []any{"x", "y", "z"})}, false},
		{"create with a step that is no step", nil, ops{create("title", "a", "steps", []any{step, map[string]any{}})}, false},
		{"create with an object that is none", nil, ops{create("title", "a", "place", "here")}, false},
		{"create with an object that lacks a field", nil, ops{create("title", "a", "place", map[string]any{"floor": 1, "doors": []any{1}})}, false},
		{"create with an object whose set is empty", nil, ops{create("title", "a", "place", map[string]any{"room": "r"})}, false},
		{"create with a wrong field of an object", nil, ops{create("title", "a", "place", map[string]any{"room": 1})}, false},
		{"create with a dotted field", nil, ops{create("title", "a", "place.room", "r", "place.doors", []any{1})}, false},
		{"create with a field inside a field", nil, ops{create("title", "a", "title.sub", "r")}, false},
		{"create with what depends", nil, ops{create("title", "a", "top", 1)}, false},
		{"create with all that depends", nil, ops{create("title", "a", "top", 1, "low", 1)}, false},
		{"create that a rule refuses", nil, ops{create("title", "a", "start", 2, "end", 1)}, true},

		{"set", ops{good}, ops{set("title", "b")}, false},
		{"set to nothing", ops{good}, ops{set("title", "")}, false},
		{"set to too much", ops{good}, ops{set("title", long)}, false},
		{"set to another type", ops{good}, ops{set("strict", 1.5)}, false},
		{"set to what is not in a list of values", ops{good}, ops{set("ask", "cid")}, false},
		{"set of an opaque object", ops{good}, ops{set("blob", map[string]any{"a": 1, "b": 2})}, false},
		{"set of an opaque object that is wrong inside", ops{good}, ops{set("blob", map[string]any{"a": "1"})}, false},
		{"set inside an opaque object", ops{good}, ops{set("blob.a", 1)}, false},
		{"set of an object of fields", ops{good}, ops{set("place", map[string]any{"room": "r"})}, false},
		{"set of a field of an object", ops{create("title", "a", "place.room", "r", "place.doors", []any{1})}, ops{set("place.floor", 2)}, false},
		{"set of a field of an object that then lacks another", ops{good}, ops{set("place.floor", 2)}, false},
		{"set of a property that its object does not declare", ops{create("title", "a", "place.room", "r", "place.doors", []any{1})}, ops{set("place.view", "sea")}, false},
		{"set of a field that there is not", ops{good}, ops{set("titel", "b")}, false},
		{"set of a field that a pattern allows", ops{good}, ops{set("extra-y", 2)}, false},
		{"set of a field that a pattern judges", ops{good}, ops{set("extra-y", "2")}, false},
		{"set of bytes where a string may be", ops{good}, ops{set("title", []byte{1, 2, 3})}, false},
		{"set of bytes that are too long as base64", ops{good}, ops{set("title", []byte("0123456789"))}, false},
		{"set of bytes where a number must be", ops{good}, ops{set("strict", []byte{1})}, false},
		{"set of a counter", ops{good}, ops{set("votes", 1)}, false},
		{"set of a max", ops{good}, ops{set("top", 1)}, false},
		{"set of a set", ops{good}, ops{set("labels", []any{"x"})}, false},
		{"set of a list", ops{good}, ops{set("steps", []any{})}, false},
		{"set of a group", ops{good}, ops{set("start", 1, "end", 2)}, false},
		{"set of half a group", ops{good}, ops{set("start", 1)}, false},
		{"set of a group that removes a member", ops{good}, ops{set("start", 1, "end", nil)}, false},
		{"set of a group and a stranger", ops{good}, ops{set("start", 1, "end", 2, "title", "b")}, false},
		{"set of two fields that are no group", ops{good}, ops{set("title", "b", "strict", 2)}, false},
		{"set of a group that a rule refuses", ops{good}, ops{set("start", 3, "end", 2)}, true},
		{"unset", ops{create("title", "a", "strict", 1)}, ops{unset("strict")}, false},
		{"unset of what is required", ops{good}, ops{unset("title")}, false},
		{"unset of half a group", ops{create("title", "a", "start", 1, "end", 2)}, ops{unset("start")}, false},
		{"unset of a counter", ops{good}, ops{unset("votes")}, false},
		{"unset of what others depend on", ops{create("title", "a", "top", 1, "low", 1)}, ops{unset("place")}, false},

		{"add", ops{good}, ops{fieldOp(protocol.OpAdd, "votes", 2)}, false},
		{"add what breaks the minimum", ops{good}, ops{fieldOp(protocol.OpAdd, "votes", -1)}, false},
		{"add half", ops{good}, ops{fieldOp(protocol.OpAdd, "votes", 0.5)}, false},
		{"add a string", ops{good}, ops{fieldOp(protocol.OpAdd, "votes", "1")}, false},
		{"add to a title", ops{good}, ops{fieldOp(protocol.OpAdd, "title", 1)}, false},
		{"max", ops{create("title", "a", "top", 1, "low", 1)}, ops{fieldOp(protocol.OpMax, "top", 3)}, false},
		{"max above the maximum", ops{create("title", "a", "top", 1, "low", 1)}, ops{fieldOp(protocol.OpMax, "top", 101)}, false},
		{"max of a min", ops{good}, ops{fieldOp(protocol.OpMax, "low", 1)}, false},
		{"max of a string", ops{good}, ops{fieldOp(protocol.OpMax, "top", "x")}, false},
		{"min", ops{good}, ops{fieldOp(protocol.OpMin, "low", -5)}, false},
		{"set add", ops{good}, ops{fieldOp(protocol.OpSetAdd, "labels", "x")}, false},
		{"set add of an empty label", ops{good}, ops{fieldOp(protocol.OpSetAdd, "labels", "")}, false},
		{"set add of one too many", ops{create("title", "a", "labels", []any{"x", "y"})}, ops{fieldOp(protocol.OpSetAdd, "labels", "z")}, false},
		{"set add of one that is there", ops{create("title", "a", "labels", []any{"x", "y"})}, ops{fieldOp(protocol.OpSetAdd, "labels", "y")}, false},
		{"set remove of anything", ops{good}, ops{fieldOp(protocol.OpSetRemove, "labels", 7)}, false},
		{"set remove of the last door", ops{create("title", "a", "place.room", "r", "place.doors", []any{1})}, ops{fieldOp(protocol.OpSetRemove, "place.doors", 1)}, false},
		{"set add to a list", ops{good}, ops{fieldOp(protocol.OpSetAdd, "steps", step)}, false},
		{"insert", ops{good}, ops{insert("steps", "e1", Between("", ""), step)}, false},
		{"insert of no step", ops{good}, ops{insert("steps", "e1", Between("", ""), "boil")}, false},
		{"insert into a set", ops{good}, ops{insert("labels", "e1", Between("", ""), "x")}, false},
		{"list set of no step", ops{create("title", "a", "steps", []any{step})}, ops{listOp(protocol.OpListSet, "steps", elementID(0), "", map[string]any{"text": 1})}, false},
		{"list move", ops{create("title", "a", "steps", []any{step, step})}, ops{listOp(protocol.OpListMove, "steps", elementID(0), Between("", ""), nil)}, false},
		{"list remove from a title", ops{good}, ops{listOp(protocol.OpListRemove, "title", "e1", "", nil)}, false},
		{"delete", ops{good}, ops{recordOp(protocol.OpDelete)}, false},
		{"delete and undelete", ops{good}, ops{recordOp(protocol.OpDelete), recordOp(protocol.OpUndelete)}, false},

		{"the second op is wrong", ops{good}, ops{set("title", "b"), set("strict", "x")}, false},
		{"one op mends what another broke", ops{good}, ops{set("place.floor", 1), set("place.room", "r"), fieldOp(protocol.OpSetAdd, "place.doors", 1)}, false},
	}
	return list
}

// refusalOf returns the first refusal of a verdict, nil if there is none.
func refusalOf(v protocol.Verdict) *schemaRefusal {
	if v.Code != "" {
		return &schemaRefusal{v.Code, v.Field, v.Message}
	}
	for _, op := range v.Ops {
		if op.Code != "" {
			return &schemaRefusal{op.Code, op.Field, op.Message}
		}
	}
	return nil
}

func schemaFromSet(t *testing.T, set map[string]json.RawMessage) *Schema {
	t.Helper()
	files := map[string][]byte{}
	for name, doc := range set {
		files[name+".json"] = doc
	}
	s, err := ParseSchema(files)
	if err != nil {
		t.Fatalf("%s: %v", set["things"], err)
	}
	return s
}

func TestSchemaVectors(t *testing.T) {
	vectors := schemaVectors{Sets: map[string]map[string]json.RawMessage{"policies": {"things": json.RawMessage(policySet)}}}
	for _, v := range keywordValues {
		vectors.Values = append(vectors.Values, json.RawMessage(v))
	}
	for _, property := range keywordSchemas {
		schema := schemaFromSet(t, setWith(property))
		vector := keywordVector{Schema: json.RawMessage(property), Refused: map[int]schemaRefusal{}}
		for i, text := range keywordValues {
			var x any
			if err := json.Unmarshal([]byte(text), &x); err != nil {
				t.Fatal(err)
			}
			v, err := protocol.ValueOf(x)
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t, schema)
			w.must('A', 0, 1, create())
			op := on("things", "r1", protocol.Op{Kind: protocol.OpSet, Fields: []protocol.FieldValue{{Field: "f", Value: v}}})
			if refused := refusalOf(w.one('A', 1, 2, op).Verdict); refused != nil {
				vector.Refused[i] = *refused
			}
		}
		vectors.Keywords = append(vectors.Keywords, vector)
	}
	policies := schemaFromSet(t, vectors.Sets["policies"])
	for _, test := range schemaCases() {
		w := newWorld(t, policies)
		c := schemaCase{Name: test.name, Set: "policies", Gateway: test.gateway}
		if test.before != nil {
			w.must('A', 0, 1, test.before...)
			c.Before = bodyOf(test.before)
		}
		c.Body = bodyOf(test.ops)
		c.Refused = refusalOf(w.one('A', w.head(), 2, test.ops...).Verdict)
		vectors.Cases = append(vectors.Cases, c)
	}

	got, err := json.Marshal(vectors)
	if err != nil {
		t.Fatal(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, got, "", " "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	path := filepath.Join("testdata", "vectors", "schema.json")
	if *rewrite {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, pretty.Bytes()) {
		t.Errorf("%s is not what the schema refuses now; -update rewrites it", path)
	}
}

func bodyOf(ops []protocol.Op) string {
	return hex.EncodeToString(protocol.AppendMutation(nil, &protocol.Mutation{Ops: ops}))
}
