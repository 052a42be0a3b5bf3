package plot

import (
	"github.com/go-analyze/charts"

	"github.com/ichor-go/ichor/bench/internal/summary"
)

// Sizes of bars. A band has a bar of each colour.
const (
	barHeight  = 12
	barGap     = 3
	bandGap    = 8
	barsBottom = 40
)

// barsHeight is the height of a panel of bars. The name of a band is a line above its bars, so that
// it may be as long as it likes.
func (p *draft) barsHeight(f *panel) int {
	h := titleHeight + barsBottom
	if f.title != "" {
		h += titleHeight
	}
	return h + len(f.names)*(legendLine+len(f.lines)*(barHeight+barGap)+bandGap)
}

// drawBars draws horizontal bars from zero, with their values behind them.
func (p *draft) drawBars(c *canvas, f *panel, at box, s scale) {
	value := 0 // the room for the values
	for _, row := range p.rows {
		value = max(value, c.width(summary.Human(p.stat(row).Median)))
	}
	y := at.top + titleHeight/2
	if f.title != "" {
		c.text(c.fit(f.title, at.right-at.left-gap), at.left+gap, y+8, left)
		y += titleHeight
	}
	plot := box{at.left + gap, y, at.right - gap - value - 10, at.top + p.barsHeight(f) - barsBottom}
	x := func(v float64) int { return plot.left + int(float64(plot.right-plot.left)*min(max(v/s.top, 0), 1)) }
	free := -1
	for i := range s.steps + 1 {
		v := s.top * float64(i) / float64(s.steps)
		color := paint(paintGrid, 0, 0)
		if i == 0 {
			color = paint(paintAxis, 0, 0)
		}
		c.line(color, 1, charts.Point{X: x(v), Y: plot.top}, charts.Point{X: x(v), Y: plot.bottom})
		text := axisNumber(v)
		half := c.width(text) / 2
		if spot := max(x(v), at.left+gap/2+half); spot-half > free {
			c.text(text, spot, plot.bottom+16, middle)
			free = spot + half + 6
		}
	}
	c.text(p.Unit, (plot.left+plot.right)/2, plot.bottom+32, middle)
	for k, name := range f.names {
		c.text(c.fit(name, at.right-at.left-2*gap), plot.left, y+13, left)
		y += legendLine
		for _, l := range f.lines {
			if k < len(l.rows) && l.rows[k] != nil {
				p.drawBar(c, &l, k, plot.left, y, x)
			}
			y += barHeight + barGap
		}
		y += bandGap
	}
}

// drawBar draws a bar with its interval and its value.
func (p *draft) drawBar(c *canvas, l *plotLine, k, from, y int, x func(v float64) int) {
	row := l.rows[k]
	stat := p.stat(row)
	color := paint(paintSeries, l.color, strokeSolid)
	end := max(x(stat.Median), from+1)
	if row.Starved() {
		c.FilledRect(from, y, end, y+barHeight, paint(paintPaper, 0, 0), color, 1)
	} else {
		c.rect(from, y, end, y+barHeight, color)
	}
	middleY := y + barHeight/2
	if stat.Known() && stat.Low != stat.High {
		low, high := x(stat.Low), x(stat.High)
		text := paint(paintText, 0, 0)
		c.line(text, 1, charts.Point{X: low, Y: middleY}, charts.Point{X: high, Y: middleY})
		for _, tip := range []int{low, high} {
			c.line(text, 1, charts.Point{X: tip, Y: middleY - 3}, charts.Point{X: tip, Y: middleY + 3})
		}
		end = max(end, high)
	}
	c.text(summary.Human(stat.Median), end+5, y+barHeight-2, left)
}
