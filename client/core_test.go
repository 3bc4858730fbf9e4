package client

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/protocol"
)

// testSchema has a counter and a set beside plain fields.
func testSchema(t testing.TB) *merge.Schema {
	schema, err := merge.ParseSchema(map[string][]byte{"cards.json": []byte(`{
		"type": "object",
		"properties": {
			"title": {"type": "string"},
			"price": {"type": "number", "x-merge": "strict"},
			"votes": {"type": "number", "x-merge": "counter"},
			"tags": {"type": "array", "items": {"type": "string"}, "x-merge": "set"},
			"steps": {"type": "array", "x-merge": "list"}
		}
	}`)})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func testWorld(t testing.TB, devices int, configure ...func(*testDevice)) (*model, []*testDevice) {
	g := newModel()
	g.schema = testSchema(t)
	var list []*testDevice
	for i := range devices {
		list = append(list, newDevice(t, g, uint64(i+1), configure...))
	}
	return g, list
}

func TestTwoDevicesConverge(t *testing.T) {
	g, d := testWorld(t, 2)
	a, b := d[0], d[1]
	ref := a.mutate(create("1", "title", "Buy milk"))
	if a.value("cards", "1", "title") != "Buy milk" {
		t.Error("the edit is not in the view at once")
	}
	settle(a, b)
	if v, ok := a.settled[ref]; !ok || v.Outcome != protocol.Applied || v.Seq != 1 {
		t.Errorf("verdict %+v, settled %v", v, ok)
	}
	b.mutate(set("1", "title", "Buy oat milk"), add("1", "votes", 2))
	a.mutate(add("1", "votes", 3))
	settle(a, b)
	for _, d := range d {
		d.converged()
		if got := d.value("cards", "1", "votes"); got != int64(5) {
			t.Errorf("votes %v, want 5", got)
		}
		if got := d.value("cards", "1", "title"); got != "Buy oat milk" {
			t.Errorf("title %v", got)
		}
	}
	if g.head().Seq == 0 {
		t.Error("nothing was committed")
	}
}

// What depends on the disk waits for it: local, the push, the acknowledged
// cursor.
func TestNothingBeforeDurable(t *testing.T) {
	_, d := testWorld(t, 1)
	a := d[0]
	settle(a)
	a.stuck = true
	ref := a.mutate(create("1", "title", "x"))
	settle(a)
	if a.local[ref] {
		t.Error("the mutation was called durable before it was written")
	}
	for _, f := range a.conn.frames {
		if _, pushed := f.(*protocol.Push); pushed {
			t.Error("the mutation was pushed before it was written")
		}
	}
	a.stuck = false
	settle(a)
	if !a.local[ref] {
		t.Error("the mutation was written and not called durable")
	}
	a.converged()
	b := newDevice(t, a.gateway, 9)
	b.stuck = true
	settle(b)
	for _, f := range b.conn.frames {
		if ack, ok := f.(*protocol.Ack); ok && len(ack.Cursors) > 0 {
			t.Error("a cursor was acknowledged before it was written")
		}
	}
}

// A verdict settles at once; the prediction stays until the cursor is there.
func TestPredictionStaysUntilTheCursorComes(t *testing.T) {
	_, d := testWorld(t, 1)
	a := d[0]
	settle(a)
	ref := a.mutate(create("1", "title", "x"))
	for a.write() || a.sendOne() {
	}
	if !a.receiveOne() {
		t.Fatal("no verdict came")
	}
	if _, ok := a.settled[ref]; !ok {
		t.Fatal("the verdict did not settle the mutation")
	}
	if a.pending() != 1 || a.value("cards", "1", "title") != "x" {
		t.Error("the prediction left the view before its commit came")
	}
	if !a.receiveOne() {
		t.Fatal("no commit came")
	}
	if a.pending() != 0 || a.value("cards", "1", "title") != "x" {
		t.Error("the prediction did not give way to its commit")
	}
	settle(a)
	a.converged()
}

// The verdict is lost with the connection: the mutation takes effect once and is
// settled with what is known.
func TestLostVerdict(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%v", restart), func(t *testing.T) {
			g, d := testWorld(t, 1)
			a := d[0]
			a.mutate(create("1", "votes", 0))
			settle(a)
			ref := a.mutate(add("1", "votes", 1))
			for a.write() || a.sendOne() {
			}
			if restart {
				a.crash()
			} else {
				a.cut()
			}
			settle(a)
			if v, ok := a.settled[ref]; !restart && (!ok || v.Seq != 0 || v.Outcome != protocol.Applied) {
				t.Errorf("verdict %+v, settled %v", v, ok)
			}
			a.converged()
			if got := g.value("cards", "1", "votes"); got != int64(1) {
				t.Errorf("votes %v, want 1", got)
			}
		})
	}
}

// The push is still under way on the old connection when the new one is made: the
// new push is a replay, and nothing is doubled.
func TestReplay(t *testing.T) {
	g, d := testWorld(t, 1)
	a := d[0]
	a.mutate(create("1", "votes", 0))
	settle(a)
	ref := a.mutate(add("1", "votes", 1))
	for a.write() {
	}
	old, late := a.conn, a.toSend // the push is on its way, and stays there
	a.conn, a.toSend = nil, nil
	a.core.Disconnected(a.now, 0, nil)
	a.take()
	for !a.connect() {
		a.wait(100)
	}
	for a.core.Status().Sent == 0 {
		if !a.sendOne() && !a.receiveOne() {
			t.Fatal("the mutation was not pushed again")
		}
	}
	for _, message := range late {
		old.receive(message)
	}
	settle(a)
	a.converged()
	if _, ok := a.settled[ref]; !ok {
		t.Error("the mutation was never settled")
	}
	if got := g.value("cards", "1", "votes"); got != int64(1) {
		t.Errorf("votes %v, want 1", got)
	}
}

func TestRejectedIsKept(t *testing.T) {
	g, d := testWorld(t, 1)
	a := d[0]
	settle(a)
	ref := a.mutate(set("nowhere", "title", "x"))
	settle(a)
	if v := a.settled[ref]; v.Outcome != protocol.Rejected {
		t.Fatalf("verdict %+v", v)
	}
	a.converged()
	for _, entry := range g.devices {
		if len(entry.rejections) != 0 {
			t.Error("the rejection was not confirmed")
		}
	}
	a.crash()
	list := a.core.Rejected(testSpace)
	if len(list) != 1 || len(list[0].Ops()) != 1 || list[0].Ops()[0].ID != "nowhere" {
		t.Fatalf("rejected after a restart: %+v", list)
	}
	a.mutate(create("nowhere", "title", "y"))
	if _, err := a.core.Retry(a.now, testSpace, list[0].Entry, list[0].Ops()); err != nil {
		t.Fatal(err)
	}
	a.take()
	settle(a)
	a.converged()
	if got := g.value("cards", "nowhere", "title"); got != "x" {
		t.Errorf("title %v, want the retried one", got)
	}
	if n := len(a.core.Rejected(testSpace)); n != 0 {
		t.Errorf("%d entries left after the retry", n)
	}
	if err := a.core.Discard(testSpace, list[0].Entry); err != ErrGone {
		t.Errorf("discard of what is gone: %v", err)
	}
}

// The server is told that it may forget a rejection only once the payload is on
// disk, also if the verdict came with the subscription.
func TestRejectionLostWithConnection(t *testing.T) {
	g, d := testWorld(t, 1)
	a := d[0]
	settle(a)
	a.mutate(set("nowhere", "title", "x"))
	for a.write() || a.sendOne() {
	}
	a.crash()
	a.stuck = true
	settle(a)
	for _, entry := range g.devices {
		if len(entry.rejections) != 1 {
			t.Error("the rejection was confirmed before its payload was durable")
		}
	}
	a.stuck = false
	settle(a)
	a.converged()
	for _, entry := range g.devices {
		if len(entry.rejections) != 0 {
			t.Error("the rejection was not confirmed")
		}
	}
	if n := len(a.core.Rejected(testSpace)); n != 1 {
		t.Errorf("%d rejected, want 1", n)
	}
}

// copyOf is a second device that starts from a copy of the first one's disk.
func copyOf(a *testDevice, seed uint64) *testDevice {
	return newDevice(a.t, a.gateway, seed, func(d *testDevice) {
		d.disk = maps.Clone(a.disk)
		d.now, d.offline, d.faults = a.now, true, a.faults
	})
}

// A copied store is a second device: both keep what they write.
func TestCopiedStore(t *testing.T) {
	g, d := testWorld(t, 1)
	a := d[0]
	a.mutate(create("1", "votes", 0))
	settle(a)
	b := copyOf(a, 77)
	a.mutate(add("1", "votes", 1))
	settle(a)
	b.mutate(add("1", "votes", 10))
	b.mutate(add("1", "votes", 100))
	b.offline = false
	settle(a, b)
	a.converged()
	b.converged()
	if got := g.value("cards", "1", "votes"); got != int64(111) {
		t.Errorf("votes %v, want 111", got)
	}
	if a.core.SpaceDevice(testSpace) == b.core.SpaceDevice(testSpace) {
		t.Error("both copies write under one device id")
	}
	// The new identity survives a restart.
	b.crash()
	b.mutate(add("1", "votes", 1000))
	settle(a, b)
	b.converged()
	if got := g.value("cards", "1", "votes"); got != int64(1111) {
		t.Errorf("votes %v, want 1111", got)
	}
}

// What was in the queue when the store was copied takes effect exactly once; if
// the gateway remembers too little to tell, at most once, and not without a word.
func TestCopiedQueue(t *testing.T) {
	for _, test := range []struct{ original, forgetful bool }{{true, false}, {false, false}, {true, true}, {false, true}} {
		t.Run(fmt.Sprintf("%+v", test), func(t *testing.T) {
			original := test.original
			g, d := testWorld(t, 1)
			g.forgetful = test.forgetful
			a := d[0]
			a.mutate(create("1", "votes", 0))
			settle(a)
			a.cut()
			a.offline = true
			a.mutate(add("1", "votes", 1))
			settle(a)
			a.crash() // the queue is from an earlier run for both
			b := copyOf(a, 77)
			first, second := a, b
			if !original {
				first, second = b, a
			}
			first.mutate(add("1", "votes", 10))
			second.mutate(add("1", "votes", 100))
			second.mutate(add("1", "votes", 1000))
			first.offline = false
			settle(first)
			second.offline = false
			settle(a, b)
			a.converged()
			b.converged()
			list := second.core.Rejected(testSpace)
			if !test.forgetful {
				if got := g.value("cards", "1", "votes"); got != int64(1111) || len(list) != 0 {
					t.Errorf("votes %v, want 1111; rejected: %v", got, list)
				}
				return
			}
			if got := g.value("cards", "1", "votes"); got != int64(11) {
				t.Errorf("votes %v, want 11", got)
			}
			if len(list) != 3 || slices.ContainsFunc(list, func(r *RejectedMutation) bool { return r.Verdict.Code != protocol.RejectUnknownOutcome }) {
				t.Errorf("what may have been sent by the copy: %+v", list)
			}
		})
	}
}

// A copy sends the whole queue, more than the server remembers of a device, and is
// told what was rejected. The other one cannot know that of the oldest: it keeps
// them for the user, and believes nothing that it was not told.
func TestLongCopiedQueue(t *testing.T) {
	g, d := testWorld(t, 1)
	a := d[0]
	a.mutate(create("1", "votes", 0))
	settle(a)
	a.cut()
	a.offline = true
	a.mutate(add("missing", "votes", 1))
	for range protocol.MaxRecent + 5 {
		a.mutate(add("1", "votes", 1))
	}
	settle(a)
	a.crash() // the queue is from an earlier run for both
	b := copyOf(a, 77)
	a.offline = false
	settle(a)
	if list := a.core.Rejected(testSpace); len(list) != 1 || list[0].Verdict.Code != protocol.RejectMissing {
		t.Fatalf("rejected: %+v", list)
	}
	b.offline = false
	settle(a, b)
	a.converged()
	b.converged()
	if got := g.value("cards", "1", "votes"); got != int64(protocol.MaxRecent+5) {
		t.Errorf("votes %v", got)
	}
	list := b.core.Rejected(testSpace)
	if len(list) != 6 {
		t.Errorf("%d of the copy's edits are kept for the user, want the 6 that are not remembered", len(list))
	}
	for _, r := range list {
		if r.Verdict.Code != protocol.RejectUnknownOutcome {
			t.Errorf("%+v", r)
		}
	}
}

// The table is restored to an earlier state: the queue is kept, under a new
// device id.
func TestOtherHistory(t *testing.T) {
	g, d := testWorld(t, 2)
	a, b := d[0], d[1]
	a.mutate(create("1", "votes", 0, "title", "old"))
	settle(a, b)
	backup := g.copy()
	a.mutate(add("1", "votes", 1))
	b.mutate(set("1", "title", "new"))
	settle(a, b)
	a.offline, b.offline = true, true
	a.cut()
	b.cut()
	a.mutate(add("1", "votes", 10))
	settle(a)
	backup.history = 2
	a.gateway, b.gateway = backup, backup
	c := newDevice(t, backup, 5)
	c.mutate(add("1", "votes", 100))
	settle(c)
	a.offline, b.offline = false, false
	before := a.core.SpaceDevice(testSpace)
	settle(a, b, c)
	for _, d := range []*testDevice{a, b, c} {
		d.converged()
	}
	if a.core.SpaceDevice(testSpace) == before {
		t.Error("the device kept its id in another history")
	}
	if got := backup.value("cards", "1", "votes"); got != int64(110) {
		t.Errorf("votes %v, want 110", got)
	}
	if got := a.value("cards", "1", "title"); got != "old" {
		t.Errorf("title %v, want the restored one", got)
	}
}

// A wiped gateway gets what was still pending and nothing else.
func TestWipedGateway(t *testing.T) {
	_, d := testWorld(t, 1)
	a := d[0]
	a.mutate(create("1", "votes", 0))
	settle(a)
	a.offline = true
	a.cut()
	a.mutate(create("2", "votes", 7))
	a.gateway = newModel()
	a.gateway.schema = testSchema(t)
	a.offline = false
	settle(a)
	a.converged()
	if a.value("cards", "1", "votes") != nil || a.value("cards", "2", "votes") != int64(7) {
		t.Errorf("view %v", a.core.View(testSpace))
	}
	a.crash()
	settle(a)
	a.converged()
}

// A device that the server still knows keeps its queue below the horizon.
func TestSnapshotForKnownDevice(t *testing.T) {
	g, d := testWorld(t, 2)
	a, b := d[0], d[1]
	a.mutate(create("1", "votes", 0, "title", "old"))
	settle(a, b)
	a.offline = true
	a.mutate(add("1", "votes", 1))
	for a.write() || a.sendOne() {
	}
	a.conn.out = nil // neither verdict nor commit arrive
	a.cut()
	a.mutate(add("1", "votes", 10), set("1", "title", "mine"))
	for range 3 {
		b.mutate(add("1", "votes", 100))
		settle(b)
	}
	g.horizon = g.head().Seq
	a.offline = false
	before := a.core.SpaceDevice(testSpace)
	settle(a, b)
	a.converged()
	if got := g.value("cards", "1", "votes"); got != int64(311) {
		t.Errorf("votes %v, want 311", got)
	}
	if a.core.SpaceDevice(testSpace) != before {
		t.Error("a device that is known took another id")
	}
	if a.core.Stats().Snapshots == 0 {
		t.Error("there was no snapshot")
	}
}

// A device that was forgotten behind the horizon: what may have been sent is the
// user's to decide, what was not is rebased unless it would overwrite.
func TestForgottenDevice(t *testing.T) {
	g, d := testWorld(t, 2)
	a, b := d[0], d[1]
	a.mutate(create("1", "votes", 0, "title", "old", "note", "-"))
	settle(a, b)
	a.mutate(add("1", "votes", 1))
	for a.write() || a.sendOne() {
	}
	a.conn.out = nil
	a.offline = true
	a.cut()
	settle(a)
	// Four edits that were never sent.
	a.mutate(add("1", "votes", 10))
	overwriting := a.mutate(set("1", "title", "mine"))
	a.mutate(set("1", "note", "written offline"))
	a.mutate(create("2", "title", "new"))
	b.mutate(set("1", "title", "theirs"))
	settle(b)
	b.mutate(add("1", "votes", 100))
	settle(b)
	g.trim()
	a.offline = false
	settle(a, b)
	a.converged()
	if got := g.value("cards", "1", "votes"); got != int64(111) {
		t.Errorf("votes %v, want 111", got)
	}
	if got := g.value("cards", "1", "title"); got != "theirs" {
		t.Errorf("title %v: an edit from below the horizon overwrote another", got)
	}
	if g.value("cards", "1", "note") != "written offline" || g.value("cards", "2", "title") != "new" {
		t.Errorf("edits that overwrite nothing were not carried over")
	}
	codes := map[protocol.RejectCode]int{}
	for _, r := range a.core.Rejected(testSpace) {
		codes[r.Verdict.Code]++
	}
	if codes[protocol.RejectUnknownOutcome] != 1 || codes[protocol.RejectStale] != 1 {
		t.Errorf("rejected: %v", codes)
	}
	if v := a.settled[overwriting]; v.Code != protocol.RejectStale {
		t.Errorf("the overwriting edit was settled as %+v", v)
	}
}

// A device that was forgotten while it was away from all gateways but one, which
// still remembers it: what is on its way there may be taken yet, so it is not sent
// anew under another id.
func TestForgottenElsewhere(t *testing.T) {
	g, d := testWorld(t, 2)
	a, b := d[0], d[1]
	a.mutate(create("1", "title", "old"))
	settle(a, b)
	b.mutate(set("1", "title", "theirs"))
	settle(a, b)
	onItsWay := a.mutate(set("1", "title", "mine")) // its base is the horizon to be
	for a.write() {
	}
	a.toSend = nil // to the gateway that is not heard from any more
	g.trim()
	a.offline = true
	a.cut()
	settle(a)
	later := a.mutate(set("1", "note", "never sent"))
	a.offline = false
	settle(a, b)
	if v := a.settled[onItsWay]; v.Code != protocol.RejectUnknownOutcome {
		t.Errorf("what was sent is settled as %+v", v)
	}
	if v := a.settled[later]; v.Outcome == protocol.Rejected || g.value("cards", "1", "note") != "never sent" {
		t.Errorf("what was not sent is settled as %+v", v)
	}
	a.converged()
}

// An old copy of a store, of which the server has forgotten everything: the copy
// that went on may have written under the id, so this one takes another.
func TestForgottenCopy(t *testing.T) {
	g, both := testWorld(t, 2)
	d, other := both[0], both[1]
	other.mutate(create("c1", "title", "first"))
	settle(d, other)
	backup := maps.Clone(d.disk)
	id := d.core.SpaceDevice(testSpace)
	d.mutate(set("c1", "title", "written"))
	settle(d, other)
	d.offline = true
	other.mutate(set("c1", "title", "second"))
	settle(other)
	g.trim()

	d.disk, d.offline = backup, false
	d.crash()
	settle(d, other)
	if got := d.core.SpaceDevice(testSpace); got == id {
		t.Errorf("the copy goes on as %s, whose first counter is taken", got)
	}
	d.mutate(set("c1", "title", "third"))
	settle(d, other)
	d.converged()
	if got := d.value("cards", "c1", "title"); got != "third" {
		t.Errorf("title %v", got)
	}
	// Known or not, one new id is enough.
	id = d.core.SpaceDevice(testSpace)
	d.crash()
	settle(d, other)
	if got := d.core.SpaceDevice(testSpace); got != id {
		t.Errorf("another id again: %s", got)
	}
}

// The device id belongs to somebody else who used this store before.
func TestDeviceBound(t *testing.T) {
	g, d := testWorld(t, 1)
	a := d[0]
	a.mutate(create("1", "votes", 1))
	settle(a)
	a.offline = true
	a.cut()
	a.mutate(add("1", "votes", 1))
	g.bound[a.core.SpaceDevice(testSpace)] = true
	a.offline = false
	settle(a)
	a.converged()
	if got := g.value("cards", "1", "votes"); got != int64(2) {
		t.Errorf("votes %v, want 2", got)
	}
}

func TestRefusedSpace(t *testing.T) {
	for _, refused := range []struct {
		code protocol.Code
		want SpaceState
	}{
		{protocol.CodeForbidden, SpaceParked}, {protocol.CodeSpaceName, SpaceParked},
		{protocol.CodeUnavailable, SpaceOffline}, {protocol.CodeDamaged, SpaceOffline},
	} {
		code, want := refused.code, refused.want
		t.Run(string(code), func(t *testing.T) {
			g, d := testWorld(t, 1)
			a := d[0]
			g.refuse = code
			a.mutate(create("1", "title", "x"))
			for range 100 {
				for a.step() {
				}
			}
			status := a.core.SpaceStatus(testSpace)
			if status.State != want || status.Err == nil {
				t.Errorf("status %+v", status)
			}
			if a.pending() != 1 {
				t.Error("the queue was not kept")
			}
			if a.core.Status().State != Live {
				t.Error("the connection did not go on")
			}
			g.refuse = ""
			if want == SpaceParked {
				a.cut() // asked for again with the next connection
			}
			for range 20 {
				settle(a)
			}
			a.converged()
		})
	}
}

func TestPushRefused(t *testing.T) {
	for _, code := range []protocol.Code{protocol.CodeBase, protocol.CodeUnavailable, protocol.CodeSchemaOld, protocol.CodeUnknownOutcome} {
		t.Run(string(code), func(t *testing.T) {
			g, d := testWorld(t, 1)
			a := d[0]
			settle(a)
			g.refuse = code
			a.mutate(create("1", "title", "x"))
			for range 5 {
				for a.step() {
				}
				a.wait(100)
			}
			g.refuse = ""
			settle(a)
			a.converged()
		})
	}
}

func TestTooLargeForTheServer(t *testing.T) {
	g, d := testWorld(t, 1)
	a := d[0]
	settle(a)
	g.refuse = protocol.CodeMutationLarge
	large := a.mutate(create("1", "title", "x"))
	a.mutate(create("2", "title", "y"))
	for a.write() || a.sendOne() {
	}
	g.refuse = ""
	settle(a)
	a.converged()
	if v := a.settled[large]; v.Code != protocol.RejectTooLarge {
		t.Errorf("verdict %+v", v)
	}
	if len(a.core.Rejected(testSpace)) != 1 || g.value("cards", "2", "title") != "y" {
		t.Error("the mutation behind the one that was too large did not get through")
	}
}

// A delivery that does not continue the cursor ends the connection, and nothing
// of it stays.
func TestGapEndsTheConnection(t *testing.T) {
	_, d := testWorld(t, 2)
	a, b := d[0], d[1]
	settle(a, b)
	b.mutate(create("1", "votes", 0))
	settle(a, b)
	b.mutate(add("1", "votes", 1))
	settle(b)
	b.mutate(add("1", "votes", 1))
	settle(b)
	if len(a.conn.out) != 2 {
		t.Fatalf("%d messages wait", len(a.conn.out))
	}
	a.conn.out = a.conn.out[1:]
	a.receiveOne()
	if len(a.dropped) != 1 || a.core.Stats().Gaps != 1 {
		t.Fatalf("dropped %v, stats %+v", a.dropped, a.core.Stats())
	}
	settle(a, b)
	a.converged()
}

// A commit that comes twice changes nothing.
func TestRepeatedDelivery(t *testing.T) {
	_, d := testWorld(t, 2)
	a, b := d[0], d[1]
	settle(a, b)
	b.mutate(create("1", "votes", 0))
	b.mutate(add("1", "votes", 1))
	settle(b)
	a.conn.out = append(slices.Clone(a.conn.out), a.conn.out...)
	settle(a, b)
	if a.core.Stats().Repeats == 0 || len(a.dropped) > 0 {
		t.Errorf("stats %+v, dropped %v", a.core.Stats(), a.dropped)
	}
	a.converged()
}

func TestCollectionFilter(t *testing.T) {
	_, d := testWorld(t, 1)
	a := d[0]
	note := protocol.Op{Kind: protocol.OpCreate, Collection: "cards", ID: "1"}
	a.mutate(note)
	settle(a)
	a.options.Collections = []string{"lists"}
	a.crash()
	if n := len(a.core.Confirmed(testSpace)); n != 0 {
		t.Errorf("%d records of collections that are not wanted any more", n)
	}
	settle(a)
	a.options.Collections = []string{"lists", "cards"}
	a.crash()
	settle(a)
	a.converged()
	if n := len(a.core.Confirmed(testSpace)); n != 1 {
		t.Errorf("%d records after the filter was widened, want 1", n)
	}
}

// The client never has more in flight than the server's window, and a mutation
// larger than the window still goes.
func TestPushWindow(t *testing.T) {
	for _, test := range []struct {
		name             string
		bytes, mutations uint64
		most             int
	}{
		{"as the server says", 300, 3, 3},
		{"as many as the server remembers", 1 << 20, 0, protocol.MaxRecent},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, d := testWorld(t, 1)
			a := d[0]
			g.window, g.mutations = test.bytes, test.mutations
			settle(a)
			a.stuck = true
			for i := range 70 {
				a.mutate(create(fmt.Sprint(i), "title", "0123456789"))
			}
			a.mutate(create("large", "title", string(make([]byte, 1000))))
			a.stuck = false
			for a.write() {
			}
			pushed := 0
			for _, message := range a.toSend {
				frames, err := protocol.DecodeClientMessage(message)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range frames {
					if p, ok := f.(*protocol.Push); ok {
						pushed += len(p.Bodies)
					}
				}
			}
			if pushed == 0 || pushed > test.most {
				t.Errorf("%d mutations in flight, at most %d may be", pushed, test.most)
			}
			settle(a)
			a.converged()
			if len(a.core.Confirmed(testSpace)) != 71 {
				t.Error("not everything got through")
			}
		})
	}
}

func TestConflictIsKeptUntilDismissed(t *testing.T) {
	_, d := testWorld(t, 2)
	a, b := d[0], d[1]
	a.mutate(create("1", "title", "base"))
	settle(a, b)
	a.offline, b.offline = true, true
	a.cut()
	b.cut()
	a.wait(1000)
	a.mutate(set("1", "title", "a's, earlier"))
	b.wait(5000)
	b.mutate(set("1", "title", "b's, later"))
	a.offline, b.offline = false, false
	settle(a)
	settle(a, b)
	a.converged()
	b.converged()
	a.crash()
	list := a.core.Conflicts(testSpace)
	if len(list) != 1 || list[0].Field != "title" || list[0].Lost.Value != protocol.StringValue("a's, earlier") {
		t.Fatalf("conflicts %+v", list)
	}
	if err := a.core.Dismiss(testSpace, list[0]); err != nil {
		t.Fatal(err)
	}
	a.take()
	for a.write() {
	}
	a.crash()
	if n := len(a.core.Conflicts(testSpace)); n != 0 {
		t.Errorf("%d conflicts after the dismissal", n)
	}
}

func TestPresence(t *testing.T) {
	_, d := testWorld(t, 2, func(d *testDevice) { d.options.Presence = true })
	a, b := d[0], d[1]
	settle(a, b)
	a.core.SetPresence(a.now, testSpace, protocol.StringValue("here"))
	a.take()
	settle(a, b)
	if list := b.core.Present(testSpace); len(list) != 1 || list[0].Value != protocol.StringValue("here") {
		t.Errorf("present: %+v", list)
	}
	b.cut()
	if list := b.core.Present(testSpace); len(list) != 0 {
		t.Errorf("present while offline: %+v", list)
	}
}

func TestReconnecting(t *testing.T) {
	_, d := testWorld(t, 1)
	a := d[0]
	settle(a)
	t.Run("backoff grows and is jittered", func(t *testing.T) {
		a.offline = true
		a.cut()
		var longest protocol.Time
		for range 12 {
			for !a.wants {
				a.wait(10)
			}
			a.wants = false
			failed := a.now
			a.core.ConnectFailed(a.now, fmt.Errorf("no route"))
			a.take()
			for !a.wants {
				a.wait(10)
			}
			longest = max(longest, a.now-failed)
		}
		if longest < 2000 || longest > 30100 {
			t.Errorf("the longest wait was %d ms", longest)
		}
		a.offline = false
		settle(a)
	})
	t.Run("silence", func(t *testing.T) {
		a.wait(26_000)
		if len(a.toSend) == 0 {
			t.Error("no ping")
		}
		a.toSend = nil
		a.wait(26_000)
		if len(a.dropped) != 1 || a.dropped[0].Code != protocol.CodeSilent {
			t.Errorf("dropped %v", a.dropped)
		}
		settle(a)
	})
	t.Run("the token is refused", func(t *testing.T) {
		a.conn.close()
		a.conn = nil
		a.core.Disconnected(a.now, 4101, nil)
		a.take()
		for !a.wants {
			a.wait(10)
		}
		if !a.fresh {
			t.Error("no fresh token was asked for")
		}
		settle(a)
	})
	t.Run("stop", func(t *testing.T) {
		a.conn.close()
		a.conn = nil
		a.core.Disconnected(a.now, 4202, &CloseError{Code: 4202, Reason: "too old"})
		a.take()
		a.wait(1_000_000)
		if a.wants || a.core.Status().State != Stopped || a.core.Status().LastError == nil {
			t.Errorf("status %+v", a.core.Status())
		}
		a.core.Reconnect(a.now)
		a.take()
		settle(a)
		if a.core.Status().State != Live {
			t.Errorf("status %+v", a.core.Status())
		}
	})
	t.Run("going away", func(t *testing.T) {
		a.conn.send(&protocol.GoingAway{Within: 5000})
		settle(a)
		a.conn.close()
		a.conn = nil
		at := a.now
		a.core.Disconnected(a.now, 4000, nil)
		a.take()
		for !a.wants {
			a.wait(10)
		}
		if a.now-at > 5010 {
			t.Errorf("it came back after %d ms", a.now-at)
		}
		settle(a)
	})
}

func TestTokenIsRefreshedBeforeItExpires(t *testing.T) {
	g, d := testWorld(t, 1)
	a := d[0]
	g.expires = g.now + 100_000
	settle(a)
	for range 5 {
		a.wait(10_000)
		for a.step() {
		}
	}
	if a.refresh {
		t.Error("the token was refreshed too early")
	}
	for range 4 {
		a.wait(10_000)
		for a.step() {
		}
	}
	if !a.refresh {
		t.Fatal("the token was not refreshed")
	}
	a.core.TokenRefreshed(a.now, "fresh", nil)
	a.take()
	settle(a)
	if !slices.ContainsFunc(a.conn.frames, func(f protocol.Frame) bool {
		token, ok := f.(*protocol.Token)
		return ok && token.Token == "fresh"
	}) {
		t.Error("the fresh token was not shown")
	}
}
