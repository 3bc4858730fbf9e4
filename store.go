package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/tidegate/tidegate/bolt"
	"github.com/tidegate/tidegate/dynamo"
	"github.com/tidegate/tidegate/space"
)

// storeWithin is how long opening a store may take: finding credentials and
// asking about a table go over networks.
const storeWithin = 30 * time.Second

// closingStore is a store with its end.
type closingStore interface {
	space.Store
	io.Closer
}

// openedStore is what a --store names.
type openedStore struct {
	closingStore
	// exclusive is true if nobody else can append to it.
	exclusive bool
}

// openStore opens the store that name says: file:PATH, memory: or
// dynamodb://TABLE. What others wrote into it is logged.
func openStore(ctx context.Context, name string, log *slog.Logger) (*openedStore, error) {
	kind, path, _ := strings.Cut(name, ":")
	switch {
	case kind == "memory" && path == "":
		return &openedStore{new(space.Memory), true}, nil
	case kind == "file" && path != "":
		store, err := bolt.Open(path)
		if err != nil {
			return nil, err
		}
		return &openedStore{store, true}, nil
	case kind == dynamo.Scheme:
		config, err := dynamo.ParseURL(name)
		if err != nil {
			return nil, usageError{fmt.Errorf("--store %q: %w", name, err)}
		}
		config.Report = func(r dynamo.Report) { logReport(log, r) }
		ctx, cancel := context.WithTimeout(ctx, storeWithin)
		defer cancel()
		store, err := dynamo.Open(ctx, config)
		if err != nil {
			return nil, tableUsage(err)
		}
		return &openedStore{store, false}, nil
	default:
		return nil, usageError{fmt.Errorf("--store %q: want file:PATH, such as file:tidegate.db, dynamodb://TABLE?region=REGION, or memory: to keep nothing", name)}
	}
}

// existingStore opens a store that must be there already.
func existingStore(ctx context.Context, name string, log *slog.Logger) (*openedStore, error) {
	if path, isFile := strings.CutPrefix(name, "file:"); isFile && path != "" {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("--store: %w", err) // opening it would make it
		}
	}
	if name == "memory:" {
		return nil, usageError{errors.New("--store memory: holds nothing to look at")}
	}
	return openStore(ctx, name, log)
}

// tableUsage tells what was asked wrongly from what went wrong.
func tableUsage(err error) error {
	if errors.Is(err, dynamo.ErrConfig) {
		return usageError{err}
	}
	return err
}

// logReport logs an item that somebody else changed.
func logReport(log *slog.Logger, r dynamo.Report) {
	item := r.Item.String()
	if r.Seq > 0 {
		item = fmt.Sprintf("commit %d", r.Seq)
	}
	log.Error("somebody else changed an item of the table; it is left as it is",
		"tenant", r.Key.Tenant, "space", r.Key.Space, "item", item,
		"attributes", strings.Join(r.Attributes, ", "), "kept", r.Kept, "err", r.Err)
}
