package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidegate/tidegate/client"
	"github.com/tidegate/tidegate/dynamo"
	"github.com/tidegate/tidegate/internal/engine"
	"github.com/tidegate/tidegate/protocol"
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
	} {
		r := tidegate(t, dir, e.Env(), "serve", "--listen", "127.0.0.1:0", "--store", store)
		if r.status == exitOK || !strings.Contains(r.stderr, says) || strings.Contains(r.stdout, "listening") {
			t.Errorf("--store %s: status %d:\n%s%s", store, r.status, r.stdout, r.stderr)
		}
	}
}

// A table that cannot be reached when the gateway starts is waited for: devices
// connect, are told, and keep their edits until it is there. If it is none of
// ours, that ends the gateway.
func TestServeWaitsForItsTable(t *testing.T) {
	e := engine.Need(t, engine.Dynoxide)
	target, err := url.Parse(e.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	var up atomic.Bool
	forward := httputil.NewSingleHostReverseProxy(target)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(endpoint.Close)
	at := func(store string) string { return strings.Replace(store, e.Endpoint, endpoint.URL, 1) }
	dir, store := t.TempDir(), storeOf(t, e)
	if r := tidegate(t, dir, e.Env(), "table", "create", "--store", store, "--allow-missing"); r.status != exitOK {
		t.Fatal(r.stderr)
	}
	args := []string{"serve", "--listen", "127.0.0.1:0", "--store"}
	p := serve(t, dir, e.Env(), append(args, at(store))...)
	missing := serve(t, dir, e.Env(), append(args, at(storeOf(t, e)))...)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	device, err := client.Open(ctx, client.Options{URL: "ws://" + p.address, Store: client.MemoryStore()})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	write, err := device.Space("board", client.SpaceOptions{}).Collection("cards").Create(ctx, "1", map[string]any{"title": "x"})
	if err != nil {
		t.Fatal(err)
	}
	for status := range device.StatusChanges(ctx) {
		if code := (*protocol.Error)(nil); errors.As(status.LastError, &code) && code.Code == protocol.CodeUnavailable {
			break
		}
	}
	if ready, err := http.Get("http://" + p.address + "/readyz"); err != nil || ready.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %v, %v", ready, err)
	}
	up.Store(true)
	if _, err := write.Durable(ctx); err != nil {
		t.Fatalf("%v\n%s", err, p.said())
	}
	if status := p.end(t); status != exitOK {
		t.Errorf("status %d:\n%s", status, p.said())
	}
	select {
	case <-missing.exited:
	case <-ctx.Done():
		t.Fatalf("a gateway without a table goes on:\n%s", missing.said())
	}
	if said := missing.said(); missing.cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(said, "tidegate table create") {
		t.Errorf("status %d:\n%s", missing.cmd.ProcessState.ExitCode(), said)
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
