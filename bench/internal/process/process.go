// Package process is for variants that need a heap or a Go collector of their own. Each runs in a
// child process, which answers questions:
//
//	parent                    child
//	Start                     main gets the arguments, and makes a Parent
//	Ask: sends a question     Answer: answers it
//	Stop: closes its stdin    Answer returns io.EOF
//
// Any goroutine may call Start and NewParent.
package process

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// A Child is a child process. One goroutine at a time.
type Child struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	to   *gob.Encoder
	from *gob.Decoder
}

// Start starts this program with the arguments. The child does not get the settings of Go's
// collector in the environment. When ctx ends, the child is killed.
func Start(ctx context.Context, args ...string) (*Child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return StartProgram(ctx, program, args...)
}

// StartProgram is Start for another program, such as another build of this one.
func StartProgram(ctx context.Context, program string, args ...string) (c *Child, err error) {
	c = &Child{cmd: exec.CommandContext(ctx, program, args...)}
	c.cmd.Env = Env()
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.to, c.from = gob.NewEncoder(c.in), gob.NewDecoder(out)
	return c, nil
}

// Env is the environment of children: without the settings of Go's collector, which would change
// the rows.
func Env() []string {
	own := []string{"GOGC=", "GOMEMLIMIT=", "GODEBUG="}
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return slices.ContainsFunc(own, func(name string) bool { return strings.HasPrefix(v, name) })
	})
}

// reply is an answer or an error.
type reply[A any] struct {
	Answer A
	Err    string
}

// Ask sends a question and waits for the answer. Both are values for encoding/gob, of the same
// types as in the call of Answer that answers it.
func Ask[Q, A any](c *Child, question Q) (A, error) {
	var r reply[A]
	err := c.to.Encode(question)
	if err == nil {
		err = c.from.Decode(&r)
	}
	if err != nil {
		return r.Answer, fmt.Errorf("a child process: %w", err)
	}
	if r.Err != "" {
		return r.Answer, errors.New(r.Err)
	}
	return r.Answer, nil
}

// Stop ends the child, even if it is at work. With the race detector that takes a second. Stop of a
// nil Child does nothing.
func (c *Child) Stop() error {
	if c == nil {
		return nil
	}
	_ = c.in.Close() // the child ends, or has ended
	done := make(chan error, 1)
	go func() { done <- c.cmd.Wait() }()
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		return errors.Join(c.cmd.Process.Kill(), <-done)
	}
}

// A Parent is the parent of this process. One goroutine at a time.
type Parent struct {
	from *gob.Decoder
	to   *gob.Encoder
}

// NewParent returns the parent, which has the other ends of stdin and stdout.
func NewParent(stdin io.Reader, stdout io.Writer) *Parent {
	return &Parent{gob.NewDecoder(stdin), gob.NewEncoder(stdout)}
}

// Answer answers one question. It returns io.EOF if the parent has no more questions.
func Answer[Q, A any](p *Parent, answer func(Q) (A, error)) error {
	var q Q
	if err := p.from.Decode(&q); err != nil {
		return err
	}
	var r reply[A]
	got, err := answer(q)
	if r.Answer = got; err != nil {
		r.Err = err.Error()
	}
	return p.to.Encode(r)
}
