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

// There are two kinds of Go blocks in a page:
//
//	```go FILE        lines of a file of this module, verbatim except for their
//	                  indentation. A line "// ..." stands for omitted lines. Lines of a
//	                  test file belong to a test, or to an example whose output is checked
//	```go             a whole file, which compiles
//
// So a snippet that a reader copies has been compiled, and in the first case run.

// omission stands for omitted lines of a snippet.
const omission = "// ..."

// checkSnippet returns what is wrong with a Go block. It accepts all other blocks.
func checkSnippet(b block) error {
	lang, source, _ := strings.Cut(b.info, " ")
	if lang != "go" {
		return nil
	}
	if source == "" {
		if !slices.ContainsFunc(b.code, func(line string) bool { return strings.HasPrefix(line, "package ") }) {
			return errors.New("it is not a whole file, and does not name the file that it is from")
		}
		return compiles(strings.Join(b.code, "\n"))
	}
	path := filepath.Join(root, filepath.FromSlash(source))
	text, err := os.ReadFile(path)
	if err != nil || filepath.Ext(path) != ".go" {
		return fmt.Errorf("%s is not a Go file of this module", source)
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

// split splits a snippet at its omissions.
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

// find returns the index in lines at which part begins, or -1.
func find(lines, part []string) int {
	for i := range len(lines) - len(part) + 1 {
		if slices.Equal(lines[i:i+len(part)], part) {
			return i
		}
	}
	return -1
}

// isRun fails if a line of a test file is in a function that tests do not run.
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
				return fmt.Errorf("%s is compiled but not run: it has no Output comment", fn.Name.Name)
			}
		}
	}
	return nil
}

// compiles builds a file as a package of this module that exists for the compiler only.
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

// TestCheckSnippet tries snippets with and without planted mistakes.
func TestCheckSnippet(t *testing.T) {
	const example, program = "go objects/example_kinds_test.go", "go examples/workers/main.go"
	for _, c := range []struct{ info, code, want string }{
		{example, "l := objects.List(s.Own(objects.NewList(t, rt.None)))\n\ts.Check(l.Append(t, s.Own(objects.NewString(t, \"a\"))))", ""},
		{example, "l := objects.List(s.Own(objects.NewList(t, rt.None)))\n// ...\nlast := s.Own(l.Pop(t))", ""},
		{example, "l := objects.List(s.Own(objects.NewList(t, rt.None)))\nlast := s.Own(l.Pop(t))", "not in objects/example_kinds_test.go in a row"},
		{example, "last := s.Own(l.Pop(t))\n// ...\nl := objects.List(s.Own(objects.NewList(t, rt.None)))", "not in objects/example_kinds_test.go in a row"},
		{example, "last := s.Own(l.Pop(th))", "not in objects/example_kinds_test.go in a row: last := s.Own(l.Pop(th))"},
		{program, "heap, err := r.Share(frozen.Root())", "not in examples/workers/main.go"},
		{"go examples/workers/none.go", "x", "examples/workers/none.go is not a Go file of this module"},
		{"go README.md", "# Ichor", "README.md is not a Go file of this module"},
		{"go", "x := 1", "it is not a whole file"},
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

// TestIsRun tries an example that is not run.
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
