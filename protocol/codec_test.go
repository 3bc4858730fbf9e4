package protocol

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestFramesRoundTrip: every frame decodes to what was encoded, and its bytes
// are the only ones for it.
func TestFramesRoundTrip(t *testing.T) {
	for number := FrameHello; number <= FrameCompressed; number++ {
		draw := genFrames[number]
		if number == FrameSection || number == FrameConflict {
			continue // drawn behind a commit's header
		}
		if draw == nil {
			t.Fatalf("no generator for frame %d (%s)", number, number)
		}
		t.Run(number.String(), rapid.MakeCheck(func(t *rapid.T) {
			list := draw(t)
			msg := EncodeMessage(list...)
			got, err := DecodeMessage(msg, nil)
			if err != nil {
				t.Fatalf("%x: %v", msg, err)
			}
			if !reflect.DeepEqual(got, list) {
				t.Fatalf("decoded %s, want %s", show(got), show(list))
			}
			if again := EncodeMessage(got...); !bytes.Equal(again, msg) {
				t.Fatalf("encoded again %x, want %x", again, msg)
			}
			if err := Scan(msg, MaxElements); err != nil {
				t.Fatalf("scan: %v", err)
			}
			_, err = DecodeClientMessage(msg)
			if fromClient := frames[number].fromClient; fromClient != (err == nil) {
				t.Fatalf("from a client: %v", err)
			}
		}))
	}
}

func show(list []Frame) string {
	var b bytes.Buffer
	for _, f := range list {
		b.WriteString(f.Type().String())
		b.WriteString(" ")
		b.WriteString(showStruct(f))
	}
	return b.String()
}

func showStruct(x any) string {
	var b bytes.Buffer
	v := reflect.Indirect(reflect.ValueOf(x))
	for i := range v.NumField() {
		b.WriteString(v.Type().Field(i).Name + ":")
		b.WriteString(reflectText(v.Field(i)) + " ")
	}
	return b.String()
}

func reflectText(v reflect.Value) string {
	if s, ok := v.Interface().(interface{ String() string }); ok {
		return s.String()
	}
	return fmt.Sprintf("%+v", v.Interface())
}

// TestNamedFramesRoundTrip: numbers of the table stand for the names.
func TestNamedFramesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := NewNameTable(listOf(genName, 6).Draw(t, "names")...)
		list := genFrames[FrameCommit](t)
		header := list[0].(*CommitHeader)
		header.FirstName, header.Names = 0, nil
		list = append(list, genFrames[FramePage](t)...)
		handle := genHandle.Draw(t, "handle")
		list = slices.Insert(list, 0, Frame(&In{Handle: handle}))
		msg := AppendFormat(nil)
		for _, f := range list {
			msg = AppendFrameNamed(msg, f, table)
		}
		got, err := DecodeMessage(msg, func(h Handle) *NameTable {
			if h != handle {
				return nil
			}
			return table
		})
		if err != nil || !reflect.DeepEqual(got, list) {
			t.Fatalf("decoded %s (%v), want %s", show(got), err, show(list))
		}
	})
}

// TestNamesAreLearnt: a header's names extend the table, known ones are
// compared, and a gap or a contradiction is refused.
func TestNamesAreLearnt(t *testing.T) {
	header := func(first uint64, names ...string) []byte {
		return EncodeMessage(&CommitHeader{Seq: 1, FirstName: first, Names: names})
	}
	for _, test := range []struct {
		comment string
		given   []string
		msg     []byte
		want    []string
	}{
		{"extends", []string{"a"}, header(1, "b", "c"), []string{"a", "b", "c"}},
		{"sent again", []string{"a", "b"}, header(0, "a", "b", "c"), []string{"a", "b", "c"}},
		{"a gap", []string{"a"}, header(2, "c"), nil},
		{"another name for the number", []string{"a", "b"}, header(1, "x"), nil},
		{"another number for the name", []string{"a"}, header(1, "a"), nil},
		{"a snapshot replaces it", []string{"x", "y"}, EncodeMessage(&Snapshot{Names: []string{"a"}}), []string{"a"}},
		{"a snapshot that repeats a name", nil, EncodeMessage(&Snapshot{Names: []string{"a", "a"}}), nil},
	} {
		table := NewNameTable(test.given...)
		_, err := DecodeMessage(test.msg, func(Handle) *NameTable { return table })
		if test.want == nil {
			if err == nil {
				t.Errorf("%s: accepted", test.comment)
			}
			continue
		}
		if err != nil || !slices.Equal(table.Names(), test.want) {
			t.Errorf("%s: %v, names %q, want %q", test.comment, err, table.Names(), test.want)
		}
	}
}

func TestMutationRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genMutation.Draw(t, "mutation")
		body := AppendMutation(nil, m)
		got, err := DecodeMutation(body)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("decoded %+v (%v), want %+v", got, err, m)
		}
		if again := AppendMutation(nil, got); !bytes.Equal(again, body) {
			t.Fatalf("encoded again %x, want %x", again, body)
		}
	})
}

func TestRecordStateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genRecord(genName).Draw(t, "record")
		data := AppendRecordState(nil, &s)
		got, err := DecodeRecordState(data)
		if err != nil || !reflect.DeepEqual(*got, s) {
			t.Fatalf("decoded %+v (%v), want %+v", got, err, s)
		}
		if _, err := DecodeRecordState(append(data, 0xc0)); err == nil {
			t.Fatal("something behind it was accepted")
		}
	})
}

// TestCommitRoundTrip: the log gives back what was put in, by both readers, and
// the name table grows as it did for the writer.
func TestCommitRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := genCommit.Draw(t, "commit")
		known := listOf(genName, 3).Draw(t, "names")
		table := NewNameTable(known...)
		data := EncodeCommit(c, table)

		reader := NewNameTable(known...)
		got, err := DecodeCommit(data, reader)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Fatalf("decoded %+v (%v), want %+v", got, err, c)
		}
		if !slices.Equal(reader.Names(), table.Names()) {
			t.Fatalf("the reader's names are %q, the writer's %q", reader.Names(), table.Names())
		}
		if again := EncodeCommit(got, NewNameTable(known...)); !bytes.Equal(again, data) {
			t.Fatalf("encoded again %x, want %x", again, data)
		}

		stored, err := ParseCommit(data)
		if err != nil {
			t.Fatal(err)
		}
		if stored.Seq != c.Seq || stored.ID != c.ID || stored.Time != c.Time || stored.AckNow != c.AckNow || stored.HasNames != (len(c.Names) > 0) {
			t.Fatalf("parsed %+v of %+v", stored, c)
		}
		wire := slices.Clone(stored.Header)
		for _, section := range stored.Sections {
			if _, ok := section.Collection(table); !ok {
				t.Fatalf("the collection of %x is not known", section.Frame)
			}
			wire = append(wire, section.Frame...)
		}
		if !bytes.Equal(wire, stored.Wire) {
			t.Fatalf("header and sections are %x, the wire part is %x", wire, stored.Wire)
		}
		for _, notice := range stored.Notices {
			wire = append(wire, notice.Frame...)
		}
		list, err := DecodeDelivery(wire, NewNameTable(known...))
		if err != nil {
			t.Fatal(err)
		}
		checkDelivery(t, c, list)
	})
}

// checkDelivery compares what subscribers are sent with the commit.
func checkDelivery(t *rapid.T, c *Commit, list []Frame) {
	header := list[0].(*CommitHeader)
	type at struct{ mutation, change int }
	want := map[at]Change{}
	number := 0
	for _, m := range c.Mutations {
		if len(m.Changes) == 0 {
			continue
		}
		stamp := header.Mutations[number]
		if header.Authors[stamp.Author] != m.Author || stamp.Base != m.Base || stamp.EditTime != m.EditTime {
			t.Fatalf("mutation %d is stamped %+v, want %+v", number, stamp, m)
		}
		for j, change := range m.Changes {
			want[at{number, j}] = change
		}
		number++
	}
	count := make([]int, number)
	told := map[DeviceID]bool{}
	for _, f := range list[1:] {
		switch f := f.(type) {
		case *Section:
			for _, delta := range f.Deltas {
				for _, change := range delta.Changes {
					place := at{delta.Mutation, count[delta.Mutation]}
					if !reflect.DeepEqual(change, want[place]) {
						t.Fatalf("change %v is %+v, want %+v", place, change, want[place])
					}
					count[delta.Mutation]++
					delete(want, place)
				}
			}
		case *ConflictNotice:
			if !slices.Contains(c.Conflicts, f.Conflict) {
				t.Fatalf("told of %+v", f.Conflict)
			}
			told[f.Conflict.Lost.Author.Device] = true
		}
	}
	if len(want) > 0 {
		t.Fatalf("not sent: %+v", want)
	}
	for _, conflict := range c.Conflicts {
		if device := conflict.Lost.Author.Device; !device.IsZero() && !told[device] {
			t.Fatalf("device %s was not told of a conflict", device)
		}
	}
}

// TestOneNoticeAFieldAndDevice: of several values of one field that a commit
// overwrote, a device is told of the last; of the last that is settled, too, if
// one is open.
func TestOneNoticeAFieldAndDevice(t *testing.T) {
	mine, other := DeviceID{1}, DeviceID{2}
	lost := func(device DeviceID, field string, value int64) Conflict {
		return Conflict{Seq: 1, Collection: "tasks", ID: "1", Field: field, Policy: PolicyLWW, Lost: Side{Author: Author{Device: device}, Value: IntValue(value)}}
	}
	open := lost(mine, "b", 6)
	open.Open = true
	c := &Commit{Seq: 1, Conflicts: []Conflict{lost(mine, "a", 1), lost(mine, "a", 2), lost(other, "a", 3), lost(mine, "b", 4), lost(DeviceID{}, "c", 5), open}}
	stored, err := ParseCommit(EncodeCommit(c, NewNameTable()))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, notice := range stored.Notices {
		list, err := DecodeDelivery(append(slices.Clone(stored.Header), notice.Frame...), nil)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, list[1].(*ConflictNotice).Conflict.Lost.Value.String())
	}
	if want := []string{"2", "3", "4", "6"}; !slices.Equal(got, want) {
		t.Fatalf("told of %q, want %q", got, want)
	}
}
