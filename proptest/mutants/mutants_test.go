package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// fixture returns the configuration for a small module, with tests that are weak or
// strong.
func fixture(t *testing.T, tests string) *config {
	t.Helper()
	if !canRunAll {
		t.Skip("SKIPPED: mutants run only on Unix-like systems")
	}
	root, err := filepath.Abs("testdata/fixture")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile("")
	return &config{
		root: root, module: []string{"code"}, packages: []string{"code"}, testers: []tester{{rel: tests}}, own: true,
		files: all, tests: all, workers: 2, folder: t.TempDir(), budget: time.Minute, spare: 64 << 20, patience: time.Second / 2, log: io.Discard,
	}
}

// TestOperators compares the mutants of the fixture with the expected ones.
func TestOperators(t *testing.T) {
	c := fixture(t, "weak")
	sources, err := load(t.Context(), c.root, c.module)
	if err != nil {
		t.Fatal(err)
	}
	in, err := instrument(sources[0])
	if err != nil {
		t.Fatal(err)
	}
	if in.refused != 0 {
		t.Errorf("%d forms are not Go", in.refused)
	}
	got := ""
	for _, m := range in.mutants {
		got += fmt.Sprintf("%s %s %d: %s → %s\n", m.Func, m.Op, m.Nth, m.Text, m.To)
	}
	want, err := os.ReadFile("testdata/operators.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("mutants:\n%s", got)
	}
}

// results runs all mutants of the fixture, and returns the output and the
// journal.
func results(t *testing.T, c *config) (out string, known []result, good bool) {
	t.Helper()
	var w strings.Builder
	good, err := runAll(t.Context(), &w, c)
	if err != nil {
		t.Fatal(err)
	}
	j, err := openJournal(filepath.Join(c.folder, "journal.jsonl"), false, false)
	if err != nil {
		t.Fatal(err)
	}
	for key, r := range j.known {
		if key.suite != "" {
			known = append(known, r)
		}
	}
	return w.String(), known, good && j.close() == nil
}

// TestStrong has tests that kill all mutants, including those that make a test hang, crash or
// take too much memory.
func TestStrong(t *testing.T) {
	t.Parallel()
	c := fixture(t, "strong")
	c.repeat = 1
	out, known, good := results(t, c)
	if !good {
		t.Errorf("not all are killed:\n%s", out)
	}
	hows := map[how]int{}
	for _, r := range known {
		hows[r.How]++
		if strings.Contains(r.By, "TestBroken") || r.Fails != 2 || r.Runs != 2 {
			t.Errorf("%s: killed by %s, in %d of %d runs", r.Mutant, r.By, r.Fails, r.Runs)
		}
		if r.Text == "n-- " && r.How != eating && r.How != hanging || strings.HasPrefix(r.Text, "i++") && r.How != hanging {
			t.Errorf("%s %s", r.Mutant, r.How)
		}
	}
	for _, h := range []how{failed, crashed, hanging, eating} {
		if hows[h] == 0 {
			t.Errorf("no mutant has %s", h)
		}
	}

	// Mutants with results are not run again, unless the tests have changed.
	before, err := os.ReadFile(filepath.Join(c.folder, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if again, _, good := results(t, c); again != out || !good {
		t.Errorf("a second run says\n%s\nthe first\n%s", again, out)
	}
	after, err := os.ReadFile(filepath.Join(c.folder, "journal.jsonl"))
	if err != nil || string(after) != string(before) {
		t.Errorf("a second run has run something: %v", err)
	}
	c.testers = []tester{{rel: "weak"}}
	c.kills = true
	if out, _, good := results(t, c); !good {
		t.Errorf("kills are forgotten:\n%s", out)
	}
	c.kills = false
	if _, _, good := results(t, c); good {
		t.Error("the kills of other tests count")
	}
}

// TestWeak has tests that kill few mutants.
func TestWeak(t *testing.T) {
	t.Parallel()
	c := fixture(t, "weak")
	c.sample, c.seed = 10, 3
	out, known, good := results(t, c)
	if good {
		t.Error("weak tests are enough")
	}
	others := 0
	for _, r := range known {
		if !inFull[r.Op] {
			others++
		}
		if r.Func == "At" && r.Verdict != unreached || r.Text == "i++" && r.Verdict != killed {
			t.Errorf("%s %s", r.Mutant, r.Verdict)
		}
	}
	if others != 10 {
		t.Errorf("a sample of %d", others)
	}
	for _, want := range []string{
		"code/code.go:61: lock: defer b.Mu.Unlock() → left out\n\tsurvived 1 tests\n",
		"code/code.go:47: store: b.ready.Store(1) → left out\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}

	// The true entries of a list of equivalents count, and the others are reported.
	page := filepath.Join(t.TempDir(), "page.md")
	rows := []string{tableBegin, "| package | function | operator | change | reason |", "|---|---|---|---|---|"}
	for _, r := range known {
		if r.Verdict != killed {
			rows = append(rows, strings.TrimSuffix(row(r.Mutant), "| |")+"| a fixture |")
		}
	}
	write := func(rows ...string) {
		t.Helper()
		if err := os.WriteFile(page, []byte(strings.Join(append(rows, tableEnd, ""), "\n")), 0o666); err != nil {
			t.Fatal(err)
		}
		var err error
		if c.listed, err = readEquivalents(page); err != nil {
			t.Fatal(err)
		}
	}
	write(rows...)
	if out, _, good := results(t, c); !good {
		t.Errorf("with all survivors listed:\n%s", out)
	}
	write(append(rows, "| code | `Sum` | del | `i++ → left out` | it is killed |", "| code | `Sum` | del 2 | `i++ → left out` | it is not there |")...)
	out, _, good = results(t, c)
	if good || strings.Count(out, "\nstale: ") != 2 {
		t.Errorf("two entries are not true:\n%s", out)
	}
}

// TestInterrupted interrupts a run, and continues it.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	c := fixture(t, "strong")
	ctx, cancel := context.WithCancel(t.Context())
	c.log = writer(func(p []byte) (int, error) { cancel(); return len(p), nil }) // the log announces each package
	var w strings.Builder
	if _, err := runAll(ctx, &w, c); err == nil || !strings.Contains(err.Error(), "known by then") {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(w.String(), "package") {
		t.Errorf("printed %q", w.String())
	}
	c.log = io.Discard
	if out, _, good := results(t, c); !good {
		t.Errorf("not all are killed:\n%s", out)
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestOwn: the package's own tests run only if they are asked for.
func TestOwn(t *testing.T) {
	with, without := config{own: true, race: true, testers: []tester{{rel: "a"}, {rel: "b"}}}, config{race: true, testers: []tester{{rel: "b"}}}
	if got, want := with.testersOf("a"), []tester{{rel: "a"}, {rel: "a", race: true}, {rel: "b"}}; !slices.Equal(got, want) {
		t.Errorf("with its own tests: %v, want %v", got, want)
	}
	if got, want := without.testersOf("a"), []tester{{rel: "b"}}; !slices.Equal(got, want) {
		t.Errorf("without: %v, want %v", got, want)
	}
}

// TestCulprit reads the output of a failed batch.
func TestCulprit(t *testing.T) {
	b := &binary{}
	batch := []*leaf{{Name: "TestA", bin: b}, {Name: "TestB/x", bin: b}, {Name: "TestC", bin: b}}
	for out, want := range map[string][]string{
		"--- FAIL: TestC (0.00s)\n":                                  {"TestC"},
		"--- FAIL: TestB (0.00s)\n    --- FAIL: TestB/x/y (0.00s)\n": {"TestB/x"},
		"panic: oh\n": {"TestA", "TestB/x", "TestC"},
	} {
		killers, rest := culprit(batch, out)
		var got []string
		for _, l := range killers {
			got = append(got, l.Name)
		}
		if !slices.Equal(got, want) || len(killers) < 3 && len(killers)+len(rest) != 3 {
			t.Errorf("%q: %v, and %d others", out, got, len(rest))
		}
	}
}

// TestKillersFirst: the killers of a mutant's neighbours come first, those of its function before those of
// its file. A slow one keeps its place.
func TestKillersFirst(t *testing.T) {
	b := &binary{}
	var tests []*leaf
	for _, name := range []string{"TestA", "TestB", "TestC", "TestD", "TestSlow"} {
		tests = append(tests, &leaf{Name: name, bin: b})
	}
	tests[4].Took = 2 * killerTime
	var k killers
	m := Mutant{Package: "p", Func: "f", File: "p/x.go"}
	neighbour, other := m, m
	neighbour.Func, other.File, other.Func = "g", "p/y.go", "h"
	for range 3 {
		k.add(neighbour, tests[1].String())
		k.add(other, tests[0].String())
	}
	k.add(m, tests[3].String())
	k.add(m, tests[4].String())
	var got []string
	for _, l := range k.first(m, tests) {
		got = append(got, l.Name)
	}
	if want := []string{"TestD", "TestB", "TestA", "TestC", "TestSlow"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

// TestListed: each row of the table in docs/proof.md names an existing mutant.
func TestListed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: the table is that of Linux, and other systems have other files")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	listed, err := readEquivalents(filepath.Join(root, "docs", "proof.md"))
	if err != nil {
		t.Fatal(err)
	}
	sources, err := load(t.Context(), root, slices.Concat(mutatedPackages, askedPackages))
	if err != nil {
		t.Fatal(err)
	}
	var ins []*instrumented
	for _, s := range sources {
		in, err := instrument(s)
		if err != nil {
			t.Fatal(err)
		}
		ins = append(ins, in)
	}
	for _, s := range newReport(&config{listed: listed}, ins, nil).stale {
		t.Error(s)
	}
}

// TestDrawnFrom: a package that is mutated only on demand does not change the sample of other runs.
func TestDrawnFrom(t *testing.T) {
	all := strings.Join(mutatedPackages, " ")
	for named, want := range map[string]string{"locks": all, all: all, "bench/experiment locks": all + " bench/experiment"} {
		if got := strings.Join(drawnFrom(strings.Fields(named)), " "); got != want {
			t.Errorf("with %s: %s, want %s", named, got, want)
		}
	}
}

// TestBadInput: each mistake gives one clear line.
func TestBadInput(t *testing.T) {
	for _, x := range []struct{ args, want string }{
		{"-run (", "-run: error parsing regexp"},
		{"-all -files (", "-files: error parsing regexp"},
		{"x", `unexpected argument "x"`},
		{"-none", "flag provided but not defined: -none"},
		{"-all -packages bench", `-packages: "bench" is not one of internal/header`},
		{"-all -packages locks,bench/experiment -p 0", "-p 0: want at least 1"},
		{"-all -tests bench", `-tests: "bench" names no package`},
		{"-all -p 0", "-p 0: want at least 1"},
		{"-all -repeat -1", "-repeat and -budget must not be negative"},
		{"-all -o .", "-o .: a folder inside the checkout, which must not change"},
		{"-run none", `no bug matches "none"`},
	} {
		if strings.Contains(x.args, "-o ") && !canRunAll {
			continue
		}
		_, err := command(t.Context(), strings.Fields(x.args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %s", x.args, err, x.want)
		}
	}
	for _, row := range []string{"| a | b |", "| a | b | c | d | e |", "| a | b | del x | d → e | f |", "| a | b | del | d → e | |"} {
		if _, err := parseEquivalent(row); err == nil {
			t.Errorf("%s is a row", row)
		}
	}
}
