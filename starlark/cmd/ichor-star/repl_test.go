package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/starlark"
)

// typed is a keyboard: each Read gets one of its texts.
type typed struct{ texts []string }

func (k *typed) Read(p []byte) (int, error) {
	if len(k.texts) == 0 {
		return 0, io.EOF
	}
	n := copy(p, k.texts[0])
	if k.texts[0] = k.texts[0][n:]; k.texts[0] == "" {
		k.texts = k.texts[1:]
	}
	return n, nil
}

// An editor has a history, which Ctrl-C does not enter. Ctrl-C gives up the line it is typed in, not one
// that came with it.
func TestEditor(t *testing.T) {
	const up, left, interrupted = "\x1b[A", "\x1b[D", "interrupted"
	for _, c := range []struct{ keys, want []string }{
		{[]string{"ab\r", "c", "d\r"}, []string{"ab", "cd", "EOF"}},
		{[]string{"ab" + left + "c\r"}, []string{"acb", "EOF"}},
		{[]string{"ab\r", up + "c\r", up + up + "\r"}, []string{"ab", "abc", "ab", "EOF"}},
		{[]string{"ab\rcd\x03ef\r"}, []string{"ab", interrupted, "ef", "EOF"}},
		{[]string{"ab" + left + "\x03", "\r", up + "\r"}, []string{interrupted, "", "", "EOF"}},
		{[]string{"c\r", "ab\r", "ab\r", "\r", up + up + "\r"}, []string{"c", "ab", "ab", "", "c", "EOF"}},
		{[]string{"\x03\x03a\r\x04"}, []string{interrupted, interrupted, "a", "EOF"}},
	} {
		e := newEditor(&typed{slices.Clone(c.keys)}, io.Discard)
		for i, want := range c.want {
			line, err := e.line("> ")
			got := strings.TrimSuffix(string(line), "\n")
			if err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("%q: line %d is %q, want %q", c.keys, i, got, want)
			}
		}
	}
}

// Ctrl-C in the middle of a statement gives it up, and Ctrl-D ends the REPL. What a statement has
// defined is there for the next, and each has limits of its own.
func TestREPL(t *testing.T) {
	loop := []string{"while True:\r", "    pass\r", "\r", "7\r", "\x04"}
	for _, c := range []struct {
		keys []string
		c    config
		out  string
		errs []string
	}{
		{[]string{"x = 3\r", "def f():\r", "    return x\r", "\r", "f()\r", "\x04"}, config{}, "3\n", nil},
		{[]string{"def f():\r", "    \x03", "1 + 1\r", "\x04"}, config{}, "2\n", nil},
		{[]string{"1 +\x03", "5\r", "1 // 0\r", "6\r", "\x04"}, config{}, "5\n6\n", []string{"floored division by zero", "    1 // 0\n      ^"}},
		{loop, config{timeout: 50 * time.Millisecond}, "7\n", []string{"time limit exceeded"}},
		{loop, config{steps: 1000}, "7\n", []string{"too many steps"}},
		{[]string{"x = 'a' * (1 << 28)\r", "7\r", "\x04"}, config{memory: "1MiB"}, "7\n", []string{"memory limit exceeded"}},
	} {
		var out, errs bytes.Buffer
		c.c.mode = "atomic"
		opts, err := c.c.options(&out)
		if err != nil {
			t.Fatal(err)
		}
		m, err := starlark.New(opts)
		if err != nil {
			t.Fatal(err)
		}
		err = c.c.repl(m, newLoader(), newEditor(&typed{slices.Clone(c.keys)}, io.Discard).line, &out, &errs)
		if err = errors.Join(err, m.Close()); err != nil || out.String() != c.out {
			t.Errorf("%q: %v, printed %q, want %q; errors %q", c.keys, err, out.String(), c.out, errs.String())
		}
		for _, want := range c.errs {
			if !strings.Contains(errs.String(), want) {
				t.Errorf("%q: errors %q, want %q", c.keys, errs.String(), want)
			}
		}
		if len(c.errs) == 0 && errs.Len() > 0 {
			t.Errorf("%q: errors %q", c.keys, errs.String())
		}
	}
}

// The first Ctrl-C ends the program.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot interrupt itself")
	}
	c := &config{}
	ctx, stop := c.context()
	defer stop()
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(os.Interrupt)
	}
	if err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if err := context.Cause(ctx); err == nil || !strings.Contains(err.Error(), "interrupt") {
		t.Errorf("%v, want an interrupt", err)
	}
}
