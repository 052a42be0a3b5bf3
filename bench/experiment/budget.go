package experiment

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Budget is the length of one sample: a duration, or, if Ops is set, a number of operations
// on each thread.
type Budget struct {
	Duration time.Duration
	Ops      int64
}

// UnmarshalText reads what -benchtime takes in go test: 100ms, 2s or 1000x.
func (b *Budget) UnmarshalText(text []byte) error {
	if digits, ok := strings.CutSuffix(string(text), "x"); ok {
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n <= 0 {
			return fmt.Errorf("%q is not a positive number of operations such as 1000x", text)
		}
		*b = Budget{Ops: n}
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a positive duration such as 100ms, nor a count such as 1000x", text)
	}
	*b = Budget{Duration: d}
	return nil
}

// String writes what UnmarshalText reads.
func (b Budget) String() string {
	if b.Ops > 0 {
		return strconv.FormatInt(b.Ops, 10) + "x"
	}
	return b.Duration.String()
}

// WarmUp is the budget of the sample that is thrown away: a quarter of b. That is a guess at
// how long it takes to fault pages in and to train the branch predictors.
func (b Budget) WarmUp() Budget {
	return Budget{Duration: max(b.Duration/4, min(b.Duration, time.Millisecond)), Ops: (b.Ops + 3) / 4}
}
