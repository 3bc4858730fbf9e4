package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tidegate/tidegate/space"
)

const (
	// batchWrite is the most items that one BatchWriteItem may have.
	batchWrite = 25
	// trimStride is how many seqs are removed between two looks at where the log
	// begins. Seqs are consecutive, so that the entries need not be read first.
	trimStride = 20 * batchWrite
)

// Trim implements space.Store. Entries are deleted, and not stamped with an
// expiry for DynamoDB to delete them: a stamp is a write as large as the
// deletion, and would come on top of reading nothing.
func (s *Store) Trim(ctx context.Context, key space.Key, below uint64, drop []space.ItemKey) error {
	p, err := partitionsOf(key)
	if err != nil {
		return err
	}
	sorts := make([]string, len(drop))
	for i, d := range drop {
		if sorts[i], err = sortOfItem(d); err != nil {
			return err
		}
	}
	if err := s.trimLog(ctx, p.log, below); err != nil {
		return err
	}
	if len(drop) == 0 {
		return nil
	}
	return within(len(drop), putWidth, func(i int) error {
		if err := s.drop(ctx, p.items, sorts[i], below); err != nil {
			return fmt.Errorf("%s: %w", drop[i], err)
		}
		return nil
	})
}

func (s *Store) trimLog(ctx context.Context, p string, below uint64) error {
	if below == 0 {
		return nil
	}
	newest, ok, err := s.endOfLog(ctx, p, false)
	if err != nil || !ok {
		return err
	}
	below = min(below, newest) // the newest entry stays
	for {
		first, ok, err := s.endOfLog(ctx, p, true)
		if err != nil || !ok || first >= below {
			return err
		}
		to := below
		if to-first > trimStride {
			to = first + trimStride
		}
		if err := s.removeLog(ctx, p, first, to); err != nil {
			return err
		}
	}
}

// endOfLog returns the first or the last seq of a log.
func (s *Store) endOfLog(ctx context.Context, p string, first bool) (seq uint64, ok bool, err error) {
	out, _, err := repeated(ctx, s, OpTrim, "Query", s.client.Query, &dynamodb.QueryInput{
		TableName:              &s.config.Table,
		KeyConditionExpression: aws.String("#p = :p AND #k BETWEEN :from AND :last"),
		ProjectionExpression:   aws.String("#k"),
		ExpressionAttributeNames: map[string]string{
			"#p": attrPartition, "#k": attrSort,
		},
		ExpressionAttributeValues: attributes{
			":p":    stringAttribute(p),
			":from": stringAttribute(sortOfSeq(0)),
			":last": stringAttribute(lastSeq),
		},
		ConsistentRead:         aws.Bool(true),
		ScanIndexForward:       aws.Bool(first),
		Limit:                  aws.Int32(1),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if err != nil || len(out.Items) == 0 {
		return 0, false, err
	}
	sort, _ := sortOf(out.Items[0])
	if seq, ok := parseSeq(sort); ok {
		return seq, true, nil
	}
	return 0, false, fmt.Errorf("%v: partition %q: %w: attribute %q: %.40q is no seq", s.where, p, ErrForeign, attrSort, sort)
}

// removeLog deletes the entries from … to-1.
func (s *Store) removeLog(ctx context.Context, p string, from, to uint64) error {
	var batches [][]types.WriteRequest
	for ; from < to; from++ {
		if n := len(batches); n == 0 || len(batches[n-1]) == batchWrite {
			batches = append(batches, make([]types.WriteRequest, 0, batchWrite))
		}
		n := len(batches) - 1
		batches[n] = append(batches[n], types.WriteRequest{
			DeleteRequest: &types.DeleteRequest{Key: keyAttributes(p, sortOfSeq(from))},
		})
	}
	// In order: an interrupted trim leaves no hole behind entries that stay.
	for _, batch := range batches {
		if err := s.removeBatch(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) removeBatch(ctx context.Context, batch []types.WriteRequest) error {
	for attempt := 1; ; {
		out, _, err := repeated(ctx, s, OpTrim, "BatchWriteItem", s.client.BatchWriteItem, &dynamodb.BatchWriteItemInput{
			RequestItems:           map[string][]types.WriteRequest{s.config.Table: batch},
			ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			return err
		}
		left := out.UnprocessedItems[s.config.Table]
		if len(left) == 0 {
			return nil
		}
		if len(left) < len(batch) {
			attempt = 1
		}
		batch = left
		if attempt == maxAttempts || !s.pause(ctx, OpTrim, attempt) {
			return &TableError{place: s.where, Kind: ErrThrottled, Err: fmt.Errorf("%d entries were not deleted", len(left))}
		}
		attempt++
	}
}

// drop deletes an item unless its version is newer.
func (s *Store) drop(ctx context.Context, p, sort string, below uint64) error {
	_, what, err := repeated(ctx, s, OpTrim, "DeleteItem", s.client.DeleteItem, &dynamodb.DeleteItemInput{
		TableName:                 &s.config.Table,
		Key:                       keyAttributes(p, sort),
		ConditionExpression:       aws.String("#v < :below"),
		ExpressionAttributeNames:  map[string]string{"#v": attrVersion},
		ExpressionAttributeValues: attributes{":below": numberAttribute(below)},
		ReturnConsumedCapacity:    types.ReturnConsumedCapacityTotal,
	})
	s.known.forget(p, sort)
	if what == unmet {
		return nil
	}
	return err
}
