package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDependencies checks that the command needs no module but this one: go run works in every
// module that requires this one, without further checksums.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(out)) {
		if !strings.HasPrefix(path, "github.com/ichor-go/ichor/") {
			t.Errorf("the command imports %s", path)
		}
	}
}

// write makes a module that requires this one, with its versions and checksums.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	root, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	const ichor = "github.com/ichor-go/ichor"
	files["go.mod"] = strings.Replace(files["go.mod"], "module "+ichor, "module counter", 1) +
		"\nrequire " + ichor + " v0.0.0\nreplace " + ichor + " => " + root + "\n"
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// build builds the command.
func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs the command")
	}
	command := filepath.Join(t.TempDir(), "explore")
	if out, err := exec.Command("go", "build", "-o", command, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return command
}

// explore runs the command, and returns its output and exit status.
func explore(t *testing.T, command, dir string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(command, append([]string{"test"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestWords has what the command itself says.
func TestWords(t *testing.T) {
	command := build(t)
	dir := write(t, map[string]string{
		"plain/plain.go":        "package plain\n\nfunc F() int { return 1 }\n",
		"plain/plain_test.go":   "package plain\n\nimport \"testing\"\n\nfunc TestF(*testing.T) { F() }\n",
		"bad/bad.go":            "package bad\n\nfunc F() { return 1 }\n",
		"bad/bad_test.go":       "package bad\n\nimport \"testing\"\n\nfunc TestF(*testing.T) { F() }\n",
		"tagged/tagged_test.go": "//go:build missing && explore\n\npackage tagged\n",
		"io/io.go":              "package io\n\nimport \"os\"\n\nfunc F() { os.ReadFile(\"x\") }\n",
		"io/io_test.go":         "package io\n\nimport \"testing\"\n\nfunc TestF(*testing.T) {}\n",
	})
	const none = "explore: no test of these packages imports github.com/ichor-go/ichor/proptest/explore: nothing is explored\n"
	for _, c := range []struct {
		args   string
		status int
		want   []string
	}{
		{"./plain", 0, []string{none, "ok  \tcounter/plain"}},
		{"./bad", 1, []string{"explore: counter/bad does not compile", "bad/bad.go:3:19: too many return values", "FAIL\tcounter/bad [build failed]"}},
		{"./io", 0, []string{"explore: warning: io/io.go:5:15: os.ReadFile talks to the world"}},
		{"-with a/b,golang.org/x/sync/... ./plain", 0, []string{"explore: -with a/b: no test here imports such a package\n"}},
		{"-cover ./plain", 0, []string{"coverage: 100.0% of statements"}},
		{"./none", 1, []string{"none"}},
	} {
		out, status := explore(t, command, dir, strings.Fields(c.args)...)
		if status != c.status {
			t.Errorf("%s: exit status %d, want %d\n%s", c.args, status, c.status, out)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", c.args, want, out)
			}
		}
	}
	t.Setenv("GOFLAGS", "-buildvcs=false -tags=missing")
	if out, status := explore(t, command, dir, "./tagged"); status != 0 || !strings.Contains(out, "ok  \tcounter/tagged") {
		t.Errorf("a tag in GOFLAGS: %d, %s", status, out)
	}
	out, status := explore(t, command, t.TempDir(), ".")
	if status != 1 || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "explore: ") {
		t.Errorf("no module: %d, %q", status, out)
	}
	lone := t.TempDir()
	if err := os.WriteFile(filepath.Join(lone, "go.mod"), []byte("module lone\n\ngo 1.26\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(lone, "lone.go"), []byte("package lone\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, status = explore(t, command, lone, ".")
	if status != 1 || strings.Count(out, "\n") != 1 || !strings.Contains(out, "go get github.com/ichor-go/ichor") {
		t.Errorf("a module that does not know this one: %d, %q", status, out)
	}
}
