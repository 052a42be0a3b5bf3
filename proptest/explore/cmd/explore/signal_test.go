//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
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

// TestInterruptedSearch interrupts an exploration. What it has explored is printed, although
// the go command keeps back what tests print.
func TestInterruptedSearch(t *testing.T) {
	command := build(t)
	dir := write(t, map[string]string{"long_test.go": `package long

import (
	"os"
	"sync/atomic"
	"testing"

	"github.com/ichor-go/ichor/proptest/explore"
)

func TestLong(t *testing.T) {
	if err := os.WriteFile("started", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	explore.TestWith(t, explore.Config{Bound: 20}, func(e *explore.E) {
		var n atomic.Int64
		for range 4 {
			go func() {
				for range 10 {
					n.Add(1)
				}
			}()
		}
	})
}
`})
	cmd := exec.Command(command, "test", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "EXPLORE_TIME=60s")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for deadline := began.Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "started")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Error("the test does not start")
			break
		}
	}
	time.Sleep(200 * time.Millisecond) // it asks for signals and explores
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the exit status is that of a success")
	}
	if !strings.Contains(out.String(), "explore: TestLong: interrupted after ") || time.Since(began) > 55*time.Second {
		t.Errorf("after %v it printed %q", time.Since(began), out.String())
	}
}
