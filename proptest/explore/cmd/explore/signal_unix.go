//go:build unix

package main

import (
	"os"
	"os/exec"
	"syscall"
)

// stopSignals are passed on to the tests.
var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

// ownGroup lets a signal reach the go command and the tests that it runs, and only once: the
// terminal sends Ctrl-C to the group of explore alone.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func passOn(cmd *exec.Cmd, s os.Signal) { _ = syscall.Kill(-cmd.Process.Pid, s.(syscall.Signal)) }
