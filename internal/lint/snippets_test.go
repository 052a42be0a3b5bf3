package lint

import (
	"errors"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A block of Go in a page is one of two:
//
//	```go FILE        lines of a file of this module, as they stand there but for
//	                  their indentation; a line "// ..." stands for those left out.
//	                  In a test file they are in a test, or an example whose output is checked
//	```go             a whole file, which compiles
//
// So what a reader copies has been compiled, and in the first case run.

// omission stands for lines that a snippet leaves out.
const omission = "// ..."

// checkSnippet returns what is wrong with a block, if it is one of Go.
func checkSnippet(b block) error {
	lang, source, _ := strings.Cut(b.info, " ")
	if lang != "go" {
		return nil
	}
	if source == "" {
		if !slices.ContainsFunc(b.code, func(line string) bool { return strings.HasPrefix(line, "package ") }) {
			return errors.New("it is no whole file, and names none that it is from")
		}
		return compiles(strings.Join(b.code, "\n"))
	}
	path := filepath.Join(root, filepath.FromSlash(source))
	text, err := os.ReadFile(path)
	if err != nil || filepath.Ext(path) != ".go" {
		return fmt.Errorf("%s is no file of Go here", source)
	}
	lines := trimmed(strings.Split(string(text), "\n"))
	from := 0
	for _, part := range split(trimmed(b.code)) {
		at := find(lines[from:], part)
		if at < 0 {
			return fmt.Errorf("these lines are not in %s in a row: %s", source, strings.Join(part, " | "))
		}
		from += at
		if strings.HasSuffix(path, "_test.go") {
			if err := isRun(path, from+1); err != nil {
				return err
			}
		}
		from += len(part)
	}
	return nil
}

func trimmed(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = strings.TrimSpace(line)
	}
	return out
}

// split cuts a snippet where it leaves lines out.
func split(code []string) (parts [][]string) {
	start := 0
	for i := range len(code) + 1 {
		if i == len(code) || code[i] == omission {
			if i > start {
				parts = append(parts, code[start:i])
			}
			start = i + 1
		}
	}
	return parts
}

// find returns where part begins in lines, or -1.
func find(lines, part []string) int {
	for i := range len(lines) - len(part) + 1 {
		if slices.Equal(lines[i:i+len(part)], part) {
			return i
		}
	}
	return -1
}

// isRun fails unless a line of a test file is in a function that tests run, or in none.
func isRun(path string, line int) error {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || line < fset.Position(fn.Pos()).Line || line > fset.Position(fn.End()).Line {
			continue
		}
		for _, e := range doc.Examples(f) {
			if "Example"+e.Name == fn.Name.Name && e.Output == "" && !e.EmptyOutput {
				return fmt.Errorf("%s is compiled, but not run: it says nothing of its output", fn.Name.Name)
			}
		}
	}
	return nil
}

// compiles builds a file as a package of this module, which is there for the compiler only.
func compiles(text string) error {
	dir, err := os.MkdirTemp("", "snippet")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	there, err := filepath.Abs("snippet")
	if err != nil {
		return err
	}
	file, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	err = os.WriteFile(file, []byte(text), 0o600)
	if err == nil {
		json := fmt.Sprintf("{\"Replace\": {%q: %q}}", filepath.Join(there, "main.go"), file)
		err = os.WriteFile(overlay, []byte(json), 0o600)
	}
	if err != nil {
		return err
	}
	out, err := exec.Command("go", "build", "-overlay", overlay, "-o", filepath.Join(dir, "out"), "./snippet").CombinedOutput()
	if err != nil {
		return fmt.Errorf("it does not compile: %s", strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", " | "))
	}
	return nil
}

func TestSnippets(t *testing.T) {
	checked := 0
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if strings.HasPrefix(b.info, "go") {
				checked++
			}
			if err := checkSnippet(b); err != nil {
				t.Errorf("%s:%d: %v", p.name, b.line, err)
			}
		}
	}
	if checked < 6 {
		t.Errorf("only %d snippets were found", checked)
	}
}

// TestCheckSnippet plants snippets that are wrong, and some that are right.
func TestCheckSnippet(t *testing.T) {
	const example, program = "go objects/example_kinds_test.go", "go examples/workers/main.go"
	for _, c := range []struct{ info, code, want string }{
		{example, "l := objects.List(s.Own(objects.NewList(t, rt.None)))\n\ts.Check(l.Append(t, s.Own(objects.NewString(t, \"a\"))))", ""},
		{example, "l := objects.List(s.Own(objects.NewList(t, rt.None)))\n// ...\nlast := s.Own(l.Pop(t))", ""},
		{example, "l := objects.List(s.Own(objects.NewList(t, rt.None)))\nlast := s.Own(l.Pop(t))", "not in objects/example_kinds_test.go in a row"},
		{example, "last := s.Own(l.Pop(t))\n// ...\nl := objects.List(s.Own(objects.NewList(t, rt.None)))", "not in objects/example_kinds_test.go in a row"},
		{example, "last := s.Own(l.Pop(th))", "not in objects/example_kinds_test.go in a row: last := s.Own(l.Pop(th))"},
		{program, "heap, err := r.Share(frozen.Root())", "not in examples/workers/main.go"},
		{"go examples/workers/none.go", "x", "examples/workers/none.go is no file of Go here"},
		{"go README.md", "# Ichor", "README.md is no file of Go here"},
		{"go", "x := 1", "it is no whole file"},
		{"go", "package main\n\nimport rt \"github.com/ichor-go/ichor/runtime\"\n\nfunc main() { _ = rt.None }", ""},
		{"go", "package main\n\nfunc main() { x := 1 }", "declared and not used: x"},
		{"go", "package main\n\nimport rt \"github.com/ichor-go/ichor/runtime\"\n\nfunc main() { rt.Nothing() }", "undefined: rt.Nothing"},
		{"sh", "anything", ""},
	} {
		err := checkSnippet(block{info: c.info, code: strings.Split(c.code, "\n")})
		switch {
		case err == nil && c.want != "":
			t.Errorf("%s: %q passes, want %q", c.info, c.code, c.want)
		case err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %q: got %v, want %q", c.info, c.code, err, c.want)
		}
	}
}

// TestIsRun plants an example that is not run.
func TestIsRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a_test.go")
	text := "package a\n\nfunc ExampleA() {\n\tx()\n}\n\nfunc ExampleB() {\n\tx()\n\t// Output:\n}\n\nfunc x() {}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[int]bool{4: false, 8: true, 12: true} {
		if err := isRun(file, line); (err == nil) != want {
			t.Errorf("line %d: %v", line, err)
		}
	}
}
