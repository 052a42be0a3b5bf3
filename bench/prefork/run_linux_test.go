package prefork

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
)

// TestMain runs the command, and its workers, in the child processes of tests.
func TestMain(m *testing.M) {
	if os.Getenv(benchtest.Child) != "" {
		os.Exit(serve(command.Interruptible(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// serve runs the command as it is called.
func serve(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c struct {
		Prefork Flags `cmd:""`
		Worker  struct {
			Mode string `arg:""`
		} `cmd:"" name:"prefork-worker" hidden:""`
	}
	called, err := command.Parse(&c, "bench", "", args, stdout)
	switch {
	case err != nil:
	case called == "prefork":
		err = Run(ctx, "bench", &c.Prefork, stdout, stderr)
	default:
		err = Serve(ctx, c.Worker.Mode, os.Stdin, stdout)
	}
	return command.Code(ctx, "bench", err, stderr)
}

// child starts the command as a process of its own.
func child(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), benchtest.Child+"=1")
	return cmd
}

// smallDocument has enough nesting to choose parts from.
func smallDocument(t *testing.T) string {
	t.Helper()
	entry := `{"id": 3000000000, "name": "someone", "tags": ["a", "b", [1.5, null, true]], "empty": {}}`
	file := filepath.Join(t.TempDir(), "doc.json")
	text := `{"list": [` + strings.Repeat(entry+",", 400) + entry + `], "title": "t"}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPrefork(t *testing.T) {
	for _, mode := range []string{experiment.ModeGIL, experiment.ModeAtomic, experiment.ModeBiased} {
		t.Run(mode, func(t *testing.T) {
			if testing.Short() && mode != experiment.ModeAtomic {
				t.Skip("only one mode is tested in short mode")
			}
			plot := filepath.Join(t.TempDir(), "plot.svg")
			cmd := child(t, "prefork", "-input", smallDocument(t), "-size", "512KiB", "-workers", "2", "-requests", "200",
				"-mode", mode, "-format", "json", "-plot", plot)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr.Bytes())
			}
			type row struct {
				Scenario string
				Config   struct {
					Immortal         string
					Requests, Worker int
				}
				Metrics map[string]struct{ Median float64 }
				Partial bool
			}
			rows, last := 0, map[string]float64{}
			for l := range strings.Lines(string(out)) {
				var r row
				if err := json.Unmarshal([]byte(l), &r); err != nil || r.Scenario != "prefork" || r.Partial || r.Metrics["pss_bytes"].Median == 0 {
					t.Fatalf("%s: %v", l, err)
				}
				rows++
				if r.Config.Requests == 200 {
					last[r.Config.Immortal] = max(last[r.Config.Immortal], r.Metrics["heap_private_bytes"].Median)
					if r.Metrics["heap_shared_bytes"].Median == 0 && r.Config.Immortal != experiment.ImmortalNone {
						t.Errorf("nothing is shared: %s", l)
					}
				}
			}
			if want := 3 * 2 * len(points(200)); rows != want {
				t.Errorf("%d rows, want %d", rows, want)
			}
			if last[experiment.ImmortalFrozen] != 0 || last[experiment.ImmortalInPlace] != 0 || last[experiment.ImmortalNone] < 64<<10 {
				t.Errorf("copied in the end: %v", last)
			}
			if b, err := os.ReadFile(plot); err != nil || !bytes.Contains(b, []byte("<svg")) || !bytes.Contains(b, []byte("frozen")) {
				t.Errorf("plot: %v", err)
			}
			noWorkers(t)
		})
	}
}

// The table for people says how much a walk over everything copies.
func TestPreforkText(t *testing.T) {
	cmd := child(t, "prefork", "-input", smallDocument(t), "-size", "512KiB", "-workers", "1", "-requests", "20", "-plot", "")
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range variants {
		zero := regexp.MustCompile(`(?m)^` + v.line + `: after 20 requests, a worker has copied 0\.0 MiB of the heap; after a walk over everything, 0\.0 of [0-9.]+\.$`)
		some := regexp.MustCompile(`(?m)^` + v.line + `: after 20 requests, a worker has copied [0-9.]+ MiB of the heap; after a walk over everything, (0\.[1-9]|[1-9]\.[0-9]) of [0-9.]+\.$`)
		if zero.Match(out) == (v.immortal == experiment.ImmortalNone) || some.Match(out) != (v.immortal == experiment.ImmortalNone) {
			t.Errorf("%s: %s", v.immortal, out)
		}
	}
	if left, err := os.ReadDir(cmd.Dir); err != nil || len(left) > 0 {
		t.Errorf("files where there should be no plot: %v, %v", left, err)
	}
}

// processes returns those of this test whose first argument begins with command.
func processes(command string) (list []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.HasPrefix(b, []byte(os.Args[0]+"\x00"+command)) {
			list = append(list, string(b))
		}
	}
	return list
}

// noWorkers fails if a process of this test is left.
func noWorkers(t *testing.T) {
	t.Helper()
	for range 100 {
		if len(processes("prefork")) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond) // a killed process takes a moment to end
	}
	t.Errorf("processes are left: %q", processes("prefork"))
}

// The workers end with their parent, however it ends.
func TestPreforkEnds(t *testing.T) {
	doc := smallDocument(t)
	for name, signal := range map[string]unix.Signal{"interrupt": unix.SIGINT, "kill": unix.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			// A slow machine may need more time to print something.
			for wait := 100 * time.Millisecond; ; wait *= 4 {
				exit, out := endPrefork(t, doc, signal, wait)
				noWorkers(t)
				if name != "interrupt" || exit == command.ExitInterrupted && strings.Contains(out, `"partial":true`) {
					break
				}
				if exit != command.ExitInterrupted || out != "" || wait > 10*time.Second {
					t.Fatalf("after %v: exit %d, %q", wait, exit, out)
				}
			}
		})
	}
}

// endPrefork starts prefork, and sends it and its workers a signal when these have had a
// while to work. It returns how it ended, and what it wrote.
func endPrefork(t *testing.T, doc string, signal unix.Signal, wait time.Duration) (exit int, stdout string) {
	t.Helper()
	cmd := child(t, "prefork", "-input", doc, "-size", "512KiB", "-requests", "100000", "-format", "json", "-plot", "none")
	var out bytes.Buffer
	cmd.Stdout = &out
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); len(processes("prefork-worker")) < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("there are no workers")
		}
	}
	time.Sleep(wait)                                            // requests are in progress
	if err := unix.Kill(-cmd.Process.Pid, signal); err != nil { // as a terminal does
		t.Fatal(err)
	}
	_ = cmd.Wait() // because of the signal
	return cmd.ProcessState.ExitCode(), out.String()
}

func TestPreforkUsage(t *testing.T) {
	doc := smallDocument(t)
	for args, want := range map[string]string{
		"-size 0":             `-size: "0" is not a size from 1 to 16GiB, such as 64MiB`,
		"-size 64MB":          `-size: "64MB" is not a size from 1 to 16GiB, such as 64MiB`,
		"-size 17GiB":         `-size: "17GiB" is not a size from 1 to 16GiB, such as 64MiB`,
		"-workers 0":          `-workers: "0" is not a number from 1 to 100000`,
		"-workers 65":         `-workers: 65 is more than 64`,
		"-requests x":         `-requests: "x" is not a number from 1 to 100000`,
		"-mode none":          `-mode must be one of "gil","atomic","biased" but got "none"`,
		"-plot a.gif":         `-plot: "a.gif" does not end in .svg`,
		"-input " + doc + "x": "",
	} {
		var stdout, stderr bytes.Buffer
		code := serve(t.Context(), append([]string{"prefork"}, strings.Fields(args)...), &stdout, &stderr)
		if code != command.ExitUsage || stdout.Len() > 0 || want != "" && stderr.String() != "bench: "+want+"\n" || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", args, code, &stdout, &stderr)
		}
	}
}
