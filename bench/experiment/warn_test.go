package experiment

import (
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/bench/internal/cpu"
)

// lasting sets the lengths of a row's samples.
func lasting(r *Row, lengths ...time.Duration) {
	for i, d := range lengths {
		r.Samples[i].Load.Elapsed = d
	}
}

// instantly makes the samples of a row so many operations of two lanes.
func instantly(r *Row, ops int64) {
	for i := range r.Samples {
		r.Samples[i].Load.Lanes, r.Samples[i].Ops = 2, ops
	}
}

// Each warning has its cause, and a sound result has none.
func TestWarnings(t *testing.T) {
	second := time.Second
	sound := func() *Result {
		row := &Row{Config: Cfg("threads", 2), Metric: OpsS}
		for range 3 {
			row.Samples = append(row.Samples, Sample{Value: 1, Load: Load{Elapsed: 100 * ms, All: second, Own: 900 * ms, Others: 50 * ms}})
		}
		return &Result{Scenario: &Scenario{Name: "s"}, Rows: []*Row{row}, Rounds: []Round{{100 * time.Microsecond, 1}, {105 * time.Microsecond, 0.99}, {100 * time.Microsecond, 1}}}
	}
	if got := sound().warnings(2); got != nil {
		t.Errorf("of a sound result: %q", got)
	}
	for want, spoil := range map[string]func(r *Result){
		"Samples are as short as 19ms. Go's scheduler gives a thread turns of 10ms, so one lost turn is a large part of a sample: use -benchtime 100ms.": func(r *Result) {
			lasting(r.Rows[0], 19*ms, 19*ms, 100*ms)
		},
		"Samples are as short as 2ms.": func(r *Result) { // the shortest of the rows
			for _, d := range []time.Duration{5 * ms, 2 * ms, 3 * ms} {
				r.Rows = append(r.Rows, &Row{Samples: make([]Sample, 1)})
				lasting(r.Rows[len(r.Rows)-1], d)
			}
		},
		"3 threads have 2 cores:":               func(r *Result) { r.Rows = append([]*Row{{Config: Cfg("threads", 3)}}, r.Rows...) },
		"took from 100µs to 111µs.":             func(r *Result) { r.Rounds[1].Step = 111 * time.Microsecond },
		"had a core for 89 % of its time.":      func(r *Result) { r.Rounds[0].Got, r.Rounds[1].Got = 0.89, 0.4 },
		"Other programs had 11 % of the cores'": func(r *Result) { r.Rows[0].Samples[0].Load.Others = 230 * ms },
		"The hypervisor took 1 % of the time":   func(r *Result) { r.Rows[0].Samples[0].Load.Stolen = 32 * ms },
		"The rows were set up once, which took 2.1s, and not for each round.": func(r *Result) {
			r.SetUps = SetUps{Took: 2100 * ms, Warm: second}
		},
		"4 threads have 2 cores:": func(r *Result) { r.Rows[0].Samples[1].Load.Lanes = 4 }, // roles: two of each
		"In 1 of 1 row, some threads ended long before others": func(r *Result) {
			r.Rows[0].Samples[0].Load.Apart, r.Rows[0].Samples[1].Load.Apart = 0.2, 0.5
		},
		"In 1 of 1 row, threads with a rate did less than 90 % of what they were asked for.": func(r *Result) {
			r.Rows[0].Samples[0].Load.Behind, r.Rows[0].Samples[1].Load.Behind = 0.2, 0.5
		},
		"In 1 of 1 row, an operation takes less than 0.05 ns": func(r *Result) {
			instantly(r.Rows[0], 5e9) // 0.04 ns each
		},
		"In 1 of 1 row, samples rose or fell from round to round, as in threads=2: first 2.50, last 8.50 ops/s.": func(r *Result) {
			sample := r.Rows[0].Samples[0]
			r.Rows[0].Samples = nil
			for i := range 10 {
				sample.Value = float64(i + 1)
				r.Rows[0].Samples = append(r.Rows[0].Samples, sample)
			}
		},
		"Samples are as short as 1ns.":             func(r *Result) { lasting(r.Rows[0], 1, 1, 1) },
		"Samples are as short as 20ms.":            func(r *Result) { lasting(r.Rows[0], 20*ms-1, 20*ms-1, 20*ms-1) },
		"The rows were set up once, which took 1s": func(r *Result) { r.SetUps, r.Rounds = SetUps{Took: second}, r.Rounds[:2] },
		"had a core for 50 % of its time.":         func(r *Result) { r.Rounds = []Round{{1000, 0.5}} },
		"Samples are as short as 18ms.": func(r *Result) { // of those of known length
			lasting(r.Rows[0], 0, 0, 18*ms)
			r.Rows = append(r.Rows, &Row{})
		},
		"In 1 of 2 rows, an operation takes": func(r *Result) { // of one lane
			instantly(r.Rows[0], 5e9)
			for i := range r.Rows[0].Samples {
				r.Rows[0].Samples[i].Load.Lanes = 1
			}
			r.Rows = append(r.Rows, &Row{})
		},
		"In 1 of 3 rows, some threads ended": func(r *Result) { // rows without samples have not ended
			r.Rows = append(r.Rows, &Row{}, &Row{Samples: []Sample{{Load: Load{Apart: 0.5}}}})
		},
		"did not become as narrow as ±5.00 % within": func(r *Result) { r.Until, r.Wide = 0.05, true },
	} {
		r := sound()
		spoil(r)
		if got := r.warnings(2); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	short := sound()
	instantly(short.Rows[0], 3e9) // 0.07 ns each
	if got := short.warnings(2); got != nil {
		t.Errorf("of short operations: %q", got)
	}
	for what, change := range map[string]func(r *Result){
		"two turns long":                  func(r *Result) { lasting(r.Rows[0], 20*ms, 20*ms, 20*ms) },
		"short, as few of a row are":      func(r *Result) { lasting(r.Rows[0], 1, 100*ms, 100*ms) },
		"of unknown length, or none":      func(r *Result) { lasting(r.Rows[0], 0, 0, 100*ms); r.Rows = append(r.Rows, &Row{}) },
		"all of unknown length":           func(r *Result) { lasting(r.Rows[0], 0, 0, 0) },
		"of a number that is not threads": func(r *Result) { r.Rows[0].Config = Cfg("threads", "many", "size", 9) },
		"of a speed that hardly changed":  func(r *Result) { r.Rounds[1].Step = 109 * time.Microsecond },
		"of a thread with a core":         func(r *Result) { r.Rounds[0].Got, r.Rounds[1].Got = 0.91, 0.4 },
		"with few others":                 func(r *Result) { r.Rows[0].Samples[0].Load.Others = 190 * ms },
		"with little stolen":              func(r *Result) { r.Rows[0].Samples[0].Load.Stolen = 28 * ms },
		// As much as may be.
		"of a speed that changed by a tenth": func(r *Result) { r.Rounds[0].Step, r.Rounds[1].Step, r.Rounds[2].Step = 1000, 1100, 1000 },
		"of a thread with 0.9 of a core":     func(r *Result) { r.Rounds[0].Got, r.Rounds[1].Got = 0.9, 0.4 },
		"with others that had a tenth":       func(r *Result) { r.Rows[0].Samples[0].Load.Others = 200 * ms },
		"with a hundredth stolen": func(r *Result) {
			r.Rows[0].Samples[0].Load = Load{Elapsed: 100 * ms, All: second, Own: 1070 * ms, Stolen: 30 * ms}
		},
		"apart for a tenth":             func(r *Result) { r.Rows[0].Samples[0].Load.Apart, r.Rows[0].Samples[1].Load.Apart = 0.1, 0.1 },
		"behind by a tenth":             func(r *Result) { r.Rows[0].Samples[0].Load.Behind, r.Rows[0].Samples[1].Load.Behind = 0.1, 0.1 },
		"set up anew, which takes long": func(r *Result) { r.SetUps = SetUps{Anew: true, Took: second} },
		"of operations of 0.05 ns":      func(r *Result) { instantly(r.Rows[0], 4e9) },
		"of short operations of unknown length": func(r *Result) {
			instantly(r.Rows[0], 5e9)
			r.Rows[0].Samples[0].Load.Lanes, r.Rows[0].Samples[1].Load.Lanes, r.Rows[0].Samples[2].Load.Lanes = 0, 0, 0
		},
		"without rounds": func(r *Result) { r.Rounds = nil },
	} {
		r := sound()
		change(r)
		if got := r.warnings(2); got != nil {
			t.Errorf("of samples %s: %q", what, got)
		}
	}
	exact := sound()
	exact.Scenario.Exact = true
	exact.SetUps = SetUps{Took: second}
	exact.Rows[0].Samples[0].Load.Elapsed, exact.Rows[0].Samples[1].Load.Elapsed = 1, 1
	if got := exact.warnings(2); got != nil {
		t.Errorf("of short samples that count: %q", got)
	}
	once := sound()
	once.SetUps, once.Rounds = SetUps{Took: second}, once.Rounds[:1]
	if got := once.warnings(2); got != nil {
		t.Errorf("of one round: %q", got)
	}
}

// Each round begins with the calibration loop.
func TestCalibratedRounds(t *testing.T) {
	real := calibrate
	defer func() { calibrate = real }()
	if s := real(); s.Step <= 0 || s.Got <= 0 || s.Got > 1 {
		t.Errorf("the machine's speed is %+v", s)
	}
	n := 0
	calibrate = func() cpu.Speed {
		n++
		return cpu.Speed{Step: time.Duration(n), Got: 0.5}
	}
	r, err := Run(t.Context(), []Scenario{scenario(fixed(Cfg("v", 1), NsOp, 1))}, options(3))
	if err != nil || len(r.Results[0].Rounds) != 3 || r.Results[0].Rounds[2] != (Round{3, 0.5}) {
		t.Errorf("%v, %v", r.Results[0].Rounds, err)
	}
}

func TestRounded(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 123_456 * ms: "2m3s", 123456: "123µs", 1234567: "1.23ms", 7: "7ns", 5 * ms: "5ms", 999: "999ns", 1_234: "1.23µs", 1_004 * ms: "1s"} {
		if got := rounded(d).String(); got != want {
			t.Errorf("%d is %s, want %s", d, got, want)
		}
	}
}
