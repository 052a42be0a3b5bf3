package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// child is a run of tests in a process of its own.
type child struct {
	bin     *binary
	pattern string // selects the tests
	mutant  int    // 0 for none
	reached string // the file that records the mutants reached; empty for none
	seed    int    // seed for rapid
	verbose bool
	limit   time.Duration
	memory  int64 // limit in bytes for it and its own children
}

// ended is the result of a child.
type ended struct {
	out    string
	how    how
	took   time.Duration
	memory int64 // the highest use seen
}

// how says how a child ended.
type how string

const (
	passed  how = "passed"
	failed  how = "failed"  // a test reported a failure
	crashed how = "crashed" // any other failure
	hanging how = "hung"    // it exceeded its time limit
	eating  how = "ate"     // it exceeded its memory limit
)

// run runs the child. When it returns, all processes that the child started have ended, and its
// temporary files are deleted.
func (c child) run(ctx context.Context) (ended, error) {
	tmp, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return ended{}, err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // a test's files
	args := []string{"-test.run=" + c.pattern, "-test.failfast", "-test.paniconexit0", "-test.timeout=0"}
	if c.verbose {
		args = append(args, "-test.v")
	}
	if c.bin.short {
		args = append(args, "-test.short")
	}
	if c.bin.rapid {
		args = append(args, "-rapid.nofailfile", "-rapid.shrinktime=1ms", "-rapid.seed="+strconv.Itoa(max(c.seed, 1)))
	}
	cmd := exec.Command(c.bin.path, args...)
	cmd.Dir = c.bin.dir
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "MUTANTS_ACTIVE="+strconv.Itoa(c.mutant), "MUTANTS_REACHED="+c.reached, "GORACE=atexit_sleep_ms=0")
	out := &beginning{most: 1 << 16}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second // its children may keep the output open
	ownGroup(cmd)
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return ended{}, err
	}
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	e := ended{how: passed}
	ticks := time.NewTicker(100 * time.Millisecond)
	defer ticks.Stop()
	for running := true; running; {
		select {
		case err := <-over:
			running = false
			if err != nil && e.how == passed {
				e.how = crashed
				if out.contains("--- FAIL") && !out.contains("\npanic: ") {
					e.how = failed
				}
			}
		case <-ticks.C:
			now := groupMemory(cmd.Process.Pid)
			e.memory = max(e.memory, now)
			switch {
			case c.memory > 0 && now > c.memory:
				e.how = eating
			case c.limit > 0 && time.Since(begin) > c.limit:
				e.how = hanging
			default:
				continue
			}
			killGroup(cmd)
		case <-ctx.Done():
			killGroup(cmd)
			<-over
			return ended{}, ctx.Err()
		}
	}
	killGroup(cmd) // processes that it left behind
	if cmd.ProcessState == nil {
		return ended{}, errors.New("a test could not be waited for")
	}
	e.out, e.took = out.String(), time.Since(begin)
	return e, nil
}

// beginning keeps the beginning of the text written to it.
type beginning struct {
	mu   sync.Mutex
	b    bytes.Buffer
	most int
}

func (o *beginning) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b.Write(p[:min(len(p), o.most-min(o.b.Len(), o.most))])
	return len(p), nil
}

func (o *beginning) contains(s string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Contains(o.b.Bytes(), []byte(s))
}

func (o *beginning) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
