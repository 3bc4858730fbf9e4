package dynamo

import (
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/tidegate/tidegate/internal/engine"
	"github.com/tidegate/tidegate/space"
	"github.com/tidegate/tidegate/space/storetest"
)

func TestMain(m *testing.M) { os.Exit(engine.Main(m)) }

var board = space.Key{Tenant: "acme", Space: "board"}

// configOf is that of a new table of an engine, which is not there yet.
func configOf(t testing.TB, e *engine.Engine) Config {
	return Config{
		Table: e.Table(t), Region: engine.Region, Endpoint: e.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(engine.AccessKey, engine.SecretKey, ""),
		Report:      func(r Report) { t.Errorf("an item was reported: %+v", r) },
	}
}

// newTable makes a table and returns how to open it.
func newTable(t testing.TB, e *engine.Engine) Config {
	t.Helper()
	config := configOf(t, e)
	transport := newTransport()
	t.Cleanup(transport.CloseIdleConnections)
	config.Transport = strict{t, transport}
	if _, err := Create(t.Context(), config, CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return config
}

func openStore(t testing.TB, config Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	engine.Each(t, func(t *testing.T, e *engine.Engine) {
		t.Parallel()
		storetest.Run(t, func(t *testing.T) space.Store { return openStore(t, newTable(t, e)) }, storetest.Options{
			Reopen: func(t *testing.T, s space.Store) space.Store {
				if err := s.(*Store).Close(); err != nil {
					t.Fatal(err)
				}
				return openStore(t, s.(*Store).config)
			},
		})
	})
}
