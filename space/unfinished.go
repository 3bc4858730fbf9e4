package space

import "github.com/tidegate/tidegate/protocol"

// unfinishedBit is the must-understand bit of a watermark that says: what is here
// is not the whole space. A program that does not know it reads no further.
const unfinishedBit = 0x08

// UnfinishedMark returns what stands in the watermark's place while a space is
// being moved into a store. Nobody is served from the space until a real
// watermark takes its place, or Trim takes it away: part of a history would be
// taken for the whole. Its version is the least there is.
func UnfinishedMark() Item {
	return Item{Key: ItemKey{Kind: ItemWatermark}, Version: 1, Meta: []byte{protocol.Format | unfinishedBit}}
}

// IsUnfinishedMark reports whether an item is that of UnfinishedMark.
func IsUnfinishedMark(item Item) bool {
	return item.Key.Kind == ItemWatermark && len(item.Meta) == 1 && item.Meta[0] == protocol.Format|unfinishedBit
}

// awaitRest refuses the devices that wait, and looks again later whether the
// space has become whole.
func (c *Core) awaitRest(looks uint64) {
	c.dropSessions(false, protocol.Errorf(protocol.CodeUnavailable,
		"this space is being moved here and not all of it has come; what is queued stays queued"))
	c.later(looks, func() {
		if c.phase == phaseImages { // not closed meanwhile
			c.lookAtImages(looks + 1)
		}
	})
}
