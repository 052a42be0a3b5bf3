package plot

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/resulttest"
)

// with gives each row of a result one value, as many times as make an interval.
func with(res *experiment.Result, value func(row int) float64) *experiment.Result {
	for i, row := range res.Rows {
		for k := range row.Samples {
			row.Samples[k].Value = value(i)
		}
	}
	return res
}

var letters = experiment.Axis{Key: "what", Values: []any{"a", "b", "c", "d"}}

// numbersOf are the numbers of an attribute of the elements of a class.
func numbersOf(svg, element, class, attribute string) (list []float64) {
	for _, m := range regexp.MustCompile(`<`+element+` class="`+class+`"[^>]* `+attribute+`="(-?[\d.]+)"`).FindAllStringSubmatch(svg, -1) {
		v, _ := strconv.ParseFloat(m[1], 64)
		list = append(list, v)
	}
	return list
}

// Values below zero are below the axis, and bars of them grow to the left.
func TestPlotNegative(t *testing.T) {
	bars := drawn(t, with(resulttest.Grid("ns", letters), func(row int) float64 { return []float64{-3, -1, 0, 2}[row] }), Options{}).Inline()
	starts, widths := numbersOf(bars, "rect", "f-0", "x"), numbersOf(bars, "rect", "f-0", "width")
	zero := starts[3]
	if len(starts) != 4 || starts[0] >= starts[1] || starts[1] >= zero || math.Abs(starts[0]+widths[0]-zero) > 0.2 || math.Abs(widths[0]-1.5*widths[3]) > 0.2 || widths[2] != 1 {
		t.Errorf("bars of -3, -1, 0 and 2 begin at %v and are %v wide", starts, widths)
	}
	if texts := wellFormed(t, bars); count(texts, "-3.00") != 1 || count(texts, "-3") != 1 {
		t.Errorf("no numbers below zero: %q", texts)
	}
	lines := drawn(t, with(resulttest.Grid("ns", oneAndTwo), func(row int) float64 { return []float64{-3, 3}[row] }), Options{}).Inline()
	if y := numbersOf(lines, "circle", "f-0 k-0", "cy"); len(y) != 2 || y[0]-y[1] < full.alone/2 {
		t.Errorf("-3 and 3 are at %v", y)
	}
	noOverlap(t, bars)
	noOverlap(t, lines)
}

// Values that no axis can have on it have no mark, and others have.
func TestPlotInfinite(t *testing.T) {
	for _, bad := range []float64{math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64} {
		for _, axes := range [][]experiment.Axis{{letters}, {letters, oneAndTwo}} {
			done := make(chan Picture, 1)
			go func() {
				p, err := Draw(with(resulttest.Grid("ns", axes...), func(row int) float64 {
					if row == 1 {
						return bad
					}
					return 3
				}), Options{})
				if err != nil {
					t.Error(err)
				}
				done <- p
			}()
			select {
			case p := <-done:
				if svg := p.Inline(); strings.Contains(svg, "Inf") || strings.Contains(svg, "NaN") || !strings.Contains(svg, "3") {
					t.Errorf("%g: %s", bad, svg)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%g: nothing is drawn in a minute", bad)
			}
		}
	}
	if _, err := Draw(with(resulttest.Grid("ns", letters), func(int) float64 { return math.Inf(1) }), Options{}); err != ErrNothing {
		t.Errorf("of nothing but infinite values: %v", err)
	}
}

// Names keep the order of the rows, whichever of them are missing, and neighbours have the same bars at the
// same heights, with a dash for a missing one.
func TestPlotMissing(t *testing.T) {
	res := resulttest.Grid(experiment.NsOp, experiment.Modes(), experiment.Immortality(), experiment.Axis{Key: "heap", Values: []any{"new", "old"}})
	for i, row := range res.Rows {
		mode, immortal, heap := row.Config.Get("mode"), row.Config.Get("immortal"), row.Config.Get("heap")
		if mode == "gil" && immortal == "none" || mode == "atomic" && immortal == "inplace" && heap == "new" {
			res.Rows[i].Samples = nil
		}
	}
	svg := drawn(t, res, Options{}).Inline()
	texts := wellFormed(t, svg)
	var names []string
	for _, text := range texts {
		if slices.Contains([]string{"gil", "atomic", "biased", "none", "inplace", "address", "frozen"}, text) {
			names = append(names, text)
		}
	}
	if got := strings.Join(names, " "); got != "gil atomic biased none inplace address frozen" || count(texts, "–") != 1 {
		t.Errorf("names are in the order %s, and %d bars are missing", got, count(texts, "–"))
	}
	var heights [2][]float64
	for _, m := range regexp.MustCompile(`<rect class="f-2" x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="12"`).FindAllStringSubmatch(svg, -1) {
		x, _ := strconv.ParseFloat(m[1], 64)
		y, _ := strconv.ParseFloat(m[2], 64)
		side := 0
		if x > full.wide/2 {
			side = 1
		}
		heights[side] = append(heights[side], y)
	}
	if !slices.Equal(heights[0], heights[1]) || len(heights[0]) != 4 {
		t.Errorf("biased bars of neighbours are at %v and %v", heights[0], heights[1])
	}
	noOverlap(t, svg)
}

// A line is not drawn over a missing row.
func TestPlotGap(t *testing.T) {
	lines := func(res *experiment.Result) int {
		return strings.Count(drawn(t, res, Options{}).Inline(), `<path class="k-0" stroke-width="1.5"`)
	}
	res := resulttest.Grid(experiment.NsOp, experiment.Axis{Key: "size", Values: []any{1, 2, 3, 4, 5}})
	before := lines(res)
	// If no other line had the third value, it would be gone from the axis, too.
	other := resulttest.Grid(experiment.NsOp, experiment.Axis{Key: "queue", Values: []any{"a", "b"}}, experiment.Axis{Key: "size", Values: []any{1, 2, 3, 4, 5}})
	other.Rows[2].Samples = nil
	if after := lines(other); before != 1 || after != 2 {
		t.Errorf("%d pieces of a line, and %d of one with a gap", before, after)
	}
}

// The way from a line that ends early to its label is dotted, so that it is not taken for a part of the line.
func TestPlotEndsEarly(t *testing.T) {
	res := resulttest.Grid(experiment.NsOp, experiment.Axis{Key: "queue", Values: []any{"a", "b"}}, experiment.Axis{Key: "size", Values: []any{1, 2, 3}})
	if svg := drawn(t, res, Options{}).Inline(); strings.Contains(svg, `dasharray`) {
		t.Error("the ways to labels are dotted")
	}
	res.Rows[2].Samples = nil
	if svg := drawn(t, res, Options{}).Inline(); strings.Count(svg, `stroke-dasharray="1 3"`) != 1 {
		t.Error("the way to the label of a line that ends early is not dotted")
	}
}

// An interval that is cut off at the low end has an arrow there. Without a median that is not zero, intervals
// make the axis.
func TestPlotLowEnds(t *testing.T) {
	for _, axes := range [][]experiment.Axis{{letters}, {oneAndTwo}} {
		arrows := regexp.MustCompile(`<path class="k-[^"]*" stroke-width="1" fill="none" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"/>`)
		res := with(resulttest.Grid("ns", axes...), func(int) float64 { return 1 })
		res.Rows[0].Samples[0].Value = -5
		svg := drawn(t, res, Options{}).Inline()
		found := arrows.FindAllStringSubmatch(svg, -1)
		if len(found) != 1 {
			t.Fatalf("%d arrows, want one: %s", len(found), svg)
		}
		var at [6]float64 // of a wing, of the tip, and of the other wing
		for i := range at {
			at[i], _ = strconv.ParseFloat(found[0][i+1], 64)
		}
		left := axes[0].Key == letters.Key // or down
		if left && (at[0]-at[2] != 4 || at[4]-at[2] != 4) || !left && (at[3]-at[1] != 4 || at[3]-at[5] != 4) {
			t.Errorf("the arrow is at %v", at)
		}
		with(res, func(int) float64 { return 0 })
		res.Rows[0].Samples[0].Value, res.Rows[0].Samples[1].Value = -2, 3
		svg = drawn(t, res, Options{}).Inline()
		if texts := wellFormed(t, svg); count(texts, "-2") != 1 || count(texts, "3") != 1 || arrows.MatchString(svg) {
			t.Errorf("the axis of 0 [-2, 3] has %q", texts)
		}
	}
	// An interval as long as the greatest median is no wild one.
	res := with(resulttest.Grid("ns", letters), func(row int) float64 { return []float64{1, 10, 10, 10}[row] })
	res.Rows[0].Samples[0].Value = -9
	if texts := wellFormed(t, drawn(t, res, Options{}).Inline()); count(texts, "-10") != 1 {
		t.Errorf("the axis of 1 [-9, 1] beside 10 has %q", texts)
	}
}

// An interval that is cut off has an arrow, and others have none.
func TestPlotCut(t *testing.T) {
	arrow := regexp.MustCompile(`<path class="k-[^"]*" stroke-width="1" fill="none" d="M[\d.]+ [\d.]+L[\d.]+ [\d.]+L[\d.]+ [\d.]+"/>`)
	for _, axes := range [][]experiment.Axis{{letters}, {experiment.Axis{Key: "size", Values: []any{1, 2, 3, 4}}}} {
		res := with(resulttest.Grid(experiment.NsOp, axes...), func(int) float64 { return 10 })
		if n := len(arrow.FindAllString(drawn(t, res, Options{}).Inline(), -1)); n != 0 {
			t.Errorf("%d arrows", n)
		}
		for i, v := range []float64{1, 1, 1, 10, 900, 900, 900} {
			res.Rows[1].Samples[i].Value = v
		}
		svg := drawn(t, res, Options{}).Inline()
		if n := len(arrow.FindAllString(svg, -1)); n != 1 {
			t.Errorf("%d arrows, want one", n)
		}
		if texts := wellFormed(t, svg); count(texts, "800") != 0 {
			t.Errorf("a wild interval makes the axis: %q", texts)
		}
	}
}

// Each bar has a name, also the only one, and one whose value is blank. What XML cannot have is replaced.
func TestPlotNames(t *testing.T) {
	texts := wellFormed(t, drawn(t, resulttest.Grid(experiment.NsOp, experiment.Axis{Key: "queue", Values: []any{"channel"}}), Options{}).Inline())
	if count(texts, "channel") != 1 {
		t.Errorf("the only bar has no name: %q", texts)
	}
	names := []any{"", " ", "<b>&amp;", "a\x00b", "\xff"}
	texts = wellFormed(t, string(drawn(t, resulttest.Grid(experiment.NsOp, experiment.Axis{Key: "<what>", Values: names}), Options{}).File()))
	for _, want := range []string{`""`, `" "`, "<b>&amp;", "a�b", "�"} {
		if count(texts, want) != 1 {
			t.Errorf("%q is not among %q", want, texts)
		}
	}
	svg := drawn(t, resulttest.Grid(experiment.OpsS, experiment.Axis{Key: "名前", Values: []any{strings.Repeat("日本語", 12) + "1", strings.Repeat("日本語", 12) + "2"}}, oneAndTwo), Options{}).Inline()
	noOverlap(t, svg)
}

// A file has a size of its own, and shrinks where there is less room.
func TestPlotFile(t *testing.T) {
	file := string(drawn(t, resulttest.Grid(experiment.NsOp, letters), Options{}).File())
	if !regexp.MustCompile(`^<svg xmlns="http://www.w3.org/2000/svg" width="480" height="\d+(\.\d)?" viewBox="0 0 480 \d+(\.\d)?"[^>]*><style>svg{max-width:100%;height:auto}`).MatchString(file) {
		t.Errorf("%.300s", file)
	}
}

// simulations are how people see who see no red, no green or no blue: matrices for linear parts of colours, by
// Machado, Oliveira and Fernandes (2009).
var simulations = map[string][3][3]float64{
	"all":      {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"no red":   {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"no green": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"no blue":  {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

// linear are the linear parts of a colour.
func linear(t *testing.T, color string) (parts [3]float64) {
	var n int
	if _, err := fmt.Sscanf(color, "#%06x", &n); err != nil {
		t.Fatal(err)
	}
	for i := range parts {
		v := float64(n>>(16-8*i)&255) / 255
		if parts[i] = v / 12.92; v > 0.04045 {
			parts[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return parts
}

func luminance(c [3]float64) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }

// lab is a colour in CIE L*a*b*, in which distances are differences to the eye.
func lab(c [3]float64) (v [3]float64) {
	f := func(t float64) float64 {
		if t = max(t, 0); t > 0.008856 {
			return math.Cbrt(t)
		}
		return 7.787*t + 16.0/116
	}
	x, y, z := f((0.4124*c[0]+0.3576*c[1]+0.1805*c[2])/0.95047), f(luminance(c)), f((0.0193*c[0]+0.1192*c[1]+0.9505*c[2])/1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// Everybody can tell the colours from each other and from the paper.
func TestColors(t *testing.T) {
	for scheme, name := range []string{"light", "dark"} {
		paper := luminance(linear(t, partColors[inkPaper][scheme]))
		contrast := func(color string) float64 {
			c := luminance(linear(t, color))
			return (max(c, paper) + 0.05) / (min(c, paper) + 0.05)
		}
		if c := contrast(partColors[inkText][scheme]); c < 4.5 {
			t.Errorf("%s: text has a contrast of %.1f", name, c)
		}
		if c := contrast(partColors[inkAxis][scheme]); c < 3 {
			t.Errorf("%s: the axis has a contrast of %.1f", name, c)
		}
		for i, a := range seriesColors {
			if c := contrast(a[scheme]); c < 3 {
				t.Errorf("%s: %s has a contrast of %.1f", name, a[scheme], c)
			}
			for k, b := range seriesColors[:i] {
				least := 12.0
				if i < 5 {
					least = 20
				}
				for reader, m := range simulations {
					see := func(color string) [3]float64 {
						var seen [3]float64
						for r, row := range m {
							for col, part := range linear(t, color) {
								seen[r] += row[col] * part
							}
							seen[r] = min(max(seen[r], 0), 1)
						}
						return lab(seen)
					}
					x, y := see(a[scheme]), see(b[scheme])
					if d := math.Sqrt((x[0]-y[0])*(x[0]-y[0]) + (x[1]-y[1])*(x[1]-y[1]) + (x[2]-y[2])*(x[2]-y[2])); d < least {
						t.Errorf("%s: reader sees %s sees colours %d and %d, %s and %s, with a distance of %.1f", name, reader, k, i, b[scheme], a[scheme], d)
					}
				}
			}
		}
	}
}

// An interval has the colour of paper where a bar is behind it, but not on a hollow bar.
func TestPlotIntervalOnBar(t *testing.T) {
	res := resulttest.Grid(experiment.NsOp, experiment.Axis{Key: "queue", Values: []any{"channel"}})
	on := func() (paper, text int) {
		svg := drawn(t, res, Options{}).Inline()
		return strings.Count(svg, `<path class="k-paper"`), strings.Count(svg, `<path class="k-text"`)
	}
	if paper, text := on(); paper != 2 || text != 2 { // half of the line and an end each
		t.Errorf("%d parts in the colour of paper and %d in that of text", paper, text)
	}
	for i := range res.Rows[0].Samples {
		res.Rows[0].Samples[i].Threads = []experiment.CPUTime{{CPU: 1, Delay: 1}}
	}
	if paper, _ := on(); paper != 0 {
		t.Errorf("%d parts of an interval on paper are in its colour", paper)
	}
	if svg := drawn(t, res, Options{}).Inline(); strings.Count(svg, `<rect class="f-paper k-0"`) != 1 || strings.Contains(svg, `<rect class="f-0"`) {
		t.Error("the bar of a starved row is not hollow")
	}
}

// The ideal begins at the best single thread that got its time.
func TestPlotIdeal(t *testing.T) {
	res := resulttest.Grid(experiment.OpsS, experiment.Modes(), oneAndTwo)
	begins := func(class string) bool { // where the first mark of the class is
		svg := drawn(t, res, Options{}).Inline()
		ideal := regexp.MustCompile(`<path class="k-axis" stroke-width="1" fill="none" d="M[\d.]+ ([\d.]+)L`).FindAllStringSubmatch(svg, -1)
		mark := regexp.MustCompile(`<circle class="` + class + `" cx="[\d.]+" cy="([\d.]+)"`).FindStringSubmatch(svg)
		return slices.ContainsFunc(ideal, func(m []string) bool { return m[1] == mark[1] })
	}
	if !begins("f-2 k-2") {
		t.Error("the ideal does not begin at the fastest mode")
	}
	for i := range res.Rows[4].Samples { // biased, one thread
		res.Rows[4].Samples[i].Threads = []experiment.CPUTime{{CPU: 1, Delay: 1}}
	}
	if begins("f-paper k-2") || !begins("f-1 k-1") {
		t.Error("the ideal begins at a starved row, or not at the fastest of the others")
	}
	for i, row := range res.Rows {
		for k := range row.Samples {
			if row.Samples[k].Threads = nil; i%2 == 0 {
				row.Samples[k].Threads = []experiment.CPUTime{{CPU: 1, Delay: 1}}
			}
		}
	}
	if svg := drawn(t, res, Options{}).Inline(); count(wellFormed(t, svg), "ideal") != 0 {
		t.Error("there is an ideal although all rows of one thread were starved")
	}
}

// An axis says that it is logarithmic. Equal values of several lines lie beside each other.
func TestPlotLogarithmic(t *testing.T) {
	res := with(resulttest.Grid(experiment.NsOp, experiment.Axis{Key: "queue", Values: []any{"a", "b"}}, experiment.Axis{Key: "size", Values: []any{1, 10, 100}}), func(int) float64 { return 5 })
	svg := drawn(t, res, Options{}).Inline()
	if texts := wellFormed(t, svg); count(texts, "size (logarithmic)") != 1 {
		t.Errorf("not in %q", texts)
	}
	a, b := numbersOf(svg, "circle", "f-0 k-0", "cx"), numbersOf(svg, "circle", "f-1 k-1", "cx")
	if len(a) != 4 || len(b) != 4 || b[0]-a[0] < 2 || math.Abs((a[1]-a[0])-(a[2]-a[1])) > 0.2 { // the last is the label's
		t.Errorf("marks are at %v and %v", a, b)
	}
}
