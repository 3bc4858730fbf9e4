package tape

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/tidegate/tidegate/protocol"
)

// randomBytes is how many random bytes a life may draw.
const randomBytes = 4 << 10

// drawn is how many are written down where nobody says how many were drawn.
const drawn = 512

// Tape is what was written down of some lives, in the order of their beginnings.
// A nil Tape takes nothing. It is not safe for concurrent use.
type Tape struct {
	lives []*Life
}

// Life is one of them. A nil Life takes nothing.
type Life struct {
	comment string
	given   object
	random  []byte
	drawn   int // −1: more than there are
	input   [][]object
	ready   []object
	spaces  object
}

type object = map[string]any

// Begin begins a life with the entries that its store holds. Seed is what the
// core draws its random bytes from; client and window are as in its Config.
func (t *Tape) Begin(comment string, seed [32]byte, client string, window uint64, store map[string][]byte) *Life {
	if t == nil {
		return nil
	}
	random := make([]byte, randomBytes)
	rand.NewChaCha8(seed).Read(random) // never fails
	entries := [][2]string{}
	for _, key := range slices.Sorted(maps.Keys(store)) {
		entries = append(entries, [2]string{hex.EncodeToString([]byte(key)), hex.EncodeToString(store[key])})
	}
	l := &Life{
		comment: comment,
		given: object{
			"seed": hex.EncodeToString(seed[:]), "config": object{"client": client, "window": window}, "store": entries,
		},
		random: random,
		drawn:  drawn,
		input:  [][]object{nil},
		spaces: object{},
	}
	t.lives = append(t.lives, l)
	return l
}

// Input notes an input: its name, and its arguments as names and values.
func (l *Life) Input(do string, args ...any) {
	if l == nil {
		return
	}
	step := object{"do": do}
	for i := 0; i < len(args); i += 2 {
		step[args[i].(string)] = plain(args[i+1])
	}
	last := len(l.input) - 1
	l.input[last] = append(l.input[last], step)
}

// Draws says which random bytes the core would draw next, so that no more are
// written down than it drew.
func (l *Life) Draws(next [8]byte) {
	if l == nil {
		return
	}
	l.drawn = bytes.Index(l.random, next[:])
}

// Ready notes what the core wants done after the inputs so far.
func (l *Life) Ready(ready any) {
	if l == nil {
		return
	}
	l.ready = append(l.ready, Ready(ready))
	l.input = append(l.input, nil)
	// Of many ticks in a row at which nothing happened, the last is kept.
	if n := len(l.ready); n > 1 && l.idle(n-1) && l.idle(n-2) {
		l.ready = append(l.ready[:n-2], l.ready[n-1])
		l.input = append(l.input[:n-2], l.input[n-1:]...)
	}
}

// idle says whether the n-th group is a tick at which nothing happened.
func (l *Life) idle(n int) bool {
	if len(l.input[n]) != 1 || l.input[n][0]["do"] != "tick" {
		return false
	}
	for name := range l.ready[n] {
		if name != "wake" {
			return false
		}
	}
	return true
}

// Space notes what a space looks like at the end of the life; see the last call.
func (l *Life) Space(name string, hash [32]byte, view []protocol.RecordState) {
	if l == nil {
		return
	}
	records := make([]string, len(view))
	for i := range view {
		records[i] = hex.EncodeToString(protocol.AppendRecordState(nil, &view[i]))
	}
	l.spaces[name] = object{"stateHash": hex.EncodeToString(hash[:]), "view": records}
}

// Len returns how many lives the tape has.
func (t *Tape) Len() int { return len(t.lives) }

// Encode returns the tape as a file of vectors. Lives to which nothing happened
// are left out, and so are inputs after which nobody asked what is to be done.
func (t *Tape) Encode(comment string) ([]byte, error) {
	vectors := []object{}
	for _, l := range t.lives {
		if len(l.ready) == 0 {
			continue
		}
		if l.drawn < 0 {
			return nil, fmt.Errorf("%s drew more than %d random bytes", l.comment, randomBytes)
		}
		l.given["random"] = hex.EncodeToString(l.random[:l.drawn])
		vectors = append(vectors, object{
			"comment": l.comment, "given": l.given, "input": l.input[:len(l.ready)],
			"want": object{"ready": l.ready, "spaces": l.spaces},
		})
	}
	// One line for each vector: they are long, and read by machines.
	var out bytes.Buffer
	fmt.Fprintf(&out, "{\n \"comment\": %q,\n \"count\": %d,\n \"vectors\": [", comment, len(vectors))
	for i, v := range vectors {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n  ")
		var line bytes.Buffer
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(v); err != nil {
			return nil, fmt.Errorf("vector %q: %w", v["comment"], err)
		}
		out.Write(bytes.TrimSpace(line.Bytes()))
	}
	out.WriteString("\n ]\n}\n")
	return out.Bytes(), nil
}

// Golden compares the tape with a file of vectors, or writes the file if update
// is set. The error says what to do.
func (t *Tape) Golden(path, comment string, update bool) error {
	got, err := t.Encode(comment)
	if err != nil {
		return err
	}
	if update {
		return os.WriteFile(path, got, 0o644)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if bytes.Equal(got, want) {
		return nil
	}
	a, b := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range a {
		if i >= len(b) || !bytes.Equal(a[i], b[i]) {
			return fmt.Errorf("%s differs from what happens now in line %d of %d; if that is meant, write it anew with -update", path, i+1, len(b))
		}
	}
	return fmt.Errorf("%s has more than happens now; if that is meant, write it anew with -update", path)
}
