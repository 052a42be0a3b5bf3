package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"github.com/go-analyze/charts"
)

// Sizes in pixels.
const (
	plotWidth  = 480 // so that texts can be read on a phone, too
	barHeight  = 15  // with the distance to the next bar
	rowGap     = 8
	lineHeight = 17
	margin     = 10
)

var (
	colorPaper  = charts.ParseColor("#ffffff")
	colorText   = charts.ParseColor("#22272e")
	colorGrid   = charts.ParseColor("#e3e6ea")
	colorAxis   = charts.ParseColor("#848d97")
	colorsOfBar = []charts.Color{
		charts.ParseColor("#1b44e6"), charts.ParseColor("#d3490c"), charts.ParseColor("#09a373"), charts.ParseColor("#64238e"),
	}
)

// colors are all colours on light paper, and those that take their place on dark paper.
var colors = []struct {
	light charts.Color
	dark  string
}{
	{colorPaper, "#16191d"}, {colorText, "#d5dae0"}, {colorGrid, "#343b44"}, {colorAxis, "#768390"},
	{colorsOfBar[0], "#1a6ae6"}, {colorsOfBar[1], "#f2532b"}, {colorsOfBar[2], "#9be2b7"}, {colorsOfBar[3], "#cb8ae2"},
}

// means returns the geometric means of the columns.
func means(rows []row) []float64 {
	logs := make([]float64, len(rows[0].values))
	for _, r := range rows {
		for i, v := range r.values {
			logs[i] += math.Log(v)
		}
	}
	for i := range logs {
		logs[i] = math.Exp(logs[i] / float64(len(rows)))
	}
	return logs
}

// An axis maps figures to a part of the width. It has a line at each of marks; bars begin at base.
type axis struct {
	low, high, base float64
	marks           []float64
	log             bool
}

// newAxis returns an axis for figures from low to high.
func newAxis(low, high float64, ratio bool) axis {
	a := axis{log: ratio, base: 0}
	if ratio {
		a.base = 1
		a.low, a.high = 1, 2
		for a.low > low && a.low > 1.0/1024 {
			a.low /= 2
		}
		for a.high < high && a.high < 1024 {
			a.high *= 2
		}
		for m := a.low; m <= a.high; m *= 2 {
			a.marks = append(a.marks, m)
		}
		return a
	}
	// Round steps, as few as make more than three.
	unit := math.Pow(10, math.Floor(math.Log10(max(high, 1e-6)))-1)
	for {
		for _, digit := range []float64{1, 2, 2.5, 5} {
			step := digit * unit
			if n := math.Ceil(high/step - 1e-9); n <= 6 {
				for i := range int(max(n, 1)) + 1 {
					a.marks = append(a.marks, float64(i)*step)
				}
				a.high = a.marks[len(a.marks)-1]
				return a
			}
		}
		unit *= 10
	}
}

// at returns where v is, from 0 to 1.
func (a axis) at(v float64) float64 {
	if a.log {
		return math.Log(min(max(v, a.low), a.high)/a.low) / math.Log(a.high/a.low)
	}
	return min(max(v, 0), a.high) / a.high
}

// plot draws a table as groups of horizontal bars.
func (t *table) plot() ([]byte, error) {
	low, high := 1.0, 0.0
	for _, r := range t.rows {
		for _, v := range r.values {
			low, high = min(low, v), max(high, v)
		}
	}
	a := newAxis(low, high, t.ratio)
	group := len(t.columns)*barHeight + rowGap
	top := margin + 2*lineHeight
	bottom := top + len(t.rows)*group
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: plotWidth, Height: bottom + 2*lineHeight + margin})
	font := charts.FontStyle{FontSize: 10, FontColor: colorText, Font: charts.GetDefaultFont()}
	width := func(s string) int { return p.MeasureText(s, 0, font).Width() * 6 / 5 } // other fonts are wider
	p.FilledRect(0, 0, plotWidth, p.Height(), colorPaper, colorPaper, 0)
	p.Text(t.title, margin, margin+lineHeight/2, 0, font)
	x := margin
	for i, c := range t.columns {
		if len(t.columns) == 1 {
			break // the title and the axis say what it is
		}
		p.FilledRect(x, margin+lineHeight, x+14, margin+lineHeight+barHeight-2, colorsOfBar[i%len(colorsOfBar)], colorPaper, 0)
		p.Text(c, x+20, margin+lineHeight+barHeight-3, 0, font)
		x += 30 + width(c)
	}
	left, right := 0, 0
	for _, r := range t.rows {
		left = max(left, width(r.name))
		for _, v := range r.values {
			right = max(right, width(t.text(v)))
		}
	}
	left += margin + 8
	right = plotWidth - margin - right - 6
	place := func(v float64) int { return left + int(a.at(v)*float64(right-left)+0.5) }
	free := 0
	for _, m := range a.marks {
		color := colorGrid
		if m == a.base {
			color = colorAxis
		}
		p.LineStroke([]charts.Point{{X: place(m), Y: top}, {X: place(m), Y: bottom}}, color, 1)
		s := charts.FormatValueHumanizeShort(m, 3, false)
		if at := place(m) - width(s)/2; at > free { // or it touches the one before
			p.Text(s, at, bottom+lineHeight-4, 0, font)
			free = at + width(s) + 4
		}
	}
	p.Text(t.unit, (left+right-width(t.unit))/2, bottom+2*lineHeight-2, 0, font)
	y := top
	for _, r := range t.rows {
		p.Text(r.name, left-8-width(r.name)*5/6, y+(len(t.columns)*barHeight)/2+4, 0, font)
		for i, v := range r.values {
			from, to := place(a.base), place(v)
			p.FilledRect(min(from, to), y+1, max(from, to, min(from, to)+1), y+barHeight-2, colorsOfBar[i%len(colorsOfBar)], colorPaper, 0)
			p.Text(t.text(v), max(from, to)+4, y+barHeight-3, 0, font)
			y += barHeight
		}
		y += rowGap
	}
	svg, err := p.Bytes()
	if err != nil {
		return nil, err
	}
	return bytes.Replace(svg, []byte(">"), []byte("><style>"+darkStyle()+"</style>"), 1), nil
}

// darkStyle is the style sheet that changes the colours of a plot for readers who prefer dark ones. The
// colours are attributes of each part, as the plotting library writes them.
func darkStyle() string {
	var b strings.Builder
	b.WriteString("@media (prefers-color-scheme:dark){")
	for _, c := range colors {
		for _, what := range []string{"fill", "stroke"} {
			fmt.Fprintf(&b, `[style*="%s:%s"]{%s:%s !important}`, what, c.light, what, c.dark)
		}
	}
	b.WriteString("}")
	return b.String()
}
