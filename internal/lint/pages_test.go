package lint

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The pages must be correct: Go snippets are code that is compiled and run
// (snippets_test.go), commands name what exists (commands_test.go), and links lead
// somewhere.

// root is the root of the module, as seen from this package.
const root = "../.."

// page is a Markdown file, without the blocks of code in it.
type page struct {
	name   string // relative to the root
	prose  string
	blocks []block
}

// block is the text between two lines of ```.
type block struct {
	line int
	info string // the text after the first ```
	code []string
}

// readPage splits a page into prose and blocks.
func readPage(name, text string) page {
	p := page{name: name}
	var prose []string
	var open *block
	for i, line := range strings.Split(text, "\n") {
		info, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && open == nil:
			open = &block{line: i + 1, info: strings.TrimSpace(info)}
		case fence:
			p.blocks = append(p.blocks, *open)
			open = nil
		case open != nil:
			open.code = append(open.code, line)
		default:
			prose = append(prose, line)
		}
	}
	if open != nil {
		p.blocks = append(p.blocks, *open)
	}
	p.prose = strings.Join(prose, "\n")
	return p
}

// walk calls f for every file of the module with the ending. name is relative to the
// root.
func walk(t testing.TB, ending string, f func(name, text string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ending) {
			return nil
		}
		text, err := os.ReadFile(path)
		name, relErr := filepath.Rel(root, path)
		if err == nil && relErr == nil {
			f(filepath.ToSlash(name), string(text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func pages(t testing.TB) (all []page) {
	walk(t, ".md", func(name, text string) { all = append(all, readPage(name, text)) })
	if len(all) < 10 {
		t.Fatalf("only %d pages were found", len(all))
	}
	return all
}

// link matches [text](target), a link in Markdown.
var link = regexp.MustCompile(`\]\(([^()\s]+)\)`)

// checkLinks returns what is wrong with the links of a page that lead into the
// repository.
func checkLinks(p page) (wrong []string) {
	for _, m := range link.FindAllStringSubmatch(p.prose, -1) {
		target, anchor, _ := strings.Cut(m[1], "#")
		if strings.Contains(target, "://") {
			continue
		}
		path := filepath.Join(root, filepath.Dir(p.name), target)
		if target == "" {
			path = filepath.Join(root, p.name)
		}
		text, err := os.ReadFile(path)
		if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
			err = nil
		}
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: the link %s leads nowhere", p.name, m[1]))
		} else if anchor != "" && !hasHeading(readPage(target, string(text)), anchor) {
			wrong = append(wrong, fmt.Sprintf("%s: the link %s leads to no heading", p.name, m[1]))
		}
	}
	return wrong
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// hasHeading reports whether a page has a heading for which GitHub makes the anchor.
func hasHeading(p page, anchor string) bool {
	for line := range strings.SplitSeq(p.prose, "\n") {
		text, ok := strings.CutPrefix(line, "#")
		text = strings.ToLower(strings.TrimSpace(strings.TrimLeft(text, "#")))
		if ok && strings.ReplaceAll(notInAnchor.ReplaceAllString(text, ""), " ", "-") == anchor {
			return true
		}
	}
	return false
}

func TestLinks(t *testing.T) {
	for _, p := range pages(t) {
		for _, w := range checkLinks(p) {
			t.Error(w)
		}
	}
}

// TestCheckLinks tries broken links, and some that are right.
func TestCheckLinks(t *testing.T) {
	p := readPage("docs/planted.md", "[a](no.md) [b](../README.md) [c](../README.md#when-not-to-use-it) [d](../README.md#none)\n"+
		"[e](https://example.org/x) [f](#nothing) [g](../examples)\n```\n[h](code.md)\n```\n")
	got := strings.Join(checkLinks(p), "\n")
	want := "docs/planted.md: the link no.md leads nowhere\n" +
		"docs/planted.md: the link ../README.md#none leads to no heading\n" +
		"docs/planted.md: the link #nothing leads nowhere"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// unlisted returns the pages of docs/ that its index does not link to.
func unlisted(all []page) (missing []string) {
	listed := map[string]bool{"docs/README.md": true}
	for _, p := range all {
		if p.name == "docs/README.md" {
			for _, m := range link.FindAllStringSubmatch(p.prose, -1) {
				listed["docs/"+m[1]] = true
			}
		}
	}
	for _, p := range all {
		if strings.HasPrefix(p.name, "docs/") && !listed[p.name] {
			missing = append(missing, p.name)
		}
	}
	return missing
}

// TestIndex checks that the index of docs/ links to every page.
func TestIndex(t *testing.T) {
	for _, name := range unlisted(pages(t)) {
		t.Errorf("docs/README.md has no link to %s", name)
	}
	planted := []page{readPage("docs/README.md", "[a](a.md)"), readPage("docs/a.md", ""), readPage("docs/b.md", ""), readPage("c.md", "")}
	if got := strings.Join(unlisted(planted), " "); got != "docs/b.md" {
		t.Errorf("of the planted pages %s are unlisted, want docs/b.md", got)
	}
}

// testName is the name of a test in code quotes.
var testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark|Example)[A-Z]\\w*)`")

// TestNames checks that the tests that pages name exist.
func TestNames(t *testing.T) {
	defined := map[string]bool{}
	for _, f := range testFuncs(t) {
		defined[f.name] = true
	}
	named := 0
	for _, p := range pages(t) {
		for _, m := range testName.FindAllStringSubmatch(p.prose, -1) {
			named++
			if !defined[m[1]] {
				t.Errorf("%s names %s, which does not exist", p.name, m[1])
			}
		}
	}
	if named < 100 {
		t.Errorf("only %d names of tests were found", named)
	}
}

// testFunc is a test, a fuzz target, a benchmark or an example.
type testFunc struct{ dir, name string }

var testDecl = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)\w*)\(`)

func testFuncs(t testing.TB) (all []testFunc) {
	walk(t, "_test.go", func(name, text string) {
		for _, m := range testDecl.FindAllStringSubmatch(text, -1) {
			all = append(all, testFunc{filepath.ToSlash(filepath.Dir(name)), m[1]})
		}
	})
	return all
}
