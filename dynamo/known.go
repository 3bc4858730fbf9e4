package dynamo

import (
	"container/list"
	"sync"
)

// knownRecords remembers what was last read or written of records, so that a
// checkpoint can say in its condition what it believes to stand in the table. It
// may be out of date: then the condition does not hold, and the record is read.
type knownRecords struct {
	most int // bytes

	mu    sync.Mutex
	bytes int                        // guarded by mu
	byKey map[knownKey]*list.Element // guarded by mu
	order list.List                  // guarded by mu: of *knownRecord, the last used first
}

type knownKey struct{ partition, sort string }

type knownRecord struct {
	key   knownKey
	image image
	size  int
}

func newKnownRecords(bytes int) *knownRecords {
	return &knownRecords{most: bytes, byKey: make(map[knownKey]*list.Element)}
}

// put remembers a record, or that there is none.
func (k *knownRecords) put(partition, sort string, img *image) {
	r := &knownRecord{key: knownKey{partition, sort}, image: *img}
	// What only Get needs is not kept.
	r.image.item.Fields, r.image.item.Meta = nil, nil
	r.size = 200 + len(partition) + len(sort) + len(img.marks)
	for i := range img.fields {
		r.size += 32 + len(img.fields[i].Field) + img.fields[i].Value.Size()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropLocked(r.key)
	k.byKey[r.key] = k.order.PushFront(r)
	k.bytes += r.size
	for k.bytes > k.most {
		k.dropLocked(k.order.Back().Value.(*knownRecord).key)
	}
}

// get returns what is remembered.
func (k *knownRecords) get(partition, sort string) (image, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.byKey[knownKey{partition, sort}]
	if e == nil {
		return image{}, false
	}
	k.order.MoveToFront(e)
	return e.Value.(*knownRecord).image, true
}

// forget drops what is remembered.
func (k *knownRecords) forget(partition, sort string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropLocked(knownKey{partition, sort})
}

func (k *knownRecords) dropLocked(key knownKey) {
	e := k.byKey[key]
	if e == nil {
		return
	}
	k.bytes -= e.Value.(*knownRecord).size
	k.order.Remove(e)
	delete(k.byKey, key)
}
