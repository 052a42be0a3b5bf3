package experiment

import (
	"fmt"
	"slices"

	"github.com/go-analyze/charts"
)

// gridSteps is how fine the x-axis is when laws are drawn on it, at least.
const gridSteps = 160

// lineChart draws p.lines: joined points over the values of the setting, or, if there are
// laws, points on an axis of numbers with the laws' lines.
func (p *plot) lineChart() drawing {
	var d drawing
	for i, l := range p.lines {
		d.legend = append(d.legend, legendEntry{l.name, paint(paintSeries, i, strokeSolid)})
	}
	d.height = plotHeight
	ahead := 0 // up to where laws are drawn
	for _, l := range p.lines {
		if l.law != nil {
			ahead = max(ahead, l.law.Ahead(), p.at[len(p.at)-1])
		}
	}
	if ahead > 0 {
		d.legend = append(d.legend, legendEntry{"dashed: what the scaling law predicts", paint(paintText, 0, strokeDashed)})
	}
	var series charts.LineSeriesList
	var colors []charts.Color
	add := func(values []float64, color charts.Color, shape charts.Symbol) {
		series = append(series, charts.LineSeries{Values: values, Symbol: shape})
		colors = append(colors, color)
	}
	point := charts.Symbol{Shape: charts.SymbolDot, Size: 4}
	var labels []string
	count := 0
	if ahead == 0 {
		for i, l := range p.lines {
			values := slices.Repeat([]float64{charts.GetNullValue()}, len(p.at))
			for k, row := range l.rows {
				if row != nil {
					values[k] = p.value(row)
				}
			}
			add(values, paint(paintSeries, i, strokeSolid), point)
		}
		for _, x := range p.at {
			labels = append(labels, fmt.Sprint(x))
		}
		count = min(len(labels), 8)
	} else {
		fine := gridSteps/ahead + 2
		grid := func() []float64 { return slices.Repeat([]float64{charts.GetNullValue()}, ahead*fine+1) }
		for k := range ahead*fine + 1 {
			labels = append(labels, fmt.Sprintf("%.3g", float64(k)/float64(fine)))
		}
		count = evenly(ahead) + 1
		for i, l := range p.lines {
			if l.law != nil {
				law, prediction := grid(), grid()
				known := l.law.Threads[len(l.law.Threads)-1] * fine
				for k := fine; k < len(law); k++ {
					y := l.law.At(float64(k)/float64(fine)) * p.Scale
					if k <= known {
						law[k] = y
					}
					if k >= known {
						prediction[k] = y
					}
				}
				none := charts.Symbol{Shape: charts.SymbolNone}
				add(law, paint(paintSeries, i, strokeThin), none)
				add(prediction, paint(paintSeries, i, strokeDashed), none)
			}
			values := grid()
			for k, row := range l.rows {
				if row != nil {
					values[p.at[k]*fine] = p.value(row)
				}
			}
			add(values, paint(paintSeries, i, strokeSolid), point)
		}
	}
	o := charts.NewLineChartOptionWithSeries(series)
	o.Theme = p.theme(colors...)
	o.Legend.Show = charts.Ptr(false)
	o.Padding = charts.Box{Left: 10, Right: 18, Bottom: 6, IsSet: true}
	font := charts.FontStyle{FontSize: textSize}
	o.XAxis = charts.XAxisOption{Labels: labels, LabelCount: count, Title: p.Over, TitleFontStyle: font, LabelFontStyle: font, BoundaryGap: charts.Ptr(false)}
	o.YAxis = []charts.YAxisOption{{Title: p.Unit, TitleFontStyle: font, LabelFontStyle: font, Min: charts.Ptr(0.0), LabelCount: 6, PreferNiceIntervals: charts.Ptr(true), ValueFormatter: axisNumber}}
	o.LineStrokeWidth = 2
	d.render = func(c *charts.Painter) error { return c.LineChart(o) }
	return d
}

// evenly is into how many equal whole steps, few of them, n is divided.
func evenly(n int) int {
	for _, steps := range []int{4, 5, 6, 3} {
		if n%steps == 0 {
			return steps
		}
	}
	return min(n, 2)
}
