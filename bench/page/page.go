// Package page writes results of experiments for readers: as one HTML page, which needs
// nothing else and no network, and as Markdown with the pictures beside it.
//
// A [Page] has groups of chapters, and a [Chapter] is made from a result by [Of]. Values of
// this package are plain: several goroutines may read one, or one may change it.
package page

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/plot"
	"github.com/ichor-go/ichor/bench/internal/summary"
)

// A Page is a report.
type Page struct {
	Title   string
	Lead    []string // paragraphs
	Partial string   // why it is incomplete, "" if it is not
	Facts   []Fact   // of the machine and the run
	Terms   []Fact   // words that the page uses
	Groups  []Group  // those without chapters are left out
}

// A Fact is a line about the machine or the run, or of what a word means.
type Fact struct{ Name, Value string }

// A Group is chapters under a heading of their own.
type Group struct {
	Title    string
	Text     []string // paragraphs
	Chapters []Chapter
}

// A Chapter is what there is to say of one scenario.
type Chapter struct {
	Name     string // short; the anchor in the page, and how files of pictures begin
	Title    string
	Question string // in a sentence
	Details  string // what the words mean that the table uses
	Plots    []Plot
	Tables   []Table
	Says     []string // what it means
	Command  string   // which repeats it
	Trouble  string   // why it is incomplete, "" if it is not
}

// A Plot is a picture with a caption.
type Plot struct {
	Name    string // of the file; one of a chapter may be ""
	Caption string
	plot.Picture
}

// A Table has captions.
type Table struct {
	*summary.Table
	Notes []string
}

// Of makes a chapter of a result, with its question, its tables and what it concludes.
// Title, plots and command are the caller's.
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
	c.Says = summary.Conclusions(res)
	return c
}

// splitQuestion parts the sentence from what explains it, which may be in parentheses.
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

// File is the name of a chapter's picture.
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

// Write writes the page into a folder, which it makes: index.html, report.md, and a file
// for each picture. What is there under these names is replaced.
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
