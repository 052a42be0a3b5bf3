package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/ichor-go/ichor/starlark"
	"go.starlark.net/syntax"
)

// errInterrupted says that the user has given up a line.
var errInterrupted = errors.New("interrupted")

// reader reads a line with its end. It shows the prompt if the line comes from a terminal.
type reader func(prompt string) ([]byte, error)

// repl reads statements and runs them, and prints the values of expressions. Ctrl-C ends the
// statement that runs or is being typed, not the REPL; Ctrl-D on an empty line ends the REPL.
func (c *config) repl(m *starlark.Machine, l *loader, read reader, out, errs io.Writer) error {
	g := &starlark.Globals{}
	defer func() {
		_ = m.Do(context.Background(), func(th *starlark.Thread) error { g.Drop(th); return nil })
	}()
	opts := m.FileOptions()
	opts.GlobalReassign = true
	for {
		prompt := ">>> "
		var text []byte
		var last error
		f, err := opts.ParseCompoundStmt("<stdin>", func() (line []byte, err error) {
			line, err = read(prompt)
			prompt = "... "
			text = append(text, line...)
			last = err
			l.keep("<stdin>", text)
			return line, err
		})
		switch {
		case errors.Is(last, errInterrupted):
			continue
		case err != nil && last != nil && last != io.EOF:
			return last
		case err != nil && last == io.EOF && len(text) == 0:
			return nil
		case err == nil:
			err = c.statement(m, f, g, out)
		}
		if err != nil {
			l.show(errs, err)
		}
		if last == io.EOF {
			return nil
		}
	}
}

// statement runs one statement, with limits of its own.
func (c *config) statement(m *starlark.Machine, f *syntax.File, g *starlark.Globals, out io.Writer) error {
	ctx, stop := c.context()
	defer stop()
	return m.Do(ctx, func(th *starlark.Thread) error {
		if len(f.Stmts) == 1 {
			if s, ok := f.Stmts[0].(*syntax.ExprStmt); ok {
				v, err := th.EvalExpr("<stdin>", s.X, g)
				if err == nil && v != starlark.None {
					fmt.Fprintln(out, th.Repr(v))
				}
				th.Drop(v)
				return err
			}
		}
		return th.ExecChunk(f, g)
	})
}

// context returns what ends a program: the first Ctrl-C, and the flag -timeout. The second Ctrl-C ends the
// process.
func (c *config) context() (ctx context.Context, stop func()) {
	ctx, quiet := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, quiet)
	if c.timeout == 0 {
		return ctx, quiet
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("time limit exceeded: %s", c.timeout))
	return ctx, func() { cancel(); quiet() }
}

// lineReader returns a reader of in, with editing if in is a terminal.
func lineReader(in io.Reader, out io.Writer) reader {
	if file, ok := in.(*os.File); ok {
		if e := newTerminal(file, out); e != nil {
			return e.line
		}
	}
	r := bufio.NewReader(in)
	return func(string) ([]byte, error) {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			return line, nil
		}
		return nil, err
	}
}
