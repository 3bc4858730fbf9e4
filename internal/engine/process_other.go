//go:build !linux

package engine

import "os/exec"

func dieWithParent(*exec.Cmd) {}

func startAndHold(cmd *exec.Cmd, started chan<- error, release <-chan struct{}) {
	started <- cmd.Start()
	<-release
}
