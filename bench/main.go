package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
)

func main() {
	ctx := command.Interruptible()
	a := app{stdout: os.Stdout, stderr: os.Stderr, scenarios: scenarios, compare: compareScenarios}
	os.Exit(a.main(ctx, os.Args[1:]))
}

// An app is the command with its surroundings, so that tests can choose them.
type app struct {
	stdout, stderr io.Writer
	scenarios      []experiment.Scenario
	compare        func(docs []experiment.Document) []experiment.Scenario
}

// main runs the command and turns its error into the exit code: the only place
// that does.
func (a *app) main(ctx context.Context, args []string) int {
	err := a.run(ctx, args)
	var input *inputError
	if errors.As(err, &input) {
		err = command.UsageError{Err: err}
	}
	return command.Code(ctx, name, err, a.stderr)
}

func (a *app) run(ctx context.Context, args []string) error {
	called, c, err := parse(args, a.stdout)
	if err != nil {
		return err
	}
	switch called {
	case "list":
		return command.List(a.stdout, a.scenarios)
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
	case "report":
		return a.report(ctx, &c.Report, args)
	case "immortality-tax":
		return a.immortalityTax(ctx, &c.Tax)
	case "tax-child":
		return serveTax(ctx, os.Stdin, a.stdout)
	case "prefork-worker <mode>":
		return serveHeap(ctx, c.Worker.Mode, os.Stdin, a.stdout)
	case "gcshare-child <heap>":
		return serveGCShare(c.GCChild.Heap, os.Stdin, a.stdout)
	case "run":
		picked, err := command.Chosen(a.scenarios, c.Run.Scenario)
		if err != nil {
			return err
		}
		pick := func([]experiment.Document) []experiment.Scenario { return picked }
		env := c.Run.env(called)
		env.Size = int64(c.Run.Size)
		return a.measure(ctx, env, &c.Run.measureFlags, pick, needDocuments(picked))
	}
	return a.measure(ctx, c.Compare.env(called), &c.Compare.measureFlags, a.compare, true)
}

func needDocuments(list []experiment.Scenario) bool {
	for _, s := range list {
		if s.Documents {
			return true
		}
	}
	return false
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
	return f.Measure(ctx, name, env, pick(env.Documents), a.stdout, a.stderr)
}
