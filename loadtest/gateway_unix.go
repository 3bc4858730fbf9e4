//go:build unix

package loadtest

import (
	"os"
	"syscall"
)

// suspend stops a process without its knowing, and resume lets it go on.
func suspend(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
