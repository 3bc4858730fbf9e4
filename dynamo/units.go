package dynamo

import (
	"errors"
	"math"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Operation is what a request was sent for.
type Operation string

// The operations.
const (
	OpAppend Operation = "append" // putting a commit into the log
	OpLog    Operation = "log"    // reading the log
	OpPut    Operation = "put"    // checkpoints, and the large values beside the log
	OpGet    Operation = "get"    // reading items by key
	OpScan   Operation = "scan"   // reading items in order
	OpTrim   Operation = "trim"   // removing what lies behind the horizon
	OpSpaces Operation = "spaces" // listing the spaces
	OpTable  Operation = "table"  // asking about the table, and making it
)

// Operations are all of them.
var Operations = []Operation{OpAppend, OpLog, OpPut, OpGet, OpScan, OpTrim, OpSpaces, OpTable}

// Call is one request to DynamoDB.
type Call struct {
	Op Operation
	// Action is DynamoDB's name for the request, such as "PutItem".
	Action string
	Took   time.Duration
	// Read and Write are the capacity units that it consumed, as DynamoDB told; for a
	// condition that did not hold it does not tell, and Write is what it bills.
	Read, Write float64
	// Unmet is true if the condition did not hold, Throttled if DynamoDB had no
	// capacity left.
	Unmet, Throttled bool
	// Err is the SDK's error.
	Err error
}

// Units are sums over the calls of an operation.
type Units struct {
	// Calls were sent, failed ones included; Retries are those of them that repeated
	// another.
	Calls, Retries uint64
	// Throttled, Unmet and Failed count what became of those that did not succeed.
	Throttled, Unmet, Failed uint64
	// Read and Write are capacity units; see Call.
	Read, Write float64
}

// Add adds other to u.
func (u *Units) Add(other Units) {
	u.Calls += other.Calls
	u.Retries += other.Retries
	u.Throttled += other.Throttled
	u.Unmet += other.Unmet
	u.Failed += other.Failed
	u.Read += other.Read
	u.Write += other.Write
}

// Units returns what each operation has consumed since the store was opened.
func (s *Store) Units() map[Operation]Units {
	s.units.mu.Lock()
	defer s.units.mu.Unlock()
	all := make(map[Operation]Units, len(s.units.sums))
	for op, u := range s.units.sums {
		all[op] = *u
	}
	return all
}

// meter sums up calls.
type meter struct {
	observe func(Call)
	mu      sync.Mutex
	sums    map[Operation]*Units // guarded by mu
}

func newMeter(observe func(Call)) *meter {
	m := &meter{observe: observe, sums: make(map[Operation]*Units)}
	for _, op := range Operations {
		m.sums[op] = new(Units)
	}
	return m
}

func (m *meter) add(c Call) {
	sum := Units{Calls: 1, Read: c.Read, Write: c.Write}
	switch {
	case c.Unmet:
		sum.Unmet = 1
	case c.Throttled:
		sum.Throttled = 1
	case c.Err != nil:
		sum.Failed = 1
	}
	m.mu.Lock()
	m.sums[c.Op].Add(sum)
	m.mu.Unlock()
	if m.observe != nil {
		m.observe(c)
	}
}

func (m *meter) retried(op Operation) {
	m.mu.Lock()
	m.sums[op].Retries++
	m.mu.Unlock()
}

// consumed returns the capacity units of an answer.
func consumed(out any) (read, write float64) {
	units := func(all ...types.ConsumedCapacity) (sum float64) {
		for _, c := range all {
			if c.CapacityUnits != nil {
				sum += *c.CapacityUnits
			}
		}
		return sum
	}
	one := func(c *types.ConsumedCapacity) float64 {
		if c == nil {
			return 0
		}
		return units(*c)
	}
	switch out := out.(type) {
	case *dynamodb.PutItemOutput:
		return 0, one(out.ConsumedCapacity)
	case *dynamodb.UpdateItemOutput:
		return 0, one(out.ConsumedCapacity)
	case *dynamodb.DeleteItemOutput:
		return 0, one(out.ConsumedCapacity)
	case *dynamodb.BatchWriteItemOutput:
		return 0, units(out.ConsumedCapacity...)
	case *dynamodb.BatchGetItemOutput:
		return units(out.ConsumedCapacity...), 0
	case *dynamodb.GetItemOutput:
		return one(out.ConsumedCapacity), 0
	case *dynamodb.QueryOutput:
		return one(out.ConsumedCapacity), 0
	case *dynamodb.ScanOutput:
		return one(out.ConsumedCapacity), 0
	}
	return 0, 0
}

// unmetUnits is what a conditional write is billed whose condition did not hold.
func unmetUnits(in any, err error) float64 {
	size := 0
	switch in := in.(type) {
	case *dynamodb.PutItemInput:
		size = sizeOf(in.Item)
	case *dynamodb.UpdateItemInput:
		size = sizeOf(in.Key)
	}
	var unmet *types.ConditionalCheckFailedException
	if errors.As(err, &unmet) {
		size = max(size, sizeOf(unmet.Item))
	}
	return max(1, math.Ceil(float64(size)/1024))
}

// sizeOf is the size of an item by DynamoDB's rules: names and values in UTF-8,
// a number about a byte for two digits, 3 bytes for a list or a map and 1 for
// each element.
func sizeOf(a attributes) int {
	size := 0
	for name, v := range a {
		size += len(name) + valueSize(v)
	}
	return size
}

func valueSize(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return len(v.Value)/2 + 2
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberL:
		size := 3
		for _, e := range v.Value {
			size += 1 + valueSize(e)
		}
		return size
	case *types.AttributeValueMemberM:
		size := 3
		for name, e := range v.Value {
			size += 1 + len(name) + valueSize(e)
		}
		return size
	}
	return 1
}

// mean is a running mean of sizes.
type mean struct {
	mu    sync.Mutex
	value float64
}

// note takes in count things of size bytes together.
func (m *mean) note(size, count int) {
	if count == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := float64(size) / float64(count)
	if m.value == 0 {
		m.value = now
	}
	m.value += (now - m.value) * min(1, float64(count)/32)
}

// count is how many things about fill so many bytes: one at least, and as many as
// are worth a request.
func (m *mean) count(bytes int) int32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	each := max(m.value, 1)
	if m.value == 0 {
		each = 512
	}
	return int32(max(1, min(float64(bytes)/each+1, 4096)))
}
