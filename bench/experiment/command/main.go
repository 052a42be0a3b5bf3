package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
)

// Exit codes. The documentation of the package says what they mean.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitInterrupted = 130
)

// UsageError is a mistake on the command line. Code prints one line about it and returns
// ExitUsage.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }
func (e UsageError) Unwrap() error { return e.Err }

// Main runs the scenarios that the command line asks for, and ends the program. The name is that of
// the program, and the text about is the first line of its help.
func Main(name, about string, scenarios ...experiment.Scenario) {
	ctx := Interruptible()
	os.Exit(Code(ctx, name, Run(ctx, name, about, os.Args[1:], os.Stdout, os.Stderr, scenarios...), os.Stderr))
}

// Run is Main for tests, and for programs that do more: it returns what Code turns into an exit
// code.
func Run(ctx context.Context, name, about string, args []string, stdout, stderr io.Writer, scenarios ...experiment.Scenario) error {
	var c struct {
		Run struct {
			Flags
			Scenario []string `placeholder:"NAME" help:"Scenarios to run (default: all)."`
		} `cmd:"" default:"withargs" help:"Run scenarios (the default)."`
		List struct {
			Scenario []string `arg:"" optional:"" help:"Scenarios to explain (default: one sentence about each)."`
		} `cmd:"" help:"List the scenarios and their questions."`
		Builtin
	}
	called, err := Parse(&c, name, about, args, stdout)
	if err != nil {
		return err
	}
	if strings.HasPrefix(called, "list") {
		return List(stdout, scenarios, c.List.Scenario...)
	}
	picked, err := Chosen(scenarios, c.Run.Scenario)
	if err != nil {
		return err
	}
	return c.Run.Measure(ctx, name, c.Run.Env(100*time.Millisecond, 10), picked, stdout, stderr)
}

// Interruptible returns a context that ends with Ctrl-C or SIGTERM. A second Ctrl-C ends the program
// at once. When the reader of the output leaves, the next write fails, and no signal ends the
// program.
func Interruptible() context.Context {
	ignoreBrokenPipes()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx
}

// Code returns the exit code of a program that ends with err. It writes a line about the error to
// stderr, if there is something to say; the line begins with the name.
func Code(ctx context.Context, name string, err error, stderr io.Writer) int {
	var usage UsageError
	switch {
	case err == nil, errors.Is(err, ErrHelp), isBrokenPipe(err):
		return ExitOK
	case ctx.Err() != nil:
		return ExitInterrupted
	}
	line := strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	fmt.Fprintf(stderr, "%s: %s\n", name, line)
	if errors.As(err, &usage) || errors.As(err, new(*experiment.SelectionError)) {
		return ExitUsage
	}
	return ExitFailed
}

func isBrokenPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
