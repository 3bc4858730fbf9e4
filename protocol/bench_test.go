package protocol

import "testing"

// oneFieldCommit is the commit that nearly all are: one person changed one field.
func oneFieldCommit() (*Commit, *NameTable) {
	names := NewNameTable("tasks", "title", "done", "assignee")
	body := AppendMutation(nil, &Mutation{Base: 48_211, EditTime: noon, SchemaVersion: 2, Ops: []Op{{
		Kind: OpSet, Collection: "tasks", ID: taskID, Fields: []FieldValue{{Field: "title", Value: StringValue("Buy milk")}},
	}}})
	return &Commit{
		Seq: 48_212, ID: someCommit, Time: noon + 120, Schema: SchemaRef{Version: 2, Fingerprint: [8]byte{1}}, Gateway: "gw-1",
		Mutations: []Committed{{
			Author: anna, Counter: 7, Hash: Hash{}.Next(body), Base: 48_211, EditTime: noon, Body: body,
			Verdict: Verdict{Counter: 7, Seq: 48_212},
			Changes: []Change{{Collection: "tasks", ID: taskID, Fields: []FieldChange{{Field: "title", Value: StringValue("Buy milk")}}}},
		}},
	}, names
}

// TestOneFieldCommitIsSmall: what a delivery of one edit costs, message and all.
func TestOneFieldCommitIsSmall(t *testing.T) {
	c, names := oneFieldCommit()
	stored, err := ParseCommit(EncodeCommit(c, names))
	if err != nil {
		t.Fatal(err)
	}
	msg := append(EncodeMessage(&In{Handle: 1}), stored.Wire...)
	if len(msg) > 100 {
		t.Errorf("the delivery of one changed field takes %d bytes", len(msg))
	}
	t.Logf("delivery %d bytes, log entry %d, mutation body %d", len(msg), len(EncodeCommit(c, names)), len(c.Mutations[0].Body))
}

func BenchmarkEncodeCommit(b *testing.B) {
	c, names := oneFieldCommit()
	b.ReportAllocs()
	for b.Loop() {
		_ = EncodeCommit(c, names)
	}
}

func BenchmarkParseCommit(b *testing.B) {
	c, names := oneFieldCommit()
	data := EncodeCommit(c, names)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseCommit(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeCommit(b *testing.B) {
	c, names := oneFieldCommit()
	data := EncodeCommit(c, names)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeCommit(data, names); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeDelivery is what a client does with one edit.
func BenchmarkDecodeDelivery(b *testing.B) {
	c, names := oneFieldCommit()
	stored, err := ParseCommit(EncodeCommit(c, names))
	if err != nil {
		b.Fatal(err)
	}
	msg := append(EncodeMessage(&In{Handle: 1}), stored.Wire...)
	source := func(Handle) *NameTable { return names }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeMessage(msg, source); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodePush is what a server does with one edit.
func BenchmarkDecodePush(b *testing.B) {
	c, _ := oneFieldCommit()
	msg := EncodeMessage(&Push{Handle: 1, First: 7, Bodies: [][]byte{c.Mutations[0].Body}})
	b.ReportAllocs()
	for b.Loop() {
		list, err := DecodeClientMessage(msg)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := DecodeMutation(list[0].(*Push).Bodies[0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendMutation(b *testing.B) {
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendMutation(dst[:0], sampleMutation)
	}
}

func BenchmarkDecodeValue(b *testing.B) {
	data := MustValue(map[string]any{"a": 1, "b": []any{"x", "y"}, "c": 1.5}).Encoded()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeValue(data); err != nil {
			b.Fatal(err)
		}
	}
}
