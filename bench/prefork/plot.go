package prefork

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-analyze/charts"
)

// plotFormat returns the format that goes with the ending of a file's name, or "".
func plotFormat(file string) string {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".svg":
		return charts.ChartOutputSVG
	case ".png":
		return charts.ChartOutputPNG
	}
	return ""
}

// line is one line of the plot.
type line struct {
	name   string
	values []float64 // MiB, at each of the plot's points
}

// plotPrivate writes the plot: how much of the parent's heap a worker has copied, over the number
// of requests that it has answered.
func plotPrivate(file, title string, requests []int, lines []line) error {
	var values [][]float64
	var names, labels []string
	for _, l := range lines {
		values, names = append(values, l.values), append(names, l.name)
	}
	for _, n := range requests {
		labels = append(labels, fmt.Sprint(n))
	}
	o := charts.NewLineChartOptionWithData(values)
	o.Title.Text = title
	o.Title.Subtext = "how much of the parent's heap a worker has copied by reading it"
	o.Title.Offset = charts.OffsetCenter
	o.Title.FontStyle.FontSize = 14
	o.Title.SubtextFontStyle.FontSize = 11
	o.Legend.SeriesNames = names
	o.Legend.Offset = charts.OffsetStr{Left: charts.PositionCenter, Top: "60"}
	o.Padding = charts.NewBoxEqual(20)
	o.XAxis.Labels = labels
	o.XAxis.Title = "requests answered by each worker"
	o.XAxis.BoundaryGap = charts.Ptr(false)
	o.XAxis.LabelCount = 6
	o.YAxis = []charts.YAxisOption{{Title: "MiB", Min: charts.Ptr(0.0), ValueFormatter: func(v float64) string { return fmt.Sprintf("%.3g", v) }}}
	o.Symbol.Shape = charts.SymbolNone
	o.LineStrokeWidth = 3
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: plotFormat(file), Width: 900, Height: 480})
	if err := p.LineChart(o); err != nil {
		return err
	}
	b, err := p.Bytes()
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o666)
}
