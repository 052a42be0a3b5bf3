package plot

import (
	"github.com/go-analyze/charts"

	"github.com/ichor-go/ichor/bench/experiment"
)

// Sizes in pixels. A figure fits on a phone.
const (
	plotWidth   = 480
	oneHeight   = 250 // of a panel that is alone
	panelHeight = 170
	legendLine  = 18
	textSize    = 12
	titleHeight = 18
	gap         = 10
)

// A legendEntry explains a colour, a shape or a kind of line.
type legendEntry struct {
	name string
	mark func(c *canvas, x, y int) // draws the sample
}

// draw lays the figure out: the legend, and below it the panels, two in a row.
func (p *draft) draw() (Picture, error) {
	measuring := newCanvas(plotWidth, 100)
	legend := p.legend()
	rows := 0      // of the legend
	x := plotWidth // so that the first begins a line
	type spot struct{ x, y int }
	spots := make([]spot, len(legend))
	for i := range legend {
		e := &legend[i]
		e.name = measuring.fit(e.name, plotWidth-60)
		wide := 42 + measuring.width(e.name)
		if x+wide > plotWidth-8 {
			x, rows = 12, rows+1
		}
		spots[i] = spot{x, 16 + legendLine*(rows-1)}
		x += wide + 4
	}
	columns := min(len(p.panels), 2)
	heights := p.heights(columns)
	total := 6 + legendLine*rows
	for _, h := range heights {
		total += h
	}
	c := newCanvas(plotWidth, total)
	c.rect(0, 0, plotWidth, total, paint(paintPaper, 0, 0))
	for i, e := range legend {
		e.mark(c, spots[i].x, spots[i].y)
		c.text(e.name, spots[i].x+30, spots[i].y, left)
	}
	s := p.scale()
	y := 6 + legendLine*rows
	for i := range p.panels {
		row, column := i/columns, i%columns
		if i > 0 && column == 0 {
			y += heights[row-1]
		}
		wide := plotWidth / columns
		at := box{wide * column, y, wide * (column + 1), y + heights[row]}
		if p.Over == "" {
			p.drawBars(c, &p.panels[i], at, s)
		} else {
			p.drawLines(c, &p.panels[i], at, s)
		}
	}
	drawn, err := c.Bytes()
	if err != nil {
		return Picture{}, err
	}
	return newPicture(drawn, p.res.Scenario.Name+": "+p.Unit), nil
}

// heights are those of the rows of panels.
func (p *draft) heights(columns int) (heights []int) {
	for i := 0; i < len(p.panels); i += columns {
		h := panelHeight
		if len(p.panels) == 1 {
			h = oneHeight
		}
		if p.Over == "" {
			h = 0
			for k := i; k < min(i+columns, len(p.panels)); k++ {
				h = max(h, p.barsHeight(&p.panels[k]))
			}
		}
		heights = append(heights, h)
	}
	return heights
}

// legend explains what there is more than one of.
func (p *draft) legend() (entries []legendEntry) {
	starved, laws := false, false
	for _, f := range p.panels {
		for _, l := range f.lines {
			laws = laws || l.law != nil
			for _, row := range l.rows {
				starved = starved || row != nil && row.Starved()
			}
		}
	}
	for i, name := range p.colors {
		if len(p.colors) > 1 || name != "" {
			index, shape := i%maxSeries, 0
			if p.Name != nil {
				shape = i / maxSeries % len(shapes)
			}
			entries = append(entries, legendEntry{name, func(c *canvas, x, y int) {
				c.line(paint(paintSeries, index, strokeSolid), 2.5, charts.Point{X: x, Y: y - 4}, charts.Point{X: x + 22, Y: y - 4})
				if p.Over != "" {
					c.mark(shape, x+11, y-4, paint(paintSeries, index, strokeSolid), false)
				}
			}})
		}
	}
	for i, name := range p.shapes {
		if len(p.shapes) > 1 {
			entries = append(entries, legendEntry{name, func(c *canvas, x, y int) { c.mark(i, x+11, y-4, paint(paintText, 0, 0), false) }})
		}
	}
	if starved {
		entries = append(entries, legendEntry{"starved: not to be compared", func(c *canvas, x, y int) { c.mark(0, x+11, y-4, paint(paintText, 0, 0), true) }})
	}
	if laws {
		entries = append(entries, legendEntry{"dashed: what the scaling law predicts", func(c *canvas, x, y int) {
			c.line(paint(paintText, 0, strokeDashed), 2, charts.Point{X: x, Y: y - 4}, charts.Point{X: x + 22, Y: y - 4})
		}})
	}
	if p.Over == threads && p.Metric == experiment.OpsS && len(p.at) > 1 && p.at[0] == 1 {
		entries = append(entries, legendEntry{"ideal", func(c *canvas, x, y int) {
			c.line(paint(paintAxis, 0, 0), 1, charts.Point{X: x, Y: y - 4}, charts.Point{X: x + 22, Y: y - 4})
		}})
	}
	return entries
}

// scale is the axis of values: the same in all panels, from zero to above the greatest end of an
// interval.
func (p *draft) scale() (s scale) {
	most := 0.0
	for _, row := range p.rows {
		stat := p.stat(row)
		most = max(most, stat.Median)
		if stat.Known() && stat.High < 3*stat.Median { // a wilder interval is cut off at the axis
			most = max(most, stat.High)
		}
	}
	for _, f := range p.panels {
		for _, l := range f.lines {
			if l.law != nil {
				for n := 1; n <= l.law.Ahead(); n++ {
					most = max(most, l.law.At(float64(n))*p.Scale)
				}
			}
		}
	}
	s.top, s.steps = niceTop(most)
	return s
}

// A scale is an axis from 0 to top.
type scale struct {
	top   float64
	steps int
}

// A box is a part of the figure: from a corner to the opposite one.
type box struct{ left, top, right, bottom int }
