package merge

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidegate/tidegate/protocol"
)

// planned is an op that was checked as far as it can be without looking at a
// record.
type planned struct {
	op  *protocol.Op
	key Key
	// rule is the rule of the op's field, for the kinds that name one.
	rule *Field
	// fields are those of OpCreate (leaves of the schema), OpSet and OpUnset.
	fields []plannedField
	// refused is set if the op cannot take effect, whatever the record is.
	refused *protocol.OpVerdict
}

type plannedField struct {
	path  string
	rule  *Field
	value protocol.Value
	was   protocol.Value
}

// wanted is a value that an op wants somewhere.
type wanted struct {
	field   string
	element string
	value   protocol.Value
	was     protocol.Value
}

// name is the field that messages about the op name; "" is the record.
func (p *planned) name() string {
	if p.op.Field == "" && len(p.fields) > 0 && p.op.Kind != protocol.OpCreate {
		return p.fields[0].path
	}
	return p.op.Field
}

func (p *planned) policy() protocol.Policy {
	switch {
	case p.rule != nil:
		return p.rule.Policy
	case len(p.fields) > 0:
		return p.fields[0].rule.Policy
	}
	return protocol.PolicyLWW
}

// values are what the op wants, for the conflict that keeps it if it loses.
// Absent values are removals.
func (p *planned) values() []wanted {
	op := p.op
	switch op.Kind {
	case protocol.OpSet, protocol.OpUnset:
		values := make([]wanted, len(p.fields))
		for i, f := range p.fields {
			values[i] = wanted{field: f.path, value: f.value, was: f.was}
		}
		return values
	case protocol.OpAdd, protocol.OpMax, protocol.OpMin, protocol.OpSetAdd:
		return []wanted{{field: op.Field, value: op.Value}}
	case protocol.OpSetRemove:
		return []wanted{{field: op.Field, was: op.Value}}
	case protocol.OpListInsert:
		return []wanted{{field: op.Field, element: op.Element, value: op.Value}}
	case protocol.OpListMove:
		return []wanted{{field: op.Field, element: op.Element, value: protocol.StringValue(op.Position)}}
	case protocol.OpListSet:
		return []wanted{{field: op.Field, element: op.Element, value: op.Value, was: op.Was}}
	case protocol.OpListRemove:
		return []wanted{{field: op.Field, element: op.Element}}
	}
	return nil
}

// plan checks what can be checked without the records. refused is set if the
// mutation as a whole cannot be taken.
func (b *Batch) plan(m *protocol.Mutation) (plan []planned, refused *protocol.OpVerdict) {
	if why := b.tooManyOps(m); why != nil {
		return nil, why
	}
	for i := range m.Preconditions {
		p := &m.Preconditions[i]
		if p.Collection == protocol.ConflictCollection && protocol.CheckName(protocol.NameRecord, p.ID) == nil {
			continue // an open conflict can be required to be as it was seen
		}
		if why := b.checkKey(p.Collection, p.ID); why != nil {
			return nil, why
		}
	}
	plan = make([]planned, len(m.Ops))
	for i := range m.Ops {
		op := &m.Ops[i]
		p := planner{c: b.schema.Collection(op.Collection), planned: &plan[i]}
		plan[i].op = op
		plan[i].key = Key{op.Collection, op.ID}
		if why := b.checkTarget(op); why != nil {
			return nil, why
		}
		if p.op(op); p.whole != nil {
			return nil, p.whole
		}
	}
	return plan, nil
}

func refusal(code protocol.RejectCode, field, format string, args ...any) *protocol.OpVerdict {
	why := reject(code, field, format, args...)
	return &why
}

func (b *Batch) tooManyOps(m *protocol.Mutation) *protocol.OpVerdict {
	switch {
	case len(m.Ops) == 0:
		return refusal(protocol.RejectMalformed, "", "the mutation has no op")
	case len(m.Ops) > protocol.MaxOps:
		return refusal(protocol.RejectTooLarge, "", "the mutation has %d ops; at most %d are allowed", len(m.Ops), protocol.MaxOps)
	}
	size := 0
	for i := range m.Ops {
		op := &m.Ops[i]
		size += len(op.Collection) + len(op.ID) + len(op.Field) + op.Value.Size() + op.Was.Size() + len(op.Element) + len(op.Position)
		for j := range op.Fields {
			size += len(op.Fields[j].Field) + op.Fields[j].Value.Size() + op.Fields[j].Was.Size()
		}
	}
	if size > b.limits.MutationBytes {
		return refusal(protocol.RejectTooLarge, "", "the mutation has %d bytes; at most %d are allowed", size, b.limits.MutationBytes)
	}
	return nil
}

// checkTarget checks the names of the record that an op is about.
func (b *Batch) checkTarget(op *protocol.Op) *protocol.OpVerdict {
	if op.Kind == protocol.OpResolve {
		if op.Collection != protocol.ConflictCollection {
			return refusal(protocol.RejectName, "", "only records of %q can be resolved, not of %q", protocol.ConflictCollection, op.Collection)
		}
		return checkName(protocol.NameRecord, op.ID)
	}
	return b.checkKey(op.Collection, op.ID)
}

func (b *Batch) checkKey(collection, id string) *protocol.OpVerdict {
	if why := checkName(protocol.NameCollection, collection); why != nil {
		return why
	}
	if b.schema != nil && !b.schema.open && b.schema.Collection(collection) == nil {
		return refusal(protocol.RejectName, "", "there is no schema for the collection %q", collection)
	}
	return checkName(protocol.NameRecord, id)
}

func checkName(kind protocol.NameKind, s string) *protocol.OpVerdict {
	err := protocol.CheckName(kind, s)
	if err == nil {
		return nil
	}
	refused := protocol.AsError(err)
	return refusal(protocol.RejectName, refused.Field, "the %s", refused.Message)
}

// planner plans one op.
type planner struct {
	c *Collection
	*planned
	// whole is set if the mutation as a whole is refused.
	whole *protocol.OpVerdict
}

// refuse rejects the op, refuseAll the mutation; the first reason stands.
func (p *planner) refuse(code protocol.RejectCode, field, format string, args ...any) {
	if p.refused == nil {
		p.refused = refusal(code, field, format, args...)
	}
}

func (p *planner) refuseAll(why *protocol.OpVerdict) {
	if p.whole == nil {
		p.whole = why
	}
}

func (p *planner) op(op *protocol.Op) {
	switch op.Kind {
	case protocol.OpCreate:
		for i := range op.Fields {
			p.initial(op.Fields[i].Field, op.Fields[i].Value)
		}
		p.refuseTwice()
	case protocol.OpSet:
		p.set(op.Fields)
	case protocol.OpUnset:
		p.unset(op)
	case protocol.OpDelete, protocol.OpUndelete, protocol.OpResolve:
	case protocol.OpAdd, protocol.OpMax, protocol.OpMin:
		p.arithmetic(op)
	case protocol.OpSetAdd, protocol.OpSetRemove:
		p.setOf(op)
	case protocol.OpListInsert, protocol.OpListMove, protocol.OpListSet, protocol.OpListRemove:
		p.list(op)
	default:
		p.refuseAll(refusal(protocol.RejectMalformed, "", "unknown kind of op %d", op.Kind))
	}
}

// find looks a field up; nil if the op or the mutation is refused.
func (p *planner) find(path string) *Field {
	if why := checkName(protocol.NameField, path); why != nil {
		p.refuseAll(why)
		return nil
	}
	rule, err := p.c.rule(path)
	switch err {
	case nil:
		return rule
	case errInterior:
		p.refuse(protocol.RejectPolicy, path, "%q %s", path, err)
	case errClosed:
		p.refuseAll(refusal(protocol.RejectSchema, path, "%q %s", path, err))
	default:
		p.refuseAll(refusal(protocol.RejectName, path, "the field %q %s", path, err))
	}
	return nil
}

// check checks a value that the field (or, for a set or a list, an element of it)
// is to have.
func (p *planner) check(rule *Field, path string, v protocol.Value) {
	s := rule.value
	if !rule.isPlain() && !rule.isNumber() {
		s = rule.items
	}
	if broken := checkValue(s, path, v); broken != nil {
		p.refuseAll(refusal(broken.code, broken.field, "%s", broken.message))
	}
}

// element checks a value that becomes an element.
func (p *planner) element(rule *Field, path string, v protocol.Value) {
	if _, err := protocol.ArrayValue(v); err != nil {
		p.refuseAll(refusal(protocol.RejectMalformed, path, "%q: the element is nested too deep", path))
		return
	}
	p.check(rule, path, v)
}

// initial plans a field of a record to create: what a declared object holds
// becomes fields of its own.
func (p *planner) initial(path string, v protocol.Value) {
	if v.IsAbsent() || p.whole != nil {
		return
	}
	if p.c != nil {
		if _, ok := p.c.interior[path]; ok && path != "" {
			entries, isMap := v.Map()
			if !isMap {
				p.refuseAll(refusal(protocol.RejectSchema, path, "%q must be an object", path))
			}
			for _, entry := range entries {
				if why := checkName(protocol.NameProperty, entry.Key); why != nil {
					p.refuseAll(why)
					return
				}
				p.initial(path+"."+entry.Key, entry.Value)
			}
			return
		}
	}
	rule := p.find(path)
	if rule == nil {
		return
	}
	switch {
	case rule.isPlain():
		p.check(rule, path, v)
	case rule.isNumber():
		p.number(rule, path, v)
		p.check(rule, path, v)
	default:
		elements, ok := v.Array()
		if !ok {
			p.refuseAll(refusal(protocol.RejectSchema, path, "%q must be an array", path))
		}
		for _, element := range elements {
			p.element(rule, path, element)
		}
	}
	p.fields = append(p.fields, plannedField{path: path, rule: rule, value: v})
}

// refuseTwice sorts the fields and refuses one that is given twice.
func (p *planner) refuseTwice() {
	slices.SortStableFunc(p.fields, func(a, b plannedField) int { return strings.Compare(a.path, b.path) })
	for i := 1; i < len(p.fields); i++ {
		if p.fields[i].path == p.fields[i-1].path {
			p.refuseAll(refusal(protocol.RejectMalformed, p.fields[i].path, "%q is given twice", p.fields[i].path))
		}
	}
}

// set plans a set of one field or of a group's.
func (p *planner) set(fields []protocol.FieldValue) {
	if len(fields) == 0 {
		p.refuseAll(refusal(protocol.RejectMalformed, "", "the set names no field"))
		return
	}
	for i := range fields {
		f := &fields[i]
		rule := p.find(f.Field)
		if rule == nil {
			continue
		}
		if !rule.isPlain() {
			p.refuse(protocol.RejectPolicy, f.Field, "%s", rule.instead(f.Field))
		} else if !f.Value.IsAbsent() {
			p.check(rule, f.Field, f.Value)
		}
		p.fields = append(p.fields, plannedField{f.Field, rule, f.Value, f.Was})
	}
	p.refuseTwice()
	if p.refused != nil || p.whole != nil {
		return
	}
	first := p.fields[0]
	if len(p.fields) > 1 && first.rule.members == nil {
		p.refuse(protocol.RejectGroup, first.path, "%q and %q do not belong to one group: set each by itself", first.path, p.fields[1].path)
		return
	}
	p.wholeGroup(first.rule)
}

// wholeGroup refuses a set that does not carry exactly its group.
func (p *planner) wholeGroup(rule *Field) {
	if rule.members == nil {
		return
	}
	var lack []string
	for _, member := range rule.members {
		if !slices.ContainsFunc(p.fields, func(f plannedField) bool { return f.path == member.Path }) {
			lack = append(lack, strconv.Quote(member.Path))
		}
	}
	if len(lack) > 0 {
		p.refuse(protocol.RejectGroup, rule.Path, "%q belongs together with %s: set them at once", rule.Path, strings.Join(lack, ", "))
		return
	}
	for _, f := range p.fields {
		if f.rule.Group != rule.Group {
			p.refuse(protocol.RejectGroup, f.path, "%q does not belong to the group of %q: set it by itself", f.path, rule.Path)
			return
		}
	}
}

func (p *planner) unset(op *protocol.Op) {
	rule := p.find(op.Field)
	if rule == nil {
		return
	}
	p.fields = []plannedField{{path: op.Field, rule: rule, was: op.Was}}
	switch {
	case !rule.isPlain():
		p.refuse(protocol.RejectPolicy, op.Field, "%s", rule.instead(op.Field))
	default:
		p.wholeGroup(rule)
	}
}

func (p *planner) arithmetic(op *protocol.Op) {
	p.rule = p.find(op.Field)
	if p.rule == nil {
		return
	}
	want := map[protocol.OpKind]protocol.Policy{
		protocol.OpAdd: protocol.PolicyCounter, protocol.OpMax: protocol.PolicyMax, protocol.OpMin: protocol.PolicyMin,
	}[op.Kind]
	if p.rule.Policy != want {
		p.refuse(protocol.RejectPolicy, op.Field, "%s", p.rule.instead(op.Field))
		return
	}
	p.number(p.rule, op.Field, op.Value)
	if op.Kind != protocol.OpAdd {
		p.check(p.rule, op.Field, op.Value)
	}
}

func (p *planner) number(rule *Field, path string, v protocol.Value) {
	if v.Kind() != protocol.KindNumber {
		p.refuseAll(refusal(protocol.RejectSchema, path, "%q is a %s: it takes numbers only", path, rule.Policy))
	}
}

func (p *planner) setOf(op *protocol.Op) {
	p.rule = p.find(op.Field)
	if p.rule == nil {
		return
	}
	switch {
	case p.rule.Policy != protocol.PolicySet:
		p.refuse(protocol.RejectPolicy, op.Field, "%s", p.rule.instead(op.Field))
	case op.Value.IsAbsent():
		p.refuseAll(refusal(protocol.RejectMalformed, op.Field, "%q: the op has no element", op.Field))
	case op.Kind == protocol.OpSetAdd:
		p.element(p.rule, op.Field, op.Value)
	}
}

func (p *planner) list(op *protocol.Op) {
	p.rule = p.find(op.Field)
	if p.rule == nil {
		return
	}
	if p.rule.Policy != protocol.PolicyList {
		p.refuse(protocol.RejectPolicy, op.Field, "%s", p.rule.instead(op.Field))
		return
	}
	if why := checkName(protocol.NameElement, op.Element); why != nil {
		p.refuseAll(why)
		return
	}
	if op.Kind == protocol.OpListInsert || op.Kind == protocol.OpListMove {
		if len(op.Position) > protocol.MaxNameBytes || !ValidPosition(op.Position) {
			p.refuseAll(refusal(protocol.RejectMalformed, op.Field, "%q: %q is not a position", op.Field, clip(op.Position)))
			return
		}
	}
	if op.Kind == protocol.OpListInsert || op.Kind == protocol.OpListSet {
		if op.Value.IsAbsent() {
			p.refuseAll(refusal(protocol.RejectMalformed, op.Field, "%q: the element has no value", op.Field))
			return
		}
		p.element(p.rule, op.Field, op.Value)
	}
}

// clip shortens a peer's text for a message.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// instead says which ops a field takes.
func (f *Field) instead(path string) string {
	ops := "set it"
	switch f.Policy {
	case protocol.PolicyCounter:
		ops = "add to it"
	case protocol.PolicyMax:
		ops = "raise it (max)"
	case protocol.PolicyMin:
		ops = "lower it (min)"
	case protocol.PolicySet:
		ops = "add or remove elements"
	case protocol.PolicyList:
		ops = "insert, move, set or remove elements"
	}
	return strconv.Quote(path) + " is merged as " + string(f.Policy) + ": " + ops
}

// quoted quotes a name, or gives the words for none.
func quoted(name, none string) string {
	if name == "" {
		return none
	}
	return strconv.Quote(name)
}
