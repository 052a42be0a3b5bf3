package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode"

	"github.com/ichor-go/ichor/starlark"
	"go.starlark.net/resolve"
	"go.starlark.net/syntax"
)

// loader loads modules by their paths, which are relative to the program's.
type loader struct {
	dir     string
	mu      sync.Mutex
	modules map[string]*entry
	sources map[string][]byte
}

// entry is a module that is loaded, or is being loaded.
type entry struct {
	mod *starlark.Module
	err error
}

func newLoader() *loader {
	return &loader{modules: map[string]*entry{}, sources: map[string][]byte{}}
}

func (l *loader) load(th *starlark.Thread, name string) (*starlark.Module, error) {
	file := filepath.Join(l.dir, name)
	l.mu.Lock()
	e, ok := l.modules[file]
	if ok {
		l.mu.Unlock()
		if e == nil {
			return nil, errors.New("cycle in the load graph")
		}
		return e.mod, e.err
	}
	l.modules[file] = nil
	l.mu.Unlock()
	var mod *starlark.Module
	src, err := os.ReadFile(file)
	if err == nil {
		l.keep(file, src)
		mod, err = th.Exec(file, src)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.modules[file] = &entry{mod, err}
	return mod, err
}

// keep makes src the text of a file that errors show lines of.
func (l *loader) keep(file string, src []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sources[file] = src
}

// show writes an error with the calls, the line of the program, and a caret.
func (l *loader) show(w io.Writer, err error) {
	var eval *starlark.EvalError
	var syn syntax.Error
	var res resolve.ErrorList
	switch {
	case errors.As(err, &eval):
		fmt.Fprintln(w, eval.Backtrace())
		for i := len(eval.Stack) - 1; i >= 0; i-- {
			if l.caret(w, eval.Stack[i].Pos) {
				break
			}
		}
	case errors.As(err, &syn):
		fmt.Fprintln(w, syn)
		l.caret(w, syn.Pos)
	case errors.As(err, &res):
		for _, e := range res {
			fmt.Fprintln(w, e)
			l.caret(w, e.Pos)
		}
	default:
		fmt.Fprintln(w, "ichor-star:", err)
	}
}

// caret writes the line at a position and a caret below it, and reports whether it has.
func (l *loader) caret(w io.Writer, pos syntax.Position) bool {
	l.mu.Lock()
	src, ok := l.sources[pos.Filename()]
	l.mu.Unlock()
	if !ok || pos.Line < 1 {
		return false
	}
	lines := bytes.Split(src, []byte("\n"))
	if int(pos.Line) > len(lines) {
		return false
	}
	line := []rune(strings.TrimRight(string(lines[pos.Line-1]), "\r"))
	if len(line) > 200 {
		return true
	}
	for i, r := range line {
		if r != '\t' && !unicode.IsPrint(r) { // a terminal might obey it
			line[i] = unicode.ReplacementChar
		}
	}
	fmt.Fprintf(w, "    %s\n", string(line))
	if col := int(pos.Col) - 1; col >= 0 && col <= len(line) {
		for i := range col {
			if line[i] != '\t' {
				line[i] = ' '
			}
		}
		fmt.Fprintf(w, "    %s^\n", string(line[:col]))
	}
	return true
}
