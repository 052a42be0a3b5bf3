package page

import (
	"fmt"
	"strings"

	"github.com/ichor-go/ichor/bench/internal/summary"
)

// Markdown is the page as Markdown. The pictures are files beside it.
func (p *Page) Markdown() []byte {
	var b strings.Builder
	block := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n\n", args...) }
	list := func(lines []string) {
		for _, line := range lines {
			fmt.Fprintf(&b, "* %s\n", markdown(line))
		}
		if len(lines) > 0 {
			b.WriteByte('\n')
		}
	}
	paragraphs := func(texts ...string) {
		for _, text := range texts {
			if text != "" {
				block("%s", markdown(text))
			}
		}
	}
	block("# %s", markdown(p.Title))
	if p.Partial != "" {
		block("**%s**", markdown(p.Partial))
	}
	paragraphs(p.Lead...)
	if list := p.Highlights(); len(list) > 0 {
		block("## Summary")
		for _, h := range list {
			fmt.Fprintf(&b, "* **%s** (%s): %s\n", markdown(h.Chapter.Title), markdown(h.Group), markdown(h.Says))
		}
		b.WriteByte('\n')
	}
	for _, facts := range [][]Fact{p.Facts, p.Terms} {
		t := &summary.Table{Header: []string{"", ""}, Right: []bool{false, false}}
		for _, f := range facts {
			t.Rows = append(t.Rows, []string{f.Name, f.Value})
		}
		if len(t.Rows) > 0 {
			block("%s", markdownTable(t))
		}
	}
	for _, g := range p.Groups {
		if len(g.Chapters) == 0 {
			continue
		}
		block("## %s", markdown(g.Title))
		paragraphs(g.Text...)
		for _, c := range g.Chapters {
			block("### %s", markdown(c.Title))
			paragraphs(c.Question)
			if c.Trouble != "" {
				block("**%s**", markdown(c.Trouble))
			}
			for i := range c.Plots {
				plot := &c.Plots[i]
				alt := plot.Caption
				if alt == "" {
					alt = c.Title
				}
				block("![%s](%s)", markdown(alt), c.File(plot))
			}
			list(c.Says)
			for _, line := range c.Warnings {
				block("**Warning:** %s", markdown(line))
			}
			for _, t := range c.Tables {
				block("%s", markdownTable(t.Table))
				paragraphs(t.Notes...)
			}
			paragraphs(c.Details)
			if c.Command != "" {
				block("```sh\n%s\n```", c.Command)
			}
		}
	}
	return []byte(strings.TrimRight(b.String(), "\n") + "\n")
}

// markdownTable is the table as Markdown, with the texts of its cells escaped.
func markdownTable(t *summary.Table) string {
	escaped := func(cells []string) (out []string) {
		for _, c := range cells {
			out = append(out, markdown(c))
		}
		return out
	}
	e := &summary.Table{Header: escaped(t.Header), Right: t.Right}
	for _, row := range t.Rows {
		e.Rows = append(e.Rows, escaped(row))
	}
	return e.Markdown()
}

var markdownEscapes = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", "&", "&amp;", "\n", " ")

// markdown escapes plain text.
func markdown(text string) string { return markdownEscapes.Replace(text) }
