package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/tidegate/tidegate/loadtest"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// logPageBytes is how much of a log is read at once.
const logPageBytes = 4 << 20

// logCommand shows the log of a space: its history, and the proof of it.
type logCommand struct {
	Space  string `required:"" placeholder:"NAME" help:"The space."`
	Tenant string `default:"${default_tenant}" placeholder:"NAME" help:"Its tenant (${default})."`
	Store  string `default:"file:tidegate.db" placeholder:"file:PATH|dynamodb://TABLE" env:"TIDEGATE_STORE" help:"The store (${default}). A file may not be open in a gateway."`
	From   uint64 `default:"1" placeholder:"SEQ" help:"The first commit to show."`
	Raw    bool   `help:"Write the commits as they are stored, each after its length as a uvarint, for other programs."`
}

// Help teaches.
func (logCommand) Help() string {
	return `Every commit of a space, with who did what, when, and what became of it:

  tidegate log --space board
  tidegate log --space board --from 100`
}

// Run shows the log.
func (l *logCommand) Run(stdout io.Writer) (err error) {
	ctx := context.Background()
	store, err := existingStore(ctx, l.Store, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	out := bufio.NewWriter(stdout)
	if err := l.show(ctx, store, out); err != nil {
		return err
	}
	return out.Flush()
}

// show writes the log of the space, a page at a time. Names are numbered from the
// log's beginning on, so it is read from there whatever is shown.
func (l *logCommand) show(ctx context.Context, store space.Store, out io.Writer) error {
	key := space.Key{Tenant: l.Tenant, Space: l.Space}
	names := protocol.NewNameTable()
	for next := uint64(1); ; {
		page, err := store.Log(ctx, key, next, logPageBytes)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			if next == 1 {
				return fmt.Errorf("there is no space %q of tenant %q in %s", l.Space, l.Tenant, l.Store)
			}
			return nil
		}
		if page[0].Seq != next && !l.Raw {
			return fmt.Errorf("the log begins with commit %d: what came before has expired, and with it names that later commits use; --raw shows it as it is stored", page[0].Seq)
		}
		for _, entry := range page {
			next = entry.Seq + 1
			if l.Raw {
				if entry.Seq >= l.From {
					_, err = out.Write(loadtest.AppendLogEntry(nil, entry.Data))
				}
			} else {
				var commit *protocol.Commit
				if commit, err = protocol.DecodeCommit(entry.Data, names); err != nil {
					return fmt.Errorf("commit %d: %w", entry.Seq, err)
				}
				if entry.Seq >= l.From {
					err = showCommit(out, commit)
				}
			}
			if err != nil {
				return err
			}
		}
	}
}

// showCommit writes a commit for people.
func showCommit(out io.Writer, c *protocol.Commit) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d  %s\n", c.Seq, time.UnixMilli(int64(c.Time)).UTC().Format("2006-01-02 15:04:05.000"))
	for _, m := range c.Mutations {
		fmt.Fprintf(&b, "  %s  %v/%d  base %d  %s\n", m.Author.User, m.Author.Device, m.Counter, m.Base, showVerdict(m.Verdict))
		for _, change := range m.Changes {
			fmt.Fprintf(&b, "    %s\n", showChange(change))
		}
	}
	for _, conflict := range c.Conflicts {
		what := "settled by"
		if conflict.Open {
			what = "left to a person by"
		}
		fmt.Fprintf(&b, "  conflict over %s/%s %s, %s %s: kept %v by %s, lost %v by %s\n",
			conflict.Collection, conflict.ID, conflict.Field, what, conflict.Policy,
			conflict.Kept.Value, conflict.Kept.Author.User, conflict.Lost.Value, conflict.Lost.Author.User)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func showVerdict(v protocol.Verdict) string {
	text := v.Outcome.String()
	if v.Code != "" {
		text += fmt.Sprintf(" (%s: %s)", v.Code, v.Message)
	}
	for _, op := range v.Ops {
		if op.Code != "" {
			text += fmt.Sprintf(" (%s: %s)", op.Code, op.Message)
		}
	}
	return text
}

// changeWords say what happened to a record.
var changeWords = map[protocol.ChangeKind]string{
	protocol.ChangeFields: "changed", protocol.ChangeCreate: "created",
	protocol.ChangeDelete: "deleted", protocol.ChangeUndelete: "undeleted",
}

func showChange(c protocol.Change) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s/%s", changeWords[c.Kind], c.Collection, c.ID)
	for _, f := range c.Fields {
		fmt.Fprintf(&b, "  %s", f.Field)
		switch f.Kind {
		case protocol.FieldPut:
			fmt.Fprintf(&b, " = %v", f.Value)
		case protocol.FieldUnset:
			b.WriteString(" removed")
		case protocol.SetAdded:
			fmt.Fprintf(&b, " + %v", f.Value)
		case protocol.SetRemoved:
			fmt.Fprintf(&b, " - %v", f.Value)
		case protocol.SetKept:
			fmt.Fprintf(&b, " keeps %v", f.Value)
		case protocol.ListPut:
			fmt.Fprintf(&b, " inserts %v", f.Value)
		case protocol.ListMoved:
			fmt.Fprintf(&b, " moves %s", f.Element)
		case protocol.ListSet:
			fmt.Fprintf(&b, " has %v", f.Value)
		case protocol.ListRemoved:
			fmt.Fprintf(&b, " removes %s", f.Element)
		}
	}
	return b.String()
}
