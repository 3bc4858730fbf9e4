package loadtest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/protocol"
)

// device is one client under test, in one space.
type device struct {
	// static after openDevice
	run    *run
	name   string
	index  int
	dialer *dialer
	watch  *watch
	client *client.Client
	space  *client.Space
	board  *board
	// wake is signalled when something may have changed that the device waits for.
	wake chan struct{}
	// settling counts mutations that wait for their verdicts.
	settling sync.WaitGroup
	// away is true from going offline until the device has caught up again.
	away atomic.Bool
}

// board is one space with the devices in it.
type board struct {
	space       string
	devices     []*device
	convergence *convergence

	mu sync.Mutex
	// guarded by mu
	made []made
	// head is a seq that all of the made mutations are at or below, as far as their
	// authors were told.
	head uint64
}

// openDevice opens a client on a store of its own.
func (r *run) openDevice(ctx context.Context, name string, index int, b *board) (*device, error) {
	w := newWatch(r.options.Chaos)
	if swallow := r.options.swallow; swallow != nil {
		w.swallow = func(f protocol.Frame) bool { return swallow(name, f) }
	}
	dialer, err := newDialer(r.dialURLs, index, w)
	if err != nil {
		return nil, err
	}
	store := client.MemoryStore()
	if r.options.ClientStore == "file" {
		if store, err = client.FileStore(filepath.Join(r.dir, name+".client.db")); err != nil {
			return nil, err
		}
	}
	c, err := client.Open(ctx, client.Options{
		Token:   r.options.token(),
		Store:   store,
		Schema:  r.schema,
		Dial:    dialer.dial,
		Backoff: client.Backoff{Min: 10 * time.Millisecond, Max: time.Second},
		Faults:  r.options.faults,
	})
	if err != nil {
		return nil, err
	}
	return &device{
		run:    r,
		name:   name,
		index:  index,
		dialer: dialer,
		watch:  w,
		client: c,
		space:  c.Space(b.space, client.SpaceOptions{}),
		board:  b,
		wake:   make(chan struct{}, 1),
	}, nil
}

// follow notes how the device's cursor moves, and wakes the device, until ctx
// ends.
func (d *device) follow(ctx context.Context) {
	var cursor uint64
	look := func() {
		status := d.space.Status()
		if status.Cursor.Seq > cursor {
			d.board.convergence.reached(cursor, status.Cursor.Seq, time.Now(), !d.away.Load())
			cursor = status.Cursor.Seq
		}
		if status.State == client.SpaceLive && !d.dialer.isOffline() {
			d.away.Store(false)
		}
		d.signal()
	}
	changes := d.space.Watch(ctx)
	look()
	for range changes {
		look()
	}
}

// signal wakes the device's loop.
func (d *device) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// setOffline takes the device off the network, or puts it back.
func (d *device) setOffline(offline bool) {
	if offline {
		d.away.Store(true)
	}
	d.dialer.setOffline(offline)
}

// mutate makes a mutation, notes it with its tag, and calls settled, from another
// goroutine, once it has its verdict; upTo is a seq at or below which the
// mutation stands.
func (d *device) mutate(ctx context.Context, tag string, edit func(*client.Tx), settled func(v protocol.Verdict, upTo uint64)) error {
	began := time.Now()
	w, err := d.space.Mutate(ctx, func(tx *client.Tx) error {
		edit(tx)
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	d.settling.Go(func() {
		verdict, err := w.Durable(ctx)
		if rejected := (*client.Rejected)(nil); errors.As(err, &rejected) {
			verdict, err = rejected.Verdict, nil
		}
		if err != nil {
			d.run.abort(fmt.Errorf("%s: a mutation got no verdict: %w", d.name, err))
			return
		}
		d.run.ack.add(time.Since(began))
		upTo := verdict.Seq
		if upTo == 0 {
			// Told only that it took effect: that was at or below the head at the time.
			upTo = d.space.Status().Head
		} else {
			d.board.convergence.made(verdict.Seq, began)
		}
		d.board.note(made{device: d.space.Device(), verdict: verdict, tag: tag, began: began}, upTo)
		d.run.settled()
		if settled != nil {
			settled(verdict, upTo)
		}
	})
	return nil
}

func (b *board) note(m made, upTo uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made = append(b.made, m)
	b.head = max(b.head, upTo)
}

// discardRejected takes the device's rejected mutations off its list, as a user would who
// has read them.
func (d *device) discardRejected() error {
	for _, r := range d.space.Rejected() {
		if err := r.Discard(); err != nil && !errors.Is(err, client.ErrGone) {
			return err
		}
	}
	return nil
}

// ending describes what the device holds.
func (d *device) ending() ending {
	state := d.space.Confirmed()
	return ending{
		name:   d.name,
		hash:   d.space.StateHash(),
		state:  state,
		passed: d.watch.passedOver(d.space.Name()),
	}
}
