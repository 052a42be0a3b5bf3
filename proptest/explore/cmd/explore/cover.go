package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The go command gives the original files to its tool cover, whatever -overlay says. So
// explore runs itself in the place of the tools, and puts the new files into cover's
// arguments:
//
//	explore toolexec OVERLAY TOOL ARGUMENTS...
const toolexec = "toolexec"

// coverFlag returns the flag that does so, given the other flags.
func coverFlag(flags []string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	for _, f := range flags {
		if overlay, ok := strings.CutPrefix(f, "-overlay="); ok {
			return fmt.Sprintf("-toolexec=%q %s %q", self, toolexec, overlay), nil
		}
	}
	return "", errors.New("no overlay")
}

// runTool runs a tool of the go command, and returns its exit status.
func runTool(overlay string, args []string, stdout, stderr io.Writer) int {
	if tool := strings.TrimSuffix(filepath.Base(args[0]), ".exe"); tool == "cover" {
		var o struct{ Replace map[string]string }
		text, err := os.ReadFile(overlay)
		if err == nil {
			err = json.Unmarshal(text, &o)
		}
		if err != nil {
			fmt.Fprintf(stderr, "explore: %v\n", err)
			return 1
		}
		for i, arg := range args {
			if to := o.Replace[arg]; to != "" {
				args[i] = to
			}
		}
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, stderr
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		return exit.ExitCode()
	} else if err != nil {
		fmt.Fprintf(stderr, "explore: %v\n", err)
		return 1
	}
	return 0
}
