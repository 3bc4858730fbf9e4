package main

import "github.com/tidegate/tidegate/loadtest"

// loadtestCommand is the harness, which lives in its own package and runs this
// same program as the gateway that it tests.
type loadtestCommand struct {
	loadtest.Command
}
