package loadtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// maxFleet bounds Options.Fleet.
const maxFleet = 16

// longestFault is how long a gateway is suspended, or cut off, at most.
const longestFault = 3 * time.Second

// fleet is the gateways that a run has started itself: one on a store of its own,
// or several that share one, with whatever breaks between them.
type fleet struct {
	// static after startFleet
	gateways []*ownGateway
	// store is where the log can be read, past the proxies.
	store string
	// links are what a gateway can be cut from: its way to the store, and to the bus.
	links []*proxy
}

// startFleet starts the gateways that the options ask for.
func startFleet(ctx context.Context, o *Options, dir, schema string) (_ *fleet, err error) {
	program, err := o.binary()
	if err != nil {
		return nil, err
	}
	f := &fleet{store: o.Store}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if f.store == "" {
		f.store = "file:" + filepath.Join(dir, "tidegate.db")
	}
	size := max(o.Fleet, 1)
	var peers []string
	if size > 1 && o.Bus == "" {
		if peers, err = freeAddresses(size); err != nil {
			return nil, err
		}
	}
	for i := range size {
		store, err := f.linkStore(o, i)
		if err != nil {
			return nil, err
		}
		args := []string{"--store", store, "--schema", schema, "--limit-connect-rate", "0"}
		if size > 1 {
			args = append(args, "--name", "gateway-"+strconv.Itoa(i))
		}
		switch {
		case o.Bus != "":
			bus, err := f.linkBus(o, i)
			if err != nil {
				return nil, err
			}
			args = append(args, "--cluster", bus)
		case size > 1:
			args = append(args, "--cluster-listen", peers[i], "--cluster-peers", strings.Join(others(peers, i), ","))
		}
		g, err := startGateway(ctx, program, args...)
		if err != nil {
			return nil, err
		}
		f.gateways = append(f.gateways, g)
	}
	return f, nil
}

// others are all addresses but the i-th.
func others(addresses []string, i int) []string {
	return append(append([]string(nil), addresses[:i]...), addresses[i+1:]...)
}

// freeAddresses are loopback addresses that nobody listens on at the moment.
func freeAddresses(n int) ([]string, error) {
	var addresses []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // only now, so that no port comes twice
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// linkStore returns the i-th gateway's way to the store: through a proxy if it is
// to be cut.
func (f *fleet) linkStore(o *Options, i int) (string, error) {
	if o.CutEvery == 0 {
		return f.store, nil
	}
	target, with, err := storeTarget(f.store)
	if err != nil {
		return f.store, nil // the bus alone is cut
	}
	link, err := f.link(o, i, target)
	if err != nil {
		return "", err
	}
	return with(link.address()), nil
}

// linkBus returns the i-th gateway's way to the bus.
func (f *fleet) linkBus(o *Options, i int) (string, error) {
	if o.CutEvery == 0 {
		return o.Bus, nil
	}
	u, err := busTarget(o.Bus)
	if err != nil {
		return "", err
	}
	link, err := f.link(o, i, u.Host)
	if err != nil {
		return "", err
	}
	through := *u
	through.Host = link.address()
	return through.String(), nil
}

func (f *fleet) link(o *Options, i int, target string) (*proxy, error) {
	p, err := newProxy(target, o.Seed+uint64(i)+1, 0)
	if err == nil {
		f.links = append(f.links, p)
	}
	return p, err
}

// storeTarget finds the endpoint in a store's name, and returns the name with
// another host in its place.
func storeTarget(store string) (target string, with func(host string) string, err error) {
	u, err := url.Parse(store)
	if err != nil {
		return "", nil, fmt.Errorf("--store: %w", err)
	}
	query := u.Query()
	endpoint, err := url.Parse(query.Get("endpoint"))
	if err != nil || endpoint.Scheme != "http" || endpoint.Port() == "" {
		return "", nil, errors.New("the store's endpoint can only be cut off if it is http://HOST:PORT")
	}
	return endpoint.Host, func(host string) string {
		other, through := *u, *endpoint
		through.Host = host
		query.Set("endpoint", through.String())
		other.RawQuery = query.Encode()
		return other.String()
	}, nil
}

// busTarget takes the address of a NATS server apart.
func busTarget(bus string) (*url.URL, error) {
	u, err := url.Parse(bus)
	if err != nil {
		return nil, fmt.Errorf("--bus: %w", err)
	}
	if u.Scheme != "nats" || u.Hostname() == "" || u.Port() == "" {
		return nil, fmt.Errorf("--bus %s: want nats://HOST:PORT", bus)
	}
	return u, nil
}

// urls are where devices connect.
func (f *fleet) urls() []string {
	urls := make([]string, len(f.gateways))
	for i, g := range f.gateways {
		urls[i] = "ws://" + g.address()
	}
	return urls
}

// alive returns an error if a gateway has ended by itself.
func (f *fleet) alive() error {
	for _, g := range f.gateways {
		if err := g.alive(); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all gateways gracefully.
func (f *fleet) stop() error {
	var problems []error
	for _, g := range f.gateways {
		problems = append(problems, g.stop())
	}
	return errors.Join(problems...)
}

// close ends all that the fleet has started.
func (f *fleet) close() {
	_ = f.stop()
	for _, p := range f.links {
		p.close()
	}
}

// harm injects the faults that the options ask for until ctx ends, and then leaves
// everything whole. An error is a gateway that did not come back.
func (f *fleet) harm(ctx context.Context, o *Options, abort func(error)) (ended func()) {
	done := make(chan struct{})
	running := 0
	every := func(pause time.Duration, part int, fault func(*rand.Rand) error) {
		if pause == 0 {
			return
		}
		running++
		go func() {
			defer func() { done <- struct{}{} }()
			random := o.random(-1, part)
			for {
				select {
				case <-ctx.Done():
					return
				case <-time.After(pause):
				}
				if err := fault(random); err != nil {
					abort(err)
					return
				}
			}
		}()
	}
	pick := func(random *rand.Rand) *ownGateway { return f.gateways[random.IntN(len(f.gateways))] }
	// Each fault begins a while after the one before has ended: were a gateway killed
	// while it starts, nothing could ever go on.
	every(o.KillEvery, 0, func(random *rand.Rand) error {
		return pick(random).kill(context.WithoutCancel(ctx))
	})
	every(o.PauseEvery, 1, func(random *rand.Rand) error {
		return pick(random).pause(someTime(random))
	})
	every(o.CutEvery, 2, func(random *rand.Rand) error {
		unblock := f.links[random.IntN(len(f.links))].block()
		defer unblock()
		select {
		case <-ctx.Done():
		case <-time.After(someTime(random)):
		}
		return nil
	})
	return func() {
		for range running {
			<-done
		}
	}
}

// someTime is how long a fault lasts.
func someTime(random *rand.Rand) time.Duration {
	return time.Duration(random.Int64N(int64(longestFault)))
}

// collect adds what the fleet went through to the report.
func (f *fleet) collect(r *Report) {
	r.Gateways = len(f.gateways)
	for _, g := range f.gateways {
		kills, pauses := g.harmed()
		r.Kills += kills
		r.Pauses += pauses
		r.Store.add(g.use())
	}
	for _, p := range f.links {
		r.LinkCuts += p.cuts.Load()
	}
}
