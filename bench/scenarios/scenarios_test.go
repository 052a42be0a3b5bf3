package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/benchtest"
)

// TestMain runs the children of the scenario gcshare.
func TestMain(m *testing.M) {
	if os.Getenv(benchtest.Child) != "" {
		if err := ServeGCShare(os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// shortRun runs a scenario with samples of few operations, which ends with Close:
// so a leak is an error. keep chooses the rows; nil is all.
func shortRun(t *testing.T, s experiment.Scenario, keep func(c experiment.Config) bool, docs ...experiment.Document) *experiment.Result {
	t.Helper()
	if plan := s.Plan; keep != nil {
		s.Plan = func(env *experiment.Env) (*experiment.Plan, error) {
			p, err := plan(env)
			if err == nil {
				p.Variants = slices.DeleteFunc(p.Variants, func(v experiment.Variant) bool { return !keep(v.Config) })
			}
			return p, err
		}
	}
	report, err := experiment.Run(t.Context(), []experiment.Scenario{benchtest.Unwatched(s)}, experiment.Options{
		Env: experiment.Env{Documents: docs, Threads: []int{1, 2}, Budget: experiment.Budget{Ops: 2000}, Count: 2, Size: 1 << 20},
	})
	if err != nil {
		t.Fatal(err)
	}
	res := report.Results[0]
	for _, row := range res.Rows {
		if len(row.Samples) != 2 || row.Stat().Min <= 0 {
			t.Errorf("%s: %v", row.Config, row.Samples)
		}
	}
	if s.Conclude != nil && len(s.Conclude(res)) == 0 {
		t.Errorf("%s concludes nothing", s.Name)
	}
	return res
}

// Whoever asks for an owned object without saying under which mode means the GIL's.
func TestPair(t *testing.T) {
	res := shortRun(t, Pair(), func(c experiment.Config) bool { return c.Get("temp") == "hot" })
	for _, want := range []struct {
		mode  any
		asked experiment.Config
	}{
		{modeGIL, experiment.Cfg("state", "owned", "temp", "hot")},
		{modeBiased, experiment.Cfg("state", "owned", "mode", modeBiased, "temp", "hot")},
		{modeAtomic, experiment.Cfg("state", "shared", "temp", "hot")},
		{nil, experiment.Cfg("state", "loads", "temp", "hot")},
	} {
		row := res.Find(want.asked)
		if row == nil || row.Config.Get("mode") != want.mode || row.Config.Get("call") != nil {
			t.Errorf("asked for %v, found %v", want.asked, row)
		}
	}
}

func TestDict(t *testing.T) {
	res := shortRun(t, Dict(), nil)
	if res.Find(experiment.Cfg("map", "ichor", "reads", 95, "threads", 2)) == nil ||
		res.Find(experiment.Cfg("map", DictCounted, "reads", 95, "threads", 2)) == nil {
		t.Error("a row of Ichor's dict is missing")
	}
}

func TestHandoff(t *testing.T) {
	res := shortRun(t, Handoff(), nil)
	if n := len(modes) * len(HandoffShares); len(res.Rows) != n {
		t.Errorf("%d rows, want %d", len(res.Rows), n)
	}
}

// A sample that is interrupted ends soon, and leaves nothing behind.
func TestHandoffInterrupted(t *testing.T) {
	for _, mode := range modes {
		run := &handoffRun{modeRun{mode: mode}}
		if err := run.setup(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, after := range []time.Duration{0, 5 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			begin := time.Now()
			_, err := run.sampler(50)(ctx, experiment.Budget{Duration: time.Hour})
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > time.Minute {
				t.Errorf("%s: %v after %v", mode, err, time.Since(begin))
			}
			cancel()
		}
		if err := run.close(); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

func TestWhereLost(t *testing.T) {
	shares := []int{0, 10, 50}
	for _, c := range []struct {
		ratios []float64
		want   string
	}{
		{[]float64{1.5, 1.2, 1}, "Biased counting does not lose in this run, up to 50 % foreign."},
		{[]float64{1.5, 1.2, 0.8}, "Biased counting begins to lose in this run at about 30 % foreign."},
		{[]float64{1.5, 1, 0.5}, "Biased counting begins to lose in this run at about 10 % foreign."},
		{[]float64{0.9, 1.2, 0.8}, "Biased counting loses in this run already at 0 % foreign."},
	} {
		if got := whereLost(shares, c.ratios); got != c.want {
			t.Errorf("%v: %q, want %q", c.ratios, got, c.want)
		}
	}
}

// everyKind has all kinds of values that a document may have.
const everyKind = `{"": "", "a b": [null, true, false, 0, -1, 12345678901, 123456789012345678901234567890, 1.5, 1e2, [], {}],
	"nine": {"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9}, "text": "\u00e4\u0000"}`

// That both walks see the same is checked by every sample.
func TestWalk(t *testing.T) {
	res := shortRun(t, Walk(), nil, experiment.Document{Name: "large", Data: benchtest.Large}, experiment.Document{Name: inTotal, Data: []byte(everyKind)})
	if len(res.Rows) != 6 || res.Find(experiment.Cfg("document", inTotal, "heap", HeapFrozen)) == nil {
		t.Errorf("%d rows, want frozen and go for two documents and their total", len(res.Rows))
	}
}

// A walk that misses a value, or sees another one, is found out.
func TestWalkDiffers(t *testing.T) {
	g := &walkGraph{doc: experiment.Document{Name: "every kind", Data: []byte(everyKind)}}
	if err := g.setup(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.close(); err != nil {
			t.Error(err)
		}
	}()
	// 1 dict of 4, in it 4 keys, "", a list of 11, a dict of 9 keys and values, and a text.
	if want := uint64(1 + 4 + 1 + 1 + 11 + 1 + 2*9 + 1); g.want.visits != want {
		t.Errorf("%d visits, want %d", g.want.visits, want)
	}
	for _, heap := range []string{HeapFrozen, HeapGo} {
		if err := g.walk(heap); err != nil {
			t.Error(err)
		}
	}
	list := g.graph.(map[string]any)["a b"].([]any)
	for i, v := range list {
		for _, other := range []any{int64(5), "other", nil, false} {
			if v == other {
				continue
			}
			list[i] = other
			if err := g.walk(HeapGo); err == nil {
				t.Errorf("nobody saw that item %d is %v", i, other)
			}
			if list[i] = v; i >= 9 { // [] and {} cannot be compared
				break
			}
		}
	}
}

func TestFreeze(t *testing.T) {
	res := shortRun(t, Freeze(), nil, experiment.Document{Name: "large", Data: benchtest.Large}, experiment.Document{Name: "small", Data: []byte(everyKind)})
	if len(res.Rows) != 6 || len(res.Scenario.Conclude(res)) != 3 {
		t.Errorf("%d rows, %d conclusions, want two steps for two documents and their total", len(res.Rows), len(res.Scenario.Conclude(res)))
	}
	extra := func(name, metric string) float64 {
		for _, s := range res.Find(experiment.Cfg("document", name, "what", stepFreeze)).Stats() {
			if s.Metric == metric {
				return s.Median
			}
		}
		t.Fatalf("no %s", metric)
		return 0
	}
	// 20,000 dicts of 2 entries, with a header and 8 words; as many floats, which are a header; an
	// item each. All strings are one.
	if got := extra("large", bytesFrozen); got < 20000*68 || got > 20000*68+1000 {
		t.Errorf("%.0f frozen bytes for the large document", got)
	}
	if f, m := extra("large", bytesFrozen), extra("large", bytesMortal); extra("large", frozenShare) != f/m || m < f {
		t.Errorf("%.0f frozen bytes of %.0f, and a share of %v", f, m, extra("large", frozenShare))
	}
	if all := extra(inTotal, frozenObject); all != extra("large", frozenObject)+extra("small", frozenObject)+3 { // a dict and two names
		t.Errorf("%.0f objects in total", all)
	}
}

func TestImageScenario(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // what it leaves there fails the test
	res := shortRun(t, Image(), nil, experiment.Document{Name: "small", Data: []byte(everyKind)}, experiment.Document{Name: "number", Data: []byte(" 1.5 ")})
	for _, row := range res.Rows {
		// As large as was asked for, and not by more than the documents.
		if n := row.Samples[0].Extra["image-bytes"]; n < 1<<20 || n > 1<<20+4096 {
			t.Errorf("%s: an image of %v bytes", row.Config, n)
		}
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("in the folder for temporary files: %v, %v", left, err)
	}
}

// An image scenario that is interrupted leaves no file, even if nobody closes it.
func TestImageLeavesNoFile(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	run := &imageRun{docs: []experiment.Document{{Name: "small", Data: []byte(everyKind)}}, size: 1 << 16}
	if err := run.setup(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(run.file); err != nil {
		t.Error(err)
	}
	cancel()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		left, err := os.ReadDir(os.TempDir())
		if err == nil && len(left) == 0 {
			break
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("left after the end: %v, %v", left, err)
		}
	}
	if _, err := run.timeParse(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("parsing goes on: %v", err)
	}
	if err := run.r.Close(); err != nil {
		t.Error(err)
	}
}

func TestRepeated(t *testing.T) {
	docs := []experiment.Document{{Data: []byte(`{}`)}, {Data: nil}, {Data: []byte(`3`)}}
	for i, want := range []string{"[{}]", "[{},]", "[{},,3]", "[{},,3,{}]"} {
		n := i + 1
		r := &repeated{ctx: t.Context(), docs: docs, n: n}
		got, err := io.ReadAll(iotest.OneByteReader(r))
		if err != nil || string(got) != want || r.read != int64(len(want)) {
			t.Errorf("%d documents: %q, %d bytes, %v; want %q", n, got, r.read, err, want)
		}
	}
}

// Each row is a process, which keeps what it is to keep, and ends with the scenario.
func TestGCShare(t *testing.T) {
	t.Setenv(benchtest.Child, "1")
	t.Setenv("GOGC", "off") // does not reach the children: there would be no cycle
	res := shortRun(t, GCShare(), nil, experiment.Document{Name: "small", Data: []byte(everyKind)}, experiment.Document{Name: "large", Data: benchtest.Large})
	extra := func(heap, metric string) float64 {
		for _, s := range res.Find(experiment.Cfg("heap", heap)).Stats() {
			if s.Metric == metric {
				return s.Min
			}
		}
		return 0
	}
	for _, row := range res.Rows {
		if s := row.Stat(); s.Max > 100 {
			t.Errorf("%s: %v %%", row.Config, s)
		}
		if n := extra(row.Config.Get("heap").(string), gcCycles); n < gcshareCycles {
			t.Errorf("%s: %v cycles", row.Config, n)
		}
	}
	kept := extra(HeapGo, goHeapBytes)
	outside := extra(HeapFrozen, goHeapBytes) < kept/2 || raceEnabled // then all memory is Go's
	if kept < 1<<20 || extra(heapEmpty, goHeapBytes) > kept/2 || !outside {
		t.Errorf("Go's heap has %.0f bytes with maps, %.0f with frozen documents, %.0f with none", kept, extra(HeapFrozen, goHeapBytes), extra(heapEmpty, goHeapBytes))
	}
	if n := extra(HeapFrozen, bytesFrozen); n < 20000*68 {
		t.Errorf("%.0f frozen bytes", n)
	}
}

// A child that cannot do its job says why, and one that is at work is ended.
func TestGCShareChild(t *testing.T) {
	t.Setenv(benchtest.Child, "1")
	for _, heap := range []string{HeapGo, HeapFrozen} {
		c := &gcshareChild{run: &gcshareRun{docs: []experiment.Document{{Name: "bad", Data: []byte("[")}}, copies: 1}, heap: heap}
		if err := c.start(t.Context()); err == nil || !strings.Contains(err.Error(), "bad: ") {
			t.Errorf("%s: %v", heap, err)
		}
		if err := c.stop(); err != nil {
			t.Errorf("%s: %v", heap, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	c := &gcshareChild{run: &gcshareRun{}, heap: heapEmpty}
	if err := c.start(ctx); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, cancel)
	begin := time.Now()
	if _, err := c.sample(ctx, experiment.Budget{Duration: time.Hour}); err == nil || time.Since(begin) > time.Minute {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
	if err := c.stop(); err == nil {
		t.Error("the child ended by itself")
	}
}

// Bytes are no times: samples agree, and the documents together take about the sum.
func TestMemory(t *testing.T) {
	const small = `[1, 2.5, "text", {"name": null, "other": [true, 12345678901]}]`
	res := shortRun(t, Memory(), nil, experiment.Document{Name: "large", Data: benchtest.Large}, experiment.Document{Name: inTotal, Data: []byte(small)})
	for _, heap := range []string{HeapIchor, HeapGo} {
		large := res.Find(experiment.Cfg("document", "large", "heap", heap)).Stat()
		total := res.Find(experiment.Cfg("document", inTotal, "heap", heap)).Stat()
		if large.Max > 1.01*large.Min || total.Max > 1.01*total.Min {
			t.Errorf("%s: samples from %.0f to %.0f, and from %.0f to %.0f", heap, large.Min, large.Max, total.Min, total.Max)
		}
		if total.Median < 0.99*large.Median || total.Median > 1.02*large.Median {
			t.Errorf("%s: %.0f bytes in total, the large document has %.0f", heap, total.Median, large.Median)
		}
	}
	// 20,000 dicts and their tables of 2 entries in slots of 32 and 48 bytes, as many strings of 5
	// bytes in slots of 32 and floats in slots of 16.
	if got := res.Find(experiment.Cfg("document", "large", "heap", HeapIchor)).Stat().Median; got < 20000*128 || got > 20000*136 {
		t.Errorf("%.0f bytes for the large document", got)
	}
}

func TestCountValues(t *testing.T) {
	row := memoryRow{docs: []experiment.Document{{Data: []byte(`[1, {"a": [], "b": null}]`)}, {Data: []byte(`"x"`)}}}
	if err := row.setup(t.Context()); err != nil || row.values != 6 {
		t.Errorf("%v values, %v", row.values, err)
	}
}

// What each scenario concludes follows from its table.
func TestConclusions(t *testing.T) {
	for _, c := range []struct {
		scenario experiment.Scenario
		lines    int
	}{{Contend(), 1}, {Tree(), 3}, {Small(), 6}, {Threads(), 1}, {Neighbours(), 1}} {
		res := shortRun(t, c.scenario, nil)
		if lines := res.Scenario.Conclude(res); len(lines) != c.lines || strings.Contains(strings.Join(lines, ""), "NaN") {
			t.Errorf("%s: %q", c.scenario.Name, lines)
		}
	}
}
