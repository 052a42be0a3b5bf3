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
// If there are more lines than colours, of few points each, they become bars. The axis of values begins at
// zero, or below it if a value is. The x-axis is logarithmic if that keeps its values much further apart. Marks
// of rows in doubt are hollow, and an interval that is cut off has an arrow. Rows that have no value in the
// metric, or an infinite one, have no mark. Over threads it draws the laws too: thin lines as far as there are points, and dashed lines for the prediction beyond;
// and the ideal, n threads with n times the best of one. The names of lines are at their ends if
// there is room, and otherwise in a legend.
func Draw(res *experiment.Result, o Options) (Picture, error) {
	pictures, err := DrawAll(res, o)
	if err == nil && pictures[0] == (Picture{}) {
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
	type reach struct{ low, high float64 }
	reaches := map[string]reach{} // by unit
	for i, o := range options {
		p, err := newDraft(res, o)
		if errors.Is(err, ErrNothing) {
			continue
		}
		low, high := p.reach()
		all := reaches[p.Unit]
		drafts[i], reaches[p.Unit] = p, reach{min(all.low, low), max(all.high, high)}
	}
	pictures := make([]Picture, len(options))
	for i, p := range drafts {
		if p == nil {
			continue
		}
		p.scale = newScale(reaches[p.Unit].low, reaches[p.Unit].high)
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
		if o.Keep == nil || o.Keep(row.Config) {
			p.listed = append(p.listed, row)
			if p.Metric == "" && len(row.Samples) > 0 {
				p.Metric = row.Metric
			}
		}
	}
	for _, row := range p.listed {
		if len(row.Samples) > 0 && finite(p.stat(row).Median) {
			p.rows = append(p.rows, row)
		}
	}
	if len(p.rows) == 0 {
		return nil, ErrNothing
	}
	if p.Unit == "" {
		p.Unit = p.Metric
	}
	asked := p.Over != ""
	if p.Bars {
		p.Over = ""
	} else if !asked {
		p.Over = p.number()
	}
	p.findX()
	p.assign(asked)
	return p, nil
}

// draft is a plot under way.
type draft struct {
	Options
	res    *experiment.Result
	listed []*experiment.Row // of which the figure could have marks; they have the order of names
	rows   []*experiment.Row // of which it has marks

	at       []int    // the values on the x-axis, ascending; nil for bars
	colorKey string   // the setting that is the colour, or ""
	shapeKey string   // the setting that is the shape, or ""
	colors   []string // names of the colours, in order
	inks     []ink    // of the colours
	shapes   []string // names of the shapes, in order
	bands    []string // with bars: the names of the bands, in order
	panels   []panel

	scale scale
	sizes // of the drawing under way
}

// A panel has the marks of some rows.
type panel struct {
	title string
	lines []plotLine // without Over, one for each colour that has bars
}

// plotLine is a line, or the bars of one colour. Its rows are in the order of at or of bands, and some are
// nil.
type plotLine struct {
	color, shape int // which of the names it has
	ink          ink
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
