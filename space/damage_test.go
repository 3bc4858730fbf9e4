package space

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/protocol"
)

// TestDamage spoils what a store holds, one thing at a time: the space is
// read-only then and says why; nothing is skipped, nothing is made up.
func TestDamage(t *testing.T) {
	newer := []byte{protocol.Format + 0x10, 1, 2, 3}
	for name, tt := range map[string]struct {
		spoil func(s *memorySpace)
		// reads is true if devices can still attach and read.
		reads bool
		says  string
	}{
		"a commit behind the watermark": {func(s *memorySpace) { s.log[12] = []byte{protocol.Format} }, true, "commit 12"},
		"a commit in a newer format":    {func(s *memorySpace) { s.log[12] = newer }, true, "newer format"},
		"a commit under another's seq":  {func(s *memorySpace) { s.log[12] = s.log[11] }, true, "commit 12"},
		"the watermark": {func(s *memorySpace) {
			s.items[ItemKey{Kind: ItemWatermark}] = Item{Key: ItemKey{Kind: ItemWatermark}, Version: 10, Meta: []byte{protocol.Format, 9}}
		}, false, "watermark"},
		"the log is gone": {func(s *memorySpace) { s.log, s.seqs = make(map[uint64][]byte), nil }, true, "the log is gone"},
		"another log": {func(s *memorySpace) {
			s.log[10] = []byte(strings.Replace(string(s.log[10]), "a\x00\x00\x00\x00\x00\x00", "b\x00\x00\x00\x00\x00\x00", 1))
		}, true, "when it was checkpointed"},
		"an image ahead of the log": {func(s *memorySpace) {
			for key, item := range s.items {
				if key.Kind == ItemDevice {
					item.Version = 99
					s.items[key] = item
				}
			}
		}, true, "an image has version 99"},
		"a device's entry": {func(s *memorySpace) {
			for key, item := range s.items {
				if key.Kind == ItemDevice {
					item.Meta = []byte{protocol.Format}
					s.items[key] = item
				}
			}
		}, false, "device"},
		"the log begins too late": {func(s *memorySpace) {
			for seq := uint64(1); seq < 12; seq++ {
				delete(s.log, seq)
			}
			s.seqs = []uint64{12, 13}
		}, true, "the log begins at 12"},
	} {
		t.Run(name, func(t *testing.T) {
			store := new(Memory)
			r := newRig(t, "a", store, Config{Exclusive: true, WatermarkEvery: 10})
			r.settle()
			ann := newTestClient("ann")
			for i := range 13 {
				ann.mutate(0, mustOp(fmt.Sprintf("create tasks/%d n=1", i)))
			}
			drive(t, r, ann, 1, 1)
			tt.spoil(store.spaces[rigKey])
			r.restart()
			r.core.Attach(r.now, Attach{Session: 2, Device: ann.device, User: ann.user})
			r.take()
			r.pass(time.Second)
			if r.core.Damaged() == nil || !strings.Contains(r.core.Damaged().Message, tt.says) {
				t.Fatalf("damaged: %v", r.core.Damaged())
			}
			answers := r.answers(2)
			if len(answers) != 1 {
				t.Fatalf("%+v", answers)
			}
			switch a := answers[0].(type) {
			case Attached:
				if !tt.reads || a.Write {
					t.Errorf("%+v", a)
				}
			case Lost:
				if tt.reads || a.Err.Code != protocol.CodeDamaged {
					t.Errorf("%v", a.Err)
				}
				return
			default:
				t.Fatalf("%+v", a)
			}
			before := len(store.spaces[rigKey].log)
			ann.mutate(0, mustOp("create tasks/99 n=1"))
			r.core.Push(r.now, ann.pushFrom(2, 1, 14))
			r.take()
			r.pass(time.Minute)
			refused, ok := r.answers(2)[0].(Refused)
			if !ok || refused.Err.Code != protocol.CodeDamaged {
				t.Errorf("%+v", refused)
			}
			if len(store.spaces[rigKey].log) != before {
				t.Error("it was appended to")
			}
			// Closing does not try to mend anything either.
			r.core.Close(r.now)
			r.take()
			r.pass(time.Second)
			if !r.closed {
				t.Error("it does not close")
			}
		})
	}
}

// TestSchemaIsAFact shows that a gateway whose schema is older than the log's, or
// another of the same version, may read but not append.
func TestSchemaIsAFact(t *testing.T) {
	parse := func(version int, field string) Config {
		return Config{Exclusive: true, Schema: mustSchema(t, version, field)}
	}
	store := new(Memory)
	r := newRig(t, "a", store, parse(2, "n"))
	r.settle()
	ann := newTestClient("ann")
	ann.mutate(0, mustOp("create tasks/1 n=1"))
	drive(t, r, ann, 1, 1)
	for name, tt := range map[string]struct {
		cfg     Config
		refused bool
	}{
		"older":   {parse(1, "n"), true},
		"none":    {Config{Exclusive: true}, true},
		"changed": {parse(2, "m"), true},
		"same":    {parse(2, "n"), false},
		"newer":   {parse(3, "n"), false},
	} {
		backup := store.Snapshot()
		g := newRig(t, "g", store, tt.cfg)
		g.core.Attach(g.now, Attach{Session: 1, Device: ann.device, User: ann.user})
		g.take()
		g.settle()
		a, ok := g.answers(1)[0].(Attached)
		if !ok || a.Write == tt.refused {
			t.Errorf("%s: %+v", name, a)
		}
		if len(ann.bodies) == 1 {
			ann.mutate(0, mustOp("create tasks/2 n=1"))
		}
		g.core.Push(g.now, ann.pushFrom(1, 1, 2))
		g.take()
		g.settle()
		refused, ok := g.answers(1)[0].(Refused)
		if ok != tt.refused || ok && refused.Err.Code != protocol.CodeSchemaOld {
			t.Errorf("%s: %+v", name, refused)
		}
		store.Restore(backup)
	}
}
