package space

import (
	"fmt"
	"testing"
	"time"
)

func TestCoreCommitsAndReads(t *testing.T) {
	store := new(Memory)
	r := newRig(t, "a", store, Config{Exclusive: true})
	r.settle()
	ann := newTestClient("ann")
	r.core.Attach(r.now, Attach{Session: 1, Device: ann.device, User: ann.user})
	r.take()
	r.settle()
	if got := r.answers(1); len(got) != 1 {
		t.Fatalf("answers: %v", got)
	}
	ann.mutate(r.now, mustOp("create tasks/1 title=x n=1"))
	for i := range 20 {
		ann.mutate(r.now, mustOp(fmt.Sprintf("set tasks/1 n=%d", i)))
	}
	r.core.Push(r.now, ann.pushFrom(1, 1, 1))
	r.take()
	r.settle()
	got := r.answers(1)
	v, ok := got[0].(Verdicts)
	if len(got) != 1 || !ok || len(v.List) != 21 || v.Counter != 21 {
		t.Fatalf("answers: %+v", got)
	}
	state := showState(foldOf(logOf(t, store, nil)))
	p := newReplica(t)
	p.read(r.reader(), ReadRequest{MaxBytes: 1000})
	if got := showState(p.records); got != state {
		t.Fatalf("read\n%s\nwant\n%s", got, state)
	}
	q := newReplica(t)
	q.pos.Snapshot = true
	q.read(r.reader(), ReadRequest{MaxBytes: 1000, Device: ann.device})
	if got := showState(q.records); got != state || q.counter != 21 {
		t.Fatalf("snapshot\n%s\nwant\n%s", got, state)
	}
	r.core.Close(r.now)
	r.take()
	r.pass(time.Second)
	if !r.closed {
		t.Fatal("not closed")
	}
}
