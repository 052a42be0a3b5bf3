package experiment

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/objects"
	rt "github.com/ichor-go/ichor/runtime"
)

// counting counts an object from Setup, and loses a reference to it now and then.
func counting(leaky bool) Workload {
	return Workload{
		Name: "counting", Question: "what does a shared string cost?",
		Axes:  []Axis{Modes(), Immortality()},
		Setup: func(t *rt.Thread, _ Config) (rt.Ref, error) { return objects.NewString(t, "shared by all threads") },
		Work: func(l *Lane, t *rt.Thread, _ Config, shared rt.Ref) error {
			for l.Next() {
				for range l.N() {
					t.IncRef(shared)
					t.DecRef(shared)
				}
				t.Checkpoint()
			}
			if leaky {
				t.IncRef(shared)
			}
			return nil
		},
	}
}

func runShort(ctx context.Context, w Workload) (*Report, error) {
	return Run(ctx, []Scenario{w.Scenario()}, Options{Env: Env{Threads: []int{1, 2}, Budget: Budget{Ops: 1000}, Count: 2}})
}

func TestWorkload(t *testing.T) {
	report, err := runShort(t.Context(), counting(false))
	if err != nil {
		t.Fatal(err)
	}
	res := report.Results[0]
	calm(res)
	if len(res.Rows) != 3*4*2 {
		t.Errorf("%d rows", len(res.Rows))
	}
	for i, want := range []string{"mode=gil/immortal=none/threads=1", "mode=gil/immortal=none/threads=2", "mode=gil/immortal=inplace/threads=1"} {
		if got := res.Rows[i].Config.String(); got != want {
			t.Errorf("row %d is %s, not %s", i, got, want)
		}
	}
	for _, row := range res.Rows {
		if ops := row.Samples[0].Ops; ops != 1000*int64(row.Config.Get("threads").(int)) {
			t.Errorf("%s: %d operations", row.Config, ops)
		}
		if ratio := res.Ratio(row); ratio.N != 2 {
			t.Errorf("%s: %d ratios", row.Config, ratio.N)
		}
	}
	if name := res.Scenario.BaselineName; name != "mode=gil, same immortal and threads" {
		t.Errorf("baseline %q", name)
	}
}

func TestWorkloadErrors(t *testing.T) {
	var leak *rt.LeakError
	if _, err := runShort(t.Context(), counting(true)); !errors.As(err, &leak) || !strings.Contains(err.Error(), "mode=") {
		t.Errorf("a leak gives %v", err)
	}
	broken := errors.New("broken")
	for name, change := range map[string]func(w *Workload){
		"the goroutine of Setup ended": func(w *Workload) {
			w.Setup = func(*rt.Thread, Config) (rt.Ref, error) { runtime.Goexit(); return rt.Nil, nil }
		},
		"broken": func(w *Workload) { w.Setup = func(*rt.Thread, Config) (rt.Ref, error) { return rt.Nil, broken } },
		`the axis "mode" has the value none, not one of [gil atomic biased]`: func(w *Workload) { w.Axes[0] = Axis{Mode, []any{ModeGIL, "none"}} },
		`the axis "mode" has the value true, not one of`:                     func(w *Workload) { w.Axes[0] = Axis{Mode, []any{true}} },
		`the axis "immortal" has the value false, not one of [none inplace`:  func(w *Workload) { w.Axes[1] = Axis{Immortal, []any{false, true}} },
		"no Work":       func(w *Workload) { w.Work = nil },
		"has no values": func(w *Workload) { w.Axes[0].Values = nil },
		"a float64":     func(w *Workload) { w.Axes = append(w.Axes, Axis{"x", []any{1.5}}) },
		`the value 1 of the axis "x" is there twice`: func(w *Workload) { w.Axes = append(w.Axes, Axis{"x", []any{1, 1}}) },
		`the axis "x" is there twice`:                func(w *Workload) { w.Axes = append(w.Axes, Axis{"x", []any{1}}, Axis{"x", []any{2}}) },
		`the name of axis 3 is "", not one word`:     func(w *Workload) { w.Axes = append(w.Axes, Axis{"", []any{1}}) },
		`the axis "threads" is there by itself`:      func(w *Workload) { w.Axes = append(w.Axes, Axis{"threads", []any{1}}) },
		`the axis "x" has an empty value`:            func(w *Workload) { w.Axes = append(w.Axes, Axis{"x", []any{""}}) },
		`the name of scenario 1 is ""`:               func(w *Workload) { w.Name = "" },
		`the workload has both Work and Roles`:       func(w *Workload) { w.Roles = []Role{{Name: "a", Work: w.Work}} },
		`the role "a" has no Work`:                   func(w *Workload) { w.Work, w.Roles = nil, []Role{{Name: "a"}} },
		`the role "a" is there twice`:                func(w *Workload) { r := Role{Name: "a", Work: w.Work}; w.Work, w.Roles = nil, []Role{r, r} },
		`the name of role 1 is "a b", not one word`:  func(w *Workload) { w.Roles = []Role{{Name: "a b", Work: w.Work}}; w.Work = nil },
		`the role "a" has the rate -1`:               func(w *Workload) { w.Roles = []Role{{Name: "a", Rate: -1, Work: w.Work}}; w.Work = nil },
		`the role "a" has the rate NaN`:              func(w *Workload) { w.Roles = []Role{{Name: "a", Rate: math.NaN(), Work: w.Work}}; w.Work = nil },
		`the role "a" has -1 threads`:                func(w *Workload) { w.Roles = []Role{{Name: "a", Threads: -1, Work: w.Work}}; w.Work = nil },
	} {
		w := counting(false)
		change(&w)
		if _, err := runShort(t.Context(), w); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// NewRuntime and Bear know no other values than those of the axes.
func TestUnknownValues(t *testing.T) {
	if r, err := NewRuntime("none"); r != nil || err == nil || err.Error() != `unknown mode "none"` {
		t.Errorf("%v, %v", r, err)
	}
	if r, err := Bear(nil, "forever", nil); r != rt.Nil || err == nil || err.Error() != `unknown kind of immortality "forever"` {
		t.Errorf("%v, %v", r, err)
	}
}

// A run that fails during its set-up closes what it has set up, and nothing else.
func TestWorkloadInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := counting(false)
	setups := 0
	setup := w.Setup
	w.Setup = func(t *rt.Thread, c Config) (rt.Ref, error) {
		if setups++; setups == 2 {
			cancel()
		}
		return setup(t, c)
	}
	report, err := runShort(ctx, w)
	if !errors.Is(err, context.Canceled) || errors.As(err, new(*rt.LeakError)) || report.Done > 0 || setups != 2 {
		t.Errorf("%v, %d set up", err, setups)
	}
}
