package overlay

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the folder of this module.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// newModule writes a module that requires this one, with the versions and checksums of this one.
func newModule(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	mod := read(t, filepath.Join(root(t), "go.mod"))
	mod = strings.Replace(mod, "module "+ichor, "module "+name, 1) +
		"\nrequire " + ichor + " v0.0.0\nreplace " + ichor + " => " + root(t) + "\n"
	write(t, filepath.Join(dir, "go.mod"), mod+files["go.mod"])
	write(t, filepath.Join(dir, "go.sum"), read(t, filepath.Join(root(t), "go.sum")))
	for file, text := range files {
		if file != "go.mod" {
			write(t, filepath.Join(dir, file), text)
		}
	}
	return dir
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// goRun runs the go command, and returns what it prints.
func goRun(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// overlayOf rewrites packages of a module, and returns the flags for the go command.
func overlayOf(t *testing.T, c Config) (*Result, []string) {
	t.Helper()
	c.Tags = append(c.Tags, "explore")
	r, err := Rewrite(c)
	if err != nil {
		t.Fatal(err)
	}
	for path, err := range r.Broken {
		t.Errorf("%s: %v", path, err)
	}
	flags, env, err := r.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range env {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	return r, append(flags, "-tags="+strings.Join(c.Tags, ","))
}

// TestBehaviour runs a program as it is and rewritten. Outside of an exploration the two must
// print the same, their lines included.
func TestBehaviour(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	files := map[string]string{}
	names, err := filepath.Glob("testdata/behaviour/*.go")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		files[filepath.Base(name)] = read(t, name)
	}
	dir := newModule(t, "behaviour", files)
	r, flags := overlayOf(t, Config{Dir: dir, Patterns: []string{"."}})
	if len(r.Files) != len(names)-1 {
		t.Errorf("%d files are rewritten, want all of %d but main.go", len(r.Files), len(names))
	}
	if len(r.Notes) > 0 {
		t.Errorf("notes: %v", r.Notes)
	}
	want := goRun(t, dir, "run", ".")
	got := goRun(t, dir, append(append([]string{"run"}, flags...), ".")...)
	if got != want {
		t.Errorf("the rewritten program prints\n%s\nthe original\n%s", got, want)
	}
	for path, text := range r.Files {
		for _, left := range []string{"<-c\n", "select {", "\tgo ", `"sync"`} {
			if strings.Contains(text, left) {
				t.Errorf("%s still has %q:\n%s", filepath.Base(path), left, text)
			}
		}
	}
}
