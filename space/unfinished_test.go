package space

import (
	"errors"
	"testing"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// TestUnfinished shows that a space which is being moved into a store is served
// to nobody until it is whole, and then is, without opening it anew.
func TestUnfinished(t *testing.T) {
	store := new(Memory)
	r := newRig(t, "a", store, Config{Exclusive: true})
	ann := newTestClient("ann")
	ann.mutate(r.now, mustOp("create tasks/1 title=x"))
	drive(t, r, ann, 1, 1)

	// The same history elsewhere: its second half is still to come.
	half := new(Memory)
	log, err := store.Log(t.Context(), rigKey, 1, 1<<20)
	if err != nil || len(log) != 1 {
		t.Fatalf("%d commits, %v", len(log), err)
	}
	if err := half.Append(t.Context(), rigKey, 1, log[0].Data); err != nil {
		t.Fatal(err)
	}
	if err := half.Put(t.Context(), rigKey, []Item{UnfinishedMark(7)}); err != nil {
		t.Fatal(err)
	}
	r = newRig(t, "b", half, Config{Exclusive: true})
	for session := SessionID(1); session < 4; session++ {
		r.core.Attach(r.now, Attach{Session: session, Device: ann.device, User: ann.user})
		r.take()
		r.pass(6 * time.Second) // the longest pause between two looks, and a little
		answers := r.answers(session)
		lost, ok := answers[0].(Lost)
		var reason *protocol.Error
		if len(answers) != 1 || !ok || !errors.As(lost.Err, &reason) || reason.Code != protocol.CodeUnavailable {
			t.Fatalf("attaching to half a space: %+v", answers)
		}
	}
	if _, err := r.core.BeginPage(&ReadRequest{From: Position{Snapshot: true}, MaxBytes: 1000}); err == nil {
		t.Error("half a space gives a snapshot")
	}

	if err := half.Trim(t.Context(), rigKey, 2, []ItemKey{{Kind: ItemWatermark}}); err != nil {
		t.Fatal(err)
	}
	r.core.Attach(r.now, Attach{Session: 9, Device: ann.device, User: ann.user})
	r.take()
	r.pass(6 * time.Second)
	answers := r.answers(9)
	if attached, ok := answers[0].(Attached); !ok || attached.Head.Seq != 1 || attached.Counter != 1 {
		t.Fatalf("attaching to the whole space: %+v", answers)
	}

	// A core that is closed while it waits ends.
	r = newRig(t, "c", half, Config{Exclusive: true})
	r.core.Close(r.now)
	r.take()
	if !r.closed {
		t.Error("it does not close")
	}
}
