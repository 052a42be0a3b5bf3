package plot

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/go-analyze/charts"
)

// A Picture is a drawing in light or dark colours, as the reader prefers. Immutable.
type Picture struct{ svg, small string }

// File is the picture as a file of its own.
func (p Picture) File() []byte {
	return []byte(strings.Replace(p.svg, ">", "><style>"+Style+"</style>", 1) + "\n")
}

// Inline is the picture as an element of a page that has Style among its styles.
func (p Picture) Inline() string {
	return strings.Replace(p.svg, ` xmlns="http://www.w3.org/2000/svg"`, "", 1)
}

// Thumb is a small version of the picture, as an element of such a page. It leaves out what there is no
// room for.
func (p Picture) Thumb() string { return Picture{svg: p.small}.Inline() }

// Style is the style sheet of pictures.
var Style = style()

// Parts of a picture. The plotting library is given a color for each part, from which newPicture
// makes a class: its red is the part, its green the number of the series, and its blue how the
// line is drawn.
const (
	paintSeries = iota + 1
	paintText
	paintGrid
	paintAxis
	paintPaper
)

const (
	strokeSolid = iota
	strokeThin
	strokeDashed
)

func paint(part, index, stroke int) charts.Color {
	return charts.Color{R: uint8(part), G: uint8(index), B: uint8(stroke), A: 255}
}

// seriesColors are colors for light and for dark paper. They are as different as possible, even to
// a reader who cannot tell red from green.
var seriesColors = [][2]string{
	{"#1f5fc4", "#6ea8ff"}, {"#c8500a", "#ff9a52"}, {"#157a4a", "#4fd08f"}, {"#8e3db0", "#d28cf0"},
	{"#5b6470", "#aab4c0"}, {"#a8153f", "#ff7d9c"}, {"#0b7a85", "#45cbd8"}, {"#7d5a00", "#e0b84a"},
}

// maxSeries is the greatest number of lines in a plot.
var maxSeries = len(seriesColors)

var partColors = map[int][2]string{
	paintText: {"#22272e", "#d5dae0"}, paintGrid: {"#e3e6ea", "#343b44"}, paintAxis: {"#8b949e", "#768390"}, paintPaper: {"#ffffff", "#16191d"},
}

func style() string {
	var light, dark strings.Builder
	add := func(name string, colors [2]string) {
		for i, b := range []*strings.Builder{&light, &dark} {
			fmt.Fprintf(b, ".k%s{stroke:%s}.f%s{fill:%s}", name, colors[i], name, colors[i])
		}
	}
	for i, c := range seriesColors {
		for stroke := range 3 {
			add(fmt.Sprintf("%d-%d-%d", paintSeries, i, stroke), c)
		}
		fmt.Fprintf(&light, ".k%d-%d-%d{stroke-dasharray:5 4}", paintSeries, i, strokeDashed)
	}
	add(fmt.Sprintf("%d-0-%d", paintText, strokeDashed), partColors[paintText])
	fmt.Fprintf(&light, ".k%d-0-%d{stroke-dasharray:5 4}", paintText, strokeDashed)
	for _, part := range []int{paintText, paintGrid, paintAxis, paintPaper} {
		add(fmt.Sprintf("%d-0-0", part), partColors[part])
	}
	return "svg text{font-family:Roboto,Arial,'Liberation Sans',Helvetica,sans-serif}" + light.String() + "@media (prefers-color-scheme:dark){" + dark.String() + "}"
}

var (
	styleAttribute = regexp.MustCompile(`style="([^"]*)"`)
	paintedColor   = regexp.MustCompile(`^(stroke|fill):rgb\((\d+),(\d+),(\d+)\)$`)
)

// newPicture replaces the colors of a drawing of the plotting library by classes of Style. Screen
// readers read the label.
func newPicture(drawn []byte, label string) string {
	svg := styleAttribute.ReplaceAllStringFunc(string(drawn), func(attribute string) string {
		var classes, rest []string
		for d := range strings.SplitSeq(styleAttribute.FindStringSubmatch(attribute)[1], ";") {
			if m := paintedColor.FindStringSubmatch(d); m != nil {
				classes = append(classes, fmt.Sprintf("%c%s-%s-%s", map[string]rune{"stroke": 'k', "fill": 'f'}[m[1]], m[2], m[3], m[4]))
			} else if d != "" && !strings.HasPrefix(d, "font-family") {
				rest = append(rest, d)
			}
		}
		return fmt.Sprintf(`class="%s" style="%s"`, strings.Join(classes, " "), strings.Join(rest, ";"))
	})
	svg = strings.TrimSpace(strings.Replace(svg, ` xmlns:xlink="http://www.w3.org/1999/xlink"`, "", 1))
	return strings.Replace(svg, " viewBox", fmt.Sprintf(" role=\"img\" aria-label=%q viewBox", xmlText(label)), 1)
}

func xmlText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\\", "/").Replace(s)
}
