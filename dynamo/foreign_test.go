package dynamo

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tidegate/tidegate/internal/engine"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// reports keeps what a store tells of others.
type reports struct {
	mu  sync.Mutex
	all []Report // guarded by mu
	// kept and remade count all that there ever were; guarded by mu.
	kept, remade uint64
}

func (r *reports) add(report Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, report)
	if report.Kept {
		r.kept++
	} else {
		r.remade++
	}
}

// drain returns what came since the last call.
func (r *reports) drain() []Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

// wantReport demands that an attribute of an item was reported.
func (r *reports) wantReport(t *testing.T, item space.ItemKey, attribute string, kept bool) {
	t.Helper()
	all := r.drain()
	for _, got := range all {
		if got.Item == item && got.Key == board && got.Kept == kept && slices.Contains(got.Attributes, attribute) &&
			got.Err != nil && strings.Contains(got.Err.Error(), attribute) {
			return
		}
	}
	t.Errorf("no report of %q of %s (kept %v) among %+v", attribute, item, kept, all)
}

// foreigner is a store, and somebody else with access to its table.
type foreigner struct {
	*Store
	t *testing.T
	reports
	stores []*Store // all that report
}

func newForeigner(t *testing.T, e *engine.Engine) *foreigner {
	f := &foreigner{t: t}
	config := newTable(t, e)
	config.Report = f.add
	f.Store = openStore(t, config)
	f.stores = []*Store{f.Store}
	t.Cleanup(f.counted)
	return f
}

// another returns a store on the same table, which remembers nothing.
func (f *foreigner) another() *Store {
	f.stores = append(f.stores, openStore(f.t, f.config))
	return f.stores[len(f.stores)-1]
}

// counted demands that the stores have counted what they reported.
func (f *foreigner) counted() {
	var kept, remade uint64
	for _, s := range f.stores {
		k, r := s.Reports()
		kept, remade = kept+k, remade+r
	}
	if kept != f.reports.kept || remade != f.reports.remade {
		f.t.Errorf("%d kept and %d others are counted, but %d and %d were reported", kept, remade, f.reports.kept, f.reports.remade)
	}
}

func (f *foreigner) keys(key space.ItemKey) attributes {
	f.t.Helper()
	p, err := partitionsOf(board)
	if err != nil {
		f.t.Fatal(err)
	}
	sort, err := sortOfItem(key)
	if err != nil {
		f.t.Fatal(err)
	}
	return keyAttributes(p.items, sort)
}

// raw is an item as the table has it.
func (f *foreigner) raw(keys attributes) attributes {
	f.t.Helper()
	out, err := f.client.GetItem(f.t.Context(), &dynamodb.GetItemInput{TableName: &f.config.Table, Key: keys, ConsistentRead: aws.Bool(true)})
	if err != nil {
		f.t.Fatal(err)
	}
	return out.Item
}

// change writes an item as somebody else would: whole, after a change.
func (f *foreigner) change(keys attributes, edit func(a attributes)) {
	f.t.Helper()
	a := f.raw(keys)
	if a == nil {
		a = maps.Clone(keys)
	}
	edit(a)
	if _, err := f.client.PutItem(f.t.Context(), &dynamodb.PutItemInput{TableName: &f.config.Table, Item: a}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *foreigner) put(s *Store, item space.Item) {
	f.t.Helper()
	if err := s.Put(f.t.Context(), board, []space.Item{item}); err != nil {
		f.t.Fatalf("put: %v", err)
	}
}

func (f *foreigner) get(s *Store, key space.ItemKey) space.Item {
	f.t.Helper()
	items, err := s.Get(f.t.Context(), board, []space.ItemKey{key})
	if err != nil {
		f.t.Fatalf("get: %v", err)
	}
	scanned, err := s.Scan(f.t.Context(), board, space.ItemKey{Kind: key.Kind}, 1<<20)
	if err != nil {
		f.t.Fatalf("scan: %v", err)
	}
	for _, item := range scanned {
		if item.Key == key && fmt.Sprint(item) != fmt.Sprint(items[0]) {
			f.t.Errorf("scan has %+v, get %+v", item, items[0])
		}
	}
	return items[0]
}

var taskKey = space.ItemKey{Kind: space.ItemRecord, A: "tasks", B: "1"}

// task is an image of a record.
func task(version uint64, fields map[string]any) space.Item {
	item := space.Item{Key: taskKey, Version: version, Meta: fmt.Appendf(nil, "meta %d", version)}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		item.Fields = append(item.Fields, protocol.FieldValue{Field: name, Value: protocol.MustValue(fields[name])})
	}
	return item
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// What somebody else wrote stays, and is reported with its attribute; Tidegate
// keeps its own beside it. Once theirs is undone, the attributes are ours again.
func TestForeignEdit(t *testing.T) {
	for name, edit := range map[string]struct {
		do, undo  func(a attributes)
		attribute string
	}{
		"a changed field": {
			func(a attributes) { a["title"] = text("theirs") }, func(a attributes) { a["title"] = text("ours") }, "title",
		},
		"another type": {
			func(a attributes) { a["n"] = text("1") }, func(a attributes) { a["n"] = numberAttribute(1) }, "n",
		},
		"no type of ours": {
			func(a attributes) { a["n"] = &types.AttributeValueMemberNS{Value: []string{"1"}} },
			func(a attributes) { a["n"] = numberAttribute(1) }, "n",
		},
		"an added field": {
			func(a attributes) { a["extra"] = text("theirs") }, func(a attributes) { delete(a, "extra") }, "extra",
		},
		"a removed field": {
			func(a attributes) { delete(a, "n") }, func(a attributes) { a["n"] = numberAttribute(1) }, removedAttribute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			engine.Each(t, func(t *testing.T, e *engine.Engine) {
				f := newForeigner(t, e)
				f.put(f.Store, task(5, map[string]any{"title": "ours", "n": 1}))
				f.change(f.keys(taskKey), edit.do)
				theirs := f.raw(f.keys(taskKey))

				// A store that reads it cannot vouch for it.
				reader := f.another()
				item := f.get(reader, taskKey)
				if item.Unreadable == nil || !errors.Is(item.Unreadable, ErrForeign) || item.Version != 5 || item.Fields != nil {
					t.Fatalf("it was read as %+v", item)
				}
				f.wantReport(t, taskKey, edit.attribute, false)

				// One that thinks it knows it, and one that has just read it, write nothing over
				// it; the record made again is taken even if it is not newer.
				again := task(5, map[string]any{"title": "ours", "n": 1})
				f.put(reader, again)
				f.wantReport(t, taskKey, edit.attribute, false)
				if item := f.get(f.another(), taskKey); !reflect.DeepEqual(item, again) {
					t.Fatalf("made again, it is %+v", item)
				}
				f.wantReport(t, taskKey, edit.attribute, true)
				newer := task(6, map[string]any{"title": "ours, newer", "more": true})
				f.put(f.Store, newer)
				if item := f.get(f.another(), taskKey); !reflect.DeepEqual(item, newer) {
					t.Fatalf("newer, it is %+v", item)
				}
				f.put(reader, task(4, nil))
				now := f.raw(f.keys(taskKey))
				notOurs := func(name string, _ types.AttributeValue) bool { return !isField(name) }
				maps.DeleteFunc(now, notOurs)
				maps.DeleteFunc(theirs, notOurs)
				if !reflect.DeepEqual(now, theirs) {
					t.Fatalf("theirs was %v, and is %v", theirs, now)
				}

				f.change(f.keys(taskKey), edit.undo)
				f.drain()
				if item := f.get(f.another(), taskKey); !reflect.DeepEqual(item, newer) {
					t.Fatalf("undone, it is %+v", item)
				}
				newest := task(7, map[string]any{"title": "ours again"})
				f.put(f.Store, newest)
				if item := f.get(f.another(), taskKey); !reflect.DeepEqual(item, newest) {
					t.Fatalf("newest, it is %+v", item)
				}
				now = f.raw(f.keys(taskKey))
				if _, beside := now[attrOurs]; beside || !reflect.DeepEqual(now["title"], text("ours again")) || now["more"] != nil {
					t.Errorf("the table has %v", now)
				}
				if all := f.drain(); len(all) > 0 {
					t.Errorf("reported was %+v", all)
				}
			})
		})
	}
}

// An edit between a store's reading and its writing is met by the condition, if it
// is to a field that changes, and by the next reader, if not.
func TestForeignEditMeanwhile(t *testing.T) {
	engine.Each(t, func(t *testing.T, e *engine.Engine) {
		f := newForeigner(t, e)
		f.put(f.Store, task(5, map[string]any{"title": "ours", "n": 1}))
		f.change(f.keys(taskKey), func(a attributes) { a["title"] = text("theirs") })
		newer := task(6, map[string]any{"title": "ours", "n": 2})
		f.put(f.Store, newer)
		if now := f.raw(f.keys(taskKey)); !reflect.DeepEqual(now["title"], text("theirs")) || !reflect.DeepEqual(now["n"], numberAttribute(2)) {
			t.Fatalf("the table has %v", now)
		}
		if item := f.get(f.another(), taskKey); item.Unreadable == nil {
			t.Errorf("it was read as %+v", item)
		}
		f.wantReport(t, taskKey, "title", false)
		newest := task(7, map[string]any{"title": "ours, newest", "n": 2})
		f.put(f.Store, newest)
		f.wantReport(t, taskKey, "title", false)
		if now := f.raw(f.keys(taskKey)); !reflect.DeepEqual(now["title"], text("theirs")) {
			t.Fatalf("the table has %v", now)
		}
		if item := f.get(f.another(), taskKey); !reflect.DeepEqual(item, newest) {
			t.Errorf("newest, it is %+v", item)
		}
	})
}

// Nonsense is reported with key and attribute, never written over, never a crash.
func TestNonsense(t *testing.T) {
	bytesOf := func(b ...byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }
	device := space.ItemKey{Kind: space.ItemDevice, A: "0123456789abcdef"}
	edits := map[string]struct {
		attribute string
		edit      func(a attributes)
	}{
		"no version":        {attrVersion, func(a attributes) { delete(a, attrVersion) }},
		"version of a text": {attrVersion, func(a attributes) { a[attrVersion] = text("5") }},
		"version 0":         {attrVersion, func(a attributes) { a[attrVersion] = numberAttribute(0) }},
		"negative version":  {attrVersion, func(a attributes) { a[attrVersion] = &types.AttributeValueMemberN{Value: "-5"} }},
		"huge version":      {attrVersion, func(a attributes) { a[attrVersion] = &types.AttributeValueMemberN{Value: "1e30"} }},
		"another version":   {attrMeta, func(a attributes) { a[attrVersion] = numberAttribute(77) }},
		"no meta":           {attrMeta, func(a attributes) { delete(a, attrMeta) }},
		"meta of a text":    {attrMeta, func(a attributes) { a[attrMeta] = text("meta") }},
		"meta of nothing":   {attrMeta, func(a attributes) { a[attrMeta] = bytesOf(protocol.Format) }},
		"meta cut short": {attrMeta, func(a attributes) {
			b := a[attrMeta].(*types.AttributeValueMemberB)
			b.Value = b.Value[:len(b.Value)-1]
		}},
		"meta changed": {attrMeta, func(a attributes) { b := a[attrMeta].(*types.AttributeValueMemberB); b.Value[5] ^= 1 }},
		"meta that claims": {attrMeta, func(a attributes) {
			a[attrMeta] = bytesOf(append([]byte{protocol.Format, 0, 1, 2, 3, 4, 5, 6, 7, 8}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)...)
		}},
		"meta that is packed": {attrMeta, func(a attributes) {
			a[attrMeta] = bytesOf(protocol.Format, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0x28, 0xb5, 0x2f, 0xfd)
		}},
		"ours of nothing": {attrOurs, func(a attributes) { a[attrOurs] = bytesOf(protocol.Format, 0, 1, 2, 3, 4, 5, 6, 7, 8) }},
		"ours of a list":  {attrOurs, func(a attributes) { a[attrOurs] = &types.AttributeValueMemberL{} }},
		"all of it": {attrVersion, func(a attributes) {
			for name := range a {
				if name != attrPartition && name != attrSort {
					delete(a, name)
				}
			}
			a["hello"] = text("world")
		}},
	}
	e := engine.Need(t, engine.Dynoxide)
	for name, edit := range edits {
		t.Run(name, func(t *testing.T) {
			f := newForeigner(t, e)
			deviceItem := space.Item{Key: device, Version: 5, Meta: []byte("entry")}
			f.put(f.Store, task(5, map[string]any{"title": "ours"}))
			f.put(f.Store, deviceItem)
			for _, key := range []space.ItemKey{taskKey, device} {
				f.change(f.keys(key), edit.edit)
				before := f.raw(f.keys(key))
				item := f.get(f.another(), key)
				if item.Unreadable == nil || !strings.Contains(item.Unreadable.Error(), edit.attribute) {
					t.Errorf("%s was read as %+v", key, item)
				}
				f.wantReport(t, key, edit.attribute, false)
				newer := space.Item{Key: key, Version: 6, Meta: []byte("newer")}
				err := f.another().Put(t.Context(), board, []space.Item{newer})
				now := f.raw(f.keys(key))
				if key == device && reflect.DeepEqual(before[attrVersion], numberAttribute(5)) {
					// There is nothing of others' in it, and it is known to be older.
					if item := f.get(f.another(), key); err != nil || !reflect.DeepEqual(item, newer) {
						t.Errorf("%s was put, and is %+v, %v", key, item, err)
					}
					continue
				}
				f.wantReport(t, key, edit.attribute, false)
				if !reflect.DeepEqual(now, before) {
					t.Errorf("%s was %v, and is %v", key, before, now)
				}
				if refused := errors.Is(err, ErrForeign); refused != (key == device) {
					t.Errorf("put of %s: %v", key, err)
				}
			}
		})
	}
	t.Run("who knows it mends it", func(t *testing.T) {
		f := newForeigner(t, e)
		f.put(f.Store, task(5, map[string]any{"title": "ours"}))
		f.change(f.keys(taskKey), edits["meta changed"].edit)
		newer := task(6, map[string]any{"title": "ours, newer"})
		f.put(f.Store, newer)
		if item := f.get(f.another(), taskKey); !reflect.DeepEqual(item, newer) {
			t.Errorf("it is %+v", item)
		}
	})
	t.Run("a newer format", func(t *testing.T) {
		f := newForeigner(t, e)
		f.put(f.Store, task(5, map[string]any{"title": "ours"}))
		f.change(f.keys(taskKey), func(a attributes) { a[attrMeta].(*types.AttributeValueMemberB).Value[0] |= 1 })
		item := f.get(f.another(), taskKey)
		var known *protocol.Error
		if !errors.As(item.Unreadable, &known) || known.Code != protocol.CodeUpgrade {
			t.Errorf("it was read as %+v", item)
		}
		if err := f.another().Put(t.Context(), board, []space.Item{task(6, nil)}); !errors.As(err, &known) || known.Code != protocol.CodeUpgrade {
			t.Errorf("put: %v", err)
		}
	})
}

// A commit that cannot be read is an entry without data, which the space calls
// damage; what is no commit is reported and passed over.
func TestNonsenseInTheLog(t *testing.T) {
	e := engine.Need(t, engine.Dynoxide)
	f := newForeigner(t, e)
	for seq := uint64(1); seq <= 5; seq++ {
		if err := f.Append(t.Context(), board, seq, []byte("data")); err != nil {
			t.Fatal(err)
		}
	}
	p, _ := partitionsOf(board)
	keys := func(seq uint64) attributes { return keyAttributes(p.log, sortOfSeq(seq)) }
	f.change(keys(2), func(a attributes) { delete(a, attrData) })
	f.change(keys(3), func(a attributes) { a[attrData] = text("data") })
	f.change(keys(4), func(a attributes) {
		a[attrPacked] = &types.AttributeValueMemberB{Value: []byte{protocol.Format, 1, 2, 3}}
	})
	f.change(keys(5), func(a attributes) { a[attrData] = &types.AttributeValueMemberB{Value: []byte{protocol.Format | 1, 7}} })
	f.change(keyAttributes(p.log, "00000000000000000002x"), func(a attributes) {})
	entries, err := f.Log(t.Context(), board, 1, 1<<20)
	if err != nil || len(entries) != 5 {
		t.Fatalf("%+v, %v", entries, err)
	}
	for i, want := range []string{"data", "", "", "", string([]byte{protocol.Format | 1, 7})} {
		if string(entries[i].Data) != want {
			t.Errorf("entry %d is %q, want %q", i+1, entries[i].Data, want)
		}
	}
	got := map[uint64]string{}
	for _, r := range f.drain() {
		got[r.Seq] = strings.Join(r.Attributes, " ")
	}
	if want := map[uint64]string{0: attrSort, 2: attrData, 3: attrData, 4: attrPacked, 5: attrData}; !maps.Equal(got, want) {
		t.Errorf("reported were %v", got)
	}
}
