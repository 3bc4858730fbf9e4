package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/tidegate/tidegate/bolt"
	"github.com/tidegate/tidegate/dynamo"
	"github.com/tidegate/tidegate/transfer"
)

// transferFlags are what export and import have in common.
type transferFlags struct {
	Store  string   `default:"file:tidegate.db" placeholder:"file:PATH|dynamodb://TABLE" env:"TIDEGATE_STORE" help:"The store (${default})."`
	Tenant []string `sep:"none" placeholder:"NAME" help:"Only the spaces of this tenant. May be repeated."`
	Space  []string `sep:"none" placeholder:"NAME" help:"Only spaces of this name. May be repeated."`
	JSON   string   `name:"json" placeholder:"FILE" help:"Write what was done as JSON."`
}

// run does the work until it is done or a signal comes.
func (f *transferFlags) run(work func(context.Context, transfer.Options) (transfer.Report, error), bar *transferBar) (transfer.Report, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	report, err := work(ctx, transfer.Options{
		Select:    transfer.Selection{Tenants: f.Tenant, Spaces: f.Space},
		Permanent: isPermanent,
		Progress:  bar.show,
	})
	bar.end()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = errors.New("interrupted; the same command goes on where it stopped")
	}
	if f.JSON != "" {
		err = errors.Join(err, f.writeReport(report, err))
	}
	return report, err
}

// writeReport writes the report, with the error if there is one.
func (f *transferFlags) writeReport(report transfer.Report, failed error) error {
	content := struct {
		OK    bool   `json:"ok"`
		Error string `json:"error,omitempty"`
		transfer.Report
	}{OK: failed == nil && len(report.Differences) == 0, Report: report}
	if failed != nil {
		content.Error = failed.Error()
	}
	data, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.JSON, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("--json: %w", err)
	}
	return nil
}

// refuseMemory refuses what would be gone with this process.
func (f *transferFlags) refuseMemory() error {
	if f.Store == "memory:" {
		return usageError{errors.New("--store memory: holds nothing before this program starts, and nothing when it ends: name a file: or a dynamodb: store")}
	}
	return nil
}

// isPermanent tells errors that stay from those that asking again can mend.
func isPermanent(err error) bool {
	for _, stays := range []error{
		bolt.ErrCorrupt, bolt.ErrStopped, bolt.ErrClosed,
		dynamo.ErrConfig, dynamo.ErrNoTable, dynamo.ErrSchema, dynamo.ErrReplicas, dynamo.ErrPermission,
		dynamo.ErrCredentials, dynamo.ErrTooLarge, dynamo.ErrForeign, dynamo.ErrClosed,
	} {
		if errors.Is(err, stays) {
			return true
		}
	}
	return false
}

// transferLog is where what is found in a store is logged.
func transferLog() *slog.Logger { return slog.New(slog.NewTextHandler(os.Stderr, nil)) }

// showAmount says in words what a report counts.
func showAmount(r transfer.Report) string {
	text := fmt.Sprintf("%s, %s, %s, %s", plural(r.Spaces, "space"), plural(r.Commits, "commit"), plural(r.Items, "item"), showBytes(r.Bytes))
	if a := r.Already; a != (transfer.Amount{}) {
		text += fmt.Sprintf("; there already: %s, %s, %s", plural(a.Spaces, "whole space"), plural(a.Commits, "commit"), plural(a.Items, "item"))
	}
	return text
}

func plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// showBytes writes a size as people read it, such as "1.4 MiB".
func showBytes(n int64) string {
	for _, u := range sizeUnits {
		if n >= u.bytes {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.bytes), u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// transferBar shows on a terminal how far moving is; elsewhere it shows nothing.
type transferBar struct {
	bar *progressbar.ProgressBar
	// at, if not nil, says how much of the bar's size is done; else bytes are counted.
	at func() int64
}

// newTransferBar makes a bar of so many bytes; -1 if nobody knows how many.
func newTransferBar(out *os.File, what string, size int64, at func() int64) *transferBar {
	if !term.IsTerminal(int(out.Fd())) {
		return &transferBar{}
	}
	return &transferBar{at: at, bar: progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}
}

func (b *transferBar) show(r transfer.Report) {
	if b.bar == nil {
		return
	}
	done := r.Bytes
	if b.at != nil {
		done = b.at()
	}
	// The bar's only error is that of writing to the terminal.
	_ = b.bar.Set64(done)
}

func (b *transferBar) end() {
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}

// countingReader counts what was read through it.
type countingReader struct {
	io.Reader
	n int64
}

func (r *countingReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.n += int64(n)
	return n, err
}

// inUse says more about a store file that a gateway has open.
func inUse(err error) error {
	if errors.Is(err, bolt.ErrInUse) {
		return fmt.Errorf("%w (a gateway has its file to itself: end it for as long as this takes; its devices keep their edits and come back)", err)
	}
	return err
}

// differences lists what a check found.
func differences(list []transfer.Difference) string {
	const most = 20
	var b strings.Builder
	for i, d := range list {
		if i == most {
			fmt.Fprintf(&b, "\n  and %d more; --json FILE lists all", len(list)-most)
			break
		}
		fmt.Fprintf(&b, "\n  space %q of tenant %q: %s", d.Space, d.Tenant, d.What)
	}
	return b.String()
}
