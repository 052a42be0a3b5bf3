package plot

import (
	"slices"
	"strings"
)

// A legend explains what there is more than one of.
type legend []legendEntry

// A legendEntry explains a colour, a shape or a kind of line, or is the name of the setting that
// the entries after it are values of.
type legendEntry struct {
	name  string
	mark  func(c *canvas, at point) // draws the sample; nil for the name of a setting
	begin bool                      // begins a line
	at    point
}

// Widths in a legend.
const (
	sampleWidth = 22
	entryGap    = 14
)

// legend makes the entries. Lines that have labels at their ends need none.
func (p *draft) legend(labels *endLabels) (entries legend) {
	laws := false
	var doubts []string
	for _, f := range p.panels {
		for _, l := range f.lines {
			laws = laws || l.law != nil
			for _, row := range l.rows {
				if row != nil && row.Doubt() != "" && !slices.Contains(doubts, row.Doubt()) {
					doubts = append(doubts, row.Doubt())
				}
			}
		}
	}
	begin := true
	head := func(key string) {
		if begin = true; key != "" {
			entries, begin = append(entries, legendEntry{name: key + ":", begin: true}), false
		}
	}
	add := func(name string, mark func(c *canvas, at point)) {
		entries, begin = append(entries, legendEntry{name: name, mark: mark, begin: begin}), false
	}
	if labels == nil {
		if len(p.colors) > 1 {
			head(p.colorKey)
			for i, name := range p.colors {
				add(strings.TrimPrefix(name, p.colorKey+" "), p.colorSample(i))
			}
		}
		if len(p.shapes) > 1 {
			head(p.shapeKey)
			for i, name := range p.shapes {
				add(name, func(c *canvas, at point) { c.mark(i, at.middle(), inkText, false) })
			}
		}
	}
	begin = true
	if len(doubts) > 0 {
		slices.Sort(doubts)
		add(strings.Join(doubts, " or ")+": not to be compared", func(c *canvas, at point) {
			if p.Over == "" {
				c.frame(barSample(at), inkText)
			} else {
				c.mark(0, at.middle(), inkText, true)
			}
		})
	}
	if p.small { // the picture beside it explains the lines
		return entries
	}
	if laws {
		add("dashed: what the scaling law predicts", func(c *canvas, at point) { c.dashes(inkText, 2, at.sample()...) })
	}
	if p.Over != "" && p.idealShown() {
		add("ideal", func(c *canvas, at point) { c.line(inkAxis, 1, at.sample()...) })
	}
	return entries
}

// A sample begins at a point on the line of the text: sample returns the ends of a piece of a line, and
// middle where a mark is.
func (at point) sample() []point {
	return []point{{at.x, at.y - 4.5}, {at.x + sampleWidth, at.y - 4.5}}
}

func (at point) middle() point { return point{at.x + sampleWidth/2, at.y - 4.5} }

func barSample(at point) box { return box{at.x + 6, at.y - 10, at.x + sampleWidth, at.y + 1} }

// colorSample draws a piece of a line, with the mark of the line if it has one of its own, or of a
// bar.
func (p *draft) colorSample(i int) func(c *canvas, at point) {
	return func(c *canvas, at point) {
		switch {
		case p.Over == "":
			c.rect(barSample(at), p.inks[i])
		case len(p.shapes) > 1:
			c.line(p.inks[i], 2.5, at.sample()...)
		default:
			c.line(p.inks[i], 1.5, at.sample()...)
			c.mark(i/maxSeries, at.middle(), p.inks[i], false)
		}
	}
}

// layOut finds the places of the entries, and returns the number of lines.
func (l legend) layOut(c *canvas, wide, line float64) (rows int) {
	x := wide
	for i := range l {
		e := &l[i]
		room := 0.0
		if e.mark != nil {
			room = sampleWidth + 6
		}
		e.name = c.fit(e.name, wide-2*gap-room)
		need := room + c.width(e.name)
		if e.begin || x+need > wide-gap/2 {
			x, rows = gap, rows+1
		}
		e.at = point{x, line * float64(rows)}
		x += need + entryGap
		if e.mark == nil {
			x -= entryGap / 2
		}
	}
	return rows
}

func (l legend) draw(c *canvas) {
	for _, e := range l {
		x := e.at.x
		if e.mark != nil {
			e.mark(c, e.at)
			x += sampleWidth + 6
		}
		c.text(e.name, x, e.at.y, left)
	}
}
