package plot

import "github.com/go-analyze/charts"

// A canvas draws text, lines and marks.
type canvas struct {
	*charts.Painter
	font charts.FontStyle
}

func newCanvas(width, height int, textSize float64) *canvas {
	return &canvas{
		charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: width, Height: height}),
		charts.FontStyle{FontSize: textSize, FontColor: paint(paintText, 0, 0), Font: charts.GetDefaultFont()},
	}
}

// Where a text is, as seen from the point that it is given.
const (
	left = iota // it begins there
	middle
	right
)

// width is the room that a text needs. The reader's font may be wider than the one that is measured:
// that of many Linux systems is, by a sixth.
func (c *canvas) width(text string) int { return 6 * c.measured(text) / 5 }

func (c *canvas) measured(text string) int { return c.MeasureText(text, 0, c.font).Width() }

func (c *canvas) text(text string, x, y, align int) {
	switch align {
	case middle:
		x -= c.measured(text) / 2
	case right:
		x -= c.width(text)
	}
	c.Text(text, x, y, 0, c.font)
}

// fit shortens a text that is too wide. It leaves out a part in the middle: names that are long often
// differ at their ends.
func (c *canvas) fit(text string, width int) string {
	letters := []rune(text)
	for n := len(letters); n > 0 && c.width(text) > width; n-- {
		end := n / 3
		text = string(letters[:n-end-1]) + "…" + string(letters[len(letters)-end:])
	}
	return text
}

func (c *canvas) rect(left, top, right, bottom int, color charts.Color) {
	c.FilledRect(left, top, right, bottom, color, charts.ColorTransparent, 0)
}

func (c *canvas) line(color charts.Color, width float64, points ...charts.Point) {
	if len(points) > 1 {
		c.LineStroke(points, color, width)
	}
}

// shapes are the marks, which differ also in size to the eye.
var shapes = []func(c *canvas, x, y int, fill, stroke charts.Color){
	func(c *canvas, x, y int, fill, stroke charts.Color) { c.Circle(3.5, x, y, fill, stroke, 1.5) },
	func(c *canvas, x, y int, fill, stroke charts.Color) {
		c.FilledRect(x-3, y-3, x+3, y+3, fill, stroke, 1.5)
	},
	func(c *canvas, x, y int, fill, stroke charts.Color) { c.FilledDiamond(x, y, 10, 10, fill, stroke, 1.5) },
	func(c *canvas, x, y int, fill, stroke charts.Color) {
		corners := []charts.Point{{X: x - 4, Y: y + 4}, {X: x + 4, Y: y + 4}, {X: x, Y: y - 4}, {X: x - 4, Y: y + 4}}
		c.FillArea(corners, fill)
		c.LineStroke(corners, stroke, 1.5)
	},
}

// mark draws a point. Hollow ones do not count.
func (c *canvas) mark(shape, x, y int, color charts.Color, hollow bool) {
	fill := color
	if hollow {
		fill = paint(paintPaper, 0, 0)
	}
	shapes[shape%len(shapes)](c, x, y, fill, color)
}
