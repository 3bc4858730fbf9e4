package dynamo

import (
	"context"
	"errors"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// errNoTime: the answer had no date.
var errNoTime = errors.New("DynamoDB did not say what time it is")

// Now returns the time by DynamoDB's clock, to the second, as it was when it
// answered. Asking consumes no units.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	out, _, err := once(ctx, s, OpTable, "DescribeTable", s.client.DescribeTable, &dynamodb.DescribeTableInput{TableName: &s.config.Table})
	if err != nil {
		return time.Time{}, err
	}
	there, ok := awsmiddleware.GetServerTime(out.ResultMetadata)
	if !ok || there.IsZero() {
		return time.Time{}, errNoTime
	}
	return there, nil
}
