package experiment

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sleeper is a variant whose set-up and samples take so long by the clock of a bubble. Its samples
// never agree.
func sleeper(setUp, sample time.Duration) Variant {
	v := fixed(Cfg("v", "sleeper"), NsOp, 2, 3)
	next := v.Sample
	v.Setup = func(context.Context) error { time.Sleep(setUp); return nil }
	v.Sample = func(ctx context.Context, b Budget) (Sample, error) { time.Sleep(sample); return next(ctx, b) }
	return v
}

// Because of Until, a run goes on for so long in one scenario, or for a minute, after its set-up.
func TestLimit(t *testing.T) {
	for limit, rounds := range map[time.Duration]int{0: 60, 10 * time.Second: 10, time.Second: 6} {
		synctest.Test(t, func(t *testing.T) {
			o := options(6)
			o.Until, o.Limit = 0.05, limit
			s := scenario(sleeper(time.Hour, time.Second))
			other := scenario(sleeper(time.Hour, time.Second))
			other.Name = "other"
			r, err := Run(t.Context(), []Scenario{s, other}, o)
			if err != nil || r.Done != 2*rounds || r.Total != 2*rounds || len(r.Results[0].Rows[0].Samples) != rounds || !r.Results[0].Wide || r.Results[0].Until != 0.05 {
				t.Errorf("limit %v: %d of %d samples, want %d in each scenario; %v", limit, r.Done, r.Total, rounds, err)
			}
		})
	}
}

// A run that is interrupted has not come to its limit.
func TestUntilInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	v := fixed(Cfg("v", 1), NsOp, 2, 3)
	sample, taken := v.Sample, 0
	v.Sample = func(ctx context.Context, b Budget) (Sample, error) {
		if taken++; taken == 10 {
			cancel()
		}
		return sample(ctx, b)
	}
	o := options(6)
	o.Until = 0.05
	if r, err := Run(ctx, []Scenario{scenario(v)}, o); err == nil || r.Done != 8 || r.Total != 9 || !r.Partial || r.Results[0].Partial || r.Results[0].Wide {
		t.Errorf("%+v, wide: %t, %v", r, r.Results[0].Wide, err)
	}
}

// Run waits for the sample under way when its context ends, for as long as Grace says or for half a
// second.
func TestGrace(t *testing.T) {
	for grace, want := range map[time.Duration]time.Duration{0: 500 * ms, 70 * ms: 70 * ms} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			release := make(chan struct{})
			stuck := Variant{Config: Cfg("v", "stuck"), Metric: OpsS, Sample: func(context.Context, Budget) (Sample, error) {
				cancel()
				<-release
				return Sample{}, nil
			}}
			o := options(1)
			o.Grace = grace
			began := time.Now()
			if _, err := Run(ctx, []Scenario{scenario(stuck)}, o); err != context.Canceled || time.Since(began) != want {
				t.Errorf("grace %v: %v after %v, want %v", grace, err, time.Since(began), want)
			}
			close(release)
		})
	}
}

// What a run says about its set-ups is about the first one.
func TestFirstSetUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		withWorthwhile(t, true)
		slow := sleeper(0, 7*time.Second)
		took := 3 * time.Second
		slow.Setup = func(context.Context) error { time.Sleep(took); took = time.Second; return nil }
		r, err := Run(t.Context(), []Scenario{scenario(slow)}, options(3))
		if want := (SetUps{Anew: true, Took: 3 * time.Second, Warm: 7 * time.Second}); err != nil || r.Results[0].SetUps != want {
			t.Errorf("%+v, want %+v; %v", r.Results[0].SetUps, want, err)
		}
	})
}

// After an error of Finished the run closes what it has set up, and begins nothing.
func TestNothingAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		var log []string
		first, second := logged(&log, new(string)), logged(&log, new(string))
		second.Name = "second"
		o := options(1)
		finished := 0
		o.Finished = func(*Result) error { finished++; return boom }
		r, err := Run(t.Context(), []Scenario{first, second}, o)
		synctest.Wait()
		if err != boom || !r.Failed || r.Partial != true || len(r.Results) != 1 || finished != 1 {
			t.Errorf("%v, %+v, finished %d times", err, r, finished)
		}
		if got, want := strings.Join(log, " "), "plan1 plan1 +1 +a1 +b1 a1 b1 a1 b1 -b1 -a1 -1"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

// A result is partial if samples of any row are missing.
func TestPartialRow(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a, b := fixed(Cfg("v", "a"), NsOp, 1), fixed(Cfg("v", "b"), NsOp, 1)
	sample, taken := a.Sample, 0
	a.Sample = func(ctx context.Context, budget Budget) (Sample, error) {
		if taken++; taken == 3 { // the second round, in which it is last
			cancel()
		}
		return sample(ctx, budget)
	}
	r, err := Run(ctx, []Scenario{scenario(a, b)}, options(2))
	if res := r.Results[0]; err == nil || !res.Partial || len(res.Rows[0].Samples) != 1 || len(res.Rows[1].Samples) != 2 {
		t.Errorf("%+v, %v", res, err)
	}
}

// Progress is told of each scenario and of each sample, with how many are planned by then.
func TestProgress(t *testing.T) {
	o := options(6)
	o.Until = 0.1
	var log []string
	o.Progress = func(done, total int, next string) { log = append(log, fmt.Sprint(done, "/", total, " ", next)) }
	a, b := scenario(fixed(Cfg("v", 1), NsOp, 1, 1.01)), scenario(fixed(Cfg("v", 1), NsOp, 1))
	b.Name = "b"
	r, err := Run(t.Context(), []Scenario{a, b}, o)
	// Six samples are narrow, and seven for the second time.
	want := "0/12 pair|1/12 pair|2/12 pair|3/12 pair|4/12 pair|5/12 pair|6/12 pair|7/13 pair|7/13 b|8/13 b|9/13 b|10/13 b|11/13 b|12/13 b|13/13 b|14/14 b"
	if got := strings.Join(log, "|"); err != nil || got != want || r.Partial {
		t.Errorf("%s, want %s; %v", got, want, err)
	}
}

// The collector runs before each sample.
func TestCollectsBeforeSamples(t *testing.T) {
	var forced []uint32
	v := Variant{Config: Cfg("v", 1), Metric: NsOp, Sample: func(context.Context, Budget) (Sample, error) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		forced = append(forced, m.NumForcedGC)
		return Sample{Value: 1}, nil
	}}
	if _, err := Run(t.Context(), []Scenario{scenario(v)}, options(3)); err != nil {
		t.Fatal(err)
	}
	for i, n := range forced[1:] {
		if n == forced[i] {
			t.Errorf("no collection before sample %d", i+1)
		}
	}
}

// Without numbers of threads, a run has one and as many as Go uses cores.
func TestDefaultThreads(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, c := range []struct {
		cores       int
		asked, want []int
	}{{1, nil, []int{1}}, {2, nil, []int{1, 2}}, {3, nil, []int{1, 3}}, {2, []int{5}, []int{5}}} {
		runtime.GOMAXPROCS(c.cores)
		s := scenario()
		var got []int
		s.Plan = func(env *Env) (*Plan, error) {
			got = env.Threads
			return &Plan{Variants: []Variant{fixed(Cfg("v", 1), NsOp, 1)}}, nil
		}
		o := options(1)
		o.Threads = c.asked
		if _, err := Run(t.Context(), []Scenario{s}, o); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("on %d cores: %v, want %v; %v", c.cores, got, c.want, err)
		}
	}
}
