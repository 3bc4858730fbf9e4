package dynamo

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tidegate/tidegate/internal/engine"
	"github.com/tidegate/tidegate/space"
)

func TestTable(t *testing.T) {
	engine.Each(t, func(t *testing.T, e *engine.Engine) {
		config := configOf(t, e)
		if _, err := Open(t.Context(), config); !errors.Is(err, ErrNoTable) ||
			!strings.Contains(err.Error(), "tidegate table create --store 'dynamodb://"+config.Table+"?region="+config.Region+"&endpoint="+config.Endpoint+"'") {
			t.Errorf("no table: %v", err)
		}
		missing, err := Create(t.Context(), config, CreateOptions{Expiry: true, PointInTimeRecovery: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range missing {
			t.Logf("%s lacks %s", e.Kind, m)
		}
		if _, err := Create(t.Context(), config, CreateOptions{}); err == nil || !strings.Contains(err.Error(), "exists already") {
			t.Errorf("made twice: %v", err)
		}
		d, err := Check(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		if d.Name != config.Table || d.Status != "ACTIVE" || strings.Join(d.Keys, ", ") != "_p S, _k S" || d.Billing != "on-demand" {
			t.Errorf("%+v", d)
		}
		provisioned := configOf(t, e)
		if _, err := Create(t.Context(), provisioned, CreateOptions{ReadUnits: 7, WriteUnits: 5}); err != nil {
			t.Fatal(err)
		}
		if d, err := Describe(t.Context(), provisioned); err != nil || d.Billing != "provisioned" || d.ProvisionedRead != 7 || d.ProvisionedWrite != 5 {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

// A table of somebody else's is not touched.
func TestWrongSchema(t *testing.T) {
	e := engine.Need(t, engine.Dynoxide)
	plain := openStore(t, newTable(t, e))
	for name, schema := range map[string][]string{
		"no sort key":  {"_p S"},
		"other names":  {"pk S", "sk S"},
		"other types":  {"_p S", "_k N"},
		"binary keys":  {"_p B", "_k B"},
		"other orders": {"_k S", "_p S"},
	} {
		t.Run(name, func(t *testing.T) {
			config := configOf(t, e)
			in := &dynamodb.CreateTableInput{TableName: &config.Table, BillingMode: types.BillingModePayPerRequest}
			for i, key := range schema {
				attribute, kind, _ := strings.Cut(key, " ")
				in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{
					AttributeName: &attribute, AttributeType: types.ScalarAttributeType(kind),
				})
				in.KeySchema = append(in.KeySchema, types.KeySchemaElement{
					AttributeName: &attribute, KeyType: []types.KeyType{types.KeyTypeHash, types.KeyTypeRange}[i],
				})
			}
			if _, err := plain.client.CreateTable(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			_, err := Open(t.Context(), config)
			if !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), strings.Join(schema, ", ")) || !strings.Contains(err.Error(), "tidegate table create") {
				t.Errorf("opened: %v", err)
			}
		})
	}
}

// respond answers every request with what a DynamoDB would say.
type respond struct {
	status int
	body   string
}

func (r respond) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: r.status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body: io.NopCloser(strings.NewReader(r.body)), Request: req,
	}, nil
}

// What is wrong at start is said with what mends it.
func TestOpenErrors(t *testing.T) {
	refusal := func(kind string) respond {
		return respond{400, `{"__type":"com.amazon.coral.service#` + kind + `","message":"it says why"}`}
	}
	table := func(more string) respond {
		return respond{200, `{"Table":{"TableName":"table","TableStatus":"ACTIVE",
			"AttributeDefinitions":[{"AttributeName":"_p","AttributeType":"S"},{"AttributeName":"_k","AttributeType":"S"}],
			"KeySchema":[{"AttributeName":"_p","KeyType":"HASH"},{"AttributeName":"_k","KeyType":"RANGE"}]` + more + `}}`}
	}
	for name, test := range map[string]struct {
		answer respond
		kind   error
		says   string
	}{
		"good":                 {table(""), nil, ""},
		"being updated":        {table(`,"TableStatus":"UPDATING"`), nil, ""},
		"no permission":        {refusal("AccessDeniedException"), ErrPermission, "dynamodb:DescribeTable"},
		"expired":              {refusal("ExpiredTokenException"), ErrCredentials, "aws sts get-caller-identity"},
		"wrong key":            {refusal("UnrecognizedClientException"), ErrCredentials, "AWS_ACCESS_KEY_ID"},
		"wrong region's key":   {refusal("InvalidSignatureException"), ErrCredentials, "it says why"},
		"missing":              {refusal("ResourceNotFoundException"), ErrNoTable, "tidegate table create --store 'dynamodb://table?region=eu-central-1'"},
		"being deleted":        {table(`,"TableStatus":"DELETING"`), ErrNotReady, "DELETING"},
		"replicas":             {table(`,"Replicas":[{"RegionName":"us-east-1"}]`), ErrReplicas, "us-east-1"},
		"eventual replicas":    {table(`,"Replicas":[{"RegionName":"us-east-1"}],"MultiRegionConsistency":"EVENTUAL"`), ErrReplicas, "us-east-1"},
		"strong replicas":      {table(`,"Replicas":[{"RegionName":"us-east-1"}],"MultiRegionConsistency":"STRONG"`), nil, ""},
		"old global table":     {table(`,"GlobalTableVersion":"2017.11.29"`), ErrReplicas, "2017.11.29"},
		"not DynamoDB at all":  {respond{404, "<html>not found</html>"}, nil, "DescribeTable"},
		"a redirect":           {respond{307, ""}, nil, "DescribeTable"},
		"not JSON":             {respond{200, "<html>hello</html>"}, nil, "DescribeTable"},
		"nothing in the reply": {respond{200, "{}"}, nil, "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, observe := impatient(t)
			s, err := Open(ctx, Config{Table: "table", Region: "eu-central-1", Transport: test.answer, Credentials: aws.AnonymousCredentials{}, Observe: observe})
			if s != nil {
				s.Close()
			}
			if (err == nil) != (test.kind == nil && test.says == "") {
				t.Fatalf("got %v", err)
			}
			if err == nil {
				return
			}
			if test.kind != nil && !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		ctx, observe := impatient(t)
		_, err := Open(ctx, Config{Table: "table", Endpoint: "http://127.0.0.1:1", Credentials: aws.AnonymousCredentials{}, Observe: observe})
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "http://127.0.0.1:1") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no credentials", func(t *testing.T) {
		none := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("there are none")
		})
		_, err := Open(t.Context(), Config{Table: "table", Region: "eu-central-1", Credentials: none, Transport: table("")})
		if !errors.Is(err, ErrCredentials) || !strings.Contains(err.Error(), "there are none") {
			t.Errorf("got %v", err)
		}
	})
}

// impatient is the context of somebody who gives up after two requests.
func impatient(t *testing.T) (context.Context, func(Call)) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	requests := 0
	return ctx, func(Call) {
		if requests++; requests == 2 {
			cancel()
		}
	}
}

func TestURL(t *testing.T) {
	for text, want := range map[string]Config{
		"dynamodb://table":                     {Table: "table"},
		"dynamodb://My_table-1.x?region=here":  {Table: "My_table-1.x", Region: "here"},
		"dynamodb://t-1?endpoint=http://h:1":   {Table: "t-1", Endpoint: "http://h:1"},
		"dynamodb://t-1?endpoint=https%3A//h/": {Table: "t-1", Endpoint: "https://h/"},
	} {
		got, err := ParseURL(text)
		if err != nil || got.Table != want.Table || got.Region != want.Region || got.Endpoint != want.Endpoint {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		back, err := ParseURL(place{got.Table, got.Region, got.Endpoint}.URL())
		if err != nil || back.Table != want.Table || back.Region != want.Region || back.Endpoint != want.Endpoint {
			t.Errorf("%s came back as %+v, %v", text, back, err)
		}
	}
	for text, says := range map[string]string{
		"dynamodb:table":                                "table",
		"dynamodb://":                                   "3 to 255",
		"dynamodb://t":                                  "3 to 255",
		"dynamodb://table:80":                           "3 to 255",
		"dynamodb://table/x":                            "follows",
		"dynamodb://table#x":                            "follows",
		"dynamodb://me:secret@table":                    "credentials",
		"dynamodb://table?regoin=x":                     `"regoin"`,
		"dynamodb://table?region=":                      "one value",
		"dynamodb://table?region=a&region=b":            "one value",
		"dynamodb://table?endpoint=127.0.0.1:8000":      "http",
		"dynamodb://table?endpoint=ftp://h":             "http",
		"dynamodb://table?region=%zz":                   "",
		"file://table":                                  "dynamodb://",
		"dynamodb://" + strings.Repeat("x", 256) + "?x": "3 to 255",
	} {
		if got, err := ParseURL(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func TestClosed(t *testing.T) {
	s := openStore(t, newTable(t, engine.Need(t, engine.Dynalite)))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Append(t.Context(), board, 1, nil); !errors.Is(err, ErrClosed) || errors.Is(err, space.ErrUnknown) {
		t.Errorf("append: %v", err)
	}
	if _, err := s.Log(t.Context(), board, 1, 1); !errors.Is(err, ErrClosed) {
		t.Errorf("log: %v", err)
	}
}

// away is a transport to a machine that is not there, until it is.
type away struct {
	there   bool
	actions []string
}

func (a *away) RoundTrip(req *http.Request) (*http.Response, error) {
	_, action, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	a.actions = append(a.actions, action)
	if !a.there {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if action == "DescribeTable" {
		return respond{400, `{"__type":"com.amazon.coral.service#ResourceNotFoundException","message":"none"}`}.RoundTrip(req)
	}
	return respond{200, `{}`}.RoundTrip(req)
}

// A table that is opened late is not touched before it has been looked at.
func TestLate(t *testing.T) {
	network := &away{}
	s, err := Open(t.Context(), Config{Table: "table", Region: "eu-central-1", Credentials: aws.AnonymousCredentials{}, Transport: network, Late: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Unchecked(); !errors.Is(err, ErrUnreachable) {
		t.Errorf("unchecked: %v", err)
	}
	if err := s.Append(t.Context(), board, 1, []byte{1}); errors.Is(err, space.ErrUnknown) || !errors.Is(err, ErrUnreachable) {
		t.Errorf("append: %v", err)
	}
	network.there = true
	if err := s.Await(t.Context()); !errors.Is(err, ErrNoTable) {
		t.Errorf("await: %v", err)
	}
	if _, err := s.Log(t.Context(), board, 1, 1); !errors.Is(err, ErrNoTable) {
		t.Errorf("log: %v", err)
	}
	if slices.ContainsFunc(network.actions, func(action string) bool { return action != "DescribeTable" }) {
		t.Errorf("the table was touched: %v", network.actions)
	}
}
