package experiment

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Figure is a number to be read in a sentence. It is written with three digits or more, and
// with k, M or G from 10,000 on.
type Figure float64

// String writes the number.
func (f Figure) String() string { return human(float64(f)) }

// Say appends a sentence to lines, unless one of its figures is missing: a number that is NaN,
// or an empty list. A []string is written with commas. It is for Scenario.Conclude.
func Say(lines []string, format string, args ...any) []string {
	args = slices.Clone(args)
	for i, a := range args {
		missing := false
		switch v := a.(type) {
		case float64:
			missing = math.IsNaN(v)
		case Figure:
			missing = math.IsNaN(float64(v))
		case []string:
			missing = len(v) == 0
			args[i] = strings.Join(v, ", ")
		}
		if missing {
			return lines
		}
	}
	return append(lines, fmt.Sprintf(format, args...))
}

// human writes a number with three digits or more, and with k, M or G from 10,000 on.
func human(v float64) string {
	a := math.Abs(v)
	switch {
	case a >= 1e10:
		return digits(v/1e9) + " G"
	case a >= 1e7:
		return digits(v/1e6) + " M"
	case a >= 1e4:
		return digits(v/1e3) + " k"
	}
	return digits(v)
}

func digits(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.1 || a == 0:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.2g", v)
}
