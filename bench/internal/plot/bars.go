package plot

import (
	"fmt"
	"math"

	"github.com/ichor-go/ichor/bench/internal/summary"
)

// Sizes of bars. A band has a bar of each colour that it has a row of.
const (
	barHeight = 12
	barGap    = 3
	bandGap   = 8
)

// barsHeight is the height of a panel of bars. The name of a band is a line above its bars, so that
// it may be as long as it likes.
func (p *draft) barsHeight(f *panel) int {
	h := p.line/2 + p.barsBottom()
	if f.title != "" {
		h += p.line
	}
	bands := p.bandsOf(f)
	for _, k := range bands {
		h += p.line + f.bars(k)*(barHeight+barGap) + bandGap
	}
	if len(bands) < len(f.names) {
		h += p.line
	}
	return h
}

// barsBottom is the room for the axis and its unit.
func (p *draft) barsBottom() int { return 2*p.line + 8 }

// bandsOf are the bands of a panel that are shown: all, or the first ones and the last, which may
// be the sum.
func (p *draft) bandsOf(f *panel) (bands []int) {
	for k := range f.names {
		if len(f.names) <= p.bands || k < p.bands-1 || k == len(f.names)-1 {
			bands = append(bands, k)
		}
	}
	return bands
}

// bars is the number of bars in a band.
func (f *panel) bars(band int) (n int) {
	for _, l := range f.lines {
		if band < len(l.rows) && l.rows[band] != nil {
			n++
		}
	}
	return n
}

// drawBars draws horizontal bars from zero, with their values behind them.
func (p *draft) drawBars(c *canvas, f *panel, at box) {
	value := 0 // the room for the values
	for _, row := range p.rows {
		value = max(value, c.width(summary.Human(p.stat(row).Median)))
	}
	y := at.top + p.line/2
	if f.title != "" {
		c.text(c.fit(f.title, at.right-at.left-gap), at.left+gap, y+8, left)
		y += p.line
	}
	s := p.scale
	plot := box{at.left + gap, y, at.right - gap - value - 10, at.top + p.barsHeight(f) - p.barsBottom()}
	x := func(v float64) int { return plot.left + int(float64(plot.right-plot.left)*min(max(v/s.top, 0), 1)) }
	for i := range s.steps + 1 {
		at := x(s.top * float64(i) / float64(s.steps))
		color := paint(paintGrid, 0, 0)
		if i == 0 {
			color = paint(paintAxis, 0, 0)
		}
		c.line(color, 1, point(at, plot.top), point(at, plot.bottom))
	}
	for _, l := range c.axisLabels(s, axisNumber, func(v float64, half int) int { return max(x(v), at.left+gap/2+half) }) {
		c.text(l.text, l.at, plot.bottom+p.line-2, middle)
	}
	c.text(c.fit(p.Unit, at.right-at.left-gap), (at.left+at.right)/2, plot.bottom+2*p.line, middle)
	bands := p.bandsOf(f)
	for i, k := range bands {
		if i == len(bands)-1 && len(bands) < len(f.names) {
			c.text(fmt.Sprintf("… %d more …", len(f.names)-len(bands)), plot.left+3, y+p.line-6, left)
			y += p.line
		}
		c.text(c.fit(f.names[k], at.right-at.left-2*gap-3), plot.left+3, y+p.line-5, left)
		y += p.line
		for _, l := range f.lines {
			if k < len(l.rows) && l.rows[k] != nil {
				p.drawBar(c, &l, k, plot.left, y, x)
				y += barHeight + barGap
			}
		}
		y += bandGap
	}
}

// An axisLabel is a number below a horizontal axis.
type axisLabel struct {
	text string
	at   int
}

// axisLabels are labels of a scale in equal steps, as many as do not touch. The function place
// returns where the middle of a label is that has so much to either side.
func (c *canvas) axisLabels(s scale, write func(v float64) string, place func(v float64, half int) int) (labels []axisLabel) {
	for stride := 1; ; stride++ {
		labels = nil
		free := math.MinInt
		for i := 0; i <= s.steps; i += stride {
			v := s.top * float64(i) / float64(s.steps)
			text := write(v)
			half := c.width(text) / 2
			at := place(v, half)
			if at-half <= free {
				labels = nil
				break
			}
			free = at + half + 6
			labels = append(labels, axisLabel{text, at})
		}
		if labels != nil {
			return labels
		}
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
		c.line(text, 1, point(low, middleY), point(high, middleY))
		for _, tip := range []float64{stat.Low, stat.High} {
			if tip <= p.scale.top { // or the interval goes on beyond the axis
				c.line(text, 1, point(x(tip), middleY-3), point(x(tip), middleY+3))
			}
		}
		end = max(end, high)
	}
	c.text(summary.Human(stat.Median), end+5, y+barHeight-2, left)
}
