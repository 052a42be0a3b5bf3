package plot

import (
	"github.com/go-analyze/charts"
)

// sizes are in pixels, except that of text, which is in points of four thirds of a pixel.
type sizes struct {
	wide   int     // of the figure: one fits on a phone, scaled down by a quarter
	alone  int     // the height of the panels of lines, if there is one row of them
	many   int     // that of each row of several
	text   float64 // of texts
	line   int     // the distance of lines of text
	bands  int     // the greatest number of bands of bars
	panels int     // the greatest number of panels
	small  bool    // it is a thumbnail
}

// full are the sizes of a figure, and thumb those of the small one in a summary.
var (
	full  = sizes{wide: 480, alone: 250, many: 180, text: 10, line: 17, bands: 1000, panels: 1000}
	thumb = sizes{wide: 260, alone: 160, many: 140, text: 8.25, line: 14, bands: 4, panels: 1, small: true}
)

const gap = 10

// draw draws the figure and its thumbnail.
func (p *draft) draw() (Picture, error) {
	label := p.res.Scenario.Name + ": " + p.Unit
	var drawn [2]string
	for i, s := range []sizes{full, thumb} {
		p.sizes = s
		svg, err := p.layOut()
		if err != nil {
			return Picture{}, err
		}
		drawn[i] = newPicture(svg, label)
	}
	return Picture{drawn[0], drawn[1]}, nil
}

// layOut draws the legend, and below it the panels, two in a row.
func (p *draft) layOut() ([]byte, error) {
	shown := p.panels[:min(len(p.panels), p.sizes.panels)]
	columns := min(len(shown), 2)
	labels := p.endLabels(newCanvas(p.wide, 100, p.text))
	legend := p.legend(labels)
	rows := legend.layOut(newCanvas(p.wide, 100, p.text), p.wide, p.line)
	heights := p.heights(shown, columns)
	total := 6 + p.line*rows
	for _, h := range heights {
		total += h
	}
	c := newCanvas(p.wide, total, p.text)
	c.rect(0, 0, p.wide, total, paint(paintPaper, 0, 0))
	legend.draw(c)
	y := 6 + p.line*rows
	for i := range shown {
		row, column := i/columns, i%columns
		if i > 0 && column == 0 {
			y += heights[row-1]
		}
		wide := p.wide / columns
		at := box{wide * column, y, wide * (column + 1), y + heights[row]}
		if p.Over == "" {
			p.drawBars(c, &shown[i], at)
		} else {
			p.drawLines(c, &shown[i], at, labels)
		}
	}
	return c.Bytes()
}

// heights are those of the rows of panels.
func (p *draft) heights(panels []panel, columns int) (heights []int) {
	for i := 0; i < len(panels); i += columns {
		h := p.many
		if len(panels) <= columns {
			h = p.alone
		}
		if p.Over == "" {
			h = 0
			for k := i; k < min(i+columns, len(panels)); k++ {
				h = max(h, p.barsHeight(&panels[k]))
			}
		}
		heights = append(heights, h)
	}
	return heights
}

// most is the greatest value that the axis of values has to reach: the greatest end of an interval,
// of a law's prediction, or a median.
func (p *draft) most() (most float64) {
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
	return most
}

// A scale is an axis from 0 to top.
type scale struct {
	top   float64
	steps int
}

// A box is a part of the figure: from a corner to the opposite one.
type box struct{ left, top, right, bottom int }

// point is short for a point of the plotting library.
func point(x, y int) charts.Point { return charts.Point{X: x, Y: y} }
