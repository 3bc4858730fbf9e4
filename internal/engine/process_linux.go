package engine

import (
	"os/exec"
	"runtime"
	"syscall"
)

// dieWithParent has the kernel end the process with ours, should a test binary
// be killed.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// startAndHold starts the process from a thread that lives until release is
// closed: for the kernel that thread is the parent.
func startAndHold(cmd *exec.Cmd, started chan<- error, release <-chan struct{}) {
	runtime.LockOSThread()
	started <- cmd.Start()
	<-release
}
