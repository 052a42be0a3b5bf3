package experiment

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"time"

	"github.com/ichor-go/ichor/bench/internal/cpu"
)

// Options of a Run. Budget and Count must be set.
type Options struct {
	Env

	// Planned is called when the plans of all scenarios are made, before anything is set up. An
	// error ends the run. It is not called if a plan is wrong.
	Planned func() error
	// Progress is called between samples, never during one, with the numbers of samples
	// taken and planned, and with what comes next.
	Progress func(done, total int, next string)
	// Finished is called with each scenario that is complete. If the run ends early, it is
	// called with the scenario under way too, if that has samples. An error ends the run.
	Finished func(res *Result) error
	// Grace is how long Run waits for the sample or the set-up under way when ctx has
	// ended; 0 is 500 ms.
	Grace time.Duration
}

// Run measures the scenarios one after the other. It returns a report of what it has, even if
// it fails. When ctx ends, Run returns within the grace time, with a partial report and the
// error of ctx. A sample that goes on beyond that is left on its goroutine, so the program
// should end soon.
func Run(ctx context.Context, scenarios []Scenario, o Options) (*Report, error) {
	if o.Count < 1 || o.Budget == (Budget{}) {
		return &Report{}, fmt.Errorf("experiment: Run needs a count and a budget, not %d and %v", o.Count, o.Budget)
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	if len(o.Threads) == 0 {
		o.Threads = defaultThreads()
	}
	if o.Limit == 0 {
		o.Limit = time.Minute
	}
	if o.Grace == 0 {
		o.Grace = 500 * time.Millisecond
	}
	ctx = withCounters(ctx, &o)
	w := &worker{opts: &o, events: make(chan event), gone: make(chan struct{})}
	defer close(w.gone)
	ended := make(chan error, 1)
	go func() { ended <- w.run(ctx, scenarios) }()

	c := &collector{opts: &o, report: &Report{}}
	interrupted := ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case e := <-w.events:
			err := e.apply(c)
			close(e.applied)
			if err != nil {
				return c.finish(ctx, err)
			}
		case err := <-ended:
			return c.finish(ctx, err)
		case <-interrupted:
			interrupted = nil
			late = time.After(o.Grace)
		case <-late:
			return c.finish(ctx, ctx.Err())
		}
	}
}

// An event goes from the goroutine that measures to the one that called Run. The sender waits until
// the event is applied, so no callback runs during a sample. Only the receiver touches the report.
type event struct {
	apply   func(c *collector) error
	applied chan struct{}
}

// collector owns the report. Only the goroutine that called Run uses it.
type collector struct {
	opts   *Options
	report *Report
	open   *Result // the scenario under way
	narrow bool    // its intervals were narrow enough after the last round
}

func (c *collector) progress(next string) {
	if c.opts.Progress != nil {
		c.opts.Progress(c.report.Done, c.report.Total, next)
	}
}

// close completes the scenario under way.
func (c *collector) close() error {
	res := c.open
	c.open = nil
	for _, row := range res.Rows {
		row.addZeros()
		res.Partial = res.Partial || len(row.Samples) < c.opts.Count
	}
	if c.opts.Finished != nil {
		return c.opts.Finished(res)
	}
	return nil
}

func (c *collector) finish(ctx context.Context, err error) (*Report, error) {
	r := c.report
	r.Failed = err != nil && ctx.Err() == nil
	r.Partial = r.Done < r.Total || r.Total == 0
	if c.open != nil && !c.open.empty() {
		err = errors.Join(err, c.close())
	}
	if last := len(r.Results) - 1; last >= 0 && r.Results[last].empty() {
		r.Results = r.Results[:last]
	}
	return r, err
}

func (r *Result) empty() bool {
	for _, row := range r.Rows {
		if len(row.Samples) > 0 {
			return false
		}
	}
	return true
}

// worker measures, on a goroutine of its own.
type worker struct {
	opts   *Options
	events chan event
	gone   chan struct{} // closed when Run has returned
}

// tell returns when the event is applied. If Run has returned, it ends the goroutine instead, which
// then closes what it has set up.
func (w *worker) tell(apply func(c *collector) error) {
	e := event{apply: apply, applied: make(chan struct{})}
	select {
	case w.events <- e:
		<-e.applied
	case <-w.gone:
		runtime.Goexit()
	}
}

func (w *worker) run(ctx context.Context, scenarios []Scenario) error {
	plans := make([]*Plan, len(scenarios))
	total := 0
	names := map[string]bool{}
	for i := range scenarios {
		name := scenarios[i].Name
		if !isWord(name) {
			return fmt.Errorf("experiment: the name of scenario %d is %q, not one word", i+1, name)
		}
		if names[name] {
			return fmt.Errorf("experiment: the scenario %q is there twice", name)
		}
		names[name] = true
		plan, err := w.plan(&scenarios[i], &w.opts.Env)
		if err != nil {
			return err
		}
		plans[i] = plan
		total += len(plan.Variants) * w.opts.Count
	}
	w.tell(func(c *collector) error {
		c.report.Total = total
		if c.opts.Planned == nil {
			return nil
		}
		return c.opts.Planned()
	})
	for i := range scenarios {
		if err := w.scenario(ctx, &scenarios[i], plans[i]); err != nil {
			return err
		}
	}
	return nil
}

// plan makes a scenario's plan, with the variants that are asked for.
func (w *worker) plan(s *Scenario, env *Env) (*Plan, error) {
	plan, err := s.Plan(env)
	if err == nil {
		err = plan.check()
	}
	if err == nil {
		err = plan.only(env.Only, s.Name)
	}
	if errors.As(err, new(*SelectionError)) {
		return nil, err // it names the scenario
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	return plan, nil
}

func (p *Plan) check() error {
	if len(p.Variants) == 0 {
		return errors.New("the plan has no variants")
	}
	seen := map[string]bool{}
	for i := range p.Variants {
		v := &p.Variants[i]
		name := v.Config.String()
		keys := map[string]bool{}
		for _, kv := range v.Config {
			if !isWord(kv.Key) {
				return fmt.Errorf("%q has a setting named %q, not one word", name, kv.Key)
			}
			if keys[kv.Key] {
				return fmt.Errorf("%s has the setting %q twice", name, kv.Key)
			}
			keys[kv.Key] = true
		}
		if v.Sample == nil {
			return fmt.Errorf("%s has no Sample", name)
		}
		if !isUnit(v.Metric) {
			return fmt.Errorf("the metric of %s is %q, not one word", name, v.Metric)
		}
		if seen[name] {
			return fmt.Errorf("%s is there twice", name)
		}
		seen[name] = true
	}
	return nil
}

func (w *worker) scenario(ctx context.Context, s *Scenario, p *Plan) (err error) {
	w.tell(func(c *collector) error {
		c.open, c.narrow = &Result{Scenario: s}, false
		for i := range p.Variants {
			c.open.Rows = append(c.open.Rows, &Row{Config: p.Variants[i].Config, Metric: p.Variants[i].Metric, exact: s.Exact})
		}
		c.report.Results = append(c.report.Results, c.open)
		c.progress(s.Name)
		return nil
	})
	g := &rig{scenario: s.Name, plan: p}
	defer func() {
		if cerr := g.down(); err == nil {
			err = cerr
		}
	}()
	var ups SetUps
	began := time.Now()
	for round := 0; w.more(len(p.Variants), round, time.Since(began)); round++ {
		turns := order(len(p.Variants), round)
		switch {
		case round == 0:
			if ups, err = w.setUp(ctx, g, turns); err != nil {
				return err
			}
			began = time.Now()
		case ups.Anew:
			if err := g.down(); err != nil {
				return err
			}
			if g.plan, err = w.anew(s, p); err != nil {
				return err
			}
			if _, err := w.setUp(ctx, g, turns); err != nil {
				return err
			}
		}
		w.calibrate()
		for _, i := range turns {
			v := &g.plan.Variants[i]
			got, err := w.sample(ctx, s.Name, "sample", v, w.opts.Budget)
			if err != nil {
				return fmt.Errorf("%s: %w", g.name(v), err)
			}
			w.tell(func(c *collector) error {
				row := c.open.Rows[i]
				row.Samples = append(row.Samples, got)
				row.rounds = append(row.rounds, round)
				c.report.Done++
				c.progress(s.Name)
				return nil
			})
		}
	}
	w.tell((*collector).close)
	return nil
}

// maxRounds bounds memory. Tests lower it.
var maxRounds = 100_000

// more reports whether there is another round: up to Count, and then as long as Until asks for it.
func (w *worker) more(variants, round int, took time.Duration) (more bool) {
	if o := w.opts; round < o.Count || o.Until == 0 {
		return round < o.Count
	}
	w.tell(func(c *collector) error {
		c.open.Until = w.opts.Until
		wide := !c.settled()
		more = wide && took < w.opts.Limit && round < maxRounds
		if c.open.Wide = wide && !more; more {
			c.report.Total += variants
		}
		return nil
	})
	return more
}

// settled reports whether the intervals of all medians are as narrow as Until asks for, after this
// round and after the one before. Whoever stops at the first narrow intervals finds those that are
// narrow by chance: then 93 % of them enclose the median, and not 95 %. TestUntilCovers shows it.
func (c *collector) settled() bool {
	before := c.narrow
	c.narrow = c.open.within(c.open.Until)
	return before && c.narrow
}

// within reports whether the intervals of all rows are narrow enough. Rows in doubt do not count:
// nothing is concluded from them.
func (r *Result) within(share float64) bool {
	for _, row := range r.Rows {
		if s := row.Stat(); row.Doubt() == "" && !(s.Within() <= share) && s.Low != s.High {
			return false
		}
	}
	return true
}

// calibrate measures how fast the machine is.
func (w *worker) calibrate() {
	speed := calibrate()
	w.tell(func(c *collector) error {
		c.open.Rounds = append(c.open.Rounds, Round(speed))
		return nil
	})
}

// calibrate is a variable so that tests can replace it.
var calibrate = cpu.Calibrate

// sample collects garbage, so that no variant pays for the garbage of another, and measures. Its
// goroutines have labels for CPU profiles, and are a task in execution traces.
func (w *worker) sample(ctx context.Context, scenario, phase string, v *Variant, b Budget) (s Sample, err error) {
	if err := ctx.Err(); err != nil {
		return Sample{}, err
	}
	runtime.GC()
	variant := v.Config.String()
	taskCtx, task := trace.NewTask(ctx, scenario+"/"+variant)
	pprof.Do(taskCtx, pprof.Labels("scenario", scenario, "variant", variant, "phase", phase), func(ctx context.Context) {
		defer trace.StartRegion(ctx, phase).End()
		s, err = v.Sample(ctx, b)
	})
	task.End()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return Sample{}, err
	}
	return s, s.check(v.Metric)
}

// order is the order of n variants in a round. Each second round goes backwards, and each pair of
// rounds begins one variant further on. So in 2n rounds each variant has each place twice.
func order(n, round int) []int {
	seq := make([]int, n)
	for i := range seq {
		seq[i] = (i + round/2) % n
	}
	if round%2 == 1 {
		slices.Reverse(seq)
	}
	return seq
}
