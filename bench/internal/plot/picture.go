package plot

import (
	"fmt"
	"strings"
)

// A Picture is a drawing in light or dark colours, as the reader prefers. Immutable.
type Picture struct{ full, small string } // elements of a page

// newElement makes an element of what is drawn. Screen readers read the title and the description.
func newElement(c *canvas, wide, high float64, title, description string) string {
	return fmt.Sprintf(`<svg width="%[1]s" height="%[2]s" viewBox="0 0 %[1]s %[2]s" font-size="%[3]s" role="img"><title>%[4]s</title><desc>%[5]s</desc><rect class="%[6]s" width="%[1]s" height="%[2]s"/>`,
		px(wide), px(high), px(c.letter), xmlText(title), xmlText(description), inkPaper.fill()) + c.drawn.String() + "</svg>"
}

// File is the picture as a file of its own.
func (p Picture) File() []byte {
	begin, rest, _ := strings.Cut(p.full, "<title>")
	begin = strings.Replace(begin, "<svg ", `<svg xmlns="http://www.w3.org/2000/svg" `, 1)
	return []byte(begin + "<style>" + Style + "</style><title>" + rest + "\n")
}

// Inline is the picture as an element of a page that has Style among its styles.
func (p Picture) Inline() string { return p.full }

// Thumb is a small version of the picture, as an element of such a page. It leaves out what there is no
// room for.
func (p Picture) Thumb() string { return p.small }

// Style is the style sheet of pictures.
var Style = style()

// seriesColors are colours for light and for dark paper. A search found those that differ most for readers
// of all kinds, also for those who see no red, no green or no blue; the first ones differ most.
var seriesColors = [][2]string{
	{"#1b44e6", "#1a6ae6"}, {"#d3490c", "#f2532b"}, {"#09a373", "#9be2b7"}, {"#64238e", "#cb8ae2"},
	{"#9984a2", "#8a8d8f"}, {"#962153", "#db1633"}, {"#0b7473", "#4dd4c9"}, {"#513b03", "#dbba64"},
}

// maxSeries is the greatest number of colours in a plot.
var maxSeries = len(seriesColors)

var partColors = map[ink][2]string{
	inkText: {"#22272e", "#d5dae0"}, inkGrid: {"#e3e6ea", "#343b44"}, inkAxis: {"#848d97", "#768390"}, inkPaper: {"#ffffff", "#16191d"},
}

func style() string {
	var light, dark strings.Builder
	add := func(i ink, colors [2]string) {
		for k, b := range []*strings.Builder{&light, &dark} {
			fmt.Fprintf(b, ".%s{stroke:%s}.%s{fill:%s}", i.stroke(), colors[k], i.fill(), colors[k])
			if i == inkText {
				fmt.Fprintf(b, "svg text{fill:%s}", colors[k])
			}
		}
	}
	for i, c := range seriesColors {
		add(ink(i), c)
	}
	for _, i := range []ink{inkText, inkGrid, inkAxis, inkPaper} {
		add(i, partColors[i])
	}
	return "svg{max-width:100%;height:auto}svg text{font-family:Roboto,Arial,'Liberation Sans',Helvetica,sans-serif}" + light.String() +
		"@media (prefers-color-scheme:dark){" + dark.String() + "}"
}
