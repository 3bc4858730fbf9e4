package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestSchemaTypes runs the generator as people do; what it writes is tested where
// it is compiled, in client-ts.
func TestSchemaTypes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, filepath.Join("schema", "tasks.json"), `{"properties": {"title": {"type": "string"}, "votes": {"type": "integer", "x-merge": "counter"}}}`)
	r := tidegate(t, dir, nil, "schema", "types", "schema")
	for _, line := range []string{
		`import type { Counter } from "@tidegate/client/schema";`, "export interface Tasks {", "  readonly votes?: Counter;",
		"  readonly tasks: Tasks;", "export const schema = defineSchema<Collections>({",
	} {
		if r.status != 0 || !strings.Contains(r.stdout, line) {
			t.Errorf("exit status %d, no line %q in\n%s%s", r.status, line, r.stdout, r.stderr)
		}
	}
	if r := tidegate(t, dir, nil, "schema", "types", "--from", "../sync.js", "schema"); !strings.Contains(r.stdout, `from "../sync.js";`) {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
	write(t, dir, filepath.Join("wrong", "tasks.json"), `{"x-merge-delete": "never"}`)
	for path, want := range map[string]string{"wrong": "unknown delete policy", "nowhere": "no such file", "schema/tasks.json": "not a directory"} {
		if r := tidegate(t, dir, nil, "schema", "types", path); r.status != exitFailed || !strings.Contains(r.stderr, want) || r.stdout != "" {
			t.Errorf("%s: exit status %d\n%s%s", path, r.status, r.stdout, r.stderr)
		}
	}
}
