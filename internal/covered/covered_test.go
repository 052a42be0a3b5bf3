package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const sample = `package sample

var mutant, race struct{ On bool }

func If(a, b bool) (n int) {
	if a {
		n++
	}
	if b {
		n++
	} else {
		n--
	}
	return n
}

func Switch(n int) string {
	switch n {
	case 1:
		return "one"
	case 2:
	case 3:
		return "three"
	}
	return "other"
}

func Bugs(n int) int {
	if mutant.On && n > 0 {
		return mutated(n)
	}
	if race.On {
		n++
	}
	return n
}

// mutated is a planted bug.
func mutated(n int) int { return n + 1 }
`

// TestRun tries tests of a small package that cover more or less of it.
func TestRun(t *testing.T) {
	t.Chdir(t.TempDir())
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module sample\n\ngo 1.26\n")
	write("sample.go", sample)
	const all = "If(true, true); If(false, false); Switch(1); Switch(2); Switch(3); Switch(4); Bugs(1)"
	cases := []struct {
		calls, mode string
		branches    bool
		want        string // empty for no error
	}{
		{calls: all, branches: true},
		{calls: "If(true, true); If(true, false); Switch(1); Switch(3); Switch(4); Bugs(1)"},
		{calls: strings.Replace(all, "If(false, false)", "If(true, false)", 1), branches: true, want: "sample.go:6: never false"},
		{calls: strings.Replace(all, "If(true, true)", "If(false, true)", 1), want: "sample.go:7: is not covered"},
		{calls: strings.Replace(all, "If(false, false)", "If(false, true)", 1), want: "sample.go:12: is not covered"},
		{calls: strings.Replace(all, "Switch(2); ", "", 1), branches: true, want: "sample.go:21: a case that is never taken"},
		{calls: strings.Replace(all, "Switch(4); ", "", 1), branches: true, want: "sample.go:18: one of its cases is always taken"},
		{calls: all, mode: "set", want: "covered: profile has no counts: want -covermode=count"},
	}
	test := "package sample\n\nimport \"testing\"\n"
	for i, x := range cases {
		test += fmt.Sprintf("\nfunc Test%d(*testing.T) { %s }\n", i, x.calls)
	}
	write("sample_test.go", test)
	execute := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", name, args, err, out)
		}
	}
	for _, mode := range []string{"count", "set"} {
		execute("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-covermode="+mode, "-o", mode+".exe")
	}
	for i, x := range cases {
		execute("./"+cmp.Or(x.mode, "count")+".exe", fmt.Sprintf("-test.run=^Test%d$", i), "-test.coverprofile=profile")
		got := ""
		if err := run("profile", []string{"sample.go"}, x.branches); err != nil {
			got, _, _ = strings.Cut(err.Error(), "\n")
		}
		if got != x.want {
			t.Errorf("%s: %q, want %q", x.calls, got, x.want)
		}
	}
	if err := run("profile", []string{"other.go"}, false); err == nil {
		t.Error("no error for a file that does not exist")
	}
}
