package oracle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// rules is what the oracle asks of the schema. Nothing here merges.
type rules struct {
	schema *merge.Schema
}

// policy is a field's policy; lww for one that ops may not name, since a schema
// may have come to forbid what a log holds.
func (r rules) policy(collection, field string) protocol.Policy {
	rule, err := r.schema.Rule(collection, field)
	if err != nil {
		return protocol.PolicyLWW
	}
	return rule.Policy
}

// onDelete is the collection's policy for a delete that meets an update.
func (r rules) onDelete(collection string) protocol.Policy {
	if c := r.schema.Collection(collection); c != nil {
		return c.Delete
	}
	return protocol.PolicyDeleteWins
}

// broken names the rules that a record breaks.
func (r rules) broken(s protocol.RecordState) []string {
	return r.schema.Broken(s)
}

// breaks says whether a record breaks a rule that it did not break before.
func (r rules) breaks(now, before []string) bool {
	return slices.ContainsFunc(now, func(rule string) bool { return !slices.Contains(before, rule) })
}

// conflictID is the id of the record that holds the open conflict of a field.
func (r rules) conflictID(k key, field string) string {
	h := sha256.New()
	for _, part := range []string{k.collection, k.id, field} {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
