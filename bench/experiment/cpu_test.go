package experiment

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/perf/benchfmt"
)

// fakeTimes has WatchCPU read the given times in turn.
func fakeTimes(t *testing.T, readings ...map[int]threadTime) {
	real := threadTimes
	t.Cleanup(func() { threadTimes = real })
	threadTimes = func() map[int]threadTime {
		next := readings[0]
		readings = readings[1:]
		return next
	}
}

// unwatched has no row marked, whatever else the machine does.
func unwatched(t *testing.T) {
	real := threadTimes
	t.Cleanup(func() { threadTimes = real })
	threadTimes = func() map[int]threadTime { return nil }
}

const ms = time.Millisecond

// What threads asked for is what they had between the readings, but for waits as long as an
// idle core needs to wake up; of the threads that asked for most, as many as there are lanes.
func TestWatchCPU(t *testing.T) {
	before := map[int]threadTime{1: {10 * ms, 90 * ms, 7}, 2: {5 * ms, 0, 1}, 4: {90 * ms, 90 * ms, 9}, 5: {20 * ms, 20 * ms, 200}}
	after := map[int]threadTime{
		1: {20 * ms, 120 * ms, 27},             // starved: it waited 30 ms in 20 slices
		2: {25 * ms, 3 * ms, 101},              // often woken up, and never for long
		3: {2 * ms, 2 * ms, 2},                 // new
		4: {90 * ms, 90 * ms, 9},               // slept
		5: {1 * ms, 500 * time.Microsecond, 1}, // its id belonged to another before
	}
	all := []CPUTime{{10 * ms, 28 * ms}, {20 * ms, 0}, {2 * ms, 1800 * time.Microsecond}, {1 * ms, 400 * time.Microsecond}, {}}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	for _, n := range []int{1, 2, 5, 7} {
		fakeTimes(t, before, after)
		if got, want := WatchCPU(n)(), all[:min(n, len(all))]; !slices.Equal(got, want) {
			t.Errorf("%d lanes: %v, want %v", n, got, want)
		}
	}
	runtime.GOMAXPROCS(2)
	fakeTimes(t, before, after)
	if got := WatchCPU(5)(); !slices.Equal(got, all[:2]) {
		t.Errorf("five lanes that Go has two threads for: %v", got)
	}
	for _, readings := range [][]map[int]threadTime{{nil, after}, {before, nil}} {
		fakeTimes(t, readings...)
		if got := WatchCPU(1)(); got != nil {
			t.Errorf("of a system that does not say: %v", got)
		}
	}
}

func TestGot(t *testing.T) {
	if got := Got([]CPUTime{{30 * ms, 0}, {10 * ms, 60 * ms}}); got != 0.4 {
		t.Errorf("got %v", got)
	}
	if got := Got(nil); !math.IsNaN(got) {
		t.Errorf("of nothing: %v", got)
	}
	// The median of the samples that are known.
	row := &Row{Samples: []Sample{{Threads: []CPUTime{{1 * ms, 9 * ms}}}, {}, {Threads: []CPUTime{{9 * ms, 1 * ms}}}, {Threads: []CPUTime{{10 * ms, 0}}}}}
	if row.Got() != 0.9 || row.Starved() {
		t.Errorf("%v of a row that has enough", row.Got())
	}
	row.Samples[2].Threads[0].CPU = 8 * ms
	if !row.Starved() {
		t.Errorf("%v of a row that has too little", row.Got())
	}
	if row := (&Row{Samples: []Sample{{}}}); !math.IsNaN(row.Got()) || row.Starved() {
		t.Errorf("%v of a row of which nobody knows", row.Got())
	}
}

// Samples of lanes know what their threads asked for.
func TestLanesAreWatched(t *testing.T) {
	body := func(l *Lane) error {
		for l.Next() {
		}
		return nil
	}
	after := map[int]threadTime{1: {10 * ms, 0, 0}, 2: {6 * ms, 3 * ms, 0}}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	fakeTimes(t, map[int]threadTime{}, after)
	s, err := OpsPerSecond(t.Context(), Budget{Ops: 1}, 2, 1, body)
	if want := []CPUTime{{10 * ms, 0}, {6 * ms, 3 * ms}}; err != nil || !slices.Equal(s.Threads, want) {
		t.Errorf("%v, %v, want %v", s.Threads, err, want)
	}
	fakeTimes(t, map[int]threadTime{}, after)
	s, err = NsPerOp(t.Context(), Budget{Ops: 1}, 1, body)
	if want := []CPUTime{{10 * ms, 0}}; err != nil || !slices.Equal(s.Threads, want) {
		t.Errorf("%v, %v, want %v", s.Threads, err, want)
	}
}

// burning has the test binary burn time on so many threads, until its standard input ends.
const burning = "ICHOR_BURN"

func TestBurn(t *testing.T) {
	threads, err := strconv.Atoi(os.Getenv(burning))
	if err != nil {
		return // it is for TestStarved alone
	}
	runtime.GOMAXPROCS(threads)
	for range threads {
		go func() {
			for n := 0; ; n++ {
			}
		}()
	}
	fmt.Println("burning")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it, or dies
	os.Exit(0)
}

// Where another process wants all cores, a sample knows that it did not get them.
func TestStarved(t *testing.T) {
	if CPUMeasure() == "" {
		t.Skip("SKIPPED: this system does not say what threads ask for")
	}
	burner := exec.Command(os.Args[0], "-test.run=^TestBurn$")
	burner.Env = append(os.Environ(), fmt.Sprintf("%s=%d", burning, 2*runtime.GOMAXPROCS(0)))
	in, err := burner.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := burner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := burner.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		_ = burner.Wait() // it ends as it likes
	}()
	if _, err := io.ReadFull(out, make([]byte, len("burning"))); err != nil {
		t.Fatal(err)
	}
	threads := runtime.GOMAXPROCS(0)
	s, err := OpsPerSecond(t.Context(), Budget{Duration: 200 * ms}, threads, 1, func(l *Lane) error {
		for l.Next() {
		}
		return nil
	})
	row := &Row{Samples: []Sample{s}}
	if err != nil || !row.Starved() {
		t.Errorf("%d lanes among twice as many threads that burn time got %v of what they asked for, %v", threads, row.Got(), err)
	}
}

// withShares is a scenario of three rows, of which the second got a given share of its time.
func withShares(t *testing.T, count int, share float64) *Report {
	t.Helper()
	var variants []Variant
	for i, name := range []string{"loads", "address", "shared"} {
		threads := []CPUTime{{10 * ms, 0}}
		if i == 1 {
			got := time.Duration(share * float64(10*ms))
			threads = []CPUTime{{got, 10*ms - got}}
		}
		variants = append(variants, Variant{Config: Cfg("state", name), Metric: NsOp, Sample: func(context.Context, Budget) (Sample, error) {
			return Sample{Value: float64(i + 1), Ops: 1, Threads: threads}, nil
		}})
	}
	s := scenario(variants...)
	s.Conclude = func(res *Result) (lines []string) {
		var each []string
		for _, row := range res.Rows {
			each = Say(each, "%s %.1f", row.Config.Get("state"), res.Ratio(row))
			lines = Say(lines, "%s takes %v ns.", row.Config.Get("state"), Figure(row.Stat().Median))
		}
		return Say(lines, "Against loads: %s.", each)
	}
	report, err := Run(t.Context(), []Scenario{s}, options(count))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestConclusionsOfStarved(t *testing.T) {
	for share, want := range map[float64]string{
		0.95: "loads takes 1.00 ns.|address takes 2.00 ns.|shared takes 3.00 ns.|Against loads: loads 1.0, address 2.0, shared 3.0.",
		0.85: "loads takes 1.00 ns.|shared takes 3.00 ns.|Against loads: loads 1.0, shared 3.0.|" +
			"1 of 3 rows are left out here: their threads got less than 90% of the CPU time that they asked for.",
	} {
		res := withShares(t, MinSamples, share).Results[0]
		if got := strings.Join(Conclusions(res), "|"); got != want {
			t.Errorf("with %v of the time: %q, want %q", share, got, want)
		}
	}
}

func TestConclusionsOfFew(t *testing.T) {
	res := withShares(t, MinSamples-1, 1).Results[0]
	if got := Conclusions(res); len(got) != 1 || got[0] != "Too few samples to conclude from (5): -count 10 would tell." {
		t.Errorf("of five samples: %q", got)
	}
	res.Scenario.Exact = true
	if got := Conclusions(res); len(got) != 4 {
		t.Errorf("of five samples that do not vary: %q", got)
	}
	res.Partial = true
	if got := Conclusions(res); got != nil {
		t.Errorf("of a partial result: %q", got)
	}
	res.Partial, res.Scenario.Conclude = false, nil
	if got := Conclusions(res); got != nil {
		t.Errorf("without a function that concludes: %q", got)
	}
}

func TestSay(t *testing.T) {
	lines := Say(nil, "%d, %.1f, %v, %s", 1, 2.0, Figure(3e4), []string{"a", "b"})
	for _, missing := range []any{math.NaN(), Figure(math.NaN()), []string(nil)} {
		lines = Say(lines, "%v", missing)
	}
	if want := []string{"1, 2.0, 30.0 k, a, b"}; !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
}

// A row that was starved has no ratio, is in no law, and is marked in all formats; others are as
// they were.
func TestStarvedIsMarked(t *testing.T) {
	report := withShares(t, 2, 0.256)
	text := render(t, "text", report)
	_, text, _ = strings.Cut(text, "\n\n") // the machine differs
	want := `pair: what does a pair cost?
 state    ns/op   min   max  n  ratio  CPU 
───────────────────────────────────────────
 loads     1.00  1.00  1.00  2   1.00      
 address   2.00  2.00  2.00  2      -  25% 
 shared    3.00  3.00  3.00  2   3.00      
ratio: to state=loads in the same round; below 1 is faster
CPU: the share of the CPU time that the row's threads asked for and got, if it is less than 90%. Others had the cores: the row has no ratio, is no baseline, and nothing is concluded from it
Too few samples to conclude from (2): -count 10 would tell.
`
	if text != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
	if markdown := ResultTable(report.Results[0]).Markdown(); !strings.Contains(markdown, "| address | 2.00 | 2.00 | 2.00 | 2 | - | 25% |") {
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

	calm := withShares(t, 2, 0.9)
	for _, format := range Formats {
		if out := render(t, format, calm); strings.Contains(out, "starved") || strings.Contains(out, gotColumn) {
			t.Errorf("marked, but calm:\n%s", out)
		}
	}
}

func TestNoLawOfStarved(t *testing.T) {
	rows := func(starved int) *Result {
		res := &Result{Scenario: &Scenario{Name: "grow"}}
		for _, n := range []int{1, 2, 3} {
			s := Sample{Value: float64(n), Threads: []CPUTime{{10 * ms, 0}}}
			if n == starved {
				s.Threads[0].Delay = 10 * ms
			}
			res.Rows = append(res.Rows, &Row{Config: Cfg("threads", n), Metric: OpsS, Samples: []Sample{s}})
		}
		return res
	}
	if laws := rows(0).laws(4); len(laws) != 1 {
		t.Errorf("%d laws of three rows", len(laws))
	}
	if laws := rows(2).laws(4); len(laws) != 0 {
		t.Errorf("%d laws of two rows and one that was starved", len(laws))
	}
}
