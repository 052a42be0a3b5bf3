package report

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
	"github.com/ichor-go/ichor/bench/page"
	"github.com/ichor-go/ichor/bench/scenarios"
)

// call runs the command with some scenarios.
func call(ctx context.Context, list []experiment.Scenario, args ...string) (code int, stdout, stderr string) {
	var c struct {
		Report Flags `cmd:""`
	}
	args = append([]string{"report"}, args...)
	return benchtest.Call(ctx, &c, func(_ string, stdout, stderr io.Writer) error {
		return Run(ctx, "bench", &c.Report, args, list, stdout, stderr)
	}, args...)
}

// readReport returns the page as HTML and as Markdown.
func readReport(t *testing.T, dir string) (html, markdown string) {
	t.Helper()
	h, err := os.ReadFile(filepath.Join(dir, page.HTMLFile))
	if err != nil {
		t.Fatal(err)
	}
	m, err := os.ReadFile(filepath.Join(dir, page.MarkdownFile))
	if err != nil {
		t.Fatal(err)
	}
	if found := page.Fetched(h); found != "" {
		t.Errorf("the page fetches %s", found)
	}
	return string(h), string(m)
}

// The chapters are in order, and each has its contents.
func TestReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.json")
	if err := os.WriteFile(file, []byte(`{"a": [1, 2.5, "x", {"b": null}], "c": "text"}`), 0o666); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var list []experiment.Scenario
	for _, s := range scenarios.All() {
		list = append(list, benchtest.Unwatched(s))
	}
	args := []string{"-quick", "-o", dir, "-scenario", "small,requests,handoff,ladder,walk,threads", "-benchtime", "2000x", "-count", "6", "-threads", "1,2", "-input", file}
	code, stdout, stderr := call(t.Context(), list, args...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	html, markdown := readReport(t, dir)
	for _, text := range []string{html, markdown} {
		rest := text
		for _, want := range []string{
			reportTitle, "Summary", "The more threads share", "processor", "commit", "mode=biased", "The more threads share", "Requests from one shared graph", "Reading compared with",
			"Where we lose", "Objects that a thread other than the maker drops", "Atomic counting with one thread and nothing immortal: ", "Small, short-lived graphs, made", "one thread makes and another counts",
			"go run ./bench run -scenario handoff -threads 1,2 -benchtime 2000x -count 6", "Small, short-lived graphs", "The rest", "Attaching",
		} {
			_, after, found := strings.Cut(rest, want)
			if !found {
				t.Fatalf("%q is missing, or not in its place", want)
			}
			rest = after
		}
		if strings.Contains(text, "artial") || strings.Contains(text, "failed") {
			t.Error("the report says that it is incomplete")
		}
	}
	for _, want := range []string{"ladder-atomic.svg", "ladder-gil.svg", "requests.svg", "handoff.svg", "small.svg"} {
		if _, err := os.Stat(filepath.Join(dir, want)); err != nil || !strings.Contains(markdown, "]("+want+")") {
			t.Errorf("%s: %v", want, err)
		}
	}
	if !strings.HasSuffix(stdout, filepath.Join(dir, page.HTMLFile)+"\n"+filepath.Join(dir, page.MarkdownFile)+"\n") {
		t.Errorf("stdout %q", stdout)
	}
}

// lossesOf returns a result with two rows that the report's losses look for.
func lossesOf(count int, threads []experiment.CPUTime) map[string]*experiment.Result {
	s := experiment.Scenario{Name: "threads", Plan: func(*experiment.Env) (*experiment.Plan, error) {
		p := &experiment.Plan{}
		for i, mode := range []string{experiment.ModeAtomic, experiment.ModeGIL} {
			p.Variants = append(p.Variants, experiment.Variant{Config: experiment.Cfg("mode", mode, "goroutine", "same"), Metric: experiment.NsOp,
				Sample: func(context.Context, experiment.Budget) (experiment.Sample, error) {
					return experiment.Sample{Value: float64(2 - i), Threads: threads}, nil
				}})
		}
		return p, nil
	}}
	report, err := experiment.Run(context.Background(), []experiment.Scenario{s}, experiment.Options{Env: experiment.Env{Count: count, Budget: experiment.Budget{Ops: 1}}})
	if err != nil {
		panic(err)
	}
	return map[string]*experiment.Result{"threads": report.Results[0]}
}

// The losses are based on enough samples, of threads that got their CPU time.
func TestLosses(t *testing.T) {
	for want, results := range map[string]map[string]*experiment.Result{
		"detaching the goroutine: 2.00 times as long as under the GIL.":                                                          lossesOf(6, nil),
		"Too few samples (5) to draw a conclusion: use -count 10.":                                                               lossesOf(5, nil),
		"Left out, because threads did not get the CPU time that they asked for, or ended long before others: cases of threads.": lossesOf(6, []experiment.CPUTime{{CPU: 1, Delay: 1}}),
		"In these cases something else is, or may be, the better choice.":                                                        nil,
	} {
		texts := losses(results)
		if last := texts[len(texts)-1]; !strings.HasSuffix(last, want) {
			t.Errorf("%q, want %q last", last, want)
		}
	}
}

// Every scenario has a place in the report, and a title.
func TestReportChapters(t *testing.T) {
	groups, err := chapters(&Flags{}, scenarios.All())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range groups {
		for _, c := range g.chapters {
			n++
			if c.title == c.name {
				t.Errorf("%s has no title", c.name)
			}
		}
	}
	if first := groups[0].chapters[0].name; first != "ladder" || n != len(scenarios.All())+1 {
		t.Errorf("%d chapters, the first is %s", n, first)
	}
}

// If a scenario fails, the report has its failure and the other scenarios.
func TestReportFails(t *testing.T) {
	bad := benchtest.Demo()
	bad.Name = "bad"
	bad.Plan = func(*experiment.Env) (*experiment.Plan, error) { return nil, errors.New("no such luck") }
	dir := t.TempDir()
	code, _, stderr := call(t.Context(), []experiment.Scenario{bad, benchtest.Demo()}, "-o", dir, "-scenario", "bad,demo", "-benchtime", "10x", "-count", "1")
	if code != command.ExitFailed || stderr != "bench: bad: no such luck\n" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	html, _ := readReport(t, dir)
	if !strings.Contains(html, "It failed: bad: no such luck") || !strings.Contains(html, "how long does nothing take?") {
		t.Error(html)
	}
}

func TestReportInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	samples := 0
	s := benchtest.Demo()
	s.Plan = func(*experiment.Env) (*experiment.Plan, error) {
		return &experiment.Plan{Variants: []experiment.Variant{{Config: experiment.Cfg("threads", 1), Metric: experiment.NsOp,
			Sample: func(context.Context, experiment.Budget) (experiment.Sample, error) {
				if samples++; samples == 4 {
					cancel()
				}
				return experiment.Sample{Value: 1, Ops: 1}, nil
			}}}}, nil
	}
	code, _, stderr := call(ctx, []experiment.Scenario{s}, "-o", dir, "-scenario", "demo", "-count", "10")
	html, markdown := readReport(t, dir)
	if code != command.ExitInterrupted || stderr != "" || !strings.Contains(html, "interrupted") || !strings.Contains(markdown, "Not all of its samples were taken.") {
		t.Errorf("exit code %d, stderr %q, %s", code, stderr, markdown)
	}
}

// With -until, a scenario takes as many samples as its intervals need, and the page says so.
func TestReportUntil(t *testing.T) {
	dir := t.TempDir()
	samples := 0
	s := benchtest.Demo()
	s.Plan = func(*experiment.Env) (*experiment.Plan, error) {
		return &experiment.Plan{Variants: []experiment.Variant{{Config: experiment.Cfg("threads", 1), Metric: experiment.NsOp,
			Sample: func(context.Context, experiment.Budget) (experiment.Sample, error) {
				samples++
				return experiment.Sample{Value: float64(2 + samples%2*max(0, 10-samples)), Ops: 1}, nil
			}}}}, nil
	}
	code, _, stderr := call(t.Context(), []experiment.Scenario{s}, "-o", dir, "-scenario", "demo", "-count", "6", "-until", "2.5%", "-within", "1h", "-benchtime", "10x")
	if code != 0 || samples < 10 {
		t.Fatalf("exit code %d, %d samples: %s", code, samples, stderr)
	}
	html, _ := readReport(t, dir)
	for _, want := range []string{"6 of 10x a row or more, until no median&#39;s interval extends beyond ±2.5%", "-count 6 -until 2.5% -within 1h0m0s"} {
		if !strings.Contains(html, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// Without -o, the report goes into a new temporary folder that the output names, and nothing into the
// current one.
func TestReportFolder(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("TMP", temp)
	t.Chdir(t.TempDir())
	code, stdout, stderr := call(t.Context(), []experiment.Scenario{benchtest.Demo()}, "-scenario", "demo", "-count", "1", "-benchtime", "10x")
	made, _ := filepath.Glob(filepath.Join(temp, "ichor-report-*", page.HTMLFile))
	if code != 0 || len(made) != 1 || !strings.Contains(stdout, made[0]) {
		t.Errorf("exit code %d, %q, stdout %q, stderr %q", code, made, stdout, stderr)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("in the current folder: %v, %v", left, err)
	}
}

func TestReportUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"-scenario nope": `unknown scenario "nope"; known: demo, prefork`,
		"-o " + file:     "-o: mkdir " + file,
		"-count 0":       `-count: "0" is not a number from 1 to 100000`,
		"x":              "unexpected argument x",
	} {
		code, _, stderr := call(t.Context(), []experiment.Scenario{benchtest.Demo()}, append(strings.Fields(args), "-benchtime", "10x")...)
		if code != command.ExitUsage || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, %q", args, code, stderr)
		}
	}
}

func TestPowersUpTo(t *testing.T) {
	for n, want := range map[int][]int{1: {1}, 2: {1, 2}, 3: {1, 2, 3}, 8: {1, 2, 4, 8}} {
		if got := powersUpTo(n); len(got) != len(want) || got[len(got)-1] != n {
			t.Errorf("%d: %v, want %v", n, got, want)
		}
	}
}
