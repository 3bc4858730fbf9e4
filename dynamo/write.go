package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

const (
	// putWidth is how many items of one call are written at a time.
	putWidth = 16
	// putTries bounds how often others may come first to one item.
	putTries = 32
	// maxChanges is how many fields one request changes. DynamoDB takes expressions
	// of 4 KB with 300 operators, and a changed field has two in the condition.
	maxChanges = 100
)

// Put implements space.Store. What somebody else wrote stays as it is; see the
// package comment.
func (s *Store) Put(ctx context.Context, key space.Key, items []space.Item) error {
	p, err := partitionsOf(key)
	if err != nil || len(items) == 0 {
		return err
	}
	return within(len(items), putWidth, func(i int) error {
		item := &items[i]
		sort, err := sortOfItem(item.Key)
		if err != nil || item.Version == 0 {
			return err
		}
		w := &write{Store: s, key: key, p: p.items, sort: sort, item: item}
		if item.Key.Kind == space.ItemRecord {
			err = w.record(ctx)
		} else {
			err = w.plain(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", item.Key, err)
		}
		return nil
	})
}

// write is the writing of one item.
type write struct {
	*Store
	key     space.Key
	p, sort string
	item    *space.Item
	// weak is set once a condition did not hold though all was as it says: DynamoDB
	// compares lists and maps, not everything that speaks its language does.
	weak bool
}

// plain writes an item that has no native fields: one put.
func (w *write) plain(ctx context.Context) error {
	// A version below 1 is none of ours: nobody may say what it was.
	err := w.putWhole(ctx, "attribute_not_exists(#k) OR (#v >= :one AND #v < :v)",
		map[string]string{"#k": attrSort, "#v": attrVersion},
		attributes{":one": numberAttribute(1), ":v": numberAttribute(w.item.Version)})
	if !isUnmet(err) {
		return err
	}
	img, err := w.stored(ctx, err)
	switch {
	case err != nil:
		return err
	case img.err != nil:
		w.reportImage(w.key, w.item.Key, &img)
		return fmt.Errorf("%w: %w", ErrForeign, img.err)
	}
	return nil // the same version, or a newer one
}

// record writes a record's image: it changes the attributes of the fields that
// differ from what is stored, on the condition that they are what we wrote.
func (w *write) record(ctx context.Context) error {
	img, isKnown := w.known.get(w.p, w.sort)
	fresh := false
	for range putTries {
		if !isKnown || !fresh && (img.version >= w.item.Version || len(img.foreign) > 0 || img.err != nil) {
			// What is remembered may have been dropped since.
			var err error
			if img, err = w.read(ctx); err != nil {
				return err
			}
			isKnown, fresh = true, true
		}
		var err error
		switch {
		case img.wrecked && isUpgrade(img.err):
			return img.err
		case img.wrecked:
			// Not even its version is known, so nobody may say that this image is newer.
			// The record is made again from the log by whoever needs it.
			w.reportImage(w.key, w.item.Key, &img)
			return nil
		case img.version > w.item.Version, img.version == w.item.Version && img.err == nil:
			return nil
		case img.version == 0:
			err = w.putWhole(ctx, "attribute_not_exists(#k)", map[string]string{"#k": attrSort}, nil)
		case len(img.foreign) > 0:
			w.reportImage(w.key, w.item.Key, &img)
			err = w.beside(ctx, &img)
			if errors.Is(err, ErrTooLarge) {
				return nil // as for a wreck
			}
		default:
			err = w.change(ctx, &img)
		}
		if !isUnmet(err) {
			if err != nil {
				w.known.forget(w.p, w.sort)
			}
			return err
		}
		before := img
		if img, err = w.stored(ctx, err); err != nil {
			return err
		}
		w.weak = w.weak || fresh && img.version == before.version && slices.Equal(img.fields, before.fields)
		fresh = true
	}
	return fmt.Errorf("others came first %d times", putTries)
}

// putWhole puts the whole item.
func (w *write) putWhole(ctx context.Context, condition string, names map[string]string, values attributes) error {
	a, err := w.encodeItem(w.p, w.sort, w.item)
	if err != nil {
		return err
	}
	maps.Copy(a, keyAttributes(w.p, w.sort))
	if size := sizeOf(a); size > maxItemBytes {
		return fmt.Errorf("%w: it has %d bytes", ErrTooLarge, size)
	}
	_, _, err = repeated(ctx, w.Store, OpPut, "PutItem", w.client.PutItem, &dynamodb.PutItemInput{
		TableName:                           &w.config.Table,
		Item:                                a,
		ConditionExpression:                 &condition,
		ExpressionAttributeNames:            names,
		ExpressionAttributeValues:           values,
		ReturnConsumedCapacity:              types.ReturnConsumedCapacityTotal,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if err == nil {
		w.remember(&image{version: w.item.Version, fields: w.item.Fields, marks: marksOf(w.item.Fields)})
	}
	return err
}

func (w *write) remember(img *image) {
	if w.item.Key.Kind == space.ItemRecord {
		w.known.put(w.p, w.sort, img)
	}
}

// change is a field that changes from one image to the next; an absent value is
// none.
type change struct {
	name     string
	from, to protocol.Value
}

// changes compares two images, each with its fields in order.
func changes(from, to []protocol.FieldValue) []change {
	var all []change
	for len(from) > 0 || len(to) > 0 {
		switch {
		case len(to) == 0 || len(from) > 0 && from[0].Field < to[0].Field:
			all = append(all, change{name: from[0].Field, from: from[0].Value})
			from = from[1:]
		case len(from) == 0 || to[0].Field < from[0].Field:
			all = append(all, change{name: to[0].Field, to: to[0].Value})
			to = to[1:]
		default:
			if from[0].Value != to[0].Value {
				all = append(all, change{to[0].Field, from[0].Value, to[0].Value})
			}
			from, to = from[1:], to[1:]
		}
	}
	return all
}

// change makes the stored record that of the item. It is stored in one request
// unless very many fields change: then the new image first stands beside the old
// fields, and these follow, so that whoever reads in between reads all or nothing.
func (w *write) change(ctx context.Context, img *image) error {
	all := changes(img.fields, w.item.Fields)
	if len(all) > maxChanges {
		if err := w.beside(ctx, img); err != nil {
			return err
		}
		img = &image{version: w.item.Version, fields: img.fields, ours: true}
	}
	for len(all) > maxChanges {
		u := w.update(img)
		fields := apply(img.fields, all[:maxChanges])
		for _, c := range all[:maxChanges] {
			u.field(c)
		}
		u.set(attrMeta, &types.AttributeValueMemberB{Value: w.encodeMeta(w.p, w.sort, w.item.Version, fields, w.item.Meta)})
		if err := u.send(ctx); err != nil {
			return err
		}
		img = &image{version: img.version, fields: fields, ours: true}
		all = all[maxChanges:]
	}
	a, err := w.encodeItem(w.p, w.sort, w.item)
	if err != nil {
		return err
	}
	u := w.update(img)
	for _, c := range all {
		u.field(c)
	}
	u.set(attrVersion, a[attrVersion])
	u.set(attrMeta, a[attrMeta])
	if img.ours {
		u.remove = append(u.remove, u.name(attrOurs))
	}
	if err := u.send(ctx); err != nil {
		return err
	}
	w.remember(&image{version: w.item.Version, fields: w.item.Fields, marks: marksOf(w.item.Fields)})
	return nil
}

// apply returns fields with changes made.
func apply(fields []protocol.FieldValue, all []change) []protocol.FieldValue {
	changed := make(map[string]protocol.Value, len(all))
	for _, c := range all {
		changed[c.name] = c.to
	}
	var out []protocol.FieldValue
	for _, f := range fields {
		if _, is := changed[f.Field]; !is {
			out = append(out, f)
		}
	}
	for name, to := range changed {
		if !to.IsAbsent() {
			out = append(out, protocol.FieldValue{Field: name, Value: to})
		}
	}
	slices.SortFunc(out, func(a, b protocol.FieldValue) int { return strings.Compare(a.Field, b.Field) })
	return out
}

// beside stores the whole image in an attribute of ours, and leaves the fields
// as somebody else wrote them.
func (w *write) beside(ctx context.Context, img *image) error {
	if _, err := w.encodeItem(w.p, w.sort, w.item); err != nil {
		return err
	}
	u := w.update(img)
	u.set(attrVersion, numberAttribute(w.item.Version))
	u.set(attrOurs, &types.AttributeValueMemberB{Value: w.encodeOurs(w.p, w.sort, w.item)})
	// What is left of the fields is judged by the marks, which name this version now.
	u.set(attrMeta, &types.AttributeValueMemberB{Value: w.encodeMarked(w.p, w.sort, w.item.Version, img.marks, nil)})
	if err := u.send(ctx); err != nil {
		return err
	}
	w.known.forget(w.p, w.sort)
	return nil
}

// stored says what stands in the table, after err said that it is not what was
// expected. Not every engine tells at once.
func (w *write) stored(ctx context.Context, err error) (image, error) {
	var unmet *types.ConditionalCheckFailedException
	if !errors.As(err, &unmet) || len(unmet.Item) == 0 {
		return w.read(ctx)
	}
	img := w.decodeItem(w.p, w.sort, w.item.Key, unmet.Item)
	w.remember(&img)
	return img, nil
}

func (w *write) read(ctx context.Context) (image, error) {
	out, _, err := repeated(ctx, w.Store, OpPut, "GetItem", w.client.GetItem, &dynamodb.GetItemInput{
		TableName:              &w.config.Table,
		Key:                    keyAttributes(w.p, w.sort),
		ConsistentRead:         aws.Bool(true),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if err != nil {
		return image{}, err
	}
	img := w.decodeItem(w.p, w.sort, w.item.Key, out.Item)
	w.remember(&img)
	return img, nil
}

func isUnmet(err error) bool {
	var unmet *types.ConditionalCheckFailedException
	return errors.As(err, &unmet)
}
