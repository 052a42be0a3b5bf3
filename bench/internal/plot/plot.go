// Package plot draws results as SVG. Any goroutine may call each function.
package plot

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/go-analyze/charts"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/summary"
)

// Options say what a plot shows. The zero value shows as much as possible.
type Options struct {
	Keep   func(c experiment.Config) bool   // chooses rows; nil keeps all
	Name   func(c experiment.Config) string // names a row or a line; nil writes the settings that differ
	Over   string                           // the setting on the x-axis; "" is threads, or another setting that is a number
	Bars   bool                             // draws a bar for each row, even if a setting could be on an x-axis
	Metric string                           // one of the extra metrics; "" is the metric of the rows
	Unit   string                           // the title of the y-axis; "" is the name of the metric
	Scale  float64                          // multiplies the values; 0 is 1
}

// ErrNothing means that there is no row with samples.
var ErrNothing = errors.New("there is nothing to plot")

// Draw draws the medians of a result. It draws lines over a setting that is a number. If there is
// none, or if there were too many lines, it draws bars. Over threads it draws the laws too: thin
// lines as far as there are points, and dashed lines for the prediction beyond.
func Draw(res *experiment.Result, o Options) (Picture, error) {
	p := draft{Options: o, res: res}
	if p.Scale == 0 {
		p.Scale = 1
	}
	for _, row := range res.Rows {
		if len(row.Samples) > 0 && (o.Keep == nil || o.Keep(row.Config)) {
			p.rows = append(p.rows, row)
		}
	}
	if len(p.rows) == 0 {
		return Picture{}, ErrNothing
	}
	if p.Metric == "" {
		p.Metric = p.rows[0].Metric
	}
	p.rows = slices.DeleteFunc(p.rows, func(row *experiment.Row) bool { return math.IsNaN(p.value(row)) })
	if len(p.rows) == 0 {
		return Picture{}, ErrNothing
	}
	if p.Unit == "" {
		p.Unit = p.Metric
	}
	if !p.Bars && p.findLines() {
		return p.draw(p.lineChart())
	}
	return p.draw(p.barChart())
}

// draft is a plot under way.
type draft struct {
	Options
	res  *experiment.Result
	rows []*experiment.Row

	lines []plotLine
	at    []int // the values on the x-axis, ascending
}

// plotLine is a line. Its rows are in the order of at, and some may be missing.
type plotLine struct {
	name string
	rows []*experiment.Row
	law  *summary.Law
}

// value is the value of a row in the plot, or NaN if it has none.
func (p *draft) value(row *experiment.Row) float64 {
	for _, s := range row.Stats() {
		if s.Metric == p.Metric {
			return s.Median * p.Scale
		}
	}
	return math.NaN()
}

// findLines sorts the rows into lines. It reports whether there are any, and not too many.
func (p *draft) findLines() bool {
	if p.Over == "" {
		p.Over = p.number()
	}
	if p.Over == "" {
		return false
	}
	for _, row := range p.rows {
		if x, ok := row.Config.Get(p.Over).(int); ok && !slices.Contains(p.at, x) {
			p.at = append(p.at, x)
		}
	}
	slices.Sort(p.at)
	var configs []experiment.Config
	for _, row := range p.rows {
		x, ok := row.Config.Get(p.Over).(int)
		if !ok {
			continue
		}
		c := row.Config.Without(p.Over)
		i := slices.IndexFunc(configs, func(have experiment.Config) bool { return slices.Equal(have, c) })
		if i < 0 {
			i = len(configs)
			configs = append(configs, c)
			p.lines = append(p.lines, plotLine{rows: make([]*experiment.Row, len(p.at))})
		}
		p.lines[i].rows[slices.Index(p.at, x)] = row
	}
	for i := range p.lines {
		p.lines[i].name = p.name(configs[i], configs)
	}
	if p.Over == threads && p.Metric == experiment.OpsS {
		for _, law := range summary.Laws(p.res) {
			if i := slices.IndexFunc(configs, func(c experiment.Config) bool { return slices.Equal(c, law.Config) }); i >= 0 {
				p.lines[i].law = &law
			}
		}
	}
	return len(p.lines) > 0 && len(p.lines) <= maxSeries
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

// name writes the settings of a row that differ between the rows.
func (p *draft) name(c experiment.Config, all []experiment.Config) string {
	if p.Name != nil {
		return p.Name(c)
	}
	var words []string
	for _, kv := range c {
		if !slices.ContainsFunc(all, func(other experiment.Config) bool { return other.Get(kv.Key) != kv.Value }) {
			continue
		}
		if s, isText := kv.Value.(string); isText {
			words = append(words, s)
		} else {
			words = append(words, fmt.Sprintf("%s %v", kv.Key, kv.Value))
		}
	}
	if len(words) == 0 {
		return p.Metric
	}
	return strings.Join(words, ", ")
}

// threads is the setting that goes on the x-axis if there is a choice.
const threads = "threads"

// Sizes in pixels. A plot fits on a phone.
const (
	plotWidth  = 480
	plotHeight = 300
	legendLine = 18
	textSize   = 12
)

// drawing is a chart that is ready to be drawn.
type drawing struct {
	height int
	legend []legendEntry
	render func(p *charts.Painter) error
}

type legendEntry struct {
	name  string
	color charts.Color
}

func (p *draft) draw(d drawing) (Picture, error) {
	top := 14 + legendLine*len(d.legend) // the label of the y-axis reaches above it
	painter := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: plotWidth, Height: d.height + top})
	painter.FilledRect(0, 0, plotWidth, d.height+top, paint(paintPaper, 0, 0), charts.ColorTransparent, 0)
	font := charts.FontStyle{FontSize: textSize, FontColor: paint(paintText, 0, 0), Font: charts.GetDefaultFont()}
	for i, e := range d.legend {
		y := 16 + legendLine*i
		painter.LineStroke([]charts.Point{{X: 12, Y: y - 4}, {X: 34, Y: y - 4}}, e.color, 3)
		painter.Text(e.name, 42, y, 0, font)
	}
	if err := d.render(painter.Child(charts.PainterPaddingOption(charts.Box{Top: top, IsSet: true}))); err != nil {
		return Picture{}, err
	}
	drawn, err := painter.Bytes()
	if err != nil {
		return Picture{}, err
	}
	return newPicture(drawn, p.res.Scenario.Name+": "+p.Unit), nil
}

func (p *draft) theme(colors ...charts.Color) charts.ColorPalette {
	text := paint(paintText, 0, 0)
	return charts.MakeTheme(charts.ThemeOption{
		SeriesColors: colors, TextColor: text, AxisStrokeColor: paint(paintAxis, 0, 0),
		AxisSplitLineColor: paint(paintGrid, 0, 0), BackgroundColor: paint(paintPaper, 0, 0),
	})
}

func (p *draft) barChart() drawing {
	var configs []experiment.Config
	for _, row := range p.rows {
		configs = append(configs, row.Config)
	}
	var names []string
	var values []float64
	for _, row := range slices.Backward(p.rows) { // the first row is on top
		names, values = append(names, p.name(row.Config, configs)), append(values, p.value(row))
	}
	o := charts.NewBarChartOptionWithData([][]float64{values})
	o.Horizontal = true
	o.Theme = p.theme(paint(paintSeries, 0, strokeSolid))
	o.Padding = charts.Box{Left: 10, Right: 50, Bottom: 6, IsSet: true}
	font := charts.FontStyle{FontSize: textSize}
	o.CategoryAxis = charts.CategoryAxisOption{Labels: names, LabelFontStyle: font, LabelCount: len(names)}
	o.ValueAxis = []charts.ValueAxisOption{{Min: charts.Ptr(0.0), LabelFontStyle: font, LabelCount: 3, PreferNiceIntervals: charts.Ptr(true), Title: p.Unit, TitleFontStyle: font, ValueFormatter: axisNumber}}
	o.SeriesList[0].Label = charts.SeriesLabel{Show: charts.Ptr(true), FontStyle: font, ValueFormatter: summary.Human}
	o.ValueFormatter = summary.Human
	return drawing{height: 60 + 24*len(names), render: func(c *charts.Painter) error { return c.BarChart(o) }}
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
