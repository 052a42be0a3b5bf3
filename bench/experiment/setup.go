package experiment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Which memory a variant gets is luck, and the first that is set up has better luck than the last:
// two variants that do the same may differ by some percent in all rounds of a run, with narrow
// intervals. So each round sets its variants up anew, in an order of its own, and what is luck in
// one round is not in the next. The plan is made anew as well, so that nothing stays.
//
//	once   condition: there is nothing to set up; or it takes longer than half of a round's
//	       samples, of which a warning tells
//	anew   condition: otherwise
//	       before each round but the first: close what is set up, in reverse; plan; set up; warm up
//
// A rig is a plan with what is set up of it.
type rig struct {
	scenario string
	plan     *Plan
	closing  []func() error // what Close is for, in the order of the set-ups
}

// up sets up what the variants share, and then the variants, in the given order.
func (g *rig) up(ctx context.Context, order []int) error {
	if err := g.setUp(ctx, g.scenario, g.plan.Setup, g.plan.Close); err != nil {
		return err
	}
	for _, i := range order {
		v := &g.plan.Variants[i]
		if err := g.setUp(ctx, g.name(v), v.Setup, v.Close); err != nil {
			return err
		}
	}
	return nil
}

func (g *rig) name(v *Variant) string { return g.scenario + "/" + v.Config.String() }

func (g *rig) setUp(ctx context.Context, what string, up func(context.Context) error, down func() error) error {
	if down != nil {
		g.closing = append(g.closing, func() error {
			if err := down(); err != nil {
				return fmt.Errorf("%s: close: %w", what, err)
			}
			return nil
		})
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if up != nil {
		if err := up(ctx); err != nil {
			return fmt.Errorf("%s: set-up: %w", what, err)
		}
	}
	return ctx.Err()
}

// down closes what is set up, the last first, and returns the first error.
func (g *rig) down() (err error) {
	for _, f := range slices.Backward(g.closing) {
		if cerr := f(); err == nil {
			err = cerr
		}
	}
	g.closing = nil
	return err
}

// empty reports whether there is nothing to set up.
func (p *Plan) empty() bool {
	return p.Setup == nil && !slices.ContainsFunc(p.Variants, func(v Variant) bool { return v.Setup != nil })
}

// like reports whether the plans have the same variants.
func (p *Plan) like(q *Plan) bool {
	return slices.EqualFunc(p.Variants, q.Variants, func(a, b Variant) bool { return slices.Equal(a.Config, b.Config) && a.Metric == b.Metric })
}

var errPlanChanged = errors.New("another call of Plan returned other variants")

// anew makes the plan again, for another set-up.
func (w *worker) anew(s *Scenario, was *Plan) (*Plan, error) {
	env := w.opts.Env
	env.Logf = func(string, ...any) {} // it has said so before
	p, err := w.plan(s, &env)
	if err == nil && !p.like(was) {
		err = fmt.Errorf("%s: %w", s.Name, errPlanChanged)
	}
	return p, err
}

// setUp sets the variants up, and warms them up.
func (w *worker) setUp(ctx context.Context, g *rig, turns []int) (u SetUps, err error) {
	began := time.Now()
	if err := g.up(ctx, turns); err != nil {
		return u, err
	}
	u.Took = time.Since(began)
	began = time.Now()
	for _, i := range turns {
		v := &g.plan.Variants[i]
		if _, err := w.sample(ctx, g.scenario, "warm-up", v, w.opts.Budget.WarmUp()); err != nil {
			return u, fmt.Errorf("%s: %w", g.name(v), err)
		}
	}
	u.Warm = time.Since(began)
	u.Anew = !g.plan.empty() && worthwhile(u)
	w.tell(func(c *collector) error {
		if len(c.open.Rounds) == 0 {
			c.open.SetUps = u
		}
		return nil
	})
	return u, nil
}

// SetUps says how the variants of a result were set up. A plain value.
type SetUps struct {
	Anew bool          // once for each round
	Took time.Duration // the first time
	Warm time.Duration // how long the samples took then that warm up
}

// round is about how long a round's samples take: see Budget.WarmUp.
func (u SetUps) round() time.Duration { return 4 * u.Warm }

func (u SetUps) worthwhile() bool { return u.Took <= u.round()/2 }

// worthwhile is a variable so that tests can replace it.
var worthwhile = SetUps.worthwhile
