package dynamo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/logging"

	"github.com/tidegate/tidegate/compress"
	"github.com/tidegate/tidegate/space"
)

// Config says where the table is and how it is used. Only Table is needed.
type Config struct {
	// Table is the table's name.
	Table string
	// Region is its region; empty for what the SDK's default chain says
	// (AWS_REGION, the profile, the machine's role).
	Region string
	// Endpoint is the URL of another DynamoDB than AWS's in the region; empty for
	// that one.
	Endpoint string
	// Credentials are used instead of those of the SDK's default chain.
	Credentials aws.CredentialsProvider
	// Transport carries the requests; nil for one made for the purpose.
	Transport http.RoundTripper

	// Late lets Open succeed while nothing answers at the endpoint. The first request
	// that gets through looks at the table, and nothing is read or written before:
	// calls fail, as they do when the table cannot be reached later. See
	// [Store.Unchecked] and [Store.Await].
	Late bool
	// AttemptTimeout is after how long a call that may be repeated is taken for lost
	// (2 s). An append waits for as long as its context lets it.
	AttemptTimeout time.Duration
	// CacheBytes bounds what is remembered of records, so that a checkpoint need not
	// read what it is about to change (16 MiB).
	CacheBytes int

	// Report is called with items that somebody else wrote, each time that one is
	// met; nil to ignore them. It must return at once.
	Report func(Report)
	// Observe is called after each request; nil for nobody. It must return at once.
	Observe func(Call)
}

// Store is a table of spaces. Make one with [Open]. It is safe for concurrent
// use; its goroutines end with the calls that they work for.
type Store struct {
	// Static after Open.
	client    *dynamodb.Client
	transport *http.Transport // nil if it is the caller's
	config    Config
	where     place
	codec     *compress.Codec
	units     *meter
	known     *knownRecords
	gather    *gatherer
	check     tableCheck

	// sizes are running means of what is stored, to ask for about as much as is
	// wanted: of log entries, and of items by kind.
	logSize  mean
	itemSize [space.ItemBlob + 1]mean

	// kept and remade count what was reported.
	kept, remade atomic.Uint64

	closed atomic.Bool
}

var _ space.Store = (*Store)(nil)

// Open connects to the table and checks that it is one. Its error is a
// [*TableError] that says how to mend what is wrong.
func Open(ctx context.Context, config Config) (*Store, error) {
	s, err := connect(ctx, config)
	if err != nil {
		return nil, err
	}
	if config.Late {
		what, err := s.checked(ctx)
		if err == nil || what != refused && ctx.Err() == nil {
			return s, nil
		}
		s.Close()
		return nil, err
	}
	d, err := s.describe(ctx)
	if err == nil {
		err = s.checkTable(d)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	s.check.passed.Store(true)
	return s, nil
}

// connect makes a Store without looking at the table.
func connect(ctx context.Context, config Config) (*Store, error) {
	if config.AttemptTimeout <= 0 {
		config.AttemptTimeout = 2 * time.Second
	}
	if config.CacheBytes <= 0 {
		config.CacheBytes = 16 << 20
	}
	codec, err := compress.New()
	if err != nil {
		return nil, err
	}
	s := &Store{
		config: config,
		codec:  codec,
		units:  newMeter(config.Observe),
		known:  newKnownRecords(config.CacheBytes),
		where:  place{Table: config.Table, Region: config.Region, Endpoint: config.Endpoint},
	}
	s.gather = newGatherer(func(ctx context.Context, p string, sorts []string) (map[string]attributes, error) {
		return s.fetch(ctx, OpGet, p, sorts)
	})
	if err := checkTableName(config.Table); err != nil {
		return nil, &TableError{place: s.where, Kind: ErrConfig, Err: err}
	}
	load := []func(*awsconfig.LoadOptions) error{awsconfig.WithLogger(logging.Nop{})} // errors say all
	if config.Region != "" {
		load = append(load, awsconfig.WithRegion(config.Region))
	}
	if config.Credentials != nil {
		load = append(load, awsconfig.WithCredentialsProvider(config.Credentials))
	}
	sdk, err := awsconfig.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, &TableError{place: s.where, Kind: ErrConfig, Err: err}
	}
	if sdk.Region == "" {
		if config.Endpoint == "" {
			return nil, &TableError{place: s.where, Kind: ErrConfig, Err: fmt.Errorf("no region is given")}
		}
		sdk.Region = "us-east-1" // requests are signed for one, whatever is behind the endpoint
	}
	s.where.Region = sdk.Region
	transport := config.Transport
	if transport == nil {
		s.transport = newTransport()
		transport = s.transport
	}
	s.client = dynamodb.NewFromConfig(sdk, func(o *dynamodb.Options) {
		// A redirect would be a second request.
		o.HTTPClient = sentMarker{&http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
		// Each call is one request: what may be repeated, and when, is decided here,
		// where it is counted too.
		o.Retryer = aws.NopRetryer{}
		if config.Endpoint != "" {
			o.BaseEndpoint = aws.String(config.Endpoint)
		}
	})
	return s, nil
}

// newTransport makes a transport for many short requests to one host.
func newTransport() *http.Transport {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.DialContext = (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}).DialContext
		t.TLSHandshakeTimeout = 5 * time.Second
		t.MaxIdleConns = 512
		t.MaxIdleConnsPerHost = 512
	}).GetTransport()
}

// Close lets go of the connections. Later calls return [ErrClosed].
func (s *Store) Close() error {
	s.closed.Store(true)
	if s.transport != nil {
		s.transport.CloseIdleConnections()
	}
	return nil
}
