package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/ichor-go/ichor/starlark"
	"go.starlark.net/syntax"
	"golang.org/x/term"
)

// repl reads statements and runs them, and prints the values of expressions.
func repl(th *starlark.Thread, in io.Reader, out, errs io.Writer) error {
	read, done := lineReader(in, out)
	defer done()
	g := &starlark.Globals{}
	defer g.Drop(th)
	l := &loader{sources: map[string][]byte{}}
	opts := th.Machine().FileOptions()
	opts.GlobalReassign = true
	for {
		prompt := ">>> "
		var text []byte
		end := false
		next := func() (line []byte, err error) {
			th.Runtime().Blocking(func() { line, err = read(prompt) })
			prompt = "... "
			text = append(text, line...)
			end = err == io.EOF
			l.sources["<stdin>"] = text
			return line, err
		}
		f, err := opts.ParseCompoundStmt("<stdin>", next)
		if err != nil && end {
			return nil
		}
		if err == nil {
			err = chunk(th, f, g, out)
		}
		if err != nil {
			l.show(errs, err)
		}
	}
}

// chunk runs one statement.
func chunk(th *starlark.Thread, f *syntax.File, g *starlark.Globals, out io.Writer) error {
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
}

// lineReader returns a function that reads a line with its end, with editing if in is a
// terminal.
func lineReader(in io.Reader, out io.Writer) (read func(prompt string) ([]byte, error), done func()) {
	file, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		r := bufio.NewReader(in)
		return func(string) ([]byte, error) {
			line, err := r.ReadBytes('\n')
			if len(line) > 0 {
				return line, nil
			}
			return nil, err
		}, func() {}
	}
	fd := int(file.Fd())
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{in, out}, "")
	return func(prompt string) ([]byte, error) {
		state, err := term.MakeRaw(fd)
		if err != nil {
			return nil, err
		}
		defer func() { _ = term.Restore(fd, state) }()
		t.SetPrompt(prompt)
		line, err := t.ReadLine()
		if err != nil {
			return nil, err
		}
		return []byte(line + "\n"), nil
	}, func() {}
}
