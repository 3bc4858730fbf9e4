package client

import (
	"errors"
	"maps"
	"slices"
	"sync"
)

// MemoryStore returns a store that forgets everything with the process: for
// tests, and for clients that only read.
func MemoryStore() Store { return &memoryStore{entries: map[string][]byte{}} }

// memoryStore can be opened again after Close, so that a test can restart a
// client on it.
type memoryStore struct {
	mu      sync.Mutex
	entries map[string][]byte
}

func (m *memoryStore) Load(yield func(key, value []byte) error) error {
	m.mu.Lock()
	entries := maps.Clone(m.entries)
	m.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		if err := yield([]byte(key), slices.Clone(entries[key])); err != nil {
			return err
		}
	}
	return nil
}

func (m *memoryStore) Write(batch Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		return errors.New("the memory store was not made by MemoryStore")
	}
	for _, key := range batch.Deletes {
		delete(m.entries, string(key))
	}
	for _, entry := range batch.Puts {
		m.entries[string(entry.Key)] = slices.Clone(entry.Value)
	}
	return nil
}

func (m *memoryStore) Close() error { return nil }
