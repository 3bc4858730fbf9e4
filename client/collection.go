package client

import (
	"context"

	"github.com/tidegate/tidegate/protocol"
)

// Collection is the records of one kind in a space. Each method that writes makes
// a mutation of its own; for several at once use Space.Mutate.
type Collection struct {
	space *Space
	name  string
}

// Name returns the collection's name.
func (c *Collection) Name() string { return c.name }

// Create makes a record. Its id must be new: see NewID. The server rejects it
// with protocol.RejectExists if it is not.
func (c *Collection) Create(ctx context.Context, id string, fields map[string]any) (*Write, error) {
	return c.space.Mutate(ctx, func(tx *Tx) error {
		tx.Create(c.name, id, fields)
		return nil
	})
}

// Update edits a record that exists. An update never creates: the server rejects
// it with protocol.RejectMissing or RejectDeleted if the record is not there.
func (c *Collection) Update(ctx context.Context, id string, f func(e *Edit)) (*Write, error) {
	return c.space.Mutate(ctx, func(tx *Tx) error {
		f(tx.Edit(c.name, id))
		return nil
	})
}

// Delete deletes a record.
func (c *Collection) Delete(ctx context.Context, id string) (*Write, error) {
	return c.space.Mutate(ctx, func(tx *Tx) error {
		tx.Delete(c.name, id)
		return nil
	})
}

// Undelete brings a deleted record back as it was.
func (c *Collection) Undelete(ctx context.Context, id string) (*Write, error) {
	return c.space.Mutate(ctx, func(tx *Tx) error {
		tx.Undelete(c.name, id)
		return nil
	})
}

// Get returns a record as the user should see it: confirmed, with what is
// pending on top. It returns nil if there is none.
func (c *Collection) Get(id string) *Record {
	cl := c.space.client
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.core.Get(c.space.name, Key{Collection: c.name, ID: id})
}

// All returns the collection's records, ordered by id.
func (c *Collection) All() []*Record {
	cl := c.space.client
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.core.All(c.space.name, c.name)
}

// Record is a record at one moment. It does not change.
type Record struct {
	Key
	// Version is the seq of the commit that changed the record last; 0 if it is
	// only predicted yet.
	Version uint64
	// Pending is true if mutations without a verdict are predicted in it.
	Pending bool
	// Fields in byte order of their paths. They belong to the client: read only.
	Fields []protocol.FieldState
}

// Field returns the state of a field; ok is false if the record has none.
func (r *Record) Field(field string) (state protocol.FieldState, ok bool) {
	for _, f := range r.Fields {
		if f.Field == field {
			return f, true
		}
	}
	return protocol.FieldState{}, false
}

// Value returns the value of a plain field, a number for a counter; absent if
// there is none.
func (r *Record) Value(field string) protocol.Value {
	f, _ := r.Field(field)
	return f.Value
}

// Elements returns the elements of a set or list field, in its order.
func (r *Record) Elements(field string) []protocol.ElementState {
	f, _ := r.Field(field)
	return f.Elements
}

// Get returns a field as a Go value: nil, bool, int64, float64, string, []byte,
// []any or map[string]any; for a set or a list its elements as []any; nil if
// there is no such field.
func (r *Record) Get(field string) any {
	f, ok := r.Field(field)
	if !ok {
		return nil
	}
	return fieldAny(f)
}

// Map returns all fields as Go values by their paths; see Get.
func (r *Record) Map() map[string]any {
	m := make(map[string]any, len(r.Fields))
	for _, f := range r.Fields {
		m[f.Field] = fieldAny(f)
	}
	return m
}

func fieldAny(f protocol.FieldState) any {
	if f.Kind == protocol.Plain {
		return f.Value.Any()
	}
	elements := make([]any, len(f.Elements))
	for i, e := range f.Elements {
		elements[i] = e.Value.Any()
	}
	return elements
}
