package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tidegate/tidegate"

// rule is one row of the package table: what a package may import of this
// module, which libraries, and why no more.
type rule struct {
	// inside are packages of this module.
	inside []string
	// outside are modules of others (a prefix of the import path).
	outside []string
	// pure packages start no goroutine and touch no channel, clock, random source,
	// socket or logger: what they need comes in with the input.
	pure bool
	// suite packages are imported by tests alone, and so may import testing.
	suite  bool
	reason string
}

// rules is the package table. An arrow that is not here does not exist; a
// package that is not here may not exist. Whoever adds one adds its reason.
var rules = map[string]rule{
	"protocol": {
		outside: []string{"github.com/vmihailenco/msgpack/v5"},
		pure:    true,
		reason:  "the shared vocabulary: everybody may speak it, so it may depend on nobody",
	},
	"compress": {
		outside: []string{"github.com/klauspost/compress"},
		reason:  "knows bytes, not frames: usable below the protocol and beside it",
	},
	"merge": {
		inside:  []string{"protocol"},
		outside: []string{"cel.dev/cel-go", "github.com/santhosh-tekuri/jsonschema/v6", "golang.org/x/text", "github.com/vmihailenco/msgpack/v5"},
		pure:    true,
		reason:  "decides meaning: the same log must give the same bytes everywhere, so nothing that varies may reach it",
	},
	"merge/oracle": {
		inside: []string{"protocol", "merge"},
		reason: "the deliberately dumb second opinion: it takes merge's schema (what was asked) and none of its merging (what was answered)",
	},
	"merge/typescript": {
		inside: []string{"protocol", "merge"},
		reason: "writes a schema as TypeScript: it asks merge what the fields are and reads the JSON for the rest",
	},
	"space": {
		inside:  []string{"protocol", "merge"},
		outside: []string{"github.com/vmihailenco/msgpack/v5"},
		reason:  "decides order and owns the Store contract; stores know it, it knows no store but its own in memory",
	},
	"space/storetest": {
		inside: []string{"protocol", "space"},
		suite:  true,
		reason: "one conformance suite for every store: it knows the contract and no store",
	},
	"session": {
		inside:  []string{"protocol"},
		outside: []string{"github.com/vmihailenco/msgpack/v5"},
		pure:    true,
		reason:  "decides delivery: a state machine that the simulator can drive without sockets or spaces",
	},
	"bolt": {
		inside:  []string{"protocol", "space"},
		outside: []string{"go.etcd.io/bbolt", "github.com/vmihailenco/msgpack/v5"},
		reason:  "a store: remembers bytes under the contract, never merges",
	},
	"dynamo": {
		// compress: what is billed by the kilobyte is packed, by the coder whose every
		// decode is bounded.
		inside:  []string{"protocol", "space", "compress"},
		outside: []string{"github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go"},
		reason:  "a store: remembers bytes under the contract, never merges",
	},
	"transfer": {
		// compress: an export is packed by the coder whose every decode is bounded.
		inside: []string{"protocol", "space", "compress"},
		reason: "moves spaces between any two stores: it knows the Store contract and no store",
	},
	"access": {
		inside:  []string{"protocol"},
		outside: []string{"github.com/golang-jwt/jwt/v5", "github.com/MicahParks/keyfunc/v3", "github.com/MicahParks/jwkset", "cel.dev/cel-go", "golang.org/x/time"},
		reason:  "who may do what, decided in one place that knows neither sockets nor data",
	},
	"cluster": {
		outside: []string{"github.com/nats-io/nats-server/v2", "github.com/nats-io/nats.go"},
		reason:  "carries bytes between gateways; what they mean, and what may depend on them, is decided elsewhere",
	},
	"cluster/clustertest": {
		inside: []string{"cluster"},
		suite:  true,
		reason: "one conformance suite for every bus: it knows the contract and no bus",
	},
	"gateway": {
		inside: []string{"protocol", "compress", "merge", "space", "session", "access"},
		outside: []string{
			"github.com/coder/websocket", "github.com/prometheus/client_golang", "github.com/prometheus/client_model",
			"golang.org/x/time",
		},
		reason: "moves bytes between the cores; which store it has is main's choice",
	},
	"client": {
		inside: []string{"protocol", "compress", "merge"},
		outside: []string{
			"github.com/coder/websocket", "go.etcd.io/bbolt", "github.com/vmihailenco/msgpack/v5",
		},
		reason: "a library for applications: no part of the server may come with it",
	},
	"loadtest": {
		inside: []string{"client", "protocol", "compress", "merge", "merge/oracle"},
		outside: []string{
			"github.com/schollz/progressbar/v3", "github.com/HdrHistogram/hdrhistogram-go", "github.com/coder/websocket",
			"golang.org/x/time", "golang.org/x/term",
		},
		reason: "judges a gateway from outside: it runs the binary and never links the gateway that it judges",
	},
	"internal/tape": {
		inside: []string{"protocol"},
		reason: "writes down what a client's core was given and what it answered, as vectors: the client's own tests use it, so it knows no client",
	},
	"internal/sim": {
		inside: []string{"protocol", "compress", "merge", "merge/oracle", "space", "session", "client", "internal/tape"},
		reason: "runs the pure cores and the store in memory in one goroutine, from a seed; a socket would end its determinism",
	},
	"internal/engine": {
		suite:  true,
		reason: "a DynamoDB for tests, and faults on the way to it: it knows the wire and no store",
	},
	"": {
		inside: []string{
			"protocol", "compress", "merge", "merge/typescript", "space", "session", "bolt", "dynamo", "access", "cluster", "transfer", "gateway", "client", "loadtest",
		},
		outside: []string{
			"github.com/alecthomas/kong", "github.com/prometheus/client_golang", "github.com/schollz/progressbar/v3", "golang.org/x/term",
		},
		reason: "flags → config → wiring → shutdown: the only place that knows everybody",
	},
}

// forbiddenNames are names of packages that say nothing about what is in them.
var forbiddenNames = []string{"util", "utils", "common", "types", "helpers", "helper", "models", "misc", "base", "shared"}

// impure are packages of the standard library that bring what varies from run
// to run into a package that must not.
var impure = []string{"context", "crypto/rand", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http"}

// TestImports checks every import of every package against the table.
func TestImports(t *testing.T) {
	packages := parsePackages(t)
	for dir, files := range packages {
		rule, known := rules[dir]
		if !known {
			t.Errorf("package %q has no row in the package table: give it one, with a reason", dir)
			continue
		}
		for name, file := range files {
			for _, spec := range file.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				if why := objection(rule, imported); why != "" {
					t.Errorf("%s imports %s: %s\n\tthe rule of %q: %s", name, imported, why, dir, rule.reason)
				}
			}
			if rule.pure {
				checkPure(t, name, file)
			}
		}
	}
	for dir := range rules {
		if _, exists := packages[dir]; !exists {
			t.Errorf("the package table has a row for %q, which does not exist", dir)
		}
	}
}

// TestPackages checks names and that each package says what it is for.
func TestPackages(t *testing.T) {
	for dir, files := range parsePackages(t) {
		for part := range strings.SplitSeq(dir, "/") {
			if slices.Contains(forbiddenNames, part) {
				t.Errorf("package %q: the name %q says nothing about what is in it", dir, part)
			}
		}
		if dir == "" {
			continue // main documents itself in main.go
		}
		doc, exists := files[path.Join(dir, "doc.go")]
		if !exists {
			t.Errorf("package %q has no doc.go", dir)
			continue
		}
		if doc.Doc == nil || !strings.HasPrefix(doc.Doc.Text(), "Package "+doc.Name.Name+" ") {
			t.Errorf("%s/doc.go does not begin with \"Package %s …\"", dir, doc.Name.Name)
		}
	}
}

// TestObjection is the proof that TestImports can fail.
func TestObjection(t *testing.T) {
	for _, c := range []struct {
		dir, imported string
		refused       bool
	}{
		{"merge", module + "/protocol", false},
		{"merge", module + "/space", true},
		{"protocol", module + "/merge", true},
		{"bolt", module + "/merge", true},
		{"dynamo", module + "/merge", true},
		{"client", module + "/gateway", true},
		{"client", module, true},
		{"loadtest", module + "/gateway", true},
		{"loadtest", module + "/merge/oracle", false},
		{"gateway", module + "/bolt", true},
		{"gateway", module + "/cluster", true},
		{"cluster", module + "/space", true},
		{"session", "time", false},
		{"session", "log/slog", true},
		{"session", "github.com/coder/websocket", true},
		{"gateway", "github.com/coder/websocket", false},
		{"gateway", "golang.org/x/time/rate", false},
		{"compress", "github.com/klauspost/compress/zstd", false},
		{"compress", "github.com/klauspost/compressed", true},
		{"space", "testing", true},
		{"space/storetest", "testing", false},
	} {
		if got := objection(rules[c.dir], c.imported) != ""; got != c.refused {
			t.Errorf("%s importing %s: refused = %v, want %v", c.dir, c.imported, got, c.refused)
		}
	}
}

// objection returns why a package under rule may not import imported, or "".
func objection(rule rule, imported string) string {
	if imported == module || strings.HasPrefix(imported, module+"/") {
		inside := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
		if !slices.Contains(rule.inside, inside) {
			return "that arrow is not in the package table"
		}
		return ""
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		if imported == "testing" && !rule.suite {
			return "only suites that tests import may"
		}
		if rule.pure && slices.Contains(impure, imported) {
			return "a pure package may not touch it"
		}
		return ""
	}
	for _, allowed := range rule.outside {
		if imported == allowed || strings.HasPrefix(imported, allowed+"/") {
			return ""
		}
	}
	return "that library is not in the package table"
}

// checkPure objects to goroutines, channels, and clocks.
func checkPure(t *testing.T, name string, file *ast.File) {
	t.Helper()
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.Errorf("%s: a pure package starts no goroutine", name)
		case *ast.ChanType, *ast.SelectStmt, *ast.SendStmt:
			t.Errorf("%s: a pure package touches no channel", name)
		case *ast.SelectorExpr:
			if pkg, isName := n.X.(*ast.Ident); isName && pkg.Name == "time" &&
				slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}, n.Sel.Name) {
				t.Errorf("%s: time.%s: a pure package touches no clock", name, n.Sel.Name)
			}
		}
		return true
	})
}

// parsePackages parses all Go files that are not tests, by directory (relative,
// "" for the root) and path.
func parsePackages(t *testing.T) map[string]map[string]*ast.File {
	t.Helper()
	packages := map[string]map[string]*ast.File{}
	files := token.NewFileSet()
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			base := entry.Name()
			if name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(files, filepath.FromSlash(name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if dir == "." {
			dir = ""
		}
		if packages[dir] == nil {
			packages[dir] = map[string]*ast.File{}
		}
		packages[dir][name] = file
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}
