package transfer

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// TestMoved moves what gateways have made, and compares it with what they would
// go on with.
func TestMoved(t *testing.T) {
	for seed := range uint64(6) {
		source := made(t, seed)
		export := exported(t, source)
		into := new(space.Memory)
		report := mustImport(t, into, export)
		mustEqual(t, source, into)
		if report.Already != (Amount{}) || report.Spaces != 7 {
			t.Errorf("into an empty store: %+v", report)
		}
		check, err := Check(t.Context(), into, bytes.NewReader(export), Options{})
		if err != nil || len(check.Differences) > 0 || check.SHA256 != report.SHA256 || check.Bytes != report.Bytes {
			t.Errorf("check: %+v, %v", check, err)
		}
		for key, c := range dumpAll(t, source) {
			head := headOf(t, c)
			want, got := serveSpace(t, source, key, "ann", head), serveSpace(t, into, key, "ann", head)
			if !got.attached || got.mode != protocol.ModeResume || got.head != head || got.counter != want.counter || !got.sameState(want) {
				t.Errorf("%s is served otherwise: %+v, not %+v", nameOf(key), got, want)
			}
		}
	}
}

// headOf is the cursor of a device that has all of a space.
func headOf(t testing.TB, c contents) protocol.Cursor {
	t.Helper()
	last := c.log[len(c.log)-1]
	commit, err := protocol.ParseCommit(last.Data)
	if err != nil {
		t.Fatal(err)
	}
	return protocol.Cursor{Seq: last.Seq, Commit: commit.ID}
}

// drawStore draws a store of what no gateway would have made so, but stores may
// hold.
func drawStore(t *rapid.T) *space.Memory {
	ctx := t.Context()
	store := new(space.Memory)
	name := rapid.StringOfN(rapid.SampledFrom([]rune{0, 'a', 'b', '/', 'ü'}), 0, 3, -1)
	blob := rapid.SliceOfN(rapid.Byte(), 0, 40)
	for range rapid.IntRange(0, 5).Draw(t, "spaces") {
		key := space.Key{Tenant: name.Draw(t, "tenant"), Space: name.Draw(t, "space")}
		if log, _ := store.Log(ctx, key, 0, 1); len(log) > 0 {
			continue
		}
		last := rapid.Uint64Range(1, 300).Draw(t, "last")
		watermark := rapid.Uint64Range(0, last).Draw(t, "watermark")
		horizon := rapid.Uint64Range(0, watermark).Draw(t, "horizon")
		first := max(horizon, 1)
		for seq := first; seq <= last; seq++ {
			if err := store.Append(ctx, key, seq, blob.Draw(t, "entry")); err != nil {
				t.Fatal(err)
			}
		}
		put := func(item space.Item) {
			if err := store.Put(ctx, key, []space.Item{item}); err != nil {
				t.Fatal(err)
			}
		}
		version := rapid.Uint64Range(1, last)
		for _, kind := range []space.ItemKind{space.ItemRecord, space.ItemDevice, space.ItemBlob} {
			for range rapid.IntRange(0, 20).Draw(t, "items") {
				item := space.Item{
					Key:     space.ItemKey{Kind: kind, A: name.Draw(t, "a"), B: name.Draw(t, "b")},
					Version: version.Draw(t, "version"), Meta: blob.Draw(t, "meta"),
				}
				if kind == space.ItemRecord && rapid.Bool().Draw(t, "fields") {
					item.Fields = []protocol.FieldValue{
						{Field: "absent"}, {Field: "n", Value: protocol.IntValue(7)}, {Field: "text", Value: protocol.StringValue(name.Draw(t, "text"))},
					}
				}
				put(item)
			}
		}
		if horizon > 0 {
			put(space.Item{Key: space.ItemKey{Kind: space.ItemHorizon}, Version: horizon})
		}
		if watermark > 0 {
			put(space.Item{Key: space.ItemKey{Kind: space.ItemWatermark}, Version: watermark, Meta: append([]byte{protocol.Format}, blob.Draw(t, "watermark's content")...)})
		}
	}
	return store
}

// TestRandomStores moves random stores there and back.
func TestRandomStores(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		source := drawStore(rt)
		export := exported(t, source)
		into, back := new(space.Memory), new(space.Memory)
		mustImport(t, into, export)
		mustEqual(t, source, into)
		again := exported(t, into)
		if !bytes.Equal(again, export) {
			rt.Fatal("the export of what was imported is another one")
		}
		mustImport(t, back, again)
		mustEqual(t, source, back)
		if t.Failed() {
			rt.FailNow()
		}
	})
}

// TestImportAgain shows that what is there is neither written again nor harmed.
func TestImportAgain(t *testing.T) {
	source := made(t, 1)
	export := exported(t, source)
	into := &watched{Memory: new(space.Memory)}
	mustImport(t, into, export)
	wrote := into.writes
	report := mustImport(t, into, export)
	if into.writes != wrote {
		t.Errorf("%d more writes", into.writes-wrote)
	}
	if report.Already.Spaces != report.Spaces || report.Already.Commits != report.Commits || report.Already.Items != report.Items {
		t.Errorf("%+v", report)
	}
	mustEqual(t, source, into)

	// A space that was served since is left alone.
	r := newRig(t, into, board, rigStart+1_000_000, keeping())
	r.work(rand.New(rand.NewPCG(9, 9)), 25)
	r.close()
	before := dumpAll(t, into)
	mustImport(t, into, export)
	for key, c := range dumpAll(t, into) {
		if what := c.difference(before[key]); what != "" {
			t.Errorf("%s: %s", nameOf(key), what)
		}
	}
	check, err := Check(t.Context(), into, bytes.NewReader(export), Options{})
	if err != nil || len(check.Differences) != 1 || check.Differences[0].Space != "board" || !strings.Contains(check.Differences[0].What, "gone on") {
		t.Errorf("check: %+v, %v", check, err)
	}
}

// TestImportMore brings a space up to a newer export of the same history.
func TestImportMore(t *testing.T) {
	source := new(space.Memory)
	r := newRig(t, source, board, rigStart, keeping())
	r.work(rand.New(rand.NewPCG(1, 1)), 30)
	older := exported(t, source)
	r.work(rand.New(rand.NewPCG(2, 2)), 30)
	r.close()
	newer := exported(t, source)
	into := new(space.Memory)
	mustImport(t, into, older)
	report := mustImport(t, into, newer)
	if report.Already.Commits != 30 || report.Commits != 60 || report.Already.Spaces != 0 {
		t.Errorf("%+v", report)
	}
	head := headOf(t, dump(t, source, board))
	want, got := serveSpace(t, source, board, "bob", head), serveSpace(t, into, board, "bob", head)
	if !got.attached || got.mode != protocol.ModeResume || got.head != head || got.counter != want.counter || !got.sameState(want) {
		t.Errorf("it is served otherwise: %+v, not %+v", got, want)
	}
	for _, item := range dump(t, source, board).items {
		if item.Key.Kind == space.ItemBlob {
			if there, _ := into.Get(t.Context(), board, []space.ItemKey{item.Key}); there[0].Version == 0 {
				t.Errorf("%s is missing", item.Key)
			}
		}
	}
}

// TestDeletedThere shows that what was deleted since an export was imported is not
// brought back by importing it again, nor by completing it.
func TestDeletedThere(t *testing.T) {
	source := new(space.Memory)
	card := func(id string) protocol.Op {
		return protocol.Op{Kind: protocol.OpCreate, Collection: "cards", ID: id,
			Fields: []protocol.FieldValue{{Field: "title", Value: protocol.StringValue("x")}}}
	}
	r := newRig(t, source, board, rigStart, expiring())
	d := r.attach(1, "ann")
	for i := range 6 {
		r.push(d, card(fmt.Sprint(i)))
	}
	r.close()
	export := exported(t, source)
	into := new(space.Memory)
	mustImport(t, into, export)
	r = newRig(t, into, board, rigStart+1000, expiring())
	d = r.attach(1, "ann")
	d.base = r.core.Head().Seq
	r.push(d, protocol.Op{Kind: protocol.OpDelete, Collection: "cards", ID: "3"})
	for i := range 40 {
		r.push(d, card(fmt.Sprint(100+i)))
		r.pass(10 * time.Minute)
	}
	r.close()
	deleted := []space.ItemKey{{Kind: space.ItemRecord, A: "cards", B: "3"}}
	if there, _ := into.Get(t.Context(), board, deleted); there[0].Version > 0 {
		t.Fatal("the tombstone is still there: the test tests nothing")
	}
	if _, err := Import(t.Context(), into, bytes.NewReader(export), Options{}); !errors.Is(err, ErrOtherHistory) {
		t.Errorf("an export that ends before the store's log begins: %v", err)
	}
	if there, _ := into.Get(t.Context(), board, deleted); there[0].Version > 0 {
		t.Error("what was deleted is back")
	}
}

// TestNewerPart shows that an unfinished import is not ended with an older export.
func TestNewerPart(t *testing.T) {
	source := new(space.Memory)
	r := newRig(t, source, board, rigStart, keeping())
	r.work(rand.New(rand.NewPCG(1, 1)), 20)
	older := exported(t, source)
	r.work(rand.New(rand.NewPCG(2, 2)), 20)
	newer := exported(t, source)
	into := &watched{Memory: new(space.Memory), failAt: 38}
	if _, err := Import(t.Context(), into, bytes.NewReader(newer), Options{Permanent: isBroken}); !isBroken(err) {
		t.Fatal(err)
	}
	into.failAt = 0
	if _, err := Import(t.Context(), into, bytes.NewReader(older), Options{}); err == nil || !strings.Contains(fmt.Sprint(err), "newer export") {
		t.Errorf("ending it with an older one: %v", err)
	}
	if got := serveSpace(t, copyOf(into.Memory), board, "ann", protocol.Cursor{}); got.attached {
		t.Errorf("it is served: %+v", got)
	}
	mustImport(t, into, newer)
	mustEqual(t, source, into)
}

// TestEarlyGateway lets a gateway have the space open, and a device write to it,
// while the space is being imported: the histories do not mix, whatever the moment.
func TestEarlyGateway(t *testing.T) {
	source := made(t, 3)
	export := exported(t, source)
	only := Options{Select: Selection{Tenants: []string{"acme"}}}
	whole, noticed := 0, 0
	for at := 1; at < 60; at++ {
		into := &watched{Memory: new(space.Memory)}
		r := newRig(t, into.Memory, board, rigStart+1_000_000_000, space.Config{PollEvery: time.Second})
		d := r.attach(1, "eve")
		into.after = func(writes int) {
			if writes < at {
				return
			}
			r.pass(2 * time.Second) // it polls
			r.push(d, protocol.Op{Kind: protocol.OpCreate, Collection: "cards", ID: fmt.Sprint("eve", writes)})
		}
		_, err := Import(t.Context(), into, bytes.NewReader(export), only)
		switch {
		case err == nil:
			whole++
			want, got := dump(t, source, board), dump(t, into.Memory, board)
			if len(got.log) < len(want.log) {
				t.Fatalf("from write %d on: %d commits of %d", at, len(got.log), len(want.log))
			}
			for i := range want.log {
				if !bytes.Equal(want.log[i].Data, got.log[i].Data) {
					t.Fatalf("from write %d on: commit %d is another one, and the import noticed nothing", at, got.log[i].Seq)
				}
			}
		case errors.Is(err, ErrOtherHistory):
			noticed++
			if got := serveSpace(t, copyOf(into.Memory), board, "ann", protocol.Cursor{}); got.attached {
				t.Fatalf("from write %d on: a mixture is served: %+v", at, got)
			}
		default:
			t.Fatalf("from write %d on: %v", at, err)
		}
	}
	if whole == 0 || noticed == 0 {
		t.Errorf("%d imports came to their end, %d noticed the gateway: the test does not test that", whole, noticed)
	}
}

// TestOtherHistory shows that a space with another history is not touched.
func TestOtherHistory(t *testing.T) {
	source := made(t, 1)
	export := exported(t, source)
	for name, prepare := range map[string]func(*space.Memory){
		"from the first commit on": func(m *space.Memory) {
			r := newRig(t, m, board, rigStart+5, keeping())
			r.work(rand.New(rand.NewPCG(3, 3)), 5)
			r.close()
		},
		"from a later commit on": func(m *space.Memory) {
			part := dump(t, source, board).log[:15]
			for _, entry := range part {
				if err := m.Append(t.Context(), board, entry.Seq, entry.Data); err != nil {
					t.Fatal(err)
				}
			}
			r := newRig(t, m, board, rigStart+5_000_000_000, keeping())
			r.work(rand.New(rand.NewPCG(3, 3)), 5)
			r.close()
		},
	} {
		into := new(space.Memory)
		prepare(into)
		before := dump(t, into, board)
		_, err := Import(t.Context(), into, bytes.NewReader(export), Options{Select: Selection{Spaces: []string{"board"}}})
		if !errors.Is(err, ErrOtherHistory) || !strings.Contains(fmt.Sprint(err), `space "board" of tenant "acme"`) {
			t.Errorf("%s: %v", name, err)
		}
		if what := dump(t, into, board).difference(before); what != "" {
			t.Errorf("%s: it was changed: %s", name, what)
		}
		check, err := Check(t.Context(), into, bytes.NewReader(export), Options{Select: Selection{Spaces: []string{"board"}}})
		if err != nil || len(check.Differences) != 1 || !strings.Contains(check.Differences[0].What, "in the export") {
			t.Errorf("%s: check: %+v, %v", name, check, err)
		}
	}
}

// TestSelection moves some spaces only.
func TestSelection(t *testing.T) {
	source := made(t, 2)
	everything := exported(t, source)
	for _, c := range []struct {
		what Selection
		want []string
		err  string
	}{
		{Selection{Tenants: []string{"acme"}, Spaces: []string{"board", "open"}}, []string{"board", "open"}, ""},
		{Selection{Tenants: []string{"acme"}}, []string{"board", "open", "trimmed", "trimmed and open"}, ""},
		{Selection{Spaces: []string{"meboard", "open"}}, []string{"meboard", "open"}, ""},
		{Selection{Spaces: []string{"nowhere"}}, nil, `no space "nowhere"`},
		{Selection{Tenants: []string{"nobody"}}, nil, `no tenant "nobody"`},
		{Selection{Tenants: []string{"acme"}, Spaces: []string{"nowhere"}}, nil, `nowhere`},
	} {
		names := func(m *space.Memory) (names []string) {
			for key := range dumpAll(t, m) {
				names = append(names, key.Space)
			}
			slices.Sort(names)
			return names
		}
		failed := func(err error) bool {
			return c.err == "" && err != nil || c.err != "" && !strings.Contains(fmt.Sprint(err), c.err)
		}
		var out bytes.Buffer
		_, err := Export(t.Context(), source, "test", &out, Options{Select: c.what})
		if failed(err) {
			t.Errorf("%s: %v", c.what, err)
		}
		if err == nil {
			into := new(space.Memory)
			mustImport(t, into, out.Bytes())
			if got := names(into); !slices.Equal(got, c.want) {
				t.Errorf("%s: exported %q", c.what, got)
			}
		}
		into := new(space.Memory)
		if _, err := Import(t.Context(), into, bytes.NewReader(everything), Options{Select: c.what}); failed(err) {
			t.Errorf("%s: %v", c.what, err)
		}
		if got := names(into); !slices.Equal(got, c.want) {
			t.Errorf("%s: imported %q", c.what, got)
		}
	}
}

// TestCheckFinds spoils a store, one thing at a time.
func TestCheckFinds(t *testing.T) {
	source := made(t, 4)
	export := exported(t, source)
	record := func(m *space.Memory) space.Item { return dump(t, m, board).items[0] }
	for name, c := range map[string]struct {
		spoil func(*space.Memory)
		says  string
	}{
		"a record more": {func(m *space.Memory) {
			m.Put(t.Context(), board, []space.Item{{Key: space.ItemKey{Kind: space.ItemRecord, A: "x", B: "y"}, Version: 3}})
		}, `record "x"/"y" is there, and not in the export`},
		"a record first of all": {func(m *space.Memory) {
			m.Put(t.Context(), board, []space.Item{{Key: space.ItemKey{Kind: space.ItemRecord}, Version: 3}})
		}, `record ""/"" is there, and not in the export`},
		"a newer record": {func(m *space.Memory) {
			item := record(m)
			item.Version = 24
			m.Put(t.Context(), board, []space.Item{item})
		}, "has version 24 there"},
		"a record less": {func(m *space.Memory) {
			m.Trim(t.Context(), board, 26, []space.ItemKey{record(m).Key})
		}, "commit 1 is not there"},
		"a value more": {func(m *space.Memory) {
			m.Put(t.Context(), board, []space.Item{{Key: space.ItemKey{Kind: space.ItemBlob, A: "zzz"}, Version: 3}})
		}, "and not in the export"},
		"a horizon": {func(m *space.Memory) {
			m.Put(t.Context(), board, []space.Item{{Key: space.ItemKey{Kind: space.ItemHorizon}, Version: 3}})
		}, "the horizon"},
		"half of it": {func(m *space.Memory) {
			*m = space.Memory{}
			limited := &watched{Memory: m, failAt: 5}
			Import(t.Context(), limited, bytes.NewReader(export), Options{Select: Selection{Spaces: []string{"board"}}, Permanent: isBroken})
		}, "not all come"},
		"nothing of it": {func(m *space.Memory) { *m = space.Memory{} }, "does not have it"},
	} {
		into := new(space.Memory)
		mustImport(t, into, export)
		c.spoil(into)
		check, err := Check(t.Context(), into, bytes.NewReader(export), Options{Select: Selection{Tenants: []string{"acme"}, Spaces: []string{"board"}}})
		if err != nil || len(check.Differences) != 1 || !strings.Contains(check.Differences[0].What, c.says) {
			t.Errorf("%s: %+v, %v", name, check.Differences, err)
		}
	}
}
