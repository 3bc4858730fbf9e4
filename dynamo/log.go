package dynamo

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// maxItemBytes is what DynamoDB holds in an item, names and keys included.
const maxItemBytes = 400 << 10

// Append implements space.Store: one put of one item, on the condition that there
// is none, and one request for it. Who called reads the log if the outcome is
// unknown.
func (s *Store) Append(ctx context.Context, key space.Key, seq uint64, data []byte) error {
	p, err := partitionsOf(key)
	if err != nil {
		return err
	}
	item := keyAttributes(p.log, sortOfSeq(seq))
	name, value := s.encodeCommit(data)
	item[name] = &types.AttributeValueMemberB{Value: value}
	if size := sizeOf(item); size > maxItemBytes {
		return fmt.Errorf("commit %d: %w: it has %d bytes", seq, ErrTooLarge, size)
	}
	_, what, err := once(ctx, s, OpAppend, "PutItem", s.client.PutItem, &dynamodb.PutItemInput{
		TableName:                &s.config.Table,
		Item:                     item,
		ConditionExpression:      aws.String("attribute_not_exists(#p)"),
		ExpressionAttributeNames: map[string]string{"#p": attrPartition},
		ReturnConsumedCapacity:   types.ReturnConsumedCapacityTotal,
	})
	switch {
	case err == nil:
		return nil
	case what == unmet:
		return space.ErrTaken
	case what == unknown:
		return fmt.Errorf("%w: %w", space.ErrUnknown, err)
	}
	return err
}

// encodeCommit returns the attribute that a commit stands in.
func (s *Store) encodeCommit(data []byte) (name string, value []byte) {
	if packed, ok := s.codec.Encode(protocol.AppendFormat(nil), data, 0); ok {
		return attrPacked, packed
	}
	return attrData, append(protocol.AppendFormat(make([]byte, 0, 1+len(data))), data...)
}

// decodeCommit is the inverse of encodeCommit. With an error it names the
// attribute that is wrong.
func (s *Store) decodeCommit(a attributes) (data []byte, attribute string, err error) {
	plain, hasPlain := a[attrData]
	packed, hasPacked := a[attrPacked]
	attribute = attrData
	if hasPacked {
		attribute, plain = attrPacked, packed
	}
	if !hasPlain && !hasPacked {
		return nil, attribute, fmt.Errorf("%w: it is missing", errItem)
	}
	binary, ok := plain.(*types.AttributeValueMemberB)
	if !ok {
		return nil, attribute, fmt.Errorf("%w: it is %s, and should be binary", errItem, typeOf(plain))
	}
	if err := protocol.CheckFormat(binary.Value); err != nil {
		// A newer format is the space's to report: it sees the same first byte.
		return binary.Value, attribute, err
	}
	if !hasPacked {
		return binary.Value[1:], "", nil
	}
	data, err = s.codec.Decode(nil, binary.Value[1:], maxUnpacked)
	if err != nil {
		return nil, attribute, fmt.Errorf("%w: %w", errItem, err)
	}
	return data, "", nil
}

// Log implements space.Store. What does not fit into maxBytes any more may have
// been read, and paid for, nevertheless; how much is asked for follows the sizes
// that were met.
func (s *Store) Log(ctx context.Context, key space.Key, from uint64, maxBytes int) ([]space.LogItem, error) {
	p, err := partitionsOf(key)
	if err != nil {
		return nil, err
	}
	var entries []space.LogItem
	var start attributes
	size := 0
	for {
		out, _, err := repeated(ctx, s, OpLog, "Query", s.client.Query, &dynamodb.QueryInput{
			TableName:              &s.config.Table,
			KeyConditionExpression: aws.String("#p = :p AND #k BETWEEN :from AND :last"),
			ExpressionAttributeNames: map[string]string{
				"#p": attrPartition, "#k": attrSort,
			},
			ExpressionAttributeValues: attributes{
				":p":    stringAttribute(p.log),
				":from": stringAttribute(sortOfSeq(from)),
				":last": stringAttribute(lastSeq),
			},
			ExclusiveStartKey:      start,
			ConsistentRead:         aws.Bool(true),
			Limit:                  aws.Int32(s.logSize.count(maxBytes - size)),
			ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
		})
		if err != nil {
			return nil, err
		}
		pageSize := 0
		for _, a := range out.Items {
			entry, ok := s.readCommit(key, a)
			if !ok {
				continue
			}
			pageSize += len(entry.Data)
			size += len(entry.Data)
			if n := len(entries); n > 0 && (size > maxBytes || entry.Seq != entries[n-1].Seq+1) {
				return entries, nil
			}
			entries = append(entries, entry)
		}
		s.logSize.note(pageSize, len(out.Items))
		if len(out.LastEvaluatedKey) == 0 || len(entries) > 0 && size >= maxBytes {
			return entries, nil
		}
		start = out.LastEvaluatedKey
	}
}

// readCommit reads an item of the log. What cannot be read is reported, and is an
// entry without data: the space says that it is damaged, and does not skip it.
// An item whose key is no seq is reported and is no entry.
func (s *Store) readCommit(key space.Key, a attributes) (space.LogItem, bool) {
	sort, _ := sortOf(a)
	seq, ok := parseSeq(sort)
	if !ok {
		s.report(Report{Key: key, Attributes: []string{attrSort}, Err: fmt.Errorf("attribute %q: %.40q is no seq", attrSort, sort)})
		return space.LogItem{}, false
	}
	data, attribute, err := s.decodeCommit(a)
	if err != nil {
		err = fmt.Errorf("attribute %q: %w", attribute, err)
		s.report(Report{Key: key, Seq: seq, Attributes: []string{attribute}, Err: err})
	}
	return space.LogItem{Seq: seq, Data: data}, true
}

func keyAttributes(p, sort string) attributes {
	return attributes{attrPartition: stringAttribute(p), attrSort: stringAttribute(sort)}
}

func stringAttribute(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

// sortOf returns the sort key of an item.
func sortOf(a attributes) (string, bool) {
	sort, ok := a[attrSort].(*types.AttributeValueMemberS)
	if !ok {
		return "", false
	}
	return sort.Value, true
}
