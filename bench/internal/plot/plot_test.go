package plot

import (
	"encoding/xml"
	"errors"
	"html"
	"io"
	"regexp"
	"strconv"
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
	p := drawn(t, resulttest.Lawful(usl.Law{Rate: 1e6, Contention: 0.1}, 1, 2), Options{})
	svg := string(p.File())
	texts := wellFormed(t, svg)
	for _, want := range []string{"one", "two", "1", "2", "threads", "ops/s", "0"} {
		if count(texts, want) == 0 {
			t.Errorf("%q is missing among %q", want, texts)
		}
	}
	if strings.Contains(svg, "dasharray") || !strings.Contains(svg, "prefers-color-scheme:dark") {
		t.Errorf("colours that do not follow the reader, or a prediction of two points:\n%s", svg)
	}
	if inline := p.Inline(); strings.Contains(inline, "http") || strings.Contains(inline, "<style>") ||
		!strings.Contains(inline, `role="img"><title>grow: ops/s by threads, mode</title><desc>one, threads 2: 1.82 M; one, threads 1: 1.00 M; `) {
		t.Errorf("inline: %.200s", inline)
	}
}

func TestPlotPrediction(t *testing.T) {
	p := drawn(t, resulttest.Lawful(usl.Law{Rate: 1e6, Contention: 0.1, Coherence: 0.01}, 1, 2, 4), Options{})
	svg := string(p.File())
	texts := wellFormed(t, svg)
	if count(texts, "8") != 1 || count(texts, "dashed: what the scaling law predicts") != 1 {
		t.Errorf("the axis does not go to 8, or the legend does not explain the dashes: %q", texts)
	}
	noOverlap(t, svg)
	if count(texts, "4 M") != 1 {
		t.Errorf("the axis does not reach the prediction of 3.6 M: %q", texts)
	}
	for _, part := range []string{`class="f-0 k-0"`, `class="k-0" stroke-width="1" fill`, `class="k-0" stroke-width="1.5" fill="none" stroke-dasharray`, `class="k-1" stroke-width="1.5" fill="none" stroke-dasharray`} {
		if !strings.Contains(svg, part) { // points, law, predictions
			t.Errorf("nothing is painted with %s", part)
		}
	}
}

func TestPlotBars(t *testing.T) {
	r := resulttest.Run(t, resulttest.TwoRows(), 3)
	p := drawn(t, r.Results[0], Options{Scale: 1000, Unit: "ps"})
	texts := wellFormed(t, p.Inline())
	for _, want := range []string{"address", "loads", "930", "800", "ps"} {
		if count(texts, want) == 0 {
			t.Errorf("%q is not among %q", want, texts)
		}
	}
	p = drawn(t, r.Results[0], Options{Keep: func(c experiment.Config) bool { return c.Get("state") == "loads" }, Name: func(experiment.Config) string { return "<two> & more" }})
	if texts := wellFormed(t, p.Inline()); count(texts, "<two> & more") != 1 || count(texts, "0.80") != 1 || count(texts, "0.93") != 0 {
		t.Errorf("of one row: %q", texts)
	}
}

// An experiment with an axis of its own beside modes, immortality and threads has 48 rows. They
// become two panels with the same axes, in which colours are modes and shapes kinds of immortality.
func TestPlotThreeAxes(t *testing.T) {
	res := resulttest.Grid(experiment.OpsS, experiment.Modes(), experiment.Immortality(), experiment.Axis{Key: "size", Values: []any{10, 1000}}, experiment.Axis{Key: "threads", Values: []any{1, 2}})
	p := drawn(t, res, Options{})
	svg := p.Inline()
	texts := wellFormed(t, svg)
	for want, n := range map[string]int{"gil": 1, "atomic": 1, "biased": 1, "none": 1, "inplace": 1, "address": 1, "frozen": 1, "size: 10": 1, "size: 1000": 1, "threads": 2, "1": 2, "2": 2, "0": 1, "ideal": 1} {
		if count(texts, want) != n {
			t.Errorf("%q is there %d times, want %d, among %q", want, count(texts, want), n, texts)
		}
	}
	if circles := strings.Count(svg, "<circle"); circles < 3*2*2 {
		t.Errorf("%d circles", circles)
	}
	noOverlap(t, svg)
	if _, err := Draw(res, Options{Over: "size"}); err != nil {
		t.Error(err)
	}
}

// Without a setting for the x-axis, bars are in bands and panels, coloured by mode.
func TestPlotManyBars(t *testing.T) {
	res := resulttest.Grid(experiment.NsOp, experiment.Modes(), experiment.Immortality(), experiment.Axis{Key: "heap", Values: []any{"new", "old"}}, experiment.Axis{Key: "threads", Values: []any{1}})
	p := drawn(t, res, Options{})
	texts := wellFormed(t, p.Inline())
	for want, n := range map[string]int{"gil": 1, "biased": 1, "frozen": 1, "none": 1, "heap: new": 1, "heap: old": 1, "threads": 0} {
		if count(texts, want) != n {
			t.Errorf("%q is there %d times, want %d, among %q", want, count(texts, want), n, texts)
		}
	}
	noOverlap(t, p.Inline())
}

// A setting with more values than colours is no colour: its lines become bars, next to each other, or panels if
// they have many points or the x-axis was asked for.
func TestPlotManyValues(t *testing.T) {
	var values []any
	for i := range maxSeries + 1 {
		values = append(values, strings.Repeat("x", i+1))
	}
	few := experiment.Axis{Key: "threads", Values: []any{1, 2}}
	many := experiment.Axis{Key: "threads"}
	for i := range maxSeries + 1 {
		many.Values = append(many.Values, i+1)
	}
	for _, c := range []struct {
		threads experiment.Axis
		options Options
		want    map[string]int
	}{
		{few, Options{}, map[string]int{"threads:": 1, "1": 1, "2": 1, "xxxxxxxxx": 1, "ideal": 0}},
		{few, Options{Over: "threads"}, map[string]int{"threads": 2, "what: xxxxxxxxx": 1}},
		{many, Options{}, map[string]int{"threads": 2, "what: xxxxxxxxx": 1}},
	} {
		svg := drawn(t, resulttest.Grid(experiment.OpsS, experiment.Axis{Key: "what", Values: values}, c.threads), c.options).Inline()
		for want, n := range c.want {
			if texts := wellFormed(t, svg); count(texts, want) != n {
				t.Errorf("%d threads, %+v: %q is there %d times, want %d, among %q", len(c.threads.Values), c.options, want, count(texts, want), n, texts)
			}
		}
		noOverlap(t, svg)
	}
}

// Starved rows are hollow, and the legend says so. Intervals are drawn.
func TestPlotMarks(t *testing.T) {
	res := resulttest.Grid(experiment.OpsS, experiment.Modes(), experiment.Axis{Key: "threads", Values: []any{1, 2}})
	before := drawn(t, res, Options{})
	for i := range res.Rows[1].Samples {
		res.Rows[1].Samples[i].Threads = []experiment.CPUTime{{CPU: 1, Delay: 1}}
	}
	after := drawn(t, res, Options{})
	hollow := func(p Picture) int { return strings.Count(p.Inline(), `f-paper`) }
	if hollow(after) <= hollow(before) || !strings.Contains(after.Inline(), "starved: not to be compared") || strings.Contains(before.Inline(), "starved") {
		t.Errorf("%d and %d things in the colour of the paper", hollow(before), hollow(after))
	}
	resulttest.EndApart(res.Rows[0], 0.5)
	both := drawn(t, res, Options{})
	if text := both.Inline(); hollow(both) <= hollow(after) || !strings.Contains(text, "apart or starved: not to be compared") || !strings.Contains(text, " (apart);") || !strings.Contains(text, " (starved);") {
		t.Errorf("a row that is apart is not marked:\n%s", text)
	}
	few := resulttest.Grid(experiment.OpsS, experiment.Modes(), experiment.Axis{Key: "threads", Values: []any{1, 2}})
	for _, row := range few.Rows {
		row.Samples = row.Samples[:3] // too few for an interval
	}
	without := drawn(t, few, Options{})
	paths := func(p Picture) int { return len(regexp.MustCompile(`<path class="k-\d`).FindAllString(p.Inline(), -1)) }
	if got := paths(before) - paths(without); got != 6 {
		t.Errorf("%d intervals of 6 rows", got)
	}
}

// Long names neither leave the figure nor touch.
func TestPlotLongNames(t *testing.T) {
	long := strings.Repeat("a long name ", 12)
	for _, axes := range [][]experiment.Axis{
		{{Key: "what", Values: []any{long + "1", long + "2"}}},
		{{Key: "what", Values: []any{long + "1", long + "2"}}, {Key: "threads", Values: []any{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}}},
		{{Key: "what", Values: []any{"a", "b", "c", "d", "e", "f", "g", "h", "i"}}, {Key: long, Values: []any{1}}, {Key: "n", Values: []any{100_000, 200_000, 300_000, 400_001, 500_001, 600_001, 700_001}}},
	} {
		p := drawn(t, resulttest.Grid(experiment.NsOp, axes...), Options{})
		noOverlap(t, p.Inline())
	}
	two := func(key string) experiment.Axis {
		return experiment.Axis{Key: key, Values: []any{"one value", "the other"}}
	}
	svg := drawn(t, resulttest.Grid(experiment.NsOp, experiment.Modes(), experiment.Immortality(), two("size"), two("queue"), two("op")), Options{}).Inline()
	texts := wellFormed(t, svg)
	if count(texts, "queue: the other,") == 0 && count(texts, "queue: the other, op: one value") == 0 || strings.Contains(svg, "…") {
		t.Errorf("the title of a panel is cut: %q", texts[2:])
	}
	noOverlap(t, svg)
}

// textAt finds the texts of a figure, where they are, and how they are aligned.
var textAt = regexp.MustCompile(`<text x="(-?[\d.]+)" y="(-?[\d.]+)"(?: text-anchor="(\w+)")?>([^<]*)</text>`)

// noOverlap fails if texts of the figure overlap, or leave it.
func noOverlap(t *testing.T, svg string) {
	t.Helper()
	c, err := newCanvas(full.letter)
	if err != nil {
		t.Fatal(err)
	}
	type spot struct {
		text string
		box
	}
	var spots []spot
	for _, m := range textAt.FindAllStringSubmatch(svg, -1) {
		x, _ := strconv.ParseFloat(m[1], 64)
		y, _ := strconv.ParseFloat(m[2], 64)
		text := html.UnescapeString(m[4])
		x -= c.width(text) * map[string]float64{"": 0, middle: 0.5, right: 1}[m[3]]
		spots = append(spots, spot{text, box{x, y - 10, x + c.width(text), y + 2}})
	}
	if len(spots) < 4 {
		t.Fatalf("%d texts in %.300s", len(spots), svg)
	}
	for i, a := range spots {
		if a.left < -0.05 || a.right > full.wide+0.05 || a.top < 0 {
			t.Errorf("%q leaves the figure: %v", a.text, a.box)
		}
		for _, b := range spots[:i] {
			if a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom {
				t.Errorf("%q at %v and %q at %v overlap", a.text, a.box, b.text, b.box)
			}
		}
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
