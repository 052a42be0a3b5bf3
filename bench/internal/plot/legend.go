package plot

import (
	"github.com/go-analyze/charts"

	"github.com/ichor-go/ichor/bench/experiment"
)

// A legend explains what there is more than one of.
type legend []legendEntry

// A legendEntry explains a colour, a shape or a kind of line, or is the name of the setting that
// the entries after it are values of.
type legendEntry struct {
	name  string
	mark  func(c *canvas, x, y int) // draws the sample; nil for the name of a setting
	begin bool                      // begins a line
	x, y  int
}

// Widths in a legend.
const (
	sampleWidth = 22
	entryGap    = 14
)

// legend makes the entries. Lines that have labels at their ends need none.
func (p *draft) legend(labels *endLabels) (entries legend) {
	starved, laws := false, false
	for _, f := range p.panels {
		for _, l := range f.lines {
			laws = laws || l.law != nil
			for _, row := range l.rows {
				starved = starved || row != nil && row.Starved()
			}
		}
	}
	begin := true
	head := func(key string) {
		if begin = true; key != "" {
			entries, begin = append(entries, legendEntry{name: key + ":", begin: true}), false
		}
	}
	add := func(name string, mark func(c *canvas, x, y int)) {
		entries, begin = append(entries, legendEntry{name: name, mark: mark, begin: begin}), false
	}
	if labels == nil {
		if len(p.colors) > 1 {
			head(p.colorKey)
			for i, name := range p.colors {
				add(name, p.colorSample(i))
			}
		}
		if len(p.shapes) > 1 {
			head(p.shapeKey)
			for i, name := range p.shapes {
				add(name, func(c *canvas, x, y int) { c.mark(i, x+sampleWidth/2, y-4, paint(paintText, 0, 0), false) })
			}
		}
	}
	begin = true
	stroke := func(color charts.Color, width float64) func(c *canvas, x, y int) {
		return func(c *canvas, x, y int) { c.line(color, width, point(x, y-4), point(x+sampleWidth, y-4)) }
	}
	if starved {
		add("starved: not to be compared", func(c *canvas, x, y int) { c.mark(0, x+sampleWidth/2, y-4, paint(paintText, 0, 0), true) })
	}
	if p.small { // the picture beside it explains the lines
		return entries
	}
	if laws {
		add("dashed: what the scaling law predicts", stroke(paint(paintText, 0, strokeDashed), 2))
	}
	if p.idealShown() {
		add("ideal", stroke(paint(paintAxis, 0, 0), 1))
	}
	return entries
}

// colorSample draws a piece of a line, with the mark of the line if it has one of its own, or of a
// bar.
func (p *draft) colorSample(i int) func(c *canvas, x, y int) {
	return func(c *canvas, x, y int) {
		color := paint(paintSeries, p.series[i], strokeSolid)
		switch {
		case p.Over == "":
			c.rect(x+6, y-9, x+sampleWidth, y+1, color)
		case len(p.shapes) > 1:
			c.line(color, 2.5, point(x, y-4), point(x+sampleWidth, y-4))
		default:
			c.line(color, 1.5, point(x, y-4), point(x+sampleWidth, y-4))
			c.mark(i/maxSeries, x+sampleWidth/2, y-4, color, false)
		}
	}
}

// layOut finds the places of the entries, and returns the number of lines.
func (l legend) layOut(c *canvas, wide, line int) (rows int) {
	x := wide
	for i := range l {
		e := &l[i]
		room := 0
		if e.mark != nil {
			room = sampleWidth + 6
		}
		e.name = c.fit(e.name, wide-2*gap-room)
		need := room + c.width(e.name)
		if e.begin || x+need > wide-gap/2 {
			x, rows = gap, rows+1
		}
		e.x, e.y = x, line*rows
		x += need + entryGap
		if e.mark == nil {
			x -= entryGap / 2
		}
	}
	return rows
}

func (l legend) draw(c *canvas) {
	for _, e := range l {
		x := e.x
		if e.mark != nil {
			e.mark(c, x, e.y)
			x += sampleWidth + 6
		}
		c.text(e.name, x, e.y, left)
	}
}

// idealShown reports whether the figure has the line of the ideal.
func (p *draft) idealShown() bool {
	return p.Over == threads && p.Metric == experiment.OpsS && len(p.at) > 1 && p.at[0] == 1
}
