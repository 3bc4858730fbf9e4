package merge

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tidegate/tidegate/protocol"
)

// collectionParser reads the rules of one collection from its schema.
type collectionParser struct {
	*problems
	file     string
	doc      any
	compiler *jsonschema.Compiler
	c        *Collection
	// used are the pointers of our keywords that were read; what is left over
	// stands where it means nothing.
	used map[string]bool
	// ask is the collection's x-merge-ask.
	ask *expression
}

func parseCollection(p *problems, compiler *jsonschema.Compiler, file string, doc any) *Collection {
	cp := &collectionParser{
		problems: p, file: file, doc: doc, compiler: compiler,
		c: &Collection{
			Name:     strings.TrimSuffix(file, ".json"),
			Delete:   protocol.PolicyDeleteWins,
			interior: map[string]*object{},
			groups:   map[string][]*Field{},
		},
		used: map[string]bool{},
	}
	compiled, err := cp.compile("")
	if err != nil {
		p.add(file, "", "", "%s", err)
		return nil
	}
	cp.c.compiled = compiled
	root := cp.keywords(doc, "")
	if types := root.types(); len(types) > 0 && !slices.Equal(types, []string{"object"}) {
		p.add(file, "/type", `"object"`, "a record is an object, not %s", strings.Join(types, " or "))
	}
	cp.c.Description = root.text("description", "title")
	cp.record(root)
	cp.object(root, "", 0)
	slices.SortFunc(cp.c.fields, func(a, b *Field) int { return strings.Compare(a.Path, b.Path) })
	cp.groups()
	cp.checks(root)
	cp.strays(doc, "")
	return cp.c
}

// compile compiles the part of the file at a JSON pointer.
func (p *collectionParser) compile(at string) (*jsonschema.Schema, error) {
	compiled, err := p.compiler.Compile(schemaBase + url.PathEscape(p.file) + "#" + url.PathEscape(at))
	if err == nil {
		return compiled, nil
	}
	var invalid *jsonschema.SchemaValidationError
	if errors.As(err, &invalid) {
		return nil, fmt.Errorf("not a JSON Schema: %s", firstProblem(invalid.Err))
	}
	return nil, errors.New(strings.ReplaceAll(err.Error(), schemaBase, ""))
}

// read returns our keyword's value as a string and marks it as read.
func (p *collectionParser) read(k keywords, key string) (value, at string, ok bool) {
	if !k.has(key) {
		return "", "", false
	}
	at = pointer(k.from[key], key)
	p.used[at] = true
	value, ok = k.values[key].(string)
	if !ok || value == "" {
		p.add(p.file, at, "a string", "%s is not a string", key)
		return "", at, false
	}
	return value, at, true
}

// record reads the keywords of the record itself.
func (p *collectionParser) record(root keywords) {
	if value, at, ok := p.read(root, keyDelete); ok {
		p.c.Delete = protocol.Policy(value)
		if !slices.Contains(deletePolicies, p.c.Delete) {
			p.add(p.file, at, listOf(deletePolicies), "unknown delete policy %q", value)
		}
	}
	p.ask = p.expression(root)
}

// expression reads x-merge-ask.
func (p *collectionParser) expression(k keywords) *expression {
	source, at, ok := p.read(k, keyAsk)
	if !ok {
		return nil
	}
	x, err := compile(source, askEnv)
	if err != nil {
		p.add(p.file, at, "a CEL expression that yields a bool, over base, kept, lost, keptTime, lostTime, collided and field", "%s", err)
		return nil
	}
	return x
}

// object reads the properties of a record or of an object that is merged
// property by property.
func (p *collectionParser) object(k keywords, path string, depth int) {
	compiled := p.c.compiled
	if path != "" {
		compiled, _ = p.compile(pointer(k.from["properties"], "properties")[:len(k.from["properties"])])
	}
	p.c.interior[path] = &object{compiled: compiled}
	properties, ok := k.values["properties"].(map[string]any)
	if !ok {
		return
	}
	parent := pointer(k.from["properties"], "properties")
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		at := pointer(parent, name)
		if err := protocol.CheckName(protocol.NameProperty, name); err != nil {
			p.add(p.file, at, "", "%s", protocol.AsError(err).Message)
			continue
		}
		p.property(at, properties[name], join(path, name), depth)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// property reads one property: an object whose own properties are fields, or a
// field.
func (p *collectionParser) property(at string, node any, path string, depth int) {
	k := p.keywords(node, at)
	if len(path) > protocol.MaxNameBytes {
		p.add(p.file, at, "", "the path of the field is longer than %d bytes", protocol.MaxNameBytes)
		return
	}
	if slices.Equal(k.types(), []string{"object"}) && k.has("properties") && !k.has(keyMerge) {
		if depth >= protocol.MaxDepth {
			p.add(p.file, at, "", "objects within objects without end; give one of them an x-merge")
			return
		}
		if len(p.c.interior) >= maxFields {
			p.tooMany(at)
			return
		}
		p.object(k, path, depth+1)
		return
	}
	if len(p.c.fields) >= maxFields {
		p.tooMany(at)
		return
	}
	p.field(at, k, path)
}

// maxFields bounds the declared fields of a collection: objects that refer to
// each other could make exponentially many.
const maxFields = 4096

func (p *collectionParser) tooMany(at string) {
	p.add(p.file, at, "", "more than %d fields", maxFields)
}

func (p *collectionParser) field(at string, k keywords, path string) {
	compiled, err := p.compile(at)
	if err != nil {
		p.add(p.file, at, "", "%s", err)
		return
	}
	f := &Field{
		Path:        path,
		Description: k.text("description", "title"),
		Types:       k.types(),
		Policy:      protocol.PolicyLWW,
		value:       compiled,
		ask:         p.ask,
	}
	p.c.fields = append(p.c.fields, f)
	if value, at, ok := p.read(k, keyMerge); ok {
		f.Policy = protocol.Policy(value)
		p.fits(f, at)
	}
	if f.Policy == protocol.PolicySet || f.Policy == protocol.PolicyList {
		f.items = itemsOf(compiled)
	}
	if group, at, ok := p.read(k, keyGroup); ok {
		f.Group = group
		if f.isPlain() {
			p.c.groups[group] = append(p.c.groups[group], f)
		} else {
			p.add(p.file, at, "x-merge lww, first, strict or ask", "a %s field cannot be in a group", f.Policy)
		}
	}
	lifts := f.Policy == protocol.PolicyLWW || f.Policy == protocol.PolicyFirst
	if ask := p.expression(k); ask != nil {
		f.ask = ask
		if !lifts {
			p.add(p.file, pointer(k.from[keyAsk], keyAsk), "x-merge-ask with x-merge lww or first", "a %s field has no settled conflict that could be lifted", f.Policy)
		}
	}
	if !lifts {
		f.ask = nil
	}
}

// fits checks that the field's policy is one, and fits its type.
func (p *collectionParser) fits(f *Field, at string) {
	if !slices.Contains(policies, f.Policy) {
		p.add(p.file, at, listOf(policies), "unknown policy %q", f.Policy)
		f.Policy = protocol.PolicyLWW
		return
	}
	types := strings.Join(f.Types, " or ")
	if types == "" {
		types = "anything"
	}
	only := func(allowed ...string) bool {
		return len(f.Types) == 1 && slices.Contains(allowed, f.Types[0])
	}
	switch {
	case f.isNumber() && !only("number", "integer"):
		p.add(p.file, at, `type "number" or "integer", or x-merge lww, first, strict, ask`, "%s does not fit %s, which is %s", f.Policy, strconv.Quote(f.Path), types)
	case !f.isNumber() && !f.isPlain() && !only("array"):
		p.add(p.file, at, `type "array", or x-merge lww, first, strict, ask`, "%s does not fit %s, which is %s", f.Policy, strconv.Quote(f.Path), types)
	}
}

func listOf(all []protocol.Policy) string {
	words := make([]string, len(all))
	for i, policy := range all {
		words[i] = string(policy)
	}
	return strings.Join(words, ", ")
}

// itemsOf returns what each element of an array must satisfy; nil for anything.
func itemsOf(s *jsonschema.Schema) *jsonschema.Schema {
	for range maxRefs {
		if s == nil {
			return nil
		}
		if s.Items2020 != nil && len(s.PrefixItems) == 0 {
			return s.Items2020
		}
		if items, ok := s.Items.(*jsonschema.Schema); ok {
			return items
		}
		s = s.Ref
	}
	return nil
}

// groups checks the groups and tells each field who belongs with it.
func (p *collectionParser) groups() {
	for _, name := range slices.Sorted(maps.Keys(p.c.groups)) {
		members := p.c.groups[name]
		slices.SortFunc(members, func(a, b *Field) int { return strings.Compare(a.Path, b.Path) })
		if len(members) < 2 {
			p.add(p.file, "", "the same x-merge-group on each property that belongs to it", "group %q has only the member %q", name, members[0].Path)
		}
		for _, f := range members {
			f.members = members
			if f.Policy != members[0].Policy {
				p.add(p.file, "", "one x-merge for all members", "group %q: %q is %s, but %q is %s", name, members[0].Path, members[0].Policy, f.Path, f.Policy)
			}
		}
	}
}

// checks reads x-check.
func (p *collectionParser) checks(root keywords) {
	if !root.has(keyCheck) {
		return
	}
	const allowed = `[{"rule": a CEL expression over record, "message": text, "field": path (optional)}]`
	at := pointer(root.from[keyCheck], keyCheck)
	p.used[at] = true
	list, ok := root.values[keyCheck].([]any)
	if !ok {
		p.add(p.file, at, allowed, "x-check is not a list")
		return
	}
	for i, node := range list {
		p.check(pointer(at, strconv.Itoa(i)), node, allowed)
	}
}

func (p *collectionParser) check(at string, node any, allowed string) {
	entry, _ := node.(map[string]any)
	text := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(entry)) {
		s, ok := entry[key].(string)
		switch key {
		case "rule", "message", "field":
			if !ok || s == "" {
				p.add(p.file, pointer(at, key), allowed, "%s is not a string", key)
			}
			text[key] = s
		default:
			p.add(p.file, pointer(at, key), allowed, "unknown key %q", key)
		}
	}
	if text["rule"] == "" || text["message"] == "" {
		p.add(p.file, at, allowed, "a check needs a rule and a message")
		return
	}
	if path := text["field"]; path != "" && p.c.Field(path) == nil {
		p.add(p.file, pointer(at, "field"), "a declared field", "%q is no field of %s", path, p.c.Name)
	}
	rule, err := compile(text["rule"], checkEnv)
	if err != nil {
		p.add(p.file, pointer(at, "rule"), "a CEL expression that yields a bool, over record", "%s", err)
		return
	}
	for _, path := range rule.reads {
		if !p.declares(path) {
			p.add(p.file, pointer(at, "rule"), "declared fields", "%q is no field of %s", path, p.c.Name)
		}
	}
	p.c.checks = append(p.c.checks, check{rule: rule, message: text["message"], field: text["field"]})
}

// declares says whether a path that a rule reads is a field, a part of one, or
// an object of fields.
func (p *collectionParser) declares(path string) bool {
	if _, ok := p.c.interior[path]; ok {
		return true
	}
	return p.c.fieldAbove(path) != nil
}

// fieldAbove returns the declared field that path is or lies within.
func (c *Collection) fieldAbove(path string) *Field {
	for {
		if f := c.Field(path); f != nil {
			return f
		}
		dot := strings.LastIndexByte(path, '.')
		if dot < 0 {
			return nil
		}
		path = path[:dot]
	}
}
