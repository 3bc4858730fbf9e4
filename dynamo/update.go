package dynamo

import (
	"context"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tidegate/tidegate/protocol"
)

// update is an UpdateItem being put together. Its condition is that the item has
// the version that is known, and each changed field the value that is known.
type update struct {
	*write
	names     map[string]string
	values    attributes
	assign    []string
	remove    []string
	condition []string
	// weak is true for a DynamoDB that cannot compare lists and maps.
	weak bool
}

// update begins an update of what is known to be stored.
func (w *write) update(img *image) *update {
	u := &update{write: w, names: make(map[string]string), values: make(attributes), weak: w.weak}
	u.condition = append(u.condition, u.name(attrVersion)+" = "+u.value(numberAttribute(img.version)))
	if img.ours {
		u.condition = append(u.condition, "attribute_exists("+u.name(attrOurs)+")")
	} else {
		u.condition = append(u.condition, "attribute_not_exists("+u.name(attrOurs)+")")
	}
	return u
}

// name returns what stands for an attribute's name in expressions.
func (u *update) name(attribute string) string {
	for short, name := range u.names {
		if name == attribute {
			return short
		}
	}
	short := "#" + strconv.Itoa(len(u.names))
	u.names[short] = attribute
	return short
}

func (u *update) value(v types.AttributeValue) string {
	short := ":" + strconv.Itoa(len(u.values))
	u.values[short] = v
	return short
}

// set gives an attribute a value, whatever it has.
func (u *update) set(attribute string, v types.AttributeValue) {
	u.assign = append(u.assign, u.name(attribute)+"="+u.value(v))
}

// field changes a field, on the condition that it has the value it changes from.
func (u *update) field(c change) {
	name := u.name(c.name)
	switch kind := c.from.Kind(); {
	case kind == protocol.KindAbsent:
		u.condition = append(u.condition, "attribute_not_exists("+name+")")
	case u.weak && (kind == protocol.KindArray || kind == protocol.KindMap):
		u.condition = append(u.condition, "attribute_type("+name+","+u.value(stringAttribute(typeOf(attributeOf(c.from))))+")")
	default:
		u.condition = append(u.condition, name+"="+u.value(attributeOf(c.from)))
	}
	if c.to.IsAbsent() {
		u.remove = append(u.remove, name)
	} else {
		u.assign = append(u.assign, name+"="+u.value(attributeOf(c.to)))
	}
}

// send sends the update.
func (u *update) send(ctx context.Context) error {
	expression := "SET " + strings.Join(u.assign, ",")
	if len(u.remove) > 0 {
		expression += " REMOVE " + strings.Join(u.remove, ",")
	}
	_, _, err := repeated(ctx, u.Store, OpPut, "UpdateItem", u.client.UpdateItem, &dynamodb.UpdateItemInput{
		TableName:                           &u.config.Table,
		Key:                                 keyAttributes(u.p, u.sort),
		UpdateExpression:                    &expression,
		ConditionExpression:                 aws.String(strings.Join(u.condition, " AND ")),
		ExpressionAttributeNames:            u.names,
		ExpressionAttributeValues:           u.values,
		ReturnConsumedCapacity:              types.ReturnConsumedCapacityTotal,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	return err
}
