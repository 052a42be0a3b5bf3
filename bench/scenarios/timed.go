package scenarios

import (
	"context"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
)

// timedRate is experiment.OpsPerSecond for operations that need preparation or clearing away
// each time, which does not count. The function once does unit operations and returns the time
// that these took. It is called at least once, and until these times add up to the budget, or
// until ten times the budget has passed in all.
func timedRate(ctx context.Context, b experiment.Budget, unit int64, once func() (time.Duration, error)) (experiment.Sample, error) {
	var took time.Duration
	ops := int64(0)
	stop := experiment.WatchCPU(1)
	for begin := time.Now(); ; {
		if err := ctx.Err(); err != nil {
			return experiment.Sample{}, err
		}
		d, err := once()
		if err != nil {
			return experiment.Sample{}, err
		}
		ops += unit
		took += max(d, 1) // a coarse clock may show no time at all
		if b.Ops > 0 && ops >= b.Ops || b.Ops == 0 && (took >= b.Duration || time.Since(begin) >= 10*b.Duration) {
			return experiment.Sample{Value: float64(ops) / took.Seconds(), Ops: ops, Threads: stop()}, nil
		}
	}
}
