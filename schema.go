package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tidegate/tidegate/merge"
	"github.com/tidegate/tidegate/merge/typescript"
)

// schemaCommand groups what can be done with schemas.
type schemaCommand struct {
	Check schemaCheckCommand `cmd:"" help:"Check a schema and say in words what each field does on conflict."`
	Types schemaTypesCommand `cmd:"" help:"Write a schema as TypeScript: types, and the schema for the client."`
}

// schemaCheckCommand checks a schema without a gateway.
type schemaCheckCommand struct {
	Path string `arg:"" placeholder:"FILE|DIR" help:"A collection's .json file, or a directory of them."`
}

// Help teaches.
func (schemaCheckCommand) Help() string {
	return `A schema is a directory with one JSON Schema a collection (tasks.json describes the collection "tasks") and, once
you change it, a schema.json with {"version": 2}. The keyword x-merge on a property says what becomes of
concurrent edits: lww (the default), first, strict, ask, counter, max, min, set, list.

  tidegate schema check ./schema
  tidegate schema check ./schema/tasks.json`
}

// Run checks and explains.
func (c *schemaCheckCommand) Run(stdout io.Writer) error {
	schema, err := loadSchema(c.Path)
	if err != nil {
		return err
	}
	return schema.Explain(stdout)
}

// loadSchema loads a directory, or a single collection.
func loadSchema(path string) (*merge.Schema, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	if info.IsDir() {
		return merge.LoadSchema(path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return merge.ParseSchema(map[string][]byte{filepath.Base(path): data})
}

// schemaTypesCommand writes a schema as TypeScript.
type schemaTypesCommand struct {
	Dir  string `arg:"" placeholder:"DIR" help:"A directory of collections' .json files."`
	From string `default:"@tidegate/client/schema" placeholder:"MODULE" help:"Where the generated code imports the client from."`
}

// Help teaches.
func (schemaTypesCommand) Help() string {
	return `The TypeScript goes to the standard output: an interface for each collection, whose comments say what becomes of
concurrent edits, and the schema for createClient, so that edits are checked before they enter the queue.

  tidegate schema types ./schema > src/schema.ts`
}

// Run writes.
func (c *schemaTypesCommand) Run(stdout io.Writer) error {
	files, err := merge.ReadSchemaFiles(c.Dir)
	if err != nil {
		return err
	}
	source, err := typescript.Generate(files, c.From)
	if err != nil {
		return err
	}
	_, err = stdout.Write(source)
	return err
}
