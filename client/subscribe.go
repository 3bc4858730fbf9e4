package client

import (
	"maps"
	"slices"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// subscription is how a space stands to the present connection.
type subscription uint8

const (
	subscriptionNone   subscription = iota // to be made when retryAt has come
	subscriptionAsked                      // Subscribe sent
	subscriptionLive                       // Subscribed received
	subscriptionParked                     // refused for as long as this connection and token last
)

// subscriptionState is what a space knows of its subscription. All of it dies
// with the connection.
type subscriptionState struct {
	subscription subscription
	handle       protocol.Handle
	// retryAt and attempts: when, and how often in vain, it was asked for.
	retryAt  protocol.Time
	attempts int
	err      error

	head     uint64 // newest commit the server named
	writable bool
	pushed   uint64 // last counter pushed under the handle
	inFlight flight // pushed and not answered under the handle
	stage    *stage // snapshot.go

	// What the server was told, what it may be told, and what it asked to be told
	// at once. epoch tells a durable cursor of this history from one of another.
	acked, durable protocol.Cursor
	durableSent    uint64
	ackNow         uint64
	confirm        []uint64 // rejections whose payload is durable
	confirmLater   []uint64 // to be confirmed after the next batch
	epoch          int
	// fresh: the device id was drawn by this process, and no server has answered for
	// it yet. Any other id may be that of a copy, too.
	fresh bool
}

// flight counts what was pushed and not answered.
type flight struct{ bytes, mutations uint64 }

// retryUnavailable bounds the wait before a space is asked for again after the
// server could not serve it; the first wait is as for connections.
const retryUnavailable = 30 * time.Second

// settleIn gives a space its device id.
func (s *space) settleIn(c *Core) {
	if s.device.IsZero() {
		s.device, s.fresh = c.device, c.drawn
		s.save()
	}
}

// setFilter takes over what the app wants to see.
func (s *space) setFilter(c *Core, collections []string) {
	s.settleIn(c)
	filter := slices.Compact(slices.Sorted(slices.Values(collections)))
	if len(filter) > 0 && !slices.Contains(filter, protocol.ConflictCollection) {
		filter = append(filter, protocol.ConflictCollection) // the inbox is part of everything
		slices.Sort(filter)
	}
	if slices.Equal(filter, s.filter) {
		return
	}
	wider := len(filter) == 0 || len(s.filter) > 0 && slices.ContainsFunc(filter, func(name string) bool {
		return !slices.Contains(s.filter, name)
	})
	s.filter = filter
	if wider {
		s.forgetCursor() // what was left out so far can only come from the start
	}
	for key := range s.records {
		if len(filter) > 0 && !slices.Contains(filter, key.Collection) {
			s.setRecord(key, nil)
		}
	}
	s.save()
}

// forgetCursor makes the server send the space from its beginning. The records
// stay to be seen until what replaces them has come whole.
func (s *space) forgetCursor() {
	s.base = max(s.base, s.cursor.Seq) // a base never goes back
	s.cursor = protocol.Cursor{}
	s.epoch++
	s.durable, s.acked = protocol.Cursor{}, protocol.Cursor{}
	s.save()
}

// runSubscription asks for a space when it is time.
func (c *Core) runSubscription(s *space) {
	if !s.open || s.subscription != subscriptionNone || !c.link.up() || c.now < s.retryAt {
		return
	}
	c.link.handle++
	s.subscription, s.handle, s.retryAt = subscriptionAsked, c.link.handle, 0
	s.pushed, s.inFlight, s.stage = 0, flight{}, nil
	s.acked = s.cursor
	if s.cursor == (protocol.Cursor{}) {
		s.names = protocol.NewNameTable() // what comes begins with its own
		s.namesChanged = true
	}
	c.link.handles[s.handle] = s
	judged, _ := s.lastJudged()
	c.send(&protocol.Subscribe{
		Handle: s.handle, Space: s.name, Device: s.device, Cursor: s.cursor, Counter: judged,
		Collections: s.filter, Priority: s.priority, Presence: s.wantsPresence,
	})
	c.changed(s)
}

// live returns the space of a subscription's frame. It is nil, without an error,
// for a handle that was given up and for whose end the server has not answered
// yet.
func (c *Core) live(handle protocol.Handle) (*space, error) {
	if s := c.link.handles[handle]; s != nil {
		if s.subscription != subscriptionLive {
			return nil, protocol.Errorf(protocol.CodeOutOfOrder, "a frame for handle %d before it was subscribed", handle)
		}
		return s, nil
	}
	if _, ok := c.link.ending[handle]; ok {
		return nil, nil
	}
	return nil, protocol.Errorf(protocol.CodeOutOfOrder, "a frame for handle %d, which was never asked for", handle)
}

// subscribed takes the server's answer: where the device stands there, and how
// it will be brought to head.
func (c *Core) subscribed(f *protocol.Subscribed) error {
	s := c.link.handles[f.Handle]
	if s == nil {
		if _, ok := c.link.ending[f.Handle]; ok {
			return nil
		}
		return protocol.Errorf(protocol.CodeOutOfOrder, "an answer for handle %d, which was never asked for", f.Handle)
	}
	if s.subscription != subscriptionAsked {
		return protocol.Errorf(protocol.CodeOutOfOrder, "a second answer for handle %d", f.Handle)
	}
	s.subscription, s.err = subscriptionLive, nil
	s.head = f.Head.Seq
	s.writable = f.Write
	if s.schemaVersion != f.SchemaVersion {
		s.schemaVersion = f.SchemaVersion
		s.save()
	}
	c.changed(s)
	if !c.identify(s, f) {
		return nil // it is being asked for again, under another device id
	}
	s.fresh = false
	s.pushed, _ = s.lastJudged()
	switch {
	case f.Mode != protocol.ModeResume:
		s.stage = newStage()
	case s.cursor == (protocol.Cursor{}) && (len(s.records) > 0 || s.rebase):
		// The log is whole and comes from its beginning, in place of a snapshot.
		s.stage = newStage()
		s.stage.ended, s.stage.until = true, f.Head.Seq
	case s.rebase:
		c.rebaseQueue(s, nil)
	}
	if s.stage != nil {
		c.finishStage(s)
	}
	if !s.presence.IsAbsent() {
		c.send(&protocol.Presence{Handle: s.handle, Value: s.presence})
	}
	return nil
}

// identify finds out which mutations of the queue are committed, and whether this
// store is still the one device that the server knows. It returns false if the
// device took another id.
func (c *Core) identify(s *space, f *protocol.Subscribed) bool {
	known, counter, hash := f.Known, f.Counter, f.Hash
	if c.cfg.Faults.SnapshotWithoutCounter && f.Mode == protocol.ModeSnapshot && f.Known {
		c.replaceDevice(s, s.queue, true)
		return false
	}
	have, ok := s.hashAt(counter)
	same := ok && have == hash
	if c.cfg.Faults.SkipHashCheck {
		same = true
	}
	judged, _ := s.lastJudged()
	switch {
	case f.Mode == protocol.ModeOtherHistory || known && counter < judged:
		// The server has looked, and has lost what it told us it had committed. What it
		// still has of the queue it has; the rest starts over.
		if known && same {
			c.accept(s, counter, f, 0)
		}
		c.startOver(s)
		return false
	case known && same:
		c.accept(s, counter, f, f.Head.Seq)
		return true
	case known:
		c.clone(s, f)
		return false
	case slices.ContainsFunc(s.leaving, func(p *pending) bool { return p.leaveAt > f.Head.Seq }):
		// The log was read to its end to find that it does not know the device, and it
		// does not hold the commits that the device was told of.
		c.startOver(s)
		return false
	default:
		return c.unknown(s, f.Horizon)
	}
}

// startOver goes on in another history of the space, under a new device id and
// with the queue that is left.
func (c *Core) startOver(s *space) {
	for len(s.leaving) > 0 {
		p := s.leaving[0]
		s.leaving = s.leaving[1:]
		s.unpredict(p)
		s.dropPending(p)
	}
	s.forgetCursor()
	c.replaceDevice(s, s.queue, true)
}

// beforeRecent is the newest counter that the server remembers no more.
func beforeRecent(f *protocol.Subscribed) uint64 {
	return f.Counter - min(f.Counter, uint64(len(f.Recent)))
}

// recentAt returns what the server remembers of a mutation; false if nothing.
func recentAt(f *protocol.Subscribed, counter uint64) (protocol.Recent, bool) {
	first := beforeRecent(f) + 1
	if counter < first || counter > f.Counter {
		return protocol.Recent{}, false
	}
	return f.Recent[counter-first], true
}

// clone goes on under a new device id because another copy of this store has
// written under the present one. The running hashes that the server remembers
// tell where the copies parted: what was committed before is settled, the rest
// is this copy's own and is sent anew. A queue that begins before these hashes
// does not tell: the other copy may have had it too, and a third may have carried
// any part of it over, under an id that only the place of the parting gives. So
// all of it is kept for the user.
func (c *Core) clone(s *space, f *protocol.Subscribed) {
	var common uint64
	for _, p := range s.queue {
		if r, known := recentAt(f, p.counter); known && r.Hash == p.hash {
			common = p.counter
		}
	}
	if common > 0 {
		// What the other copy did since is not for this one to confirm.
		shared := *f
		shared.Rejections = slices.DeleteFunc(slices.Clone(f.Rejections), func(v protocol.Verdict) bool { return v.Counter > common })
		c.accept(s, common, &shared, f.Head.Seq)
	}
	copied := len(s.queue) > 0 && s.queue[0].counter <= beforeRecent(f)
	for _, p := range slices.Clone(s.queue) {
		// The entry may be a second one under the id, after the first was forgotten.
		forgotten := p.counter <= s.sent && p.mutation.Base < f.Horizon
		if copied || forgotten {
			c.expel(s, p, protocol.RejectUnknownOutcome, "a copy of this device's data may have sent this already")
		}
	}
	c.replaceDevice(s, s.queue, s.below(f.Horizon))
}

// unknown continues where the server has no entry for the device: it never had
// one, or it forgot it because its last commit lies behind the horizon. A
// mutation whose base is not behind the horizon would have been committed above
// it and not been forgotten; of others that may have been sent, the outcome
// cannot be known any more. Nor can it be known of anything that was sent behind
// mutations with verdicts: a gateway that has not been reached since may remember
// the device still, and take what is on its way there.
//
// A store that stands behind the horizon may be an old copy of one that went on
// to write, and was forgotten since: so it takes a new device id even if it never
// wrote under this one, or a counter would stand in the log twice.
func (c *Core) unknown(s *space, horizon uint64) bool {
	judged, _ := s.lastJudged()
	inFlight := slices.ContainsFunc(s.queue, func(p *pending) bool { return p.counter <= s.sent && p.mutation.Base >= horizon })
	renew := judged > 0 || s.cursor.Seq < horizon && !s.fresh && !inFlight
	for _, p := range slices.Clone(s.queue) {
		if p.counter <= s.sent && (p.mutation.Base < horizon || judged > 0) {
			c.expel(s, p, protocol.RejectUnknownOutcome, "the device was away for so long that the server cannot tell whether this took effect")
			renew = true
		}
	}
	rebase := s.rebase || s.below(horizon)
	if renew {
		c.replaceDevice(s, s.queue, rebase)
		return false
	}
	if s.rebase != rebase {
		s.rebase = rebase
		s.save()
	}
	return true
}

// below says whether the queue has bases that the server could not merge for a
// device it does not know.
func (s *space) below(horizon uint64) bool {
	return slices.ContainsFunc(s.queue, func(p *pending) bool { return p.mutation.Base < horizon })
}

// unsubscribed takes the end of a subscription: ours, or the server's decision.
func (c *Core) unsubscribed(f *protocol.Unsubscribed) error {
	if _, ok := c.link.ending[f.Handle]; ok {
		delete(c.link.ending, f.Handle)
		return nil
	}
	s := c.link.handles[f.Handle]
	if s == nil {
		return protocol.Errorf(protocol.CodeOutOfOrder, "the end of handle %d, which was never asked for", f.Handle)
	}
	delete(c.link.handles, f.Handle)
	s.endSubscription()
	c.refused(s, f.Code, f.Message)
	return nil
}

// refused decides what becomes of a space that the server does not serve.
func (c *Core) refused(s *space, code protocol.Code, message string) {
	s.err = &protocol.Error{Code: code, Message: message}
	c.changed(s)
	switch code {
	case protocol.CodeForbidden, protocol.CodeSpaceName, protocol.CodeSubscriptions:
		s.subscription = subscriptionParked
	case protocol.CodeDeviceBound:
		// The mutations that may have been sent were sent by the other user. What they
		// became is theirs to know.
		for _, p := range slices.Clone(s.queue) {
			if p.counter <= s.sent {
				c.expel(s, p, protocol.RejectUnknownOutcome, "this may have been sent already, under another user's name")
			}
		}
		c.replaceDevice(s, s.queue, s.rebase)
	default:
		c.retry(s, code == protocol.CodeDamaged)
	}
}

// pushRefused takes an error about a push, of which nothing was taken.
func (c *Core) pushRefused(s *space, f *protocol.ErrorFrame) {
	s.err = &protocol.Error{Code: f.Code, Message: f.Message}
	c.changed(s)
	switch f.Code {
	case protocol.CodeMutationLarge:
		at := slices.IndexFunc(s.queue, func(p *pending) bool { return p.counter == f.Counter })
		if at >= 0 {
			c.expel(s, s.queue[at], protocol.RejectTooLarge, f.Message)
			c.renumber(s)
		}
		c.resubscribeLater(s)
	case protocol.CodeBase:
		// The server looked, and its history does not reach what the queue was made on:
		// it is another one. The cursor said nothing because it was already forgotten.
		c.startOver(s)
	case protocol.CodePresence:
	default:
		// The next answer says whether the space can be written to at all.
		c.resubscribeLater(s)
	}
}

// resubscribe gives the handle up and asks anew: the answer says where the device
// stands.
func (c *Core) resubscribe(s *space) {
	if s.subscription == subscriptionAsked || s.subscription == subscriptionLive {
		c.send(&protocol.Unsubscribe{Handle: s.handle})
		c.link.ending[s.handle] = ending{names: s.names.Clone(), inFlight: s.inFlight}
		delete(c.link.handles, s.handle)
	}
	s.endSubscription()
	c.changed(s)
}

// resubscribeLater is resubscribe for what may happen again at once: from the
// second time on it waits, longer each time.
func (c *Core) resubscribeLater(s *space) {
	c.resubscribe(s)
	if s.attempts > 0 {
		c.retry(s, false)
		return
	}
	s.attempts++
}

// retry asks for a space again after a wait.
func (c *Core) retry(s *space, long bool) {
	limit := time.Duration(0)
	if long {
		limit = retryUnavailable
	}
	s.retryAt = c.now + max(c.jitter(max(limit, c.backoff(s.attempts))), 1)
	s.attempts++
}

func (s *space) endSubscription() {
	s.subscription = subscriptionNone
	s.inFlight = flight{}
	s.stage = nil
	s.nobodyPresent()
}

// unpark asks again for the spaces that were refused, and for those that were not
// to be written to, because another token may allow it.
func (c *Core) unpark() {
	for _, s := range c.sorted {
		switch {
		case s.subscription == subscriptionParked:
			s.subscription, s.retryAt = subscriptionNone, 0
		case s.subscription == subscriptionLive && !s.writable:
			c.resubscribe(s)
		}
	}
}

// SpaceStatus returns a space's condition.
func (c *Core) SpaceStatus(name string) SpaceStatus {
	s := c.spaces[name]
	if s == nil {
		return SpaceStatus{}
	}
	status := SpaceStatus{
		Err: s.err, Writable: s.writable, Pending: len(s.queue),
		Cursor: s.cursor, Head: max(s.head, s.cursor.Seq), SchemaVersion: s.schemaVersion,
	}
	switch s.subscription {
	case subscriptionAsked:
		status.State = SpaceSubscribing
	case subscriptionParked:
		status.State = SpaceParked
	case subscriptionLive:
		status.State = SpaceCatchingUp
		if s.stage == nil && s.cursor.Seq >= s.head {
			status.State = SpaceLive
		}
	}
	return status
}

// SpaceDevice returns the device id under which the client writes in a space.
func (c *Core) SpaceDevice(name string) protocol.DeviceID {
	if s := c.spaces[name]; s != nil {
		return s.device
	}
	return c.device
}

// Device returns the client's primary device id.
func (c *Core) Device() protocol.DeviceID { return c.device }

// handlesOf returns the handles of a connection in order, for a deterministic
// walk.
func handlesOf(handles map[protocol.Handle]*space) []protocol.Handle {
	return slices.Sorted(maps.Keys(handles))
}
