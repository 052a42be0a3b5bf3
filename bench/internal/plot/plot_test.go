package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/resulttest"
	"github.com/ichor-go/ichor/internal/usl"
)

// wellFormed returns the texts in an XML document.
func wellFormed(t *testing.T, doc string) (texts []string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(doc))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, doc)
		}
		if s, ok := token.(xml.CharData); ok {
			texts = append(texts, string(s))
		}
	}
}

func count(texts []string, want string) (n int) {
	for _, s := range texts {
		if s == want {
			n++
		}
	}
	return n
}

func TestPlotLines(t *testing.T) {
	p, err := Draw(resulttest.Lawful(usl.Law{Rate: 1e6, Contention: 0.1}, 1, 2), Options{})
	if err != nil {
		t.Fatal(err)
	}
	svg := string(p.File())
	texts := wellFormed(t, svg)
	for _, want := range []string{"one", "two", "1", "2", "threads", "ops/s", "0"} {
		if count(texts, want) == 0 {
			t.Errorf("%q is missing among %q", want, texts)
		}
	}
	if strings.Contains(svg, "rgb(") || strings.Contains(svg, `class="k1-0-2`) || !strings.Contains(svg, "prefers-color-scheme:dark") {
		t.Errorf("colours that do not follow the reader, or a prediction of two points:\n%s", svg)
	}
	if inline := p.Inline(); strings.Contains(inline, "http") || strings.Contains(inline, "<style>") || !strings.HasPrefix(inline, `<svg role="img" aria-label="grow: ops/s"`) {
		t.Errorf("inline: %.200s", inline)
	}
}

func TestPlotPrediction(t *testing.T) {
	p, err := Draw(resulttest.Lawful(usl.Law{Rate: 1e6, Contention: 0.1, Coherence: 0.01}, 1, 2, 4), Options{})
	if err != nil {
		t.Fatal(err)
	}
	svg := string(p.File())
	texts := wellFormed(t, svg)
	if count(texts, "8") != 1 || count(texts, "dashed: what the scaling law predicts") != 1 {
		t.Errorf("the axis does not go to 8, or the legend does not explain the dashes: %q", texts)
	}
	for _, class := range []string{"k1-0-0", "k1-0-1", "k1-0-2", "k1-1-2"} { // points, law, prediction
		if !strings.Contains(svg, `class="`+class) {
			t.Errorf("nothing is painted with %s", class)
		}
	}
}

func TestPlotBars(t *testing.T) {
	r := resulttest.Run(t, resulttest.TwoRows(), 3)
	p, err := Draw(r.Results[0], Options{Scale: 1000, Unit: "ps"})
	if err != nil {
		t.Fatal(err)
	}
	texts := wellFormed(t, p.Inline())
	for _, want := range []string{"address", "loads", "930", "800", "ps"} {
		if count(texts, want) != 1 {
			t.Errorf("%q is there %d times among %q", want, count(texts, want), texts)
		}
	}
	p, err = Draw(r.Results[0], Options{Keep: func(c experiment.Config) bool { return c.Get("state") == "loads" }, Name: func(experiment.Config) string { return "<two> & more" }})
	if err != nil {
		t.Fatal(err)
	}
	if texts := wellFormed(t, p.Inline()); count(texts, "<two> & more") != 1 || count(texts, "0.80") != 1 || count(texts, "0.93") != 0 {
		t.Errorf("of one row: %q", texts)
	}
}

// A plot with more lines than colours is drawn as bars.
func TestPlotMany(t *testing.T) {
	res := &experiment.Result{Scenario: &experiment.Scenario{Name: "many"}}
	for i := range maxSeries + 1 {
		for n := range 2 {
			res.Rows = append(res.Rows, &experiment.Row{Config: experiment.Cfg("what", strings.Repeat("x", i+1), "threads", n+1), Metric: experiment.OpsS, Samples: []experiment.Sample{{Value: 1}}})
		}
	}
	p, err := Draw(res, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if texts := wellFormed(t, p.Inline()); count(texts, "x, threads 1") != 1 {
		t.Errorf("no bars: %q", texts)
	}
}

func TestPlotNothing(t *testing.T) {
	res := resulttest.Lawful(usl.Law{Rate: 1}, 1, 2)
	for _, o := range []Options{{Keep: func(experiment.Config) bool { return false }}, {Metric: "B/op"}} {
		if _, err := Draw(res, o); !errors.Is(err, ErrNothing) {
			t.Errorf("%v", err)
		}
	}
}

func TestNiceTop(t *testing.T) {
	for _, c := range []struct {
		value, top float64
		steps      int
	}{{0, 1, 4}, {1, 1, 5}, {10.2, 12, 6}, {99, 100, 5}, {137e6, 150e6, 6}, {3.5e-3, 4e-3, 4}, {7, 8, 4}, {60, 60, 6}} {
		if top, steps := niceTop(c.value); math.Abs(top/c.top-1) > 1e-9 || steps != c.steps {
			t.Errorf("%g: %g in %d steps, want %g in %d", c.value, top, steps, c.top, c.steps)
		}
	}
}

func TestAxisCount(t *testing.T) {
	for n, want := range map[int]string{1: "1", 1024: "1024", 10_000: "10 k", 65_536: "65536", 10_000_000: "10 M"} {
		if got := axisCount(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
