package client

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tidegate/tidegate/protocol"
)

// TestTranscripts plays the conversations in testdata/transcripts: what a core
// says to its gateway, what it writes to its disk, and in which order. Rewrite
// them with -rewrite after a meant change, and read the difference.
//
// Commands, each for the device a unless a name stands behind it:
//
//	create ID FIELD=VALUE…   set ID FIELD=VALUE   add ID FIELD N
//	connect                  what the core wants, if it wants it
//	send [N]                 let messages reach the gateway
//	receive [N]              let messages reach the device
//	write                    make the batch in flight durable
//	settle                   let everything happen, without a word
//	cut, crash, wait MS      as they say
//	show                     view, queue, lists
//	gateway backup|restore|trim
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		p := &play{t: t, gateway: newModel(), devices: map[string]*testDevice{}}
		p.gateway.schema = testSchema(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			for line := range strings.SplitSeq(d.Input, "\n") {
				p.do(&out, strings.Fields(line))
			}
			if out.Len() == 0 {
				return "ok\n"
			}
			return out.String()
		})
	})
}

// plain reads a value of a command: a number, else a string.
func plain(word string) any {
	if n, err := strconv.Atoi(word); err == nil {
		return n
	}
	return word
}

type play struct {
	t       *testing.T
	gateway *model
	backup  *model
	devices map[string]*testDevice
	ids     []protocol.DeviceID // to print them by number
}

func (p *play) device(name string) *testDevice {
	if d := p.devices[name]; d != nil {
		return d
	}
	d := newDevice(p.t, p.gateway, uint64(len(p.devices)+1))
	p.devices[name] = d
	return d
}

func (p *play) do(out *strings.Builder, words []string) {
	if len(words) == 0 {
		return
	}
	name := "a"
	if who, ok := strings.CutSuffix(words[0], ":"); ok {
		name, words = who, words[1:]
	}
	d := p.device(name)
	count := func() int {
		n := 1
		if len(words) > 1 {
			fmt.Sscan(words[1], &n)
		}
		return n
	}
	switch words[0] {
	case "create":
		var fields []any
		for _, word := range words[2:] {
			field, value, _ := strings.Cut(word, "=")
			fields = append(fields, field, plain(value))
		}
		d.mutate(create(words[1], fields...))
	case "set":
		field, value, _ := strings.Cut(words[2], "=")
		d.mutate(set(words[1], field, plain(value)))
	case "add":
		var n int
		fmt.Sscan(words[3], &n)
		d.mutate(add(words[1], words[2], n))
	case "connect":
		if !d.connect() {
			fmt.Fprintln(out, "the core does not want a connection now")
		}
	case "send":
		for range count() {
			if d.conn == nil || len(d.toSend) == 0 {
				fmt.Fprintln(out, "nothing to send")
				return
			}
			before := len(d.conn.frames)
			d.sendOne()
			for _, f := range d.conn.frames[before:] {
				fmt.Fprintln(out, "->", p.say(f))
			}
		}
	case "receive":
		for range count() {
			if d.conn == nil || len(d.conn.out) == 0 {
				fmt.Fprintln(out, "nothing to receive")
				return
			}
			frames, err := protocol.DecodeMessage(d.conn.out[0], func(protocol.Handle) *protocol.NameTable { return p.gateway.names.Clone() })
			if err != nil {
				p.t.Fatal(err)
			}
			for _, f := range frames {
				if s := p.say(f); s != "" {
					fmt.Fprintln(out, "<-", s)
				}
			}
			settled := len(d.settled)
			d.receiveOne()
			if len(d.settled) > settled {
				fmt.Fprintf(out, "%d settled\n", len(d.settled)-settled)
			}
		}
	case "write":
		if d.batch == nil {
			fmt.Fprintln(out, "nothing to write")
			return
		}
		fmt.Fprintln(out, "written:", kinds(d.batch))
		local := len(d.local)
		d.write()
		if len(d.local) > local {
			fmt.Fprintf(out, "%d local\n", len(d.local)-local)
		}
	case "settle":
		settle(d)
	case "cut":
		d.cut()
	case "crash":
		d.crash()
	case "wait":
		d.wait(protocol.Time(count()))
	case "show":
		p.show(out, d)
	case "gateway":
		switch words[1] {
		case "backup":
			p.backup = p.gateway.copy()
		case "restore":
			p.backup.history++
			*p.gateway = *p.backup
		case "trim":
			p.gateway.trim()
		default:
			p.t.Fatalf("unknown gateway command %q", words[1])
		}
	default:
		p.t.Fatalf("unknown command %q", words[0])
	}
}

// id prints a device id by the order in which it was seen.
func (p *play) id(id protocol.DeviceID) string {
	for i, have := range p.ids {
		if have == id {
			return fmt.Sprintf("device%d", i+1)
		}
	}
	p.ids = append(p.ids, id)
	return fmt.Sprintf("device%d", len(p.ids))
}

// say prints a frame in a line.
func (p *play) say(frame protocol.Frame) string {
	switch f := frame.(type) {
	case *protocol.Hello:
		return fmt.Sprintf("hello %s", p.id(f.Device))
	case *protocol.Welcome:
		return fmt.Sprintf("welcome, window %d bytes %d mutations", f.Window, f.WindowMutations)
	case *protocol.Subscribe:
		return fmt.Sprintf("subscribe %d as %s from %d", f.Handle, p.id(f.Device), f.Cursor.Seq)
	case *protocol.Subscribed:
		mode := [...]string{"resume", "snapshot", "other history"}[f.Mode]
		return fmt.Sprintf("subscribed %d: %s, head %d, horizon %d, known %v, counter %d, %d rejections", f.Handle, mode, f.Head.Seq, f.Horizon, f.Known, f.Counter, len(f.Rejections))
	case *protocol.Unsubscribe:
		return fmt.Sprintf("unsubscribe %d", f.Handle)
	case *protocol.Unsubscribed:
		return fmt.Sprintf("unsubscribed %d %s", f.Handle, f.Code)
	case *protocol.Push:
		last := f.First + uint64(len(f.Bodies)) - 1
		return fmt.Sprintf("push %d: %d…%d", f.Handle, f.First, last)
	case *protocol.Verdicts:
		if f.Replay {
			return fmt.Sprintf("replay %d: counter %d", f.Handle, f.Counter)
		}
		var list []string
		for _, v := range f.List {
			list = append(list, fmt.Sprintf("%d at %d outcome %d%s", v.Counter, v.Seq, v.Outcome, v.Code))
		}
		return fmt.Sprintf("verdicts %d: %s", f.Handle, strings.Join(list, ", "))
	case *protocol.CommitHeader:
		return fmt.Sprintf("commit %d", f.Seq)
	case *protocol.Snapshot:
		return "snapshot begins"
	case *protocol.Page:
		return fmt.Sprintf("page of %d", len(f.Records))
	case *protocol.SnapshotEnd:
		return fmt.Sprintf("snapshot ends at %d", f.Cursor.Seq)
	case *protocol.Ack:
		var parts []string
		for _, c := range f.Cursors {
			parts = append(parts, fmt.Sprintf("cursor %d", c.Cursor.Seq))
		}
		for _, c := range f.Confirmed {
			parts = append(parts, fmt.Sprintf("confirmed %v", c.Counters))
		}
		return "ack " + strings.Join(append([]string{"received"}, parts...), ", ")
	case *protocol.In, *protocol.Section, *protocol.ConflictNotice:
		return ""
	}
	return frame.Type().String()
}

// kinds names what a batch holds.
func kinds(b *Batch) string {
	names := map[byte]string{
		byte(kindClient): "client", byte(kindSpace): "space", byte(kindNames): "names", byte(kindRecord): "record",
		byte(kindPending): "mutation", byte(kindRejected): "rejected", byte(kindConflict): "conflict",
	}
	var list []string
	for _, e := range b.Puts {
		list = append(list, names[e.Key[0]])
	}
	for _, key := range b.Deletes {
		list = append(list, "-"+names[key[0]])
	}
	return strings.Join(list, " ")
}

func (p *play) show(out *strings.Builder, d *testDevice) {
	fmt.Fprintf(out, "confirmed to %d as %s\n", d.core.SpaceStatus(testSpace).Cursor.Seq, p.id(d.core.SpaceDevice(testSpace)))
	for _, record := range d.core.All(testSpace, "cards") {
		fmt.Fprintf(out, "  %s %v", record.ID, record.Map())
		if record.Pending {
			fmt.Fprint(out, " pending")
		}
		fmt.Fprintln(out)
	}
	for _, m := range d.core.Pending(testSpace) {
		fmt.Fprintf(out, "  queue: %d base %d sent=%v judged=%v\n", m.Counter, m.Mutation.Base, m.Sent, m.Judged)
	}
	for _, r := range d.core.Rejected(testSpace) {
		fmt.Fprintf(out, "  rejected: %d %s\n", r.Counter, r.Verdict.Code)
	}
	for _, c := range d.core.Conflicts(testSpace) {
		fmt.Fprintf(out, "  conflict: %s.%s lost %v\n", c.ID, c.Field, c.Lost.Value)
	}
}
