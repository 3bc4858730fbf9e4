package dynamo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/tidegate/tidegate/space"
)

// What can be wrong with a table, or with the way to it. An error of a [Store]
// that knows is a [*TableError] that wraps one of these, and whose message says
// how to mend it.
var (
	// ErrConfig: what was asked for cannot be.
	ErrConfig = errors.New("the store is not configured well")
	// ErrNoTable: the region has no such table.
	ErrNoTable = errors.New("the table does not exist")
	// ErrSchema: the table's keys are not Tidegate's.
	ErrSchema = errors.New("the table is not one of Tidegate")
	// ErrNotReady: the table is being created, or deleted.
	ErrNotReady = errors.New("the table is not ready")
	// ErrReplicas: the table has eventually consistent replicas in other regions.
	// Conditions hold within one region only, so that two could fork a log.
	ErrReplicas = errors.New("the table is an eventually consistent global table")
	// ErrPermission: the credentials may not do it.
	ErrPermission = errors.New("no permission")
	// ErrCredentials: there are no credentials, or they are wrong or expired.
	ErrCredentials = errors.New("no valid credentials")
	// ErrUnreachable: nothing answers at the endpoint.
	ErrUnreachable = errors.New("DynamoDB cannot be reached")
	// ErrThrottled: more was asked than the table, or a partition, may do.
	ErrThrottled = errors.New("DynamoDB throttles")
	// ErrTooLarge: an item is larger than DynamoDB holds.
	ErrTooLarge = errors.New("the item is too large for DynamoDB, which holds 400 KB")
)

// ErrClosed: the store was closed. The call had no effect.
var ErrClosed = errors.New("the store is closed")

// ErrForeign: an item of ours was changed into something that cannot be read.
// Nothing was written over it.
var ErrForeign = errors.New("an item of the table was changed by somebody else")

// place says which table is meant.
type place struct {
	Table, Region, Endpoint string
}

func (p place) String() string {
	if p.Endpoint != "" {
		return fmt.Sprintf("table %q at %s", p.Table, p.Endpoint)
	}
	if p.Region == "" {
		return fmt.Sprintf("table %q", p.Table)
	}
	return fmt.Sprintf("table %q in %s", p.Table, p.Region)
}

// URL is the --store that means the place.
func (p place) URL() string {
	u, sign := Scheme+"://"+p.Table, "?"
	for _, parameter := range [][2]string{{"region", p.Region}, {"endpoint", p.Endpoint}} {
		if parameter[1] != "" {
			// What a query may hold as it is stays readable.
			value := strings.NewReplacer("%3A", ":", "%2F", "/").Replace(url.QueryEscape(parameter[1]))
			u += sign + parameter[0] + "=" + value
			sign = "&"
		}
	}
	return u
}

// TableError says what is wrong with a table, and what to do about it.
type TableError struct {
	place
	// Kind is one of the errors above.
	Kind error
	// Action is what was asked for and not allowed, such as "PutItem"; for
	// ErrPermission.
	Action string
	// Err is the cause.
	Err error
}

// Error names the table, the cause and the remedy.
func (e *TableError) Error() string {
	help := ""
	switch e.Kind {
	case ErrConfig:
		help = "want dynamodb://TABLE?region=REGION (or AWS_REGION in the environment)"
	case ErrNoTable:
		help = fmt.Sprintf("create it with: tidegate table create --store '%s' (or name the region it is in)", e.URL())
	case ErrSchema:
		help = fmt.Sprintf("name another table, or create one with: tidegate table create --store '%s'", place{"NAME", e.Region, e.Endpoint}.URL())
	case ErrNotReady:
		help = fmt.Sprintf("wait; see: tidegate table describe --store '%s'", e.URL())
	case ErrReplicas:
		help = "use a table without replicas, or a global table with multi-Region strong consistency"
	case ErrPermission:
		help = fmt.Sprintf("allow dynamodb:%s on the table; see: tidegate table create --help", e.Action)
	case ErrCredentials:
		help = "see: aws sts get-caller-identity (they come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the machine's role)"
	case ErrUnreachable:
		help = "check the region, the endpoint and the network"
	case ErrThrottled:
		help = "raise the table's limits, or spread the load over more spaces"
	}
	text := fmt.Sprintf("%v: %v", e.place, e.Kind)
	if e.Err != nil {
		text += fmt.Sprintf(" (%v)", reason(e.Err))
	}
	if help != "" {
		text += ": " + help
	}
	return text
}

// Unwrap returns the kind and the cause, and what a space knows the kind by.
func (e *TableError) Unwrap() []error {
	if e.Kind == ErrThrottled {
		return []error{e.Kind, e.Err, space.ErrThrottled}
	}
	return []error{e.Kind, e.Err}
}

// reason is the part of an SDK's error that says something.
func reason(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		if api.ErrorCode() == "UnknownOperationException" {
			return errors.New("this DynamoDB does not know the request")
		}
		return fmt.Errorf("%s: %s", api.ErrorCode(), api.ErrorMessage())
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op
	}
	var outer *smithy.OperationError
	if errors.As(err, &outer) {
		return outer.Err
	}
	return err
}

// outcome says what a failed request can have done, and whether to repeat it.
type outcome uint8

const (
	// unknown: it may have been done, or may be yet.
	unknown outcome = iota
	// refused: it was not done, and would not be if repeated.
	refused
	// throttled: it was not done, and may be later.
	throttled
	// unsent: it has not left.
	unsent
	// conflicted: it was not done, because another was being done to the item.
	conflicted
	// unmet: its condition does not hold.
	unmet
)

// classify says what became of a request that failed. sent is false if it was
// never handed to the transport.
func classify(err error, sent bool) outcome {
	var condition *types.ConditionalCheckFailedException
	if errors.As(err, &condition) {
		return unmet
	}
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	if errors.As(err, &api) && errors.As(err, &response) {
		switch api.ErrorCode() {
		case "ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded", "LimitExceededException":
			return throttled
		case "TransactionConflictException", "TransactionInProgressException", "ReplicatedWriteConflictException",
			"ContinuousBackupsUnavailableException":
			return conflicted
		case "", "UnknownError":
			return unknown // whatever answered was not DynamoDB
		}
		// DynamoDB answers 400 to what it refuses. A 5xx may come after the write.
		switch response.HTTPStatusCode() {
		case 400, 413:
			return refused
		}
		return unknown
	}
	if !sent {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return unsent
		}
		return refused // it could not be built or signed
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return unsent
	}
	return unknown
}

// explain says what err, from a request of the given name, means to people.
func (s *Store) explain(action string, err error, sent bool) error {
	if err == nil {
		return nil
	}
	explained := &TableError{place: s.where, Action: action, Err: err}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch code := api.ErrorCode(); code {
		case "ResourceNotFoundException":
			explained.Kind = ErrNoTable
		case "AccessDeniedException":
			explained.Kind = ErrPermission
		case "UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "ExpiredToken",
			"IncompleteSignatureException", "MissingAuthenticationTokenException", "InvalidClientTokenId", "SignatureDoesNotMatch":
			explained.Kind = ErrCredentials
		case "ValidationException":
			if isTooLarge(api.ErrorMessage()) {
				return fmt.Errorf("%v: %w", s.where, ErrTooLarge)
			}
		}
		if explained.Kind == nil && classify(err, sent) == throttled {
			explained.Kind = ErrThrottled
		}
	} else {
		var op *net.OpError
		switch {
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		case !sent:
			explained.Kind = ErrCredentials // the one thing that is needed before
		case errors.As(err, &op):
			explained.Kind = ErrUnreachable
		}
	}
	if explained.Kind == nil {
		return fmt.Errorf("%v: %s: %w", s.where, action, err)
	}
	return explained
}

func isTooLarge(message string) bool {
	return strings.Contains(message, "Item size") && strings.Contains(message, "exceeded")
}
