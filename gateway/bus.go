package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// Bus carries messages to other gateways on the same store and from them. It may
// lose, repeat and reorder: nothing about correctness depends on it. It is its
// opener's to close, after Shutdown.
type Bus interface {
	// Publish sends data to whoever subscribes to the subject at the other gateways.
	// It never blocks and may lose it. Data is not changed afterwards.
	Publish(subject string, data []byte)
	// Subscribe calls receive with what others publish, one call at a time for each
	// subscription, until cancel is called. The data are receive's to keep.
	Subscribe(subject string, receive func(data []byte)) (cancel func(), err error)
	// Connected reports whether other gateways can be heard, as far as is known.
	Connected() bool
}

const (
	// lookEvery is how often the bus is asked whether it is connected.
	lookEvery = time.Second
	// complainEvery is how long what cannot be read is not complained of again.
	complainEvery = time.Minute
)

// peers is what this gateway tells the others and hears of them. It implements
// space.Peers and is safe for concurrent use.
type peers struct {
	// Static after newPeers.
	bus      Bus
	name     string
	metrics  *metrics
	log      *slog.Logger
	presence *presenceHub
	manager  *space.Manager // set by start
	repeat   time.Duration  // how often the others are told again what devices here show
	changed  chan struct{}  // has something in it when open or asking has changed
	stop     chan struct{}
	running  sync.WaitGroup

	up atomic.Bool // what the spaces were last told of the bus; written by start, then by run

	// Owned by run.
	cancels map[space.Key]func() // of the subscriptions that there are

	mu sync.Mutex
	// Guarded by mu.
	open       map[space.Key]struct{} // spaces to be subscribed to
	asking     map[space.Key]struct{} // of these, those whose presence is to be asked for
	complained time.Time
}

func newPeers(bus Bus, name string, presence *presenceHub, m *metrics, log *slog.Logger) *peers {
	p := &peers{
		bus: bus, name: name, metrics: m, log: log, presence: presence, repeat: presenceEvery,
		changed: make(chan struct{}, 1), stop: make(chan struct{}),
		cancels: map[space.Key]func(){}, open: map[space.Key]struct{}{}, asking: map[space.Key]struct{}{},
	}
	presence.tell, presence.opened = p.tellPresence, p.ask
	return p
}

// start begins to listen, for manager.
func (p *peers) start(manager *space.Manager) error {
	p.manager = manager
	cancel, err := p.bus.Subscribe(gatewaySubject(p.name), p.hearPushes)
	if err != nil {
		return fmt.Errorf("listening to other gateways as %q: %w", p.name, err)
	}
	p.look()
	p.running.Go(func() {
		defer cancel()
		p.run()
	})
	return nil
}

// close ends what start began.
func (p *peers) close() {
	close(p.stop)
	p.running.Wait()
}

// spaceSubject is where a space's news are published. The length keeps tenant and
// space apart.
func spaceSubject(key space.Key) string {
	return "space " + strconv.Itoa(len(key.Tenant)) + " " + key.Tenant + " " + key.Space
}

// gatewaySubject is where a gateway is reached by its name in commits.
func gatewaySubject(name string) string { return "gateway " + name }

// opened and closed are hooks of space.Manager. Subscribing may take a moment,
// for which a space must not wait: run does it.
func (p *peers) opened(key space.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[key] = struct{}{}
	p.wake()
}

func (p *peers) closed(key space.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, key)
	delete(p.asking, key)
	p.wake()
}

// ask asks the others who is present in a space.
func (p *peers) ask(key space.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asking[key] = struct{}{}
	p.wake()
}

func (p *peers) wake() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// run subscribes to what is open, and does what time brings.
func (p *peers) run() {
	look, again := time.NewTicker(lookEvery), time.NewTicker(p.repeat)
	defer look.Stop()
	defer again.Stop()
	for {
		select {
		case <-p.changed:
			p.follow()
		case <-look.C:
			p.look()
			p.presence.expire(time.Now())
		case <-again.C:
			p.tellAll()
		case <-p.stop:
			for _, cancel := range p.cancels {
				cancel()
			}
			return
		}
	}
}

// look passes on whether the others can be heard.
func (p *peers) look() {
	up := p.bus.Connected()
	if up == p.up.Swap(up) {
		return
	}
	p.manager.SetBus(up)
	if up {
		p.tellAll()
		for _, key := range p.presence.keys() {
			p.ask(key)
		}
	}
}

// follow makes the subscriptions those that there are to be, and then asks: the
// answer comes by the subscription.
func (p *peers) follow() {
	p.mu.Lock()
	var begin, ask []space.Key
	for key := range p.open {
		if p.cancels[key] == nil {
			begin = append(begin, key)
		}
	}
	var end []func()
	for key, cancel := range p.cancels {
		if _, open := p.open[key]; !open {
			end = append(end, cancel)
			delete(p.cancels, key)
		}
	}
	for key := range p.asking {
		if _, open := p.open[key]; open {
			ask = append(ask, key)
			delete(p.asking, key)
		}
	}
	p.mu.Unlock()
	for _, cancel := range end {
		cancel()
	}
	for _, key := range begin {
		cancel, err := p.bus.Subscribe(spaceSubject(key), func(data []byte) { p.hear(key, data) })
		if err != nil {
			p.log.Warn("listening to other gateways", "tenant", key.Tenant, "space", key.Space, "error", err)
			continue
		}
		p.cancels[key] = cancel
	}
	for _, key := range ask {
		p.publish(spaceSubject(key), key, &protocol.PeerPresenceAsk{})
	}
}

// Committed implements space.Peers.
func (p *peers) Committed(key space.Key, item space.LogItem) {
	p.publish(spaceSubject(key), key, &protocol.PeerCommit{Seq: item.Seq, Data: item.Data})
}

// Announce implements space.Peers.
func (p *peers) Announce(key space.Key, seq uint64) {
	p.publish(spaceSubject(key), key, &protocol.PeerHead{Seq: seq})
}

// HandOver implements space.Peers.
func (p *peers) HandOver(key space.Key, gateway string, pushes *protocol.PeerPushes) {
	p.publish(gatewaySubject(gateway), key, pushes)
}

func (p *peers) publish(subject string, key space.Key, body protocol.PeerBody) {
	p.metrics.busSent.WithLabelValues(kindOf(body)).Inc()
	p.bus.Publish(subject, protocol.EncodePeer(&protocol.PeerMessage{
		Gateway: p.name, Tenant: key.Tenant, Space: key.Space, Body: body,
	}))
}

// hear takes what another gateway says of a space.
func (p *peers) hear(key space.Key, data []byte) {
	m := p.decode(data)
	if m == nil {
		return
	}
	if m.Tenant != key.Tenant || m.Space != key.Space {
		p.refuse(refusedSubject, m.Gateway, errors.New("the message is about another space"))
		return
	}
	switch body := m.Body.(type) {
	case *protocol.PeerCommit:
		p.manager.Offer(key, space.LogItem{Seq: body.Seq, Data: body.Data})
	case *protocol.PeerHead:
		p.manager.Hint(key, body.Seq)
	case *protocol.PeerPresence:
		p.presence.hear(key, m.Gateway, body.Devices, time.Now())
	case *protocol.PeerPresenceAsk:
		p.tellPresence(key, p.presence.here(key)...)
	default:
		p.refuse(refusedSubject, m.Gateway, fmt.Errorf("%s do not belong to a space's subject", kindOf(body)))
	}
}

// hearPushes takes what another gateway hands over to this one.
func (p *peers) hearPushes(data []byte) {
	m := p.decode(data)
	if m == nil {
		return
	}
	pushes, is := m.Body.(*protocol.PeerPushes)
	if !is {
		p.refuse(refusedSubject, m.Gateway, fmt.Errorf("%s does not belong to a gateway's subject", kindOf(m.Body)))
		return
	}
	p.manager.Take(space.Key{Tenant: m.Tenant, Space: m.Space}, pushes)
}

// decode decodes a message; nil if it cannot be read. That is no error while
// gateways of different versions work together: what matters stands in the log.
func (p *peers) decode(data []byte) *protocol.PeerMessage {
	m, err := protocol.DecodePeer(data)
	if err != nil {
		reason := refusedMalformed
		if protocol.AsError(err).Code == protocol.CodeUpgrade {
			reason = refusedUpgrade
		}
		p.refuse(reason, "", err)
		return nil
	}
	p.metrics.busReceived.WithLabelValues(kindOf(m.Body)).Inc()
	return m
}

// Why a message of another gateway is passed over.
const (
	refusedMalformed = "malformed"
	refusedUpgrade   = "upgrade"
	refusedSubject   = "subject"
)

// refuse counts a message that is passed over, and complains now and then.
func (p *peers) refuse(reason, gateway string, err error) {
	p.metrics.busRefused.WithLabelValues(reason).Inc()
	p.mu.Lock()
	now := time.Now()
	silent := now.Sub(p.complained) < complainEvery
	if !silent {
		p.complained = now
	}
	p.mu.Unlock()
	if !silent {
		p.log.Warn("passing over a message of another gateway", "reason", reason, "gateway", gateway, "error", err)
	}
}

// busKinds are the kinds of messages, as metrics name them.
var busKinds = []string{"commit", "head", "presence", "ask", "pushes"}

// kindOf names a message's kind.
func kindOf(body protocol.PeerBody) string {
	switch body.(type) {
	case *protocol.PeerCommit:
		return "commit"
	case *protocol.PeerHead:
		return "head"
	case *protocol.PeerPresence:
		return "presence"
	case *protocol.PeerPresenceAsk:
		return "ask"
	default:
		return "pushes"
	}
}

// presenceMessageBytes is about how much presence goes into one message.
const presenceMessageBytes = 128 << 10

// tellPresence tells the others what devices here show.
func (p *peers) tellPresence(key space.Key, devices ...protocol.DevicePresence) {
	for len(devices) > 0 {
		n, size := 0, 0
		for n < len(devices) && (n == 0 || size < presenceMessageBytes) {
			size += devices[n].Value.Size() + len(devices[n].Author.User)
			n++
		}
		p.publish(spaceSubject(key), key, &protocol.PeerPresence{Devices: devices[:n]})
		devices = devices[n:]
	}
}

// tellAll repeats what all devices here show.
func (p *peers) tellAll() {
	for _, key := range p.presence.keys() {
		p.tellPresence(key, p.presence.here(key)...)
	}
}
