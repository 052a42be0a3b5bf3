package experiment

import "testing"

// calm makes sure that no row is in doubt, however busy the machine is.
func calm(res *Result) {
	for _, row := range res.Rows {
		for i := range row.Samples {
			row.Samples[i].Threads, row.Samples[i].Load = nil, Load{}
		}
	}
}

// A row in doubt has no ratio, in neither place, and no other row waits for it.
func TestDoubt(t *testing.T) {
	starved, fed := []CPUTime{{1 * ms, 1 * ms}}, []CPUTime{{1 * ms, 0}}
	for _, c := range []struct {
		samples []Sample
		want    string
	}{
		{nil, ""},
		{[]Sample{{}}, ""},
		{[]Sample{{Threads: fed, Load: Load{Apart: 0.1}}}, ""},
		{[]Sample{{Threads: fed, Load: Load{Apart: 0.11}}}, Apart},
		{[]Sample{{Threads: starved, Load: Load{Apart: 0.11}}}, Starved},
		{[]Sample{{Threads: starved}}, Starved},
		// The median of the samples counts.
		{[]Sample{{Load: Load{Apart: 0.9}}, {Load: Load{Apart: 0.05}}, {}}, ""},
		{[]Sample{{Load: Load{Apart: 0.2}}, {Load: Load{Apart: 0.3}}, {}}, Apart},
	} {
		row, other := &Row{Metric: NsOp, Samples: c.samples}, &Row{Metric: NsOp, Samples: make([]Sample, 3), rounds: []int{0, 1, 2}}
		for i := range c.samples {
			row.Samples[i].Value = float64(i + 1)
			row.rounds = append(row.rounds, i)
		}
		for i := range other.Samples {
			other.Samples[i].Value = 1
		}
		if got := row.Doubt(); got != c.want {
			t.Errorf("%+v: in doubt because %q, want %q", c.samples, got, c.want)
		}
		missing := c.want != "" || c.samples == nil
		if a, b := Ratio(row, other), Ratio(other, row); a.Missing() != missing || b.Missing() != missing {
			t.Errorf("%+v: ratios %v and %v", c.samples, a, b)
		}
		if got := (&Result{Rows: []*Row{row}}).within(0.5); got != (c.want != "") {
			t.Errorf("%+v: narrow enough: %t", c.samples, got)
		}
	}
}
