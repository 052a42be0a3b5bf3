// Package page writes results of experiments as pages: one HTML file that needs no other file and
// no network, and Markdown with the pictures beside it.
//
// A [Page] has groups of chapters. [Of] makes a [Chapter] of a result. Values of
// this package are plain: several goroutines may read one, or one may change it.
package page

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/plot"
	"github.com/ichor-go/ichor/bench/internal/summary"
)

// A Page is a report.
type Page struct {
	Title   string
	Lead    []string // paragraphs
	Partial string   // why the page is incomplete, or ""
	Facts   []Fact   // about the machine and the run
	Terms   []Fact   // words that the page uses
	Summary []string // names of chapters, see Highlights
	Groups  []Group  // the page leaves out groups without chapters
}

// A Highlight is a chapter in the summary, which begins the page: its first picture, small, and the
// sentence that matters most.
type Highlight struct {
	Chapter *Chapter
	Group   string // the title of its group
	Says    string
}

// highlights is the greatest number of highlights.
const highlights = 5

// Highlights are up to five chapters with pictures and sentences: first those of Summary, and then
// others in their order.
func (p *Page) Highlights() (list []Highlight) {
	add := func(want func(name string) bool) {
		for _, g := range p.Groups {
			for i := range g.Chapters {
				c := &g.Chapters[i]
				if len(list) < highlights && want(c.Name) && len(c.Plots) > 0 && len(c.Says) > 0 {
					list = append(list, Highlight{c, g.Title, cmp.Or(c.Headline, c.Says[0])})
				}
			}
		}
	}
	for _, name := range p.Summary {
		add(func(have string) bool { return have == name })
	}
	add(func(name string) bool { return !slices.Contains(p.Summary, name) })
	return list
}

// A Fact is a line about the machine or the run, or the meaning of a term.
type Fact struct{ Name, Value string }

// A Group has the chapters under one heading.
type Group struct {
	Title    string
	Text     []string // paragraphs
	Chapters []Chapter
}

// A Chapter shows one scenario.
type Chapter struct {
	Name     string // short: the anchor in the page, and the start of the names of pictures
	Title    string
	Question string // one sentence
	Details  string // the meaning of the words in the table
	Plots    []Plot
	Tables   []Table
	Says     []string // what follows from the tables
	Headline string   // the sentence for the summary; "" is the first of Says
	Command  string   // the command that repeats the measurement
	Trouble  string   // why the chapter is incomplete, or ""
	Warnings []string // what makes the chapter doubtful
}

// A Plot is a picture with a caption.
type Plot struct {
	Name    string // for the name of the file; one plot of a chapter may have none
	Caption string
	plot.Picture
}

// A Table is a table with captions.
type Table struct {
	*summary.Table
	Notes []string
}

// Of makes a chapter of a result: with its question, its tables and what follows from them. The
// caller adds title, plots and command.
func Of(res *experiment.Result) Chapter {
	c := Chapter{Name: res.Scenario.Name, Title: res.Scenario.Name}
	c.Question, c.Details = splitQuestion(res.Scenario.Question)
	c.Tables = append(c.Tables, Table{summary.ResultTable(res), summary.Notes(res)})
	if laws := summary.LawTable(res); laws != nil {
		c.Tables = append(c.Tables, Table{laws, summary.LawNotes(res)})
	}
	if res.Partial {
		c.Trouble = "Not all of its samples were taken."
	}
	c.Warnings = res.Warnings()
	c.Says = summary.Conclusions(res)
	return c
}

// splitQuestion splits a question into its first sentence and the explanation after it, which may
// be in parentheses.
func splitQuestion(text string) (question, details string) {
	question, details, cut := strings.Cut(text, "? ")
	if !cut {
		return text, ""
	}
	if inner, ok := strings.CutPrefix(details, "("); ok && strings.HasSuffix(inner, ")") {
		details = strings.TrimSuffix(inner, ")")
	}
	return question + "?", details
}

// File is the name of the file of a plot.
func (c *Chapter) File(p *Plot) string {
	if p.Name == "" {
		return c.Name + ".svg"
	}
	return c.Name + "-" + p.Name + ".svg"
}

// Names of the files that Write makes beside the pictures.
const (
	HTMLFile     = "index.html"
	MarkdownFile = "report.md"
)

// Write writes the page into a folder: index.html, report.md, and a file for each picture. It
// makes the folder if there is none, and replaces files of these names.
func (p *Page) Write(folder string) error {
	html, err := p.HTML()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	put := func(name string, b []byte) {
		err = errors.Join(err, os.WriteFile(filepath.Join(folder, name), b, 0o666))
	}
	for _, g := range p.Groups {
		for _, c := range g.Chapters {
			for i := range c.Plots {
				put(c.File(&c.Plots[i]), c.Plots[i].Picture.File())
			}
		}
	}
	put(HTMLFile, html)
	put(MarkdownFile, p.Markdown())
	return err
}
