package main

import (
	"context"
	"io"
	"os"
	"slices"

	"github.com/ichor-go/ichor/bench/commits"
	"github.com/ichor-go/ichor/bench/documents"
	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
	"github.com/ichor-go/ichor/bench/heap"
	"github.com/ichor-go/ichor/bench/image"
	"github.com/ichor-go/ichor/bench/prefork"
	"github.com/ichor-go/ichor/bench/report"
	"github.com/ichor-go/ichor/bench/scenarios"
	"github.com/ichor-go/ichor/bench/tax"
)

func main() {
	ctx := command.Interruptible()
	a := app{stdout: os.Stdout, stderr: os.Stderr, scenarios: scenarios.All(), extra: scenarios.Extra(), compared: scenarios.Compared()}
	os.Exit(a.main(ctx, os.Args[1:]))
}

// An app is the command with its surroundings, so that tests can choose them.
type app struct {
	stdout, stderr io.Writer
	scenarios      []experiment.Scenario
	extra          []experiment.Scenario // run only if they are named
	compared       []experiment.Scenario // what compare runs over the documents
}

// main runs the command and returns the exit code. No other function knows exit codes.
func (a *app) main(ctx context.Context, args []string) int {
	return command.Code(ctx, name, a.run(ctx, args), a.stderr)
}

func (a *app) run(ctx context.Context, args []string) error {
	called, c, err := parse(args, a.stdout)
	if err != nil {
		return err
	}
	switch called {
	case "compare":
		return a.measure(ctx, c.Compare.env(called), &c.Compare.measureFlags, a.compared, true)
	case "run":
		all := a.scenarios
		if len(c.Run.Scenario) > 0 {
			all = slices.Concat(all, a.extra)
		}
		picked, err := command.Chosen(all, c.Run.Scenario)
		if err != nil {
			return err
		}
		env := c.Run.env(called)
		env.Size = int64(c.Run.Size)
		needDocs := slices.ContainsFunc(picked, func(s experiment.Scenario) bool { return s.Documents })
		return a.measure(ctx, env, &c.Run.measureFlags, picked, needDocs)
	case "list", "list <scenario>":
		return command.List(a.stdout, slices.Concat(a.scenarios, a.extra), c.List.Scenario...)
	case "report":
		return report.Run(ctx, name, &c.Report, args, a.scenarios, a.stdout, a.stderr)
	case "prefork":
		return prefork.Run(ctx, name, &c.Prefork, a.stdout, a.stderr)
	case "heap <files>":
		return heap.Run(ctx, &c.Heap, a.stdout)
	case "compare-commits <A> <B>":
		return commits.Run(ctx, name, &c.Commits, a.stdout, a.stderr)
	case "immortality-tax":
		return tax.Run(ctx, name, &c.Tax, a.stdout, a.stderr)

	// Processes that commands start.
	case "prefork-worker <mode>":
		return prefork.Serve(ctx, c.Worker.Mode, os.Stdin, a.stdout)
	case scenarios.ChildCommand + " <scenario> <heap>":
		return scenarios.Serve(c.ScenarioChild.Scenario, c.ScenarioChild.Heap, os.Stdin, a.stdout)
	case "tax-child":
		return tax.Serve(ctx, os.Stdin, a.stdout)
	}
	return image.Run(ctx, called, &c.Image, a.stdout)
}

// measure loads the documents if they are given or needed, runs the scenarios, and reports
// them.
func (a *app) measure(ctx context.Context, env experiment.Env, f *measureFlags, list []experiment.Scenario, needDocs bool) error {
	if len(f.Input) > 0 || needDocs {
		docs, err := documents.Load(ctx, f.Input)
		if err != nil {
			return err
		}
		env.Documents = docs
	}
	return f.Measure(ctx, name, env, list, a.stdout, a.stderr)
}
