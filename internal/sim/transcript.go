package sim

import (
	"fmt"
	"hash/fnv"
	"io"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// transcript is what happened, line by line. Its hash is always kept, so that
// two runs of one seed can be compared; the lines only where somebody reads them.
type transcript struct {
	now   func() protocol.Time
	begun protocol.Time
	out   io.Writer
	sum   uint64
	lines int
}

// say notes that something happened to somebody.
func (t *transcript) say(who, format string, args ...any) {
	line := fmt.Sprintf("%10s  %-10s %s\n", t.clock(), who, fmt.Sprintf(format, args...))
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d", t.sum)
	_, _ = io.WriteString(h, line)
	t.sum = h.Sum64()
	t.lines++
	if t.out != nil {
		_, _ = io.WriteString(t.out, line)
	}
}

// clock is the time since the run began.
func (t *transcript) clock() string {
	return (time.Duration(t.now()-t.begun) * time.Millisecond).String()
}
