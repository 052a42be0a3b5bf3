package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// libraries are modules whose own tests run unmodified, rewritten as they are: the packages, and how the
// tests are chosen. An example of ratelimit compares real times, which a busy machine changes.
var libraries = []struct{ module, version, packages, run string }{
	{"github.com/puzpuzpuz/xsync/v4", "v4.5.0", "github.com/puzpuzpuz/xsync/v4", "Test|Example"},
	{"golang.org/x/sync", "v0.25.0", "golang.org/x/sync/semaphore golang.org/x/sync/errgroup golang.org/x/sync/singleflight", "Test|Example"},
	{"go.uber.org/ratelimit", "v0.3.1", "go.uber.org/ratelimit", "Test"},
}

// TestLibraries runs the tests of well-kept libraries rewritten, and explores each of them with tests of
// our own. It takes minutes, and loads modules, so it wants EXPLORE_LIBRARIES.
func TestLibraries(t *testing.T) {
	if os.Getenv("EXPLORE_LIBRARIES") == "" {
		t.Skip("set EXPLORE_LIBRARIES to run the tests of other modules")
	}
	command := build(t)
	text, err := os.ReadFile("testdata/libraries/libraries_test.go")
	if err != nil {
		t.Fatal(err)
	}
	dir := write(t, map[string]string{"libraries_test.go": string(text)})
	var with []string
	for _, x := range libraries {
		with = append(with, x.module+"/...")
		runIn(t, dir, "go", "get", x.module+"@"+x.version)
	}
	runIn(t, dir, "go", "mod", "tidy")
	all := "-with=" + strings.Join(with, ",")
	for _, x := range libraries {
		args := append([]string{all, "-notes=false", "-vet=off", "-timeout=20m", "-run=" + x.run}, strings.Fields(x.packages)...)
		out, status := explore(t, command, dir, args...)
		if status != 0 {
			t.Errorf("%s: %d, %s", x.module, status, out)
		}
		t.Log(out)
	}
	out, status := explore(t, command, dir, all, "-notes=false", "-v", ".")
	if status != 0 || strings.Count(out, "no failure: all ") != strings.Count(string(text), "\nfunc Test") {
		t.Errorf("explored: %d, %s", status, out)
	}
	for _, line := range regexp.MustCompile(`all \d+ schedules.*|--- PASS: \w+`).FindAllString(out, -1) {
		t.Log(line)
	}
	out, status = explore(t, command, dir, all, "-notes=false", "-race", "-run=RBMutex|MPMCQueue", ".")
	if status != 0 {
		t.Errorf("with the race detector: %d, %s", status, out)
	}
}

// runIn runs a command in a folder.
func runIn(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
