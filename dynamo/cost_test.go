package dynamo

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/engine"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// costRecords is how many records there are: fewer on the engine that is slow.
var costRecords = map[engine.Kind]int{engine.Dynoxide: 10_000, engine.Dynalite: 1000}

const (
	costBehind = 100
	// fairly is how many times the price of its bytes a read may cost.
	fairly = 1.2
	// readUnit is what a strongly consistent read unit pays for.
	readUnit = 4096
)

// TestCostOfReading demands that a device is served for about what the bytes
// cost which it is sent: a new one by one pass over the records, one that was
// away by the commits that it missed.
func TestCostOfReading(t *testing.T) {
	engine.Each(t, func(t *testing.T, e *engine.Engine) {
		records := costRecords[e.Kind]
		config := newTable(t, e)
		s := openStore(t, config)
		m := costManager(s)
		at, d := costAttach(t, m, protocol.Cursor{}, 1)
		push := func(ops []protocol.Op) {
			d.counter++
			body := protocol.AppendMutation(nil, &protocol.Mutation{Base: 0, Ops: ops})
			at.Push(space.Push{ID: d.counter, First: d.counter, Previous: d.hash, Bodies: [][]byte{body}})
			v, ok := (<-d.told).(space.Verdicts)
			if !ok || v.List[0].Outcome != protocol.Applied {
				t.Fatalf("mutation %d: %+v", d.counter, v)
			}
			d.hash = v.Hash
		}
		for first := 0; first < records; first += 500 {
			var ops []protocol.Op
			for i := first; i < first+500; i++ {
				ops = append(ops, protocol.Op{Kind: protocol.OpCreate, Collection: "cards", ID: fmt.Sprintf("card-%05d", i),
					Fields: []protocol.FieldValue{
						{Field: "column", Value: protocol.IntValue(int64(i % 7))},
						{Field: "title", Value: protocol.MustValue(strings.Repeat("tide ", 20))},
					}})
			}
			push(ops)
		}
		cursor := at.Head()
		for i := range costBehind {
			push([]protocol.Op{{Kind: protocol.OpSet, Collection: "cards", ID: fmt.Sprintf("card-%05d", i),
				Fields: []protocol.FieldValue{{Field: "title", Value: protocol.MustValue(strings.Repeat("gate ", 30))}}}})
		}
		closeManager(t, m) // and with it everything is checkpointed

		// What a gateway that was just started pays for the first, new device.
		s = openStore(t, config)
		m = costManager(s)
		at, d = costAttach(t, m, protocol.Cursor{}, 2)
		opened := readUnits(s)
		sent := costRead(t, at, d, space.Position{Snapshot: true})
		cost := readUnits(s) - opened
		price := float64(scanned(t, s, board)) / readUnit
		t.Logf("%d records for a new device: %.1f read units, their items' bytes cost %.1f; opening took %.1f; %d bytes were sent", records, cost, price, opened, sent)
		if cost > fairly*price || opened > 10 {
			t.Errorf("opening took %.1f read units, and the snapshot %.1f where the bytes cost %.1f", opened, cost, price)
		}

		// What one pays that missed some commits, read from the log as its gateway has
		// just been started, too.
		closeManager(t, m)
		s = openStore(t, config)
		m = costManager(s)
		at, _ = costAttach(t, m, at.Head(), 3)
		opened = readUnits(s)
		at, d = costAttach(t, m, cursor, 4)
		attached := readUnits(s) - opened
		sent = costRead(t, at, d, space.Position{Cursor: cursor})
		cost = readUnits(s) - opened - attached
		price = float64(logged(t, s, cursor.Seq+1)) / readUnit
		t.Logf("%d commits for a device that was away: %.1f read units, their items' bytes cost %.1f; attaching took %.1f; %d bytes were sent", costBehind, cost, price, attached, sent)
		// Units are whole ones.
		if cost > fairly*price+1 || attached > 5 {
			t.Errorf("attaching took %.1f read units, and %d commits %.1f where their bytes cost %.1f", attached, costBehind, cost, price)
		}
		closeManager(t, m)
	})
}

// costDevice is one device of the test.
type costDevice struct {
	told    sink
	id      protocol.DeviceID
	counter uint64
	hash    protocol.Hash
}

func costManager(s *Store) *space.Manager {
	return space.NewManager(s, space.Options{Config: space.Config{
		Gateway: "gateway", PollEvery: time.Hour, Limits: protocol.DefaultLimits(), WatermarkEvery: 10_000, WatermarkBytes: 1 << 30,
	}})
}

func costAttach(t *testing.T, m *space.Manager, cursor protocol.Cursor, n byte) (*space.Attachment, *costDevice) {
	t.Helper()
	d := &costDevice{told: make(sink, 64), id: protocol.DeviceID{n}}
	at, err := m.Attach(board, space.Attach{Device: d.id, User: "ann", Cursor: cursor}, d.told)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := (<-d.told).(space.Attached); !ok {
		t.Fatalf("device %d was not attached", n)
	}
	return at, d
}

// costRead reads until nothing is left, and returns how much it was sent.
func costRead(t *testing.T, at *space.Attachment, d *costDevice, from space.Position) (sent int) {
	t.Helper()
	for more := true; more; {
		chunk, err := at.Read(t.Context(), space.ReadRequest{From: from, MaxBytes: 256 << 10, Device: d.id})
		if err != nil {
			t.Fatal(err)
		}
		sent += len(chunk.Frames)
		from, more = chunk.To, chunk.More
	}
	if from.Snapshot || from.Cursor != at.Head() {
		t.Fatalf("the device was brought to %+v, head is %+v", from, at.Head())
	}
	return sent
}

func closeManager(t *testing.T, m *space.Manager) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := m.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func readUnits(s *Store) (sum float64) {
	for _, u := range s.Units() {
		sum += u.Read
	}
	return sum
}

// scanned and logged are the bytes that the items of a space have, as DynamoDB
// counts them: keys, names and values.
func scanned(t *testing.T, s *Store, key space.Key) (size int) {
	t.Helper()
	for after := (space.ItemKey{Kind: space.ItemRecord}); ; {
		items, err := s.Scan(t.Context(), key, after, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(items) == 0 {
			return size
		}
		for i := range items {
			a, err := s.encodeItem("", "", &items[i])
			if err != nil {
				t.Fatal(err)
			}
			size += sizeOf(a) + len("_p") + len("_k") + len(key.Tenant) + len(key.Space) + 4 + len(items[i].Key.A) + len(items[i].Key.B) + 2
		}
		after = items[len(items)-1].Key
	}
}

func logged(t *testing.T, s *Store, from uint64) (size int) {
	t.Helper()
	for {
		entries, err := s.Log(t.Context(), board, from, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			return size
		}
		for _, entry := range entries {
			stored := len(entry.Data)
			if packed, ok := s.codec.Encode(nil, entry.Data, 0); ok {
				stored = len(packed)
			}
			size += stored + len("_p") + len("_k") + len("_z") + len(board.Tenant) + len(board.Space) + 32
			from = entry.Seq + 1
		}
	}
}
