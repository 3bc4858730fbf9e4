package bolt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/tidegate/tidegate/space"
)

// childVariable makes the test binary a child process of a test: its value says
// which, and the store's path is its first argument.
const childVariable = "TIDEGATE_BOLT_TEST_CHILD"

// children are what a child process can do with the store at path.
var children = map[string]func(path string) error{"append": childAppends}

func runChild(name string) int {
	if err := children[name](os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func child(name, path string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], path)
	cmd.Env = append(os.Environ(), childVariable+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

const childSpaces = 8

func childSpace(i int) space.Key { return space.Key{Tenant: "acme", Space: fmt.Sprint("s", i)} }

// childAppends appends to several spaces at once, from where they end, until it
// is killed, and prints a line for each acknowledged commit.
func childAppends(path string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make(chan error, childSpaces)
	for i := range childSpaces {
		wg.Go(func() {
			key := childSpace(i)
			entries, err := s.Log(context.Background(), key, 0, 1<<30)
			if err != nil {
				errs <- err
				return
			}
			for seq := uint64(len(entries)) + 1; ; seq++ {
				if err := s.Append(context.Background(), key, seq, commitData(key, seq)); err != nil {
					errs <- err
					return
				}
				fmt.Printf("%d %d\n", i, seq)
			}
		})
	}
	wg.Wait()
	return <-errs
}

// What was acknowledged before a SIGKILL is there afterwards, and nothing has a
// gap.
func TestKilled(t *testing.T) {
	path := storePath(t)
	acknowledged := map[int]uint64{}
	for round := range 6 {
		cmd := child("append", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == 100+37*round {
				cmd.Process.Kill() // and read on: what it had printed counts
			}
			var i int
			var seq uint64
			if _, err := fmt.Sscanf(lines.Text(), "%d %d", &i, &seq); err != nil {
				t.Fatalf("line %q: %v", lines.Text(), err)
			}
			acknowledged[i] = seq
		}
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("round %d: the child ended with %v", round, err)
		}
		s := open(t, path)
		checkFile(t, s)
		for i := range childSpaces {
			entries, err := s.Log(t.Context(), childSpace(i), 0, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			last := uint64(len(entries))
			if last < acknowledged[i] {
				t.Fatalf("round %d: space %d ends at %d, acknowledged was %d", round, i, last, acknowledged[i])
			}
			checkLog(t, s, childSpace(i), 1, last)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// fillFrom appends 200 commits from seq on, and puts 200 items of half a page.
func fillFrom(t *testing.T, s *Store, seq uint64) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range uint64(200) {
		wg.Go(func() {
			if err := s.Append(t.Context(), board, seq+i, commitData(board, seq+i)); err != nil {
				t.Errorf("append %d: %v", seq+i, err)
			}
		})
	}
	wg.Wait()
	var items []space.Item
	for i := range 200 {
		items = append(items, space.Item{
			Key:     space.ItemKey{Kind: space.ItemRecord, A: "c", B: fmt.Sprint(i)},
			Version: 1, Meta: make([]byte, 2000),
		})
	}
	if err := s.Put(t.Context(), board, items); err != nil {
		t.Fatal(err)
	}
}

func keysOf(items []space.Item) []space.ItemKey {
	keys := make([]space.ItemKey, len(items))
	for i := range items {
		keys[i] = items[i].Key
	}
	return keys
}

// fillUntilFull appends to key from seq on until there is no room, and returns
// the seq that was refused.
func fillUntilFull(s *Store, key space.Key, seq uint64, data []byte) (uint64, error) {
	for ; ; seq++ {
		err := s.Append(context.Background(), key, seq, data)
		if errors.Is(err, space.ErrFull) {
			if errors.Is(err, space.ErrUnknown) {
				return seq, fmt.Errorf("full, but unknown: %w", err)
			}
			return seq, nil
		}
		if err != nil {
			return seq, err
		}
	}
}
