package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tidegate/tidegate/dynamo"
)

// tableWithin is how long making a table may take.
const tableWithin = 5 * time.Minute

// tableCommand groups what can be done with a table of DynamoDB.
type tableCommand struct {
	Create   tableCreateCommand   `cmd:"" help:"Make a table for --store dynamodb://TABLE."`
	Check    tableCheckCommand    `cmd:"" help:"Say whether a table can be used, and how to mend it if not."`
	Describe tableDescribeCommand `cmd:"" help:"Say what a table is like."`
}

// tableFlags name a table.
type tableFlags struct {
	Store string `required:"" placeholder:"dynamodb://TABLE" env:"TIDEGATE_STORE" help:"The table: dynamodb://TABLE?region=REGION&endpoint=URL. Without a region, AWS_REGION or the profile's counts; an endpoint is for another DynamoDB than AWS's."`
}

func (f *tableFlags) config() (dynamo.Config, error) {
	config, err := dynamo.ParseURL(f.Store)
	if err != nil {
		return config, usageError{fmt.Errorf("--store %q: %w", f.Store, err)}
	}
	return config, nil
}

// tableContext ends with a signal, or after a while.
func tableContext() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, tableWithin)
	return ctx, func() { cancel(); stop() }
}

// tableCreateCommand makes a table.
type tableCreateCommand struct {
	tableFlags
	Provisioned  string `placeholder:"READ,WRITE" help:"Provision so many capacity units a second; without it the table is billed on demand."`
	NoRecovery   bool   `help:"Without point-in-time recovery (on by default: the last 35 days can be restored, to the second)."`
	NoExpiry     bool   `help:"Without expiry of items (TTL on the attribute _expires; nothing sets it yet)."`
	KMSKey       string `name:"kms-key" placeholder:"KEY" help:"Encrypt with this key of your own (an id, ARN or alias/NAME) instead of DynamoDB's."`
	IfMissing    bool   `help:"Succeed if the table is there already and can be used."`
	AllowMissing bool   `help:"Succeed although the engine lacks something that was asked for, as engines for tests do."`
}

// Help teaches.
func (tableCreateCommand) Help() string {
	return `One table holds all tenants and spaces. It has a partition key _p and a sort key _k, both strings, and no index.

  tidegate table create --store 'dynamodb://tidegate?region=eu-central-1'
  tidegate table create --store 'dynamodb://tidegate?region=eu-central-1' --kms-key alias/tidegate
  tidegate table create --store 'dynamodb://test?endpoint=http://127.0.0.1:8000' --allow-missing

Credentials come from the SDK's default chain: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, the machine's
or the container's role. To make a table they must allow dynamodb:CreateTable, DescribeTable, UpdateTimeToLive and
UpdateContinuousBackups; a gateway needs only dynamodb:DescribeTable, GetItem, BatchGetItem, Query, PutItem, UpdateItem,
DeleteItem and BatchWriteItem on it, and export also dynamodb:Scan.`
}

// Run makes the table.
func (c *tableCreateCommand) Run(stdout io.Writer) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	options := dynamo.CreateOptions{Expiry: !c.NoExpiry, PointInTimeRecovery: !c.NoRecovery, KMSKey: c.KMSKey}
	if c.Provisioned != "" {
		n, err := fmt.Sscanf(c.Provisioned, "%d,%d", &options.ReadUnits, &options.WriteUnits)
		if err != nil || n != 2 || options.ReadUnits < 1 || options.WriteUnits < 1 ||
			c.Provisioned != fmt.Sprintf("%d,%d", options.ReadUnits, options.WriteUnits) {
			return usageError{fmt.Errorf("--provisioned %q: want two numbers from 1 on, such as 100,50", c.Provisioned)}
		}
	}
	ctx, cancel := tableContext()
	defer cancel()
	if c.IfMissing {
		if table, err := dynamo.Check(ctx, config); err == nil {
			fmt.Fprintf(stdout, "table %s is there already\n", table.Name)
			return nil
		}
	}
	missing, err := dynamo.Create(ctx, config, options)
	if err != nil {
		return tableUsage(err)
	}
	fmt.Fprintf(stdout, "table %s is ready: tidegate serve --store '%s'\n", config.Table, c.Store)
	for _, m := range missing {
		fmt.Fprintf(stdout, "without %s\n", m)
	}
	if len(missing) > 0 && !c.AllowMissing {
		return errors.New("the table was made, but not all that was asked for: where that does not matter, say so with --allow-missing")
	}
	return nil
}

// tableCheckCommand says whether a table can be used.
type tableCheckCommand struct{ tableFlags }

// Run checks.
func (c *tableCheckCommand) Run(stdout io.Writer) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	ctx, cancel := tableContext()
	defer cancel()
	table, err := dynamo.Check(ctx, config)
	if err != nil {
		return tableUsage(err)
	}
	fmt.Fprintf(stdout, "table %s can be used\n", table.Name)
	advise := func(f dynamo.Feature, format string) {
		if f.Err == nil && !f.On {
			fmt.Fprintf(stdout, format+"\n", table.Name, config.Region)
		}
	}
	advise(table.PointInTimeRecovery, "point-in-time recovery is off: a mistake cannot be undone; switch it on with: "+
		"aws dynamodb update-continuous-backups --table-name %s --region %s --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true")
	return nil
}

// tableDescribeCommand says what a table is like.
type tableDescribeCommand struct{ tableFlags }

// Run describes.
func (c *tableDescribeCommand) Run(stdout io.Writer) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	ctx, cancel := tableContext()
	defer cancel()
	t, err := dynamo.Describe(ctx, config)
	if err != nil {
		return tableUsage(err)
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("table", "%s", t.Name)
	row("region", "%s", t.Region)
	row("ARN", "%s", t.ARN)
	row("status", "%s", t.Status)
	row("keys", "%s", strings.Join(t.Keys, ", "))
	if t.Billing == "provisioned" {
		row("billing", "provisioned, %d read and %d write units a second", t.ProvisionedRead, t.ProvisionedWrite)
	} else {
		row("billing", "%s", t.Billing)
	}
	row("content", "%d items, %v (as of some hours ago)", t.Items, byteSize(t.Bytes))
	row("point-in-time recovery", "%v", t.PointInTimeRecovery)
	row("expiry of items", "%v", t.Expiry)
	if t.Encrypted.On {
		row("encryption", "with key %s", t.Encrypted.Detail)
	} else {
		row("encryption", "with DynamoDB's own key")
	}
	row("deletion protection", "%v", dynamo.Feature{On: t.DeletionProtected})
	if len(t.Replicas) > 0 {
		consistency := "eventually consistent: Tidegate refuses such a table"
		if t.StronglyConsistent {
			consistency = "strongly consistent"
		}
		row("replicas", "%s (%s)", strings.Join(t.Replicas, ", "), consistency)
	}
	return w.Flush()
}
