package client

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// model is a gateway of one space, small enough to be believed: every push is
// merged and committed at once, connections are queues of messages in memory.
type model struct {
	schema  *merge.Schema
	now     protocol.Time
	commits []modelCommit
	records map[Key]*merge.Record
	names   *protocol.NameTable
	devices map[protocol.DeviceID]*modelDevice
	horizon uint64
	history byte // tells one history from another
	conns   []*modelConn

	forgetful bool // remembers no running hashes but the last
	readOnly  bool
	bound     map[protocol.DeviceID]bool // device ids of another user
	refuse    protocol.Code              // answers to Subscribe and Push, if set
	window    uint64
	mutations uint64
	expires   protocol.Time
	ackNow    bool
}

type modelCommit struct {
	cursor  protocol.Cursor
	wire    []byte
	notices []protocol.StoredNotice
}

// modelDevice is a device's entry.
type modelDevice struct {
	counter    uint64
	hash       protocol.Hash
	recent     []protocol.Recent
	last       uint64 // its last commit
	rejections []protocol.Verdict
}

// modelConn is one connection. Received are the messages that the client sent and
// out those for it.
type modelConn struct {
	gateway *model
	user    string
	subs    map[protocol.Handle]*modelSub
	out     [][]byte
	commits [][]byte         // those in out that deliver a commit, and delivered ones
	frames  []protocol.Frame // everything the client sent
	// onAck is called with what the client says is durable.
	onAck func(*protocol.Ack)
}

type modelSub struct {
	device      protocol.DeviceID
	cursor      protocol.Cursor
	collections []string
	presence    bool
}

func newModel() *model {
	return &model{
		now: 1 << 40, records: map[Key]*merge.Record{}, names: protocol.NewNameTable(),
		devices: map[protocol.DeviceID]*modelDevice{}, bound: map[protocol.DeviceID]bool{},
		window: 1 << 20, mutations: 256,
	}
}

// copy returns the model's durable state as it is now, without connections: what
// a backup would hold.
func (g *model) copy() *model {
	c := *g
	c.commits = slices.Clone(g.commits)
	c.records = maps.Clone(g.records)
	c.names = g.names.Clone()
	c.devices = map[protocol.DeviceID]*modelDevice{}
	for id, d := range g.devices {
		entry := *d
		entry.rejections = slices.Clone(d.rejections)
		c.devices[id] = &entry
	}
	c.conns = nil
	return &c
}

func (g *model) connect() *modelConn {
	c := &modelConn{gateway: g, user: "ada", subs: map[protocol.Handle]*modelSub{}}
	g.conns = append(g.conns, c)
	return c
}

func (c *modelConn) close() {
	c.gateway.conns = slices.DeleteFunc(c.gateway.conns, func(o *modelConn) bool { return o == c })
}

func (c *modelConn) send(frames ...protocol.Frame) {
	c.out = append(c.out, protocol.EncodeMessage(frames...))
}

// receive takes a message from the client.
func (c *modelConn) receive(message []byte) {
	frames, err := protocol.DecodeClientMessage(message)
	if err != nil {
		panic("the client sent what a server refuses: " + err.Error())
	}
	g := c.gateway
	for _, frame := range frames {
		c.frames = append(c.frames, frame)
		switch f := frame.(type) {
		case *protocol.Hello:
			c.send(&protocol.Welcome{
				Version: protocol.Version, Compression: "none", Session: "s", Clock: g.now, User: c.user, Expires: g.expires,
				Window: g.window, WindowMutations: g.mutations, FrameBytes: 1 << 20, MutationBytes: 128 << 10, PingEvery: 25000,
			})
		case *protocol.Subscribe:
			c.subscribe(f)
		case *protocol.Unsubscribe:
			delete(c.subs, f.Handle)
			c.send(&protocol.Unsubscribed{Handle: f.Handle})
		case *protocol.Push:
			c.push(f)
		case *protocol.Ack:
			if c.onAck != nil {
				c.onAck(f)
			}
			for _, confirmed := range f.Confirmed {
				sub := c.subs[confirmed.Handle]
				if sub == nil {
					continue
				}
				if d := g.devices[sub.device]; d != nil {
					d.rejections = slices.DeleteFunc(d.rejections, func(v protocol.Verdict) bool {
						return slices.Contains(confirmed.Counters, v.Counter)
					})
				}
			}
		case *protocol.Ping:
			c.send(&protocol.Pong{Nonce: f.Nonce, Clock: g.now})
		case *protocol.Token:
			c.send(&protocol.TokenAccept{})
		case *protocol.Fetch:
			c.send(&protocol.Fetched{Handle: f.Handle, Blob: f.Blob, Value: protocol.StringValue("the long value")})
		case *protocol.Presence:
			for _, other := range g.conns {
				for handle, sub := range other.subs {
					if other != c && sub.presence {
						other.send(&protocol.Present{Handle: handle, Devices: []protocol.DevicePresence{
							{Author: protocol.Author{Device: c.subs[f.Handle].device, User: c.user}, Value: f.Value},
						}})
					}
				}
			}
		}
	}
}

func (g *model) head() protocol.Cursor {
	if n := len(g.commits); n > 0 {
		return g.commits[n-1].cursor
	}
	return protocol.Cursor{}
}

func (c *modelConn) subscribe(f *protocol.Subscribe) {
	g := c.gateway
	switch {
	case g.refuse != "":
		c.send(&protocol.Unsubscribed{Handle: f.Handle, Code: g.refuse, Message: "not now"})
		return
	case g.bound[f.Device]:
		c.send(&protocol.Unsubscribed{Handle: f.Handle, Code: protocol.CodeDeviceBound, Message: "the device is another user's"})
		return
	}
	answer := &protocol.Subscribed{Handle: f.Handle, Head: g.head(), Horizon: g.horizon, Write: !g.readOnly}
	if d := g.devices[f.Device]; d != nil {
		answer.Known, answer.Counter, answer.Hash, answer.Rejections = true, d.counter, d.hash, d.rejections
		if !g.forgetful && f.Counter < d.counter {
			answer.Recent = d.recent[max(int(f.Counter), len(d.recent)-protocol.MaxRecent):]
		}
	}
	sub := &modelSub{device: f.Device, cursor: f.Cursor, collections: f.Collections, presence: f.Presence}
	switch at := f.Cursor; {
	case at.Seq > g.head().Seq || at.Seq > 0 && g.commits[at.Seq-1].cursor != at:
		answer.Mode = protocol.ModeOtherHistory
	case at.Seq < g.horizon || at.Seq == 0 && len(g.commits) > 20:
		answer.Mode = protocol.ModeSnapshot
	}
	c.send(answer)
	c.subs[f.Handle] = sub
	if answer.Mode != protocol.ModeResume {
		c.snapshot(f.Handle, sub)
	}
	c.deliver(f.Handle)
}

func (c *modelConn) snapshot(handle protocol.Handle, sub *modelSub) {
	g := c.gateway
	c.send(&protocol.In{Handle: handle}, &protocol.Snapshot{Names: g.names.Names(), Records: uint64(len(g.records))})
	for _, key := range slices.SortedFunc(maps.Keys(g.records), Key.Compare) {
		state, alive := g.records[key].State()
		if alive && sub.wants(key.Collection) {
			c.send(&protocol.In{Handle: handle}, &protocol.Page{Collection: key.Collection, Records: []protocol.RecordState{state}})
		}
	}
	end := &protocol.SnapshotEnd{Cursor: g.head(), Newest: g.head().Seq}
	if d := g.devices[sub.device]; d != nil {
		end.Counter, end.Hash = d.counter, d.hash
	}
	c.send(&protocol.In{Handle: handle}, end)
	sub.cursor = g.head()
}

func (s *modelSub) wants(collection string) bool {
	return len(s.collections) == 0 || slices.Contains(s.collections, collection)
}

// deliver sends what lies between the subscription's cursor and head, a message
// each commit.
func (c *modelConn) deliver(handle protocol.Handle) {
	sub := c.subs[handle]
	for _, commit := range c.gateway.commits[sub.cursor.Seq:] {
		message := protocol.AppendFormat(nil)
		message = protocol.AppendFrame(message, &protocol.In{Handle: handle})
		message = append(message, commit.wire...)
		for _, notice := range commit.notices {
			if notice.Device == sub.device {
				message = append(message, notice.Frame...)
			}
		}
		c.out = append(c.out, message)
		c.commits = append(c.commits, message)
		sub.cursor = commit.cursor
	}
}

// dropCommit loses a delivery that is under way, as a gateway with a bug would.
func (c *modelConn) dropCommit() {
	for i, message := range c.out {
		if slices.ContainsFunc(c.commits, func(m []byte) bool { return &m[0] == &message[0] }) {
			c.out = slices.Delete(c.out, i, i+1)
			return
		}
	}
}

func (c *modelConn) push(f *protocol.Push) {
	g := c.gateway
	sub := c.subs[f.Handle]
	if sub == nil {
		return
	}
	if g.refuse != "" {
		c.send(&protocol.ErrorFrame{Code: g.refuse, Message: "not now", Handle: f.Handle, Counter: f.First})
		return
	}
	d := g.devices[sub.device]
	if d == nil {
		d = &modelDevice{}
	}
	if f.First != d.counter+1 || f.Previous != d.hash {
		c.send(&protocol.Verdicts{Handle: f.Handle, Replay: true, Counter: d.counter, Hash: d.hash})
		return
	}
	g.devices[sub.device] = d
	g.now += 10
	seq := g.head().Seq + 1
	batch := merge.NewBatch(g.schema, func(key Key) (*merge.Record, bool) { return g.records[key], true }, seq, protocol.DefaultLimits())
	commit := &protocol.Commit{Seq: seq, Time: g.now, AckNow: g.ackNow}
	binary.BigEndian.PutUint64(commit.ID[:], seq)
	commit.ID[0] = g.history
	author := protocol.Author{Device: sub.device, User: c.user}
	verdicts := &protocol.Verdicts{Handle: f.Handle}
	for _, body := range f.Bodies {
		m, err := protocol.DecodeMutation(body)
		if err != nil {
			panic(err)
		}
		if m.Base > g.head().Seq {
			c.send(&protocol.ErrorFrame{Code: protocol.CodeBase, Handle: f.Handle, Counter: d.counter + 1})
			return
		}
		d.counter++
		d.hash = d.hash.Next(body)
		d.last = seq
		result := batch.Merge(merge.Input{Author: author, Counter: d.counter, Mutation: m, EditTime: min(m.EditTime, g.now)})
		result.Verdict.Seq, result.Verdict.Counter = seq, d.counter
		d.recent = append(d.recent, protocol.Recent{Hash: d.hash, Rejected: result.Verdict.Outcome == protocol.Rejected})
		commit.Mutations = append(commit.Mutations, protocol.Committed{
			Author: author, Counter: d.counter, Hash: d.hash, Base: m.Base, EditTime: min(m.EditTime, g.now),
			Body: body, Verdict: result.Verdict, Changes: result.Changes,
		})
		commit.Conflicts = append(commit.Conflicts, result.Conflicts...)
		verdicts.List = append(verdicts.List, result.Verdict)
		if result.Verdict.Outcome == protocol.Rejected {
			d.rejections = append(d.rejections, result.Verdict)
		}
	}
	verdicts.Counter, verdicts.Hash = d.counter, d.hash
	for key, record := range batch.Records() {
		g.records[key] = record
	}
	stored, err := protocol.ParseCommit(protocol.EncodeCommit(commit, g.names))
	if err != nil {
		panic(err)
	}
	g.commits = append(g.commits, modelCommit{
		cursor: protocol.Cursor{Seq: seq, Commit: commit.ID}, wire: bytes.Clone(stored.Wire), notices: stored.Notices,
	})
	c.send(verdicts)
	for _, other := range g.conns {
		for _, handle := range slices.Sorted(maps.Keys(other.subs)) {
			other.deliver(handle)
		}
	}
}

// trim raises the horizon to head and forgets the devices whose last commit lies
// behind it.
func (g *model) trim() {
	g.horizon = g.head().Seq
	for id, d := range g.devices {
		if d.last < g.horizon {
			delete(g.devices, id)
		}
	}
}

// hash returns the digest of the gateway's state.
func (g *model) hash() [32]byte {
	return merge.StateHash(func(yield func(protocol.RecordState) bool) {
		for _, key := range slices.SortedFunc(maps.Keys(g.records), Key.Compare) {
			if state, alive := g.records[key].State(); alive && !yield(state) {
				return
			}
		}
	})
}

// record returns a field of a record as the gateway has it.
func (g *model) value(collection, id, field string) any {
	return g.records[Key{Collection: collection, ID: id}].Value(field).Any()
}
