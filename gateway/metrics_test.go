package gateway

import (
	"testing"

	"github.com/tidegate/tidegate/space"
)

// TestForeignCounted shows that images which somebody else has changed are seen in
// the metrics, from 0 on.
func TestForeignCounted(t *testing.T) {
	g := start(t, func(*Config) {})
	for want := range 3 {
		if got := metric(t, g, "tidegate_foreign_images_total"); got != float64(want) {
			t.Errorf("%v are counted after %d", got, want)
		}
		g.spaces.event(space.Key{Tenant: "t", Space: "s"}, space.Event{Kind: space.EventForeign})
	}
}
