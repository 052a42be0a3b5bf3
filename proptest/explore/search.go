//go:build explore

package explore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ichor-go/ichor/internal/point"
)

// Result says what a search has seen.
type Result struct {
	Schedules int64 // that were run to their end
	Steps     int64 // of all of them
	Failure   *Failure
}

// Failure is a schedule that something is wrong with.
type Failure struct {
	Err      error
	Schedule Schedule
	Trace    []string // its steps: thread, access, place
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%v\nschedule: %s\n%s", f.Err, f.Schedule, strings.Join(f.Trace, "\n"))
}

// defaultSteps is where a schedule is taken for a livelock. A guess; the longest
// scenario has a few hundred steps.
const defaultSteps = 10_000

// node is a choice: who takes a step. The threads before next were tried.
type node struct {
	enabled     []int // in the order in which they are tried
	next        int
	preemptions int // before the choice
	last        int
	ops         []point.Op // of the threads: for sleep sets
	sleep       uint8      // threads that need not be tried here
}

// Bounded runs all schedules with at most that many preemptions, those with the
// fewest switches first.
func Bounded(build func() Program, bound int) Result { return search(build, bound, false) }

// Unbounded runs all schedules, but for those that differ from others in the order
// of independent steps only. It is for small programs.
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
				return -1 // another order of independent steps was run before
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

// node makes the choice at which the execution stands, below those of the stack.
func (e *execution) node(enabled []int, stack []node, sleeping bool) node {
	n := node{enabled: slices.Clone(enabled), last: e.last}
	if i := slices.Index(n.enabled, e.last); i > 0 {
		n.enabled[0], n.enabled[i] = n.enabled[i], n.enabled[0] // going on comes first
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

// cost returns the preemptions up to and with the choice that is being tried.
func (n *node) cost() int {
	if n.enabled[n.next] != n.last && slices.Contains(n.enabled, n.last) {
		return n.preemptions + 1
	}
	return n.preemptions
}

// inherited returns the threads that need not be tried after the choice that is being
// tried: those that were, or needed not be, and whose step is independent of it.
func (n *node) inherited() (sleep uint8) {
	chosen := n.enabled[n.next]
	for _, t := range n.enabled {
		if t != chosen && n.sleep>>t&1 != 0 && independent(n.ops[t], n.ops[chosen]) {
			sleep |= 1 << t
		}
	}
	return sleep
}

// advance goes on to the next choice that is within the bound, and drops what lies
// below it. It returns an empty stack if there is none.
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

// independent reports whether two steps can be taken in either order, to the same
// end.
func independent(a, b point.Op) bool {
	if !plainly(a.Kind) || !plainly(b.Kind) {
		return false
	}
	return a.Addr+a.Size <= b.Addr || b.Addr+b.Size <= a.Addr || reads(a.Kind) && reads(b.Kind)
}

// plainly reports whether an access concerns its address alone.
func plainly(k point.Kind) bool { return k <= point.Release }

func reads(k point.Kind) bool { return k == point.PlainRead || k == point.AtomicLoad }

// explain runs the schedule of a failure again, to note its steps.
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

// follow takes the steps of a schedule, and then goes on as long as it can with each
// thread.
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

// goOn stays with the thread that runs if it can.
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
