package experiment

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// OpsPerSecond runs body on so many goroutines at once, and adds up their rates. Batches are
// multiples of unit; use 1 if in doubt.
//
// Time starts at the same moment for all lanes, and ends for each lane when its Next returns
// false. So the time that lanes wait for each other counts, such as for a global lock, but
// the last batch of a slow lane does not slow down the others. If the budget is a number of
// operations, the time of all lanes of a role ends with the last one. The time before the first Next
// counts too: a body may attach to a runtime there, but should not build one.
//
// The first error of a body stops the other lanes, and OpsPerSecond returns it. If ctx ends
// first, OpsPerSecond returns the error of ctx: a sample cut short is no sample.
func OpsPerSecond(ctx context.Context, b Budget, threads, unit int, body func(l *Lane) error) (Sample, error) {
	lanes, s, err := runLanes(ctx, b, []Crew{{"", threads, unit, body}})
	s.Value = rate(lanes, "") // of no lanes, if there is an error
	return s, err
}

// NsPerOp runs body on one goroutine and measures the nanoseconds of an operation. The rest is
// as in OpsPerSecond.
func NsPerOp(ctx context.Context, b Budget, unit int, body func(l *Lane) error) (Sample, error) {
	return NsPerOpEach(ctx, b, 1, unit, body)
}

// NsPerOpEach is NsPerOp on so many goroutines at once. The value is the mean over the lanes.
func NsPerOpEach(ctx context.Context, b Budget, threads, unit int, body func(l *Lane) error) (Sample, error) {
	lanes, s, err := runLanes(ctx, b, []Crew{{"", threads, unit, body}})
	for i := range lanes { // none, if there is an error
		l := &lanes[i]
		s.Value += float64(l.end.Nanoseconds()) / float64(l.ops) / float64(threads)
	}
	return s, err
}

// A Crew is the lanes of a sample that do the same.
type Crew struct {
	Role          string // Lane.Role; one word
	Threads, Unit int
	Body          func(l *Lane) error
}

// CrewRates is OpsPerSecond for lanes that do different things at the same time, such as
// readers and writers. The value of the sample is the rate of the first crew; the rates of the
// others are extra metrics, such as "writers-ops/s". What lanes note has the name of the role
// before its unit.
func CrewRates(ctx context.Context, b Budget, crews ...Crew) (Sample, error) {
	lanes, s, err := runLanes(ctx, b, crews)
	for i, c := range crews {
		switch r := rate(lanes, c.Role); {
		case i == 0:
			s.Value = r
		case err == nil:
			err = s.note(c.Role, OpsS, r)
		}
	}
	return s, err
}

// checkCrews returns an error if there is nothing to do, or if roles cannot be told apart.
func checkCrews(b Budget, crews []Crew) error {
	if len(crews) == 0 {
		return errors.New("experiment: a sample without lanes")
	}
	seen := map[string]bool{}
	for _, c := range crews {
		if c.Threads < 1 || c.Unit < 1 || b.Ops <= 0 && b.Duration <= 0 {
			return fmt.Errorf("experiment: a sample of %d threads, unit %d, budget %v", c.Threads, c.Unit, b)
		}
		if seen[c.Role] || strings.ContainsFunc(c.Role, unicode.IsSpace) || c.Role == "" && len(crews) > 1 {
			return fmt.Errorf("experiment: the role %q is there twice, has a space in its name, or has none", c.Role)
		}
		seen[c.Role] = true
	}
	return nil
}
