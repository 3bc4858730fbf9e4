package space

import (
	"encoding/binary"

	"github.com/tidegate/tidegate/protocol"
)

// unfinishedBit is the must-understand bit of a watermark that says: what is here
// is not the whole space. A program that does not know it reads no further.
const unfinishedBit = 0x08

// UnfinishedVersion is the version of every unfinished mark: the least there is.
const UnfinishedVersion = 1

// UnfinishedMark returns what stands in the watermark's place while a space is
// being moved into a store. Nobody is served from the space until a real
// watermark takes its place, or Trim takes it away: part of a history would be
// taken for the whole. It keeps a number for whoever moves the space.
func UnfinishedMark(number uint64) Item {
	meta := binary.AppendUvarint([]byte{protocol.Format | unfinishedBit}, number)
	return Item{Key: ItemKey{Kind: ItemWatermark}, Version: UnfinishedVersion, Meta: meta}
}

// Unfinished reports whether an item is an UnfinishedMark, and its number.
func Unfinished(item Item) (number uint64, is bool) {
	if item.Key.Kind != ItemWatermark || len(item.Meta) < 2 || item.Meta[0] != protocol.Format|unfinishedBit {
		return 0, false
	}
	number, size := binary.Uvarint(item.Meta[1:])
	return number, size == len(item.Meta)-1
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
