package merge

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tidegate/tidegate/protocol"
)

// Schema is the schema set of a deployment: for each collection, what its
// records look like and what becomes of concurrent edits. It is immutable and
// safe for concurrent use. A nil *Schema is no schema: any collection, any
// field, everything lww; its version is 0.
type Schema struct {
	ref         protocol.SchemaRef
	collections []*Collection // in byte order of their names
	// open leaves the collections free that the schema does not have.
	open bool
}

// Collection is one collection's part of a schema.
type Collection struct {
	Name        string
	Description string
	// Delete says what a delete and a concurrent update do to each other:
	// PolicyDeleteWins, PolicyUpdateWins or PolicyAsk.
	Delete protocol.Policy

	fields   []*Field // declared leaves, in byte order of their paths
	interior map[string]*object
	groups   map[string][]*Field // members in byte order of their paths
	checks   []check
	compiled *jsonschema.Schema
}

// Field is a declared field, a leaf of a collection's schema, or the rule for
// one that is not declared.
type Field struct {
	// Path is the field's path: the names of the properties, joined with dots.
	Path        string
	Description string
	// Types are the JSON types the schema allows; empty for any.
	Types  []string
	Policy protocol.Policy
	// Group is the field's x-merge-group, if it has one.
	Group string

	ask *expression
	// value is what each value of the field must satisfy; for a set or a list,
	// items is what each element must.
	value *jsonschema.Schema
	items *jsonschema.Schema
	// members are the fields of the group, this one too; nil without a group.
	members []*Field
}

// object is a declared object whose properties are fields of their own.
type object struct {
	compiled *jsonschema.Schema
}

// check is one x-check: a rule that a whole record must keep.
type check struct {
	rule    *expression
	message string
	field   string
}

// DefaultVersion is the version of a schema set that does not state one.
const DefaultVersion = 1

// maxSchemaFile bounds one file of a schema set, in bytes.
const maxSchemaFile = 1 << 20

// LoadSchema reads the schema set in a directory: one <collection>.json for each
// collection, and perhaps schema.json with {"version": N}. Other files are left
// alone. The error joins a *SchemaError for each thing that is wrong.
func LoadSchema(dir string) (*Schema, error) {
	files, err := ReadSchemaFiles(dir)
	if err != nil {
		return nil, err
	}
	return ParseSchema(files)
}

// ReadSchemaFiles reads the files of a schema set, by name, as ParseSchema takes
// them.
func ReadSchemaFiles(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("schema directory: %w", err)
	}
	files := map[string][]byte{}
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() || filepath.Ext(name) != ".json" {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("schema: %w", err)
		}
		files[name] = data
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("schema directory %s: no <collection>.json in it", dir)
	}
	return files, nil
}

// Ref names the schema in commits. Two schemas with the same Ref are the same.
func (s *Schema) Ref() protocol.SchemaRef {
	if s == nil {
		return protocol.SchemaRef{}
	}
	return s.ref
}

// Collections returns the collections in byte order of their names.
func (s *Schema) Collections() []*Collection {
	if s == nil {
		return nil
	}
	return slices.Clone(s.collections)
}

// Collection returns a collection's part; nil if the schema has none of the
// name.
func (s *Schema) Collection(name string) *Collection {
	if s == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(s.collections, name, func(c *Collection, name string) int { return strings.Compare(c.Name, name) })
	if !ok {
		return nil
	}
	return s.collections[i]
}

// Fields returns the declared fields in byte order of their paths.
func (c *Collection) Fields() []*Field {
	if c == nil {
		return nil
	}
	return slices.Clone(c.fields)
}

// Field returns the declared field of that path; nil if there is none.
func (c *Collection) Field(path string) *Field {
	if c == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(c.fields, path, func(f *Field, path string) int { return strings.Compare(f.Path, path) })
	if !ok {
		return nil
	}
	return c.fields[i]
}

// undeclared is the rule for every field that no schema declares.
var undeclared = &Field{Policy: protocol.PolicyLWW}

// Errors of rule.
var (
	errInterior = errors.New("is made of several fields: set them one by one")
	errClosed   = errors.New("is no field of this collection")
	errDotted   = errors.New(`contains ".", which only joins the fields of declared objects`)
)

// rule returns what holds for the field of that path, whose name is valid.
func (c *Collection) rule(path string) (*Field, error) {
	if f := c.Field(path); f != nil {
		return f, nil
	}
	parent, name := "", path
	if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
		parent, name = path[:dot], path[dot+1:]
	}
	if c == nil {
		if parent != "" {
			return nil, errDotted
		}
		return undeclared, nil
	}
	if _, ok := c.interior[path]; ok {
		return nil, errInterior
	}
	inside, ok := c.interior[parent]
	if !ok {
		return nil, errDotted
	}
	if inside.closedTo(name) {
		return nil, errClosed
	}
	return undeclared, nil
}

// closedTo says whether the object's schema forbids a property that it does not
// declare.
func (o *object) closedTo(name string) bool {
	if o.compiled == nil {
		return false
	}
	if allowed, ok := o.compiled.AdditionalProperties.(bool); !ok || allowed {
		return false
	}
	for pattern := range o.compiled.PatternProperties {
		if pattern.MatchString(name) {
			return false
		}
	}
	return true
}

// CompleteGroup returns the fields that a set must carry: those given, and for
// each that belongs to an x-merge-group the group's other members, with the
// values that rec has now (an absent value removes the member). Members that are
// added carry the same value as Was. The order is that of the given fields, then
// of paths.
func (s *Schema) CompleteGroup(collection string, fields []protocol.FieldValue, rec *Record) []protocol.FieldValue {
	c := s.Collection(collection)
	if c == nil {
		return fields
	}
	complete := slices.Clone(fields)
	has := func(path string) bool {
		return slices.ContainsFunc(complete, func(f protocol.FieldValue) bool { return f.Field == path })
	}
	for i := range fields {
		f := c.Field(fields[i].Field)
		if f == nil {
			continue
		}
		for _, member := range f.members {
			if has(member.Path) {
				continue
			}
			v := rec.Value(member.Path)
			was := v
			if was.Size() > protocol.MaxWas {
				was = protocol.Value{}
			}
			complete = append(complete, protocol.FieldValue{Field: member.Path, Value: v, Was: was})
		}
	}
	return complete
}

// isPlain says whether the field holds one value that sets replace.
func (f *Field) isPlain() bool {
	switch f.Policy {
	case protocol.PolicyLWW, protocol.PolicyFirst, protocol.PolicyStrict, protocol.PolicyAsk:
		return true
	}
	return false
}

// isNumber says whether the field is a number that ops do arithmetic on.
func (f *Field) isNumber() bool {
	switch f.Policy {
	case protocol.PolicyCounter, protocol.PolicyMax, protocol.PolicyMin:
		return true
	}
	return false
}

// fingerprint names the contents of a schema set: each file's name and canonical
// JSON, each with its length before it, in byte order of the names.
func fingerprint(names []string, canonical map[string][]byte) (print [8]byte) {
	hash := sha256.New()
	var length [8]byte
	for _, name := range names {
		for _, part := range [][]byte{[]byte(name), canonical[name]} {
			binary.BigEndian.PutUint64(length[:], uint64(len(part)))
			hash.Write(length[:])
			hash.Write(part)
		}
	}
	copy(print[:], hash.Sum(nil))
	return print
}
