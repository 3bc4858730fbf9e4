package space

import "github.com/tidegate/tidegate/protocol"

var imageKeys = []ItemKey{{Kind: ItemWatermark}, {Kind: ItemHorizon}}

// readImages begins to open the space: first what everything is checkpointed up
// to, then the log from there.
func (c *Core) readImages() {
	c.phase = phaseImages
	c.lookAtImages(1)
}

func (c *Core) lookAtImages(looks uint64) {
	c.askUntil(GetOp{Keys: imageKeys}, func(r Response) {
		if len(r.Items) != len(imageKeys) {
			c.unreadable(protocol.Errorf(protocol.CodeDamaged, "the store's answer does not match the question"))
			return
		}
		if _, unfinished := Unfinished(r.Items[0]); unfinished {
			c.awaitRest(looks)
			return
		}
		for _, item := range r.Items {
			if item.Unreadable != nil {
				c.unreadable(unreadableError(item))
				return
			}
		}
		c.horizon = max(c.horizon, r.Items[1].Version)
		if r.Items[0].Version > 0 {
			mark, err := decodeWatermark(r.Items[0].Version, r.Items[0].Meta)
			if err != nil {
				c.unreadable(protocol.Errorf(protocol.CodeDamaged, "the watermark cannot be read: %v", err))
				return
			}
			c.head, c.headTime, c.schema = mark.cursor, mark.time, mark.schema
			c.names = protocol.NewNameTable(mark.names...)
			c.times = mark.times
			c.checkpoint.watermark = mark.cursor.Seq
			c.tail.verify = true
		}
		c.out.Start = &Start{Head: c.head, Names: c.names.Names()}
		c.phase = phaseTail
		c.openProof = c.tail.asked + 1
		c.readTailFor(c.openProof)
	})
}

// unreadable is damage before anything is known: no device can be served.
func (c *Core) unreadable(err *protocol.Error) {
	c.blind = true
	c.phase = phaseOpen
	c.damage(err)
}

// opened opens the space once the log has been read to its end and folded.
func (c *Core) opened() {
	if c.phase != phaseTail || c.proofs < c.openProof || len(c.unfolded) > 0 {
		return
	}
	c.phase = phaseOpen
	c.event(Event{Kind: EventOpened, Seq: c.head.Seq, N: c.head.Seq - c.checkpoint.watermark})
}
