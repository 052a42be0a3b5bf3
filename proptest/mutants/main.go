// Command mutants shows that the tests can fail. It plants one bug after another, runs
// the test that claims to find it, and demands that this test fails by the property that
// it claims. The bugs are those of package internal/mutant.
//
//	go run ./proptest/mutants          # some minutes
//	go run ./proptest/mutants -run dict
//
// The last line has the number of bugs killed, and of all bugs. The exit status is 0 if all were
// killed, 1 if not, and 2 if the tests cannot be built or fail even without a bug.
//
// # Every line
//
// With -all the command generates bugs, to show that tests defend each line: it deletes a
// statement, skips a lock, makes a condition true or false, moves a boundary by one, makes
// a result zero, or swaps two neighbours. Each such change is a mutant.
//
//	go run ./proptest/mutants -all                       # hours
//	go run ./proptest/mutants -all -packages locks -files gil.go
//
// One binary has all mutants of a package, each behind an if on its number. They are written
// into an overlay, so the checkout stays unchanged. First each test runs once without a mutant,
// to measure how long it takes and which mutants it reaches. Then each mutant runs with the
// tests that reach it, until one fails: first those that have killed its neighbours, then the
// fastest. The package's own tests also run under the race detector. A test fails too if it takes
// more than five times as long as without a mutant plus two seconds, or more than four times the
// memory plus a gigabyte.
//
// The results are kept in a journal in the user's cache, or in the folder of -o. A second run
// skips a mutant as long as neither its file nor the tests have changed. With -kills it also
// skips mutants that other tests have killed.
//
// The harness of the benchmarks, bench/experiment, is mutated only if -packages names it, so it
// takes no part in the sample:
//
//	go run ./proptest/mutants -all -packages bench/experiment -sample 0 -tests own -race=false -short
//
// docs/proof.md lists the mutants that change nothing, with the reason. The output has the
// mutants that were not killed, then the entries of that list that are no longer true, and a
// table. The exit status is 1 if a deletion, a lock or a store survives, or more than 5 % of a
// package's mutants, or if an entry of the list is not true.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The packages to mutate, and the packages whose tests may reach the mutants.
var (
	mutatedPackages = []string{"internal/header", "internal/arena", "locks", "sched", "runtime", "objects", "internal/copymap", "internal/profile", "internal/traces"}
	askedPackages   = []string{"bench/experiment"} // mutated only if -packages names them
	testPackages    = []tester{
		{rel: "internal/header"}, {rel: "internal/arena"}, {rel: "locks"}, {rel: "sched"}, {rel: "runtime"}, {rel: "objects"},
		{rel: "examples/ownproperty"}, {rel: "examples/persistent"}, {rel: "examples/service"}, {rel: "examples/vm"}, {rel: "examples/workers"},
		{rel: "proptest/explore", tags: "explore"}, {rel: "proptest"},
		{rel: "proptest/internal/runs"}, {rel: "proptest/internal/traffic"}, {rel: "proptest/internal/linear"}, {rel: "proptest/internal/trials"},
	}
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	good, err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	case !good:
		os.Exit(1)
	}
}

// command runs the command with these arguments.
func command(ctx context.Context, args []string, out, log io.Writer) (good bool, err error) {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	all := flags.Bool("all", false, "run generated mutants")
	run := flags.String("run", "", "run only the planted bugs, or with -all the tests, whose names match this regular expression")
	packages := flags.String("packages", strings.Join(mutatedPackages, ","), "with -all: mutate these packages")
	files := flags.String("files", "", "with -all: mutate the files whose names match this regular expression")
	tests := flags.String("tests", "", "with -all: run the tests of these packages only; \"own\" for those of the package that is mutated")
	c := &config{testers: testPackages, log: log, patience: 2 * time.Second, spare: 1 << 30}
	flags.IntVar(&c.sample, "sample", 1500, "with -all: number of mutants in the sample, besides deletions, locks and stores; 0 for all")
	flags.Uint64Var(&c.seed, "seed", 1, "with -all: the seed of the sample")
	flags.IntVar(&c.repeat, "repeat", 0, "with -all: run the test that kills a mutant this many more times; if it passes once, it has not killed the mutant")
	flags.IntVar(&c.workers, "p", runtime.GOMAXPROCS(0), "with -all: number of processes at a time")
	flags.StringVar(&c.folder, "o", "", "with -all: the folder of journal and binaries")
	flags.BoolVar(&c.fresh, "fresh", false, "with -all: ignore earlier results")
	flags.BoolVar(&c.kills, "kills", false, "with -all: trust kills by tests that have changed since")
	flags.BoolVar(&c.short, "short", false, "with -all: run the tests with -short")
	flags.BoolVar(&c.race, "race", true, "with -all: run the package's own tests under the race detector, too, with -short")
	flags.DurationVar(&c.budget, "budget", 2*time.Minute, "with -all: test time for each mutant, as measured without it")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(log)
			flags.Usage()
		}
		return false, err
	}
	if flags.NArg() > 0 {
		return false, fmt.Errorf("unexpected argument %q: -help lists the flags", flags.Arg(0))
	}
	pattern, err := regexp.Compile(*run)
	if err != nil {
		return false, fmt.Errorf("-run: %w", err)
	}
	if !*all {
		return runPlanted(ctx, out, pattern)
	}
	c.tests = pattern
	if c.files, err = regexp.Compile(*files); err != nil {
		return false, fmt.Errorf("-files: %w", err)
	}
	for _, p := range strings.Split(*packages, ",") {
		if known := slices.Concat(mutatedPackages, askedPackages); !slices.Contains(known, p) {
			return false, fmt.Errorf("-packages: %q is not one of %s", p, strings.Join(known, ", "))
		}
		c.packages = append(c.packages, p)
	}
	c.module = drawnFrom(c.packages)
	c.own = true
	if *tests != "" {
		names := strings.Split(*tests, ",")
		c.own = slices.Contains(names, "own")
		c.testers = slices.DeleteFunc(slices.Clone(testPackages), func(t tester) bool { return !slices.Contains(names, t.rel) })
		if len(c.testers) == 0 && !c.own {
			return false, fmt.Errorf("-tests: %q names no package", *tests)
		}
	}
	switch {
	case c.workers < 1:
		return false, fmt.Errorf("-p %d: want at least 1", c.workers)
	case c.sample < 0 || c.repeat < 0 || c.budget < 0:
		return false, errors.New("-sample, -repeat and -budget must not be negative")
	case !canRunAll:
		return false, errors.New("-all needs a Unix-like system")
	}
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return false, fmt.Errorf("find the module: %w", err)
	}
	c.root = strings.TrimSpace(string(root))
	if c.listed, err = readEquivalents(filepath.Join(c.root, "docs", "proof.md")); err != nil {
		return false, err
	}
	if err := c.useFolder(); err != nil {
		return false, err
	}
	fmt.Fprintf(log, "sample of %d with seed %d; journal and binaries in %s\n", c.sample, c.seed, c.folder)
	return runAll(ctx, out, c)
}

// drawnFrom returns the packages of whose mutants the sample is drawn: the same for all runs, but for
// those that are named in this one.
func drawnFrom(named []string) []string {
	others := slices.DeleteFunc(slices.Clone(named), func(p string) bool { return slices.Contains(mutatedPackages, p) })
	return slices.Concat(mutatedPackages, others)
}

// useFolder creates the folder of the journal. Each checkout has its own.
func (c *config) useFolder() error {
	if c.folder == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("%w: name a folder with -o", err)
		}
		c.folder = filepath.Join(cache, "ichor-mutants", hash([]byte(c.root)))
	}
	folder, err := filepath.Abs(c.folder)
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(c.root, folder); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("-o %s: a folder inside the checkout, which must not change", c.folder)
	}
	c.folder = folder
	return os.MkdirAll(folder, 0o777)
}
