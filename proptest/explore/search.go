//go:build explore

package explore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ichor-go/ichor/internal/point"
)

// Result is the result of a search.
type Result struct {
	Schedules int64 // schedules that ran to their end
	Steps     int64 // steps in all schedules
	Failure   *Failure
}

// Failure is a schedule with an error.
type Failure struct {
	Err      error
	Schedule Schedule
	Trace    []string // its steps: thread, access, place
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%v\nschedule: %s\n%s", f.Err, f.Schedule, strings.Join(f.Trace, "\n"))
}

// defaultSteps bounds the steps of a schedule; a longer one counts as a livelock. A guess: the
// longest scenario has a few hundred steps.
const defaultSteps = 10_000

// node is a choice of the thread that takes a step. The threads before next have been tried.
type node struct {
	enabled     []int // in the order of the tries
	next        int
	preemptions int // before the choice
	last        int
	ops         []point.Op // the threads' next accesses: for sleep sets
	sleep       uint8      // threads that need not be tried here
}

// Bounded runs all schedules with at most that many preemptions, beginning with those that
// have the fewest switches.
func Bounded(build func() Program, bound int) Result { return search(build, bound, false) }

// Unbounded runs all schedules, except those that differ from others only in the order
// of independent steps. It is for small programs.
func Unbounded(build func() Program) Result { return search(build, 1<<30, true) }

// All runs all schedules. It is for very small programs.
func All(build func() Program) Result { return search(build, 1<<30, false) }

func search(build func() Program, bound int, sleeping bool) (res Result) {
	var stack []node
	c := newClocks()
	for {
		depth := 0
		e, whole := execute(build(), c, defaultSteps, sleeping, nil, func(e *execution, enabled []int) int {
			if depth == len(stack) {
				stack = append(stack, e.node(enabled, stack, sleeping))
			}
			n := &stack[depth]
			depth++
			if len(n.enabled) != len(enabled) || !slices.Contains(enabled, n.enabled[min(n.next, len(enabled)-1)]) {
				e.err = fmt.Errorf("the program is not the same whenever it takes the same turns: step %d, enabled %v, were %v", depth, enabled, n.enabled)
				return enabled[0]
			}
			for sleeping && n.next < len(n.enabled) && n.sleep>>n.enabled[n.next]&1 != 0 {
				n.next++
			}
			if n.next == len(n.enabled) {
				return -1 // a schedule with another order of independent steps has run
			}
			return n.enabled[n.next]
		})
		if whole {
			res.Schedules++
			res.Steps += int64(len(e.schedule))
		}
		if e.err != nil {
			res.Failure = explain(build, e)
			return res
		}
		if stack = advance(stack[:depth], bound, sleeping); len(stack) == 0 {
			return res
		}
	}
}

// node returns the choice at the current state of the execution, as the top of the stack.
func (e *execution) node(enabled []int, stack []node, sleeping bool) node {
	n := node{enabled: slices.Clone(enabled), last: e.last}
	if i := slices.Index(n.enabled, e.last); i > 0 {
		n.enabled[0], n.enabled[i] = n.enabled[i], n.enabled[0] // the running thread comes first
	}
	if len(stack) > 0 {
		p := &stack[len(stack)-1]
		n.preemptions = p.cost()
		if sleeping {
			n.sleep = p.inherited()
		}
	}
	if sleeping {
		for _, t := range e.threads {
			n.ops = append(n.ops, t.op)
		}
	}
	return n
}

// cost returns the number of preemptions, including the current choice.
func (n *node) cost() int {
	if n.enabled[n.next] != n.last && slices.Contains(n.enabled, n.last) {
		return n.preemptions + 1
	}
	return n.preemptions
}

// inherited returns the threads that need not be tried after the current choice: those
// tried before it or in its sleep set, if their step is independent of the chosen one.
func (n *node) inherited() (sleep uint8) {
	chosen := n.enabled[n.next]
	for _, t := range n.enabled {
		if t != chosen && n.sleep>>t&1 != 0 && independent(n.ops[t], n.ops[chosen]) {
			sleep |= 1 << t
		}
	}
	return sleep
}

// advance moves to the next choice that is within the bound, and drops the choices above
// it on the stack. It returns an empty stack if there is none.
func advance(stack []node, bound int, sleeping bool) []node {
	for len(stack) > 0 {
		n := &stack[len(stack)-1]
		if sleeping && n.next < len(n.enabled) {
			n.sleep |= 1 << n.enabled[n.next]
		}
		for n.next++; n.next < len(n.enabled); n.next++ {
			if sleeping && n.sleep>>n.enabled[n.next]&1 != 0 || n.cost() > bound {
				continue
			}
			return stack
		}
		stack = stack[:len(stack)-1]
	}
	return nil
}

// independent reports whether two steps have the same result in either order.
func independent(a, b point.Op) bool {
	if !plainly(a.Kind) || !plainly(b.Kind) {
		return false
	}
	return a.Addr+a.Size <= b.Addr || b.Addr+b.Size <= a.Addr || reads(a.Kind) && reads(b.Kind)
}

// plainly reports whether an access concerns its address only.
func plainly(k point.Kind) bool { return k <= point.Release }

func reads(k point.Kind) bool { return k == point.PlainRead || k == point.AtomicLoad }

// explain runs the schedule of a failure again and records its steps.
func explain(build func() Program, e *execution) *Failure {
	tr := newTrace()
	again, _ := execute(build(), newClocks(), defaultSteps, e.fine, tr, follow(e.schedule))
	f := &Failure{Err: e.err, Schedule: e.schedule, Trace: tr.lines}
	if again.err != nil {
		f.Err = again.err
	} else {
		f.Err = fmt.Errorf("%w (but not when it was run again)", e.err)
	}
	return f
}

// follow takes the steps of a schedule, and then lets each thread run as long as it
// can.
func follow(s Schedule) pick {
	i := 0
	return func(e *execution, enabled []int) int {
		if i < len(s) && slices.Contains(enabled, int(s[i])) {
			i++
			return int(s[i-1])
		}
		i++
		return goOn(e, enabled)
	}
}

// goOn picks the running thread if it is enabled.
func goOn(e *execution, enabled []int) int {
	if slices.Contains(enabled, e.last) {
		return e.last
	}
	return enabled[0]
}

// Replay runs one schedule.
func Replay(build func() Program, s Schedule) Result {
	e, _ := execute(build(), newClocks(), defaultSteps, false, nil, follow(s))
	return single(build, e)
}

func single(build func() Program, e *execution) Result {
	r := Result{Schedules: 1, Steps: int64(len(e.schedule))}
	if e.err != nil {
		r.Failure = explain(build, e)
	}
	return r
}
