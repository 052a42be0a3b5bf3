package scenarios

import (
	"context"
	"errors"
	"fmt"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

const (
	// handoffUses is how often an object is counted up and down before it is dropped: a
	// guess at what programs do. With fewer, the cost of allocation hides that of counting.
	// Rows without uses show what it costs to free another thread's memory.
	handoffUses = 4
	// handoffBatch is how many objects go through the channel together, and how many are
	// made between two checkpoints.
	handoffBatch = 256
	// handoffBatches is how many batches there are. When all are full, the producer waits
	// until the consumer gives one back.
	handoffBatches = 4
)

// HandoffShares are the percentages of objects that the consumer counts.
var HandoffShares = []int{0, 1, 5, 10, 25, 50, 75, 100}

// Handoff asks what it costs to count objects that another thread has made.
func Handoff() experiment.Scenario {
	return experiment.Scenario{
		Name: "handoff",
		Question: fmt.Sprintf("What does it cost if a thread other than the maker counts an object? "+
			"(An op is one boxed integer: made by the producer, counted up and down as often as uses says, and dropped. "+
			"The consumer receives foreign percent of them through a channel, %d at a time, and counts and drops them; the producer does so with the rest.)",
			handoffBatch),
		Plan: func(*experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, mode := range modes {
				run := &handoffRun{modeRun{mode: mode}}
				row := func(share, uses int) {
					p.Variants = append(p.Variants, experiment.Variant{
						Config: experiment.Cfg("mode", mode, "foreign", share, "uses", uses, "threads", 2), Metric: experiment.OpsS,
						Setup: run.setup, Close: run.close, Sample: run.sampler(share, uses),
					})
				}
				for _, share := range HandoffShares {
					row(share, handoffUses)
				}
				row(0, 0)
				row(100, 0)
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("mode", modeAtomic) },
		BaselineName: "mode=atomic, same share",
		Conclude:     concludeHandoff,
	}
}

// handoffRun is what the rows of one mode have in common.
type handoffRun struct{ modeRun }

// sampler measures the producer, which is the only lane of the sample. The consumer is at most
// handoffBatches behind, and catches up after the clock has stopped.
func (c *handoffRun) sampler(share, uses int) func(context.Context, experiment.Budget) (experiment.Sample, error) {
	return func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
		full := make(chan []rt.Ref, handoffBatches)
		empty := make(chan []rt.Ref, handoffBatches)
		for range handoffBatches {
			empty <- make([]rt.Ref, 0, handoffBatch)
		}
		consumed := make(chan error, 1)
		go func() {
			err := c.r.Do(func(t *rt.Thread) error {
				consume(t, uses, full, empty)
				return nil
			})
			for batch := range full { // there was no thread; the producer must not wait forever
				empty <- batch[:0]
			}
			consumed <- err
		}()
		s, err := experiment.NsPerOp(ctx, b, handoffBatch, func(l *experiment.Lane) error {
			return c.r.Do(func(t *rt.Thread) error {
				return produce(ctx, t, l, share, uses, full, empty)
			})
		})
		close(full)
		if err = errors.Join(err, <-consumed); err != nil {
			return experiment.Sample{}, err
		}
		return experiment.Sample{Value: 1e9 / s.Value, Ops: s.Ops, Threads: s.Threads}, nil
	}
}

// produce makes objects, counts its share of them, and sends the others to the consumer.
func produce(ctx context.Context, t *rt.Thread, l *experiment.Lane, share, uses int, full chan<- []rt.Ref, empty <-chan []rt.Ref) error {
	var own [handoffBatch]rt.Ref
	away, _, err := rt.RecvContext(ctx, t, empty)
	if err != nil {
		return err
	}
	due := 0 // hundredths of an object that are due to be sent
	for l.Next() {
		for range l.N() / handoffBatch {
			n := 0
			for range handoffBatch {
				r, err := objects.NewInt(t, 1<<40)
				if err != nil {
					t.DecRefs(own[:n])
					t.DecRefs(away)
					return err
				}
				if due += share; due < 100 {
					own[n] = r
					n++
					continue
				}
				due -= 100
				if away = append(away, r); len(away) == handoffBatch {
					if err := rt.SendContext(ctx, t, full, away); err != nil {
						t.DecRefs(own[:n])
						t.DecRefs(away)
						return err
					}
					if away, _, err = rt.RecvContext(ctx, t, empty); err != nil {
						t.DecRefs(own[:n])
						return err
					}
				}
			}
			useUp(t, uses, own[:n])
			t.Checkpoint()
		}
	}
	if err := rt.SendContext(ctx, t, full, away); err != nil {
		t.DecRefs(away)
		return err
	}
	return nil
}

// consume counts what it receives, until the channel is closed, which it is in any case.
func consume(t *rt.Thread, uses int, full <-chan []rt.Ref, empty chan<- []rt.Ref) {
	for {
		batch, ok, _ := rt.RecvContext(context.Background(), t, full)
		if !ok {
			return
		}
		useUp(t, uses, batch)
		_ = rt.SendContext(context.Background(), t, empty, batch[:0]) // there is room
	}
}

// useUp counts objects up and down, and drops them. Both sides do so.
func useUp(t *rt.Thread, uses int, refs []rt.Ref) {
	for range uses {
		t.IncRefs(refs)
		t.DecRefs(refs)
	}
	t.DecRefs(refs)
}

// concludeHandoff says at which share of foreign objects biased counting begins to lose.
func concludeHandoff(res *experiment.Result) []string {
	ratios := make([]experiment.Stat, len(HandoffShares))
	for i, share := range HandoffShares {
		row := func(mode string) *experiment.Row {
			return res.Find(experiment.Cfg("mode", mode, "foreign", share, "uses", handoffUses))
		}
		ratios[i] = experiment.Ratio(row(modeBiased), row(modeAtomic))
	}
	var each []string
	for i, share := range HandoffShares {
		each = experiment.Item(each, fmt.Sprintf("%d %%", share), ratios[i])
	}
	dropped := func(share int) *experiment.Row {
		return res.Find(experiment.Cfg("mode", modeAtomic, "foreign", share, "uses", 0))
	}
	lines := experiment.Claim(nil, "Objects that one thread makes and another one only drops, "+ModeWords(modeAtomic), experiment.Ratio(dropped(100), dropped(0)), "%v times as many in the same time as if the maker drops them.")
	lines = experiment.Say(lines, "Biased counts relative to atomic ones, by the percentage of foreign objects: %s.", each)
	if len(each) < len(ratios) {
		return lines // it may begin to lose at a share whose figure is missing
	}
	return append(lines, whereLost(HandoffShares, ratios))
}

// whereLost says from which share on biased counting is shown to be slower, and up to which it is
// shown to be faster.
func whereLost(shares []int, ratios []experiment.Stat) string {
	faster := ""
	for i, ratio := range ratios {
		switch {
		case ratio.High < 1:
			return fmt.Sprintf("Biased counting is slower from %d %% foreign objects on%s.", shares[i], faster)
		case ratio.Low > 1:
			faster = fmt.Sprintf(", and faster up to %d %%", shares[i])
		}
	}
	return fmt.Sprintf("Biased counting is nowhere shown to be slower, up to %d %% foreign objects.", shares[len(shares)-1])
}
