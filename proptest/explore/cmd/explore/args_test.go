package main

import (
	"errors"
	"strings"
	"testing"
)

// TestParse has command lines, and what go test, go list and the rewriting get of them.
func TestParse(t *testing.T) {
	for _, c := range []struct{ in, goTest, build, tags, patterns, with string }{
		{in: ""},
		{in: "./...", goTest: "./...", patterns: "./..."},
		{in: "-v -run X ./a ./b", goTest: "-v -run X ./a ./b", patterns: "./a ./b"},
		{in: "./a -race -count 2", goTest: "./a -race -count 2", build: "-race", patterns: "./a"},
		{in: "-with a/...,b -with=c .", goTest: ".", patterns: ".", with: "a/... b c"},
		{in: "-tags x,y .", goTest: ".", tags: "x y", patterns: "."},
		{in: "--tags=x -test.v -mod=mod", goTest: "-test.v -mod=mod", build: "-mod=mod", tags: "x"},
		{in: ". -args -tags x ./b", goTest: ". -args -tags x ./b", patterns: "."},
		{in: "-own x ./a", goTest: "-own x ./a"}, // x may be the flag's value: go test tests the folder here, too
		{in: "-own=x ./a", goTest: "-own=x ./a", patterns: "./a"},
		{in: ". -own x", goTest: ". -own x", patterns: "."},
		{in: ". -v x", goTest: ". -v x", patterns: "."},
		{in: "-modfile m.mod .", goTest: ".", build: "-modfile=m.mod", patterns: "."},
		{in: "-race=false -gcflags -N .", goTest: "-race=false -gcflags -N .", build: "-race=false -gcflags -N", patterns: "."},
		{in: "-notes=false -work", goTest: "-work"},
	} {
		got, err := parse(strings.Fields(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		for _, f := range []struct {
			name, want string
			got        []string
		}{{"go test", c.goTest, got.goTest}, {"build", c.build, got.build}, {"tags", c.tags, got.tags},
			{"patterns", c.patterns, got.patterns}, {"with", c.with, got.with}} {
			if g := strings.Join(f.got, " "); g != f.want {
				t.Errorf("%s: %s: %q, want %q", c.in, f.name, g, f.want)
			}
		}
		if got.notes == strings.Contains(c.in, "-notes") || got.keep != strings.Contains(c.in, "-work") {
			t.Errorf("%s: notes %t, keep %t", c.in, got.notes, got.keep)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		"-run":            "flag needs an argument: -run",
		"-with":           "flag needs an argument: -with",
		"-overlay=x.json": "-overlay is the flag that explore itself uses: it cannot be combined with another",
	} {
		if _, err := parse(strings.Fields(in)); err == nil || err.Error() != want {
			t.Errorf("%s: %v", in, err)
		}
	}
	if _, err := parse([]string{"-h"}); !errors.Is(err, errHelp) {
		t.Errorf("-h: %v", err)
	}
	c, err := parse(strings.Fields("-C dir -coverprofile=x -toolexec y"))
	if err != nil || c.dir != "dir" || !c.cover || !c.toolexec {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestRun has command lines that run no test.
func TestRun(t *testing.T) {
	for _, c := range []struct {
		in             string
		status         int
		stdout, stderr string
	}{
		{"", 2, "", "usage: explore test"},
		{"tset ./...", 2, "", "usage: explore test"},
		{"help", 0, "usage: explore test", ""},
		{"test -help", 0, "usage: explore test", ""},
		{"test -run", 2, "", "explore: flag needs an argument"},
		{"test -cover -toolexec x", 2, "", "explore: coverage needs"},
		{"test -C /no/such/folder", 1, "", "explore: "},
	} {
		var stdout, stderr strings.Builder
		status := run(strings.Fields(c.in), &stdout, &stderr)
		if status != c.status || !strings.HasPrefix(stdout.String(), c.stdout) || !strings.HasPrefix(stderr.String(), c.stderr) ||
			c.stdout == "" && stdout.String() != "" || c.stderr == "" && stderr.String() != "" || strings.Count(stderr.String(), "\n") > 4 {
			t.Errorf("%s: %d, %q, %q", c.in, status, stdout.String(), stderr.String())
		}
	}
}

// TestAgain has the command that a failure names.
func TestAgain(t *testing.T) {
	c, err := parse(strings.Fields("-C d -with a/...,b -tags x -race -v -run X -gcflags -N=1;2 ./..."))
	if err != nil {
		t.Fatal(err)
	}
	const flags = " test -C=d -with=a/...,b -tags=x -race -gcflags '-N=1;2'"
	if got, want := c.again("/home/me/go/bin/explore"), "explore"+flags; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := c.again("/tmp/go-build12/b001/exe/explore"), "go run github.com/ichor-go/ichor/proptest/explore/cmd/explore"+flags; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
