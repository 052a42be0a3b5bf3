// Package plot draws results as SVG. Any goroutine may call each function.
package plot

import (
	"errors"
	"math"
	"slices"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/summary"
)

// Options say what a plot shows. The zero value shows as much as possible.
type Options struct {
	Keep   func(c experiment.Config) bool   // chooses rows; nil keeps all
	Name   func(c experiment.Config) string // names a row or a line; nil writes the settings that differ
	Over   string                           // the setting on the x-axis; "" is threads, or another setting that is a number
	Bars   bool                             // draws bars, even if a setting could be on an x-axis
	Metric string                           // one of the extra metrics; "" is the metric of the rows
	Unit   string                           // the title of the y-axis; "" is the name of the metric
	Scale  float64                          // multiplies the values; 0 is 1
}

// ErrNothing means that there is no row with samples.
var ErrNothing = errors.New("there is nothing to plot")

// Draw draws the medians of a result, with their intervals. All figures have one look:
//
//	x-axis   a setting that is a number: threads, or another one; without one, bars
//	colour   the mode, which has the same colour in all figures, or another setting
//	shape    the kind of immortality; with bars, it is a panel
//	panels   one for each combination of the other settings, all with the same axes
//
// The axis of values begins at zero. Marks of starved rows are hollow. Over threads it draws the
// laws too: thin lines as far as there are points, and dashed lines for the prediction beyond;
// and the ideal, n threads with n times the best of one. The names of lines are at their ends if
// there is room, and otherwise in a legend.
func Draw(res *experiment.Result, o Options) (Picture, error) {
	pictures, err := DrawAll(res, o)
	if err == nil && pictures[0].svg == "" {
		err = ErrNothing
	}
	if err != nil {
		return Picture{}, err
	}
	return pictures[0], nil
}

// DrawAll draws figures that will be neighbours: those with the same unit have the same axis of
// values. A figure without rows is the zero Picture.
func DrawAll(res *experiment.Result, options ...Options) ([]Picture, error) {
	drafts := make([]*draft, len(options))
	top := map[string]float64{} // by unit
	for i, o := range options {
		p, err := newDraft(res, o)
		if errors.Is(err, ErrNothing) {
			continue
		}
		drafts[i], top[p.Unit] = p, max(top[p.Unit], p.most())
	}
	pictures := make([]Picture, len(options))
	for i, p := range drafts {
		if p == nil {
			continue
		}
		p.scale.top, p.scale.steps = niceTop(top[p.Unit])
		var err error
		if pictures[i], err = p.draw(); err != nil {
			return nil, err
		}
	}
	return pictures, nil
}

// newDraft finds the rows, and what their settings become.
func newDraft(res *experiment.Result, o Options) (*draft, error) {
	p := &draft{Options: o, res: res}
	if p.Scale == 0 {
		p.Scale = 1
	}
	for _, row := range res.Rows {
		if len(row.Samples) > 0 && (o.Keep == nil || o.Keep(row.Config)) {
			p.rows = append(p.rows, row)
		}
	}
	if len(p.rows) == 0 {
		return nil, ErrNothing
	}
	if p.Metric == "" {
		p.Metric = p.rows[0].Metric
	}
	p.rows = slices.DeleteFunc(p.rows, func(row *experiment.Row) bool { return p.stat(row).Missing() })
	if len(p.rows) == 0 {
		return nil, ErrNothing
	}
	if p.Unit == "" {
		p.Unit = p.Metric
	}
	if p.Bars {
		p.Over = ""
	} else if p.Over == "" {
		p.Over = p.number()
	}
	p.assign()
	return p, nil
}

// draft is a plot under way.
type draft struct {
	Options
	res  *experiment.Result
	rows []*experiment.Row

	at       []int    // the values on the x-axis, ascending; nil for bars
	colorKey string   // the setting that is the colour, or ""
	shapeKey string   // the setting that is the shape, or ""
	colors   []string // names of the colours, in order
	series   []int    // which series of the palette each colour is
	shapes   []string // names of the shapes, in order
	panels   []panel

	scale scale
	sizes // of the drawing under way
}

// A panel has the marks of some rows.
type panel struct {
	title string
	lines []plotLine // without Over, one for each colour and shape that has bars
	names []string   // with bars: the names of the bands
}

// plotLine is a line, or the bars of one colour. Its rows are in the order of at or of the panel's
// names, and some may be missing.
type plotLine struct {
	name         int // which of the names of colours it has
	color, shape int
	rows         []*experiment.Row
	law          *summary.Law
}

// stat is the figure of a row in the plot.
func (p *draft) stat(row *experiment.Row) experiment.Stat {
	for _, s := range row.Stats() {
		if s.Metric == p.Metric {
			return s.Times(p.Scale)
		}
	}
	return experiment.Stat{Median: math.NaN()}
}

// number finds a setting that is a number and differs between the rows.
func (p *draft) number() string {
	found := ""
	for _, kv := range p.rows[0].Config {
		_, isNumber := kv.Value.(int)
		if isNumber && slices.ContainsFunc(p.rows, func(row *experiment.Row) bool { return row.Config.Get(kv.Key) != kv.Value }) {
			if kv.Key == threads {
				return threads
			}
			if found == "" {
				found = kv.Key
			}
		}
	}
	return found
}

// threads is the setting that goes on the x-axis if there is a choice.
const threads = "threads"
