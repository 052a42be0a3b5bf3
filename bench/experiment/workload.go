package experiment

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	rt "github.com/ichor-go/ichor/runtime"
)

// A Workload is a scenario on Ichor's objects. It has three parts: what the threads share, what
// each thread does with it, and the axes along which the variants differ. There is a variant
// for each combination of the axes' values with each of Env.Threads. Variants that differ
// only in the number of threads share a runtime.
type Workload struct {
	Name, Question string // as in Scenario
	Axes           []Axis // Modes, Immortality, and your own; without Modes the mode is ModeAtomic

	// Setup returns a new reference to what the threads share: one object, such as a tuple
	// of several. The axis Immortality applies to it. The thread that runs Setup does no
	// work, so with biased counting the shared objects belong to none of the threads at
	// work. A nil Setup shares nothing.
	Setup func(t *rt.Thread, c Config) (rt.Ref, error)

	// Work is what one thread does. In a loop over l.Next it does l.N operations, a multiple
	// of Unit. It borrows shared, gives up the references that it makes, and calls
	// t.Checkpoint at least once a batch.
	Work func(l *Lane, t *rt.Thread, c Config, shared rt.Ref) error
	Unit int // 0 is 1

	// Roles are in place of Work and Unit if threads do different things at the same time,
	// such as readers and writers. The row shows the rate of the first role, and those of the
	// others, as "writers-ops/s", beside it.
	Roles []Role

	// Baseline, BaselineName and Conclude are as in Scenario. If there is no Baseline, rows
	// are compared with the row that has the first value of the first axis, and the same
	// other settings.
	Baseline     func(c Config) Config
	BaselineName string
	Conclude     func(res *Result) []string
}

// A Role is what some of the threads of a Workload do. Work and Unit are as in Workload.
type Role struct {
	Name    string // one word: "readers"
	Threads int    // always so many; 0 is as many as the setting threads says
	// Work borrows shared, and gives up the references that it makes.
	Work func(l *Lane, t *rt.Thread, c Config, shared rt.Ref) error
	Unit int

	// Rate is how many operations a second each thread is asked for, as with [Lane.Pace]; 0 is as
	// many as it can do.
	Rate float64
}

// threadsKey is the setting that says how many threads a variant has.
const threadsKey = "threads"

// Scenario returns the workload as a scenario.
func (w Workload) Scenario() Scenario {
	s := Scenario{Name: w.Name, Question: w.Question, Plan: w.plan, Baseline: w.Baseline, BaselineName: w.BaselineName, Conclude: w.Conclude}
	if w.Baseline == nil && len(w.Axes) > 0 && len(w.Axes[0].Values) > 0 {
		first := KV{w.Axes[0].Key, w.Axes[0].Values[0]}
		s.Baseline = func(c Config) Config { return c.With(first.Key, first.Value) }
		var same []string
		for _, a := range w.Axes[1:] {
			same = append(same, a.Key)
		}
		s.BaselineName = Config{first}.String() + ", same " + strings.Join(append(same, threadsKey), " and ")
	}
	return s
}

// roles are the roles of the workload: one without a name if all threads do the same.
func (w *Workload) roles() []Role {
	if len(w.Roles) == 0 {
		return []Role{{Work: w.Work, Unit: w.Unit}}
	}
	return w.Roles
}

// check returns an error if a part is missing or wrong.
func (w *Workload) check() error {
	if len(w.Roles) > 0 && w.Work != nil {
		return errors.New("the workload has both Work and Roles")
	}
	names := map[string]bool{}
	for i, r := range w.roles() {
		switch {
		case r.Work == nil && r.Name == "":
			return errors.New("the workload has no Work")
		case r.Work == nil:
			return fmt.Errorf("the role %q has no Work", r.Name)
		case len(w.Roles) == 0:
		case !isWord(r.Name):
			return fmt.Errorf("the name of role %d is %q, not one word", i+1, r.Name)
		case names[r.Name]:
			return fmt.Errorf("the role %q is there twice", r.Name)
		case r.Threads < 0:
			return fmt.Errorf("the role %q has %d threads", r.Name, r.Threads)
		case !(r.Rate >= 0) || math.IsInf(r.Rate, 0):
			return fmt.Errorf("the role %q has the rate %v", r.Name, r.Rate)
		}
		names[r.Name] = true
	}
	keys := map[string]bool{}
	for i, a := range w.Axes {
		switch {
		case !isWord(a.Key):
			return fmt.Errorf("the name of axis %d is %q, not one word", i+1, a.Key)
		case a.Key == threadsKey:
			return fmt.Errorf("the axis %q is there by itself: -threads has its values", threadsKey)
		case keys[a.Key]:
			return fmt.Errorf("the axis %q is there twice", a.Key)
		case len(a.Values) == 0:
			return fmt.Errorf("the axis %q has no values", a.Key)
		}
		keys[a.Key] = true
		seen := map[any]bool{}
		for _, v := range a.Values {
			switch v.(type) {
			case string, int, bool:
			default:
				return fmt.Errorf("the axis %q has a %T among its values, not a string, int or bool", a.Key, v)
			}
			if seen[v] {
				return fmt.Errorf("the value %v of the axis %q is there twice", v, a.Key)
			}
			if v == "" {
				return fmt.Errorf("the axis %q has an empty value", a.Key)
			}
			if known := ownValues[a.Key]; known != nil && !slices.Contains(known, v) {
				return fmt.Errorf("the axis %q has the value %v, not one of %v", a.Key, v, known)
			}
			seen[v] = true
		}
	}
	return nil
}

// ownValues are those of the axes that a Workload sets up by itself. Rows with another value would
// all be set up alike.
var ownValues = map[string][]any{Mode: Modes().Values, Immortal: Immortality().Values}

// isWord reports whether a name can be that of a setting: it is not empty, and has nothing in it
// that separates names.
func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("=/,", r) })
}

func (w *Workload) plan(env *Env) (*Plan, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	p := &Plan{}
	for _, c := range combinations(w.Axes) {
		s := &stage{workload: w, config: c}
		for _, n := range env.Threads {
			p.Variants = append(p.Variants, Variant{
				Config: c.With(threadsKey, n), Metric: OpsS,
				Setup: s.open, Close: s.close,
				Sample: func(ctx context.Context, b Budget) (Sample, error) { return s.sample(ctx, b, n) },
			})
		}
	}
	return p, nil
}

// combinations are all combinations of the axes' values. Those of the last axis change first.
func combinations(axes []Axis) []Config {
	all := []Config{nil}
	for _, a := range axes {
		var next []Config
		for _, c := range all {
			for _, v := range a.Values {
				next = append(next, append(slices.Clone(c), Cfg(a.Key, v)...))
			}
		}
		all = next
	}
	return all
}

// stage is what variants share that differ only in the number of threads. The first one opens it,
// and the last one closes it.
type stage struct {
	workload *Workload
	config   Config
	rows     int // the number of variants that have opened it

	runtime *rt.Runtime
	shared  rt.Ref
	leave   chan struct{} // closed when the thread that ran Setup may end
	left    chan error
}

// setting is the value of a setting, or otherwise if there is no such axis.
func (s *stage) setting(key, otherwise string) string {
	if v, ok := s.config.Get(key).(string); ok {
		return v
	}
	return otherwise
}

var errSetupEnded = errors.New("the goroutine of Setup ended")

func (s *stage) open(context.Context) (err error) {
	if s.rows++; s.rows > 1 {
		return nil
	}
	if s.runtime, err = NewRuntime(s.setting(Mode, ModeAtomic)); err != nil || s.workload.Setup == nil {
		return err
	}
	s.leave, s.left = make(chan struct{}), make(chan error, 1)
	made := make(chan error, 1)
	go func() {
		err := errSetupEnded // unless Do returns: Setup may end its goroutine
		defer func() {
			select {
			case made <- err: // there was no thread, or no Setup that returned
			default:
			}
			s.left <- err
		}()
		err = s.runtime.Do(func(t *rt.Thread) error {
			var err error
			s.shared, err = Bear(t, s.setting(Immortal, ImmortalNone), func() (rt.Ref, error) { return s.workload.Setup(t, s.config) })
			made <- err
			if err == nil {
				t.Blocking(func() { <-s.leave })
				t.DecRef(s.shared)
			}
			return nil
		})
	}()
	return <-made
}

func (s *stage) close() (err error) {
	if s.rows--; s.rows != 0 || s.runtime == nil {
		return nil // others have it open, or, below zero, it was never opened
	}
	if s.leave != nil {
		close(s.leave)
		err = <-s.left
	}
	return errors.Join(err, s.runtime.Close())
}

func (s *stage) sample(ctx context.Context, b Budget, threads int) (Sample, error) {
	var crews []Crew
	for _, r := range s.workload.roles() {
		n := threads
		if r.Threads > 0 {
			n = r.Threads
		}
		crews = append(crews, Crew{r.Name, n, max(r.Unit, 1), func(l *Lane) error {
			return s.runtime.Do(func(t *rt.Thread) error {
				if r.Rate > 0 {
					l.Pace(r.Rate, func(d time.Duration) { t.Blocking(func() { time.Sleep(d) }) })
				}
				return r.Work(l, t, s.config, s.shared)
			})
		}})
	}
	return CrewRates(ctx, b, crews...)
}
