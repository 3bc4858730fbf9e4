package space

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Memory is a Store in memory: for tests, for the simulator, and for trying
// things out. What it keeps is gone with the process. The zero Memory is empty
// and ready to use. Byte slices are shared with its callers and must not be
// changed after they were given to it, or by it.
type Memory struct {
	mu     sync.Mutex
	spaces map[Key]*memorySpace // guarded by mu
}

// memorySpace is one space; guarded by Memory.mu.
type memorySpace struct {
	log   map[uint64][]byte
	seqs  []uint64 // of log, in order
	items map[ItemKey]Item
	keys  []ItemKey // of items, in order
}

// Close does nothing.
func (m *Memory) Close() error { return nil }

func (m *Memory) spaceLocked(key Key) *memorySpace {
	s := m.spaces[key]
	if s == nil {
		s = &memorySpace{log: make(map[uint64][]byte), items: make(map[ItemKey]Item)}
		if m.spaces == nil {
			m.spaces = make(map[Key]*memorySpace)
		}
		m.spaces[key] = s
	}
	return s
}

// Append implements Store.
func (m *Memory) Append(ctx context.Context, key Key, seq uint64, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err // nothing has begun yet
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.spaceLocked(key)
	if _, taken := s.log[seq]; taken {
		return ErrTaken
	}
	s.log[seq] = data
	at, _ := slices.BinarySearch(s.seqs, seq)
	s.seqs = slices.Insert(s.seqs, at, seq)
	return nil
}

// Log implements Store.
func (m *Memory) Log(ctx context.Context, key Key, from uint64, maxBytes int) ([]LogItem, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.spaceLocked(key)
	at, _ := slices.BinarySearch(s.seqs, from)
	var items []LogItem
	size := 0
	for i, seq := range s.seqs[at:] {
		data := s.log[seq]
		size += len(data)
		if i > 0 && (size > maxBytes || seq != items[i-1].Seq+1) {
			break
		}
		items = append(items, LogItem{seq, data})
	}
	return items, nil
}

// Put implements Store.
func (m *Memory) Put(ctx context.Context, key Key, items []Item) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.spaceLocked(key)
	for _, item := range items {
		stored, ok := s.items[item.Key]
		if ok && stored.Version >= item.Version {
			continue
		}
		item.Fields = slices.Clone(item.Fields)
		s.items[item.Key] = item
		if !ok {
			at, _ := slices.BinarySearchFunc(s.keys, item.Key, ItemKey.compare)
			s.keys = slices.Insert(s.keys, at, item.Key)
		}
	}
	return nil
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, key Key, keys []ItemKey) ([]Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.spaceLocked(key)
	items := make([]Item, len(keys))
	for i, k := range keys {
		items[i] = s.items[k]
		items[i].Key = k
	}
	return items, nil
}

// Scan implements Store.
func (m *Memory) Scan(ctx context.Context, key Key, after ItemKey, maxBytes int) ([]Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.spaceLocked(key)
	at, found := slices.BinarySearchFunc(s.keys, after, ItemKey.compare)
	if found && (after.A != "" || after.B != "") {
		at++
	}
	var items []Item
	size := 0
	for _, k := range s.keys[at:] {
		item := s.items[k]
		size += len(k.A) + len(k.B) + len(item.Meta)
		for _, f := range item.Fields {
			size += len(f.Field) + f.Value.Size()
		}
		if k.Kind != after.Kind || len(items) > 0 && size > maxBytes {
			break
		}
		items = append(items, item)
	}
	return items, nil
}

// Trim implements Store.
func (m *Memory) Trim(ctx context.Context, key Key, below uint64, drop []ItemKey) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.spaceLocked(key)
	at, _ := slices.BinarySearch(s.seqs, below)
	at = min(at, len(s.seqs)-1) // the newest stays
	if at > 0 {
		for _, seq := range s.seqs[:at] {
			delete(s.log, seq)
		}
		s.seqs = slices.Delete(s.seqs, 0, at)
	}
	for _, k := range drop {
		if item, ok := s.items[k]; ok && item.Version < below {
			delete(s.items, k)
			i, _ := slices.BinarySearchFunc(s.keys, k, ItemKey.compare)
			s.keys = slices.Delete(s.keys, i, i+1)
		}
	}
	return nil
}

// MemoryState is all that a Memory held at one moment.
type MemoryState struct{ spaces map[Key]*memorySpace }

// Snapshot returns the content: what a backup would hold.
func (m *Memory) Snapshot() *MemoryState {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &MemoryState{copySpaces(m.spaces)}
}

// Restore puts a content back: what restoring a backup does.
func (m *Memory) Restore(state *MemoryState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.spaces = copySpaces(state.spaces)
}

func copySpaces(spaces map[Key]*memorySpace) map[Key]*memorySpace {
	copied := make(map[Key]*memorySpace, len(spaces))
	for key, s := range spaces {
		copied[key] = &memorySpace{
			log:   maps.Clone(s.log),
			seqs:  slices.Clone(s.seqs),
			items: maps.Clone(s.items),
			keys:  slices.Clone(s.keys),
		}
	}
	return copied
}
