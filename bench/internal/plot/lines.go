package plot

import (
	"fmt"
	"math"
	"strconv"

	"github.com/go-analyze/charts"
)

// edgeRoom is the distance of the first and the last value of a setting from the edges.
const edgeRoom = 24

// lawSteps is the number of straight pieces of a law's curve.
const lawSteps = 60

// drawLines draws the lines of a panel over the values of a setting. Without laws these have equal
// distances. With laws the axis is one of numbers, from 0 to where the predictions end. The labels
// may be nil.
func (p *draft) drawLines(c *canvas, f *panel, at box, labels *endLabels) {
	s := p.scale
	plot := box{at.left + p.axisWidth(c, s), at.top + p.line, at.right - 14, at.bottom - 2*p.line - 4}
	if labels != nil {
		plot.right = at.right - labels.room
	}
	if f.title != "" {
		plot.top += p.line
		c.text(c.fit(f.title, at.right-at.left-gap), at.left+gap, at.top+p.line-4, left)
	}
	c.text(c.fit(p.Unit, at.right-plot.left), plot.left, plot.top-6, left)
	p.valueAxis(c, plot, s, at.left == 0)
	ahead := 0 // where the predictions end
	for _, g := range p.panels {
		for _, l := range g.lines {
			if l.law != nil {
				ahead = max(ahead, l.law.Ahead(), p.at[len(p.at)-1])
			}
		}
	}
	x := func(v float64) int { return plot.left + int(float64(plot.right-plot.left)*v/float64(ahead)) }
	place := func(k int) int { return x(float64(p.at[k])) }
	if ahead == 0 {
		edge := min((plot.right-plot.left)/(2*len(p.at)), edgeRoom)
		place = func(k int) int {
			if len(p.at) == 1 {
				return (plot.left + plot.right) / 2
			}
			return plot.left + edge + (plot.right-plot.left-2*edge)*k/(len(p.at)-1)
		}
	}
	y := func(v float64) int { return plot.bottom - int(float64(plot.bottom-plot.top)*min(max(v/s.top, 0), 1)) }
	p.settingAxis(c, plot, ahead, place)
	p.drawIdeal(c, f, plot, s, place, y)
	ends := make([]charts.Point, len(f.lines))
	for i := range f.lines {
		l := &f.lines[i]
		shift := 0 // so that intervals do not hide each other
		if ahead == 0 {
			shift = 4*i - 2*(len(f.lines)-1)
			limit := (plot.right - plot.left) / (3 * len(p.at))
			shift = min(max(shift, -limit), limit)
		}
		solid := paint(paintSeries, l.color, strokeSolid)
		if l.law != nil {
			known := float64(l.law.Threads[len(l.law.Threads)-1])
			curve := func(from, to float64) (points []charts.Point) {
				for k := range lawSteps + 1 {
					n := from + (to-from)*float64(k)/lawSteps
					points = append(points, point(x(n), y(l.law.At(n)*p.Scale)))
				}
				return points
			}
			c.line(paint(paintSeries, l.color, strokeThin), 1, curve(1, known)...)
			c.line(paint(paintSeries, l.color, strokeDashed), 1.5, curve(known, float64(ahead))...)
		}
		var path []charts.Point
		for k, row := range l.rows {
			if row != nil {
				path = append(path, point(place(k)+shift, y(p.stat(row).Median)))
			}
		}
		if l.law == nil {
			c.line(solid, 1.5, path...)
		}
		ends[i] = path[len(path)-1]
		if l.law != nil {
			ends[i] = point(plot.right, y(l.law.At(float64(ahead))*p.Scale))
		}
		n := 0
		for _, row := range l.rows {
			if row == nil {
				continue
			}
			if stat := p.stat(row); stat.Known() {
				c.line(solid, 1, point(path[n].X, y(stat.Low)), point(path[n].X, y(stat.High)))
			}
			c.mark(l.shape, path[n].X, path[n].Y, solid, row.Starved())
			n++
		}
	}
	if labels != nil {
		labels.draw(c, f, ends, plot, p.line)
	}
}

// drawIdeal draws what n threads would do if each did as much as the best single one of the panel.
func (p *draft) drawIdeal(c *canvas, f *panel, plot box, s scale, place func(k int) int, y func(v float64) int) {
	if !p.idealShown() {
		return
	}
	best := 0.0
	for _, l := range f.lines {
		if len(l.rows) > 0 && l.rows[0] != nil && !l.rows[0].Starved() {
			best = max(best, p.stat(l.rows[0]).Median)
		}
	}
	var path []charts.Point
	for k, n := range p.at {
		if v := best * float64(n); v <= s.top {
			path = append(path, point(place(k), y(v)))
			continue
		}
		// The line leaves the panel on the way from the last point.
		before := best * float64(p.at[k-1])
		part := (s.top - before) / (best*float64(n) - before)
		path = append(path, point(place(k-1)+int(part*float64(place(k)-place(k-1))), plot.top))
		break
	}
	c.line(paint(paintAxis, 0, 0), 1, path...)
}

// axisWidth is the room that the numbers of the axis of values need.
func (p *draft) axisWidth(c *canvas, s scale) (wide int) {
	for i := range s.steps + 1 {
		wide = max(wide, c.width(axisNumber(s.top*float64(i)/float64(s.steps))))
	}
	return wide + 14
}

// valueAxis draws the grid, with numbers if the panel is the first of its row: its neighbours have
// the same axis.
func (p *draft) valueAxis(c *canvas, plot box, s scale, numbers bool) {
	for i := range s.steps + 1 {
		y := plot.bottom - (plot.bottom-plot.top)*i/s.steps
		color := paint(paintGrid, 0, 0)
		if i == 0 {
			color = paint(paintAxis, 0, 0)
		}
		c.line(color, 1, point(plot.left, y), point(plot.right, y))
		if numbers {
			c.text(axisNumber(s.top*float64(i)/float64(s.steps)), plot.left-6, y+4, right)
		}
	}
}

// settingAxis writes the values of the setting below the axis. It leaves out those that would
// touch the one before.
func (p *draft) settingAxis(c *canvas, plot box, ahead int, place func(k int) int) {
	free := math.MinInt // where the last label ends
	label := func(text string, x int) {
		if half := c.width(text) / 2; x-half > free {
			c.text(text, x, plot.bottom+p.line-1, middle)
			free = x + half + 6
		}
	}
	if ahead == 0 {
		for k, v := range p.at {
			label(axisCount(v), place(k))
		}
	} else {
		s := scale{float64(ahead), evenly(ahead)}
		for _, l := range c.axisLabels(s, func(v float64) string { return axisCount(int(v + 0.5)) }, func(v float64, _ int) int {
			return plot.left + int(float64(plot.right-plot.left)*v/s.top)
		}) {
			c.text(l.text, l.at, plot.bottom+p.line-1, middle)
		}
	}
	c.text(c.fit(p.Over, plot.right-plot.left), (plot.left+plot.right)/2, plot.bottom+2*p.line-2, middle)
}

// niceTop returns where an axis from 0 ends that has the value on it, and the number of its steps,
// which are round numbers.
func niceTop(value float64) (top float64, steps int) {
	if value <= 0 {
		return 1, 4
	}
	unit := math.Pow(10, math.Floor(math.Log10(value))-1)
	for {
		for _, digit := range []float64{1, 2, 2.5, 5} {
			step := digit * unit
			if n := math.Ceil(value/step - 1e-9); n <= 6 {
				return n * step, int(n)
			}
		}
		unit *= 10
	}
}

// axisNumber writes up to three digits.
func axisNumber(v float64) string {
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if math.Abs(v) >= u.size {
			return fmt.Sprintf("%.3g%s", v/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.3g", v)
}

// axisCount writes round thousands with a k.
func axisCount(n int) string {
	if n >= 10_000 && n%1000 == 0 {
		return axisNumber(float64(n))
	}
	return strconv.Itoa(n)
}

// evenly returns a small number of equal whole steps that make n.
func evenly(n int) int {
	for _, steps := range []int{4, 5, 6, 3} {
		if n%steps == 0 {
			return steps
		}
	}
	return min(n, 2)
}
