package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestCompose demands that the program takes the command lines of compose.yaml,
// and that its gateways are one fleet.
func TestCompose(t *testing.T) {
	data, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Build   string
			Command []string
		}
	}
	if err := yaml.Unmarshal(data, &compose); err != nil {
		t.Fatal(err)
	}
	gateways := 0
	for name, service := range compose.Services {
		if service.Build == "" {
			continue // another program
		}
		var commands commandLine
		context, err := newParser(&commands, io.Discard, io.Discard).Parse(service.Command)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if context.Command() != "serve" {
			continue
		}
		gateways++
		if err := commands.Serve.Cluster.check(commands.Serve.Store); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, port, _ := strings.Cut(commands.Serve.Cluster.Listen, ":")
		if !slices.Contains(commands.Serve.Cluster.Peers, name+":"+port) {
			t.Errorf("%s is not among the peers %q", name, commands.Serve.Cluster.Peers)
		}
	}
	if gateways != 3 {
		t.Errorf("there are %d gateways", gateways)
	}
}

// TestDockerfile demands that the image is built with the Go that go.mod asks for.
func TestDockerfile(t *testing.T) {
	module, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	dockerfile, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, version, _ := strings.Cut(string(module), "\ngo ")
	version, _, _ = strings.Cut(version, "\n")
	major, minor, _ := strings.Cut(version, ".")
	minor, _, _ = strings.Cut(minor, ".")
	if want := "FROM golang:" + major + "." + minor + " "; !strings.Contains(string(dockerfile), want) {
		t.Errorf("go.mod wants Go %s, the Dockerfile has no %q", version, want)
	}
}
