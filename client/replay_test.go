package client

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/tidegate/tidegate/internal/tape"
	"github.com/tidegate/tidegate/protocol"
)

// TestVectorsReplayed runs testdata/vectors as another language would: from the
// files alone. simulator.json comes from the simulator, where gateways change
// more often than this package: its inputs stay, and the answers must too.
func TestVectorsReplayed(t *testing.T) {
	paths, err := filepath.Glob("testdata/vectors/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal("there are no vectors", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var file struct {
				Count   int
				Vectors []life
			}
			if err := json.Unmarshal(data, &file); err != nil {
				t.Fatal(err)
			}
			if file.Count != len(file.Vectors) {
				t.Errorf("the file says %d vectors and has %d", file.Count, len(file.Vectors))
			}
			for i := range file.Vectors {
				file.Vectors[i].replay(t)
			}
		})
	}
}

// life is a vector.
type life struct {
	Comment string
	Given   struct {
		Seed   string
		Config struct {
			Client string
			Window uint64
		}
		Store [][2]string
	}
	Input [][]step
	Want  struct {
		Ready  []any
		Spaces map[string]struct {
			StateHash string
			View      []string
		}
	}
}

// step is an input.
type step struct {
	Do, Space, Message, Body, Conflict, Blob string
	// Token is the access token of a connection, or the number of a batch.
	Token      any
	Now        protocol.Time
	Options    SpaceOptions
	Ref, Entry uint64
	Code       protocol.CloseCode
	Failed     bool
	Value      any
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (l *life) replay(t *testing.T) {
	t.Helper()
	cfg := Config{Client: l.Given.Config.Client, Window: l.Given.Config.Window}
	copy(cfg.Seed[:], unhex(t, l.Given.Seed))
	core := NewCore(cfg)
	for _, entry := range l.Given.Store {
		if err := core.Load(unhex(t, entry[0]), unhex(t, entry[1])); err != nil {
			t.Fatalf("%s: %v", l.Comment, err)
		}
	}
	for i, group := range l.Input {
		for j := range group {
			group[j].do(t, core)
		}
		// Through JSON, as the file has it.
		data, err := json.Marshal(tape.Ready(core.Ready()))
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, l.Want.Ready[i]) {
			t.Fatalf("%s: after input %d, %+v:\n got %v\nwant %v", l.Comment, i, group, got, l.Want.Ready[i])
		}
	}
	for name, want := range l.Want.Spaces {
		hash := core.StateHash(name)
		if got := hex.EncodeToString(hash[:]); got != want.StateHash {
			t.Errorf("%s: %s has the hash %s, want %s", l.Comment, name, got, want.StateHash)
		}
		view := []string{}
		for _, state := range core.View(name) {
			view = append(view, hex.EncodeToString(protocol.AppendRecordState(nil, &state)))
		}
		if !reflect.DeepEqual(view, want.View) {
			t.Errorf("%s: %s looks like %v, want %v", l.Comment, name, view, want.View)
		}
	}
}

func (s *step) do(t *testing.T, core *Core) {
	t.Helper()
	mutation := func() *protocol.Mutation {
		m, err := protocol.DecodeMutation(unhex(t, s.Body))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	token, _ := s.Token.(string)
	batch, _ := s.Token.(float64)
	var failed error
	if s.Failed {
		failed = os.ErrNotExist
	}
	switch s.Do {
	case "start":
		if err := core.Start(s.Now); err != nil {
			t.Fatal(err)
		}
	case "open":
		core.Open(s.Now, s.Space, s.Options)
	case "mutate":
		if ref, _ := core.Mutate(s.Now, s.Space, mutation()); ref != s.Ref {
			t.Fatalf("mutate gave %d, want %d", ref, s.Ref)
		}
	case "retry":
		if ref, _ := core.Retry(s.Now, s.Space, s.Entry, mutation().Ops); ref != s.Ref {
			t.Fatalf("retry gave %d, want %d", ref, s.Ref)
		}
	case "discard":
		_ = core.Discard(s.Space, s.Entry)
	case "dismiss":
		notice, err := decodeOne[*protocol.ConflictNotice](unhex(t, s.Conflict))
		if err != nil {
			t.Fatal(err)
		}
		_ = core.Dismiss(s.Space, notice.Conflict)
	case "setPresence":
		var value protocol.Value
		if s.Value != nil {
			value = protocol.MustValue(s.Value)
		}
		core.SetPresence(s.Now, s.Space, value)
	case "fetch":
		core.Fetch(s.Now, s.Space, protocol.BlobID(unhex(t, s.Blob)))
	case "connected":
		core.Connected(s.Now, token)
	case "connectFailed":
		core.ConnectFailed(s.Now, os.ErrNotExist)
	case "disconnected":
		core.Disconnected(s.Now, s.Code, nil)
	case "reconnect":
		core.Reconnect(s.Now)
	case "tokenRefreshed":
		core.TokenRefreshed(s.Now, token, failed)
	case "message":
		core.Message(s.Now, unhex(t, s.Message))
	case "persisted":
		core.Persisted(s.Now, uint64(batch))
	case "tick":
		core.Tick(s.Now)
	default:
		t.Fatalf("no input is called %q", s.Do)
	}
}
