package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
)

// nothing is a scenario that does nothing.
func nothing() experiment.Scenario {
	return experiment.Scenario{
		Name: "nothing", Question: "how long does nothing take?",
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			return &experiment.Plan{Variants: []experiment.Variant{{
				Config: experiment.Cfg("threads", 1), Metric: experiment.NsOp,
				Sample: func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
					return experiment.NsPerOp(ctx, b, 1, func(l *experiment.Lane) error {
						for l.Next() {
						}
						return nil
					})
				},
			}}}, nil
		},
	}
}

func TestRun(t *testing.T) {
	for args, want := range map[string]struct {
		code           int
		stdout, stderr string
	}{
		"-benchtime 10x -count 2":   {ExitOK, "nothing: how long does nothing take?", ""},
		"run -format json -count 1": {ExitOK, `{"scenario":"nothing"`, ""},
		"list":                      {ExitOK, "nothing  how long does nothing take?\n", ""},
		"-h":                        {ExitOK, "Measures nothing.", ""},
		"-scenario x":               {ExitUsage, "", "mine: unknown scenario \"x\"; known: nothing\n"},
		"-count 0":                  {ExitUsage, "", "mine: -count: \"0\" is not a number from 1 to 100000\n"},
		"-plots":                    {ExitUsage, "", "mine: flag -plots needs a value\n"},
		"dance":                     {ExitUsage, "", "mine: unknown command dance; the commands are run, list, help, version\n"},
	} {
		var out, errs bytes.Buffer
		err := Run(t.Context(), "mine", "Measures nothing.", strings.Fields(args), &out, &errs, nothing())
		code := Code(t.Context(), "mine", err, &errs)
		if code != want.code || !strings.Contains(out.String(), want.stdout) || errs.String() != want.stderr {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", args, code, out.String(), errs.String())
		}
	}
}

func TestCode(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		err  error
		code int
		line string
	}{
		{t.Context(), nil, ExitOK, ""},
		{t.Context(), fmt.Errorf("one\ntwo\r\nthree"), ExitFailed, "mine: one; two; three\n"},
		{t.Context(), UsageError{errors.New("no")}, ExitUsage, "mine: no\n"},
		{over, errors.New("cut short"), ExitInterrupted, ""},
	} {
		var errs bytes.Buffer
		if code := Code(c.ctx, "mine", c.err, &errs); code != c.code || errs.String() != c.line {
			t.Errorf("%v: exit code %d, %q", c.err, code, errs.String())
		}
	}
}
