package format

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/resulttest"
	"github.com/ichor-go/ichor/bench/internal/summary"
	"github.com/ichor-go/ichor/internal/usl"
)

func render(t *testing.T, format string, r *experiment.Report) string {
	t.Helper()
	var b bytes.Buffer
	rep, err := New(format, &b)
	if err != nil {
		t.Fatal(err)
	}
	if err := rep.Begin(&experiment.Env{Count: 3, Budget: experiment.Budget{Ops: 10}}); err != nil {
		t.Fatal(err)
	}
	for _, res := range r.Results {
		if err := rep.Result(res); err != nil {
			t.Fatal(err)
		}
	}
	if err := rep.End(r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestJSONRow(t *testing.T) {
	r := resulttest.Run(t, resulttest.TwoRows(), 3)
	want := `{"scenario":"pair","config":{"state":"address","temp":"hot","threads":1},"metrics":{"ns/op":{"median":0.93,"min":0.91,"max":1.02,"n":3}},"ratio":{"median":1.1625,"min":1.01111,"max":2,"n":3}}
{"scenario":"pair","config":{"state":"loads","temp":"hot","threads":1},"metrics":{"ns/op":{"median":0.8,"min":0.51,"max":0.9,"n":3}},"ratio":{"median":1,"min":1,"max":1,"n":3}}
`
	if got := render(t, "json", r); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestJSONValues(t *testing.T) {
	row := &experiment.Row{Config: experiment.Cfg("q", "a\"\n\xff", "b", true), Metric: experiment.OpsS, Samples: []experiment.Sample{
		{Value: 12345678.9, Extra: map[string]float64{"z/op": 0, "B/op": 1e-9}}}}
	want := `{"scenario":"s","config":{"q":"a\"\n` + "\ufffd" + `","b":true},"metrics":{` +
		`"ops/s":{"median":12345700,"min":12345700,"max":12345700,"n":1},` +
		`"B/op":{"median":0.000000001,"min":0.000000001,"max":0.000000001,"n":1},` +
		`"z/op":{"median":0,"min":0,"max":0,"n":1}},"partial":true}` + "\n"
	if got := string(appendRow(nil, "s", row, experiment.Stat{}, true)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestBenchFormatIsRead(t *testing.T) {
	s := resulttest.TwoRows()
	s.Plan = func(*experiment.Env) (*experiment.Plan, error) {
		return &experiment.Plan{Variants: []experiment.Variant{
			resulttest.Fixed(experiment.Cfg("state", "a/b c-2", "threads", 2), experiment.OpsS, 2e9),
			resulttest.Fixed(experiment.Cfg("state", "loads", "threads", 1), experiment.NsOp, 0.80, 0.90),
		}}, nil
	}
	r := resulttest.Run(t, s, 2)
	r.Partial = true
	var got []string
	in := benchfmt.NewReader(strings.NewReader(render(t, "bench", r)), "out")
	for in.Scan() {
		switch rec := in.Result().(type) {
		case *benchfmt.Result:
			v := rec.Values[0]
			got = append(got, fmt.Sprintf("%s %d %.3g %s %s", rec.Name, rec.Iters, v.Value, v.Unit, rec.GetConfig("goarch")))
		case *benchfmt.UnitMetadata:
			got = append(got, rec.OrigUnit+" "+rec.Key+"="+rec.Value)
		default:
			t.Errorf("unexpected record %T: %v", rec, rec)
		}
	}
	want := []string{
		"ops/s better=higher",
		"Pair/state=a_b_c_2/threads=2 100 2e+09 ops/s " + runtime.GOARCH,
		"Pair/state=a_b_c_2/threads=2 100 2e+09 ops/s " + runtime.GOARCH,
		"Pair/state=loads/threads=1 100 8e-10 sec/op " + runtime.GOARCH,
		"Pair/state=loads/threads=1 100 9e-10 sec/op " + runtime.GOARCH,
	}
	if in.Err() != nil || !slices.Equal(got, want) {
		t.Errorf("err %v, got\n%s\nwant\n%s", in.Err(), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTextTable(t *testing.T) {
	s := resulttest.TwoRows()
	s.Exact = true // three samples are enough
	s.Conclude = func(res *experiment.Result) []string {
		return []string{fmt.Sprintf("conclusion: %.4f", res.Ratio(res.Find(experiment.Cfg("state", "address"))).Median)}
	}
	r := resulttest.Run(t, s, 3)
	got := render(t, "text", r)
	_, got, _ = strings.Cut(got, "\n\n") // the machine differs
	want := `pair: what does a pair cost?
 state    temp  threads  ns/op   min   max  n  ratio 
─────────────────────────────────────────────────────
 address  hot   1         0.93  0.91  1.02  3   1.16 
 loads    hot   1         0.80  0.51  0.90  3   1.00 
ratio: relative to state=loads, in the same round; below 1 is faster
conclusion: 1.1625
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A row that was starved has no ratio, is in no law, and is marked in all formats; others are as
// they were.
func TestStarvedIsMarked(t *testing.T) {
	report := resulttest.WithShares(t, 2, 0.256)
	text := render(t, "text", report)
	_, text, _ = strings.Cut(text, "\n\n") // the machine differs
	want := `pair: what does a pair cost?
 state    ns/op   min   max  n  ratio  CPU 
───────────────────────────────────────────
 loads     1.00  1.00  1.00  2   1.00      
 address   2.00  2.00  2.00  2      -  25% 
 shared    3.00  3.00  3.00  2   3.00      
ratio: relative to state=loads, in the same round; below 1 is faster
CPU: how much the row's threads got of the CPU time that they asked for, if less than 90%. Others had the cores: the row has no ratio, is not a baseline, and no conclusion is drawn from it
Too few samples (2) to draw a conclusion: use -count 10.
`
	if text != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
	if markdown := summary.ResultTable(report.Results[0]).Markdown(); !strings.Contains(markdown, "| address | 2.00 | 2.00 | 2.00 | 2 | - | 25% |") {
		t.Errorf("not marked:\n%s", markdown)
	}
	wantJSON := `{"scenario":"pair","config":{"state":"loads"},"metrics":{"ns/op":{"median":1,"min":1,"max":1,"n":2}},"ratio":{"median":1,"min":1,"max":1,"n":2},"cpu":1}
{"scenario":"pair","config":{"state":"address"},"metrics":{"ns/op":{"median":2,"min":2,"max":2,"n":2}},"cpu":0.256,"starved":true}
{"scenario":"pair","config":{"state":"shared"},"metrics":{"ns/op":{"median":3,"min":3,"max":3,"n":2}},"ratio":{"median":3,"min":3,"max":3,"n":2},"cpu":1}
`
	if got := render(t, "json", report); got != wantJSON {
		t.Errorf("got\n%swant\n%s", got, wantJSON)
	}
	var got []string
	in := benchfmt.NewReader(strings.NewReader(render(t, "bench", report)), "out")
	for in.Scan() {
		if rec, ok := in.Result().(*benchfmt.Result); ok {
			got = append(got, fmt.Sprint(rec.Name, " ", rec.GetConfig("starved")))
		}
	}
	if want := []string{"Pair/state=loads ", "Pair/state=loads ", "Pair/state=address true", "Pair/state=address true", "Pair/state=shared ", "Pair/state=shared "}; in.Err() != nil || !slices.Equal(got, want) {
		t.Errorf("%v: %q, want %q", in.Err(), got, want)
	}

	calm := resulttest.WithShares(t, 2, 0.9)
	for _, format := range Names {
		if out := render(t, format, calm); strings.Contains(out, "starved") || strings.Contains(out, " CPU") {
			t.Errorf("rows are marked although none was starved:\n%s", out)
		}
	}
}

// So is a row whose threads ended apart.
func TestApartIsMarked(t *testing.T) {
	report := resulttest.WithShares(t, 2, 0.256)
	resulttest.EndApart(report.Results[0].Rows[1], 0.5) // starved, too: that counts
	resulttest.EndApart(report.Results[0].Rows[2], 0.256)
	text := render(t, "text", report)
	_, text, _ = strings.Cut(text, "\n\n") // the machine differs
	want := `pair: what does a pair cost?
 state    ns/op   min   max  n  ratio  CPU  apart 
──────────────────────────────────────────────────
 loads     1.00  1.00  1.00  2   1.00             
 address   2.00  2.00  2.00  2      -  25%        
 shared    3.00  3.00  3.00  2      -         25% 
ratio: relative to state=loads, in the same round; below 1 is faster
CPU: how much the row's threads got of the CPU time that they asked for, if less than 90%. Others had the cores: the row has no ratio, is not a baseline, and no conclusion is drawn from it
apart: the share of a sample's time that was left when the first thread had ended, if more than a tenth. The others then ran alone: the row has no ratio, is not a baseline, and no conclusion is drawn from it
Too few samples (2) to draw a conclusion: use -count 10.
warning: In 2 of 3 rows, some threads ended long before others, which then ran alone: their rates are not those of all threads at once. Use a longer -benchtime, such as 1s.
`
	if text != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
	wantJSON := `{"scenario":"pair","config":{"state":"shared"},"metrics":{"ns/op":{"median":3,"min":3,"max":3,"n":2}},"cpu":1,"apart":true}`
	if got := render(t, "json", report); !strings.Contains(got, wantJSON) || !strings.Contains(got, `"starved":true}`) {
		t.Errorf("got\n%swant\n%s", got, wantJSON)
	}
	var got []string
	in := benchfmt.NewReader(strings.NewReader(render(t, "bench", report)), "out")
	for in.Scan() {
		if rec, ok := in.Result().(*benchfmt.Result); ok {
			got = append(got, fmt.Sprint(rec.Name, " ", rec.GetConfig("starved"), " ", rec.GetConfig("apart")))
		}
	}
	if want := []string{"Pair/state=loads  ", "Pair/state=loads  ", "Pair/state=address true ", "Pair/state=address true ", "Pair/state=shared  true", "Pair/state=shared  true"}; in.Err() != nil || !slices.Equal(got, want) {
		t.Errorf("%v: %q, want %q", in.Err(), got, want)
	}
}

func TestLawsInReports(t *testing.T) {
	res := resulttest.Lawful(usl.Law{Rate: 1e6, Contention: 0.25, Coherence: 0}, 1, 2, 4)
	report := &experiment.Report{Results: []*experiment.Result{res}, Done: 1, Total: 1}
	text := render(t, "text", report)
	for _, want := range []string{"contention", "coherence", " one          25%          0          0          more              2909 k", "ops/s at 8 threads", "is a prediction"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	json := render(t, "json", report)
	if want := `{"scenario":"grow","config":{"mode":"one"},"law":{"rate":1000000,"contention":0.25,"coherence":0,`; !strings.Contains(json, want) {
		t.Errorf("%q is missing in\n%s", want, json)
	}
	if text := render(t, "text", &experiment.Report{Results: []*experiment.Result{resulttest.Lawful(usl.Law{Rate: 1}, 1, 2)}}); strings.Contains(text, "contention") {
		t.Errorf("a law of two counts:\n%s", text)
	}
}

// Each format says that a run was interrupted.
func TestPartial(t *testing.T) {
	r := resulttest.Run(t, resulttest.TwoRows(), 2)
	r.Partial, r.Total = true, 30
	if got := render(t, "json", r); strings.Count(got, `,"partial":true}`) != 2 {
		t.Errorf("the JSON rows are not marked: %s", got)
	}
	if got := render(t, "text", r); !strings.HasSuffix(got, "\npartial: interrupted after 4 of 30 samples\n") {
		t.Errorf("the text is not marked: %s", got)
	}
	if got := render(t, "bench", r); !strings.HasSuffix(got, "\n# partial: interrupted after 4 of 30 samples\n") {
		t.Errorf("the bench report is not marked: %s", got)
	}
	if got := partialLine(&experiment.Report{Failed: true}); got != "partial: failed before the first sample" {
		t.Errorf("of a plan that failed: %s", got)
	}
}

// A function that concludes and panics does not take the table with it.
func TestPanicKeepsTable(t *testing.T) {
	s := resulttest.TwoRows()
	s.Exact = true
	s.Conclude = func(*experiment.Result) []string { panic("a bug") }
	r := resulttest.Run(t, s, 3)
	var b strings.Builder
	rep, err := New("text", &b)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if why := recover(); why != "a bug" || !strings.Contains(b.String(), "loads") {
			t.Errorf("panic %v after\n%s", why, b.String())
		}
	}()
	err = rep.Result(r.Results[0])
	t.Error("no panic:", err)
}

// Numbers are as long as their precision.
func TestSignificant(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1.0000001: "1", 12345678: "12345700", 1e20: "100000000000000000000", 3e300: "3e+300", -3e300: "-3e+300", 1.5e-300: "1.5e-300", 1e-9: "0.000000001"} {
		if got := significant(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}

// The greatest latencies of samples are not taken for the greatest of all.
func TestMaxNsIsExplained(t *testing.T) {
	s := resulttest.TwoRows()
	if notes := summary.Notes(resulttest.Run(t, s, 1).Results[0]); slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, experiment.MaxNs) }) {
		t.Errorf("without latencies: %q", notes)
	}
	res := resulttest.Run(t, s, 1).Results[0]
	res.Rows[1].Samples[0].Extra = map[string]float64{"readers-" + experiment.MaxNs: 5}
	if notes := summary.Notes(res); !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, experiment.MaxNs+": ") }) {
		t.Errorf("with latencies: %q", notes)
	}
}

// The package is that of the program, which need not be a part of this module.
func TestPackageLine(t *testing.T) {
	for want, info := range map[string]*debug.BuildInfo{"pkg: example.com/mine\n": {Path: "example.com/mine"}, "": {}} {
		if got := packageLine(func() (*debug.BuildInfo, bool) { return info, true }); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := packageLine(func() (*debug.BuildInfo, bool) { return nil, false }); got != "" {
		t.Errorf("%q without an answer", got)
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Path != "" {
		if text := render(t, "bench", resulttest.Run(t, resulttest.TwoRows(), 1)); !strings.Contains(text, "\npkg: "+info.Path+"\n") {
			t.Errorf("no %s in\n%s", info.Path, text)
		}
	}
}
