package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/tidegate/tidegate/protocol"
)

// versionCommand prints what this is, for a report of a bug.
type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(stdout io.Writer) error {
	_, err := fmt.Fprintf(stdout, "tidegate %s, protocol %d, %s %s/%s\n",
		version(), protocol.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// version returns the module's version as the Go toolchain recorded it, or the
// commit that the working tree was at, or "development".
func version() string {
	info, known := debug.ReadBuildInfo()
	if !known {
		return "development"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, dirty := "", ""
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			revision = setting.Value[:min(12, len(setting.Value))]
		case "vcs.modified":
			if setting.Value == "true" {
				dirty = "+changes"
			}
		}
	}
	if revision == "" {
		return "development"
	}
	return revision + dirty
}
