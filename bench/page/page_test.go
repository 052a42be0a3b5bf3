package page

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ichor-go/ichor/bench/experiment"
	"github.com/ichor-go/ichor/bench/internal/median"
	"github.com/ichor-go/ichor/bench/internal/plot"
)

// nasty is text that is markup in one of the formats.
const nasty = `<script src="http://x">*a*_b_[c](d)|`

// measured is a chapter with a plot of a scenario that does nothing.
func measured(t *testing.T) Chapter {
	t.Helper()
	s := experiment.Scenario{
		Name: "nothing", Question: "How long does nothing take? (An op is nothing.)",
		Plan: func(env *experiment.Env) (*experiment.Plan, error) {
			p := &experiment.Plan{}
			for _, what := range []string{nasty, "more"} {
				p.Variants = append(p.Variants, experiment.Variant{
					Config: experiment.Cfg("what", what, "threads", 1), Metric: experiment.NsOp,
					Sample: func(context.Context, experiment.Budget) (experiment.Sample, error) {
						return experiment.Sample{Value: 3, Ops: 1}, nil
					},
				})
			}
			return p, nil
		},
		Conclude: func(*experiment.Result) []string { return []string{"It takes 3 ns.", nasty} },
	}
	report, err := experiment.Run(t.Context(), []experiment.Scenario{s}, experiment.Options{Env: experiment.Env{Count: median.MinSamples, Budget: experiment.Budget{Ops: 1}}})
	if err != nil {
		t.Fatal(err)
	}
	c := Of(report.Results[0])
	picture, err := plot.Draw(report.Results[0], plot.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Title, c.Command = "Nothing", "go run ./nothing"
	c.Plots = []Plot{{Picture: picture}, {Name: "again", Caption: nasty, Picture: picture}}
	return c
}

func testPage(t *testing.T) *Page {
	failed := Chapter{Name: "failed", Title: "Failed", Trouble: "It failed: " + nasty}
	return &Page{
		Title: "Measured", Lead: []string{nasty}, Partial: "Partial.",
		Facts: []Fact{{"processor", nasty}}, Terms: []Fact{{"word", "what it means"}},
		Groups: []Group{{Title: "One", Text: []string{"text of the group"}, Chapters: []Chapter{measured(t), failed}}, {Title: "No chapters"}},
	}
}

func TestHTML(t *testing.T) {
	html, err := testPage(t).HTML()
	if err != nil {
		t.Fatal(err)
	}
	text := string(html)
	for _, want := range []string{
		"<h1>Measured</h1>", "Partial.", "prefers-color-scheme:dark", `name="viewport"`, `<a href="#nothing">Nothing</a>`, `<section id="nothing">`,
		"How long does nothing take?", "An op is nothing.", "It takes 3 ns.", "go run ./nothing", "text of the group", "It failed: ", "what it means", "Table, 2 rows", "<svg ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(text, "No chapters") {
		t.Error("a group without chapters is shown")
	}
	if found := Fetched(html); found != "" {
		t.Errorf("the page fetches %s", found)
	}
	d := xml.NewDecoder(bytes.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	open := []string{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if open = append(open, token.Name.Local); token.Name.Local == "script" {
				t.Error("text is markup")
			}
		case xml.EndElement:
			if open[len(open)-1] != token.Name.Local {
				t.Fatalf("%v is ended by %s", open, token.Name.Local)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%v stay open", open)
	}
}

// The summary has five chapters at most: those that are asked for first. A chapter without a
// picture or a sentence is none.
func TestHighlights(t *testing.T) {
	chapter := func(name string, says ...string) Chapter {
		return Chapter{Name: name, Title: strings.ToUpper(name), Says: says, Plots: []Plot{{}}}
	}
	p := &Page{Summary: []string{"g", "silent", "b"}, Groups: []Group{
		{Title: "One", Chapters: []Chapter{chapter("a", "1"), chapter("b", "2", "3"), chapter("silent"), {Name: "blind", Says: []string{"4"}}}},
		{Title: "Two", Chapters: []Chapter{chapter("c", "5"), chapter("d", "6"), chapter("e", "7"), chapter("g", "8")}},
	}}
	var got []string
	p.Groups[1].Chapters[3].Headline = "9"
	for _, h := range p.Highlights() {
		got = append(got, h.Chapter.Name+" "+h.Group+" "+h.Says)
	}
	if want := []string{"g Two 9", "b One 2", "a One 1", "c Two 5", "d Two 6"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	html, err := testPage(t).HTML()
	if err != nil {
		t.Fatal(err)
	}
	text := string(html)
	thumb, first := strings.Index(text, `<a class="thumb" href="#nothing">`), strings.Index(text, `<section id="nothing">`)
	if thumb < 0 || thumb > first || strings.Count(text[thumb:first], `role="img"`) != 1 {
		t.Error("the page does not begin with a summary")
	}
	html, err = (&Page{Title: "Empty"}).HTML()
	if err != nil || strings.Contains(string(html), "Summary") {
		t.Errorf("a summary of nothing: %v", err)
	}
}

func TestFetched(t *testing.T) {
	for html, want := range map[string]string{
		`<a href="#here">`:                      "",
		`<p>see http://example.org</p>`:         "",
		`<img src="a.png">`:                     `src="a.png"`,
		`<link rel=x href='http://a/b.css'>`:    `href='http://a/b.css'`,
		`<style>p{background:url(a.png)}`:       "url(",
		`<style>@import "a.css";</style>`:       "@import",
		`<image xlink:href="data.svg"></image>`: `href="data.svg"`,
	} {
		if got := Fetched([]byte(html)); got != want {
			t.Errorf("%s: %q, want %q", html, got, want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	text := string(testPage(t).Markdown())
	for _, want := range []string{
		"# Measured\n", "**Partial.**", "## Summary\n", "* **Nothing** (One): It takes 3 ns.\n", "## One\n", "### Nothing\n", "How long does nothing take?", "* It takes 3 ns.\n",
		"![Nothing](nothing.svg)", "](nothing-again.svg)", "```sh\ngo run ./nothing\n```", "| processor | ", `&lt;script src="http://x">\*a\*\_b\_\[c\](d)\| |`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "<script") || strings.Contains(text, "No chapters") {
		t.Errorf("text is markup, or a group without chapters is shown:\n%s", text)
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := testPage(t).Write(dir); err != nil {
		t.Fatal(err)
	}
	var names []string
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	if want := []string{"index.html", "nothing-again.svg", "nothing.svg", "report.md"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
	text, err := os.ReadFile(filepath.Join(dir, MarkdownFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\]\(([\w-]+\.svg)\)`).FindAllSubmatch(text, -1) {
		svg, err := os.ReadFile(filepath.Join(dir, string(m[1])))
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(svg, new(struct{})); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
	}
	if err := testPage(t).Write(filepath.Join(dir, HTMLFile)); err == nil {
		t.Error("a page was written into a file")
	}
}

func TestSplitQuestion(t *testing.T) {
	for text, want := range map[string][2]string{
		"Why? (Because.)":     {"Why?", "Because."},
		"Why? Because (of x)": {"Why?", "Because (of x)"},
		"Why?":                {"Why?", ""},
		"a question":          {"a question", ""},
	} {
		if q, d := splitQuestion(text); q != want[0] || d != want[1] {
			t.Errorf("%q: %q and %q", text, q, d)
		}
	}
}
