package merge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tidegate/tidegate/protocol"
)

// The keywords that Tidegate adds to JSON Schema.
const (
	keyMerge  = "x-merge"
	keyGroup  = "x-merge-group"
	keyAsk    = "x-merge-ask"
	keyDelete = "x-merge-delete"
	keyCheck  = "x-check"
)

const (
	onRecord   = keyDelete + ", " + keyAsk + ", " + keyCheck + " on the record"
	onProperty = keyMerge + ", " + keyGroup + ", " + keyAsk + " on a property"
)

var policies = []protocol.Policy{
	protocol.PolicyLWW, protocol.PolicyFirst, protocol.PolicyStrict, protocol.PolicyAsk,
	protocol.PolicyCounter, protocol.PolicyMax, protocol.PolicyMin, protocol.PolicySet, protocol.PolicyList,
}

var deletePolicies = []protocol.Policy{protocol.PolicyDeleteWins, protocol.PolicyUpdateWins, protocol.PolicyAsk}

// versionFile is the file of a schema set that holds its version.
const versionFile = "schema.json"

// schemaBase is the URL under which the files of a set refer to one another.
const schemaBase = "tidegate:///"

// ParseSchema reads a schema set from the contents of its files, by name. The
// error joins a *SchemaError for each thing that is wrong.
func ParseSchema(files map[string][]byte) (*Schema, error) {
	p := &problems{}
	s := &Schema{ref: protocol.SchemaRef{Version: DefaultVersion}}
	names := slices.Sorted(maps.Keys(files))
	docs := map[string]any{}
	canonical := map[string][]byte{}
	for _, name := range names {
		if doc, ok := readSchemaFile(p, name, files[name]); ok {
			docs[name] = doc
			canonical[name], _ = json.Marshal(doc)
		}
	}
	if doc, ok := docs[versionFile]; ok {
		s.ref.Version = schemaVersion(p, doc)
	}
	compiler := newCompiler(docs)
	for _, name := range names {
		if doc, ok := docs[name]; ok && name != versionFile {
			if c := parseCollection(p, compiler, name, doc); c != nil {
				s.collections = append(s.collections, c)
			}
		}
	}
	if !p.none() {
		return nil, p.err()
	}
	slices.SortFunc(s.collections, func(a, b *Collection) int { return strings.Compare(a.Name, b.Name) })
	s.ref.Fingerprint = fingerprint(names, canonical)
	return s, nil
}

// ParseOpenSchema reads rules for some collections of a deployment that has no
// schema, as a demonstration brings them along: other collections stay free, as
// without a schema, and Ref is that of no schema, so that such rules bind neither
// the log nor the schema that its owner writes later.
func ParseOpenSchema(files map[string][]byte) (*Schema, error) {
	s, err := ParseSchema(files)
	if err != nil {
		return nil, err
	}
	s.ref, s.open = protocol.SchemaRef{}, true
	return s, nil
}

// readSchemaFile decodes one file and refuses what would cost more to compile
// than it has bytes.
func readSchemaFile(p *problems, name string, data []byte) (any, bool) {
	before := len(p.list)
	collection, isJSON := strings.CutSuffix(name, ".json")
	if !isJSON {
		p.add(name, "", "<collection>.json", "the file's name does not end in .json")
	} else if err := protocol.CheckName(protocol.NameCollection, collection); err != nil {
		p.add(name, "", "", "the file's name is no collection's: %s", protocol.AsError(err).Message)
	}
	if len(data) > maxSchemaFile {
		p.add(name, "", fmt.Sprintf("at most %d bytes", maxSchemaFile), "the file has %d bytes", len(data))
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var doc any
	if err := decoder.Decode(&doc); err != nil {
		p.add(name, "", "", "not JSON: %s", jsonProblem(err, data))
		return nil, false
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		p.add(name, "", "one JSON object", "something follows the JSON object")
	}
	if _, ok := doc.(map[string]any); !ok {
		p.add(name, "", "a JSON object", "the file is not a JSON object")
		return nil, false
	}
	checkNodes(p, name, "", doc, protocol.MaxDepth)
	return doc, len(p.list) == before
}

// jsonProblem adds the line to a decoder's error.
func jsonProblem(err error, data []byte) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err.Error()
	}
	line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
	return fmt.Sprintf("line %d: %s", line, err)
}

// checkNodes refuses numbers that nobody could hold, before anything makes
// exact fractions of them, and nesting without end.
func checkNodes(p *problems, file, path string, node any, depth int) {
	if depth == 0 {
		p.add(file, path, fmt.Sprintf("%d levels", protocol.MaxDepth), "nested too deep")
		return
	}
	switch node := node.(type) {
	case json.Number:
		f, err := node.Float64()
		if err != nil || len(node) > 64 || f != 0 && math.Abs(f) < 1e-130 {
			p.add(file, path, "a double in the range of DynamoDB's numbers", "a number out of range")
		}
	case []any:
		for i, child := range node {
			checkNodes(p, file, path+"/"+strconv.Itoa(i), child, depth-1)
		}
	case map[string]any:
		for key, child := range node {
			checkNodes(p, file, pointer(path, key), child, depth-1)
		}
	}
}

// schemaVersion reads schema.json.
func schemaVersion(p *problems, doc any) uint32 {
	const allowed = `{"version": N}, N from 1 to 4294967295`
	object := doc.(map[string]any)
	for key := range object {
		if key != "version" {
			p.add(versionFile, pointer("", key), allowed, "unknown key %q", key)
		}
	}
	number, _ := object["version"].(json.Number)
	version, err := strconv.ParseUint(string(number), 10, 32)
	if err != nil || version == 0 {
		p.add(versionFile, "/version", allowed, "the version is no whole number")
		return 0
	}
	return uint32(version)
}

// noLoader keeps the compiler to the files of the set: a schema must not make a
// gateway read other files, or the network.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("only the files of the schema set can be referred to")
}

func newCompiler(docs map[string]any) *jsonschema.Compiler {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	compiler.UseLoader(noLoader{})
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		if name != versionFile {
			// An error (a $id used twice) comes back when the file is compiled.
			_ = compiler.AddResource(schemaBase+url.PathEscape(name), docs[name])
		}
	}
	return compiler
}

// pointer appends a token to a JSON pointer.
func pointer(path, token string) string {
	return path + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
}
