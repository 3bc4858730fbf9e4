package space

import (
	"cmp"
	"container/list"
	"strings"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// Hold is a claim on images that a reader of pages relies on.
type Hold uint64

// image is what is known of a record or of a device at head: the fold of every
// commit up to it that touched them.
type image struct {
	key    ItemKey
	record *merge.Record // nil if it does not exist, or if this is a device's
	device deviceEntry

	// version is the seq of the last commit that changed it; stored is the greatest
	// one that the store is known to have.
	version, stored uint64

	// While version > stored the image is dirty: it stands in one of the cache's
	// dirty lists, behind those whose dirtyFrom is smaller, and is not forgotten.
	dirtyFrom  uint64 // the first change that the store may not have
	dirtySince protocol.Time
	putting    uint64 // the version that is being put, or 0
	changed    uint64 // the first change after putting
	foreign    bool   // the last change is another gateway's, which will store it

	pins      int    // users that need it to stay
	cleanedAt uint64 // the cache's clock when it was last stored
	size      int
	place     *list.Element // in lru, dirtyRecords or dirtyDevices
}

// cache holds images: dirty ones all, others as far as the budget allows. An
// image that is not here is in the store, with every commit up to head folded in:
// that is what makes loading exact, whatever happens while an answer travels.
type cache struct {
	budget int
	images map[ItemKey]*image
	bytes  int

	lru          list.List // clean, the longest unused first
	dirtyRecords list.List // by dirtyFrom
	dirtyDevices list.List
	dirtyBytes   int

	// loading holds the keys that have been asked for, and under which number: one
	// answer a key is taken.
	loading map[ItemKey]uint64
	loads   uint64
	// broken are the images that cannot be read.
	broken map[ItemKey]bool

	// A snapshot that reads pages from the store must see what was dirty when it
	// asked: what has been stored since its hold began is not forgotten before it
	// ends. clock counts stores.
	clock uint64
	holds map[Hold]uint64
	hold  Hold
	// fresh are the images that were stored under a hold.
	fresh map[*image]bool
	// epoch counts resets: a hold does not outlive one.
	epoch uint64
}

func (k *cache) reset(budget int) {
	hold, epoch := k.hold, k.epoch
	*k = cache{
		budget:  budget,
		images:  make(map[ItemKey]*image),
		loading: make(map[ItemKey]uint64),
		broken:  make(map[ItemKey]bool),
		holds:   make(map[Hold]uint64),
		hold:    hold,
		fresh:   make(map[*image]bool),
		epoch:   epoch + 1,
	}
}

func recordKey(key merge.Key) ItemKey {
	return ItemKey{Kind: ItemRecord, A: key.Collection, B: key.ID}
}

func deviceKey(id protocol.DeviceID) ItemKey {
	return ItemKey{Kind: ItemDevice, A: string(id[:])}
}

// compare orders keys as stores do.
func (k ItemKey) compare(o ItemKey) int {
	return cmp.Or(cmp.Compare(k.Kind, o.Kind), strings.Compare(k.A, o.A), strings.Compare(k.B, o.B))
}

// get returns an image that is loaded, or nil, and counts as a use.
func (k *cache) get(key ItemKey) *image {
	img := k.images[key]
	if img != nil && !img.dirty() {
		k.lru.MoveToBack(img.place)
	}
	return img
}

func (img *image) dirty() bool { return img.version > img.stored }

// list is the dirty list an image belongs into.
func (k *cache) list(img *image) *list.List {
	if img.key.Kind == ItemDevice {
		return &k.dirtyDevices
	}
	return &k.dirtyRecords
}

// add takes in an image as it was loaded.
func (k *cache) add(img *image) {
	img.size = img.measure()
	img.place = k.lru.PushBack(img)
	k.images[img.key] = img
	k.bytes += img.size
}

// begin takes in an image that a commit creates, and that was not loaded.
func (k *cache) begin(key ItemKey) *image {
	delete(k.loading, key) // what is being loaded is older, or will be folded
	img := &image{key: key}
	k.add(img)
	return img
}

// resized notes that an image's content changed without a commit.
func (k *cache) resized(img *image) {
	size := img.measure()
	k.bytes += size - img.size
	if img.dirty() {
		k.dirtyBytes += size - img.size
	}
	img.size = size
}

// changeAt notes that commit seq has changed an image.
func (k *cache) changeAt(img *image, seq uint64, now protocol.Time, foreign bool) {
	k.resized(img)
	wasDirty := img.dirty()
	img.version, img.foreign = seq, foreign
	if img.putting > 0 && img.changed == 0 {
		img.changed = seq
	}
	if wasDirty || !img.dirty() {
		return
	}
	k.lru.Remove(img.place)
	k.dirtyBytes += img.size
	k.enlist(img, seq, now)
}

func (k *cache) enlist(img *image, from uint64, now protocol.Time) {
	img.dirtyFrom, img.dirtySince = from, now
	img.place = k.list(img).PushBack(img)
}

// storedAt notes that the store has an image of at least this version.
func (k *cache) storedAt(img *image, version uint64, now protocol.Time) {
	if version <= img.stored {
		return
	}
	wasDirty := img.dirty()
	img.stored = version
	if !wasDirty {
		return
	}
	k.clock++
	img.cleanedAt = k.clock
	if !img.dirty() {
		k.list(img).Remove(img.place)
		k.dirtyBytes -= img.size
		img.dirtyFrom, img.putting, img.changed = 0, 0, 0
		img.place = k.lru.PushBack(img)
		if len(k.holds) > 0 {
			k.fresh[img] = true
		}
		return
	}
	// It changed again while it was being put. Its next change is younger than that
	// of any image behind it only if it goes to the end: the list's order is by
	// dirtyFrom up to what is being put, and what is being put goes out first.
	if img.putting == version && img.changed > 0 {
		k.list(img).Remove(img.place)
		k.enlist(img, img.changed, now)
		img.putting, img.changed = 0, 0
	}
}

// clean is true if the store has everything.
func (k *cache) clean() bool { return k.dirtyRecords.Len() == 0 && k.dirtyDevices.Len() == 0 }

// drop forgets an image, dirty or not.
func (k *cache) drop(img *image) {
	if img.dirty() {
		k.list(img).Remove(img.place)
		k.dirtyBytes -= img.size
	} else {
		k.lru.Remove(img.place)
	}
	k.bytes -= img.size
	delete(k.images, img.key)
	delete(k.fresh, img)
}

// evict forgets the longest unused clean images until the budget holds, and
// returns how many.
func (k *cache) evict() (n int) {
	oldest := k.oldestHold()
	for e := k.lru.Front(); e != nil && k.bytes > k.budget; {
		img := e.Value.(*image)
		e = e.Next()
		if img.pins > 0 || img.cleanedAt > oldest {
			continue
		}
		k.drop(img)
		n++
	}
	return n
}

func (k *cache) oldestHold() uint64 {
	oldest := k.clock
	for _, at := range k.holds {
		oldest = min(oldest, at)
	}
	return oldest
}

// holdOn keeps what is dirty now, and what will be stored, from being forgotten.
func (k *cache) holdOn() Hold {
	k.hold++
	k.holds[k.hold] = k.clock
	return k.hold
}

func (k *cache) letGo(h Hold) {
	delete(k.holds, h)
	oldest := k.oldestHold()
	for img := range k.fresh {
		if len(k.holds) == 0 || img.cleanedAt <= oldest {
			delete(k.fresh, img)
		}
	}
}

// missing returns those of keys that are not loaded, each once, in order.
func (k *cache) missing(keys []ItemKey) []ItemKey {
	var missing []ItemKey
	seen := make(map[ItemKey]bool)
	for _, key := range keys {
		if k.images[key] == nil && !seen[key] {
			seen[key] = true
			missing = append(missing, key)
		}
	}
	return missing
}

// imageOverhead is about what an image costs beyond its content.
const imageOverhead = 256

func (img *image) measure() int {
	size := imageOverhead + len(img.key.A) + len(img.key.B)
	if img.key.Kind == ItemDevice {
		return size + img.device.size()
	}
	if img.record != nil {
		size += img.record.Size()
	}
	return size
}
