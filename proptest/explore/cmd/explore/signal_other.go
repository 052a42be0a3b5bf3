//go:build !unix

package main

import (
	"os"
	"os/exec"
)

// stopSignals are waited out: the console sends Ctrl-C to the tests as well.
var stopSignals = []os.Signal{os.Interrupt}

func ownGroup(*exec.Cmd) {}

func passOn(*exec.Cmd, os.Signal) {}
