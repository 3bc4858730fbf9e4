package loadtest

import "syscall"

// dieWithParent has the kernel kill the child if the harness itself is killed,
// which it could not see to.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
