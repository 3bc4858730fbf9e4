package space

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/tidegate/tidegate/protocol"
)

// TestTranscripts plays the dialogues between cores and their owners in
// testdata/transcripts. Rewrite them with -rewrite.
//
//	core NAME [exclusive] [expire] [watermark=N] [cache=BYTES]   a core starts
//	crash NAME                            it forgets all that was in memory
//	device NAME                           a device that makes mutations
//	attach CORE SESSION DEVICE [cursor=SEQ] [user=NAME] [id=HEX]
//	detach CORE SESSION
//	mutate DEVICE [base=N]                one mutation a line of input, ops split by ";"
//	push CORE SESSION DEVICE first=N [last=N] [previous=N]
//	confirm CORE SESSION COUNTER…
//	do CORE                               perform all requests until none are left
//	perform CORE append [lost|unknown|fail]  perform the oldest such request; its
//	                                      answer is lost, or another
//	deny CORE append [unknown|fail]       answer the oldest such request without
//	                                      performing it
//	pass CORE DURATION                    time goes by, with all requests performed
//	tick CORE DURATION                    time goes by, with nothing performed
//	damage SEQ                            a log entry turns to rubbish
//	log, items, state                     what the store holds, and its fold
//
// Each prints what the core then wants and says.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		s := &script{t: t, store: new(Memory), rigs: make(map[string]*rig), devices: make(map[string]*testClient)}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			s.out.Reset()
			s.run(d)
			if s.out.Len() == 0 {
				return "ok\n"
			}
			return s.out.String()
		})
	})
}

type script struct {
	t       *testing.T
	store   *Memory
	rigs    map[string]*rig
	devices map[string]*testClient
	out     strings.Builder
}

func (s *script) printf(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

func option(d *datadriven.TestData, name, otherwise string) string {
	for _, arg := range d.CmdArgs {
		if arg.Key == name {
			if len(arg.Vals) == 0 {
				return "true"
			}
			return arg.Vals[0]
		}
	}
	return otherwise
}

func number(d *datadriven.TestData, name string, otherwise int) int {
	n, err := strconv.Atoi(option(d, name, strconv.Itoa(otherwise)))
	if err != nil {
		d.Fatalf(nil, "%s: %v", name, err)
	}
	return n
}

func (s *script) run(d *datadriven.TestData) {
	word := func(i int) string { return d.CmdArgs[i].Key }
	atoi := func(i int) int {
		n, err := strconv.Atoi(word(i))
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		return n
	}
	var r *rig
	if len(d.CmdArgs) > 0 {
		r = s.rigs[word(0)]
	}
	switch d.Cmd {
	case "core":
		r = newRig(s.t, word(0), s.store, Config{
			Exclusive:      option(d, "exclusive", "") != "",
			Expire:         option(d, "expire", "") != "",
			WatermarkEvery: number(d, "watermark", 0),
			CacheBytes:     number(d, "cache", 0),
			Limits:         protocol.Limits{Horizon: 2 * time.Hour, CommitBytes: number(d, "commit", 0)},
		})
		for _, other := range s.rigs {
			r.now = max(r.now, other.now)
		}
		s.rigs[word(0)] = r
	case "crash":
		r.restart()
	case "device":
		s.devices[word(0)] = newTestClient(word(0))
		return
	case "mutate":
		c := s.devices[word(0)]
		c.base = uint64(number(d, "base", int(c.base)))
		for line := range strings.Lines(d.Input) {
			var ops []protocol.Op
			for text := range strings.SplitSeq(line, ";") {
				ops = append(ops, mustOp(text))
			}
			c.mutate(rigStart, ops...)
		}
		return
	case "attach":
		c := s.devices[word(2)]
		a := Attach{Session: SessionID(atoi(1)), Device: c.device, User: option(d, "user", c.user)}
		a.Cursor.Seq = uint64(number(d, "cursor", 0))
		if items, _ := s.store.Log(s.t.Context(), rigKey, a.Cursor.Seq, 1); len(items) > 0 && items[0].Seq == a.Cursor.Seq {
			if stored, err := protocol.ParseCommit(items[0].Data); err == nil {
				a.Cursor.Commit = stored.ID
			}
		}
		if id := option(d, "id", ""); id != "" {
			copy(a.Cursor.Commit[:], id)
		}
		r.core.Attach(r.now, a)
	case "detach":
		r.core.Detach(r.now, SessionID(atoi(1)))
	case "push":
		c := s.devices[word(2)]
		first := uint64(number(d, "first", 1))
		last := uint64(number(d, "last", int(c.counter)))
		p := c.pushFrom(SessionID(atoi(1)), 7, first)
		p.Bodies = p.Bodies[:last-first+1]
		p.Previous = c.hashes[number(d, "previous", int(first)-1)]
		r.core.Push(r.now, p)
	case "confirm":
		var counters []uint64
		for i := 2; i < len(d.CmdArgs); i++ {
			counters = append(counters, uint64(atoi(i)))
		}
		r.core.Confirm(r.now, SessionID(atoi(1)), counters)
	case "do":
		r.take()
		r.settle()
	case "perform", "deny":
		s.answer(d, r, word(1))
	case "pass", "tick":
		by, err := time.ParseDuration(word(1))
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		if d.Cmd == "pass" {
			r.pass(by)
		} else {
			r.now += millis(by)
			r.core.Tick(r.now)
		}
	case "close":
		r.core.Close(r.now)
	case "damage":
		s.store.mu.Lock()
		s.store.spaces[rigKey].log[uint64(atoi(0))] = []byte{protocol.Format, 1}
		s.store.mu.Unlock()
		return
	case "log":
		s.showLog()
		return
	case "state":
		s.printf("%s", showState(foldOf(logOf(s.t, s.store, nil))))
		return
	case "items":
		s.showItems()
		return
	default:
		d.Fatalf(s.t, "unknown command %s", d.Cmd)
	}
	r.take()
	s.show(r)
}

func (s *script) answer(d *datadriven.TestData, r *rig, what string) {
	i := slices.IndexFunc(r.requests, func(q Request) bool { return strings.HasPrefix(showOp(q.Op), what) })
	if i < 0 {
		d.Fatalf(s.t, "no request to %s", what)
	}
	req := r.requests[i]
	r.requests = slices.Delete(r.requests, i, i+1)
	var resp Response
	if d.Cmd == "perform" {
		resp = r.perform(req.Op)
	}
	switch {
	case option(d, "lost", "") != "":
		return
	case option(d, "unknown", "") != "":
		resp = Response{Err: ErrUnknown}
	case option(d, "fail", "") != "":
		resp = Response{Err: errors.New("throttled")}
	}
	r.respond(req, resp)
}

// show prints what a core wants and says, and forgets what it said.
func (s *script) show(r *rig) {
	for _, e := range r.events {
		switch e.Kind {
		case EventOpened:
			s.printf("opened at %d", e.Seq)
		case EventRace:
			s.printf("lost the race for %d", e.Seq)
		case EventUnknown:
			s.printf("outcome of %d unknown", e.Seq)
		case EventFolded:
			s.printf("folded %d of another gateway", e.Seq)
		case EventCommitted:
			s.printf("committed %d: %d mutations", e.Seq, e.N)
		case EventWatermark:
			s.printf("watermark %d", e.N)
		case EventTrimmed:
			s.printf("horizon %d", e.N)
		case EventHole:
			s.printf("the log begins at %d, head was %d", e.N, e.Seq)
		case EventDamaged:
			s.printf("damaged: %v", e.Err)
		}
	}
	r.events = nil
	for _, reply := range r.replies {
		s.printf("to %d: %s", reply.Session, showReply(reply.Body))
	}
	r.replies = nil
	for _, req := range r.requests {
		s.printf("wants %s", showOp(req.Op))
	}
	if r.closed {
		s.printf("closed")
	}
}

func showReply(body ReplyBody) string {
	switch b := body.(type) {
	case Attached:
		mode := []string{"resume", "snapshot", "other history"}[b.Mode]
		text := fmt.Sprintf("attached, %s, head %d, horizon %d, counter %d", mode, b.Head.Seq, b.Horizon, b.Counter)
		if !b.Known {
			text += ", unknown device"
		}
		return text + showVerdicts(", rejections", b.Rejections)
	case Verdicts:
		if b.Replay {
			return fmt.Sprintf("replay of push %d: at %d%s", b.Push, b.Counter, showVerdicts(", rejections", b.List))
		}
		return "verdicts" + showVerdicts("", b.List)
	case Refused:
		return fmt.Sprintf("push %d refused from %d: %v", b.Push, b.Counter, b.Err)
	case Lost:
		return fmt.Sprintf("lost: %v", b.Err)
	}
	return "?"
}

func showVerdicts(title string, list []protocol.Verdict) string {
	if len(list) == 0 {
		return ""
	}
	text := title
	for _, v := range list {
		text += fmt.Sprintf(" %d@%d %s", v.Counter, v.Seq, v.Outcome)
		if v.Outcome == protocol.Rejected {
			text += fmt.Sprintf("(%s)", v.Code)
		}
	}
	return text
}

func showOp(op RequestOp) string {
	keys := func(keys []ItemKey) string {
		var words []string
		for _, k := range keys {
			words = append(words, showKey(k))
		}
		return strings.Join(words, ", ")
	}
	switch op := op.(type) {
	case AppendOp:
		return fmt.Sprintf("append %d", op.Seq)
	case LogOp:
		return fmt.Sprintf("log from %d", op.From)
	case GetOp:
		return "get " + keys(op.Keys)
	case PutOp:
		var words []string
		for _, item := range op.Items {
			words = append(words, fmt.Sprintf("%s v%d", showKey(item.Key), item.Version))
		}
		return "put " + strings.Join(words, ", ")
	case ScanOp:
		return "scan " + showKey(op.After)
	case TrimOp:
		return strings.TrimSpace(fmt.Sprintf("trim below %d %s", op.Below, keys(op.Drop)))
	}
	return "?"
}

func showKey(k ItemKey) string {
	switch k.Kind {
	case ItemRecord:
		return k.A + "/" + k.B
	case ItemDevice:
		return "device " + strings.TrimRight(k.A, "\x00")
	}
	return strings.TrimPrefix(k.String(), "the ")
}

func (s *script) showLog() {
	items, err := s.store.Log(s.t.Context(), rigKey, 0, 1<<30)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, item := range items {
		stored, err := protocol.ParseCommit(item.Data)
		if err != nil {
			s.printf("%d unreadable", item.Seq)
			continue
		}
		s.printf("%d %c%x", item.Seq, stored.ID[0], stored.ID[7])
	}
}

func (s *script) showItems() {
	for _, kind := range []ItemKind{ItemRecord, ItemDevice, ItemWatermark, ItemHorizon} {
		items, err := s.store.Scan(s.t.Context(), rigKey, ItemKey{Kind: kind}, 1<<30)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, item := range items {
			s.printf("%s v%d", showKey(item.Key), item.Version)
		}
	}
}
