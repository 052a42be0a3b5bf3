package plot

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/go-analyze/charts"
)

// gridSteps is the least number of steps of the x-axis when laws are drawn.
const gridSteps = 160

// lineChart draws p.lines. Without laws it joins the points, over the values of the setting. With
// laws it draws points and the lines of the laws, over an axis of numbers.
func (p *draft) lineChart() drawing {
	var d drawing
	for i, l := range p.lines {
		d.legend = append(d.legend, legendEntry{l.name, paint(paintSeries, i, strokeSolid)})
	}
	d.height = plotHeight
	ahead := 0 // where the lines of laws end
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
			labels = append(labels, axisCount(x))
		}
		if count = len(labels); count > 8 {
			count = evenly(count-1) + 1
		}
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
	top, steps := niceTop(highest(series))
	o.YAxis = []charts.YAxisOption{{Title: p.Unit, TitleFontStyle: font, LabelFontStyle: font, Min: charts.Ptr(0.0), Max: charts.Ptr(top), LabelCount: steps + 1, ValueFormatter: axisNumber}}
	o.LineStrokeWidth = 2
	d.render = func(c *charts.Painter) error { return c.LineChart(o) }
	return d
}

// highest is the greatest value of all lines.
func highest(series charts.LineSeriesList) (most float64) {
	for _, s := range series {
		for _, v := range s.Values {
			if v != charts.GetNullValue() {
				most = max(most, v)
			}
		}
	}
	return most
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
