package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

var errBroken = errors.New("the line is broken")

func isBroken(err error) bool { return errors.Is(err, errBroken) }

// watched is a store that counts writes, and fails from one of them on.
type watched struct {
	*space.Memory
	mu     sync.Mutex
	writes int
	failAt int // the first write that fails; 0 for none
	// half has the write that fails first take effect all the same.
	half bool
	// after is called after each write that has an effect, one at a time, with how many
	// there were.
	after   func(writes int)
	effects int // guarded by around
	around  sync.Mutex
}

// write says whether a write takes effect, and what it answers.
func (w *watched) write() (effect bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	if w.failAt == 0 || w.writes < w.failAt {
		return true, nil
	}
	return w.half && w.writes == w.failAt, errBroken
}

func (w *watched) done() {
	if w.after != nil {
		w.around.Lock()
		defer w.around.Unlock()
		w.effects++
		w.after(w.effects)
	}
}

func (w *watched) Append(ctx context.Context, key space.Key, seq uint64, data []byte) error {
	effect, failed := w.write()
	if effect {
		err := w.Memory.Append(ctx, key, seq, data)
		if failed == nil {
			failed = err
		} else {
			failed = fmt.Errorf("%w: %w", space.ErrUnknown, failed)
		}
		w.done()
	}
	return failed
}

func (w *watched) Put(ctx context.Context, key space.Key, items []space.Item) error {
	effect, failed := w.write()
	if effect {
		if failed != nil {
			items = items[:(len(items)+1)/2]
		}
		failed = errors.Join(failed, w.Memory.Put(ctx, key, items))
		w.done()
	}
	return failed
}

func (w *watched) Trim(ctx context.Context, key space.Key, below uint64, drop []space.ItemKey) error {
	effect, failed := w.write()
	if effect {
		failed = errors.Join(failed, w.Memory.Trim(ctx, key, below, drop))
		w.done()
	}
	return failed
}

// expected is how the spaces of a source are served.
type expected map[space.Key]served

func expect(t testing.TB, source *space.Memory) expected {
	t.Helper()
	want := expected{}
	for key, c := range dumpAll(t, source) {
		want[key] = serveSpace(t, copyOf(source), key, "ann", headOf(t, c))
		if want[key].head != headOf(t, c) {
			t.Fatalf("%s is served as %+v", nameOf(key), want[key])
		}
	}
	return want
}

// mustBar demands that each space of a store is served whole or to nobody.
func (e expected) mustBar(t testing.TB, into *space.Memory, when string) {
	t.Helper()
	for key := range dumpAll(t, into) {
		want := e[key]
		// What serving a space writes must not get into the way of the import.
		got := serveSpace(t, copyOf(into), key, "ann", want.head)
		switch {
		case !got.attached && len(got.state) > 0 && !got.sameState(want):
			t.Fatalf("%s, %s shows a part of its records", when, nameOf(key))
		case got.attached && (got.head != want.head || got.mode != protocol.ModeResume || !got.sameState(want)):
			t.Fatalf("%s, %s is served as %+v; its head is %v", when, nameOf(key), got, want.head)
		}
	}
}

func copyOf(m *space.Memory) *space.Memory {
	c := new(space.Memory)
	c.Restore(m.Snapshot())
	return c
}

// TestEveryMoment looks at a store after every single write of an import.
func TestEveryMoment(t *testing.T) {
	source := made(t, 5)
	export, want := exported(t, source), expect(t, source)
	var moments []*space.MemoryState
	into := &watched{Memory: new(space.Memory)}
	into.after = func(int) { moments = append(moments, into.Snapshot()) }
	mustImport(t, into, export)
	if len(moments) < 50 {
		t.Fatalf("%d moments only", len(moments))
	}
	for n, moment := range moments {
		then := new(space.Memory)
		then.Restore(moment)
		want.mustBar(t, then, fmt.Sprintf("after write %d of %d", n+1, len(moments)))
	}
}

// TestInterruptedImport breaks an import off at every write, with and without the
// effect of that write, and runs it again.
func TestInterruptedImport(t *testing.T) {
	source := made(t, 6)
	export, want := exported(t, source), expect(t, source)
	opt := Options{Permanent: isBroken}
	for failAt, done := 1, false; !done; failAt++ {
		if failAt > 1000 {
			t.Fatal("the import does not end")
		}
		for _, half := range []bool{false, true} {
			into := &watched{Memory: new(space.Memory), failAt: failAt, half: half}
			_, err := Import(t.Context(), into, bytes.NewReader(export), opt)
			if done = err == nil; done {
				break
			}
			if !isBroken(err) {
				t.Fatalf("write %d: %v", failAt, err)
			}
			want.mustBar(t, into.Memory, fmt.Sprintf("broken off at write %d", failAt))
			into.failAt = 0
			mustImport(t, into, export)
			mustEqual(t, source, into)
			if t.Failed() {
				t.Fatalf("broken off at write %d, half %v", failAt, half)
			}
		}
	}
}

// TestCutOff cuts an export off at every tenth byte: the import notices, leaves
// nothing half-written to be served, and goes on from the whole export.
func TestCutOff(t *testing.T) {
	source := new(space.Memory)
	for n, key := range []space.Key{board, {Tenant: "acme", Space: "other"}} {
		r := newRig(t, source, key, rigStart, keeping())
		r.work(rand.New(rand.NewPCG(7, uint64(n))), 12)
		r.close()
	}
	export, want := exported(t, source), expect(t, source)
	for size := 0; size < len(export); size += 10 {
		into := new(space.Memory)
		_, err := Import(t.Context(), into, bytes.NewReader(export[:size]), Options{})
		var format *FormatError
		if !errors.As(err, &format) || format.Kind != ErrCutOff {
			t.Fatalf("%d of %d bytes: %v", size, len(export), err)
		}
		want.mustBar(t, into, fmt.Sprintf("with %d of %d bytes", size, len(export)))
		mustImport(t, into, export)
		mustEqual(t, source, into)
	}
}

// TestFlippedBytes changes every byte of an export: it is noticed, before
// anything of the chunk is used.
func TestFlippedBytes(t *testing.T) {
	source := new(space.Memory)
	for n, key := range []space.Key{board, {Tenant: "acme", Space: "other"}} {
		r := newRig(t, source, key, rigStart, keeping())
		r.work(rand.New(rand.NewPCG(7, uint64(n))), 4)
		r.close()
	}
	export, want := exported(t, source), expect(t, source)
	for at := range export {
		damaged := bytes.Clone(export)
		damaged[at] ^= byte(1 << (at % 8))
		into := new(space.Memory)
		_, err := Import(t.Context(), into, bytes.NewReader(damaged), Options{})
		var format *FormatError
		if !errors.As(err, &format) {
			t.Fatalf("byte %d: %v", at, err)
		}
		if format.Offset > int64(at) {
			t.Fatalf("byte %d is said to be at %d: %v", at, format.Offset, err)
		}
		want.mustBar(t, into, fmt.Sprintf("with byte %d changed", at))
	}
}

// TestContinue cuts the file of an export off at random places, changes the store
// or not, and continues it.
func TestContinue(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 8))
	first := made(t, 8)
	whole := exported(t, first)
	for round := range 24 {
		source := copyOf(first)
		size := rnd.IntN(len(whole))
		path := filepath.Join(t.TempDir(), "export")
		part := bytes.Clone(whole[:size])
		if round%3 == 0 && size > 0 {
			part[rnd.IntN(size)] ^= 1 // what follows damage is written anew, too
			if n := min(size, len(header())); !bytes.Equal(part[:n], whole[:n]) {
				continue // that is no export any more
			}
		}
		if err := os.WriteFile(path, part, 0o600); err != nil {
			t.Fatal(err)
		}
		if round%2 == 0 { // the store has gone on
			r := newRig(t, source, board, rigStart+1_000_000_000, keeping())
			r.work(rand.New(rand.NewPCG(9, uint64(round))), 10)
			r.close()
		}
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		report, err := Continue(t.Context(), source, "test", file, Options{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if _, err := Continue(t.Context(), source, "test", file, Options{}); !errors.Is(err, ErrComplete) {
			t.Errorf("continuing a complete export: %v", err)
		}
		file.Close()
		complete, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if round%2 != 0 && !bytes.Equal(complete, whole) {
			t.Errorf("round %d: the continued export is another one", round)
		}
		into := new(space.Memory)
		imported := mustImport(t, into, complete)
		if imported.SHA256 != report.SHA256 || imported.Spaces != report.Spaces || imported.Commits != report.Commits || imported.Bytes != report.Bytes {
			t.Errorf("round %d: exported %+v, imported %+v", round, report, imported)
		}
		for key, c := range dumpAll(t, source) {
			head := headOf(t, c)
			want, got := serveSpace(t, source, key, "bob", head), serveSpace(t, into, key, "bob", head)
			if !got.attached || got.mode != protocol.ModeResume || got.head != head || got.counter != want.counter || !got.sameState(want) {
				t.Errorf("round %d: %s is served otherwise", round, nameOf(key))
			}
		}
	}
}

// TestContinueRefuses shows what is not continued.
func TestContinueRefuses(t *testing.T) {
	source := made(t, 8)
	whole := exported(t, source)
	for name, c := range map[string]struct {
		file []byte
		from string
		opt  Options
		want error
	}{
		"another program's file": {bytes.Repeat([]byte("something else\n"), 99), "test", Options{}, ErrForeign},
		"a newer format":         {append([]byte{0x20}, whole[1:]...), "test", Options{}, ErrNewer},
		"another store":          {whole[:len(whole)-9], "elsewhere", Options{}, nil},
		"another selection":      {whole[:len(whole)-9], "test", Options{Select: Selection{Spaces: []string{"board"}}}, nil},
	} {
		path := filepath.Join(t.TempDir(), "export")
		if err := os.WriteFile(path, c.file, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Continue(t.Context(), source, c.from, file, c.opt)
		file.Close()
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := os.ReadFile(path); !bytes.Equal(left, c.file) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// shaky is a store of which many calls go wrong, some of them after they have
// had their effect.
type shaky struct {
	*space.Memory
	mu  sync.Mutex
	rnd *rand.Rand
}

func (s *shaky) trouble() (before, after error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.rnd.IntN(6) {
	case 0:
		return errBroken, nil
	case 1:
		return nil, errBroken
	}
	return nil, nil
}

func (s *shaky) Append(ctx context.Context, key space.Key, seq uint64, data []byte) error {
	before, after := s.trouble()
	switch {
	case before != nil && seq%2 == 0:
		return fmt.Errorf("%w: %w", space.ErrUnknown, before) // and nothing was written
	case before != nil:
		return before
	}
	err := s.Memory.Append(ctx, key, seq, data)
	if after != nil {
		return fmt.Errorf("%w: %w", space.ErrUnknown, after)
	}
	return err
}

func (s *shaky) Log(ctx context.Context, key space.Key, from uint64, maxBytes int) ([]space.LogItem, error) {
	if before, after := s.trouble(); before != nil || after != nil {
		return nil, errBroken
	}
	return s.Memory.Log(ctx, key, from, maxBytes)
}

func (s *shaky) Get(ctx context.Context, key space.Key, keys []space.ItemKey) ([]space.Item, error) {
	if before, _ := s.trouble(); before != nil {
		return nil, before
	}
	return s.Memory.Get(ctx, key, keys)
}

func (s *shaky) Scan(ctx context.Context, key space.Key, after space.ItemKey, maxBytes int) ([]space.Item, error) {
	if before, _ := s.trouble(); before != nil {
		return nil, before
	}
	return s.Memory.Scan(ctx, key, after, maxBytes)
}

func (s *shaky) Put(ctx context.Context, key space.Key, items []space.Item) error {
	before, after := s.trouble()
	if before != nil {
		return before
	}
	return errors.Join(after, s.Memory.Put(ctx, key, items))
}

func (s *shaky) Trim(ctx context.Context, key space.Key, below uint64, drop []space.ItemKey) error {
	before, after := s.trouble()
	if before != nil {
		return before
	}
	return errors.Join(after, s.Memory.Trim(ctx, key, below, drop))
}

// TestShakyStore moves between stores that answer badly; the pauses are virtual.
func TestShakyStore(t *testing.T) {
	source := made(t, 9)
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(5) {
			var out bytes.Buffer
			from := &shaky{Memory: source, rnd: rand.New(rand.NewPCG(1, seed))}
			if _, err := Export(t.Context(), from, "test", &out, Options{}); err != nil {
				t.Fatal(err)
			}
			into := &shaky{Memory: new(space.Memory), rnd: rand.New(rand.NewPCG(2, seed))}
			mustImport(t, into, out.Bytes())
			mustEqual(t, source, into.Memory)
			check, err := Check(t.Context(), into, bytes.NewReader(out.Bytes()), Options{})
			if err != nil || len(check.Differences) > 0 {
				t.Errorf("check: %+v, %v", check.Differences, err)
			}
		}
		// A store that does not answer at all is given up.
		dead := &watched{Memory: new(space.Memory), failAt: 1}
		if _, err := Import(t.Context(), dead, bytes.NewReader(exported(t, source)), Options{}); !isBroken(err) || dead.writes != attempts {
			t.Errorf("after %d attempts: %v", dead.writes, err)
		}
	})
}
