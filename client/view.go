package client

import (
	"maps"
	"slices"
	"strings"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// The view is the confirmed state with the pending mutations predicted on top, in
// the order in which they were made. Only records that have pending ops and are
// looked at are kept a second time, in overlay.

// effect is what a pending op does to one record.
type effect struct {
	key Key
	op  *protocol.Op
}

// effects resolves a mutation's ops into effects on records. Only OpResolve has
// two: it closes the conflict and sets the field that the conflict is about.
func (s *space) effects(m *protocol.Mutation) []effect {
	effects := make([]effect, 0, len(m.Ops))
	for i := range m.Ops {
		op := &m.Ops[i]
		key := Key{Collection: op.Collection, ID: op.ID}
		if op.Kind != protocol.OpResolve {
			effects = append(effects, effect{key, op})
			continue
		}
		conflict := s.look(key)
		collection, _ := conflict.Value("collection").Text()
		id, _ := conflict.Value("id").Text()
		field, _ := conflict.Value("field").Text()
		effects = append(effects, effect{key, &protocol.Op{Kind: protocol.OpDelete, Collection: key.Collection, ID: key.ID}})
		if collection == "" || id == "" || field == "" {
			continue
		}
		set := &protocol.Op{Kind: protocol.OpSet, Collection: collection, ID: id, Fields: []protocol.FieldValue{{Field: field, Value: op.Value}}}
		if op.Value.IsAbsent() {
			set = &protocol.Op{Kind: protocol.OpUnset, Collection: collection, ID: id, Field: field}
		}
		effects = append(effects, effect{Key{Collection: collection, ID: id}, set})
	}
	return effects
}

// predict adds a mutation to the view, as the newest.
func (s *space) predict(p *pending) {
	p.effects = s.effects(p.mutation)
	for _, e := range p.effects {
		s.overlay[e.key] = merge.Predict(s.look(e.key), e.key, e.op)
		if list := s.touched[e.key]; len(list) == 0 || list[len(list)-1] != p {
			s.touched[e.key] = append(list, p)
		}
		s.news.keys[e.key] = struct{}{}
	}
}

// unpredict takes a mutation out of the view.
func (s *space) unpredict(p *pending) {
	for _, e := range p.effects {
		list := s.touched[e.key]
		if len(list) > 0 && list[0] == p {
			list = list[1:] // mostly the oldest
		} else {
			list = slices.DeleteFunc(list, func(q *pending) bool { return q == p })
		}
		if len(list) == 0 {
			delete(s.touched, e.key)
		} else {
			s.touched[e.key] = list
		}
		s.refresh(e.key)
	}
}

// refreshAll is refresh for all records of a mutation.
func (s *space) refreshAll(p *pending) {
	for _, e := range p.effects {
		s.refresh(e.key)
	}
}

// refresh notes that a record looks different, because its confirmed state or its
// pending mutations changed. The prediction is made anew when somebody looks: a
// long queue on one record is not replayed for each commit.
func (s *space) refresh(key Key) {
	s.news.keys[key] = struct{}{}
	delete(s.overlay, key)
}

// look returns a record of the view; nil or dead if there is none.
func (s *space) look(key Key) *merge.Record {
	list := s.touched[key]
	if len(list) == 0 {
		return s.records[key]
	}
	if record, ok := s.overlay[key]; ok {
		return record
	}
	confirmed := s.records[key]
	record := confirmed
	for _, p := range list {
		if p.exact && confirmed.Version() >= p.leaveAt {
			continue // the confirmed record has it, though the cursor has not come so far
		}
		for _, e := range p.effects {
			if e.key == key {
				record = merge.Predict(record, key, e.op)
			}
		}
	}
	s.overlay[key] = record
	return record
}

func (c *Core) look(name string, key Key) *merge.Record {
	if s := c.spaces[name]; s != nil {
		return s.look(key)
	}
	return nil
}

// Get returns a record of a space's view, nil if there is none.
func (c *Core) Get(name string, key Key) *Record {
	s := c.spaces[name]
	if s == nil {
		return nil
	}
	return recordOf(s.look(key), len(s.touched[key]) > 0)
}

// All returns a collection of a space's view, ordered by id.
func (c *Core) All(name, collection string) []*Record {
	s := c.spaces[name]
	if s == nil {
		return nil
	}
	var list []*Record
	add := func(key Key, record *merge.Record) {
		if r := recordOf(record, len(s.touched[key]) > 0); r != nil {
			list = append(list, r)
		}
	}
	for key, record := range s.records {
		if key.Collection == collection && len(s.touched[key]) == 0 {
			add(key, record)
		}
	}
	for key := range s.touched {
		if key.Collection == collection {
			add(key, s.look(key))
		}
	}
	slices.SortFunc(list, func(a, b *Record) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// recordOf returns what the app sees of a record, nil if it is not alive.
func recordOf(r *merge.Record, pending bool) *Record {
	state, alive := r.State()
	if !alive {
		return nil
	}
	return &Record{
		Key:     Key{Collection: state.Collection, ID: state.ID},
		Version: state.Version,
		Pending: pending,
		Fields:  state.Fields,
	}
}

// Confirmed returns a space's confirmed state, predictions left out, in the
// order of collections and ids.
func (c *Core) Confirmed(name string) []protocol.RecordState {
	s := c.spaces[name]
	if s == nil {
		return nil
	}
	states := make([]protocol.RecordState, 0, len(s.records))
	for _, key := range slices.SortedFunc(maps.Keys(s.records), Key.Compare) {
		if state, alive := s.records[key].State(); alive {
			states = append(states, state)
		}
	}
	return states
}

// View returns a space's view, in the order of collections and ids.
func (c *Core) View(name string) []protocol.RecordState {
	s := c.spaces[name]
	if s == nil {
		return nil
	}
	keys := map[Key]struct{}{}
	for key := range s.records {
		keys[key] = struct{}{}
	}
	for key := range s.touched {
		keys[key] = struct{}{}
	}
	var states []protocol.RecordState
	for _, key := range slices.SortedFunc(maps.Keys(keys), Key.Compare) {
		if state, alive := s.look(key).State(); alive {
			states = append(states, state)
		}
	}
	return states
}

// StateHash returns the digest of a space's confirmed state.
func (c *Core) StateHash(name string) [32]byte {
	return merge.StateHash(slices.Values(c.Confirmed(name)))
}
