//go:build explore

package engine

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The most schedules that are run to shorten a failing one: in this process, and in others.
const (
	shortenings = 200
	elsewhere   = 30
)

// Turns are the steps of a schedule that differ from what threads would do that run as long as they
// can.
type Turns []turnTo

// turnTo is such a step, and its place.
type turnTo struct {
	at   int
	step Step
}

// String returns the steps in the form that ParseTurns reads: 12:1x1 40:2.1x1.
func (l Turns) String() string {
	var parts []string
	for _, x := range l {
		parts = append(parts, fmt.Sprintf("%d:%s", x.at, Schedule{x.step}))
	}
	return strings.Join(parts, " ")
}

// ParseTurns reads steps in the form that String returns.
func ParseTurns(text string) (l Turns, err error) {
	for _, part := range strings.Fields(text) {
		at, step, _ := strings.Cut(part, ":")
		n, err := strconv.Atoi(at)
		s, err2 := Parse(step)
		if err = errors.Join(err, err2); err != nil || len(s) != 1 {
			return nil, fmt.Errorf("turns: %q is not a place and a step: %w", part, err)
		}
		l = append(l, turnTo{n, s[0]})
	}
	return l, nil
}

// Races reports whether the race detector has found the failure.
func (f *Failure) Races() bool { return errors.Is(f.Err, errRace) }

// Shorten returns the failure with a schedule that has fewer switches, if there is one. It leaves one
// that Races as it is: see ShortenRace.
func Shorten(build func() Program, f *Failure) *Failure {
	if f.Races() {
		return f
	}
	g := newEngine()
	defer g.close()
	var last *Execution
	return shorten(build, f, shortenings, func(l Turns) (Schedule, bool) {
		last, _ = g.execute(build(), false, nil, turning(l))
		return last.schedule, last.err != nil
	}, func() error { return last.err })
}

// ShortenRace is Shorten for a data race. The race detector reports a race once in a process, so
// another process has to say whether a shorter schedule has it: raced has it call Race, and returns
// what that returns.
func ShortenRace(build func() Program, f *Failure, raced func(Turns) (Schedule, bool)) *Failure {
	return shorten(build, f, elsewhere, raced, func() error { return errRace })
}

// Race runs one schedule, with the given turns, and reports whether the race detector has found a race
// in it.
func Race(build func() Program, l Turns) (Schedule, bool) {
	g := newEngine()
	defer g.close()
	e, _ := g.execute(build(), false, nil, turning(l))
	return e.schedule, e.err == errRace
}

// shorten leaves out turns, first many and then few at a time, as long as the schedule fails. err
// returns the error of the last schedule that has failed.
func shorten(build func() Program, f *Failure, most int, fails func(Turns) (Schedule, bool), err func() error) *Failure {
	list := turns(build, f.Schedule)
	runs := 1
	best, failed := fails(list)
	if !failed {
		return f
	}
	why := err()
	for size := (len(list) + 1) / 2; size > 0; size /= 2 {
		for end := len(list); end > 0 && runs < most; runs++ {
			begin := max(0, end-size)
			fewer := append(append(Turns{}, list[:begin]...), list[end:]...)
			end = begin
			s, failed := fails(fewer)
			if !failed || s.switches() >= best.switches() && len(s) >= len(best) {
				continue
			}
			best, list, why = s, fewer, err()
		}
	}
	if best.switches() >= f.Schedule.switches() && len(best) >= len(f.Schedule) {
		return f
	}
	return explain(build, best, why, false)
}

// turns returns the turns of a schedule.
func turns(build func() Program, s Schedule) (list Turns) {
	g := newEngine()
	defer g.close()
	i := 0
	g.execute(build(), false, nil, func(e *Execution, options Schedule) int {
		i++
		usual := goOn(e, options)
		if i > len(s) {
			return usual
		}
		at := options.index(s[i-1])
		if at < 0 {
			return usual
		}
		if at != usual {
			list = append(list, turnTo{i - 1, s[i-1]})
		}
		return at
	})
	return list
}

// turning lets each thread run as long as it can, except for the turns in the list.
func turning(list Turns) pick {
	next := 0
	return func(e *Execution, options Schedule) int {
		for next < len(list) && list[next].at < len(e.schedule) {
			next++
		}
		if next < len(list) && list[next].at == len(e.schedule) {
			if i := options.index(list[next].step); i >= 0 {
				return i
			}
		}
		return goOn(e, options)
	}
}
