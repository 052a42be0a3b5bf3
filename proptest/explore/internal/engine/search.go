//go:build explore

package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ichor-go/ichor/internal/point"
)

// Result is the result of a search.
type Result struct {
	Schedules int64 // schedules that ran to their end
	Steps     int64 // steps in all schedules
	Longest   int   // steps of the longest
	Cut       int64 // schedules that were given up: others that differ in the order of independent steps had run
	Failure   *Failure
	Ended     string // why the search ended before it was complete; empty if it was complete
}

// Budget limits a search. Its zero value does not.
type Budget struct {
	Schedules int64
	Until     time.Time
	Stop      func() string // the reason to stop, if there is one
}

// spent returns why the search is to end.
func (b *Budget) spent(r *Result) string {
	switch {
	case b.Schedules > 0 && r.Schedules >= b.Schedules:
		return fmt.Sprintf("%d schedules were the limit", b.Schedules)
	case b.Stop != nil && b.Stop() != "":
		return b.Stop()
	case !b.Until.IsZero() && r.Schedules&15 == 1 && time.Now().After(b.Until):
		return "the time was up"
	}
	return ""
}

// Failure is a schedule with an error.
type Failure struct {
	Err      error
	Schedule Schedule
	Trace    []string // its steps: thread, access, place
	Rows     []Row    // the same for a table
	Threads  []string // their names
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%v\nschedule: %s\n%s", f.Err, f.Schedule, strings.Join(f.Trace, "\n"))
}

// node is a choice of the thread that takes a step. The options before next have been tried.
type node struct {
	options     Schedule // in the order of the tries
	next        int
	preemptions int // before the choice
	last        int
	ops         []point.Op // the threads' next accesses: for sleep sets
	sleep       uint64     // threads that need not be tried here
}

// Bounded runs all schedules with at most that many preemptions, beginning with those that
// have the fewest switches.
func Bounded(build func() Program, bound int) Result { return search(build, bound, false, Budget{}) }

// BoundedWithin is Bounded with a budget.
func BoundedWithin(build func() Program, bound int, b Budget) Result {
	return search(build, bound, false, b)
}

// Unbounded runs all schedules, except those that differ from others only in the order
// of independent steps. It is for small programs.
func Unbounded(build func() Program) Result { return reduced(build, Budget{}) }

// UnboundedWithin is Unbounded with a budget.
func UnboundedWithin(build func() Program, b Budget) Result { return reduced(build, b) }

// slept is Unbounded with sleep sets alone. It runs the same number of schedules to their ends, and
// gives up more: tests compare the two.
func slept(build func() Program) Result { return search(build, 1<<30, true, Budget{}) }

// All runs all schedules. It is for very small programs.
func All(build func() Program) Result { return search(build, 1<<30, false, Budget{}) }

// dfs is a search in depth.
type dfs struct {
	stack    []node
	depth    int
	bound    int
	sleeping bool
}

func search(build func() Program, bound int, sleeping bool, budget Budget) (res Result) {
	g := newEngine()
	defer g.close()
	d := &dfs{bound: bound, sleeping: sleeping}
	g.direct = !sleeping
	choose := pick(d.choose)
	for {
		d.depth = 0
		e, whole := g.execute(build(), sleeping, nil, choose)
		if whole {
			res.count(e)
		} else {
			res.Cut++
		}
		if e.err != nil {
			res.Failure = explain(build, e.schedule, e.err, e.fine)
			return res
		}
		g.spare = e
		if !d.advance() {
			return res
		}
		if res.Ended = budget.spent(&res); res.Ended != "" {
			return res
		}
	}
}

func (r *Result) count(e *Execution) {
	r.Schedules++
	r.Steps += int64(len(e.schedule))
	r.Longest = max(r.Longest, len(e.schedule))
}

// choose takes the choices of the stack, and then the first option of each new one.
//
//go:norace
func (d *dfs) choose(e *Execution, options Schedule) int {
	if d.depth == len(d.stack) {
		d.push(e, options)
	}
	n := &d.stack[d.depth]
	d.depth++
	if len(n.options) != len(options) || options.index(n.options[min(n.next, len(options)-1)]) < 0 {
		e.err = fmt.Errorf("the program is not the same whenever it takes the same turns: step %d, enabled %v, were %v", d.depth, options, n.options)
		return 0
	}
	for d.sleeping && n.next < len(n.options) && n.asleep(n.options[n.next]) {
		n.next++
	}
	if n.next == len(n.options) {
		return -1 // a schedule with another order of independent steps has run
	}
	return options.index(n.options[n.next])
}

// push adds the choice at the current state of the execution.
//
//go:norace
func (d *dfs) push(e *Execution, options Schedule) {
	if len(d.stack) < cap(d.stack) {
		d.stack = d.stack[:len(d.stack)+1]
	} else {
		d.stack = append(d.stack, node{})
	}
	n := &d.stack[len(d.stack)-1]
	*n = node{options: n.options[:0], last: e.last, ops: n.ops[:0]}
	//lint:ignore S1011 the race detector looks into an append of a whole slice
	for i := range options {
		n.options = append(n.options, options[i])
	}
	// The running thread comes first.
	to := 0
	for i, x := range n.options {
		if int(x.Thread) == e.last {
			n.options[to], n.options[i] = n.options[i], n.options[to]
			to++
		}
	}
	if len(d.stack) > 1 {
		p := &d.stack[len(d.stack)-2]
		n.preemptions = p.cost()
		if d.sleeping {
			n.sleep = p.inherited()
		}
	}
	if d.sleeping {
		for _, t := range e.threads {
			n.ops = append(n.ops, t.op)
		}
	}
}

// asleep reports whether a step need not be tried. Threads beyond the 64th never sleep.
//
//go:norace
func (n *node) asleep(s Step) bool { return s.Thread < 64 && n.sleep>>s.Thread&1 != 0 }

// cost returns the number of preemptions, including the current choice.
//
//go:norace
func (n *node) cost() int {
	if int(n.options[n.next].Thread) != n.last && n.options.of(n.last) >= 0 {
		return n.preemptions + 1
	}
	return n.preemptions
}

// inherited returns the threads that need not be tried after the current choice: those
// tried before it or in its sleep set, if their step is independent of the chosen one.
//
//go:norace
func (n *node) inherited() (sleep uint64) {
	chosen := n.options[n.next].Thread
	for _, x := range n.options {
		if t := x.Thread; t != chosen && n.asleep(x) && independent(n.ops[t], n.ops[chosen]) {
			sleep |= 1 << t
		}
	}
	return sleep
}

// advance moves to the next choice that is within the bound, and drops the choices above
// it on the stack. It returns false if there is none.
//
//go:norace
func (d *dfs) advance() bool {
	d.stack = d.stack[:d.depth]
	for len(d.stack) > 0 {
		n := &d.stack[len(d.stack)-1]
		if d.sleeping && n.next < len(n.options) {
			tried := n.options[n.next].Thread
			last := n.next+1 == len(n.options) || n.options[n.next+1].Thread != tried
			if last && tried < 64 { // all its alternatives have been tried
				n.sleep |= 1 << tried
			}
		}
		for n.next++; n.next < len(n.options); n.next++ {
			if d.sleeping && n.asleep(n.options[n.next]) || n.cost() > d.bound {
				continue
			}
			return true
		}
		d.stack = d.stack[:len(d.stack)-1]
	}
	return false
}

// independent reports whether two steps have the same result in either order.
//
//go:norace
func independent(a, b point.Op) bool {
	if !plainly(a.Kind) || !plainly(b.Kind) {
		return false
	}
	return a.Addr+a.Size <= b.Addr || b.Addr+b.Size <= a.Addr || reads(a.Kind) && reads(b.Kind)
}

// plainly reports whether an access concerns its address only. A thread that goes on after it was
// waked accesses nothing.
//
//go:norace
func plainly(k point.Kind) bool { return k <= point.Release || k == point.Resumption }

//go:norace
func reads(k point.Kind) bool {
	return k == point.PlainRead || k == point.AtomicLoad || k == point.Resumption
}

// explain runs the schedule of a failure again and records its steps.
func explain(build func() Program, sch Schedule, err error, fine bool) *Failure {
	g := newEngine()
	defer g.close()
	tr := newTrace()
	again, _ := g.execute(build(), fine, tr, follow(sch))
	f := &Failure{Err: err, Schedule: sch, Trace: tr.lines(), Rows: tr.finish()}
	f.Threads = again.names()
	switch {
	case again.err != nil:
		f.Err = again.err
	case err != errRace: // a race is reported once
		f.Err = fmt.Errorf("%w (but not when it was run again)", err)
	}
	return f
}

// follow takes the steps of a schedule, and then lets each thread run as long as it
// can.
func follow(s Schedule) pick {
	i := 0
	return func(e *Execution, options Schedule) int {
		i++
		if i <= len(s) {
			if at := options.index(s[i-1]); at >= 0 {
				return at
			}
		}
		return goOn(e, options)
	}
}

// goOn picks the running thread if it is enabled.
func goOn(e *Execution, options Schedule) int { return max(0, options.of(e.last)) }

// Replay runs one schedule.
func Replay(build func() Program, s Schedule) Result {
	g := newEngine()
	defer g.close()
	e, _ := g.execute(build(), false, nil, follow(s))
	return single(build, e)
}

// Taken returns the steps that a program takes under a schedule, and after it without preemptions.
func Taken(build func() Program, s Schedule) Schedule {
	g := newEngine()
	defer g.close()
	e, _ := g.execute(build(), false, nil, follow(s))
	return e.schedule
}

// ErrMisfit is the error of a schedule that is not one of the program.
var ErrMisfit = fmt.Errorf("the schedule does not fit the program")

// Fits runs a schedule, and returns an error if it is not one of the program.
func Fits(build func() Program, s Schedule) error {
	g := newEngine()
	defer g.close()
	i := 0
	var misfit error
	e, _ := g.execute(build(), false, nil, func(e *Execution, options Schedule) int {
		i++
		if i > len(s) {
			return goOn(e, options)
		}
		at := options.index(s[i-1])
		if at < 0 && misfit == nil {
			misfit = fmt.Errorf("%w: step %d is one of thread %d, which cannot take it", ErrMisfit, i, s[i-1].Thread)
		}
		return max(0, at)
	})
	if misfit == nil && len(e.schedule) < len(s) {
		misfit = fmt.Errorf("%w: it has %d steps, and the program ends after %d", ErrMisfit, len(s), len(e.schedule))
	}
	return misfit
}

func single(build func() Program, e *Execution) Result {
	var r Result
	r.count(e)
	if e.err != nil {
		r.Failure = explain(build, e.schedule, e.err, e.fine)
	}
	return r
}

// names returns the names of the threads.
func (e *Execution) names() (list []string) {
	for _, t := range e.threads {
		list = append(list, t.name)
	}
	return slices.Clone(list)
}
