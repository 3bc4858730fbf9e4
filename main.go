// Tidegate is a WebSocket gateway that keeps offline-first apps in sync. This
// package only wires: flags and config file to configuration, configuration to a
// store, an access verifier and a gateway, and signals to an orderly end.
//
// The exit status is 0 if the command did what was asked; 1 if it ran and failed,
// or found what it was to look for (a load test that lost something, a schema
// with an error); 2 if it was asked wrongly (an unknown flag or config key, a
// value that cannot be).
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"github.com/tidegate/tidegate/loadtest"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

const description = `Tidegate keeps offline-first apps in sync: devices edit the same records over WebSockets, online or not, ` +
	`and all end in the same state, with every overwritten value kept and told.

Examples:

  tidegate
      start in development mode on http://127.0.0.1:8787/, data in tidegate.db

  tidegate serve --store memory: --schema ./schema
      nothing is kept; what concurrent edits mean is in ./schema

  tidegate serve --listen 0.0.0.0:8787 --auth-jwks https://id.example.com/jwks.json
      --auth-issuer https://id.example.com/ --auth-audience tidegate
      --allow-origin https://app.example.com
      serve others: tokens are checked, and so are the pages that connect

  tidegate token --user ada --space 'board-*=write' --ttl 1h
      mint a token to try things with

  tidegate schema check ./schema
      say in words what becomes of concurrent edits, field by field

  tidegate export all.tide
  tidegate import all.tide --store 'dynamodb://tidegate?region=eu-central-1'
      move everything to another store

  tidegate loadtest edit --self
      drive a gateway hard and check everything that it delivered

Exit status: 0 done; 1 it ran and failed, or found something lost; 2 asked wrongly.`

// commandLine is everything that can be said to the program.
type commandLine struct {
	Config configFile `placeholder:"FILE" env:"TIDEGATE_CONFIG" help:"JSON file with flags of serve by their names, such as {\"listen\": \"127.0.0.1:9000\"}. The command line wins over the environment, the environment over the file."`

	Serve    serveCommand    `cmd:"" default:"withargs" help:"Start the gateway (the default)."`
	Token    tokenCommand    `cmd:"" help:"Mint an access token."`
	Schema   schemaCommand   `cmd:"" help:"Work with schemas."`
	Table    tableCommand    `cmd:"" help:"Work with a table of DynamoDB."`
	Log      logCommand      `cmd:"" help:"Show the history of a space."`
	Export   exportCommand   `cmd:"" help:"Write spaces of a store to a file."`
	Import   importCommand   `cmd:"" help:"Bring exported spaces into a store."`
	Loadtest loadtestCommand `cmd:"" help:"Drive a gateway from outside and check what it delivered."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// usageError is an error in what was asked, as against in doing it.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run runs the program and returns its exit status.
func run(args []string, stdout, stderr io.Writer) int {
	context, err := newParser(new(commandLine), stdout, stderr).Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "tidegate: %v\n", err)
		fmt.Fprintln(stderr, "tidegate --help shows what there is.")
		return exitUsage
	}
	if err := context.Run(); err != nil {
		fmt.Fprintf(stderr, "tidegate: %v\n", err)
		var usage usageError
		var harnessUsage *loadtest.UsageError
		if errors.As(err, &usage) || errors.As(err, &harnessUsage) {
			return exitUsage
		}
		return exitFailed
	}
	return exitOK
}

// newParser returns what reads a command line.
func newParser(commands *commandLine, stdout, stderr io.Writer) *kong.Kong {
	parser, err := kong.New(commands,
		kong.Name("tidegate"),
		kong.Description(description),
		kong.Writers(stdout, stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		defaults(),
		kong.BindTo(stdout, (*io.Writer)(nil)),
	)
	if err != nil {
		panic(err) // the command line's own definition is wrong; every test would see it
	}
	return parser
}
