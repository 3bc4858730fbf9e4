package dynamo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// attrExpires is the attribute that DynamoDB's expiry looks at, once it is
// switched on: seconds since 1970. Tidegate sets it on nothing: what it trims it
// deletes, as a stamp would cost the same write.
const attrExpires = "_expires"

// pollTable is how often a table that is not ready is looked at again.
const pollTable = 500 * time.Millisecond

// Table describes a table.
type Table struct {
	Name, ARN, Region string
	// Status is DynamoDB's: ACTIVE once it can be used.
	Status string
	// Keys are the key attributes with their types, such as "_p S".
	Keys []string
	// Billing is "on-demand" or "provisioned".
	Billing                                string
	ProvisionedRead, ProvisionedWrite      int64
	Items, Bytes                           int64 // as of the last few hours
	Replicas                               []string
	StronglyConsistent                     bool // of the replicas
	DeletionProtected                      bool
	Expiry, PointInTimeRecovery, Encrypted Feature
}

// Feature says whether something is switched on.
type Feature struct {
	On bool
	// Detail is what for: the attribute, the key.
	Detail string
	// Err says why it is not known.
	Err error
}

// String shows the feature to people.
func (f Feature) String() string {
	switch {
	case f.Err != nil:
		return fmt.Sprintf("not known (%v)", reason(f.Err))
	case f.On && f.Detail != "":
		return "on, " + f.Detail
	case f.On:
		return "on"
	}
	return "off"
}

// Describe asks about a table.
func Describe(ctx context.Context, config Config) (*Table, error) {
	s, err := connect(ctx, config)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	d, err := s.describe(ctx)
	if err != nil {
		return nil, err
	}
	return s.table(ctx, d), nil
}

// Check asks about a table, and refuses what [Open] would.
func Check(ctx context.Context, config Config) (*Table, error) {
	s, err := connect(ctx, config)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	d, err := s.describe(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.checkTable(d); err != nil {
		return nil, err
	}
	return s.table(ctx, d), nil
}

// CreateOptions say how a table is made.
type CreateOptions struct {
	// ReadUnits and WriteUnits provision capacity; 0 for on-demand billing.
	ReadUnits, WriteUnits int64
	// Expiry and PointInTimeRecovery switch those on.
	Expiry, PointInTimeRecovery bool
	// KMSKey is the id, ARN or alias of a key of the account's own; empty for
	// DynamoDB's.
	KMSKey string
}

// Create makes a table and returns once it can be used. What the engine does not
// support is returned as missing, a sentence each; the table is there all the same.
func Create(ctx context.Context, config Config, options CreateOptions) (missing []string, err error) {
	s, err := connect(ctx, config)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	in := &dynamodb.CreateTableInput{
		TableName: &config.Table,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String(attrPartition), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String(attrSort), AttributeType: types.ScalarAttributeTypeS},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String(attrPartition), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(attrSort), KeyType: types.KeyTypeRange},
		},
		BillingMode: types.BillingModePayPerRequest,
	}
	if options.ReadUnits > 0 || options.WriteUnits > 0 {
		in.BillingMode = types.BillingModeProvisioned
		in.ProvisionedThroughput = &types.ProvisionedThroughput{
			ReadCapacityUnits:  aws.Int64(max(options.ReadUnits, 1)),
			WriteCapacityUnits: aws.Int64(max(options.WriteUnits, 1)),
		}
	}
	if options.KMSKey != "" {
		in.SSESpecification = &types.SSESpecification{
			Enabled: aws.Bool(true), SSEType: types.SSETypeKms, KMSMasterKeyId: &options.KMSKey,
		}
	}
	if _, _, err := once(ctx, s, OpTable, "CreateTable", s.client.CreateTable, in); err != nil {
		var exists *types.ResourceInUseException
		if errors.As(err, &exists) {
			return nil, fmt.Errorf("%v exists already; look at it with: tidegate table check --store '%s'", s.where, s.where.URL())
		}
		return nil, err
	}
	described, err := s.awaitActive(ctx)
	if err != nil {
		return nil, err
	}
	if options.KMSKey != "" && (described.SSEDescription == nil || described.SSEDescription.KMSMasterKeyArn == nil) {
		missing = append(missing, "encryption with a key of one's own: the engine took no notice of the key")
	}
	if options.PointInTimeRecovery {
		_, _, err := repeated(ctx, s, OpTable, "UpdateContinuousBackups", s.client.UpdateContinuousBackups, &dynamodb.UpdateContinuousBackupsInput{
			TableName:                        &config.Table,
			PointInTimeRecoverySpecification: &types.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: aws.Bool(true)},
		})
		if err != nil {
			missing = append(missing, fmt.Sprintf("point-in-time recovery: %v", reason(err)))
		}
	}
	if options.Expiry {
		_, _, err := repeated(ctx, s, OpTable, "UpdateTimeToLive", s.client.UpdateTimeToLive, &dynamodb.UpdateTimeToLiveInput{
			TableName:               &config.Table,
			TimeToLiveSpecification: &types.TimeToLiveSpecification{Enabled: aws.Bool(true), AttributeName: aws.String(attrExpires)},
		})
		if err != nil {
			missing = append(missing, fmt.Sprintf("expiry of items (TTL): %v", reason(err)))
		}
	}
	return missing, ctx.Err()
}

// describe asks about the table.
func (s *Store) describe(ctx context.Context) (*types.TableDescription, error) {
	out, _, err := repeated(ctx, s, OpTable, "DescribeTable", s.client.DescribeTable, &dynamodb.DescribeTableInput{TableName: &s.config.Table})
	if err != nil {
		return nil, err
	}
	return s.description(out)
}

// description is what an answer says of the table.
func (s *Store) description(out *dynamodb.DescribeTableOutput) (*types.TableDescription, error) {
	if out.Table == nil {
		return nil, fmt.Errorf("%v: the answer to DescribeTable is empty", s.where)
	}
	return out.Table, nil
}

// awaitActive returns once the table can be used.
func (s *Store) awaitActive(ctx context.Context) (*types.TableDescription, error) {
	for {
		d, err := s.describe(ctx)
		switch {
		case err == nil && d.TableStatus == types.TableStatusActive:
			return d, nil
		case err != nil && !errors.Is(err, ErrNoTable): // reading one's own write may take a moment
			return nil, err
		}
		if err := sleep(ctx, pollTable); err != nil {
			return nil, err
		}
	}
}

// checkTable refuses a table that Tidegate cannot use.
func (s *Store) checkTable(d *types.TableDescription) error {
	refuse := func(kind error, format string, args ...any) error {
		return &TableError{place: s.where, Kind: kind, Err: fmt.Errorf(format, args...)}
	}
	want := attrPartition + " S, " + attrSort + " S"
	if got := strings.Join(keysOf(d), ", "); got != want {
		return refuse(ErrSchema, "its keys are %s, and should be %s", got, want)
	}
	switch d.TableStatus {
	case types.TableStatusActive, types.TableStatusUpdating:
	default:
		return refuse(ErrNotReady, "it is %s", d.TableStatus)
	}
	if regions := replicas(d); len(regions) > 0 && d.MultiRegionConsistency != types.MultiRegionConsistencyStrong {
		return refuse(ErrReplicas, "replicas in %s", strings.Join(regions, ", "))
	}
	return nil
}

// keysOf are the key attributes with their types, the partition key first.
func keysOf(d *types.TableDescription) []string {
	var keys []string
	for _, kind := range []types.KeyType{types.KeyTypeHash, types.KeyTypeRange} {
		for _, k := range d.KeySchema {
			if k.KeyType != kind {
				continue
			}
			text := aws.ToString(k.AttributeName)
			for _, a := range d.AttributeDefinitions {
				if aws.ToString(a.AttributeName) == text {
					text += " " + string(a.AttributeType)
					break
				}
			}
			keys = append(keys, text)
		}
	}
	return keys
}

// replicas are the regions of a global table's other tables. Those of the first
// version of global tables are named by nothing but that version.
func replicas(d *types.TableDescription) []string {
	var regions []string
	for _, r := range d.Replicas {
		regions = append(regions, aws.ToString(r.RegionName))
	}
	if len(regions) == 0 && aws.ToString(d.GlobalTableVersion) == "2017.11.29" {
		return []string{"other regions (version 2017.11.29)"}
	}
	return regions
}

// table completes a description.
func (s *Store) table(ctx context.Context, d *types.TableDescription) *Table {
	t := &Table{
		Name:               aws.ToString(d.TableName),
		ARN:                aws.ToString(d.TableArn),
		Region:             s.where.Region,
		Status:             string(d.TableStatus),
		Keys:               keysOf(d),
		Billing:            "provisioned",
		Items:              aws.ToInt64(d.ItemCount),
		Bytes:              aws.ToInt64(d.TableSizeBytes),
		Replicas:           replicas(d),
		StronglyConsistent: d.MultiRegionConsistency == types.MultiRegionConsistencyStrong,
		DeletionProtected:  aws.ToBool(d.DeletionProtectionEnabled),
	}
	if d.BillingModeSummary != nil && d.BillingModeSummary.BillingMode == types.BillingModePayPerRequest {
		t.Billing = "on-demand"
	} else if d.ProvisionedThroughput != nil {
		t.ProvisionedRead = aws.ToInt64(d.ProvisionedThroughput.ReadCapacityUnits)
		t.ProvisionedWrite = aws.ToInt64(d.ProvisionedThroughput.WriteCapacityUnits)
	}
	if e := d.SSEDescription; e != nil && e.KMSMasterKeyArn != nil {
		t.Encrypted = Feature{On: true, Detail: *e.KMSMasterKeyArn}
	}
	ttl, _, err := repeated(ctx, s, OpTable, "DescribeTimeToLive", s.client.DescribeTimeToLive, &dynamodb.DescribeTimeToLiveInput{TableName: &s.config.Table})
	t.Expiry.Err = err
	if err == nil && ttl.TimeToLiveDescription != nil {
		status := ttl.TimeToLiveDescription.TimeToLiveStatus
		t.Expiry.On = status == types.TimeToLiveStatusEnabled || status == types.TimeToLiveStatusEnabling
		t.Expiry.Detail = "attribute " + aws.ToString(ttl.TimeToLiveDescription.AttributeName)
	}
	backups, _, err := repeated(ctx, s, OpTable, "DescribeContinuousBackups", s.client.DescribeContinuousBackups, &dynamodb.DescribeContinuousBackupsInput{TableName: &s.config.Table})
	t.PointInTimeRecovery.Err = err
	if err == nil && backups.ContinuousBackupsDescription != nil {
		if p := backups.ContinuousBackupsDescription.PointInTimeRecoveryDescription; p != nil {
			t.PointInTimeRecovery.On = p.PointInTimeRecoveryStatus == types.PointInTimeRecoveryStatusEnabled
		}
	}
	return t
}
