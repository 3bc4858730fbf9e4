package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme runs what the README shows: its program against a gateway, and its
// schema through the check.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		found := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllSubmatch(readme, -1)
		if len(found) != 1 {
			t.Fatalf("the README has %d blocks of %s, want one", len(found), language)
		}
		return string(found[0][1])
	}

	dir := t.TempDir()
	g := serve(t, dir, nil, "--listen", "127.0.0.1:0", "--store", "memory:")
	const address = "127.0.0.1:8787"
	program := block("go")
	if !strings.Contains(program, address) {
		t.Fatalf("the README's program does not connect to %s", address)
	}
	file := write(t, dir, "main.go", strings.ReplaceAll(program, address, g.address))
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	run := exec.CommandContext(ctx, "go", "run", file) // in this module, for its packages
	output, err := run.CombinedOutput()
	if err != nil || string(output) != block("text") {
		t.Errorf("the README's program printed, with %v:\n%s\nwant:\n%s", err, output, block("text"))
	}

	write(t, dir, filepath.Join("schema", "events.json"), block("json"))
	r := tidegate(t, dir, nil, "schema", "check", "schema")
	if r.status != 0 {
		t.Errorf("the README's schema: %s", r.stderr)
	}
	for _, field := range []string{"title", "start", "end", "participants", "views", "room"} {
		if !strings.Contains(r.stdout, field) {
			t.Errorf("the explanation of the README's schema does not name %q:\n%s", field, r.stdout)
		}
	}
}

// TestReadmeMove runs the README's commands that move a store.
func TestReadmeMove(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(found) != 1 {
		t.Fatalf("the README has %d blocks of sh, want one", len(found))
	}
	m := newMover(t)
	g := serve(t, m.dir, nil, "--listen", "127.0.0.1:0")
	device := m.open(g.address, "board")
	m.edit(device, "d", 3)
	m.drained(device)
	m.end(g)
	run := exec.CommandContext(m.ctx, "sh", "-e", "-c", string(found[0][1]))
	run.Dir, run.Env = m.dir, environment(m.dir, "PATH="+filepath.Dir(binary)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	output, err := run.CombinedOutput()
	for _, want := range []string{"exported 1 space, ", "imported 1 space, ", "compared 1 space, ", ": the same; "} {
		if err != nil || !strings.Contains(string(output), want) {
			t.Fatalf("the README's commands printed, with %v, no %q:\n%s", err, want, output)
		}
	}
}
