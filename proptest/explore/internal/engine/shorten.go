//go:build explore

package engine

import "errors"

// shortenings bounds the schedules that are run to shorten a failing one.
const shortenings = 200

// turnTo is a step that differs from what a thread would do that runs as long as it can.
type turnTo struct {
	at   int
	step Step
}

// Shorten returns the failure with a schedule that has fewer switches, if there is one: it leaves
// out switches, one at a time, as long as the schedule fails.
func Shorten(build func() Program, f *Failure) *Failure {
	if errors.Is(f.Err, errRace) {
		return f // a race is reported once, so nobody can tell whether a shorter schedule has it
	}
	g := newEngine()
	defer g.close()
	runs := 0
	run := func(list []turnTo) *Execution {
		runs++
		e, _ := g.execute(build(), false, nil, turning(list))
		return e
	}
	list := turns(g, build, f.Schedule)
	best := run(list)
	if best.err == nil {
		return f
	}
	for i := len(list) - 1; i >= 0 && runs < shortenings; i-- {
		shorter := append(append([]turnTo{}, list[:i]...), list[i+1:]...)
		e := run(shorter)
		if e.err == nil || e.schedule.switches() >= best.schedule.switches() && len(e.schedule) >= len(best.schedule) {
			continue
		}
		best, list = e, shorter
		i = min(i, len(list))
	}
	if best.schedule.switches() >= f.Schedule.switches() && len(best.schedule) >= len(f.Schedule) {
		return f
	}
	s := explain(build, best)
	s.Shorter = runs
	return s
}

// turns returns the steps of a schedule that are not what a thread would do that runs as long as it can.
func turns(g *Engine, build func() Program, s Schedule) (list []turnTo) {
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

// turning lets each thread run as long as it can, except for the steps in the list.
func turning(list []turnTo) pick {
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
