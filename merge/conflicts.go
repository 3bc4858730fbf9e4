package merge

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/tidegate/tidegate/protocol"
)

// The fields of an open conflict's record.
const (
	conflictCollection = "collection"
	conflictRecord     = "id"
	conflictField      = "field"
	conflictPolicy     = "policy"
	conflictBase       = "base"
	conflictKept       = "kept"
	conflictKeptBlob   = "keptBlob"
	conflictKeptBy     = "keptBy"
	conflictKeptTime   = "keptTime"
	conflictLost       = "lost"
	conflictLostBlob   = "lostBlob"
	conflictLostBy     = "lostBy"
	conflictLostTime   = "lostTime"
	conflictOthers     = "others"
)

// Further lost values are kept in the conflict's record while they are few: the
// log keeps all of them.
const (
	maxOthers      = 64
	maxOthersBytes = 64 << 10
)

// ConflictID is the id of the record, in the collection "_conflicts", that holds
// the open conflict about a field; an empty field asks whether the record is to
// be deleted. It is the first 16 bytes of the SHA-256 of collection, id and
// field, each with its length before it as a uvarint, in hexadecimal.
func ConflictID(key Key, field string) string {
	var data []byte
	for _, part := range []string{key.Collection, key.ID, field} {
		data = appendString(data, part)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// ConflictTarget returns what an open conflict, a record of "_conflicts", is
// about. An empty field asks whether the record is to be deleted.
func ConflictTarget(conflict *Record) (key Key, field string, ok bool) {
	if !conflict.Alive() || conflict.key.Collection != protocol.ConflictCollection {
		return Key{}, "", false
	}
	var okCollection, okID, okField bool
	key.Collection, okCollection = conflict.Value(conflictCollection).Text()
	key.ID, okID = conflict.Value(conflictRecord).Text()
	field, okField = conflict.Value(conflictField).Text()
	return key, field, okCollection && okID && okField
}

// question is the committed side of an open conflict.
type question struct {
	stamp stamp
	value protocol.Value
}

// open opens a conflict about a field (or about the record's deletion), or adds
// to the one that is open. The committed value stays.
func (t *turn) open(key Key, field string, policy protocol.Policy, base protocol.Value, kept question, lost protocol.Value) {
	fact := protocol.Conflict{
		Seq: t.b.seq, Collection: key.Collection, ID: key.ID, Field: field,
		Policy: policy, Open: true, Base: base,
		Kept: t.side(kept.stamp, kept.value), Lost: t.mine(lost),
	}
	t.conflicts = append(t.conflicts, fact)
	conflict := Key{protocol.ConflictCollection, ConflictID(key, field)}
	if rec := t.get(conflict); rec.Alive() {
		t.fields(conflict, protocol.FieldChange{Field: conflictOthers, Kind: protocol.FieldPut, Value: t.addOther(rec, fact.Lost, lost)})
		return
	}
	create := protocol.Change{Collection: conflict.Collection, ID: conflict.ID, Kind: protocol.ChangeCreate}
	put := func(name string, v protocol.Value) {
		if !v.IsAbsent() {
			create.Fields = append(create.Fields, protocol.FieldChange{Field: name, Kind: protocol.FieldPut, Value: v})
		}
	}
	put(conflictBase, base)
	put(conflictCollection, protocol.StringValue(key.Collection))
	put(conflictField, protocol.StringValue(field))
	put(conflictRecord, protocol.StringValue(key.ID))
	put(conflictKept, fact.Kept.Value)
	put(conflictKeptBlob, blobName(fact.Kept.Blob))
	put(conflictKeptBy, authorValue(fact.Kept.Author))
	put(conflictKeptTime, protocol.IntValue(int64(fact.Kept.Time)))
	put(conflictLost, fact.Lost.Value)
	put(conflictLostBlob, blobName(fact.Lost.Blob))
	put(conflictLostBy, authorValue(fact.Lost.Author))
	put(conflictLostTime, protocol.IntValue(int64(fact.Lost.Time)))
	put(conflictPolicy, protocol.StringValue(string(policy)))
	t.change(create)
	t.fields(key, protocol.FieldChange{Field: openField, Kind: protocol.SetAdded, Value: protocol.StringValue(field)})
}

// addOther returns the further lost values of an open conflict with one more,
// the oldest left out if they become too many.
func (t *turn) addOther(conflict *Record, side protocol.Side, lost protocol.Value) protocol.Value {
	entry := authorEntries(side.Author)
	entry["time"] = protocol.IntValue(int64(side.Time))
	entry["value"] = side.Value
	entry["blob"] = blobName(side.Blob)
	other, err := protocol.MapValue(entry)
	if err == nil {
		_, err = protocol.ArrayValue(other)
	}
	if err != nil {
		// The value is nested as deep as values may be: it goes into an item of its own.
		blob := protocol.BlobOf(lost)
		t.blobs = append(t.blobs, Blob{blob, lost})
		entry["value"], entry["blob"] = protocol.Value{}, blobName(blob)
		other, _ = protocol.MapValue(entry)
	}
	others, _ := conflict.Value(conflictOthers).Array()
	others = append(others, other)
	size := 0
	for i := range others {
		size += others[i].Size()
	}
	for len(others) > maxOthers || size > maxOthersBytes {
		size -= others[0].Size()
		others = others[1:]
	}
	return arrayOf(others)
}

func authorEntries(by protocol.Author) map[string]protocol.Value {
	return map[string]protocol.Value{
		"device": protocol.StringValue(by.Device.String()),
		"user":   protocol.StringValue(by.User),
	}
}

func authorValue(by protocol.Author) protocol.Value {
	v, err := protocol.MapValue(authorEntries(by))
	if err != nil {
		return protocol.Null
	}
	return v
}

func blobName(id protocol.BlobID) protocol.Value {
	if id == (protocol.BlobID{}) {
		return protocol.Value{}
	}
	return protocol.StringValue(id.String())
}

// closeConflict deletes the record of an open conflict.
func (t *turn) closeConflict(key Key) {
	if t.get(key).Alive() {
		t.change(protocol.Change{Collection: key.Collection, ID: key.ID, Kind: protocol.ChangeDelete})
	}
}

// resolve merges a person's decision on an open conflict.
func (t *turn) resolve(p *planned) protocol.OpVerdict {
	conflict := t.get(p.key)
	key, path, ok := ConflictTarget(conflict)
	switch {
	case !ok:
		return reject(protocol.RejectMissing, "", "the conflict is not open (any more)")
	case conflict.byOthers(t.at.Device) > t.at.Base:
		return reject(protocol.RejectStale, path, "somebody else added to the conflict about %s in the meantime", quoted(path, "the record"))
	}
	rec := t.get(key)
	if rec == nil {
		return missing(key)
	}
	if path == "" {
		return t.resolveDeletion(p, key, rec)
	}
	verdict := protocol.OpVerdict{}
	rule, err := t.b.schema.Collection(key.Collection).rule(path)
	if err != nil {
		rule = undeclared // the schema has changed since
	}
	v := p.op.Value
	if !v.IsAbsent() {
		if broken := checkValue(rule.value, path, v); broken != nil {
			return reject(broken.code, broken.field, "%s", broken.message)
		}
	}
	if old := rec.field(path); old.unseen(t.at.Base, t.at.Device) && old.content() != v {
		t.settle(key, path, "", rule.Policy, protocol.Value{}, t.mine(v), t.side(old.last, old.content()))
		verdict.Outcome = protocol.Merged
	}
	t.fields(key, plainChange(path, v), asked(path))
	t.closeConflict(p.key)
	return verdict
}

// asked is the change that takes a field off the record's open conflicts.
func asked(path string) protocol.FieldChange {
	return protocol.FieldChange{Field: openField, Kind: protocol.SetRemoved, Value: protocol.StringValue(path)}
}

// resolveDeletion decides whether a record is deleted (no value) or lives (a map
// of what its fields are to become, which may be empty).
func (t *turn) resolveDeletion(p *planned, key Key, rec *Record) protocol.OpVerdict {
	if p.op.Value.IsAbsent() {
		if !rec.Alive() {
			t.fields(key, asked(""))
			t.closeConflict(p.key)
			return protocol.OpVerdict{}
		}
		updates := t.unseenUpdates(rec)
		t.removeOver(key, rec, updates)
		if len(updates) > 0 {
			return protocol.OpVerdict{Outcome: protocol.Merged}
		}
		return protocol.OpVerdict{}
	}
	entries, ok := p.op.Value.Map()
	if !ok {
		return reject(protocol.RejectPolicy, "", "the question is whether %q in %q is deleted: answer with the fields to set, or with nothing to delete it", key.ID, key.Collection)
	}
	plan := planner{c: t.b.schema.Collection(key.Collection), planned: &planned{op: p.op, key: key}}
	for _, entry := range entries {
		if why := checkName(protocol.NameField, entry.Key); why != nil {
			return *why
		}
		plan.initial(entry.Key, entry.Value)
	}
	plan.refuseTwice()
	if plan.whole != nil {
		return *plan.whole
	}
	if plan.refused != nil {
		return *plan.refused
	}
	if !rec.Alive() {
		rec = t.undelete(rec)
	}
	changes := []protocol.FieldChange{asked("")}
	for i := range plan.fields {
		changes = append(changes, t.grant(rec, &plan.fields[i])...)
	}
	t.fields(key, changes...)
	t.closeConflict(p.key)
	return protocol.OpVerdict{}
}

// grant are the changes that carry out a wish (see wishes) on a field that may
// have content.
func (t *turn) grant(rec *Record, f *plannedField) []protocol.FieldChange {
	old := rec.field(f.path)
	switch f.rule.Policy {
	case protocol.PolicyCounter, protocol.PolicyMax, protocol.PolicyMin:
		kind := map[protocol.Policy]protocol.OpKind{
			protocol.PolicyCounter: protocol.OpAdd, protocol.PolicyMax: protocol.OpMax, protocol.PolicyMin: protocol.OpMin,
		}[f.rule.Policy]
		next, changed, err := compute(kind, old.content(), f.value)
		if !changed || err != nil {
			return nil
		}
		return []protocol.FieldChange{plainChange(f.path, next)}
	case protocol.PolicyList:
		changes := f.firstChanges()
		position := ""
		if living := old.asList().living(); len(living) > 0 {
			position = living[len(living)-1].position
		}
		for i := range changes {
			position = Between(position, "")
			changes[i].Position = position
			// Unlike a new record's, these ids must not meet others.
			changes[i].Element = elementID(i) + "-" + elementID(int(t.in.Counter)) + "-" + t.at.Device.String()
		}
		return changes
	}
	if old.unseen(t.at.Base, t.at.Device) && f.rule.isPlain() && old.content() != f.value {
		t.settle(rec.key, f.path, "", f.rule.Policy, protocol.Value{}, t.mine(f.value), t.side(old.last, old.content()))
	}
	return f.firstChanges()
}
