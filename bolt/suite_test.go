package bolt

import (
	"testing"

	"github.com/tidegate/tidegate/space"
	"github.com/tidegate/tidegate/space/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) space.Store { return open(t, storePath(t)) }, storetest.Options{
		Reopen: func(t *testing.T, s space.Store) space.Store { return reopen(t, s.(*Store)) },
	})
}
