package scenarios

import (
	"context"
	"testing"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/cpu"
)

// Samples that are not plain lanes also have the times that their threads asked for.
func TestSamplesAreWatched(t *testing.T) {
	if cpu.Measure() == "" {
		t.Skip("SKIPPED: this system does not say what threads ask for")
	}
	samplers := map[string]func(context.Context, experiment.Budget) (experiment.Sample, error){
		"timedRate": func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
			return timedRate(ctx, b, 1, func() (time.Duration, error) { return 1, nil })
		},
	}
	collect := &collectRun{mortals: 100, cores: 1, order: OrderAllocation}
	handoff := &handoffRun{modeRun{mode: modeAtomic}}
	for name, row := range map[string]interface {
		setup(context.Context) error
		close() error
	}{"collect": collect, "handoff": handoff} {
		if err := row.setup(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer func() {
			if err := row.close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}()
	}
	samplers["collect"], samplers["handoff"] = collect.sample, handoff.sampler(50, handoffUses)
	for name, sample := range samplers {
		if s, err := sample(t.Context(), experiment.Budget{Ops: 100}); err != nil || len(s.Threads) == 0 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}
