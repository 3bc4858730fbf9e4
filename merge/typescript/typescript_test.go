package typescript

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidegate/tidegate/merge"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// What is generated is compiled, and used rightly and wrongly, by the tests of the
// TypeScript client; this one says that it is what is generated now.
//
//	go test ./merge/typescript -update
func TestGenerate(t *testing.T) {
	for dir, name := range map[string]string{
		"testdata/shapes":        "shapes",
		"../testdata/calendar":   "calendar",
		"../testdata/everything": "everything",
	} {
		files, err := merge.ReadSchemaFiles(dir)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Generate(files, "../../../src/schema/index.js")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("..", "..", "client-ts", "test", "schema", "generated", name+".ts")
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what is generated now; -update rewrites it:\n%s", path, got)
		}
	}
}

func TestNames(t *testing.T) {
	files := map[string][]byte{
		"collections.json": []byte(`{"properties": {"a": {"type": "integer", "x-merge": "counter"}}}`),
		"Counter.json":     []byte(`{}`),
		"2fast.json":       []byte(`{}`),
		"a b.json":         []byte(`{}`),
		"a-b.json":         []byte(`{}`),
		"日本.json":          []byte(`{}`),
	}
	got, err := Generate(files, "@tidegate/client/schema")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`import type { Counter } from "@tidegate/client/schema";`,
		"export interface Collections2 {", "export interface Counter2 {}", "export interface Type2fast {}",
		"export interface AB {}", "export interface AB2 {}", "export interface Type {}",
		"  readonly collections: Collections2;", "  readonly Counter: Counter2;", `  readonly "2fast": Type2fast;`, `  readonly "a b": AB;`, `  readonly "a-b": AB2;`, `  readonly "日本": Type;`,
	} {
		if !strings.Contains(string(got), line) {
			t.Errorf("no line %q in\n%s", line, got)
		}
	}
	if _, err := Generate(map[string][]byte{"things.json": []byte(`{"x-merge-delete": "never"}`)}, "x"); err == nil || !strings.Contains(err.Error(), "unknown delete policy") {
		t.Error(err)
	}
}
