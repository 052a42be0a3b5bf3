package plot

import (
	"cmp"
	"slices"
	"strings"

	"github.com/go-analyze/charts"
)

// endLabels are the names of lines at their right ends, in place of a legend.
type endLabels struct {
	names []string // by line
	room  int      // the width that they need, with the way from the lines
}

// leader is the width of the way from the end of a line to its label.
const leader = 18

// endLabels returns the labels, or nil if there is no room for them, or nothing to tell apart. Panels
// have no room.
func (p *draft) endLabels(c *canvas) *endLabels {
	if p.Over == "" || len(p.panels) > 1 || len(p.colors)*len(p.shapes) < 2 {
		return nil
	}
	e := &endLabels{}
	for _, l := range p.panels[0].lines {
		var words []string
		if len(p.colors) > 1 {
			words = append(words, p.colors[l.name])
		}
		if len(p.shapes) > 1 {
			words = append(words, p.shapes[l.shape])
		}
		name := strings.Join(words, ", ")
		e.names = append(e.names, name)
		e.room = max(e.room, leader+12+c.width(name))
	}
	if e.room > p.wide*2/5 || len(e.names)*p.line > p.alone-4*p.line {
		return nil
	}
	return e
}

// draw writes the labels of a panel, whose lines have the given ends.
func (e *endLabels) draw(c *canvas, f *panel, ends []charts.Point, plot box, line int) {
	var heights []int
	for _, end := range ends {
		heights = append(heights, end.Y)
	}
	for i, y := range apart(heights, line, plot.top, plot.bottom) {
		l := &f.lines[i]
		color := paint(paintSeries, l.color, strokeSolid)
		c.line(color, 1, point(ends[i].X+6, ends[i].Y), point(plot.right+leader-5, y))
		c.mark(l.shape, plot.right+leader, y, color, false)
		c.text(e.names[i], plot.right+leader+8, y+4, left)
	}
}

// apart moves positions as little as makes any two of them a distance apart, in their order,
// between low and high. Neighbours that are too near become a group around their mean; groups that
// are too near then become one.
func apart(at []int, distance, low, high int) []int {
	type group struct {
		members []int
		first   float64 // the position of the first member
	}
	order := make([]int, len(at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(at[a], at[b]) })
	within := func(first float64, n int) float64 {
		return min(max(first, float64(low)), float64(high-(n-1)*distance))
	}
	var groups []group
	for _, i := range order {
		groups = append(groups, group{[]int{i}, within(float64(at[i]), 1)})
		for n := len(groups); n > 1; n = len(groups) {
			a, b := groups[n-2], groups[n-1]
			if a.first+float64(len(a.members)*distance) <= b.first {
				break
			}
			both := append(a.members[:len(a.members):len(a.members)], b.members...)
			sum := 0.0
			for k, m := range both {
				sum += float64(at[m] - k*distance)
			}
			groups = append(groups[:n-2], group{both, within(sum/float64(len(both)), len(both))})
		}
	}
	placed := make([]int, len(at))
	for _, g := range groups {
		for k, m := range g.members {
			placed[m] = int(g.first+0.5) + k*distance
		}
	}
	return placed
}
