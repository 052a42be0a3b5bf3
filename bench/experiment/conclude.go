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

// Claim appends a sentence that a ratio supports: the subject, a colon, and the format, whose
// first verb, %v, is the ratio with its interval. If the interval includes 1, the sentence
// would claim what was not shown. Then Claim appends that no difference was shown, and how
// many samples would show one. If the ratio is missing, it appends nothing. It is for
// Scenario.Conclude.
func Claim(lines []string, subject string, ratio Stat, format string, args ...any) []string {
	switch {
	case ratio.Missing():
		return lines
	case !ratio.Shown():
		return append(lines, subject+": "+ratio.verdict()+".")
	}
	return append(lines, subject+": "+fmt.Sprintf(format, append([]any{ratio}, args...)...))
}

// Item appends a ratio to a list for [Say]: its name and the ratio with its interval, or that
// no difference was shown. If the ratio is missing, it appends nothing.
func Item(list []string, name string, ratio Stat) []string {
	switch {
	case ratio.Missing():
		return list
	case !ratio.Shown() && ratio.Low != ratio.High:
		return append(list, name+": "+strings.Replace(ratio.verdict(), "; ", ", ", 1))
	}
	return append(list, name+" "+ratio.String())
}

// Say appends a sentence to lines, unless one of its figures is missing: a Stat or a number
// that is NaN, or an empty list. A Stat is written with its interval; if it is a ratio that is
// not 1 for sure, the sentence says so behind it. A []string is written with semicolons. It is
// for Scenario.Conclude. [Claim] is for sentences that are about one ratio.
func Say(lines []string, format string, args ...any) []string {
	args = slices.Clone(args)
	for i, a := range args {
		missing := false
		switch v := a.(type) {
		case float64:
			missing = math.IsNaN(v)
		case Figure:
			missing = math.IsNaN(float64(v))
		case Stat:
			if missing = v.Missing(); v.Metric == ratioUnit && v.Known() && !v.Shown() {
				args[i] = v.String() + " (no difference shown)"
			}
		case []string:
			missing = len(v) == 0
			args[i] = strings.Join(v, "; ")
		}
		if missing {
			return lines
		}
	}
	return append(lines, fmt.Sprintf(format, args...))
}

// human writes a number with three digits or more, with k, M or G from 10,000 on, and with an
// exponent from 10,000 G on.
func human(v float64) string {
	a := math.Abs(v)
	switch {
	case a >= 1e13:
		return fmt.Sprintf("%.3g", v)
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
