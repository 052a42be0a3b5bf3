package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
	"github.com/ichor-go/ichor/bench/scenarios"
)

func testApp(stdout, stderr io.Writer) *app {
	list := []experiment.Scenario{benchtest.Unwatched(benchtest.Demo())}
	return &app{stdout: stdout, stderr: stderr, scenarios: list, compared: list}
}

// TestMain runs the command itself, with the demo, in the child processes of tests.
func TestMain(m *testing.M) {
	if os.Getenv(benchtest.Child) != "" {
		a := app{stdout: os.Stdout, stderr: os.Stderr, scenarios: []experiment.Scenario{benchtest.Demo()}}
		os.Exit(a.main(command.Interruptible(), os.Args[1:]))
	}
	os.Exit(m.Run())
}

func child(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), benchtest.Child+"=1")
	return cmd
}

// call runs the command and returns its exit code and what it wrote.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = testApp(&out, &errs).main(t.Context(), args)
	return code, out.String(), errs.String()
}

func TestUsageErrors(t *testing.T) {
	for args, want := range map[string]string{
		"-format xml":            `-format must be one of "text","json","bench" but got "xml"`,
		"run -scenario nope":     `unknown scenario "nope"; known: demo`,
		"run -scenario demo,no":  `unknown scenario "no"; known: demo`,
		"-threads 0":             `-threads: "0" is not a number of threads from 1 to 1024`,
		"-threads 1,x":           `-threads: "x" is not a number of threads from 1 to 1024`,
		"run -count 0":           `-count: "0" is not a number from 1 to 100000`,
		"-benchtime -1s":         `-benchtime: "-1s" is not a positive duration such as 100ms, nor a count such as 1000x`,
		"-frobnicate":            `unknown flag -frobnicate`,
		"dance":                  `unknown command dance; the commands are compare, run, list, report, immortality-tax, compare-commits, image, heap, help, version, prefork`,
		"run dance":              `unexpected argument dance`,
		"-count":                 `flag -count needs a value`,
		"-progress maybe":        `-progress must be one of "auto","on","off" but got "maybe"`,
		"list -count 3":          `unknown flag -count`,
		"compare -scenario demo": `unknown flag -scenario`,
	} {
		code, stdout, stderr := call(t, strings.Fields(args)...)
		if code != command.ExitUsage || stdout != "" || stderr != "bench: "+want+"\n" {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

func TestHelpAndList(t *testing.T) {
	for _, args := range []string{"-h", "-help", "--help", "run -h", "compare -help"} {
		if code, stdout, stderr := call(t, strings.Fields(args)...); code != 0 || stderr != "" || !strings.Contains(stdout, "Usage: bench") {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
	if code, stdout, _ := call(t, "list"); code != 0 || stdout != "demo  how long does nothing take?\n" {
		t.Errorf("list: exit %d, %q", code, stdout)
	}
}

// The help of every command and the list of the real scenarios fit into 80 columns.
func TestHelpWidth(t *testing.T) {
	for _, args := range []string{
		"help", "help compare", "help run", "help list", "help report", "help immortality-tax", "help compare-commits", "help heap", "help prefork",
		"help image", "help image build", "help image info", "help image verify", "help image cat", "help version", "list", "list ladder walk", "version",
	} {
		var out, errs bytes.Buffer
		a := testApp(&out, &errs)
		a.scenarios = scenarios.All()
		if code := a.main(t.Context(), strings.Fields(args)); code != 0 || errs.Len() > 0 || out.Len() == 0 {
			t.Errorf("%s: exit %d, stderr %q", args, code, errs.String())
		}
		for line := range strings.Lines(out.String()) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
				t.Errorf("%s: %d columns: %s", args, n, line)
			}
		}
	}
}

func TestRunAndCompare(t *testing.T) {
	doc := filepath.Join(t.TempDir(), "doc.json")
	if err := os.WriteFile(doc, []byte(`{"a":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := call(t, "run", "-scenario", "demo,demo", "-format", "json", "-benchtime", "10x", "-count", "2", "-threads", "1,2,1")
	if code != 0 || stderr != "" || strings.Count(stdout, `"metrics":{"`) != 2 ||
		!strings.HasPrefix(stdout, `{"scenario":"demo","config":{"documents":0,"threads":1},"metrics":{"ops/s":{"median":`) {
		t.Errorf("run: exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	code, stdout, stderr = call(t, "-input", doc, doc, "-benchtime", "10x", "-count", "1", "-threads", "2", "-progress", "on")
	if code != 0 || !strings.Contains(stdout, "demo: how long does nothing take?\n documents  threads") || !strings.Contains(stderr, "demo") {
		t.Errorf("compare: exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	a := testApp(io.Discard, io.Discard)
	a.scenarios = nil
	if code := a.main(t.Context(), []string{"run"}); code != command.ExitFailed {
		t.Errorf("no scenarios: exit %d", code)
	}
}

func TestCancelledBeforeAnySample(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := testApp(&out, &errs).main(ctx, []string{"run"}); code != command.ExitInterrupted || errs.Len() > 0 ||
		!strings.HasSuffix(out.String(), "partial: interrupted after 0 of 20 samples\n") &&
			!strings.HasSuffix(out.String(), "partial: interrupted after 0 of 10 samples\n") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, out.String(), errs.String())
	}
}

// Without the documents that come with Go, one line says what to do.
func TestNoCorpus(t *testing.T) {
	t.Setenv("PATH", "")
	t.Setenv("GOROOT", t.TempDir())
	code, stdout, stderr := call(t, "compare")
	if code != command.ExitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "-input FILE") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// Every part can be called, and its errors have their prefixes once.
func TestParts(t *testing.T) {
	for args, want := range map[string]struct {
		code int
		line string
	}{
		"image":                           {command.ExitUsage, "expected one of"},
		"image verify /none":              {command.ExitFailed, "/none"},
		"prefork -plot a.gif":             {command.ExitUsage, "does not end in .svg"},
		"report -scenario nope":           {command.ExitUsage, `unknown scenario "nope"; known: demo, prefork`},
		"immortality-tax -scenario nope":  {command.ExitUsage, `unknown scenario "nope"; known: requests, tree, pair`},
		"compare -input /none":            {command.ExitUsage, "/none: byte 0: expected a file"},
		"run -scenario demo -input /none": {command.ExitUsage, "/none: byte 0: expected a file"},
	} {
		code, stdout, stderr := call(t, strings.Fields(args)...)
		if code != want.code || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "bench: ") ||
			strings.Count(stderr, "bench: ") > 1 || strings.Count(stderr, "ichor: ") > 1 || !strings.Contains(stderr, want.line) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

// A child that is interrupted ten thousand samples before its end prints what it has.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: no process can send an interrupt to another here")
	}
	slow := func(args ...string) (string, int) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := child(ctx, args...)
		var out bytes.Buffer
		cmd.Stdout = &out
		errs, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The bar shows the number of samples taken. Wait for two of them.
		in := bufio.NewReader(errs)
		for seen := ""; !strings.Contains(seen, "2/"); {
			b, err := in.ReadByte()
			if err != nil {
				t.Fatalf("the child ended after %q", seen)
			}
			seen += string(b)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, in)
		_ = cmd.Wait() // the exit code is read below
		return out.String(), cmd.ProcessState.ExitCode()
	}
	for format, mark := range map[string]string{
		"text": "\npartial: interrupted after ", "json": `"partial":true}`, "bench": "\n# partial: interrupted after ",
	} {
		out, code := slow("run", "-format", format, "-benchtime", "150ms", "-count", "10000", "-threads", "1", "-progress", "on")
		if code != command.ExitInterrupted || !strings.Contains(out, mark) || strings.Contains(out, "goroutine") {
			t.Errorf("%s: exit %d, %q", format, code, out)
		}
	}
}

// If its reader goes away, the command ends without a message.
func TestBrokenPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := child(t.Context(), "run", "-benchtime", "10x", "-count", "1", "-format", "json")
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		t.Errorf("%v, stderr %q", err, errs.String())
	}
	_ = w.Close() // nothing was written through it here
}

func TestPlots(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if code, _, stderr := call(t, "-benchtime", "2ms", "-count", "1", "-threads", "1,2,3", "-plots", dir); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if svg, err := os.ReadFile(filepath.Join(dir, "demo.svg")); err != nil || !bytes.Contains(svg, []byte("predicts")) {
		t.Errorf("%v: %s", err, svg)
	}
}

func TestRecords(t *testing.T) {
	dir := t.TempDir()
	profile, trace := filepath.Join(dir, "cpu"), filepath.Join(dir, "trace")
	code, _, stderr := call(t, "-benchtime", "2ms", "-count", "1", "-cpuprofile", profile, "-trace", trace)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, file := range []string{profile, trace} {
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
	code, _, stderr = call(t, "-benchtime", "2ms", "-cpuprofile", profile, "-trace", filepath.Join(dir, "no", "trace"))
	if code != command.ExitUsage || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if code, _, stderr := call(t, "-benchtime", "2ms", "-count", "1", "-cpuprofile", profile); code != 0 { // the child that failed before is not running any more
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// The command of the processes that scenarios start passes its arguments on.
func TestScenarioChild(t *testing.T) {
	if code, _, stderr := call(t, scenarios.ChildCommand, "demo", "go"); code != command.ExitFailed || !strings.Contains(stderr, `"demo" has no child`) {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

// TestExtra checks that an extra scenario is listed, and runs if and only if it is named.
func TestExtra(t *testing.T) {
	for args, want := range map[string]bool{
		"list": true, "run -count 2 -benchtime 10x": false, "run -count 2 -benchtime 10x -scenario extra": true,
	} {
		var out, errs bytes.Buffer
		a := testApp(&out, &errs)
		extra := a.scenarios[0]
		extra.Name = "extra"
		a.extra = []experiment.Scenario{extra}
		if code := a.main(t.Context(), strings.Fields(args)); code != 0 || strings.Contains(out.String(), "extra") != want {
			t.Errorf("%s: exit %d\n%s%s", args, code, out.String(), errs.String())
		}
	}
}
