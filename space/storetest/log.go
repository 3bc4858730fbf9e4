package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/tidegate/tidegate/space"
)

func (s *suite) appendOnce() {
	s.mustAppend(board, 1, entry(1))
	s.wantTaken(s.Append(s.Context(), board, 1, []byte("another")))
	s.wantTaken(s.Append(s.Context(), board, 1, entry(1))) // its own bytes do not make it free
	s.wantLog(board, 1, 1)
	s.mustAppend(board, 2, entry(2))
	s.wantLog(board, 1, 2)
}

func (s *suite) appendKeeps() {
	// What is stored comes back byte for byte.
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	s.mustAppend(board, 1, every)
	if got := s.mustLog(board, 1, 1000); len(got) != 1 || !bytes.Equal(got[0].Data, every) {
		s.Fatalf("got %v", got)
	}
}

func (s *suite) appendRace() {
	const racers = 16
	for seq := uint64(1); seq <= 5; seq++ {
		var wg sync.WaitGroup
		errs := make([]error, racers)
		start := make(chan struct{})
		for i := range racers {
			wg.Go(func() {
				<-start
				errs[i] = s.Append(s.Context(), board, seq, fmt.Appendf(nil, "racer %d", i))
			})
		}
		close(start)
		wg.Wait()
		winner := -1
		for i, err := range errs {
			switch {
			case err == nil && winner >= 0:
				s.Fatalf("%d and %d both won %d", winner, i, seq)
			case err == nil:
				winner = i
			case !errors.Is(err, space.ErrTaken):
				s.Fatalf("racer %d for %d: %v", i, seq, err)
			}
		}
		if winner < 0 {
			s.Fatalf("nobody won %d", seq)
		}
		got := s.mustLog(board, seq, 1000)
		if want := fmt.Sprintf("racer %d", winner); len(got) != 1 || string(got[0].Data) != want {
			s.Fatalf("%s won %d, but the log has %v", want, seq, got)
		}
	}
}

func (s *suite) logRace() {
	// Writers that each append at what they take for the end: every seq has one
	// entry, and all that were acknowledged are there.
	const writers, each = 4, 20
	var wg sync.WaitGroup
	var mu sync.Mutex
	acked := make(map[string]uint64)
	for w := range writers {
		wg.Go(func() {
			head := uint64(0)
			for i := 0; i < each; {
				data := fmt.Sprintf("writer %d, %d", w, i)
				err := s.Append(s.Context(), board, head+1, []byte(data))
				switch {
				case err == nil:
					mu.Lock()
					acked[data] = head + 1
					mu.Unlock()
					i++
					head++
				case errors.Is(err, space.ErrTaken):
					items, err := s.Log(s.Context(), board, head+1, 1)
					if err != nil || len(items) == 0 || items[0].Seq != head+1 {
						s.Errorf("%d is taken, but the log has %v, %v", head+1, items, err)
						return
					}
					head++
				default:
					s.Errorf("append %d: %v", head+1, err)
					return
				}
			}
		})
	}
	wg.Wait()
	items := s.mustLog(board, 1, 1<<20)
	if len(items) != writers*each {
		s.Fatalf("the log has %d entries, not %d", len(items), writers*each)
	}
	for _, item := range items {
		if acked[string(item.Data)] != item.Seq {
			s.Fatalf("%q stands at %d, but was acknowledged at %d", item.Data, item.Seq, acked[string(item.Data)])
		}
	}
}

func (s *suite) logFrom() {
	if got := s.mustLog(board, 0, 1000); len(got) != 0 {
		s.Fatalf("an empty log has %v", got)
	}
	s.fill(board, 5)
	for from := uint64(0); from <= 7; from++ {
		got := s.mustLog(board, from, 1<<20)
		first := max(from, 1)
		if first > 5 {
			if len(got) != 0 {
				s.Fatalf("log from %d: %v", from, got)
			}
			continue
		}
		if len(got) != int(6-first) || got[0].Seq != first {
			s.Fatalf("log from %d: %v", from, got)
		}
	}
	if got := s.mustLog(board, 1<<60, 1000); len(got) != 0 {
		s.Fatalf("log from far beyond the end: %v", got)
	}
}

func (s *suite) logPages() {
	s.fill(board, 300) // more than one byte of seq
	s.wantLog(board, 1, 300)
	if got := s.mustLog(board, 7, 0); len(got) != 1 || got[0].Seq != 7 {
		s.Fatalf("no room still means one entry: %v", got)
	}
	size := len(entry(10)) * 3
	if got := s.mustLog(board, 10, size); len(got) == 0 || len(got) > 3 {
		s.Fatalf("%d entries in the room of 3", len(got))
	}
}

// logFills holds Log to its budget: all that fits, and no entry more.
func (s *suite) logFills() {
	// Small ones between large ones, so that none tells the size of the next.
	var sizes []int
	for seq := 1; seq <= 60; seq++ {
		size := seq
		if seq%7 == 0 {
			size = 3000 + seq
		}
		sizes = append(sizes, size)
		s.mustAppend(board, uint64(seq), bytes.Repeat([]byte{byte(seq)}, size))
	}
	for _, from := range []int{1, 2, 7, 8, 30, 55, 60} {
		fits := 0
		for n, size := range sizes[from-1:] {
			fits += size + s.opt.EntryBytes
			left := len(sizes) - (from - 1) - (n + 1)
			if n%10 != 0 && left > 0 {
				continue // a store may be slow
			}
			for _, c := range []struct{ budget, want int }{
				{fits - 1, max(n, 1)},
				{fits, n + 1},
				{fits + 1, n + 1}, // none of the others has a single byte
			} {
				got := s.mustLog(board, uint64(from), c.budget)
				if len(got) != c.want {
					s.Fatalf("log from %d: %d entries in %d bytes, not %d", from, len(got), c.budget, c.want)
				}
				for i, e := range got {
					if e.Seq != uint64(from+i) || len(e.Data) != sizes[from+i-1] {
						s.Fatalf("log from %d: entry %d is %d, of %d bytes", from, i, e.Seq, len(e.Data))
					}
				}
			}
		}
	}
}

func (s *suite) logGap() {
	// The contract speaks of consecutive seqs: what lies behind a gap does not come
	// in the same answer.
	s.fill(board, 3)
	s.mustAppend(board, 9, entry(9))
	s.mustAppend(board, 10, entry(10))
	if got := s.mustLog(board, 2, 1<<20); len(got) == 0 || got[len(got)-1].Seq != 3 {
		s.Fatalf("from 2: %v", got)
	}
	if got := s.mustLog(board, 4, 1<<20); len(got) == 0 || got[0].Seq != 9 {
		s.Fatalf("from 4: %v", got)
	}
}

func (s *suite) trim() {
	s.fill(board, 10)
	if err := s.Trim(s.Context(), board, 4, nil); err != nil {
		s.Fatal(err)
	}
	s.wantLog(board, 4, 10)
	if got := s.mustLog(board, 1, 1<<20); len(got) == 0 || got[0].Seq != 4 {
		s.Fatalf("a hole shows as a first seq beyond from: %v", got)
	}
	if err := s.Trim(s.Context(), board, 2, nil); err != nil {
		s.Fatalf("trimming again, lower: %v", err)
	}
	s.wantLog(board, 4, 10)
	if err := s.Trim(s.Context(), board, 0, nil); err != nil {
		s.Fatalf("trimming nothing: %v", err)
	}
	s.mustAppend(board, 11, entry(11))
	s.wantLog(board, 4, 11)
}

func (s *suite) trimNewest() {
	if err := s.Trim(s.Context(), board, 100, nil); err != nil {
		s.Fatalf("trimming an empty log: %v", err)
	}
	s.fill(board, 3)
	if err := s.Trim(s.Context(), board, 100, nil); err != nil {
		s.Fatal(err)
	}
	s.wantLog(board, 3, 3)
	s.wantTaken(s.Append(s.Context(), board, 3, []byte("another")))
	if err := s.Trim(s.Context(), board, 4, nil); err != nil {
		s.Fatal(err)
	}
	s.wantLog(board, 3, 3)
	s.mustAppend(board, 4, entry(4))
	s.wantLog(board, 3, 4)
}

func (s *suite) trimmedFree() {
	// This is why nobody appends on a head that was not proved lately: the store
	// does not remember what it has trimmed.
	s.fill(board, 5)
	if err := s.Trim(s.Context(), board, 4, nil); err != nil {
		s.Fatal(err)
	}
	if err := s.Append(s.Context(), board, 2, entry(2)); err != nil && !errors.Is(err, space.ErrTaken) {
		s.Fatalf("append to a trimmed seq: %v", err)
	}
}
