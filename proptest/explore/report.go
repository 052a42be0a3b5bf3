//go:build explore

package explore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ichor-go/ichor/proptest/explore/internal/engine"
)

// report is a failing schedule for a reader.
type report struct {
	Test     string   `json:"test"`
	Error    string   `json:"error"`
	How      string   `json:"how"` // how it was found
	Schedule string   `json:"schedule"`
	Replay   string   `json:"replay"` // the command that runs it again
	Threads  []string `json:"goroutines"`
	Rows     []row    `json:"rows"`
}

// row is a row of the table.
type row struct {
	Step   int            `json:"step,omitempty"` // its number in the schedule, if it is a step
	Thread int            `json:"goroutine"`
	Text   string         `json:"text"`
	Value  string         `json:"value,omitempty"` // what was read or written
	Switch string         `json:"switch,omitempty"`
	Log    bool           `json:"log,omitempty"` // the program has said it
	File   string         `json:"file,omitempty"`
	Line   int            `json:"line,omitempty"`
	Source string         `json:"source,omitempty"`
	Stack  []engine.Frame `json:"stack,omitempty"`
}

func newReport(test string, f *engine.Failure, how string) *report {
	r := &report{Test: test, Error: f.Err.Error(), How: how, Schedule: f.Schedule.String(), Threads: f.Threads}
	r.Replay = fmt.Sprintf("%s='%s' %s -run '%s' %s", Variable, r.Schedule, command(), pattern(test), folder())
	files := sources{}
	for _, x := range f.Rows {
		y := row{Step: x.Step, Thread: x.Thread, Text: x.Op, Value: x.Value, Switch: x.Switch, Log: x.Log, Stack: x.Stack}
		if x.Object != "" {
			y.Text += " " + x.Object
		}
		if len(x.Stack) > 0 {
			f := engine.Outer(x.Stack)
			y.File, y.Line = f.File, f.Line
			y.Source = files.line(y.File, y.Line)
		}
		r.Rows = append(r.Rows, y)
	}
	return r
}

// command returns the command that runs tests in this way. The command explore says its own.
func command() string {
	if c := os.Getenv("EXPLORE_COMMAND"); c != "" {
		return c
	}
	if engine.Racy {
		return "go test -tags explore -race"
	}
	return "go test -tags explore"
}

// pattern returns the pattern that selects a test.
func pattern(test string) string {
	parts := strings.Split(test, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// sources are the lines of source files.
type sources map[string][]string

// line returns a line of a file, or "" if it cannot be read.
func (s sources) line(file string, n int) string {
	lines, ok := s[file]
	if !ok {
		if b, err := os.ReadFile(file); err == nil {
			lines = strings.Split(string(b), "\n")
		}
		s[file] = lines
	}
	if n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimSpace(lines[n-1])
}

// mostRows bounds the rows on a terminal: the last ones matter.
const mostRows = 200

// The widths of a column for a goroutine.
const (
	narrowest = 10
	widest    = 34
)

// Text returns the report for a terminal: a column for each goroutine, a row for each step.
func (r *report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "explore: %s\n", r.Error)
	fmt.Fprintf(&b, "%s; steps from the top down:\n\n", r.How)
	width := make([]int, len(r.Threads))
	for i, name := range r.Threads {
		width[i] = max(narrowest, min(widest, utf8.RuneCountInString(name)))
	}
	for _, x := range r.Rows {
		width[x.Thread] = max(width[x.Thread], min(widest, utf8.RuneCountInString(x.cell())))
	}
	line := func(step, thread int, cell, rest string) {
		var l strings.Builder
		if step > 0 {
			fmt.Fprintf(&l, "%5d ", step)
		} else {
			l.WriteString("      ")
		}
		for i := range r.Threads {
			text := ""
			if i == thread {
				text = cell
			}
			l.WriteString("| " + pad(text, width[i]) + " ")
		}
		l.WriteString("| " + rest)
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	var head strings.Builder
	head.WriteString(" step ")
	for i, name := range r.Threads {
		head.WriteString("| " + pad(name, width[i]) + " ")
	}
	b.WriteString(head.String() + "|\n")
	for _, w := range append([]int{4}, width...) {
		b.WriteString(strings.Repeat("-", w+2) + "+")
	}
	b.WriteString("\n")
	rows := r.Rows
	if left := len(rows) - mostRows; left > 0 {
		fmt.Fprintf(&b, "      . %d rows are left out; a folder in EXPLORE_OUT has them\n", left)
		rows = rows[left:]
	}
	for _, x := range rows {
		if x.Switch != "" {
			fmt.Fprintf(&b, "      . %s\n", x.Switch)
		}
		where := ""
		if x.File != "" {
			where = fmt.Sprintf("%s:%d  %s", filepath.Base(x.File), x.Line, x.Source)
		}
		line(x.Step, x.Thread, x.cell(), where)
	}
	if r.Replay != "" {
		fmt.Fprintf(&b, "\nTo run this schedule again:\n\t%s\n", r.Replay)
	}
	return b.String()
}

// cell returns the text in a goroutine's column.
func (x *row) cell() string {
	switch {
	case x.Log:
		return fmt.Sprintf("%q", x.Text)
	case x.Value != "":
		return x.Text + " " + x.Value
	}
	return x.Text
}

// pad fills a text up to a width, or cuts it.
func pad(text string, width int) string {
	n := utf8.RuneCountInString(text)
	if n > width {
		return string([]rune(text)[:width-1]) + "~"
	}
	return text + strings.Repeat(" ", width-n)
}

// Write writes the report as JSON and as a page, into the folder that EXPLORE_OUT names, if it names one.
func (r *report) Write(t testing.TB) error {
	dir := os.Getenv("EXPLORE_OUT")
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("explore: EXPLORE_OUT: %w", err)
	}
	base := filepath.Join(dir, strings.NewReplacer("/", "_", " ", "_", "\\", "_").Replace(r.Test))
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("explore: %w", err)
	}
	var page bytes.Buffer
	if err := r.Page(&page); err != nil {
		return fmt.Errorf("explore: %w", err)
	}
	for name, b := range map[string][]byte{base + ".json": text, base + ".html": page.Bytes()} {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			return fmt.Errorf("explore: EXPLORE_OUT: %w", err)
		}
		t.Logf("explore: written: %s", name)
	}
	return nil
}
