package experiment

import (
	"context"

	"github.com/ichor-go/ichor/bench/internal/perf"
)

// eventCounter is what counts events of the processor: perf.Counters, or a fake in tests.
type eventCounter interface {
	Start() (stop func() (map[string]float64, error), err error)
}

// openCounters is a variable so that tests can replace it.
var openCounters = perf.Open

// counterKey is the key of the counters in the context of a sample.
type counterKey struct{}

// withCounters makes samples of lanes count events of the processor, which become extra metrics
// such as "cycles/op".
func withCounters(ctx context.Context, o *Options) context.Context {
	if !o.Counters {
		return ctx
	}
	c, reason := openCounters()
	if reason != "" {
		o.Logf("-counters: %s", reason)
	}
	if c == nil {
		return ctx
	}
	return context.WithValue(ctx, counterKey{}, c)
}

// startCounters starts the counters of the context, if it has any. The result of stop is nil
// without them.
func startCounters(ctx context.Context) (stop func() (map[string]float64, error), err error) {
	c, ok := ctx.Value(counterKey{}).(eventCounter)
	if !ok {
		return func() (map[string]float64, error) { return nil, nil }, nil
	}
	return c.Start()
}

// countsOf turns counts into extra metrics.
func countsOf(s *Sample, counts map[string]float64) error {
	for name, n := range counts {
		if err := s.note("", name+"/op", n/float64(max(s.Ops, 1))); err != nil {
			return err
		}
	}
	return nil
}
