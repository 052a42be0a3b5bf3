package experiment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// withWorthwhile decides whether rows are set up anew, for a test.
func withWorthwhile(t *testing.T, yes bool) {
	was := worthwhile
	worthwhile = func(SetUps) bool { return yes }
	t.Cleanup(func() { worthwhile = was })
}

// logged is a scenario with variants a and b that appends what is called to the log. The plans have
// numbers. What fail names fails.
func logged(log *[]string, fail *string) Scenario {
	plans := 0
	return Scenario{Name: "s", Plan: func(env *Env) (*Plan, error) {
		plans++
		did := func(what string) error {
			what = fmt.Sprintf("%s%d", what, plans)
			*log = append(*log, what)
			if what == *fail {
				return errors.New("boom")
			}
			return nil
		}
		env.Logf("plan %d", plans)
		p := &Plan{Setup: func(context.Context) error { return did("+") }, Close: func() error { return did("-") }}
		for _, name := range []string{"a", "b"} {
			p.Variants = append(p.Variants, Variant{
				Config: Cfg("v", name), Metric: NsOp,
				Setup: func(context.Context) error { return did("+" + name) }, Close: func() error { return did("-" + name) },
				Sample: func(context.Context, Budget) (Sample, error) { return Sample{Value: 1}, did(name) },
			})
		}
		return p, did("plan")
	}}
}

// Each round makes its plan and sets it up, in the order of its samples, and closes it in reverse,
// if that is worthwhile; else all rounds have the same.
func TestSetUpAnew(t *testing.T) {
	for anew, want := range map[bool]string{
		false: "plan1 +1 +a1 +b1 a1 b1 a1 b1 b1 a1 b1 a1 -b1 -a1 -1",
		true:  "plan1 +1 +a1 +b1 a1 b1 a1 b1 -b1 -a1 -1 plan2 +2 +b2 +a2 b2 a2 b2 a2 -a2 -b2 -2 plan3 +3 +b3 +a3 b3 a3 b3 a3 -a3 -b3 -3",
	} {
		withWorthwhile(t, anew)
		var log, said []string
		o := options(3)
		o.Logf = func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
		r, err := Run(t.Context(), []Scenario{logged(&log, new(string))}, o)
		if err != nil || r.Results[0].SetUps.Anew != anew || len(r.Results[0].Rows[1].Samples) != 3 {
			t.Fatalf("%v, %+v", err, r)
		}
		if got := strings.Join(log, " "); got != want {
			t.Errorf("anew %t:\n%s, want\n%s", anew, got, want)
		}
		if !slices.Equal(said, []string{"plan 1"}) {
			t.Errorf("anew %t: the plan's lines are %q", anew, said)
		}
	}
}

// What fails is named, and everything that was to be set up is closed once.
func TestSetUpFails(t *testing.T) {
	withWorthwhile(t, true)
	for fail, want := range map[string]string{
		"plan2": "s: boom", "+2": "s: set-up: boom", "+a2": "s/v=a: set-up: boom", "b2": "s/v=b: boom",
		"-1": "s: close: boom", "-a1": "s/v=a: close: boom", "-b2": "s/v=b: close: boom",
	} {
		var log []string
		r, err := Run(t.Context(), []Scenario{logged(&log, &fail)}, options(2))
		if err == nil || err.Error() != want || len(r.Results) != 1 || !r.Failed {
			t.Errorf("%s: %v, want %s; %+v", fail, err, want, r)
		}
		open := map[string]int{}
		for _, what := range log {
			if name, ok := strings.CutPrefix(what, "+"); ok {
				open[name]++
			} else if name, ok := strings.CutPrefix(what, "-"); ok {
				open[name]--
			}
		}
		for name, n := range open {
			if n != 0 {
				t.Errorf("%s: %s is closed %d times too few", fail, name, n)
			}
		}
	}
}

// A run that ends while it sets up closes what it has, and keeps its samples.
func TestSetUpInterrupted(t *testing.T) {
	withWorthwhile(t, true)
	ctx, cancel := context.WithCancel(t.Context())
	var log []string
	s := logged(&log, new(string))
	plan := s.Plan
	s.Plan = func(env *Env) (*Plan, error) {
		p, err := plan(env)
		if strings.HasSuffix(log[len(log)-1], "2") {
			up := p.Variants[1].Setup
			p.Variants[1].Setup = func(ctx context.Context) error { cancel(); return up(ctx) }
		}
		return p, err
	}
	r, err := Run(ctx, []Scenario{s}, options(3))
	if !errors.Is(err, context.Canceled) || !r.Partial || r.Done != 2 {
		t.Errorf("%v, %+v", err, r)
	}
	if got, want := strings.Join(log[len(log)-5:], " "), "plan2 +2 +b2 -b2 -2"; got != want {
		t.Errorf("at the end: %s, want %s", got, want)
	}
}

// The plan must not change between rounds.
func TestPlanChanges(t *testing.T) {
	withWorthwhile(t, true)
	for name, change := range map[string]func(v *Variant){
		"config": func(v *Variant) { v.Config = Cfg("v", "c") },
		"metric": func(v *Variant) { v.Metric = OpsS },
	} {
		var log []string
		s := logged(&log, new(string))
		plan := s.Plan
		s.Plan = func(env *Env) (*Plan, error) {
			p, err := plan(env)
			if len(log) > 1 {
				change(&p.Variants[1])
			}
			return p, err
		}
		if _, err := Run(t.Context(), []Scenario{s}, options(2)); !errors.Is(err, errPlanChanged) || !strings.HasPrefix(err.Error(), "s: ") {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

// Variants that do the same show no difference, even if the one that is set up first is always the
// fastest. Set up once, they would.
func TestLuckOfSetUp(t *testing.T) {
	for anew, shown := range map[bool]bool{true: false, false: true} {
		withWorthwhile(t, anew)
		s := scenario()
		s.Plan = func(*Env) (*Plan, error) {
			p, ups := &Plan{}, 0
			for _, state := range []string{"loads", "same"} {
				mine := 0
				p.Variants = append(p.Variants, Variant{
					Config: Cfg("state", state), Metric: OpsS,
					Setup:  func(context.Context) error { ups++; mine = ups; return nil },
					Sample: func(context.Context, Budget) (Sample, error) { return Sample{Value: 100 - float64(mine)}, nil },
				})
			}
			return p, nil
		}
		r, err := Run(t.Context(), []Scenario{s}, options(20))
		if err != nil {
			t.Fatal(err)
		}
		if ratio := r.Results[0].Ratio(r.Results[0].Rows[1]); ratio.Shown() != shown {
			t.Errorf("anew %t: a ratio of %s", anew, ratio)
		}
	}
}

// A set-up may take half as long as the samples of a round, which are four times as long as those
// that warm up. A plan without a set-up is made once.
func TestSetUpWorthwhile(t *testing.T) {
	for _, c := range []struct {
		took, warm time.Duration
		want       bool
	}{{2 * time.Second, time.Second, true}, {2*time.Second + 1, time.Second, false}, {0, 0, true}} {
		if got := (SetUps{Took: c.took, Warm: c.warm}).worthwhile(); got != c.want {
			t.Errorf("%v and %v: %t", c.took, c.warm, got)
		}
	}
	withWorthwhile(t, true)
	var log []string
	s := logged(&log, new(string))
	plan := s.Plan
	s.Plan = func(env *Env) (*Plan, error) {
		p, err := plan(env)
		p.Setup, p.Variants[0].Setup, p.Variants[1].Setup = nil, nil, nil
		return p, err
	}
	if r, err := Run(t.Context(), []Scenario{s}, options(3)); err != nil || r.Results[0].SetUps.Anew || slices.Contains(log, "plan2") {
		t.Errorf("%v, %v", err, log)
	}
	slow := Variant{Config: Cfg("v", 1), Metric: NsOp,
		Setup: func(context.Context) error { time.Sleep(20 * time.Millisecond); return nil },
		Sample: func(context.Context, Budget) (Sample, error) {
			time.Sleep(40 * time.Millisecond)
			return Sample{Value: 1}, nil
		}}
	r, err := Run(t.Context(), []Scenario{scenario(slow)}, options(2))
	if u := r.Results[0].SetUps; err != nil || u.Took < 20*time.Millisecond || u.Warm < 40*time.Millisecond {
		t.Errorf("%v, %+v", err, u)
	}
}
