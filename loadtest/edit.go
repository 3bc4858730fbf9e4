package loadtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/protocol"
)

// EditCommand has devices edit records at random.
type EditCommand struct {
	Options
	Devices   int           `default:"20" placeholder:"N" help:"Devices in each space (${default})."`
	Spaces    int           `default:"1" placeholder:"N" help:"Spaces (${default})."`
	Records   int           `default:"30" placeholder:"N" help:"Records in each space to begin with (${default})."`
	Mutations int           `default:"100" placeholder:"N" help:"Mutations that each device makes (${default}); 0 for as many as --duration allows."`
	Duration  time.Duration `placeholder:"DURATION" help:"Stop making mutations after this time."`
	Rate      float64       `placeholder:"N" help:"Mutations a second and device; by default as many as are answered."`
	Offline   float64       `default:"0.2" placeholder:"SHARE" help:"Share of its mutations that a device makes off the network (${default})."`
}

// Help teaches.
func (EditCommand) Help() string {
	return `Devices make mutations of one to three random edits: every policy, groups, nested fields, lists, deletes of both kinds,
preconditions, open conflicts and their resolution. Now and then a device leaves the network, goes on editing, and
comes back.

In the end every counter must be the sum of what was acknowledged, every maximum and minimum and every set what the
devices made of it, and all else what the log says.`
}

// Validate refuses numbers that make no sense.
func (c *EditCommand) Validate() error {
	switch {
	case c.Devices < 1 || c.Spaces < 1 || c.Records < 1:
		return fmt.Errorf("--devices, --spaces and --records must be at least 1")
	case c.Records > 10_000:
		return fmt.Errorf("--records must be at most 10000")
	case c.Mutations < 0 || c.Rate < 0 || c.Duration < 0:
		return fmt.Errorf("--mutations, --duration and --rate must not be negative")
	case c.Mutations == 0 && c.Duration == 0:
		return fmt.Errorf("say when to stop: --mutations or --duration")
	case c.Offline < 0 || c.Offline > 0.9:
		return fmt.Errorf("--offline must be between 0 and 0.9")
	}
	return c.Options.Validate()
}

// Run has the devices edit.
func (c *EditCommand) Run() error {
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

// scenario prepares the run.
func (c *EditCommand) scenario() (*scenario, error) {
	schema, err := schemaFiles("edit")
	if err != nil {
		return nil, err
	}
	e := &edits{command: c}
	s := &scenario{
		name:      "edit",
		files:     schema,
		mutations: c.Spaces*c.Devices*c.Mutations + c.Spaces*(c.Records/recordsAtOnce+1),
		act:       e.act,
		tag:       func(*protocol.Mutation) string { return "" },
		check:     e.check,
	}
	if c.Mutations == 0 {
		s.mutations = -1
	}
	for range c.Spaces {
		s.boards = append(s.boards, c.Devices)
		e.boards = append(e.boards, newTally())
	}
	return s, nil
}

// The schema of the scenario: see schemas/edit.
const (
	notes  = "notes"
	drafts = "drafts"
	pages  = "pages"
)

const (
	// recordsAtOnce is how many records one mutation creates at the beginning.
	recordsAtOnce = 100
	// unanswered is how many mutations a connected device has under way.
	unanswered = 8
	// offlineRun is about how many mutations a device makes in one absence.
	offlineRun = 10
	// ownTags is how many elements each device adds to and removes from a set.
	ownTags = 3
)

// edits is the state of a run, shared by its devices.
type edits struct {
	command *EditCommand
	boards  []*tally
}

// act makes the mutations of one device.
func (e *edits) act(ctx context.Context, d *device) error {
	c := e.command
	random := c.random(d.index, d.number())
	if d.index == 0 {
		if err := e.populate(ctx, d); err != nil {
			return err
		}
	}
	for len(d.space.Collection(notes).All()) < c.Records {
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
		}
	}
	var deadline <-chan time.Time
	if c.Duration > 0 {
		timer := time.NewTimer(c.Duration)
		defer timer.Stop()
		deadline = timer.C
	}
	limit := rate.NewLimiter(rate.Inf, 1)
	if c.Rate > 0 {
		limit = rate.NewLimiter(rate.Limit(c.Rate), 1)
	}
	free := make(chan struct{}, unanswered)
	absence := 0
	for n := 0; c.Mutations == 0 || n < c.Mutations; n++ {
		if limit.Wait(ctx) != nil {
			return nil // only ctx can end the wait
		}
		if absence > 0 {
			if absence--; absence == 0 {
				d.setOffline(false)
			}
		} else if random.Float64() < c.Offline/offlineRun/(1-c.Offline) {
			absence = 1 + random.IntN(2*offlineRun)
			d.setOffline(true)
		}
		release := func() {}
		if absence == 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-deadline:
				return nil
			case free <- struct{}{}:
				release = func() { <-free }
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-deadline:
			return nil
		default:
		}
		if err := e.mutate(ctx, d, random, n, release); err != nil {
			return err
		}
	}
	return nil
}

// populate creates the records that everybody then edits.
func (e *edits) populate(ctx context.Context, d *device) error {
	for first := 0; first < e.command.Records; first += recordsAtOnce {
		err := d.mutate(ctx, "", func(tx *client.Tx) {
			for i := first; i < min(first+recordsAtOnce, e.command.Records); i++ {
				tx.Create(notes, noteID(i), map[string]any{
					"title": fmt.Sprintf("note %d", i), "code": i, "start": 10, "end": 20,
					"place": map[string]any{"city": "Emden", "street": "Am Siel"},
				})
			}
		}, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

func noteID(i int) string { return fmt.Sprintf("note-%d", i) }

// mutate makes one random mutation.
func (e *edits) mutate(ctx context.Context, d *device, random *rand.Rand, n int, release func()) error {
	var effects []effect
	return d.mutate(ctx, "", func(tx *client.Tx) {
		edit := &randomEdit{tx: tx, random: random, device: d, n: n, records: e.command.Records}
		for range 1 + random.IntN(3) {
			edit.one()
		}
		switch random.IntN(40) {
		case 0:
			tx.Whole()
		case 1:
			tx.RequireUnchanged(notes, edit.note(), "")
		}
		effects = edit.effects
	}, func(v protocol.Verdict, _ uint64) {
		release()
		if v.Outcome == protocol.Rejected {
			if err := d.discardRejected(); err != nil {
				d.run.abort(err)
			}
		}
		e.boards[d.number()].settle(effects, v)
	})
}

// effect is something that an op must have done if it was not rejected.
type effect struct {
	// op is the op's index in its mutation.
	op     int
	record string
	// order is the mutation's number on its device.
	order int
	field string
	// number is added, or a bound; tag is added if number is 1, and removed if 0.
	number int64
	tag    string
}

// tally is what must be true of one space in the end.
type tally struct {
	mu sync.Mutex
	// guarded by mu
	numbers map[[2]string]int64
	bounded map[[2]string]bool
	tags    map[[2]string]effect // by record and tag
}

func newTally() *tally {
	return &tally{numbers: map[[2]string]int64{}, bounded: map[[2]string]bool{}, tags: map[[2]string]effect{}}
}

// settle counts the effects of a mutation, less those of rejected ops.
func (t *tally) settle(effects []effect, v protocol.Verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v.Outcome == protocol.Rejected && len(v.Ops) == 0 {
		return
	}
	for _, x := range effects {
		if len(v.Ops) > x.op && v.Ops[x.op].Outcome == protocol.Rejected {
			continue
		}
		at := [2]string{x.record, x.field}
		switch x.field {
		case "hits":
			t.numbers[at] += x.number
		case "high", "low":
			old, known := t.numbers[at]
			if !known || x.field == "high" && x.number > old || x.field == "low" && x.number < old {
				t.numbers[at] = x.number
			}
		case "tags":
			at[1] = x.tag
			// Of two in one mutation, the later one comes last.
			if old, known := t.tags[at]; !known || x.order >= old.order {
				t.tags[at] = x
			}
		}
	}
}

// check compares the notes with the tally: the other collections have deletes,
// and so depend on who was faster.
func (e *edits) check(r *Report, board int, state []protocol.RecordState) int {
	t := e.boards[board]
	t.mu.Lock()
	defer t.mu.Unlock()
	found := map[string]*protocol.RecordState{}
	for i := range state {
		if state[i].Collection == notes {
			found[state[i].ID] = &state[i]
		}
	}
	for i := range e.command.Records {
		id := noteID(i)
		rec := found[id]
		if rec == nil {
			r.Lost++
			r.fail("%s is not there", id)
			continue
		}
		t.compare(r, rec)
	}
	return e.command.Records
}

func (t *tally) compare(r *Report, rec *protocol.RecordState) {
	for _, field := range []string{"hits", "high", "low"} {
		want, known := t.numbers[[2]string{rec.ID, field}]
		v := plain(rec, field)
		have, _ := v.Int()
		switch {
		case v.IsAbsent() && known && (want != 0 || field != "hits"):
			r.Lost++
			r.fail("%s has no %s, it should be %d", rec.ID, field, want)
		case !v.IsAbsent() && !known:
			r.Duplicated++
			r.fail("%s has %s %d, but nobody was told that they had changed it", rec.ID, field, have)
		case have < want && field != "low", have > want && field == "low":
			r.Lost++
			r.fail("%s has %s %d, it should be %d", rec.ID, field, have, want)
		case have != want:
			r.Duplicated++
			r.fail("%s has %s %d, it should be %d", rec.ID, field, have, want)
		}
	}
	have := map[string]bool{}
	for _, v := range elements(rec, "tags") {
		tag, _ := v.Text()
		have[tag] = true
		if x := t.tags[[2]string{rec.ID, tag}]; x.number != 1 {
			r.Duplicated++
			r.fail("%s has the tag %s, which its device had removed or never added", rec.ID, tag)
		}
	}
	for at, x := range t.tags {
		if at[0] == rec.ID && x.number == 1 && !have[at[1]] {
			r.Lost++
			r.fail("%s has not the tag %s, which its device had added", rec.ID, at[1])
		}
	}
}

// randomEdit makes random ops within one mutation.
type randomEdit struct {
	tx      *client.Tx
	random  *rand.Rand
	device  *device
	n       int
	records int
	ops     int
	effects []effect
}

func (e *randomEdit) note() string { return noteID(e.random.IntN(e.records)) }

// did notes the effect of the op that was just made.
func (e *randomEdit) did(x effect) {
	x.op, x.order = e.ops-1, e.n
	e.effects = append(e.effects, x)
}

// one makes one op.
func (e *randomEdit) one() {
	id := e.note()
	note := e.tx.Edit(notes, id)
	if note.Record() == nil {
		return
	}
	e.ops++
	word := fmt.Sprintf("%s/%d", e.device.name, e.n)
	switch number := e.random.Int64N(1000); e.random.IntN(16) {
	case 0, 1, 2:
		note.Add("hits", number)
		e.did(effect{record: id, field: "hits", number: number})
	case 3:
		note.Max("high", number)
		e.did(effect{record: id, field: "high", number: number})
	case 4:
		note.Min("low", number)
		e.did(effect{record: id, field: "low", number: number})
	case 5:
		tag := fmt.Sprintf("%d-%d", e.device.index, e.random.IntN(ownTags))
		if number%3 == 0 {
			note.SetRemove("tags", tag)
			e.did(effect{record: id, field: "tags", tag: tag})
		} else {
			note.SetAdd("tags", tag)
			e.did(effect{record: id, field: "tags", tag: tag, number: 1})
		}
	case 6:
		note.Set("title", word)
	case 7:
		note.Set("owner", word)
	case 8:
		note.Set("code", number)
	case 9:
		note.Set("verdict", word)
	case 10:
		note.SetGroup(map[string]any{"start": number, "end": number + 10})
	case 11:
		note.Set("place.city", word)
	case 12, 13:
		e.line(note, word)
	case 14:
		e.resolve(note, word)
	case 15:
		e.disposable(word)
	}
}

// line edits a list.
func (e *randomEdit) line(note *client.Edit, word string) {
	lines := note.Record().Elements("lines")
	if len(lines) < 3 {
		note.ListInsert("lines", e.random.IntN(len(lines)+1), word)
		return
	}
	element := lines[e.random.IntN(len(lines))].Element
	choice := e.random.IntN(4)
	if len(lines) > 20 {
		choice = 3
	}
	switch choice {
	case 0:
		note.ListInsert("lines", e.random.IntN(len(lines)+1), word)
	case 1:
		note.ListMove("lines", element, e.random.IntN(len(lines)))
	case 2:
		note.ListSet("lines", element, word)
	case 3:
		note.ListRemove("lines", element)
	}
}

// resolve closes an open conflict, or makes one likelier if there is none.
func (e *randomEdit) resolve(note *client.Edit, word string) {
	// A conflict that this mutation has resolved already is not there any more.
	conflicts := slices.DeleteFunc(e.device.space.OpenConflicts(), func(o *client.OpenConflict) bool {
		return e.tx.Get(protocol.ConflictCollection, o.ID) == nil
	})
	if len(conflicts) == 0 {
		note.Set("verdict", word)
		return
	}
	e.tx.Resolve(conflicts[e.random.IntN(len(conflicts))].ID, word)
}

// disposable creates, edits, deletes or undeletes a record of the two
// collections in which that happens.
func (e *randomEdit) disposable(word string) {
	collection := []string{drafts, pages}[e.random.IntN(2)]
	id := fmt.Sprintf("%s-%d", collection, e.random.IntN(max(e.records/4, 1)))
	record := e.tx.Get(collection, id)
	edit := e.tx.Edit(collection, id)
	switch choice := e.random.IntN(6); {
	case record == nil && choice < 4:
		e.tx.Create(collection, id, map[string]any{"text": word})
	case record == nil:
		e.tx.Undelete(collection, id)
	case choice == 0:
		e.tx.Delete(collection, id)
	case choice < 3:
		edit.Set("text", word)
	case choice == 3:
		edit.Add("hits", 1)
	default:
		edit.SetAdd("tags", word)
	}
}

// number is the index of the device's space.
func (d *device) number() int { return slices.Index(d.run.boards, d.board) }
