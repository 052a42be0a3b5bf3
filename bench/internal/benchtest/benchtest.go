// Package benchtest has what the tests of the command bench and of its parts share.
package benchtest

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/experiment/command"
)

// Child is an environment variable. If it is set, test binaries run as the command: they are the
// processes that tests start.
const Child = "ICHOR_BENCH_CHILD"

// Large is a document of half a megabyte. It compresses into more than one block, each of a few
// bytes.
var Large = []byte(`{"list":[` + strings.Repeat(`{"name":"value","n":1.5e3},`, 20000) + `null]}`)

// Write writes a file in a new folder, and returns its path.
func Write(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Call runs a part of the command as the command itself does. It parses the arguments into cli,
// calls run with the name of the command that they call, and returns the exit code and the
// output.
func Call(ctx context.Context, cli any, run func(called string, stdout, stderr io.Writer) error, args ...string) (code int, stdout, stderr string) {
	var out, errs output
	called, err := command.Parse(cli, "bench", "", args, &out)
	if err == nil {
		err = run(called, &out, &errs)
	}
	code = command.Code(ctx, "bench", err, &errs)
	return code, out.String(), errs.String()
}

// output collects what a command prints. A command that was interrupted is left behind, and may
// still print.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Demo is a scenario that needs no runtime.
func Demo() experiment.Scenario {
	return experiment.Scenario{
		Name: "demo", Question: "how long does nothing take?",
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			plan := &experiment.Plan{}
			for _, threads := range env.Threads {
				plan.Variants = append(plan.Variants, experiment.Variant{
					Config: experiment.Cfg("documents", len(env.Documents), "threads", threads),
					Metric: experiment.OpsS,
					Sample: func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
						return experiment.OpsPerSecond(ctx, b, threads, 1, func(l *experiment.Lane) error {
							for l.Next() {
							}
							return nil
						})
					},
				})
			}
			return plan, nil
		},
		Baseline: func(c experiment.Config) experiment.Config { return c.With("threads", 1) },
	}
}

// Unwatched is the scenario with samples that do not know how their threads ran, so that no row is in
// doubt, whatever else the machine does.
func Unwatched(s experiment.Scenario) experiment.Scenario {
	plan := s.Plan
	s.Plan = func(env *experiment.Env) (*experiment.Plan, error) {
		p, err := plan(env)
		if err != nil {
			return nil, err
		}
		for i := range p.Variants {
			sample := p.Variants[i].Sample
			p.Variants[i].Sample = func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
				s, err := sample(ctx, b)
				s.Threads, s.Load.Apart = nil, 0
				return s, err
			}
		}
		return p, nil
	}
	return s
}
