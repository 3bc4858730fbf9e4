package merge

import "github.com/tidegate/tidegate/protocol"

// holds says whether nobody but the device has changed the record, or its field,
// after the version that a precondition names.
func holds(c *protocol.Precondition, rec *Record, device protocol.DeviceID) bool {
	if c.Version == 0 {
		return rec.Value(c.Field).IsAbsent() && (c.Field != "" || !rec.Alive())
	}
	if c.Field == "" {
		return rec.byOthers(device) <= c.Version
	}
	if rec != nil && rec.deleted != nil && rec.deleted.device() != device && rec.deleted.seq > c.Version {
		return false
	}
	return rec.field(c.Field).byOthers(device) <= c.Version
}
