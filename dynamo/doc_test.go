package dynamo

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tidegate/tidegate/internal/engine"
	"github.com/tidegate/tidegate/protocol"
	"github.com/tidegate/tidegate/space"
)

// TestDocumentedItems writes one mutation through a space, and demands that doc.go
// shows the record and the commit as they stand in the table then.
func TestDocumentedItems(t *testing.T) {
	engine.Each(t, func(t *testing.T, e *engine.Engine) {
		s := openStore(t, newTable(t, e))
		m := space.NewManager(s, space.Options{
			Config: space.Config{
				Gateway:     "gateway-1",
				NewCommitID: func() protocol.CommitID { return protocol.CommitID{7: 1} },
			},
			Now: func() time.Time { return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) },
		})
		d := newDevice(0, 0)
		d.counter = 1
		fields := map[string]any{
			"title": "Buy milk", "done": false, "estimate": 1.5, "tags": []any{"home", "shop"}, "address": map[string]any{"city": "Graz"}, "due": nil,
		}
		op := protocol.Op{Kind: protocol.OpCreate, Collection: "tasks", ID: "0190b5a2-7c1e-7000-8000-0123456789ab"}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			op.Fields = append(op.Fields, protocol.FieldValue{Field: name, Value: protocol.MustValue(fields[name])})
		}
		body := protocol.AppendMutation(nil, &protocol.Mutation{EditTime: 1_798_761_600_000, Ops: []protocol.Op{op}})
		d.bodies, d.hashes = [][]byte{body}, append(d.hashes, d.hashes[0].Next(body))
		a := new(ambiguous) // which is enough at once
		d.work(t, m, board, a)
		if d.acked != 1 {
			t.Fatal("it was not committed")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := m.Close(ctx); err != nil {
			t.Fatal(err)
		}
		p, _ := partitionsOf(board)
		sort, _ := sortOfItem(space.ItemKey{Kind: space.ItemRecord, A: op.Collection, B: op.ID})
		var shown strings.Builder
		for _, key := range []attributes{keyAttributes(p.items, sort), keyAttributes(p.log, sortOfSeq(1))} {
			out, err := s.client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &s.config.Table, Key: key, ConsistentRead: aws.Bool(true)})
			if err != nil {
				t.Fatal(err)
			}
			shown.WriteString("//\n")
			for _, name := range slices.Sorted(maps.Keys(out.Item)) {
				fmt.Fprintf(&shown, "//\t%-9s %s\n", name, show(out.Item[name]))
			}
		}
		doc, err := os.ReadFile("doc.go")
		if err != nil {
			t.Fatal(err)
		}
		for item := range strings.SplitSeq(strings.TrimPrefix(shown.String(), "//\n"), "//\n") {
			if !strings.Contains(string(doc), item) {
				t.Errorf("doc.go does not show this item of the table:\n%s", item)
			}
		}
	})
}

// show renders an attribute as DynamoDB's documentation does, long bytes cut.
func show(a types.AttributeValue) string {
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		return "S " + a.Value
	case *types.AttributeValueMemberN:
		return "N " + a.Value
	case *types.AttributeValueMemberBOOL:
		return fmt.Sprint("BOOL ", a.Value)
	case *types.AttributeValueMemberNULL:
		return fmt.Sprint("NULL ", a.Value)
	case *types.AttributeValueMemberB:
		text := base64.StdEncoding.EncodeToString(a.Value)
		if len(text) > 60 {
			text = text[:60] + "…"
		}
		return fmt.Sprintf("B %s (%d bytes)", text, len(a.Value))
	case *types.AttributeValueMemberL:
		var parts []string
		for _, e := range a.Value {
			parts = append(parts, show(e))
		}
		return "L [" + strings.Join(parts, ", ") + "]"
	case *types.AttributeValueMemberM:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(a.Value)) {
			parts = append(parts, name+": "+show(a.Value[name]))
		}
		return "M {" + strings.Join(parts, ", ") + "}"
	}
	return typeOf(a)
}
