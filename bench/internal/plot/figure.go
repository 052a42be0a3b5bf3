package plot

import (
	"fmt"
	"math"
	"strings"
)

// sizes are in pixels.
type sizes struct {
	wide   float64 // of the figure: one fits on a phone, scaled down by a quarter
	alone  float64 // the height of the panels of lines, if there is one row of them
	many   float64 // that of each row of several
	letter float64 // of texts
	line   float64 // the distance of lines of text
	bands  int     // the greatest number of bands of bars
	panels int     // the greatest number of panels
	small  bool    // it is a thumbnail
}

// full are the sizes of a figure, and thumb those of the small one in a summary.
var (
	full  = sizes{wide: 480, alone: 220, many: 150, letter: 13.3, line: 17, bands: 1000, panels: 1000}
	thumb = sizes{wide: 260, alone: 130, many: 110, letter: 11, line: 14, bands: 4, panels: 1, small: true}
)

// gap is the distance of things from the edges of the figure, and from each other.
const gap = 10

// draw draws the figure and its thumbnail.
func (p *draft) draw() (Picture, error) {
	var drawn [2]string
	for i, s := range []sizes{full, thumb} {
		p.sizes = s
		c, err := newCanvas(s.letter)
		if err != nil {
			return Picture{}, err
		}
		high := p.layOut(c)
		drawn[i] = newElement(c, s.wide, high, p.title(), p.description())
	}
	return Picture{drawn[0], drawn[1]}, nil
}

// layOut draws the legend, and below it the panels, two in a row. It returns the height.
func (p *draft) layOut(c *canvas) (high float64) {
	shown := p.panels[:min(len(p.panels), p.sizes.panels)]
	labels := p.endLabels(c)
	legend := p.legend(labels)
	y := 6 + p.line*float64(legend.layOut(c, p.wide, p.line))
	legend.draw(c)
	if p.Over == "" {
		return p.drawBars(c, shown, y)
	}
	return p.drawLines(c, shown, y, labels)
}

// A grid has the places of panels, in rows of two. All panels have the same width.
type grid struct {
	panels, columns    int
	start, wide, apart float64
}

// newGrid divides what is between two edges.
func newGrid(panels int, start, end, apart float64) grid {
	columns := min(panels, 2)
	return grid{panels, columns, start, (end - start - apart*float64(columns-1)) / float64(columns), apart}
}

// rows calls draw for each panel with its edges, and with whether it is the first in its row and the last in
// its column. Its panels begin at y, and draw returns where the next row can begin, as rows does.
func (g grid) rows(y float64, draw func(panel int, start, end, y float64, first, last bool) float64) float64 {
	below := y
	for i := range g.panels {
		column := i % g.columns
		if column == 0 {
			y = below
		}
		start := g.start + float64(column)*(g.wide+g.apart)
		below = max(below, draw(i, start, start+g.wide, y, column == 0, i+g.columns >= g.panels))
	}
	return below
}

// titles draws the title of a panel, and returns where it ends. All titles have the room of the longest.
func (p *draft) titles(c *canvas, shown []panel, panel int, start, end, y float64) float64 {
	most := 0
	for _, f := range shown {
		if f.title != "" {
			most = max(most, len(c.wrap(f.title, end-start)))
		}
	}
	if most > 0 {
		for i, line := range c.wrap(shown[panel].title, end-start) {
			c.text(line, start, y+p.line*float64(i+1)-4, left)
		}
	}
	return y + p.line*float64(most)
}

// reach is the range of values that the axis has to have on it: the medians, the ends of intervals, and the
// predictions of laws.
func (p *draft) reach() (low, high float64) {
	add := func(v float64) { low, high = min(low, v), max(high, v) }
	most := 0.0 // how far a median is from zero
	for _, row := range p.rows {
		most = max(most, math.Abs(p.stat(row).Median))
	}
	for _, row := range p.rows {
		stat := p.stat(row)
		add(stat.Median)
		for _, end := range []float64{stat.Low, stat.High} {
			if d := math.Abs(end - stat.Median); d < 2*math.Abs(stat.Median) || d <= most || most == 0 && finite(end) { // a wilder interval is cut off at the axis
				add(end)
			}
		}
	}
	for _, f := range p.panels {
		for _, l := range f.lines {
			if l.law != nil {
				for n := 1; n <= l.law.Ahead(); n++ {
					add(l.law.At(float64(n)) * p.Scale)
				}
			}
		}
	}
	return low, high
}

// title says what the figure shows.
func (p *draft) title() string {
	var keys []string
	for _, key := range []string{p.Over, p.colorKey, p.shapeKey} {
		if key != "" {
			keys = append(keys, key)
		}
	}
	title := p.res.Scenario.Name + ": " + p.Unit
	if len(keys) > 0 {
		title += " by " + strings.Join(keys, ", ")
	}
	return title
}

// describedRows is the greatest number of rows whose medians are in the description. A guess of how many
// one listens to.
const describedRows = 60

// description has the medians, for readers who do not see them.
func (p *draft) description() string {
	keys := p.differing()
	if len(keys) == 0 {
		keys = p.allKeys()
	}
	var each []string
	for _, row := range p.rows[:min(len(p.rows), describedRows)] {
		name := p.words(row, keys, p.valueName)
		if p.Name != nil {
			name = p.Name(row.Config)
			if p.Over != "" {
				name = fmt.Sprintf("%s, %s", p.Name(row.Config.Without(p.Over)), p.valueName(p.Over, row.Config.Get(p.Over)))
			}
		}
		text := name + ": " + valueNumber(p.stat(row).Median)
		if doubt := row.Doubt(); doubt != "" {
			text += " (" + doubt + ")"
		}
		each = append(each, text)
	}
	if n := len(p.rows) - len(each); n > 0 {
		each = append(each, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(each, "; ") + "."
}
