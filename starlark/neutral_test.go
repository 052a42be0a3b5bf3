package starlark

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// neutralPrelude defines what the programs of the suite use.
const neutralPrelude = `
def assert_eq(x, y):
    if x != y:
        fail("%r != %r" % (x, y))
def assert_ne(x, y):
    if x == y:
        fail("%r == %r" % (x, y))
def assert_(cond, msg = "assertion failed"):
    if not cond:
        fail(msg)
`

// neutralExceptions are chunks of the suite, by file and first line, that do not pass, with the
// reason.
var neutralExceptions = map[string]string{}

var neutralError = regexp.MustCompile(`^(.*?) *### *(?:(go|java|rust):)? *(.*)$`)

// The language-neutral suite of github.com/bazelbuild/starlark passes. The test needs a copy of that
// repository, and its directory in the variable STARLARK_SUITE:
//
//	git clone https://github.com/bazelbuild/starlark /tmp/spec
//	STARLARK_SUITE=/tmp/spec go test -run TestNeutralSuite -v .
func TestNeutralSuite(t *testing.T) {
	dir := os.Getenv("STARLARK_SUITE")
	if dir == "" {
		t.Skip("STARLARK_SUITE does not name a copy of github.com/bazelbuild/starlark")
	}
	files, err := filepath.Glob(filepath.Join(dir, "test_suite", "testdata", "*", "*.star"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no programs in %s: %v", dir, err)
	}
	passed, failed := 0, 0
	forModes(t, func(t *testing.T, opts Options) {
		opts.File = everything
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file)
			m := open(t, opts)
			line := 1
			for _, part := range strings.Split(string(text), "\n---\n") {
				at := fmt.Sprintf("%s:%d", name, line)
				line += strings.Count(part, "\n") + 2
				problem := neutralChunk(t, m, part)
				_, exception := neutralExceptions[at]
				switch {
				case problem == "" && exception:
					t.Errorf("%s passes: it is no exception any more", at)
				case problem != "" && !exception:
					t.Errorf("%s: %s", at, problem)
					failed++
				default:
					passed++
				}
			}
		}
	})
	t.Logf("%d chunks of %d files, %d failures", passed+failed, len(files), failed)
}

// neutralChunk runs a chunk, and says what is wrong.
func neutralChunk(t *testing.T, m *Machine, part string) (problem string) {
	src := []string{neutralPrelude}
	var want []string
	for _, l := range strings.Split(part, "\n") {
		if x := neutralError.FindStringSubmatch(l); x != nil {
			if x[2] == "" || x[2] == "go" {
				want = append(want, x[3])
			}
			l = x[1]
		}
		src = append(src, l)
	}
	do(t, m, func(th *Thread) error {
		mod, err := th.Exec("chunk.star", strings.Join(src, "\n"))
		if mod != nil {
			th.Clear(mod)
		}
		switch {
		case err == nil && len(want) > 0:
			problem = fmt.Sprintf("no error, want %q", want)
		case err != nil && len(want) == 0:
			problem = fmt.Sprintf("unexpected error: %v", err)
		}
		output := fmt.Sprint(err)
		var e *EvalError
		if errors.As(err, &e) {
			output = e.Backtrace() // as the commands print it
		}
		for _, w := range want {
			text, w := strings.ToLower(output), strings.ToLower(w)
			if rx, e := regexp.Compile(w); strings.Contains(text, w) || e == nil && rx.MatchString(text) {
				continue
			}
			problem = fmt.Sprintf("error %q, want %q", text, w)
		}
		return nil
	})
	return problem
}
