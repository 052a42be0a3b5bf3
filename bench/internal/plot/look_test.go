package plot

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/resulttest"
)

var oneAndTwo = experiment.Axis{Key: "threads", Values: []any{1, 2}}

func drawn(t *testing.T, res *experiment.Result, o Options) Picture {
	t.Helper()
	p, err := Draw(res, o)
	if err != nil {
		t.Fatal(err)
	}
	return Picture{tidy(p.full), tidy(p.small)}
}

var (
	tagOf       = regexp.MustCompile(`<(rect|path|circle|text) ([^>]*?)(/?)>`)
	attributeOf = regexp.MustCompile(`([\w-]+)="([^"]*)"`)
)

// tidy writes the attributes of what is drawn in the order in which tests look for them: the class first,
// and the points of a path last.
func tidy(svg string) string {
	return tagOf.ReplaceAllStringFunc(svg, func(tag string) string {
		m := tagOf.FindStringSubmatch(tag)
		var first, rest, last string
		for _, a := range attributeOf.FindAllStringSubmatch(m[2], -1) {
			switch text := ` ` + a[1] + `="` + strings.TrimSuffix(a[2], ".0") + `"`; a[1] {
			case "class":
				first = text
			case "d":
				last = text
			default:
				rest += text
			}
		}
		return "<" + m[1] + first + rest + last + m[3] + ">"
	})
}

// A few lines have their names at their ends, right of the axis. If there are too many lines, or if
// their names are too long, there is a legend above.
func TestPlotEndLabels(t *testing.T) {
	long := experiment.Axis{Key: "what", Values: []any{strings.Repeat("long ", 9) + "1", strings.Repeat("long ", 9) + "2"}}
	five := experiment.Axis{Key: "queue", Values: []any{"a", "b", "c", "d", "e"}}
	for name, c := range map[string]struct {
		res   *experiment.Result
		ends  bool
		names []string
	}{
		"modes": {resulttest.Grid(experiment.OpsS, experiment.Modes(), oneAndTwo), true, []string{"gil", "atomic", "biased"}},
		"both":  {resulttest.Grid(experiment.OpsS, experiment.Axis{Key: "mode", Values: []any{"gil", "atomic"}}, experiment.Axis{Key: "immortal", Values: []any{"none", "address"}}, oneAndTwo), true, []string{"gil, none", "atomic, address"}},
		"many":  {resulttest.Grid(experiment.OpsS, five, experiment.Immortality(), oneAndTwo), false, []string{"e", "frozen", "queue:", "immortal:"}},
		"long":  {resulttest.Grid(experiment.OpsS, long, oneAndTwo), false, []string{long.Values[0].(string), "what:"}},
	} {
		svg := drawn(t, c.res, Options{}).Inline()
		noOverlap(t, svg)
		texts := textAt.FindAllStringSubmatch(svg, -1)
		for _, want := range c.names {
			if i := slices.IndexFunc(texts, func(m []string) bool { return m[4] == want }); i < 0 || c.ends && (len(texts[i][1]) < 3 || texts[i][1] < "300") {
				t.Errorf("%s: %q is missing, or not at the end of a line", name, want)
			}
		}
		if head := slices.ContainsFunc(texts, func(m []string) bool { return strings.HasSuffix(m[4], ":") }); head == c.ends {
			t.Errorf("%s: a legend, too: %t", name, head)
		}
	}
}

// Labels move as little as they must, and keep their order.
func TestApart(t *testing.T) {
	for _, c := range []struct{ at, want []float64 }{
		{[]float64{50, 10, 90}, []float64{50, 10, 90}},
		{[]float64{50, 52}, []float64{46, 56}},
		{[]float64{50, 50, 50, 90}, []float64{40, 50, 60, 90}},
		{[]float64{99, 100, 97}, []float64{90, 100, 80}},
		{[]float64{2, 1}, []float64{10, 0}},
		{nil, []float64{}},
	} {
		if got := apart(c.at, 10, 0, 100); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.at, got, c.want)
		}
	}
}

// A mode has the same colour in all figures, whichever others are there.
func TestModeColors(t *testing.T) {
	for _, modes := range [][]any{{"atomic"}, {"biased", "atomic"}, {"gil", "atomic", "biased"}} {
		axes := []experiment.Axis{{Key: "mode", Values: modes}, {Key: "a", Values: []any{"x", "y"}}, oneAndTwo}
		svg := drawn(t, resulttest.Grid(experiment.OpsS, axes...), Options{Keep: func(c experiment.Config) bool { return c.Get("mode") == "atomic" || len(modes) > 1 }}).Inline()
		if len(modes) > 1 && !strings.Contains(svg, "k-1") {
			t.Errorf("%v: atomic has not the second colour", modes)
		}
		if len(modes) == 2 && strings.Contains(svg, "k-0") {
			t.Errorf("%v: something has the colour of the GIL", modes)
		}
	}
}

// Neighbours in the same unit have the same axis of values, and others have not.
func TestDrawAll(t *testing.T) {
	res := resulttest.Grid(experiment.OpsS, experiment.Axis{Key: "a", Values: []any{"low", "high", "none"}}, experiment.Modes(), oneAndTwo)
	for _, row := range res.Rows {
		if row.Config.Get("a") == "high" {
			for i := range row.Samples {
				row.Samples[i].Value *= 100
			}
		}
	}
	only := func(a string) Options {
		return Options{Keep: func(c experiment.Config) bool { return c.Get("a") == a }}
	}
	other := only("low")
	other.Unit = "something else"
	pictures, err := DrawAll(res, only("low"), only("high"), other, only("missing"))
	if err != nil {
		t.Fatal(err)
	}
	top := func(p Picture) string {
		for _, text := range slices.Backward(wellFormed(t, p.Inline())) {
			if strings.HasSuffix(text, " M") || strings.HasSuffix(text, " G") {
				return text
			}
		}
		return ""
	}
	if low, high, apart := top(pictures[0]), top(pictures[1]), top(pictures[2]); low != high || apart == low || low == "" || pictures[3] != (Picture{}) {
		t.Errorf("the axes end at %q, %q and %q", low, high, apart)
	}
}

// Settings that follow from the mode are a part of its name, and need no panels.
func TestPlotFollows(t *testing.T) {
	res := resulttest.Grid(experiment.NsOp, experiment.Axis{Key: "kind", Values: []any{"leaf", "list", "dict"}}, experiment.Axis{Key: "heap", Values: []any{"ichor"}}, experiment.Modes())
	for _, kind := range []any{"leaf", "list", "dict"} {
		res.Rows = append(res.Rows, &experiment.Row{Config: experiment.Cfg("kind", kind, "heap", "go"), Metric: experiment.NsOp, Samples: []experiment.Sample{{Value: 1e6}}})
	}
	texts := wellFormed(t, drawn(t, res, Options{}).Inline())
	for want, n := range map[string]int{"ichor, gil": 1, "ichor, biased": 1, "go": 1, "leaf": 1, "dict": 1, "ns/op": 1} {
		if count(texts, want) != n {
			t.Errorf("%q is there %d times, want %d, among %q", want, count(texts, want), n, texts)
		}
	}
}

// A thumbnail is a smaller figure: it has one panel, and a few bars with the last of them.
func TestThumb(t *testing.T) {
	var values []any
	for _, v := range strings.Split("abcdefgh", "") {
		values = append(values, v)
	}
	thumb := drawn(t, resulttest.Grid(experiment.NsOp, experiment.Axis{Key: "what", Values: values}), Options{}).Thumb()
	if texts := wellFormed(t, thumb); count(texts, "a") != 1 || count(texts, "d") != 0 || count(texts, "h") != 1 || count(texts, "… 4 more …") != 1 {
		t.Errorf("bars: %q", texts)
	}
	res := resulttest.Grid(experiment.OpsS, experiment.Modes(), experiment.Axis{Key: "size", Values: []any{1, 2}}, oneAndTwo)
	if texts := wellFormed(t, drawn(t, res, Options{}).Thumb()); count(texts, "threads") != 1 || count(texts, "gil") != 1 || count(texts, "ideal") != 0 {
		t.Errorf("lines: %q", texts)
	}
	if !strings.Contains(thumb, `width="260"`) && !strings.Contains(thumb, "0 0 260 ") {
		t.Errorf("its size is another one: %.200s", thumb)
	}
}

// A law's axis has numbers of threads in equal steps, too.
func TestLawAxis(t *testing.T) {
	res := resulttest.Grid(experiment.OpsS, experiment.Modes(), experiment.Axis{Key: "threads", Values: []any{1, 2, 4, 102400}})
	texts := wellFormed(t, drawn(t, res, Options{}).Thumb())
	for want, n := range map[string]int{"0": 2, "51200": 0, "102400": 1, "153600": 0, "204800": 1} {
		if count(texts, want) != n {
			t.Errorf("%q is there %d times, want %d, among %q", want, count(texts, want), n, texts)
		}
	}
}

// The values of a setting that has two are side by side, and those of others below each other.
func TestPanelOrder(t *testing.T) {
	size, queue := experiment.Axis{Key: "size", Values: []any{10, 1000}}, experiment.Axis{Key: "queue", Values: []any{"a", "b", "c"}}
	res := resulttest.Grid(experiment.OpsS, experiment.Modes(), size, queue, oneAndTwo)
	res.Rows[0].Samples, res.Rows[1].Samples = nil, nil // the order does not depend on what is missing
	var titles []string
	for _, text := range wellFormed(t, drawn(t, res, Options{}).Inline()) {
		if strings.HasPrefix(text, "queue: ") {
			titles = append(titles, strings.NewReplacer("queue: ", "", "size: ", "").Replace(text))
		}
	}
	if got := strings.Join(titles, "; "); got != "a, 10; a, 1000; b, 10; b, 1000; c, 10; c, 1000" {
		t.Errorf("panels are in the order %s", got)
	}
}
