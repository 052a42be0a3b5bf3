package plot

import (
	"cmp"
	"slices"
	"strings"
)

// endLabels are the names of lines at their right ends, in place of a legend.
type endLabels struct {
	names []string // by line
	room  float64  // the width that they need, with the way from the lines
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
			words = append(words, p.colors[l.color])
		}
		if len(p.shapes) > 1 {
			words = append(words, p.shapes[l.shape])
		}
		name := strings.Join(words, ", ")
		e.names = append(e.names, name)
		e.room = max(e.room, leader+12+c.width(name))
	}
	if e.room > 0.4*p.wide || float64(len(e.names))*p.line > p.alone {
		return nil
	}
	return e
}

// draw writes the labels of a panel, whose lines have the given ends.
func (e *endLabels) draw(c *canvas, f *panel, ends []point, plot box, line float64) {
	var heights []float64
	for _, end := range ends {
		heights = append(heights, end.y)
	}
	for i, y := range apart(heights, line, plot.top, plot.bottom) {
		l := &f.lines[i]
		way := c.line
		if ends[i].x < plot.right-2*edgeRoom {
			way = c.dots // or the way would seem to be a part of a line that ends early
		}
		way(l.ink, 1, point{ends[i].x + 6, ends[i].y}, point{plot.right + leader - 5, y})
		c.mark(l.shape, point{plot.right + leader, y}, l.ink, false)
		c.text(e.names[i], plot.right+leader+8, y+0.35*c.letter, left)
	}
}

// apart moves positions as little as makes any two of them a distance apart, in their order,
// between low and high. Neighbours that are too near become a group around their mean; groups that
// are too near then become one.
func apart(at []float64, distance, low, high float64) []float64 {
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
		return min(max(first, low), high-float64(n-1)*distance)
	}
	var groups []group
	for _, i := range order {
		groups = append(groups, group{[]int{i}, within(at[i], 1)})
		for n := len(groups); n > 1; n = len(groups) {
			a, b := groups[n-2], groups[n-1]
			if a.first+float64(len(a.members))*distance <= b.first {
				break
			}
			both := append(a.members[:len(a.members):len(a.members)], b.members...)
			sum := 0.0
			for k, m := range both {
				sum += at[m] - float64(k)*distance
			}
			groups = append(groups[:n-2], group{both, within(sum/float64(len(both)), len(both))})
		}
	}
	placed := make([]float64, len(at))
	for _, g := range groups {
		for k, m := range g.members {
			placed[m] = g.first + float64(k)*distance
		}
	}
	return placed
}
