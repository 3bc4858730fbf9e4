package loadtest

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/protocol"
)

// UsageError is an error in what was asked for, before anything ran.
type UsageError struct{ Err error }

// Error returns what was wrong with it.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what was wrong with it.
func (e *UsageError) Unwrap() error { return e.Err }

func usage(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// ErrFailed is the error of a run in which something was lost, doubled, skipped or
// diverged. The report, which was printed, says what.
var ErrFailed = errors.New("the gateway did not keep its promises")

// Command is the command line of the harness, as kong reads it.
type Command struct {
	Replay ReplayCommand `cmd:"" help:"Replay the history of a repository, each author a device."`
	Edit   EditCommand   `cmd:"" help:"Have devices edit the same records at random, on and off the network."`
	Steady SteadyCommand `cmd:"" help:"Have devices set one field at a time, for what a mutation costs."`
	Schema SchemaCommand `cmd:"" help:"Write the schema that a scenario needs, for a gateway that is not the harness's own."`
}

// Help teaches.
func (Command) Help() string {
	return `A scenario drives a gateway with many devices and then checks what it delivered: every mutation that was
acknowledged is there once, no device was left out of a commit, all devices and the store end in the same state
bit for bit, and, with --self, a second and deliberately simple implementation of the merge rules, run over the log,
agrees with every verdict and every value.

  tidegate loadtest replay history.jsonl.gz --self
  tidegate loadtest edit --self --devices 50 --chaos
  tidegate loadtest edit --self --kill-every 1s --json report.json
  tidegate loadtest edit --self --fleet 3 --store 'dynamodb://tidegate?region=eu-central-1' --kill-every 1s --pause-every 2s

Exit status: 0 if all is well; 1 if anything was lost, doubled, skipped or diverged, or the run could not be finished;
2 if it was asked wrongly.`
}

// Options are what all scenarios share.
type Options struct {
	Self     bool     `xor:"gateway" help:"Start a gateway for the run, on a temporary store."`
	URL      string   `xor:"gateway" placeholder:"URL" help:"Drive this gateway (ws, wss, http or https). It must have the scenario's schema: see the schema command."`
	Gateways []string `xor:"gateway" sep:"," placeholder:"URL,URL" help:"Drive these gateways, which share a store; a device goes on to the next whenever it connects."`

	Fleet int    `default:"1" placeholder:"N" help:"With --self: start so many gateways that share --store (${default})."`
	Store string `placeholder:"STORE" help:"With --self: the gateways' store, as serve takes it, such as dynamodb://TABLE?region=…; it is not emptied afterwards."`
	Bus   string `placeholder:"nats://HOST:PORT" help:"With --fleet: the NATS server between the gateways. By default they talk to each other."`

	Token string `placeholder:"TOKEN" env:"TIDEGATE_TOKEN" help:"The access token for --url and --gateways."`
	Space string `placeholder:"NAME" help:"The space to work in, with --url and --gateways; it should be new. By default one with a random name."`

	Chaos      bool          `help:"Cut every connection at random times, and withhold every acknowledgement once."`
	KillEvery  time.Duration `placeholder:"DURATION" help:"Kill the own gateway this often, as a power cut would, and start it again."`
	PauseEvery time.Duration `placeholder:"DURATION" help:"Suspend one of the own gateways this often, for up to 3 s."`
	CutEvery   time.Duration `placeholder:"DURATION" help:"Cut one of the own gateways from --bus or --store this often, for up to 3 s."`
	Seed       uint64        `placeholder:"N" help:"Seed of everything that is drawn at random. By default another one each time; the report names it."`

	ClientStore string `default:"memory" enum:"memory,file" help:"Where devices keep their state: ${enum}."`
	JSON        string `placeholder:"FILE" type:"path" help:"Also write the report to this file, as JSON."`

	// program replaces the running program as what the own gateway is started
	// from, in tests.
	program string
	// name is the default name of the spaces.
	name string
	// faults are planted in every device, and the messages to a device that hold a
	// frame which swallow names vanish without a word, in tests of the judge.
	faults  client.Faults
	swallow func(device string, f protocol.Frame) bool
}

// Validate refuses options that do not go together.
func (o *Options) Validate() error {
	switch {
	case !o.Self && len(o.urls()) == 0:
		return errors.New("say which gateway: --self starts one, --url names one, --gateways names several")
	case o.Self && len(o.urls()) > 0:
		return errors.New("--self and --url or --gateways cannot be used together")
	case o.KillEvery < 0 || o.PauseEvery < 0 || o.CutEvery < 0:
		return errors.New("--kill-every, --pause-every and --cut-every must not be negative")
	case (o.KillEvery > 0 || o.PauseEvery > 0 || o.CutEvery > 0) && !o.Self:
		return errors.New("--kill-every, --pause-every and --cut-every need --self: only the harness's own gateways may be harmed")
	case (o.Fleet > 1 || o.Store != "" || o.Bus != "") && !o.Self:
		return errors.New("--fleet, --store and --bus need --self")
	case o.Self && o.Space != "":
		return errors.New("--space is for --url and --gateways: the own gateway has spaces of its own")
	case o.Fleet < 0 || o.Fleet > maxFleet:
		return fmt.Errorf("--fleet: want 1 to %d", maxFleet)
	case o.Fleet > 1 && !strings.HasPrefix(o.Store, "dynamodb:"):
		return errors.New("--fleet needs a --store that several gateways can share: dynamodb://TABLE?…")
	case o.Bus != "" && o.Fleet < 2:
		return errors.New("--bus is what a --fleet talks over")
	}
	if o.Bus != "" {
		if _, err := busTarget(o.Bus); err != nil {
			return err
		}
	}
	if o.CutEvery > 0 {
		if _, _, err := storeTarget(o.Store); err != nil && o.Bus == "" {
			return fmt.Errorf("--cut-every needs a --bus, or a --store with an endpoint: %w", err)
		}
	}
	for _, address := range o.urls() {
		if _, _, err := hostPort(address); err != nil {
			return err
		}
	}
	return nil
}

// urls are the gateways that are not the harness's own.
func (o *Options) urls() []string {
	if o.URL != "" {
		return append([]string{o.URL}, o.Gateways...)
	}
	return o.Gateways
}

// prepare fills in what was left to the harness.
func (o *Options) prepare() error {
	if err := o.Validate(); err != nil {
		return &UsageError{err}
	}
	now := uint64(time.Now().UnixNano())
	if o.Seed == 0 {
		o.Seed = now % 1_000_000_007
	}
	if o.name = o.Space; o.name == "" {
		o.name = fmt.Sprintf("loadtest-%x", now)
	}
	return nil
}

// space names the i-th space of a run.
func (o *Options) space(i int) string {
	if i == 0 {
		return o.name
	}
	return fmt.Sprintf("%s-%d", o.name, i)
}

func (o *Options) token() func(context.Context) (string, error) {
	if o.Token == "" {
		return nil
	}
	return func(context.Context) (string, error) { return o.Token, nil }
}

// binary is the program that the own gateway runs.
func (o *Options) binary() (string, error) {
	if o.program != "" {
		return o.program, nil
	}
	return os.Executable()
}

// hostPort takes a gateway's address apart.
func hostPort(address string) (target, scheme string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", "", fmt.Errorf("--url: %w", err)
	}
	port := u.Port()
	switch u.Scheme {
	case "ws", "http":
		if port == "" {
			port = "80"
		}
	case "wss", "https":
		if port == "" {
			port = "443"
		}
	default:
		return "", "", fmt.Errorf("--url %s: want ws://, wss://, http:// or https://", address)
	}
	if u.Hostname() == "" {
		return "", "", fmt.Errorf("--url %s names no host", address)
	}
	return net.JoinHostPort(u.Hostname(), port), u.Scheme, nil
}

// play runs a scenario until it ends or the user interrupts, and reports.
func play(o *Options, s *scenario) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := execute(ctx, o, s)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if report.Devices > 0 {
		report.print(os.Stdout)
	}
	if o.JSON != "" {
		if err := report.writeJSON(o.JSON); err != nil {
			return err
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("the run could not be finished (seed %d): %w", o.Seed, err)
	case !report.OK:
		return fmt.Errorf("%w (seed %d)", ErrFailed, o.Seed)
	}
	return nil
}

//go:embed schemas
var schemas embed.FS

// schemaFiles returns the schema of a scenario, by file name.
func schemaFiles(scenario string) (map[string][]byte, error) {
	entries, err := fs.ReadDir(schemas, path.Join("schemas", scenario))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = schemas.ReadFile(path.Join("schemas", scenario, e.Name())); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// SchemaCommand writes a scenario's schema.
type SchemaCommand struct {
	Scenario string `arg:"" enum:"replay,edit,steady" help:"Which scenario: ${enum}."`
	Dir      string `arg:"" type:"path" help:"The directory to write to; made if it is not there."`
}

// Run writes the files.
func (c *SchemaCommand) Run() error {
	scenario := c.Scenario
	if scenario == "steady" {
		scenario = "edit" // they share it
	}
	files, err := schemaFiles(scenario)
	if err != nil {
		return err
	}
	for name := range files {
		if _, err := os.Stat(filepath.Join(c.Dir, name)); err == nil {
			return usage("%s is there already", filepath.Join(c.Dir, name))
		}
	}
	return writeSchema(c.Dir, files)
}
