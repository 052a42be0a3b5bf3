package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ichor-go/ichor/bench/experiment"
)

// Exit codes; doc.go lists them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	// A reader that leaves gives EPIPE from the next write rather than a signal.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	a := app{stdout: os.Stdout, stderr: os.Stderr, scenarios: scenarios, compare: compareScenarios}
	os.Exit(a.main(ctx, os.Args[1:]))
}

// An app is the command with its surroundings, so that tests can choose them.
type app struct {
	stdout, stderr io.Writer
	scenarios      []experiment.Scenario
	compare        func(docs []experiment.Document) []experiment.Scenario
}

// A usageError is the caller's mistake: one line and exit code 2.
type usageError struct{ error }

// main runs the command and turns its error into the exit code: the only place
// that does.
func (a *app) main(ctx context.Context, args []string) int {
	err := a.run(ctx, args)
	var usage usageError
	var input *inputError
	switch {
	case err == nil, errors.Is(err, errHelp), isBrokenPipe(err):
		return exitOK
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &usage), errors.As(err, &input):
		a.complain(err)
		return exitUsage
	}
	a.complain(err)
	return exitFailed
}

// complain writes err as one line.
func (a *app) complain(err error) {
	line := strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	fmt.Fprintf(a.stderr, "bench: %s\n", line)
}

func isBrokenPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

func (a *app) run(ctx context.Context, args []string) error {
	command, c, err := parse(args, a.stdout)
	switch {
	case errors.Is(err, errHelp):
		return err
	case err != nil:
		return usageError{err}
	}
	switch command {
	case "list":
		return a.list()
	case "image build <files>":
		return a.buildImage(ctx, c.Image.Build.O, c.Image.Build.ShareEqual, c.Image.Build.Files)
	case "image info <image>":
		return a.showImage(ctx, c.Image.Info.Image)
	case "image verify <image>":
		return a.verifyImage(ctx, c.Image.Verify.Image)
	case "image cat <image>", "image cat <image> <path>":
		return a.catImage(ctx, c.Image.Cat.Image, c.Image.Cat.Path)
	case "prefork":
		return a.prefork(ctx, &c.Prefork)
	case "prefork-worker <mode>":
		return serveHeap(ctx, c.Worker.Mode, os.Stdin, a.stdout)
	case "gcshare-child <heap>":
		return serveGCShare(c.GCChild.Heap, os.Stdin, a.stdout)
	case "run":
		picked, err := chosen(a.scenarios, c.Run.Scenario)
		if err != nil {
			return usageError{err}
		}
		pick := func([]experiment.Document) []experiment.Scenario { return picked }
		env := c.Run.env(command)
		env.Size = int64(c.Run.Size)
		return a.measure(ctx, env, &c.Run.measureFlags, pick, needDocuments(picked))
	}
	return a.measure(ctx, c.Compare.env(command), &c.Compare.measureFlags, a.compare, true)
}

// drawInto draws a result into a folder, if there is one.
func drawInto(folder string, res *experiment.Result) error {
	if folder == "" || res.Partial {
		return nil
	}
	p, err := experiment.Plot(res, experiment.PlotOptions{})
	if err != nil {
		return fmt.Errorf("%s: %w", res.Scenario.Name, err)
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, res.Scenario.Name+".svg"), p.File(), 0o666)
}

// record starts what -cpuprofile and -trace ask for. The caller stops it.
func (f *measureFlags) record() (stop func() error, err error) {
	var stops []func() error
	stop = func() (err error) {
		for _, s := range stops {
			err = errors.Join(err, s())
		}
		return err
	}
	for _, r := range []struct {
		file  string
		start func(file string) (func() error, error)
	}{{f.CPUProfile, experiment.StartCPUProfile}, {f.Trace, experiment.StartTrace}} {
		if r.file == "" {
			continue
		}
		s, err := r.start(r.file)
		if err != nil {
			return nil, usageError{errors.Join(err, stop())}
		}
		stops = append(stops, s)
	}
	return stop, nil
}

func needDocuments(list []experiment.Scenario) bool {
	for _, s := range list {
		if s.Documents {
			return true
		}
	}
	return false
}

func (a *app) list() error {
	var b strings.Builder
	width := 0
	for _, s := range a.scenarios {
		width = max(width, len(s.Name))
	}
	for _, s := range a.scenarios {
		fmt.Fprintf(&b, "%-*s  %s\n", width, s.Name, s.Question)
	}
	_, err := io.WriteString(a.stdout, b.String())
	return err
}

// measure loads the documents if they are given or needed, runs the scenarios that
// pick chooses, and reports them.
func (a *app) measure(ctx context.Context, env experiment.Env, f *measureFlags,
	pick func([]experiment.Document) []experiment.Scenario, needDocs bool) error {
	if len(f.Input) > 0 || needDocs {
		docs, err := loadDocuments(ctx, f.Input)
		if err != nil {
			return err
		}
		env.Documents = docs
	}
	list := pick(env.Documents)
	if len(list) == 0 {
		return errors.New("there are no scenarios to run")
	}
	out := bufio.NewWriter(a.stdout)
	reporter, err := experiment.NewReporter(f.Format, out)
	if err != nil {
		return usageError{err}
	}
	flushed := func(err error) error { return errors.Join(err, out.Flush()) }

	stop, err := f.record()
	if err != nil {
		return err
	}
	bar := newProgress(a.stderr, f.Progress)
	env.Logf = bar.logf
	if err := flushed(reporter.Begin(&env)); err != nil {
		return errors.Join(err, stop())
	}
	report, err := experiment.Run(ctx, list, experiment.Options{
		Env:      env,
		Progress: bar.show,
		Finished: func(res *experiment.Result) error {
			bar.clear()
			return errors.Join(flushed(reporter.Result(res)), drawInto(f.Plots, res))
		},
	})
	err = errors.Join(err, stop())
	bar.clear()
	if isBrokenPipe(err) {
		return err
	}
	return errors.Join(err, flushed(reporter.End(report)))
}
