package loadtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// run is one run of a scenario: a gateway, devices, faults, and what was seen.
type run struct {
	// static after newRun
	options *Options
	report  *Report
	dir     string
	files   map[string][]byte
	schema  *merge.Schema
	fleet   *fleet   // nil if the gateways are not ours
	proxies []*proxy // one for each of dialURLs under chaos, else none
	// dialURLs are where devices connect.
	dialURLs []string
	cancel   context.CancelCauseFunc
	ack      *latencies

	boards []*board

	progress *progress
	// done counts settled mutations: as long as it grows, the run is alive.
	done atomic.Int64
}

// stalledAfter is how long nothing may become of any mutation before the run is
// given up.
const stalledAfter = 90 * time.Second

// cutAfter is the mean life of a connection under chaos.
const cutAfter = time.Second

// scenario is what devices do, and what must be true in the end.
type scenario struct {
	name string
	// files is the schema that the gateway must have.
	files map[string][]byte
	// boards are the spaces, each with the number of its devices.
	boards []int
	// mutations is how many will be made, for the progress bar.
	mutations int
	// act is what a device does; it returns when it has made its last mutation.
	act func(ctx context.Context, d *device) error
	// tag finds a mutation's tag in its body.
	tag func(*protocol.Mutation) string
	// check compares a space's final state with what the scenario alone says, and
	// returns the number of records compared.
	check func(r *Report, board int, state []protocol.RecordState) int
}

// execute runs a scenario and returns its report. The error says why it could not
// be run to its end, which the report then says too; what went wrong with the
// deliveries is in the report alone.
func execute(ctx context.Context, o *Options, s *scenario) (*Report, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &run{
		options: o,
		report:  &Report{Scenario: s.name, Seed: o.Seed, Spaces: len(s.boards)},
		files:   s.files,
		cancel:  cancel,
		ack:     newLatencies(),
	}
	began := time.Now()
	err := r.perform(ctx, s)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		r.report.fail("%v", err)
	}
	if r.report.DurationS == 0 {
		r.report.finish(time.Since(began))
	}
	return r.report, err
}

// perform is the run.
func (r *run) perform(ctx context.Context, s *scenario) (err error) {
	if r.schema, err = merge.ParseSchema(s.files); err != nil {
		return fmt.Errorf("the scenario's schema: %w", err)
	}
	if r.dir, err = os.MkdirTemp("", "tidegate-loadtest-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.dir)
	defer r.close()
	if err := r.connect(ctx); err != nil {
		return err
	}
	if err := r.open(ctx, s); err != nil {
		return err
	}
	r.progress = newProgress(os.Stderr, s.name, s.mutations)
	defer r.progress.end()

	began := time.Now()
	background, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { r.watchdog(background) })
	for _, b := range r.boards {
		for _, d := range b.devices {
			watching.Go(func() { d.follow(background) })
		}
	}
	err = r.act(ctx, s)
	took := time.Since(began)
	stop()
	watching.Wait()
	if err != nil {
		return err
	}
	if err := r.judge(ctx, s); err != nil {
		return err
	}
	r.report.finish(took)
	return nil
}

// connect finds the gateways, or starts them, and puts the faults before them.
func (r *run) connect(ctx context.Context) error {
	r.dialURLs = r.options.urls()
	if r.options.Self {
		schema := filepath.Join(r.dir, "schema")
		if err := writeSchema(schema, r.files); err != nil {
			return err
		}
		var err error
		if r.fleet, err = startFleet(ctx, r.options, r.dir, schema); err != nil {
			return err
		}
		r.dialURLs = r.fleet.urls()
	}
	r.report.Gateways = len(r.dialURLs)
	for i, address := range r.dialURLs {
		target, scheme, err := hostPort(address)
		if err != nil {
			return err
		}
		// Clients would try for ever; who mistyped an address wants to know.
		probe, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", target)
		if err != nil {
			return fmt.Errorf("no gateway can be reached: %w", err)
		}
		probe.Close()
		if !r.options.Chaos {
			continue
		}
		if scheme == "wss" || scheme == "https" {
			return usage("--chaos cannot cut connections inside TLS; use ws:// or http://")
		}
		p, err := newProxy(target, r.options.Seed+uint64(i), cutAfter)
		if err != nil {
			return err
		}
		r.proxies = append(r.proxies, p)
		r.dialURLs[i] = scheme + "://" + p.address()
	}
	return nil
}

// open opens all devices. They come online by themselves.
func (r *run) open(ctx context.Context, s *scenario) error {
	for i, n := range s.boards {
		b := &board{space: r.options.space(i), convergence: newConvergence(n)}
		r.boards = append(r.boards, b)
		for j := range n {
			d, err := r.openDevice(ctx, fmt.Sprintf("device %d of space %d", j, i), j, b)
			if err != nil {
				return err
			}
			b.devices = append(b.devices, d)
		}
		r.report.Devices += n
	}
	return nil
}

// act has every device do its part, under the faults that were asked for, heals
// them, and returns when all devices have everything.
func (r *run) act(ctx context.Context, s *scenario) error {
	harmful, heal := context.WithCancel(ctx)
	defer heal()
	healed := func() {}
	if r.fleet != nil {
		healed = r.fleet.harm(harmful, r.options, r.abort)
	}
	var acting sync.WaitGroup
	for _, b := range r.boards {
		for _, d := range b.devices {
			acting.Go(func() {
				if err := s.act(ctx, d); err != nil {
					r.abort(err)
				}
				d.setOffline(false) // it may have ended in the middle of an absence
			})
		}
	}
	acting.Wait()
	heal()
	healed()
	began := time.Now()
	for _, b := range r.boards {
		for _, d := range b.devices {
			d.settling.Wait()
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, b := range r.boards {
		for _, d := range b.devices {
			if err := d.space.Drained(ctx); err != nil {
				return fmt.Errorf("%s: its queue did not drain: %w", d.name, err)
			}
			if err := d.space.WaitFor(ctx, b.head); err != nil {
				return fmt.Errorf("%s did not reach %d: %w", d.name, b.head, err)
			}
			r.done.Add(1)
		}
	}
	r.report.DrainS = time.Since(began).Seconds()
	return ctx.Err()
}

// judge has a new device join each space, ends the gateway, and looks for what is
// wrong.
func (r *run) judge(ctx context.Context, s *scenario) error {
	var all []*evidence
	for i, b := range r.boards {
		fresh, err := r.openDevice(ctx, fmt.Sprintf("a new device in space %d", i), len(b.devices), b)
		if err != nil {
			return err
		}
		err = fresh.space.WaitFor(ctx, b.head)
		e := &evidence{space: b.space, schema: r.schema, made: b.made, fresh: fresh.ending(), convergence: b.convergence}
		if closing := fresh.client.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return fmt.Errorf("a new device in space %q: %w", b.space, err)
		}
		for _, d := range b.devices {
			e.ends = append(e.ends, d.ending())
			r.collect(d)
		}
		r.collect(fresh)
		all = append(all, e)
	}
	if err := r.closeDevices(); err != nil {
		r.report.fail("a device could not be closed: %v", err)
	}
	if r.fleet != nil {
		r.fleet.collect(r.report)
		if err := r.fleet.stop(); err != nil {
			r.report.fail("%v", err)
		}
		for _, e := range all {
			var err error
			if e.log, err = r.exportLog(ctx, e.space); err != nil {
				return err
			}
		}
	}
	for i, e := range all {
		r.report.count(e)
		e.verify(r.report, s.tag)
		r.report.Records += len(e.fresh.state)
		r.report.CheckedExactly += s.check(r.report, i, e.fresh.state)
	}
	convergence := newLatencies()
	for _, b := range r.boards {
		b.convergence.collect(convergence)
	}
	r.report.AckMS, r.report.ConvergenceMS = r.ack.quantiles(), convergence.quantiles()
	for _, p := range r.proxies {
		r.report.Cuts += p.cuts.Load()
	}
	return nil
}

// collect adds what a device's watch saw to the report.
func (r *run) collect(d *device) {
	d.watch.mu.Lock()
	defer d.watch.mu.Unlock()
	r.report.Connections += d.watch.connections
	r.report.Deliveries += d.watch.deliveries
	r.report.BytesOut += d.watch.bytes
	r.report.DroppedAcks += d.watch.dropped
	r.report.Gaps += d.watch.gaps
	for _, f := range d.watch.failures {
		r.report.fail("%s: %s", d.name, f)
	}
	if gaps := d.client.Stats().Gaps; gaps > 0 && d.watch.gaps == 0 {
		r.report.Gaps += int(gaps)
		r.report.fail("%s: its client met %d gaps", d.name, gaps)
	}
}

// count adds a space's mutations to the report: by the log, if there is one, else
// by what the devices were told.
func (r *Report) count(e *evidence) {
	r.Mutations += len(e.made)
	verdict := func(o protocol.Outcome) {
		switch o {
		case protocol.Applied:
			r.Applied++
		case protocol.Merged:
			r.Merged++
		case protocol.Superseded:
			r.Superseded++
		case protocol.Conflicted:
			r.Conflicts++
		case protocol.Rejected:
			r.Rejected++
		}
	}
	if e.log == nil {
		for _, m := range e.made {
			if m.verdict.Seq == 0 && m.verdict.Outcome == protocol.Applied {
				r.Untold++
			} else {
				verdict(m.verdict.Outcome)
			}
			r.Commits = max(r.Commits, int(m.verdict.Seq))
		}
		return
	}
	for _, c := range e.log {
		for i := range c.Mutations {
			verdict(c.Mutations[i].Verdict.Outcome)
		}
		r.ConflictsKept += len(c.Conflicts)
	}
	r.Commits += len(e.log)
}

// exportLog reads the log of a space from the store of our own gateways, which
// must have ended.
func (r *run) exportLog(ctx context.Context, space string) ([]*protocol.Commit, error) {
	cmd := exec.CommandContext(ctx, r.fleet.gateways[0].program, "log", "--raw", "--store", r.fleet.store, "--space", space)
	cmd.Env = environment()
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("exporting the log of space %q: %w\n%s", space, err, complaints.Bytes())
	}
	log, err := readLog(bytes.NewReader(out))
	if err != nil {
		return nil, fmt.Errorf("the log of space %q: %w", space, err)
	}
	return log, nil
}

// settled says that a mutation has its verdict.
func (r *run) settled() {
	r.done.Add(1)
	r.progress.add(1)
}

// abort ends the run; the first reason counts.
func (r *run) abort(err error) { r.cancel(err) }

// watchdog ends the run if nothing goes on any more, or our gateway has ended.
func (r *run) watchdog(ctx context.Context) {
	last, since := int64(-1), time.Now()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if r.fleet != nil {
			if err := r.fleet.alive(); err != nil && ctx.Err() == nil {
				r.abort(err)
				return
			}
		}
		if n := r.done.Load(); n != last {
			last, since = n, time.Now()
		} else if time.Since(since) > stalledAfter {
			r.abort(fmt.Errorf("nothing happened for %s; %s", stalledAfter, r.waiting()))
			return
		}
	}
}

// waiting says what devices wait for, for a run that stands still.
func (r *run) waiting() string {
	var out bytes.Buffer
	shown := 0
	for _, b := range r.boards {
		for _, d := range b.devices {
			status, space := d.client.Status(), d.space.Status()
			if space.Pending == 0 && space.Cursor.Seq >= b.head {
				continue
			}
			if shown++; shown <= 5 {
				fmt.Fprintf(&out, "\n%s: %s, %s, cursor %d of %d, %d pending, last error: %v",
					d.name, status.State, space.State, space.Cursor.Seq, space.Head, space.Pending, errors.Join(status.LastError, space.Err))
			}
		}
	}
	return fmt.Sprintf("%d devices wait:%s", shown, out.String())
}

func (r *run) closeDevices() error {
	var devices []*device
	for _, b := range r.boards {
		devices = append(devices, b.devices...)
		b.devices = nil
	}
	problems := make([]error, len(devices))
	var closing sync.WaitGroup
	for i, d := range devices {
		closing.Go(func() { problems[i] = d.client.Close() })
	}
	closing.Wait()
	return errors.Join(problems...)
}

// close ends what is still running.
func (r *run) close() {
	_ = r.closeDevices()
	for _, p := range r.proxies {
		p.close()
	}
	if r.fleet != nil {
		r.fleet.close()
	}
}

// random returns a source of randomness for one part of a run.
func (o *Options) random(part ...int) *rand.Rand {
	mixed := o.Seed
	for _, p := range part {
		mixed = mixed*0x9e3779b97f4a7c15 + uint64(p) + 1
	}
	return rand.New(rand.NewPCG(o.Seed, mixed))
}

func writeSchema(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
