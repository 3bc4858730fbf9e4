package merge

import (
	"strings"
	"testing"

	"github.com/tidegate/tidegate/protocol"
)

// Three people plan one appointment without seeing each other.
func TestCalendar(t *testing.T) {
	schema, err := LoadSchema("testdata/calendar")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, schema)
	event := func(op protocol.Op) protocol.Op { return on("events", "e1", op) }
	times := func(start, end int) protocol.Op { return event(set("start", start, "end", end)) }
	w.must('a', 0, 1000, event(create("title", "Planning", "start", 600, "end", 660, "participants", []any{"ann"}, "opens", 590, "closes", 700)))

	// Ann moves the event to the afternoon.
	w.must('a', 1, 2000, times(840, 900))

	// Bob, offline since the beginning, invites two more.
	bob := w.one('b', 1, 1500,
		event(fieldOp(protocol.OpSetAdd, "participants", "bob")),
		event(fieldOp(protocol.OpSetAdd, "participants", "cleo")))
	if bob.Verdict.Outcome != protocol.Applied {
		t.Errorf("Bob's invitations: %+v", bob.Verdict)
	}

	// Cleo, offline too, made the event longer before Ann moved it. Start and end go
	// together, and hers are the earlier edit: she loses both, and is told of both
	// that differ.
	cleo := w.one('c', 1, 1800, times(600, 690))
	if cleo.Verdict.Outcome != protocol.Superseded {
		t.Errorf("Cleo's times: %+v", cleo.Verdict)
	}
	var told []string
	for _, c := range cleo.Conflicts {
		if who(c.Lost.Author) != "c" || who(c.Kept.Author) != "a" || c.Open {
			t.Errorf("conflict %+v", c)
		}
		told = append(told, c.Field+": "+c.Lost.Value.String()+" lost to "+c.Kept.Value.String())
	}
	if got, want := strings.Join(told, "; "), "end: 690 lost to 900; start: 600 lost to 840"; got != want {
		t.Errorf("Cleo is told %q, want %q", got, want)
	}

	// A set of one of them alone is not taken: half a move means nothing.
	half := w.one('c', 4, 2500, event(set("end", 930)))
	if half.Verdict.Code != protocol.RejectGroup || !strings.Contains(half.Verdict.Message, `"start"`) {
		t.Errorf("end alone: %+v", half.Verdict)
	}

	// The doors are fields of their own. Ann lets them open later, while Bob lets
	// them close earlier: each is fine by itself, together they are not.
	w.must('a', 4, 3000, event(set("opens", 650)))
	doors := w.one('b', 4, 3100, event(set("closes", 640)))
	if v := doors.Verdict; v.Code != protocol.RejectInvalid || v.Field != "closes" || v.Message != "the doors must close after they open" {
		t.Errorf("closes: %+v", v)
	}
	if len(doors.Conflicts) != 1 || doors.Conflicts[0].Lost.Value != value(640) || doors.Conflicts[0].Kept.Value != value(700) {
		t.Errorf("Bob does not find his value: %+v", doors.Conflicts)
	}
	// With an end before the start, nobody else is to blame: no conflict.
	backwards := w.one('c', w.head(), 4000, times(900, 840))
	if v := backwards.Verdict; v.Code != protocol.RejectInvalid || v.Message != "an event must end after it starts" || len(backwards.Conflicts) != 0 {
		t.Errorf("backwards: %+v", backwards)
	}

	rec := w.records[Key{"events", "e1"}]
	for path, want := range map[string]any{
		"start": 840, "end": 900, "participants": []any{"ann", "bob", "cleo"}, "opens": 650, "closes": 700,
	} {
		if got := rec.Value(path); got != value(want) {
			t.Errorf("%s = %s, want %s", path, got, value(want))
		}
	}
}
