package starlark

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The table of the page is that of TestConformance, and has the lengths of the files.
func TestTableOfThePage(t *testing.T) {
	text, err := os.ReadFile("../docs/starlark.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := suite()
	if err != nil || dir == "" {
		t.Skip("the sources of go.starlark.net are not here:", err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\w+) \| (\d+) \| .* \| (yes|no: .*) \|$`).FindAllStringSubmatch(string(text), -1)
	of := map[string][]string{}
	for _, r := range rows {
		of[r[1]] = r
	}
	if len(of) != len(conformance) || len(rows) != len(of) {
		t.Errorf("the table has %d rows for %d files, want %d", len(rows), len(of), len(conformance))
	}
	for _, c := range conformance {
		src, err := os.ReadFile(dir + "/starlark/testdata/" + c.file + ".star")
		if err != nil {
			t.Fatal(err)
		}
		r := of[c.file]
		if r == nil || r[2] != fmt.Sprint(strings.Count(string(src), "\n")) || strings.HasPrefix(r[3], "yes") != c.passes {
			t.Errorf("the row of %s is %q", c.file, r)
		}
	}
}

// The program of the README runs in a module of its own.
func TestReadmeProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("it is built")
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile("(?s)```go [^\n]*\n(package main\n.*?)```").FindSubmatch(text)
	prints := regexp.MustCompile("It prints `(.*?)`").FindSubmatch(text)
	if program == nil || prints == nil {
		t.Fatal("the README has no program")
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), program[1], 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("go %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run("mod", "init", "example.com/greet")
	run("mod", "edit", "-replace", "github.com/ichor-go/ichor="+filepath.Dir(here), "-replace", "github.com/ichor-go/ichor/starlark="+here)
	run("mod", "tidy")
	if got := strings.TrimSpace(run("run", ".")); got != string(prints[1]) {
		t.Errorf("it prints %q, want %q", got, prints[1])
	}
}
