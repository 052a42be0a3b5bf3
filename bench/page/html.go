package page

import (
	"bytes"
	_ "embed"
	"html/template"
	"regexp"

	"github.com/ichor-go/ichor/bench/internal/plot"
)

//go:embed page.html
var source string

// openRows is the greatest number of rows of a table that is unfolded from the start.
const openRows = 14

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	// This program makes the style and the pictures, and escapes the texts in them.
	"style":   func() template.CSS { return template.CSS(plot.Style) },
	"picture": func(p Plot) template.HTML { return template.HTML(p.Inline()) },
	"thumb":   func(p Plot) template.HTML { return template.HTML(p.Thumb()) },
	"open":    func(t Table) bool { return len(t.Rows) <= openRows },
	"right":   func(t Table, column int) bool { return t.Right[column] },
}).Parse(source))

// HTML is the page as one file.
func (p *Page) HTML() ([]byte, error) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// fetches matches what makes a browser fetch something: attributes that lead out of the page, and
// imports and URLs in style sheets.
var fetches = regexp.MustCompile(`(?:src|href)\s*=\s*(?:"[^#"][^"]*"|'[^#'][^']*'|[^#"'\s>][^\s>]*)|url\(|@import`)

// Fetched returns a part of the page that makes a browser fetch something, or a link out of the
// page, or "" if there is none. Texts do not count.
func Fetched(html []byte) string {
	for _, tag := range tags.FindAll(html, -1) {
		if found := fetches.Find(tag); found != nil {
			return string(found)
		}
	}
	return ""
}

// tags matches tags and style sheets.
var tags = regexp.MustCompile(`(?s)<style>.*?(?:</style>|$)|<[a-zA-Z][^>]*>`)
