package commits

import (
	"context"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
	"github.com/ichor-go/ichor/bench/internal/progress"
)

// call runs the command and returns its exit code and what it wrote.
func call(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var c struct {
		Commits Flags `cmd:"" name:"compare-commits"`
	}
	return benchtest.Call(ctx, &c, func(_ string, stdout, stderr io.Writer) error { return Run(ctx, "bench", &c.Commits, stdout, stderr) },
		append([]string{"compare-commits"}, args...)...)
}

// fake is a command bench whose rows take NS nanoseconds. Its scenario twice is in doubt.
const fake = `package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	args := strings.Join(os.Args[1:], " ")
	switch {
	case args == "list":
		fmt.Println("once   what?\n       and more about it\ntwice  what else?\nNAME   only here")
	case strings.Contains(args, "-scenario broken"):
		fmt.Fprintln(os.Stderr, "bench: it broke")
		os.Exit(1)
	case strings.Contains(args, "-scenario once -format bench -count 1 -benchtime 10x -progress off"):
		fmt.Println("BenchmarkOnce/mode=gil/threads=1 10 NS ns/op")
		fmt.Println("BenchmarkOnce/mode=atomic/threads=1 10 7 ns/op")
	case strings.Contains(args, "-scenario twice"):
		fmt.Println("starved: true\nBenchmarkTwice/mode=gil 10 1 ns/op\nstarved:\napart: true\nBenchmarkTwice/mode=atomic 10 1 ns/op")
	}
}
`

// repository makes a repository whose tags are versions of the command that take so long, and
// goes there.
func repository(t *testing.T, versions ...string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: there is no git")
	}
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	run := func(args ...string) {
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	run("init", "-q")
	write("go.mod", "module fake\n\ngo 1.26\n")
	for _, ns := range versions {
		write("bench/main.go", strings.NewReplacer("NS", ns, "NAME", "v"+ns).Replace(fake))
		run("add", "-A")
		run("-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-q", "-m", "it takes "+ns)
		run("tag", "v"+ns)
	}
}

// nothingLeft fails if a checkout or a build is left behind.
func nothingLeft(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "ichor-commits*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	unchanged(t)
}

// unchanged fails if git has an account of a checkout, or a change that the test has not made.
func unchanged(t *testing.T) {
	t.Helper()
	for args, want := range map[string]int{"worktree list": 1, "diff --cached": 0, "stash list": 0} {
		if out, err := exec.Command("git", strings.Fields(args)...).Output(); err != nil || strings.Count(string(out), "\n") != want {
			t.Errorf("git %s: %s, %v", args, out, err)
		}
	}
}

// A process that is killed at work leaves nothing in the repository.
func TestKilledCheckout(t *testing.T) {
	repository(t, "10", "20")
	b, err := newBuilder()
	if err != nil {
		t.Fatal(err)
	}
	if programs, err := b.build(t.Context(), "v10", 1); err != nil || len(programs) != 1 {
		t.Fatal(programs, err)
	}
	unchanged(t) // it is killed now
	if err := b.close(); err != nil {
		t.Error(err)
	}
	nothingLeft(t)
}

// Commits are found and built from any folder of the repository.
func TestBelow(t *testing.T) {
	repository(t, "10", "20")
	t.Chdir("bench")
	code, stdout, stderr := call(t.Context(), "v10", "v20", "-benchtime", "10x", "-count", "1", "-layouts", "1", "-scenario", "once")
	if code != 0 || !strings.Contains(stdout, "Once/mode=gil/threads=1") {
		t.Errorf("exit code %d, %s:\n%s", code, stderr, stdout)
	}
	nothingLeft(t)
}

// Both commits are built and run in turns, and the rows that differ are found.
func TestCompareCommits(t *testing.T) {
	repository(t, "10", "20")
	code, stdout, stderr := call(t.Context(), "v10", "v20", "-benchtime", "10x", "-count", "5", "-layouts", "1")
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{"Once/mode=gil/threads=1", "+100.00%", "0.008", "10.00n", "20.00n", "1 of 2 rows differ (Mann-Whitney U test, p < 0.05, 5 rounds)", "20 samples are left out because"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "partial") || strings.Contains(stdout, "use -count") || strings.Contains(stdout, "Twice") {
		t.Errorf("rows in doubt, or too few:\n%s", stdout)
	}
	nothingLeft(t)
}

// The working tree is measured as it is, and the samples can be written for benchstat.
func TestWorkingTree(t *testing.T) {
	repository(t, "10")
	if err := os.WriteFile("bench/main.go", []byte(strings.ReplaceAll(fake, "NS", "30")), 0o666); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := call(t.Context(), "HEAD", ".", "-benchtime", "10x", "-count", "2", "-layouts", "1", "-scenario", "once", "-only", "mode=gil", "-format", "bench")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	in := benchfmt.NewReader(strings.NewReader(stdout), "out")
	seconds := map[string][]float64{}
	for in.Scan() {
		if r, ok := in.Result().(*benchfmt.Result); ok {
			seconds[r.GetConfig("commit")] = append(seconds[r.GetConfig("commit")], r.Values[0].Value)
		}
	}
	if got := seconds["working-tree"]; len(seconds) != 2 || len(got) != 2 || math.Abs(got[0]-30e-9) > 1e-12 {
		t.Errorf("%v of\n%s", seconds, stdout)
	}
	nothingLeft(t)
}

func TestFewRounds(t *testing.T) {
	repository(t, "10", "20")
	code, stdout, _ := call(t.Context(), "v10", "v20", "-benchtime", "10x", "-count", "3", "-layouts", "1", "-scenario", "once")
	if code != 0 || !strings.Contains(stdout, "0 of 2 rows differ") || !strings.Contains(stdout, "use -count 10") {
		t.Errorf("exit code %d:\n%s", code, stdout)
	}
}

func TestCommitErrors(t *testing.T) {
	repository(t, "10", "20")
	for args, want := range map[string]struct {
		code int
		line string
	}{
		"v10 nope":  {command.ExitUsage, `"nope" is no commit of this repository`},
		"v10 --all": {command.ExitUsage, "unknown flag -all"},
		"v20 HEAD":  {command.ExitUsage, "v20 and HEAD are both "},
		"v10":       {command.ExitUsage, `expected "<B>"`},
		"v10 v20 -only mode=x -benchtime 10x -layouts 1": {command.ExitFailed, "scenario once: it measured no row with mode=x"},
	} {
		code, _, stderr := call(t.Context(), strings.Fields(args)...)
		if code != want.code || !strings.Contains(stderr, want.line) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q", args, code, stderr)
		}
		nothingLeft(t)
	}
	if err := os.WriteFile("bench/main.go", []byte("nonsense"), 0o666); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := call(t.Context(), "v10", "."); code != command.ExitFailed || !strings.Contains(stderr, "go build ./bench") {
		t.Errorf("a tree that does not compile: exit code %d, %q", code, stderr)
	}
	nothingLeft(t)
	t.Chdir(t.TempDir())
	if code, _, stderr := call(t.Context(), "a", "b"); code != command.ExitUsage || !strings.Contains(stderr, "not a git repository") {
		t.Errorf("outside of a repository: exit code %d, %q", code, stderr)
	}
}

// Scenarios have to be in both commits. A line of a list that begins with a space goes on.
func TestCommon(t *testing.T) {
	var sides [2]side
	for i, list := range []string{"once   what?\n       and more\ntwice  what else?\nold    before\n", "new  now\ntwice what else?\n\nonce  what?\n"} {
		sides[i] = side{string(rune('A' + i)), []program{func(context.Context, ...string) ([]byte, error) { return []byte(list), nil }}}
	}
	for asked, want := range map[string]string{
		"": "once twice", "twice": "twice", "old": `B has no scenario "old"; it has new, twice, once`, "x": `A has no scenario "x"; it has once, twice, old`,
	} {
		names, err := common(t.Context(), strings.Fields(asked), &sides)
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", asked, got, want)
		}
	}
	sides[1].programs[0] = func(context.Context, ...string) ([]byte, error) { return []byte("other  ?\n"), nil }
	if _, err := common(t.Context(), nil, &sides); err == nil {
		t.Error("nothing in common is no error")
	}
	if got, err := parse([]byte("goos: linux\n"), nil); err == nil {
		t.Errorf("no rows: %v", got)
	}
}

// An interrupted comparison prints the rounds that it has.
func TestInterruptedComparison(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	run := func(ctx context.Context, _ ...string) ([]byte, error) {
		if n++; n > 3 { // in the second round
			cancel()
			return nil, ctx.Err()
		}
		return []byte("BenchmarkA/k=1 1 5 ns/op\n"), nil
	}
	c := &comparison{f: &Flags{Count: 9}}
	for i, name := range []string{"a", "b"} {
		c.sides[i] = side{name, []program{run}}
	}
	bar := progress.New(io.Discard, "", "off")
	if err := c.measure(ctx, []string{"a"}, bar); err == nil {
		t.Error("no error")
	}
	var out strings.Builder
	if err := c.table(&out); err != nil || !strings.Contains(out.String(), "partial: 1 of 9 rounds") {
		t.Errorf("%v:\n%s", err, out.String())
	}
}

// With any number of layouts, each commit comes first as often as the other, in all and in each layout.
func TestFirst(t *testing.T) {
	for layouts := 1; layouts < 6; layouts++ {
		firsts := make([]int, layouts)
		for round := range 4 * layouts {
			firsts[round%layouts] += first(round, layouts)
		}
		for layout, n := range firsts {
			if n != 2 {
				t.Errorf("in layout %d of %d, the second commit comes first %d times of 4", layout, layouts, n)
			}
		}
	}
	if first(0, 1) == first(1, 1) || first(0, 4) == first(1, 4) {
		t.Error("neighbouring rounds have the same order")
	}
}
