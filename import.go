package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tidegate/tidegate/transfer"
)

// importCommand brings exported spaces into a store.
type importCommand struct {
	transferFlags
	File  string `arg:"" placeholder:"FILE" help:"What tidegate export wrote; - for standard input."`
	Check bool   `help:"Write nothing; compare the store with the export, and name what differs."`
}

// Help teaches.
func (importCommand) Help() string {
	return `Brings the spaces of an export into a store, as they were: devices connect with their cursors and their queues, and
go on.

  tidegate import board.tide --store 'dynamodb://tidegate?region=eu-central-1'
  tidegate import board.tide --store 'dynamodb://tidegate?region=eu-central-1' --check

If it is cut off, the same command goes on where it stopped. Until a space is whole nobody is served from it. Point
devices at the new store once the import is done: a space that they have begun anew there has another history, and is
refused. A space that the store has already, with the same history, gets the commits it lacks.

Exit status of --check: 0 if every space is the same, 1 if not.`
}

// Run imports, or compares.
func (i *importCommand) Run(stdout io.Writer) (err error) {
	if err := i.refuseMemory(); err != nil {
		return err
	}
	file, size := os.Stdin, int64(-1)
	if i.File != "-" {
		if file, err = os.Open(i.File); err != nil {
			return err
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil {
			size = info.Size()
		}
	}
	open := openStore
	if i.Check {
		open = existingStore
	}
	store, err := open(context.Background(), i.Store, transferLog())
	if err != nil {
		return inUse(err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	what, work := "importing", transfer.Import
	if i.Check {
		what, work = "comparing", transfer.Check
	}
	in := &countingReader{Reader: file}
	report, err := i.run(func(ctx context.Context, opt transfer.Options) (transfer.Report, error) {
		return work(ctx, store, in, opt)
	}, newTransferBar(os.Stderr, what, size, func() int64 { return in.n }))
	if err != nil {
		var format *transfer.FormatError
		if errors.As(err, &format) {
			err = fmt.Errorf("%s: %w", i.File, err)
		}
		if report.Spaces > 0 && !i.Check {
			err = fmt.Errorf("%w (%s are whole: %s)", err, plural(report.Spaces, "space"), showAmount(report))
		}
		return err
	}
	if !i.Check {
		_, err = fmt.Fprintf(stdout, "imported %s into %s; SHA-256 %s\n", showAmount(report), i.Store, report.SHA256)
		return err
	}
	if n := len(report.Differences); n > 0 {
		return fmt.Errorf("%d of %s in %s differ from the export:%s", n, plural(report.Spaces, "space"), i.Store, differences(report.Differences))
	}
	_, err = fmt.Fprintf(stdout, "compared %s with %s: the same; SHA-256 %s\n", showAmount(report), i.Store, report.SHA256)
	return err
}
