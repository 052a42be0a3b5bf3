package command

import (
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/ichor-go/ichor/bench/experiment"
)

// listWidth is that of a terminal that nobody has made wider.
const listWidth = 80

// widestName is the width of the column of names, at most.
const widestName = 24

// List writes the names and questions of the scenarios in 80 columns. Without names it writes all
// scenarios, with the first sentence of each question. With names it writes these, and all that
// their questions say. The error for a name that is not there is a UsageError.
func List(w io.Writer, scenarios []experiment.Scenario, names ...string) error {
	picked, err := Chosen(scenarios, names)
	if err != nil {
		return err
	}
	var b strings.Builder
	width := 0
	for _, s := range picked {
		width = min(max(width, text.StringWidthWithoutEscSequences(s.Name)), widestName)
	}
	for _, s := range picked {
		question := s.Question
		if first, _, more := strings.Cut(question, "? "); more && len(names) == 0 {
			question = first + "?"
		}
		name := s.Name
		if text.StringWidthWithoutEscSequences(name) > width { // on a line of its own
			b.WriteString(name + "\n")
			name = ""
		}
		for line := range strings.SplitSeq(text.WrapSoft(question, listWidth-width-2), "\n") {
			b.WriteString(strings.TrimRight(text.Pad(name, width, ' ')+"  "+strings.TrimSpace(line), " ") + "\n")
			name = ""
		}
	}
	_, err = io.WriteString(w, b.String())
	return err
}
