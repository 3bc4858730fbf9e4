package protocol

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestBoundsLeaveRoom: what is honestly made of the smallest parts is never
// refused for the memory it takes.
func TestBoundsLeaveRoom(t *testing.T) {
	t.Run("a mutation of 1,000 short ops", func(t *testing.T) {
		m := &Mutation{Base: 1, EditTime: noon}
		for range MaxOps {
			m.Ops = append(m.Ops, Op{Kind: OpDelete, Collection: "c", ID: "i"})
		}
		if _, err := DecodeMutation(AppendMutation(nil, m)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a mutation of 1,000 records with short fields", func(t *testing.T) {
		m := &Mutation{Base: 1, EditTime: noon}
		for i := range MaxOps {
			op := Op{Kind: OpCreate, Collection: "tasks", ID: formatUUID([16]byte{byte(i), byte(i >> 8)})}
			for j := range 4 {
				op.Fields = append(op.Fields, FieldValue{Field: fmt.Sprint("field", j), Value: IntValue(int64(j))})
			}
			m.Ops = append(m.Ops, op)
		}
		body := AppendMutation(nil, m)
		if _, err := DecodeMutation(body); err != nil {
			t.Errorf("%d bytes: %v", len(body), err)
		}
	})
	t.Run("a message full of pushes", func(t *testing.T) {
		push := &Push{Handle: 1, First: 1}
		for range 256 {
			push.Bodies = append(push.Bodies, AppendMutation(nil, &Mutation{Ops: []Op{{Kind: OpDelete, Collection: "c", ID: "i"}}}))
		}
		if _, err := DecodeClientMessage(EncodeMessage(push)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a commit of the shortest changes", func(t *testing.T) {
		c := &Commit{Seq: 9, Time: noon}
		for i := range 256 {
			m := Committed{Author: anna, Counter: uint64(i + 1), EditTime: noon, Body: []byte{1}, Verdict: Verdict{Counter: uint64(i + 1), Seq: 9}}
			for j := range 200 {
				m.Changes = append(m.Changes, Change{Collection: "c", ID: "", Fields: []FieldChange{{Field: "f", Kind: FieldUnset}, {Field: fmt.Sprint(j % 9), Value: Null}}})
			}
			m.Verdict.Ops = make([]OpVerdict, 1000)
			c.Mutations = append(c.Mutations, m)
		}
		data := EncodeCommit(c, NewNameTable())
		got, err := DecodeCommit(data, NewNameTable())
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("%d bytes: %v", len(data), err)
		}
		if _, err := ParseCommit(data); err != nil {
			t.Error(err)
		}
	})
	t.Run("a page of sets of small numbers", func(t *testing.T) {
		page := &Page{Collection: "c"}
		for range 4 {
			set := FieldState{Field: "f", Kind: SetOf}
			for i := range 50_000 {
				set.Elements = append(set.Elements, ElementState{Value: IntValue(int64(i % 100))})
			}
			page.Records = append(page.Records, RecordState{Collection: "c", Fields: []FieldState{set}})
		}
		if _, err := DecodeMessage(EncodeMessage(page), nil); err != nil {
			t.Error(err)
		}
	})
}

// TestCompressedFrames: what a compressed frame holds stands in its place, with
// the names of its subscription, and cannot hold what changes that.
func TestCompressedFrames(t *testing.T) {
	table := NewNameTable("tasks", "title")
	plain := AppendFrameNamed(nil, sampleHeader, table)
	plain = AppendFrameNamed(plain, &Section{Collection: "tasks", Deltas: []Delta{{Changes: allChanges[2:3]}}}, table)
	decoder := Decoder{
		Names: func(h Handle) *NameTable {
			if h == 1 {
				return table
			}
			return nil
		},
		// The stand-in for zstd: what is packed is the content itself.
		Decompress: func(dictionary uint32, data []byte) ([]byte, error) {
			if dictionary != 7 {
				return nil, errors.New("no such dictionary")
			}
			return data, nil
		},
	}
	packed := func(dictionary uint32, data []byte) *Compressed {
		return &Compressed{Dictionary: dictionary, Data: data}
	}
	list, err := decoder.Decode(EncodeMessage(&In{Handle: 1}, packed(7, plain), &Advance{}))
	if err != nil || len(list) != 4 || list[1].Type() != FrameCommit || list[2].(*Section).Collection != "tasks" || list[3].Type() != FrameAdvance {
		t.Errorf("decoded %s (%v)", show(list), err)
	}
	for _, test := range []struct {
		comment string
		msg     []byte
		want    string
	}{
		{"an unknown dictionary", EncodeMessage(&In{Handle: 1}, packed(8, plain)), "no such dictionary"},
		{"compressed twice", EncodeMessage(packed(7, AppendFrame(nil, packed(7, plain)))), "a compressed frame"},
		{"an in within", EncodeMessage(packed(7, AppendFrame(nil, &In{Handle: 1}))), "an in frame"},
		{"no frames within", EncodeMessage(packed(7, []byte{0xc1})), "0xc1"},
		{"names of another subscription", EncodeMessage(&In{Handle: 2}, packed(7, plain)), "not in the table"},
	} {
		if _, err := decoder.Decode(test.msg); err == nil || AsError(err).Code != CodeMalformed || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.comment, err, test.want)
		}
	}
	if list, err := DecodeMessage(EncodeMessage(packed(7, plain)), nil); err != nil || list[0].Type() != FrameCompressed {
		t.Errorf("without a way to decompress: %s (%v)", show(list), err)
	}
}

// TestDamagedCommits: whatever byte of a log entry is lost or changed, reading it
// fails or gives a commit, never a panic; and it names the damage.
func TestDamagedCommits(t *testing.T) {
	for _, s := range sampleCommits() {
		data := EncodeCommit(s.commit, NewNameTable(s.names...))
		for cut := range data {
			table := NewNameTable(s.names...)
			_, err := DecodeCommit(data[:cut], table)
			if err == nil || AsError(err).Code != CodeDamaged {
				t.Fatalf("cut off at %d of %d: %v", cut, len(data), err)
			}
			if !slices.Equal(table.Names(), NewNameTable(s.names...).Names()) {
				t.Fatalf("cut off at %d of %d: the table was left with %q", cut, len(data), table.Names())
			}
		}
		for at := range data {
			for _, flip := range []byte{1, 0x80, 0xff} {
				changed := append([]byte(nil), data...)
				changed[at] ^= flip
				_, err := DecodeCommit(changed, NewNameTable(s.names...))
				if at == 0 && (err == nil || AsError(err).Code != CodeUpgrade) {
					t.Fatalf("another format byte: %v", err)
				}
				if at > 0 && err != nil && AsError(err).Code != CodeDamaged {
					t.Fatalf("byte %d changed: %v", at, err)
				}
			}
		}
	}
}
