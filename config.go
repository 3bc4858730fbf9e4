package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// configFile is the flag that names the config file. The file sets the flags of
// serve (and, of those, what other commands share), by their names without the
// dashes in front; it cannot name anything else.
type configFile string

// BeforeResolve reads the file as soon as its name is known, so that its values
// can stand in for flags that were not given.
func (c configFile) BeforeResolve(context *kong.Context, trace *kong.Path) error {
	name := string(context.FlagValue(trace.Flag).(configFile))
	values, err := readConfig(name)
	if err != nil {
		return err
	}
	context.AddResolver(&configResolver{name: name, values: values})
	return nil
}

// readConfig reads a config file: one JSON object.
func readConfig(name string) (map[string]any, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("config file: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // numbers go to the flags' own parsers, as they were written
	var values map[string]any
	if err := decoder.Decode(&values); err != nil {
		return nil, fmt.Errorf("config file %s: %w: it holds one JSON object with flags of serve", name, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("config file %s: something follows the JSON object", name)
	}
	for key, value := range values {
		switch value := value.(type) {
		case json.Number:
			values[key] = value.String()
		case string, bool:
		case []any:
			for _, element := range value {
				if _, isText := element.(string); !isText {
					return nil, fmt.Errorf("config file %s: key %q: a list holds strings", name, key)
				}
			}
		default:
			return nil, fmt.Errorf("config file %s: key %q: want a string, a number, true, false or a list of strings", name, key)
		}
	}
	return values, nil
}

// configResolver gives flags their values from a config file.
type configResolver struct {
	name   string
	values map[string]any
}

// Validate refuses keys that are no flag of serve.
func (r *configResolver) Validate(app *kong.Application) error {
	allowed := map[string]bool{}
	for _, node := range app.Children {
		if node.Name == "serve" {
			for _, flag := range node.Flags {
				allowed[flag.Name] = true
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.values)) {
		if !allowed[key] {
			return fmt.Errorf("config file %s: unknown key %q; allowed are %s",
				r.name, key, strings.Join(slices.Sorted(maps.Keys(allowed)), ", "))
		}
	}
	return nil
}

// Resolve returns the file's value for a flag; nil if it has none, or if the
// environment has one, which kong would let the file override.
func (r *configResolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, set := os.LookupEnv(name); set {
			return nil, nil
		}
	}
	return r.values[flag.Name], nil
}
