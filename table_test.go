package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/dynamo"
	"github.com/tidegate/tidegate/internal/engine"
	"github.com/tidegate/tidegate/space"
)

// storeOf names a table that is not there yet.
func storeOf(t *testing.T, e *engine.Engine) string {
	return fmt.Sprintf("dynamodb://%s?region=%s&endpoint=%s", e.Table(t), engine.Region, e.Endpoint)
}

// The commands make a table, look at it, and say what they miss.
func TestTableCommands(t *testing.T) {
	engine.Each(t, func(t *testing.T, e *engine.Engine) {
		dir, store := t.TempDir(), storeOf(t, e)
		table := func(status int, says string, args ...string) {
			t.Helper()
			r := tidegate(t, dir, e.Env(), append([]string{"table"}, args...)...)
			if r.status != status || !strings.Contains(r.stdout+r.stderr, says) {
				t.Errorf("table %q: status %d, want %d and %q:\n%s%s", args, r.status, status, says, r.stdout, r.stderr)
			}
		}
		table(exitFailed, "tidegate table create --store '"+store+"'", "check", "--store", store)
		// Neither engine has point-in-time recovery.
		table(exitFailed, "without point-in-time recovery", "create", "--store", store)
		table(exitFailed, "exists already", "create", "--store", store)
		table(exitOK, "can be used", "check", "--store", store)
		table(exitOK, "_p S, _k S", "describe", "--store", store)
		table(exitOK, "on-demand", "describe", "--store", store)

		table(exitOK, "without point-in-time recovery", "create", "--store", storeOf(t, e), "--allow-missing")
		provisioned := storeOf(t, e)
		table(exitOK, "is ready: tidegate serve --store '"+provisioned+"'", "create", "--store", provisioned, "--provisioned", "7,5", "--no-recovery", "--no-expiry")
		table(exitOK, "7 read and 5 write units", "describe", "--store", provisioned)

		table(exitUsage, "want two numbers", "create", "--store", store, "--provisioned", "7")
		table(exitUsage, "want two numbers", "create", "--store", store, "--provisioned", "7,0")
		table(exitUsage, `unknown parameter "regoin"`, "create", "--store", "dynamodb://table?regoin=x")
		table(exitUsage, "3 to 255", "check", "--store", "dynamodb://t")
		table(exitUsage, "dynamodb://", "check", "--store", "file:x.db")
	})
}

// serve refuses a table that it cannot use, before it listens, and says what
// mends it.
func TestServeRefusesTables(t *testing.T) {
	e := engine.Need(t, engine.Dynoxide)
	dir, missing := t.TempDir(), storeOf(t, e)
	for store, says := range map[string]string{
		missing:                         "tidegate table create --store '" + missing + "'",
		"dynamodb://table?region=x&y=z": "unknown parameter",
		"dynamodb:table":                "want dynamodb://TABLE",
		"dynamodb://table?region=" + engine.Region + "&endpoint=http://127.0.0.1:1": "cannot be reached",
	} {
		r := tidegate(t, dir, e.Env(), "serve", "--listen", "127.0.0.1:0", "--store", store)
		if r.status == exitOK || !strings.Contains(r.stderr, says) || strings.Contains(r.stdout, "listening") {
			t.Errorf("--store %s: status %d:\n%s%s", store, r.status, r.stdout, r.stderr)
		}
	}
}

// The same is said of an item once in a while, however often it is met.
func TestReports(t *testing.T) {
	var said bytes.Buffer
	l := &reportLog{log: slog.New(slog.NewTextHandler(&said, nil))}
	r := dynamo.Report{
		Key: space.Key{Tenant: "acme", Space: "board"}, Item: space.ItemKey{Kind: space.ItemRecord, A: "tasks", B: "1"},
		Attributes: []string{"title"}, Err: errors.New("why"),
	}
	for range 3 {
		l.report(r)
	}
	r.Attributes = []string{"title", "done"}
	l.report(r)
	text := said.String()
	if strings.Count(text, "\n") != 2 || !strings.Contains(text, "title, done") || !strings.Contains(text, "space=board") || !strings.Contains(text, "err=why") {
		t.Errorf("said was:\n%s", text)
	}
}
