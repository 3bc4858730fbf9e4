package loadtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/protocol"
)

// SteadyCommand has devices set one field at a time, at a steady rate: for what a
// mutation costs.
type SteadyCommand struct {
	Options
	Devices  int           `default:"32" placeholder:"N" help:"Devices in each space (${default})."`
	Spaces   int           `default:"1" placeholder:"N" help:"Spaces (${default})."`
	Records  int           `default:"100" placeholder:"N" help:"Records in each space (${default})."`
	Bytes    int           `default:"100" placeholder:"N" help:"Bytes of the text that a mutation sets (${default})."`
	Rate     float64       `default:"10" placeholder:"N" help:"Mutations a second and device; 0 for as many as are answered (${default})."`
	Duration time.Duration `default:"10s" placeholder:"DURATION" help:"How long (${default})."`
}

// Help teaches.
func (SteadyCommand) Help() string {
	return `Every mutation sets one text field of a random record. There are conflicts where two devices do so at once, and
nothing else is special about it: bytes, latencies and the store's units are those of ordinary work.`
}

// Validate refuses numbers that make no sense.
func (c *SteadyCommand) Validate() error {
	switch {
	case c.Devices < 1 || c.Spaces < 1 || c.Records < 1 || c.Records > 10_000:
		return errors.New("--devices, --spaces and --records must be at least 1, and --records at most 10000")
	case c.Bytes < 1 || c.Bytes > 100_000:
		return errors.New("--bytes must be between 1 and 100000")
	case c.Rate < 0 || c.Duration <= 0:
		return errors.New("--rate must not be negative, and --duration more than 0")
	}
	return c.Options.Validate()
}

// Run has the devices write.
func (c *SteadyCommand) Run() error {
	if err := c.Validate(); err != nil {
		return &UsageError{err}
	}
	if err := c.prepare(); err != nil {
		return err
	}
	s, err := c.scenario()
	if err != nil {
		return err
	}
	return play(&c.Options, s)
}

func (c *SteadyCommand) scenario() (*scenario, error) {
	schema, err := schemaFiles("edit")
	if err != nil {
		return nil, err
	}
	s := &scenario{
		name:      "steady",
		files:     schema,
		mutations: -1,
		act:       c.act,
		tag:       func(*protocol.Mutation) string { return "" },
		check:     c.check,
	}
	for range c.Spaces {
		s.boards = append(s.boards, c.Devices)
	}
	return s, nil
}

// act is what one device does.
func (c *SteadyCommand) act(ctx context.Context, d *device) error {
	if d.index == 0 {
		for first := 0; first < c.Records; first += recordsAtOnce {
			if err := d.mutate(ctx, "", func(tx *client.Tx) {
				for i := first; i < min(first+recordsAtOnce, c.Records); i++ {
					tx.Create(notes, noteID(i), map[string]any{"title": "", "code": i})
				}
			}, nil); err != nil {
				return err
			}
		}
	}
	for len(d.space.Collection(notes).All()) < c.Records {
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
		}
	}
	random := c.random(d.index, d.number())
	limit := rate.NewLimiter(rate.Inf, 1)
	if c.Rate > 0 {
		limit = rate.NewLimiter(rate.Limit(c.Rate), 1)
	}
	ends := time.NewTimer(c.Duration)
	defer ends.Stop()
	free := make(chan struct{}, unanswered)
	for n := 0; ; n++ {
		if limit.Wait(ctx) != nil {
			return nil // only ctx can end the wait
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ends.C:
			return nil
		case free <- struct{}{}:
		}
		text := prose(random, fmt.Sprintf("%s, %d:", d.name, n), c.Bytes)
		if err := d.mutate(ctx, "", func(tx *client.Tx) {
			tx.Edit(notes, noteID(random.IntN(c.Records))).Set("title", text)
		}, func(protocol.Verdict, uint64) { <-free }); err != nil {
			return err
		}
	}
}

// words are what prose is made of: text that packs about as well as people's.
var words = strings.Fields("a ahead all anchor and at ballast bay beacon boat bridge buoy by calm captain cargo chart coast " +
	"compass crew current deck deep depth dock drift ebb ferry fish flag flood fog for from gale galley gate gull harbour " +
	"helm high hull in island jetty keel knot lantern lee lighthouse line log low mast moor moon net north oar of on over " +
	"pier pilot port quay reef rope rudder sail salt sand sea shore signal sound south spring storm surf tide to under wave")

// prose returns a text of so many bytes.
func prose(random *rand.Rand, begin string, bytes int) string {
	text := make([]byte, 0, bytes+16)
	for text = append(text, begin...); len(text) < bytes; {
		text = append(append(text, ' '), words[random.IntN(len(words))]...)
	}
	return string(text[:bytes])
}

// check counts the records: what stands in them, the oracle knows.
func (c *SteadyCommand) check(r *Report, _ int, state []protocol.RecordState) int {
	found := 0
	for i := range state {
		if state[i].Collection == notes {
			found++
		}
	}
	if found != c.Records {
		r.Lost += max(0, c.Records-found)
		r.fail("%d of %d records are there", found, c.Records)
	}
	return found
}
