package dynamo

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tidegate/tidegate/space"
)

// batchGet is the most keys that one BatchGetItem may have.
const batchGet = 100

// Get implements space.Store.
func (s *Store) Get(ctx context.Context, key space.Key, keys []space.ItemKey) ([]space.Item, error) {
	p, err := partitionsOf(key)
	if err != nil {
		return nil, err
	}
	// A key may be asked for twice, but not of DynamoDB.
	positions := make(map[string][]int, len(keys))
	for i, k := range keys {
		sort, err := sortOfItem(k)
		if err != nil {
			return nil, err
		}
		positions[sort] = append(positions[sort], i)
	}
	items := make([]space.Item, len(keys))
	for i, k := range keys {
		items[i].Key = k
	}
	sorts := slices.Sorted(maps.Keys(positions))
	found, err := s.gather.read(ctx, p.items, sorts)
	if err != nil {
		return nil, err
	}
	for _, sort := range sorts {
		at := positions[sort]
		item := s.take(key, p.items, sort, keys[at[0]], found[sort])
		for _, i := range at {
			items[i] = item
		}
	}
	return items, nil
}

// fetch reads items by their keys; absent ones are not in the answer.
func (s *Store) fetch(ctx context.Context, op Operation, p string, sorts []string) (map[string]attributes, error) {
	found := make(map[string]attributes, len(sorts))
	for len(sorts) > 0 {
		n := min(len(sorts), batchGet)
		if err := s.fetchBatch(ctx, op, p, sorts[:n], found); err != nil {
			return nil, err
		}
		sorts = sorts[n:]
	}
	return found, nil
}

func (s *Store) fetchBatch(ctx context.Context, op Operation, p string, sorts []string, found map[string]attributes) error {
	ask := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
	for _, sort := range sorts {
		ask.Keys = append(ask.Keys, keyAttributes(p, sort))
	}
	for attempt := 1; ; {
		out, _, err := repeated(ctx, s, op, "BatchGetItem", s.client.BatchGetItem, &dynamodb.BatchGetItemInput{
			RequestItems:           map[string]types.KeysAndAttributes{s.config.Table: ask},
			ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			return err
		}
		for _, a := range out.Responses[s.config.Table] {
			if sort, ok := sortOf(a); ok {
				found[sort] = a
			}
		}
		// What an answer has no room for, or the table no capacity, comes next.
		left := out.UnprocessedKeys[s.config.Table].Keys
		if len(left) == 0 {
			return nil
		}
		if len(left) < len(ask.Keys) {
			attempt = 1
		}
		ask.Keys = left
		if attempt == maxAttempts || !s.pause(ctx, op, attempt) {
			return &TableError{place: s.where, Kind: ErrThrottled, Err: fmt.Errorf("%d of %d items were not read", len(left), len(sorts))}
		}
		attempt++
	}
}

// take makes an item of what stands under its key, and remembers it.
func (s *Store) take(key space.Key, p, sort string, itemKey space.ItemKey, a attributes) space.Item {
	img := s.decodeItem(p, sort, itemKey, a)
	s.reportImage(key, itemKey, &img)
	if itemKey.Kind == space.ItemRecord {
		s.known.put(p, sort, &img)
	}
	if img.err != nil {
		return space.Item{Key: itemKey, Version: img.version, Unreadable: fmt.Errorf("%w: %w", ErrForeign, img.err)}
	}
	return img.item
}

// reportImage tells of what somebody else wrote.
func (s *Store) reportImage(key space.Key, itemKey space.ItemKey, img *image) {
	if len(img.foreign) == 0 && img.err == nil {
		return
	}
	err := img.err
	if err == nil {
		err = fmt.Errorf("attribute %q: somebody else wrote it", img.foreign[0])
	}
	s.report(Report{Key: key, Item: itemKey, Attributes: img.foreign, Kept: img.err == nil, Err: err})
}

// Scan implements space.Store.
func (s *Store) Scan(ctx context.Context, key space.Key, after space.ItemKey, maxBytes int) ([]space.Item, error) {
	p, err := partitionsOf(key)
	if err != nil {
		return nil, err
	}
	first, last, err := rangeBehind(after)
	if err != nil {
		return nil, err
	}
	var items []space.Item
	var start attributes
	size := 0
	for {
		mean := &s.itemSize[after.Kind]
		out, _, err := repeated(ctx, s, OpScan, "Query", s.client.Query, &dynamodb.QueryInput{
			TableName:              &s.config.Table,
			KeyConditionExpression: aws.String("#p = :p AND #k BETWEEN :first AND :last"),
			ExpressionAttributeNames: map[string]string{
				"#p": attrPartition, "#k": attrSort,
			},
			ExpressionAttributeValues: attributes{
				":p":     stringAttribute(p.items),
				":first": stringAttribute(first),
				":last":  stringAttribute(last),
			},
			ExclusiveStartKey:      start,
			ConsistentRead:         aws.Bool(true),
			Limit:                  aws.Int32(mean.count(maxBytes - size)),
			ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			return nil, err
		}
		before := size
		for _, a := range out.Items {
			sort, _ := sortOf(a)
			itemKey, ok := parseItem(sort)
			if !ok {
				s.report(Report{Key: key, Item: after, Attributes: []string{attrSort}, Err: fmt.Errorf("attribute %q: %.200q is no key of Tidegate", attrSort, sort)})
				continue
			}
			size += sizeOf(a)
			if len(items) > 0 && size > maxBytes {
				return items, nil
			}
			items = append(items, s.take(key, p.items, sort, itemKey, a))
		}
		mean.note(size-before, len(out.Items))
		if len(out.LastEvaluatedKey) == 0 || len(items) > 0 && size >= maxBytes {
			return items, nil
		}
		start = out.LastEvaluatedKey
	}
}
