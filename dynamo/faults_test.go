package dynamo

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tidegate/tidegate/internal/engine"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
	"github.com/tidegate/tidegate/space/storetest"
)

// withFaults lets faults at a store's requests from now on.
func withFaults(t testing.TB, config Config, choose func(string) engine.Fault) (Config, *engine.Faults) {
	f := &engine.Faults{Next: config.Transport, Choose: choose, SlowBy: 20 * time.Millisecond}
	t.Cleanup(f.Close)
	config.Transport = f
	return config, f
}

// The contract holds for who repeats what failed, whatever befalls the requests.
// A late write is left out: it is an append's alone, see TestAmbiguous.
func TestStoreUnderFaults(t *testing.T) {
	kinds := slices.DeleteFunc(engine.Every(), func(f engine.Fault) bool { return f == engine.LateWrite })
	engine.Each(t, func(t *testing.T, e *engine.Engine) {
		t.Parallel()
		seed := uint64(0)
		injected := 0
		storetest.Run(t, func(t *testing.T) space.Store {
			seed++
			config, faults := withFaults(t, newTable(t, e), engine.Randomly(seed, 150, kinds...))
			t.Cleanup(func() {
				for fault, n := range faults.Counts() {
					if fault != engine.None {
						injected += n
					}
				}
			})
			return stubborn{mustOpen(t, config)}
		}, storetest.Options{EntryBytes: idBytes})
		t.Logf("%d faults", injected)
		if injected < 100 {
			t.Errorf("only %d faults befell the requests", injected)
		}
	})
}

// mustOpen opens a store, however often it takes.
func mustOpen(t testing.TB, config Config) *Store {
	t.Helper()
	for {
		s, err := Open(t.Context(), config)
		if err == nil {
			t.Cleanup(func() { s.Close() })
			return s
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

// Each fault at an append has its meaning: nothing written, or not known. What is
// said to be certain is.
func TestAppendOutcomes(t *testing.T) {
	e := engine.Need(t, engine.Dynalite)
	plain := newTable(t, e)
	for _, test := range []struct {
		fault   engine.Fault
		want    error // nil: an error that is neither of the contract's
		ok      bool
		written bool
	}{
		{engine.None, nil, true, true},
		{engine.LostReply, space.ErrUnknown, false, true},
		{engine.LostRequest, space.ErrUnknown, false, false},
		{engine.Refused, ErrUnreachable, false, false},
		{engine.ThroughputExceeded, ErrThrottled, false, false},
		{engine.Throttling, ErrThrottled, false, false},
		{engine.TransactionConflict, nil, false, false},
		{engine.InternalError, space.ErrUnknown, false, false},
		{engine.InternalErrorAfter, space.ErrUnknown, false, true},
		{engine.Unavailable, space.ErrUnknown, false, false},
		{engine.Slow, nil, true, true},
		{engine.Garbled, space.ErrUnknown, false, true},
	} {
		t.Run(test.fault.String(), func(t *testing.T) {
			config, faults := withFaults(t, plain, nil)
			s := openStore(t, config)
			key := space.Key{Tenant: "t", Space: test.fault.String()}
			requests := 0
			faults.Choose = func(action string) engine.Fault {
				if action != "PutItem" {
					return engine.None
				}
				requests++
				return test.fault
			}
			err := s.Append(t.Context(), key, 1, []byte("data"))
			if requests != 1 {
				t.Errorf("%d requests", requests)
			}
			if test.ok != (err == nil) || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if unknown := errors.Is(err, space.ErrUnknown); unknown != (test.want == space.ErrUnknown) || errors.Is(err, space.ErrTaken) {
				t.Errorf("got %v", err)
			}
			entries, err := s.Log(t.Context(), key, 1, 1000)
			if err != nil || (len(entries) == 1) != test.written {
				t.Errorf("%d entries, %v", len(entries), err)
			}
		})
	}
	t.Run("out of time", func(t *testing.T) {
		config, faults := withFaults(t, plain, nil)
		s := openStore(t, config)
		ctx, cancel := context.WithCancel(t.Context())
		faults.SlowBy = time.Hour
		faults.Choose = func(string) engine.Fault { cancel(); return engine.Slow }
		if err := s.Append(ctx, board, 1, nil); !errors.Is(err, space.ErrUnknown) || !errors.Is(err, context.Canceled) {
			t.Errorf("cut off: %v", err)
		}
		if err := s.Append(ctx, board, 2, nil); !errors.Is(err, context.Canceled) || errors.Is(err, space.ErrUnknown) {
			t.Errorf("not begun: %v", err)
		}
	})
	t.Run("taken", func(t *testing.T) {
		s := openStore(t, plain)
		if err := s.Append(t.Context(), space.Key{Tenant: "t", Space: "none"}, 1, nil); err != space.ErrTaken {
			t.Errorf("got %v", err)
		}
	})
	t.Run("too large", func(t *testing.T) {
		s := openStore(t, plain)
		noise := make([]byte, 400<<10)
		random(noise)
		if err := s.Append(t.Context(), board, 9, noise); !errors.Is(err, ErrTooLarge) || errors.Is(err, space.ErrUnknown) {
			t.Errorf("got %v", err)
		}
		item := space.Item{Key: space.ItemKey{Kind: space.ItemBlob, A: "x"}, Version: 1, Meta: noise}
		if err := s.Put(t.Context(), board, []space.Item{item}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("got %v", err)
		}
	})
}

// Each call gets over a fault at its first request, and says what is wrong if all
// meet it.
func TestCallsUnderFaults(t *testing.T) {
	e := engine.Need(t, engine.Dynoxide)
	plain := newTable(t, e)
	s := openStore(t, plain)
	for seq := uint64(1); seq <= 60; seq++ {
		if err := s.Append(t.Context(), board, seq, []byte("data")); err != nil {
			t.Fatal(err)
		}
	}
	record := func(id string, version uint64) space.Item {
		return space.Item{
			Key: space.ItemKey{Kind: space.ItemRecord, A: "c", B: id}, Version: version, Meta: []byte("meta"),
			Fields: []protocol.FieldValue{{Field: "n", Value: protocol.IntValue(int64(version))}},
		}
	}
	version := uint64(1)
	calls := map[string]func(ctx context.Context, s *Store) error{
		"log": func(ctx context.Context, s *Store) error {
			entries, err := s.Log(ctx, board, 55, 1<<20)
			if err == nil && len(entries) != 6 {
				err = errors.New("not all entries")
			}
			return err
		},
		"put": func(ctx context.Context, s *Store) error {
			version++
			return s.Put(ctx, board, []space.Item{record("a", version), {Key: space.ItemKey{Kind: space.ItemWatermark}, Version: version}})
		},
		"get": func(ctx context.Context, s *Store) error {
			_, err := s.Get(ctx, board, []space.ItemKey{record("a", 1).Key, record("b", 1).Key})
			return err
		},
		"scan": func(ctx context.Context, s *Store) error {
			_, err := s.Scan(ctx, board, space.ItemKey{Kind: space.ItemRecord}, 1<<20)
			return err
		},
		"trim": func(ctx context.Context, s *Store) error {
			return s.Trim(ctx, board, version+2, []space.ItemKey{record("never", 1).Key})
		},
		"spaces": func(ctx context.Context, s *Store) error {
			_, _, err := s.Spaces(ctx, "", 10)
			return err
		},
	}
	for name, call := range calls {
		for _, fault := range engine.Every() {
			config, faults := withFaults(t, plain, nil)
			s := openStore(t, config)
			left := 2
			faults.Choose = func(string) engine.Fault {
				if left--; left < 0 {
					return engine.None
				}
				return fault
			}
			if err := call(t.Context(), s); err != nil {
				t.Errorf("%s, %v twice: %v", name, fault, err)
			}
			retries := uint64(0)
			for _, u := range s.Units() {
				retries += u.Retries
			}
			harmless := fault == engine.Slow || fault == engine.Unprocessed
			if !harmless && retries == 0 {
				t.Errorf("%s, %v twice: no retries were counted", name, fault)
			}
			if harmless || fault == engine.LateWrite {
				continue
			}
			// Now there is no end of it, until who called has enough.
			ctx, cancel := context.WithCancel(t.Context())
			met := 0
			faults.Choose = func(string) engine.Fault {
				if met++; met == 4 {
					cancel()
				}
				return fault
			}
			err := call(ctx, s)
			cancel()
			if err == nil {
				t.Errorf("%s, nothing but %v: no error", name, fault)
			}
			if throttled := fault == engine.Throttling || fault == engine.ThroughputExceeded; throttled && !errors.Is(err, ErrThrottled) {
				t.Errorf("%s, nothing but %v: %v", name, fault, err)
			}
		}
	}
}
