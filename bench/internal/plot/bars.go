package plot

import (
	"fmt"
	"slices"

	"github.com/ichor-go/ichor/bench/experiment"
)

// Sizes of bars. A band has a bar of each colour that it has a row of.
const (
	barHeight = 12
	barGap    = 3
	bandGap   = 8
)

// A band is a group of bars with a name.
type band struct {
	name string
	bars []bar
}

// A bar is drawn for a row. Without a row it is the place of one that is missing.
type bar struct {
	ink ink
	row *experiment.Row
}

// bandsOf are the bands of a panel that are shown: all, or the first ones and the last, which may be the sum.
// If panels are aligned, a band has the places of bars that it has in any of them. It returns the number of
// those left out, too.
func (p *draft) bandsOf(f *panel, aligned bool) (bands []band, out int) {
	for k, name := range p.bands {
		b := band{name: name}
		for color, ink := range p.inks {
			i := slices.IndexFunc(f.lines, func(l plotLine) bool { return l.color == color })
			if i >= 0 && f.lines[i].rows[k] != nil {
				b.bars = append(b.bars, bar{ink, f.lines[i].rows[k]})
			} else if aligned && p.anyPanelHas(color, k) {
				b.bars = append(b.bars, bar{ink, nil})
			}
		}
		if len(b.bars) > 0 {
			bands = append(bands, b)
		}
	}
	if n := len(bands); n > p.sizes.bands {
		out = n - p.sizes.bands
		bands = append(bands[:p.sizes.bands-1:p.sizes.bands-1], bands[n-1])
	}
	return bands, out
}

func (p *draft) anyPanelHas(color, band int) bool {
	for _, f := range p.panels {
		for _, l := range f.lines {
			if l.color == color && l.rows[band] != nil {
				return true
			}
		}
	}
	return false
}

// aligned reports whether all panels show all bands, so that neighbours have the same bar at the same height:
// if three quarters of the places have bars.
func (p *draft) aligned() bool {
	places := 0
	for color := range p.colors {
		for band := range p.bands {
			if p.anyPanelHas(color, band) {
				places += len(p.panels)
			}
		}
	}
	return len(p.panels) > 1 && 4*len(p.rows) >= 3*places
}

// beside is the room for the names of bands at the left of the bars, or 0 if they are too long or differ
// between neighbours. Then a name is a line above its bars, and as long as the panel is wide.
func (p *draft) beside(c *canvas, aligned bool) (room float64) {
	for _, name := range p.bands {
		room = max(room, c.width(name)+gap)
	}
	if room > 0.36*p.wide || len(p.panels) > 1 && !aligned {
		return 0
	}
	return room
}

// drawBars draws panels of horizontal bars from zero, with their values behind them. It returns where the
// figure ends.
func (p *draft) drawBars(c *canvas, shown []panel, y float64) float64 {
	aligned := p.aligned()
	beside := p.beside(c, aligned)
	value := 0.0 // the room for the values
	for _, row := range p.rows {
		value = max(value, c.width(valueNumber(p.stat(row).Median)))
	}
	g := newGrid(len(shown), gap+beside, p.wide-gap/2, gap)
	return gap/2 + g.rows(y, func(i int, start, end, y float64, first, last bool) float64 {
		f := &shown[i]
		y = p.titles(c, shown, i, start, end, y)
		bands, out := p.bandsOf(f, aligned)
		b := bars{p, c, box{start, y + gap/2, end - value - gap, 0}, end, beside, first}
		return b.draw(bands, out, last)
	})
}

// bars is a panel of bars under way.
type bars struct {
	*draft
	c      *canvas
	plot   box     // where the bars are; its end is found out while they are laid out
	edge   float64 // where the panel's width ends
	beside float64 // the room for names at the left, or 0
	named  bool    // the names at the left are drawn
}

func (b *bars) x(v float64) float64 {
	return b.plot.left + (b.plot.right-b.plot.left)*b.scale.at(v)
}

// draw returns where the panel ends. The last of a column has the unit.
func (b *bars) draw(bands []band, out int, last bool) float64 {
	y := b.plot.top
	tops := make([]float64, len(bands))
	more := 0.0 // where the line is that says how many bands are left out
	for i := range bands {
		if i == len(bands)-1 && out > 0 {
			y += b.line
			more = y - 6
		}
		tops[i] = y
		y += b.height(&bands[i])
	}
	b.plot.bottom = y
	b.axis(last)
	if out > 0 {
		b.c.text(fmt.Sprintf("… %d more …", out), b.plot.left+3, more, left)
	}
	for i, band := range bands {
		y := tops[i]
		if b.beside == 0 {
			y += b.line
			b.c.text(b.c.fit(band.name, b.edge-b.plot.left-3), b.plot.left+3, y-5, left)
		} else if y += b.indent(&band); b.named {
			b.c.text(band.name, b.plot.left-gap/2, y+float64(len(band.bars)*(barHeight+barGap)-barGap)/2+0.35*b.letter, right)
		}
		for _, bar := range band.bars {
			b.bar(bar, y)
			y += barHeight + barGap
		}
	}
	if last {
		return b.plot.bottom + 2*b.line + 4
	}
	return b.plot.bottom + b.line + gap
}

// height is that of a band.
func (b *bars) height(band *band) float64 {
	h := float64(len(band.bars)*(barHeight+barGap)) + 2*b.indent(band)
	if b.beside == 0 {
		h += b.line
	}
	if len(b.colors) > 1 || b.beside == 0 {
		h += bandGap
	}
	return h
}

// indent is how far below the top of a band its first bar is, so that the name has room beside it.
func (b *bars) indent(band *band) float64 {
	if b.beside == 0 {
		return 0
	}
	return max(0, (b.line-float64(len(band.bars)*(barHeight+barGap)))/2) + 1
}

// axis draws the grid, and the numbers below it.
func (b *bars) axis(last bool) {
	c, numbers := b.c, []label(nil)
	for _, v := range b.scale.values() {
		ink := inkGrid
		if v == 0 {
			ink = inkAxis
		}
		c.line(ink, 1, point{b.x(v), b.plot.top}, point{b.x(v), b.plot.bottom})
		text := axisNumber(v)
		numbers = append(numbers, label{text, max(b.x(v), c.width(text)/2+2)})
	}
	for _, l := range c.clear(numbers) {
		c.text(l.text, l.at, b.plot.bottom+b.line-2, middle)
	}
	if last {
		unit := c.fit(b.Unit, b.wide-gap)
		half := c.width(unit) / 2
		at := min(max((b.plot.left+b.plot.right)/2, half+gap/2), b.wide-half-gap/2)
		c.text(unit, at, b.plot.bottom+2*b.line-1, middle)
	}
}

// bar draws a bar with its interval and its value.
func (b *bars) bar(bar bar, y float64) {
	c, zero := b.c, b.x(0)
	if bar.row == nil {
		c.text("–", zero+5, y+barHeight-2, left)
		return
	}
	stat := b.stat(bar.row)
	end := b.x(stat.Median)
	at := box{min(zero, end), y, max(zero, end, min(zero, end)+1), y + barHeight}
	if bar.row.Doubt() != "" {
		c.frame(at, bar.ink)
	} else {
		c.rect(at, bar.ink)
	}
	behind := at.right
	if stat.Known() && stat.Low != stat.High {
		b.interval(stat, at, bar.row.Doubt() != "")
		behind = max(behind, b.x(stat.High))
	}
	c.text(valueNumber(stat.Median), behind+5, y+barHeight-2, left)
}

// interval draws an interval over its bar: in the colour of paper where the bar is behind it.
func (b *bars) interval(stat experiment.Stat, bar box, hollow bool) {
	low, high, y := b.x(stat.Low), b.x(stat.High), (bar.top+bar.bottom)/2
	on := func(x float64) ink {
		if !hollow && x > bar.left && x < bar.right {
			return inkPaper
		}
		return inkText
	}
	edges := []float64{low, min(max(low, bar.left), high), max(min(high, bar.right), low), high}
	for i := range edges[1:] {
		if from, to := edges[i], edges[i+1]; from < to {
			b.c.line(on((from+to)/2), 1, point{from, y}, point{to, y})
		}
	}
	end := func(x float64, beyond bool, way point) {
		if beyond {
			b.c.arrow(on(x), 1, point{x, y}, way)
		} else {
			b.c.line(on(x), 1, point{x, y - 3}, point{x, y + 3})
		}
	}
	end(low, b.scale.below(stat.Low), point{-1, 0})
	end(high, b.scale.beyond(stat.High), point{1, 0})
}
