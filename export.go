package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/tidegate/tidegate/space"
	"github.com/tidegate/tidegate/transfer"
)

// exportCommand writes spaces of a store to a file.
type exportCommand struct {
	transferFlags
	File string `arg:"" placeholder:"FILE" help:"Where to write to; - for standard output."`
}

// Help teaches.
func (exportCommand) Help() string {
	return `Writes whole spaces to a file, from which "tidegate import" brings them into another store: the way from the
embedded store to DynamoDB, and back.

  tidegate export board.tide --store file:tidegate.db
  tidegate import board.tide --store 'dynamodb://tidegate?region=eu-central-1'
  tidegate import board.tide --store 'dynamodb://tidegate?region=eu-central-1' --check

  tidegate export - --space board | tidegate import - --store file:other.db

A file: store must not be open in a gateway meanwhile. A table may be in use: each space is exported as it was at
one moment. If the export is cut off, the same command goes on where it stopped; spaces that have changed since
are written again.

The file is compressed and not encrypted. It holds everything that the store does: keep it as safe.`
}

// Run exports.
func (e *exportCommand) Run(stdout io.Writer) (err error) {
	if err := e.refuseMemory(); err != nil {
		return err
	}
	streamed := e.File == "-"
	if streamed {
		if out, is := stdout.(*os.File); is && term.IsTerminal(int(out.Fd())) {
			return usageError{errors.New("an export is not for terminals: name a file, or send - into a pipe")}
		}
	}
	store, err := existingStore(context.Background(), e.Store, transferLog())
	if err != nil {
		return inUse(err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	lister, is := store.closingStore.(space.Lister)
	if !is {
		return fmt.Errorf("%s cannot say which spaces it holds", e.Store)
	}
	source := struct {
		space.Store
		space.Lister
	}{store, lister}

	bar := newTransferBar(os.Stderr, "exporting", -1, nil)
	if streamed {
		report, err := e.run(func(ctx context.Context, opt transfer.Options) (transfer.Report, error) {
			return transfer.Export(ctx, source, e.Store, stdout, opt)
		}, bar)
		if err == nil {
			fmt.Fprintf(os.Stderr, "exported %s; SHA-256 %s\n", showAmount(report), report.SHA256)
		}
		return err
	}
	file, err := os.OpenFile(e.File, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	report, err := e.run(func(ctx context.Context, opt transfer.Options) (transfer.Report, error) {
		report, err := transfer.Continue(ctx, source, e.Store, file, opt)
		if err == nil {
			err = file.Sync()
		}
		return report, err
	}, bar)
	if err != nil {
		return fmt.Errorf("%s: %w", e.File, err)
	}
	fmt.Fprintf(stdout, "exported %s to %s; SHA-256 %s\n", showAmount(report), e.File, report.SHA256)
	return nil
}
