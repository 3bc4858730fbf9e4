package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
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
	return open(ctx, name, log, false)
}

// openLate is openStore for who can wait until a table can be reached.
func openLate(ctx context.Context, name string, log *slog.Logger) (*openedStore, error) {
	return open(ctx, name, log, true)
}

func open(ctx context.Context, name string, log *slog.Logger, late bool) (*openedStore, error) {
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
		config.Report, config.Late = (&reportLog{log: log}).report, late
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

const (
	// reportEvery is how often the same is said of an item, however often it is met.
	reportEvery = time.Hour
	// maxReports bounds what is remembered of what was said.
	maxReports = 10_000
)

// reportLog logs items that somebody else changed.
type reportLog struct {
	log  *slog.Logger
	mu   sync.Mutex
	said map[string]time.Time // guarded by mu
}

func (l *reportLog) report(r dynamo.Report) {
	item := r.Item.String()
	if r.Seq > 0 {
		item = fmt.Sprintf("commit %d", r.Seq)
	}
	attributes := strings.Join(r.Attributes, ", ")
	if !l.first(fmt.Sprintf("%q %s %s %v", r.Key, item, attributes, r.Kept)) {
		return
	}
	l.log.Error("somebody else changed an item of the table; it is left as it is",
		"tenant", r.Key.Tenant, "space", r.Key.Space, "item", item, "attributes", attributes, "kept", r.Kept, "err", r.Err)
}

// first reports whether what is not on record as said lately, and records it.
func (l *reportLog) first(what string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.said[what]; ok && time.Since(at) < reportEvery {
		return false
	}
	if l.said == nil || len(l.said) >= maxReports {
		l.said = make(map[string]time.Time)
	}
	l.said[what] = time.Now()
	return true
}
