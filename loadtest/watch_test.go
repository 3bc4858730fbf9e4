package loadtest

import (
	"strings"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

const testHandle = protocol.Handle(1)

// wire is a watched connection that a test speaks on, for both sides.
type wire struct {
	t *testing.T
	w *watch
	c *watchedConn
}

func newWire(t *testing.T, dropAcks bool) *wire {
	w := newWatch(dropAcks)
	return &wire{t, w, w.connected()}
}

// subscribe resumes behind a seq.
func (w *wire) subscribe(seq uint64) {
	w.t.Helper()
	w.c.sent(protocol.EncodeMessage(&protocol.Subscribe{Handle: testHandle, Space: "s", Cursor: protocol.Cursor{Seq: seq}}))
	w.receive(&protocol.Subscribed{Handle: testHandle, Mode: protocol.ModeResume})
}

func (w *wire) receive(frames ...protocol.Frame) handling {
	return w.c.received(protocol.EncodeMessage(frames...))
}

func (w *wire) commits(seqs ...uint64) {
	frames := []protocol.Frame{&protocol.In{Handle: testHandle}}
	for _, seq := range seqs {
		frames = append(frames, &protocol.CommitHeader{Seq: seq})
	}
	w.receive(frames...)
}

func (w *wire) advance(seq uint64) {
	w.receive(&protocol.In{Handle: testHandle}, &protocol.Advance{Cursor: protocol.Cursor{Seq: seq}})
}

// expect compares what the watch found: a number of gaps, and a word of the first
// failure, "" for none.
func (w *wire) expect(gaps int, failure string) {
	w.t.Helper()
	if w.w.gaps != gaps {
		w.t.Errorf("%d gaps were found, want %d", w.w.gaps, gaps)
	}
	all := strings.Join(w.w.failures, "\n")
	if failure == "" && all != "" || !strings.Contains(all, failure) {
		w.t.Errorf("the failures are %q, want one about %q", all, failure)
	}
}

func TestWatchIsContentWithOrder(t *testing.T) {
	w := newWire(t, false)
	w.subscribe(0)
	w.commits(1, 2)
	w.advance(5)
	w.commits(6)
	w.expect(0, "")
	if w.w.deliveries != 3 {
		t.Errorf("%d deliveries counted of 3", w.w.deliveries)
	}
	if p := w.w.passedOver("s"); len(p) != 1 || p[0] != (span{2, 5}) {
		t.Errorf("passed over: %v, want (2, 5]", p)
	}
	// A new connection may begin at an older cursor.
	w.c = w.w.connected()
	w.subscribe(2)
	w.commits(3)
	w.expect(0, "")
}

func TestWatchFindsASkippedCommit(t *testing.T) {
	w := newWire(t, false)
	w.subscribe(0)
	w.commits(1, 3)
	w.expect(1, "commit 3 came after commit 1")
}

func TestWatchFindsACommitTwice(t *testing.T) {
	w := newWire(t, false)
	w.subscribe(0)
	w.commits(1, 2, 2)
	w.expect(0, "commit 2 came again")
}

func TestWatchFindsACursorBeforeDelivery(t *testing.T) {
	w := newWire(t, false)
	w.subscribe(0)
	w.commits(1)
	w.c = w.w.connected()
	w.subscribe(4)
	w.expect(1, "the device's cursor is at 4")
}

func TestWatchFindsACommitBeforeTheSnapshotsEnd(t *testing.T) {
	w := newWire(t, false)
	w.c.sent(protocol.EncodeMessage(&protocol.Subscribe{Handle: testHandle, Space: "s"}))
	w.receive(&protocol.Subscribed{Handle: testHandle, Mode: protocol.ModeSnapshot})
	w.receive(&protocol.In{Handle: testHandle}, &protocol.Snapshot{})
	w.commits(8)
	w.expect(1, "commit 8 came before")
}

func TestWatchFollowsASnapshot(t *testing.T) {
	w := newWire(t, false)
	w.c.sent(protocol.EncodeMessage(&protocol.Subscribe{Handle: testHandle, Space: "s"}))
	w.receive(&protocol.Subscribed{Handle: testHandle, Mode: protocol.ModeSnapshot})
	w.receive(&protocol.In{Handle: testHandle}, &protocol.Snapshot{}, &protocol.SnapshotEnd{Cursor: protocol.Cursor{Seq: 7}, Newest: 7})
	w.commits(8)
	w.expect(0, "")
	w.c = w.w.connected()
	w.subscribe(8)
	w.commits(10)
	w.expect(1, "commit 10 came after commit 8")
}

func TestWatchWithholdsEveryVerdictOnce(t *testing.T) {
	w := newWire(t, true)
	w.subscribe(0)
	verdicts := func(counters ...uint64) handling {
		v := &protocol.Verdicts{Handle: testHandle}
		for _, c := range counters {
			v.List = append(v.List, protocol.Verdict{Counter: c, Seq: c})
		}
		return w.receive(v)
	}
	for _, step := range []struct {
		counters []uint64
		want     handling
	}{
		{[]uint64{1, 2}, cut},
		{[]uint64{1, 2}, deliver},
		{[]uint64{2, 3}, cut},
		{[]uint64{3}, deliver},
		{nil, deliver},
	} {
		if got := verdicts(step.counters...); got != step.want {
			t.Errorf("verdicts %v: %d becomes of them, want %d", step.counters, got, step.want)
		}
	}
	if w.w.dropped != 2 {
		t.Errorf("%d messages counted as lost, want 2", w.w.dropped)
	}
	w.expect(0, "")
}
