package dynamo

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tidegate/tidegate/space"
)

var _ space.Lister = (*Store)(nil)

// Spaces implements space.Lister by a scan of the table: the listing costs as
// much as reading all of it. A token holds the last keys that were read.
func (s *Store) Spaces(ctx context.Context, token string, limit int) ([]space.Key, string, error) {
	limit = max(limit, 1)
	var start attributes
	if token != "" {
		number, rest, _ := strings.Cut(token, ":")
		size, err := strconv.Atoi(number)
		if err != nil || size < 1 || size >= len(rest) {
			return nil, "", fmt.Errorf("the token %.100q of the page is not one of this store's", token)
		}
		start = keyAttributes(rest[:size], rest[size:])
	}
	out, _, err := repeated(ctx, s, OpSpaces, "Scan", s.client.Scan, &dynamodb.ScanInput{
		TableName:                &s.config.Table,
		ProjectionExpression:     aws.String("#p, #k"),
		ExpressionAttributeNames: map[string]string{"#p": attrPartition, "#k": attrSort},
		ExclusiveStartKey:        start,
		ConsistentRead:           aws.Bool(true),
		ReturnConsumedCapacity:   types.ReturnConsumedCapacityTotal,
	})
	if err != nil {
		return nil, "", err
	}
	var keys []space.Key
	last := ""
	for _, a := range out.Items {
		p, ok := a[attrPartition].(*types.AttributeValueMemberS)
		if !ok {
			continue
		}
		key, _, ok := parsePartition(p.Value)
		if !ok || len(keys) > 0 && keys[len(keys)-1] == key {
			continue
		}
		if len(keys) == limit {
			// What is left of the last partition need not be read.
			return keys, tokenOf(last, behindAll), nil
		}
		keys = append(keys, key)
		last = p.Value
	}
	p, ok1 := out.LastEvaluatedKey[attrPartition].(*types.AttributeValueMemberS)
	sort, ok2 := sortOf(out.LastEvaluatedKey)
	if !ok1 || !ok2 {
		return keys, "", nil
	}
	return keys, tokenOf(p.Value, sort), nil
}

// behindAll is greater than every sort key.
const behindAll = "\U0010ffff"

// tokenOf names a place in the table: that of an item, or where one would be.
func tokenOf(p, sort string) string { return strconv.Itoa(len(p)) + ":" + p + sort }
