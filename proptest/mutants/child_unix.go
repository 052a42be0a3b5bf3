//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// canRunAll reports whether mutants can run on this system.
const canRunAll = true

// ownGroup makes the child start a process group.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills the child and all processes that it started.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// groupMemory returns the resident bytes of a process group, or 0 where /proc does
// not have them.
func groupMemory(group int) int64 {
	folder, err := os.Open("/proc")
	if err != nil {
		return 0
	}
	defer folder.Close() //nolint:errcheck // read only
	names, _ := folder.Readdirnames(-1)
	pages := int64(0)
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		// pid (name) state ppid pgrp ... rss
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 22 || string(fields[2]) != strconv.Itoa(group) {
			continue
		}
		n, _ := strconv.ParseInt(string(fields[21]), 10, 64)
		pages += n
	}
	return pages * int64(os.Getpagesize())
}
