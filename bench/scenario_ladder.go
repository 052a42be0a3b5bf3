package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// Values of the config key shared: the rungs of the ladder, from the ground up.
const (
	ladderNothing  = "nothing"
	ladderObject   = "object"
	ladderDict     = "dict"
	ladderImmortal = "immortal"
)

var ladderRungs = []string{ladderNothing, ladderObject, ladderDict, ladderImmortal}

func ladderScenario() experiment.Scenario {
	return experiment.Scenario{
		Name: "ladder",
		Question: "How much do threads slow each other down by counting, the more they share? " +
			"(An op takes a reference to a value that it finds in a dict, and gives it up. shared=nothing: each thread has a dict and a value of its own. object: dicts of their own, with one mortal value in all. " +
			"dict: one dict, mortal, and its value. immortal: the same, immortal in place. What is shared was made by another thread, which waits.)",
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, mode := range modes {
				for _, shared := range ladderRungs {
					run := &ladderRun{mode: mode, shared: shared}
					for _, n := range env.Threads {
						p.Variants = append(p.Variants, experiment.Variant{
							Config: experiment.Cfg("mode", mode, "shared", shared, "threads", n), Metric: experiment.OpsS,
							Setup: run.setup, Close: run.close, Sample: run.sampler(n),
						})
					}
				}
			}
			return p, nil
		},
		Baseline:     func(c experiment.Config) experiment.Config { return c.With("threads", 1) },
		BaselineName: "one thread, same mode and rung",
		Conclude:     concludeLadder,
	}
}

// ladderRun is a rung in a mode; the rows with it share it.
type ladderRun struct {
	mode, shared string
	rows         tenants

	r    *rt.Runtime
	dict ladderDictOf

	leave chan struct{} // closed to let the thread go that made the dict
	left  chan error
}

// ladderDictOf is a dict with one value, and its key.
type ladderDictOf struct{ dict, key, value rt.Ref }

// setup has a thread make what is shared. It stays attached, so that under biased
// counting the other threads count what is another's.
func (c *ladderRun) setup(context.Context) (err error) {
	if !c.rows.first() {
		return nil
	}
	if c.r, err = newRuntime(c.mode); err != nil {
		return err
	}
	c.leave, c.left = make(chan struct{}), make(chan error, 1)
	made := make(chan error, 1)
	go func() {
		err := c.r.Do(func(t *rt.Thread) error {
			d, err := newLadderDict(t, rt.Nil)
			if err == nil && c.shared == ladderImmortal {
				err = t.Immortalize(d.dict, d.key, d.value)
			}
			c.dict = d
			made <- err
			t.Blocking(func() { <-c.leave })
			d.drop(t)
			return nil
		})
		select {
		case made <- err: // there was no thread
		default:
		}
		c.left <- err
	}()
	return <-made
}

func (c *ladderRun) close() error {
	if !c.rows.last() || c.r == nil {
		return nil
	}
	close(c.leave)
	return errors.Join(<-c.left, c.r.Close())
}

// newLadderDict makes a dict with the value, or one that it makes.
func newLadderDict(t *rt.Thread, value rt.Ref) (d ladderDictOf, err error) {
	if value != rt.Nil {
		t.IncRef(value)
		d.value = value
	} else if d.value, err = objects.NewString(t, "what all want"); err != nil {
		return d, err
	}
	if d.key, err = objects.NewString(t, "the key"); err == nil {
		d.dict, err = objects.NewDict(t)
	}
	if err == nil {
		err = objects.Dict(d.dict).Set(t, d.key, d.value)
	}
	if err != nil {
		d.drop(t)
		return ladderDictOf{}, err
	}
	return d, nil
}

// drop gives up what d holds.
func (d ladderDictOf) drop(t *rt.Thread) {
	for _, r := range []rt.Ref{d.dict, d.key, d.value} {
		if r != rt.Nil {
			t.DecRef(r)
		}
	}
}

func (c *ladderRun) sampler(threads int) func(context.Context, experiment.Budget) (experiment.Sample, error) {
	return func(ctx context.Context, b experiment.Budget) (experiment.Sample, error) {
		return experiment.OpsPerSecond(ctx, b, threads, ladderBatch, func(l *experiment.Lane) error {
			return c.r.Do(func(t *rt.Thread) error {
				d := c.dict
				if c.shared == ladderNothing || c.shared == ladderObject {
					value := rt.Nil
					if c.shared == ladderObject {
						value = c.dict.value
					}
					own, err := newLadderDict(t, value)
					if err != nil {
						return err
					}
					defer own.drop(t)
					d = own
				}
				for l.Next() {
					for range l.N() / ladderBatch {
						if err := d.climb(t); err != nil {
							return err
						}
						t.Checkpoint()
					}
				}
				return nil
			})
		})
	}
}

// ladderBatch is how many operations there are between two checkpoints.
const ladderBatch = 256

// climb does ladderBatch operations.
func (d ladderDictOf) climb(t *rt.Thread) error {
	for range ladderBatch {
		v, err := objects.Dict(d.dict).Get(t, d.key)
		if err != nil {
			return err
		}
		t.DecRef(v)
	}
	return nil
}

// concludeLadder says what each rung makes of the most threads.
func concludeLadder(res *experiment.Result) (lines []string) {
	most := mostThreads(res)
	if most < 2 {
		return []string{"With one thread, nothing is shared."}
	}
	for _, mode := range modes {
		var speed []any
		for _, shared := range ladderRungs {
			speed = append(speed, experiment.Ratio(
				res.Find(experiment.Cfg("mode", mode, "shared", shared, "threads", most)),
				res.Find(experiment.Cfg("mode", mode, "shared", shared, "threads", 1))))
		}
		lines = append(lines, fmt.Sprintf("mode=%s: %d threads do %.2f times the work of one with nothing shared, %.2f with one mortal object, %.2f with one mortal dict, %.2f with the same immortal.",
			append([]any{mode, most}, speed...)...))
	}
	return lines
}

// mostThreads is the greatest thread count in the table.
func mostThreads(res *experiment.Result) (most int) {
	for _, row := range res.Rows {
		if n, ok := row.Config.Get("threads").(int); ok {
			most = max(most, n)
		}
	}
	return most
}
