package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ichor-go/ichor/internal/mutant"
)

// outcome is the result for a bug.
type outcome struct {
	mutant.Kill
	verdict string
	killed  bool
	took    time.Duration
	out     string
}

// runPlanted runs the matching bugs, and writes the matrix. It reports whether all were killed.
func runPlanted(ctx context.Context, w io.Writer, match *regexp.Regexp) (all bool, err error) {
	var kills []mutant.Kill
	for _, k := range mutant.Kills {
		if match.MatchString(string(k.Bug)) {
			kills = append(kills, k)
		}
	}
	if len(kills) == 0 {
		return false, fmt.Errorf("no bug matches %q", match)
	}
	folder, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	bugs, err := build(ctx, folder, kills)
	if err != nil {
		return false, err
	}
	if err := bugs.clean(ctx, kills); err != nil {
		return false, err
	}
	results := make([]outcome, len(kills))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(runtime.GOMAXPROCS(0)/2, 1)) // each test has threads of its own
	for i, k := range kills {
		g.Go(func() error {
			results[i] = bugs.try(ctx, k)
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return false, err
	}
	return reportPlanted(w, results)
}

// planted has the test binaries of packages, with the planted bugs in them.
type planted struct {
	folder  string // folder of the binaries
	binary  map[string]string
	sources map[string]string // folders of the packages
}

// build compiles the tests of all packages in the kills.
func build(ctx context.Context, folder string, kills []mutant.Kill) (planted, error) {
	t := planted{folder, map[string]string{}, map[string]string{}}
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/ichor-go/ichor").Output()
	if err != nil {
		return t, fmt.Errorf("find the module: %w", err)
	}
	for _, k := range kills {
		if t.binary[k.Package] != "" {
			continue
		}
		t.binary[k.Package] = filepath.Join(folder, strings.ReplaceAll(k.Package, "/", "-")+".test.exe")
		t.sources[k.Package] = filepath.Join(strings.TrimSpace(string(root)), filepath.FromSlash(k.Package))
		tags := "-tags=mutant"
		if k.Package == mutant.Explorer {
			tags += ",explore"
		}
		cmd := exec.CommandContext(ctx, "go", "test", "-c", tags, "-o", t.binary[k.Package], ".")
		cmd.Dir = t.sources[k.Package]
		if out, err := cmd.CombinedOutput(); err != nil {
			return t, fmt.Errorf("build the tests of %s: %w\n%s", k.Package, err, out)
		}
	}
	return t, nil
}

// clean demands that each test passes without a bug.
func (t planted) clean(ctx context.Context, kills []mutant.Kill) error {
	seen := map[[2]string]bool{}
	for _, k := range kills {
		key := [2]string{k.Package, k.Test}
		if seen[key] {
			continue
		}
		seen[key] = true
		out, err := t.child(ctx, k, "", "20")
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || strings.Contains(out, "no tests to run") {
			return fmt.Errorf("%s %s, without a bug: %v\n%s", k.Package, k.Test, err, out)
		}
	}
	return nil
}

// tries bounds the runs of a test that may pass because its threads did not meet.
const tries = 10

// try plants a bug and runs its test.
func (t planted) try(ctx context.Context, k mutant.Kill) outcome {
	begin := time.Now()
	r := outcome{Kill: k}
	runs := 1
	if k.Races {
		runs = tries
	}
	err := error(nil)
	for i := 0; i < runs && err == nil; i++ {
		r.out, err = t.child(ctx, k, k.Bug, "2000")
	}
	r.took = time.Since(begin)
	said := slices.IndexFunc(k.Says, func(s string) bool { return strings.Contains(r.out, s) })
	switch {
	case err == nil:
		r.verdict = "SURVIVED"
	case said < 0:
		r.verdict = "something else failed"
	default:
		r.verdict, r.killed = "killed by "+k.Says[said], true
	}
	return r
}

// child runs a test, and returns its output. checks is the number of programs that rapid
// draws.
func (t planted) child(ctx context.Context, k mutant.Kill, bug mutant.ID, checks string) (string, error) {
	args := []string{"-test.run=" + k.Test, "-test.timeout=30s"}
	if k.Package == "proptest" || strings.HasPrefix(k.Package, "proptest/internal/") {
		args = append(args, "-rapid.checks="+checks, "-rapid.seed=1", "-rapid.shrinktime=1ms", "-rapid.nofailfile")
	}
	cmd := exec.CommandContext(ctx, t.binary[k.Package], args...)
	cmd.Dir = t.sources[k.Package] // tests may read testdata
	cmd.Env = append(os.Environ(), mutant.Variable+"="+string(bug))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// reportPlanted writes the matrix, and the output of the tests that killed nothing.
func reportPlanted(w io.Writer, results []outcome) (all bool, err error) {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "bug\tchanges\tclaimed by\ttest\tverdict\ttime")
	killed, bugs := map[mutant.ID]bool{}, map[mutant.ID]bool{}
	for _, r := range results {
		test := strings.NewReplacer("^", "", "$", "").Replace(r.Package + " " + r.Test)
		claim := strings.Join(r.Says, " or ")
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\t%.1fs\n", r.Bug, mutant.Changes[r.Bug], claim, test, r.verdict, r.took.Seconds())
		if known, seen := killed[r.Bug]; !seen || known {
			killed[r.Bug] = r.killed // by all tests that claim it
		}
		bugs[r.Bug] = true
	}
	if err := tab.Flush(); err != nil {
		return false, err
	}
	n := 0
	for _, ok := range killed {
		if ok {
			n++
		}
	}
	for _, r := range results {
		if !r.killed {
			fmt.Fprintf(w, "\n%s, %s: %s\n%s", r.Bug, r.Test, r.verdict, shorten(r.out))
		}
	}
	_, err = fmt.Fprintf(w, "\n%d of %d planted bugs were killed, each by a property that claims it\n", n, len(bugs))
	return n == len(bugs), err
}

// shorten returns the beginning of a text.
func shorten(s string) string {
	const most = 2000
	if len(s) > most {
		s = s[:most] + "\n...\n"
	}
	return s
}
