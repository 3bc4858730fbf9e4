package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

const (
	// demoLogCommits is how many commits one answer holds, the newest ones. The
	// history of one record is told from its beginning.
	demoLogCommits = 200
	// demoLogPage is how many bytes of the log are read at once.
	demoLogPage = 1 << 20
)

// The log as the page shows it: who did what, when, and what became of it.
type (
	logEntry struct {
		Seq       uint64        `json:"seq"`
		Time      protocol.Time `json:"time"`
		Bytes     int           `json:"bytes"` // as stored
		Mutations []logMutation `json:"mutations"`
		Conflicts []logConflict `json:"conflicts,omitempty"`
	}
	logMutation struct {
		User    string      `json:"user"`
		Device  string      `json:"device"`
		Base    uint64      `json:"base"`
		Outcome string      `json:"outcome"`
		Code    string      `json:"code,omitempty"`
		Message string      `json:"message,omitempty"`
		Changes []logChange `json:"changes,omitempty"`
	}
	logChange struct {
		Collection string     `json:"collection"`
		ID         string     `json:"id"`
		Kind       string     `json:"kind"`
		Fields     []logField `json:"fields,omitempty"`
	}
	logField struct {
		Field   string `json:"field"`
		Kind    string `json:"kind"`
		Value   any    `json:"value,omitempty"`
		Element string `json:"element,omitempty"`
	}
	logConflict struct {
		Collection string `json:"collection"`
		ID         string `json:"id"`
		Field      string `json:"field"`
		Open       bool   `json:"open"`
		Kept       string `json:"kept"` // whose value stands
		Lost       string `json:"lost"` // whose does not
	}
)

var logChangeKinds = map[protocol.ChangeKind]string{
	protocol.ChangeFields: "fields", protocol.ChangeCreate: "create",
	protocol.ChangeDelete: "delete", protocol.ChangeUndelete: "undelete",
}

var logFieldKinds = map[protocol.FieldChangeKind]string{
	protocol.FieldPut: "put", protocol.FieldUnset: "unset",
	protocol.SetAdded: "added", protocol.SetRemoved: "removed", protocol.SetKept: "kept",
	protocol.ListPut: "inserted", protocol.ListMoved: "moved", protocol.ListSet: "set", protocol.ListRemoved: "taken",
}

// serveLog answers with a space's newest commits: those after the seq "after",
// and with "collection" and "id" those that changed this record, all fields of
// other records left out.
func (d *demo) serveLog(w http.ResponseWriter, r *http.Request) {
	key, ok := d.spaceOf(w, r)
	if !ok {
		return
	}
	var after uint64
	if text := r.FormValue("after"); text != "" {
		var err error
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			http.Error(w, `"after" is the seq of a commit`, http.StatusBadRequest)
			return
		}
	}
	entries, err := readLog(r.Context(), d.cfg.Store, key, after, r.FormValue("collection"), r.FormValue("id"))
	if err != nil {
		d.cfg.Log.Error("reading a log for the page", "tenant", key.Tenant, "space", key.Space, "error", err)
		http.Error(w, "the log cannot be read", http.StatusInternalServerError)
		return
	}
	sendJSON(w, map[string]any{"commits": entries})
}

// readLog returns the newest commits after a seq, oldest first. Names are
// numbered from the log's beginning on, so it is read from there; that is for
// development, where logs are short.
func readLog(ctx context.Context, store space.Store, key space.Key, after uint64, collection, id string) ([]logEntry, error) {
	names := protocol.NewNameTable()
	found := []logEntry{}
	for next := uint64(1); ; {
		page, err := store.Log(ctx, key, next, demoLogPage)
		if err != nil || len(page) == 0 {
			return found, err
		}
		if page[0].Seq != next {
			return nil, fmt.Errorf("the log begins with commit %d", page[0].Seq)
		}
		for _, item := range page {
			next = item.Seq + 1
			commit, err := protocol.DecodeCommit(item.Data, names)
			if err != nil {
				return nil, fmt.Errorf("commit %d: %w", item.Seq, err)
			}
			if item.Seq <= after {
				continue
			}
			entry := entryOf(commit, collection, id)
			entry.Bytes = len(item.Data)
			if collection != "" && len(entry.Mutations) == 0 {
				continue
			}
			found = append(found, entry)
		}
		if n := len(found) - demoLogCommits; n > 0 && collection == "" {
			found = append(found[:0], found[n:]...)
		}
	}
}

// entryOf makes the page's form of a commit, of one record if a collection is
// named.
func entryOf(c *protocol.Commit, collection, id string) logEntry {
	entry := logEntry{Seq: c.Seq, Time: c.Time, Mutations: []logMutation{}}
	about := func(in, of string) bool { return collection == "" || in == collection && of == id }
	for i := range c.Mutations {
		m := &c.Mutations[i]
		made := logMutation{
			User: m.Author.User, Device: m.Author.Device.String(), Base: m.Base,
			Outcome: m.Verdict.Outcome.String(), Code: string(m.Verdict.Code), Message: m.Verdict.Message,
		}
		for _, op := range m.Verdict.Ops {
			if made.Code == "" && op.Code != "" {
				made.Code, made.Message = string(op.Code), op.Message
			}
		}
		for _, change := range m.Changes {
			if about(change.Collection, change.ID) {
				made.Changes = append(made.Changes, changeOf(&change))
			}
		}
		if collection == "" || len(made.Changes) > 0 {
			entry.Mutations = append(entry.Mutations, made)
		}
	}
	for _, conflict := range c.Conflicts {
		if about(conflict.Collection, conflict.ID) {
			entry.Conflicts = append(entry.Conflicts, logConflict{
				Collection: conflict.Collection, ID: conflict.ID, Field: conflict.Field, Open: conflict.Open,
				Kept: conflict.Kept.Author.User, Lost: conflict.Lost.Author.User,
			})
		}
	}
	return entry
}

func changeOf(c *protocol.Change) logChange {
	change := logChange{Collection: c.Collection, ID: c.ID, Kind: logChangeKinds[c.Kind]}
	for _, f := range c.Fields {
		field := logField{Field: f.Field, Kind: logFieldKinds[f.Kind], Element: f.Element}
		if !f.Value.IsAbsent() {
			field.Value = f.Value.Any()
		}
		change.Fields = append(change.Fields, field)
	}
	return change
}
