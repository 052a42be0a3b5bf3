package plot

import (
	"bytes"
	"encoding/xml"
	"strconv"
	"strings"
	"sync"

	svg "github.com/ajstarks/svgo/float"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/text/width"
)

// A canvas draws the elements of an SVG document. Coordinates are in pixels, from the top left corner.
type canvas struct {
	*svg.SVG
	drawn  *bytes.Buffer
	letter float64 // the size of letters
	face   font.Face
}

type point struct{ x, y float64 }

// A box is a part of the figure: from a corner to the opposite one.
type box struct{ left, top, right, bottom float64 }

// measureFont measures texts. It is not the reader's, which no program knows.
var measureFont = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(goregular.TTF) })

func newCanvas(letter float64) (*canvas, error) {
	f, err := measureFont()
	if err != nil {
		return nil, err
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: letter, DPI: 72})
	drawn := &bytes.Buffer{}
	c := &canvas{SVG: svg.New(drawn), drawn: drawn, letter: letter, face: face}
	c.Decimals = 1
	return c, err
}

// An ink is what something is drawn with: the number of a series, or a part of the figure. The style
// sheet has its colours.
type ink int

const (
	inkText ink = -1 - iota
	inkGrid
	inkAxis
	inkPaper
)

var inkNames = map[ink]string{inkText: "text", inkGrid: "grid", inkAxis: "axis", inkPaper: "paper"}

func (i ink) String() string {
	if i < 0 {
		return inkNames[i]
	}
	return strconv.Itoa(int(i))
}

// stroke and fill are the classes of lines and of areas.
func (i ink) stroke() string { return "k-" + i.String() }
func (i ink) fill() string   { return "f-" + i.String() }

// Where a text is, as seen from the point that it is given.
const (
	left   = "start" // it begins there
	middle = "middle"
	right  = "end"
)

// width is the room that a text needs. The reader's font may be wider than the one that is measured:
// that of many Linux systems is, by a sixth.
func (c *canvas) width(text string) (w float64) {
	for _, r := range text {
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			w += c.letter
			continue
		}
		a, _ := c.face.GlyphAdvance(r)
		w += float64(a) / 64
	}
	return w * 7 / 6
}

func (c *canvas) text(text string, x, y float64, align string) {
	c.Text(x, y, text, attribute("text-anchor", align))
}

// fit shortens a text that is too wide. It leaves out a part in the middle: names that are long often
// differ at their ends.
func (c *canvas) fit(text string, room float64) string {
	letters := []rune(text)
	for n := len(letters); n > 0 && c.width(text) > room; n-- {
		end := n / 3
		text = string(letters[:n-end-1]) + "…" + string(letters[len(letters)-end:])
	}
	return text
}

// wrap divides a list of settings into lines.
func (c *canvas) wrap(list string, room float64) (lines []string) {
	for _, item := range strings.SplitAfter(list, ", ") {
		if n := len(lines) - 1; n >= 0 && c.width(lines[n]+strings.TrimSuffix(item, ", ")) <= room {
			lines[n] += item
		} else {
			lines = append(lines, item)
		}
	}
	for i, l := range lines {
		lines[i] = c.fit(strings.TrimRight(l, " "), room)
	}
	return lines
}

func (c *canvas) rect(b box, fill ink) {
	c.Rect(b.left, b.top, b.right-b.left, b.bottom-b.top, class(fill.fill()))
}

// frame draws the outline of a box, and paper inside.
func (c *canvas) frame(b box, stroke ink) {
	c.Rect(b.left+0.5, b.top+0.5, b.right-b.left-1, b.bottom-b.top-1, class(inkPaper.fill(), stroke.stroke()))
}

// line draws a line through points.
func (c *canvas) line(stroke ink, thick float64, points ...point) { c.path(stroke, thick, points) }

// dashes draws a line of dashes.
func (c *canvas) dashes(stroke ink, thick float64, points ...point) {
	c.path(stroke, thick, points, attribute("stroke-dasharray", "5 4"))
}

// dots draws a dotted line.
func (c *canvas) dots(stroke ink, thick float64, points ...point) {
	c.path(stroke, thick, points, attribute("stroke-dasharray", "1 3"))
}

func (c *canvas) path(stroke ink, thick float64, points []point, more ...string) {
	if len(points) > 1 {
		look := []string{class(stroke.stroke()), attribute("stroke-width", px(thick)), attribute("fill", "none")}
		c.Path(pathData(points), append(look, more...)...)
	}
}

func attribute(name, value string) string { return name + `="` + value + `"` }

func class(names ...string) string { return attribute("class", strings.Join(names, " ")) }

// arrow draws the head of an arrow at the tip. The way is where it points to: one pixel.
func (c *canvas) arrow(stroke ink, thick float64, tip, way point) {
	wing := func(side float64) point {
		return point{tip.x - 4*way.x + 3*side*way.y, tip.y - 4*way.y + 3*side*way.x}
	}
	c.line(stroke, thick, wing(-1), tip, wing(1))
}

// marks are the shapes of points, which differ also in size to the eye. Their centre is at 0, 0.
var marks = [][]point{
	nil, // a circle
	{{-3, -3}, {3, -3}, {3, 3}, {-3, 3}},
	{{-5, 0}, {0, -5}, {5, 0}, {0, 5}},
	{{-4, 4}, {0, -4}, {4, 4}},
}

// mark draws a point. Hollow ones do not count.
func (c *canvas) mark(shape int, at point, color ink, hollow bool) {
	fill := color
	if hollow {
		fill = inkPaper
	}
	classes := class(fill.fill(), color.stroke())
	corners := moved(marks[shape%len(marks)], at)
	if corners == nil {
		c.Circle(at.x, at.y, 3.5, classes)
		return
	}
	c.Path(pathData(corners)+"Z", classes)
}

// moved returns the points, moved.
func moved(points []point, by point) (list []point) {
	for _, p := range points {
		list = append(list, point{p.x + by.x, p.y + by.y})
	}
	return list
}

func pathData(points []point) string {
	var b strings.Builder
	for i, p := range points {
		b.WriteByte("ML"[min(i, 1)])
		b.WriteString(px(p.x) + " " + px(p.y))
	}
	return b.String()
}

// px writes a coordinate, to a tenth of a pixel.
func px(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

// xmlText escapes a text, and replaces what XML cannot have.
func xmlText(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer has no errors
	return b.String()
}
