package space

import (
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// getBatch bounds the keys of one GetOp.
const getBatch = 100

// need returns true if all keys are loaded, and has them loaded if not.
func (c *Core) need(keys []ItemKey) bool {
	missing := c.cache.missing(keys)
	if len(missing) == 0 {
		return true
	}
	var ask []ItemKey
	for _, key := range missing {
		if c.cache.loading[key] == 0 && !c.cache.broken[key] {
			ask = append(ask, key)
		}
	}
	for len(ask) > 0 {
		n := min(len(ask), getBatch)
		c.load(ask[:n:n])
		ask = ask[n:]
	}
	return false
}

func (c *Core) load(keys []ItemKey) {
	c.cache.loads++
	load := c.cache.loads
	for _, key := range keys {
		c.cache.loading[key] = load
	}
	c.askUntil(GetOp{Keys: keys}, func(r Response) {
		install := func() {
			for i, key := range keys {
				if c.cache.loading[key] != load {
					continue
				}
				if i < len(r.Items) && r.Items[i].Key == key && r.Items[i].Unreadable != nil && key.Kind == ItemRecord {
					c.rebuild(r.Items[i])
					continue
				}
				delete(c.cache.loading, key)
				err := protocol.Errorf(protocol.CodeDamaged, "the store's answer does not match the question")
				if i < len(r.Items) && r.Items[i].Key == key {
					err = c.install(r.Items[i])
				}
				if err != nil {
					c.cache.broken[key] = true
					c.damage(err)
				}
			}
		}
		unknown := func(item Item) bool {
			return item.Key.Kind == ItemDevice && item.Version == 0 && item.Unreadable == nil
		}
		if c.cfg.Exclusive || !slices.ContainsFunc(r.Items, unknown) {
			install()
			return
		}
		// A device without an entry is judged by the horizon: by one that is at least
		// as new as its absence.
		c.askUntil(GetOp{Keys: []ItemKey{{Kind: ItemHorizon}}}, func(r Response) {
			if len(r.Items) == 1 {
				if r.Items[0].Unreadable != nil {
					c.damage(unreadableError(r.Items[0]))
					return
				}
				c.horizon = max(c.horizon, r.Items[0].Version)
			}
			install()
		})
	})
}

// install takes in an image as the store has it.
func (c *Core) install(item Item) *protocol.Error {
	if item.Unreadable != nil {
		return unreadableError(item)
	}
	img := &image{key: item.Key, version: item.Version, stored: item.Version}
	if item.Version > 0 {
		var err error
		if item.Key.Kind == ItemDevice {
			img.device, err = decodeDeviceEntry(item.Meta)
		} else {
			img.record, err = decodeRecord(item)
		}
		if err != nil {
			return protocol.Errorf(protocol.CodeDamaged, "the image of %s cannot be read: %v", item.Key, err)
		}
	}
	c.cache.add(img)
	if item.Version > c.mustReach && item.Version > c.head.Seq {
		// Another gateway is ahead: nothing may be merged, and no device answered, on
		// an image from the future before the log has been folded up to it.
		c.mustReach = item.Version
		c.reachProof = c.tail.asked + 1
	}
	return nil
}

// unreadableError says that the store cannot vouch for an item.
func unreadableError(item Item) *protocol.Error {
	return protocol.Errorf(protocol.CodeDamaged, "the image of %s cannot be read: %v", item.Key, item.Unreadable)
}

// checkReach has the log read up to the newest image that was seen.
func (c *Core) checkReach() {
	if c.mustReach <= c.head.Seq || c.damaged != nil {
		return
	}
	if c.proofs >= c.reachProof && len(c.unfolded) == 0 {
		c.damage(protocol.Errorf(protocol.CodeDamaged,
			"an image has version %d, but the log ends at %d", c.mustReach, c.head.Seq))
		return
	}
	if c.proofs < c.reachProof {
		c.readTailFor(c.reachProof)
	}
}

// behind is true while images are known that are newer than head.
func (c *Core) behind() bool { return c.mustReach > c.head.Seq }
