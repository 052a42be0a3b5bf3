//go:build unix

package main

import (
	"bufio"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestInterrupt sends Ctrl-C's signal to the command alone, and expects it to reach the test.
func TestInterrupt(t *testing.T) {
	command := build(t)
	dir := write(t, map[string]string{"slow_test.go": `package slow

import (
	"fmt"
	"os"
	"os/signal"
	"testing"
	"time"
)

func TestSlow(t *testing.T) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	fmt.Println("started")
	select {
	case s := <-c:
		fmt.Println("test got", s)
		if err := os.WriteFile(os.Getenv("EXPLORE_INTERRUPTED"), []byte("so far\n"), 0o600); err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
	}
}
`})
	cmd := exec.Command(command, "test", "-v")
	cmd.Dir = dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	got := false
	for s := bufio.NewScanner(out); s.Scan(); {
		switch s.Text() {
		case "started":
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
		case "test got interrupt":
			got = true
		}
	}
	_ = cmd.Wait()
	if !got || !strings.HasSuffix(stderr.String(), "so far\n") {
		t.Errorf("the test got the signal: %t; the command says %q", got, stderr.String())
	}
}
