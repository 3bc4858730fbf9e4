package loadtest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/protocol"
)

// ReplayCommand replays a history.
type ReplayCommand struct {
	File string `arg:"" type:"existingfile" help:"A history: JSON lines with n, author, time, parents, title and files ([A, M or D, path]), gzipped if its name ends in .gz."`
	Options
	Entries int `placeholder:"N" help:"Replay only the first N entries."`
}

// Help teaches.
func (ReplayCommand) Help() string {
	return `Each author is a device, each entry of the history a mutation, each file a record: who changed it last and when (lww,
as a group), how often (counter), who ever did (set), the last titles (list); D deletes it. A device makes an entry's
mutation as soon as its cursor covers the entry's parents, so what was concurrent in the history is so again.

Whatever the timing, the counters and sets of all files that live in the end must be what the history says, and which
files do must be so wherever the history leaves no choice.`
}

// Run replays the history.
func (c *ReplayCommand) Run() error {
	if err := c.prepare(); err != nil {
		return err
	}
	h, err := readHistory(c.File)
	if err != nil {
		return &UsageError{err}
	}
	s, err := replayScenario(h.first(c.Entries))
	if err != nil {
		return err
	}
	return play(&c.Options, s)
}

// The schema of the replay: see schemas/replay/files.json.
const (
	files      = "files"
	lastAuthor = "lastAuthor"
	lastTime   = "lastTime"
	changes    = "changes"
	authors    = "authors"
	titles     = "titles"
	// titlesKept is how many titles a device leaves in a list when it adds one.
	titlesKept = 8
)

// replay is the state of a replay, shared by its devices.
type replay struct {
	// static after replayScenario
	history *history
	seen    ancestry
	// byDevice are the entries of each device, in order.
	byDevice [][]int
	// deviceOf is the device of each author.
	deviceOf map[int]int
	// children are the devices that wait for an entry.
	children [][]int
	// born are, for each path, the entries that add or change it.
	born map[string][]int
	// deletes are the paths that are ever deleted.
	deletes map[string]bool

	mu sync.Mutex
	// guarded by mu: a seq at or below which each entry stands, 0 while it has no
	// verdict
	seqs []uint64
}

// replayScenario prepares the replay of a history.
func replayScenario(h *history) (*scenario, error) {
	schema, err := schemaFiles("replay")
	if err != nil {
		return nil, err
	}
	p := &replay{
		history:  h,
		seen:     h.ancestry(),
		deviceOf: map[int]int{},
		children: make([][]int, len(h.entries)),
		born:     map[string][]int{},
		deletes:  map[string]bool{},
		seqs:     make([]uint64, len(h.entries)),
	}
	mutations := 0
	for _, e := range h.entries {
		d, known := p.deviceOf[e.Author]
		if !known {
			d = len(p.byDevice)
			p.deviceOf[e.Author] = d
			p.byDevice = append(p.byDevice, nil)
		}
		p.byDevice[d] = append(p.byDevice[d], e.N)
		for _, parent := range e.Parents {
			if !slices.Contains(p.children[parent], d) {
				p.children[parent] = append(p.children[parent], d)
			}
		}
		for _, c := range e.Files {
			if c.Kind == 'D' {
				p.deletes[c.Path] = true
			} else {
				p.born[c.Path] = append(p.born[c.Path], e.N)
			}
		}
		if len(e.Files) > 0 {
			mutations++
		}
	}
	return &scenario{
		name:      "replay",
		files:     schema,
		boards:    []int{len(p.byDevice)},
		mutations: mutations,
		act:       p.act,
		tag:       replayTag,
		check:     p.check,
	}, nil
}

// act makes the mutations of one author.
func (p *replay) act(ctx context.Context, d *device) error {
	todo := slices.Clone(p.byDevice[d.index])
	for len(todo) > 0 {
		if err := ctx.Err(); err != nil {
			return nil // who cancelled says why
		}
		cursor := d.space.Cursor().Seq
		i := slices.IndexFunc(todo, func(n int) bool { return p.ready(n, cursor) })
		if i < 0 {
			select {
			case <-ctx.Done():
			case <-d.wake:
			}
			continue
		}
		n := todo[i]
		todo = slices.Delete(todo, i, i+1)
		if err := p.make(ctx, d, n, cursor); err != nil {
			return err
		}
	}
	return nil
}

// ready says whether a cursor covers what the author of an entry had seen.
func (p *replay) ready(n int, cursor uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, parent := range p.history.entries[n].Parents {
		if seq := p.seqs[parent]; seq == 0 || seq > cursor {
			return false
		}
	}
	return true
}

// make makes the mutation of an entry.
func (p *replay) make(ctx context.Context, d *device, n int, cursor uint64) error {
	e := &p.history.entries[n]
	if len(e.Files) == 0 {
		// Nothing to write: whoever waits for the entry waits for its parents.
		p.done(d.board, n, max(cursor, 1))
		return nil
	}
	return d.mutate(ctx, e.tag(), func(tx *client.Tx) {
		for _, c := range e.Files {
			p.edit(tx, e, c)
		}
	}, func(v protocol.Verdict, upTo uint64) {
		if v.Outcome == protocol.Rejected {
			if err := d.discardRejected(); err != nil {
				d.run.abort(err)
			}
		}
		p.done(d.board, n, upTo)
	})
}

// edit makes the ops for one file. Ops are judged each by itself, so a create
// that comes second fails alone, and the changes behind it count.
func (p *replay) edit(tx *client.Tx, e *entry, c change) {
	if c.Kind == 'D' {
		tx.Delete(files, c.Path)
		return
	}
	if tx.Get(files, c.Path) == nil {
		// Not there: it was deleted, if anything that this entry had seen made it,
		// or it never was. Where that cannot be known, both ways are tried, since one
		// of them has no effect.
		made := slices.ContainsFunc(p.born[c.Path], func(n int) bool { return n != e.N && p.seen.saw(e.N, n) })
		if !made {
			tx.Create(files, c.Path, nil)
		}
		if made || p.deletes[c.Path] {
			tx.Undelete(files, c.Path)
		}
	}
	edit := tx.Edit(files, c.Path)
	edit.SetGroup(map[string]any{lastAuthor: e.Author, lastTime: e.Time})
	edit.Add(changes, 1)
	edit.SetAdd(authors, e.Author)
	if r := edit.Record(); r != nil {
		old := r.Elements(titles)
		for _, element := range old[:max(0, len(old)-titlesKept+1)] {
			edit.ListRemove(titles, element.Element)
		}
	}
	edit.ListAppend(titles, map[string]any{"n": e.N, "title": e.Title})
}

// done says that an entry stands at or below seq, and wakes who waited for it.
func (p *replay) done(b *board, n int, seq uint64) {
	p.mu.Lock()
	p.seqs[n] = seq
	p.mu.Unlock()
	for _, d := range p.children[n] {
		b.devices[d].signal()
	}
}

// tag names an entry's mutation; entries that only delete have none.
func (e *entry) tag() string {
	for _, c := range e.Files {
		if c.Kind != 'D' {
			return fmt.Sprintf("entry %d", e.N)
		}
	}
	return ""
}

// replayTag finds the tag in a mutation: every title carries its entry's number.
func replayTag(m *protocol.Mutation) string {
	for i := range m.Ops {
		if m.Ops[i].Kind != protocol.OpListInsert {
			continue
		}
		if title, ok := m.Ops[i].Value.Any().(map[string]any); ok {
			return fmt.Sprintf("entry %v", title["n"])
		}
	}
	return ""
}

// check compares the records with what follows from the history alone.
func (p *replay) check(r *Report, _ int, state []protocol.RecordState) int {
	records := map[string]*protocol.RecordState{}
	for i := range state {
		if state[i].Collection == files {
			records[state[i].ID] = &state[i]
		}
	}
	exact := 0
	for _, x := range p.history.expect() {
		rec := records[x.path]
		delete(records, x.path)
		if x.fate != open {
			exact++
		}
		switch {
		case rec == nil && x.fate == living:
			r.Lost++
			r.fail("%s is not there, but nobody deleted it last", x.path)
		case rec != nil && x.fate == gone:
			r.fail("%s is there, but it was deleted last", x.path)
		case rec != nil:
			x.compare(r, rec)
		}
	}
	for path := range records {
		r.fail("%s is there, but not in the history", path)
	}
	return exact
}

// compare compares a record that lives with what its history says.
func (x *expected) compare(r *Report, rec *protocol.RecordState) {
	count, _ := plain(rec, changes).Int()
	if d := x.changes - count; d > 0 {
		r.Lost += int(d)
		r.fail("%s counts %d changes, its history has %d", x.path, count, x.changes)
	} else if d < 0 {
		r.Duplicated += int(-d)
		r.fail("%s counts %d changes, its history has only %d", x.path, count, x.changes)
	}
	var have []int64
	for _, v := range elements(rec, authors) {
		n, _ := v.Int()
		have = append(have, n)
	}
	slices.Sort(have)
	if !slices.Equal(have, x.authors) {
		r.Lost++
		r.fail("%s has the authors %v, its history %v", x.path, have, x.authors)
	}
	if last, _ := plain(rec, lastAuthor).Int(); x.last >= 0 && last != x.last {
		r.Lost++
		r.fail("%s was last changed by %d, says its history, not %d", x.path, x.last, last)
	}
}

// plain is the value of a plain field, absent if there is none.
func plain(rec *protocol.RecordState, field string) protocol.Value {
	for _, f := range rec.Fields {
		if f.Field == field {
			return f.Value
		}
	}
	return protocol.Value{}
}

// elements are the values in a set or list field.
func elements(rec *protocol.RecordState, field string) []protocol.Value {
	var values []protocol.Value
	for _, f := range rec.Fields {
		if f.Field == field {
			for _, e := range f.Elements {
				values = append(values, e.Value)
			}
		}
	}
	return values
}
