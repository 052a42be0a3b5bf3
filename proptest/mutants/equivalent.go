package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// equivalent is a mutant that no test could tell from the original code, and the reason.
type equivalent struct {
	mutant Mutant // the fields that identify it
	reason string
	line   int
}

// The table of equivalent mutants is between these lines, with one mutant a row:
//
//	| package | function | operator | text → change | reason |
//
// If the function has several mutants with the same operator and text, a number follows the
// operator. A | in a text is written \|.
const (
	tableBegin = "<!-- equivalent mutants -->"
	tableEnd   = "<!-- end of equivalent mutants -->"
)

// readEquivalents reads the table of a page. A page without a table has no equivalents.
func readEquivalents(name string) ([]equivalent, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	var all []equivalent
	lines := bufio.NewScanner(f)
	inside, rows, line := false, 0, 0
	for lines.Scan() {
		line++
		text := strings.TrimSpace(lines.Text())
		switch {
		case text == tableBegin:
			inside, rows = true, 0
		case text == tableEnd:
			inside = false
		case inside && strings.HasPrefix(text, "|"):
			if rows++; rows <= 2 {
				continue // the head
			}
			e, err := parseEquivalent(text)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, line, err)
			}
			e.line = line
			all = append(all, e)
		}
	}
	return all, lines.Err()
}

// parseEquivalent reads a row.
func parseEquivalent(row string) (equivalent, error) {
	const bar = "\x00"
	row = strings.Trim(strings.ReplaceAll(row, `\|`, bar), "|")
	cells := strings.Split(row, "|")
	for i := range cells {
		cells[i] = strings.Trim(strings.TrimSpace(strings.ReplaceAll(cells[i], bar, "|")), "`")
	}
	if len(cells) != 5 {
		return equivalent{}, fmt.Errorf("a row of %d cells: want package, function, operator, change, reason", len(cells))
	}
	m := Mutant{Package: cells[0], Func: cells[1], Nth: 1}
	if _, err := fmt.Sscanf(cells[2], "%s %d", &m.Op, &m.Nth); err != nil && strings.Contains(cells[2], " ") {
		return equivalent{}, fmt.Errorf("operator %q: want one like %q or %q", cells[2], "del", "del 2")
	}
	i := strings.LastIndex(cells[3], " → ")
	if i < 0 {
		return equivalent{}, fmt.Errorf("change %q: want text → change", cells[3])
	}
	m.Text, m.To = cells[3][:i], cells[3][i+len(" → "):]
	if cells[4] == "" {
		return equivalent{}, fmt.Errorf("%s is equivalent without a reason", cells[3])
	}
	return equivalent{mutant: m, reason: cells[4]}, nil
}

// row returns a mutant's row, without a reason.
func row(m Mutant) string {
	o := string(m.Op)
	if m.Nth > 1 {
		o += fmt.Sprint(" ", m.Nth)
	}
	text := strings.ReplaceAll(m.Text+" → "+m.To, "|", `\|`)
	return fmt.Sprintf("| %s | `%s` | %s | `%s` | |", m.Package, m.Func, o, text)
}
