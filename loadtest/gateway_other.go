//go:build !linux

package loadtest

import "syscall"

// dieWithParent has no equivalent here: a harness that is killed itself leaves
// its gateway running.
func dieWithParent() *syscall.SysProcAttr { return nil }
