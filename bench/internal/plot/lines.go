package plot

import (
	"slices"

	"github.com/ichor-go/ichor/bench/experiment"
)

const (
	edgeRoom = 24 // the greatest distance of the first and the last value of a setting from the edges
	mostAway = 10 // the greatest distance of a mark from its value, so that intervals do not hide each other
	lawSteps = 60 // straight pieces of a law's curve
)

// drawLines draws panels of lines over the values of a setting. With laws its axis goes from 0 to where the
// predictions end. The labels may be nil. It returns where the figure ends.
func (p *draft) drawLines(c *canvas, shown []panel, y float64, labels *endLabels) float64 {
	y += p.line
	c.text(c.fit(p.Unit, p.wide-2*gap), gap, y-4, left)
	numbers := 0.0 // the room for the numbers of the axis of values
	for _, v := range p.scale.values() {
		numbers = max(numbers, c.width(axisNumber(v)))
	}
	end := p.wide - max(14, c.width(axisCount(p.lastX()))/2+2)
	if labels != nil {
		end = p.wide - labels.room
	}
	high := p.alone
	if len(shown) > 2 {
		high = p.many
	}
	g := newGrid(len(shown), numbers+gap+6, end, 3*gap)
	return gap/2 + g.rows(y, func(i int, start, end, y float64, first, last bool) float64 {
		f := &shown[i]
		y = p.titles(c, shown, i, start, end+gap, y) + 6
		l := lines{p, c, box{start, y, end, y + high}, p.ahead()}
		l.valueAxis(first)
		l.settingAxis(last)
		l.ideal(f)
		ends := l.draw(f)
		if labels != nil {
			labels.draw(c, f, ends, l.plot, p.line)
		}
		if last {
			return l.plot.bottom + 2*p.line
		}
		return l.plot.bottom + p.line + gap
	})
}

// ahead is where the predictions of laws end, or 0 if there are none.
func (p *draft) ahead() (ahead int) {
	for _, f := range p.panels {
		for _, l := range f.lines {
			if l.law != nil {
				ahead = max(ahead, l.law.Ahead(), p.at[len(p.at)-1])
			}
		}
	}
	return ahead
}

// lastX is the greatest value on the x-axis.
func (p *draft) lastX() int { return max(p.ahead(), p.at[len(p.at)-1]) }

// lines is a panel of lines under way.
type lines struct {
	*draft
	c     *canvas
	plot  box
	ahead int // see draft.ahead
}

// x is where a value of the setting is. It needs laws.
func (l *lines) x(v float64) float64 {
	return l.plot.left + (l.plot.right-l.plot.left)*v/float64(l.ahead)
}

func (l *lines) y(v float64) float64 {
	return l.plot.bottom - (l.plot.bottom-l.plot.top)*l.scale.at(v)
}

// places are where the values of the setting are, and reports whether they are in proportion to their logarithms.
func (l *lines) places() (places []float64, logarithmic bool) {
	if l.ahead > 0 {
		for _, v := range l.at {
			places = append(places, l.x(float64(v)))
		}
		return places, false
	}
	wide := l.plot.right - l.plot.left
	edge := min(wide/(2*float64(len(l.at))), edgeRoom)
	shares, logarithmic := spread(l.at)
	for _, s := range shares {
		places = append(places, l.plot.left+edge+(wide-2*edge)*s)
	}
	return places, logarithmic
}

// valueAxis draws the grid, with numbers if the panel is the first of its row: its neighbours have the
// same axis.
func (l *lines) valueAxis(numbers bool) {
	for _, v := range l.scale.values() {
		ink := inkGrid
		if v == 0 {
			ink = inkAxis
		}
		l.c.line(ink, 1, point{l.plot.left, l.y(v)}, point{l.plot.right, l.y(v)})
		if numbers {
			l.c.text(axisNumber(v), l.plot.left-6, l.y(v)+0.35*l.letter, right)
		}
	}
}

// settingAxis writes the values of the setting below the axis, and its name if the panel is the last of its
// column.
func (l *lines) settingAxis(last bool) {
	places, logarithmic := l.places()
	var labels []label
	if l.ahead > 0 {
		steps := evenly(l.ahead)
		for i := range steps + 1 {
			v := float64(l.ahead) * float64(i) / float64(steps)
			labels = append(labels, label{axisCount(int(v + 0.5)), l.x(v)})
		}
	} else {
		for k, v := range l.at {
			labels = append(labels, label{axisCount(v), places[k]})
		}
	}
	for _, t := range l.c.clear(labels) {
		l.c.text(t.text, t.at, l.plot.bottom+l.line+1, middle)
	}
	if last {
		name := l.Over
		if logarithmic {
			name += " (logarithmic)"
		}
		l.c.text(l.c.fit(name, l.plot.right-l.plot.left), (l.plot.left+l.plot.right)/2, l.plot.bottom+2*l.line, middle)
	}
}

// draw draws the lines of a panel, and returns their ends.
func (l *lines) draw(f *panel) (ends []point) {
	places, _ := l.places()
	for i := range f.lines {
		away := l.away(places, i, len(f.lines))
		at := func(k int) point { return point{places[k] + away, l.y(l.stat(f.lines[i].rows[k]).Median)} }
		ends = append(ends, l.drawLine(&f.lines[i], at))
	}
	return ends
}

// away is how far the marks of a line are from their values.
func (l *lines) away(places []float64, line, lines int) float64 {
	if l.ahead > 0 || lines < 2 {
		return 0
	}
	most := min(mostAway, 2*float64(lines-1), (l.plot.right-l.plot.left)*narrowest(l.shares(places))/3)
	return most * (2*float64(line)/float64(lines-1) - 1)
}

// shares are places as shares of the width.
func (l *lines) shares(places []float64) (shares []float64) {
	for _, p := range places {
		shares = append(shares, p/(l.plot.right-l.plot.left))
	}
	return shares
}

// drawLine draws a line with its marks, and returns its end. Where a row is missing the line has a gap.
func (l *lines) drawLine(line *plotLine, at func(k int) point) (end point) {
	l.drawLaw(line)
	var path []point
	for k, row := range line.rows {
		if row != nil {
			path = append(path, at(k))
			end = at(k)
		}
		if row == nil || k == len(line.rows)-1 {
			if line.law == nil {
				l.c.line(line.ink, 1.5, path...)
			}
			path = nil
		}
	}
	for k, row := range line.rows {
		if row != nil {
			l.interval(line.ink, l.stat(row), at(k).x)
			l.c.mark(line.shape, at(k), line.ink, row.Doubt() != "")
		}
	}
	if line.law != nil {
		end = point{l.plot.right, l.y(line.law.At(float64(l.ahead)) * l.Scale)}
	}
	return end
}

// drawLaw draws what the law of a line says, thin as far as there are points, and dashed beyond.
func (l *lines) drawLaw(line *plotLine) {
	if line.law == nil {
		return
	}
	known := float64(line.law.Threads[len(line.law.Threads)-1])
	curve := func(from, to float64) (points []point) {
		for k := range lawSteps + 1 {
			n := from + (to-from)*float64(k)/lawSteps
			points = append(points, point{l.x(n), l.y(line.law.At(n) * l.Scale)})
		}
		return points
	}
	l.c.line(line.ink, 1, curve(1, known)...)
	l.c.dashes(line.ink, 1.5, curve(known, float64(l.ahead))...)
}

func (l *lines) interval(ink ink, stat experiment.Stat, x float64) {
	if !stat.Known() {
		return
	}
	l.c.line(ink, 1, point{x, l.y(stat.Low)}, point{x, l.y(stat.High)})
	if l.scale.beyond(stat.High) {
		l.c.arrow(ink, 1, point{x, l.plot.top}, point{0, -1})
	}
	if l.scale.below(stat.Low) {
		l.c.arrow(ink, 1, point{x, l.plot.bottom}, point{0, 1})
	}
}

// ideal draws what n threads would do if each did as much as the best single one of the panel.
func (l *lines) ideal(f *panel) {
	if !l.idealShown() {
		return
	}
	best := 0.0
	for _, line := range f.lines {
		if row := line.rows[0]; row != nil && row.Doubt() == "" {
			best = max(best, l.stat(row).Median)
		}
	}
	if best == 0 {
		return
	}
	places, _ := l.places()
	var path []point
	for k, n := range l.at {
		v := best * float64(n)
		if !l.scale.beyond(v) {
			path = append(path, point{places[k], l.y(v)})
			continue
		}
		// The line leaves the panel on the way from the last point.
		before := best * float64(l.at[k-1])
		part := (float64(l.scale.to)*l.scale.step - before) / (v - before)
		path = append(path, point{places[k-1] + part*(places[k]-places[k-1]), l.plot.top})
		break
	}
	l.c.line(inkAxis, 1, path...)
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

// idealShown reports whether the figure has the line of the ideal.
func (p *draft) idealShown() bool {
	return p.Over == threads && p.Metric == experiment.OpsS && len(p.at) > 1 && p.at[0] == 1 && slices.ContainsFunc(p.rows, func(row *experiment.Row) bool {
		return row.Config.Get(threads) == 1 && !row.Starved() && p.stat(row).Median > 0
	})
}
