//go:build explore

package engine

import (
	"fmt"
	"slices"

	"github.com/ichor-go/ichor/internal/point"
)

// Two schedules are equivalent if one becomes the other by swapping neighbouring steps that are
// independent. This file runs one schedule of each class: dynamic partial-order reduction with
// source sets (Abdulla, Aronis, Jonsson and Sagonas, POPL 2014), together with sleep sets.
//
// At first each choice has one thread in it. After a schedule has run, each pair of steps is looked at
// that are dependent, and of which neither happens before the other but for that. If the second
// step could have come first, a thread that leads there is wanted in the choice before the first step.
//
//	wanted   threads to try at a choice; grows while schedules above it on the stack run
//	asleep   threads that need not be tried: what they lead to has run already
//	clock    of a step: for each thread, the number of its last step that happens before it, plus one
//
// What happens before what: steps of a thread in their order, dependent steps in their order, the step
// that starts a thread or wakes it before its next step, and all steps before a timer that fires, as
// it fires when nobody can run.

// maxReduced is the number of threads that fit into the sets of a choice.
const maxReduced = 64

var errThreads = fmt.Errorf("the search for all schedules is for at most %d goroutines", maxReduced)

// threadSet has a bit for each thread.
type threadSet uint64

func (s threadSet) has(t uint16) bool { return s>>t&1 != 0 }
func (s *threadSet) add(t uint16)     { *s |= 1 << t }

// option is a choice on the stack of a reduction, and the step that was taken there.
type option struct {
	options Schedule
	ops     []point.Op // the next step of each thread
	chosen  Step
	wanted  threadSet
	asleep  threadSet
	clock   []int32 // of the step
}

// edge says that a thread was started or waked.
type edge struct {
	at     int // the number of steps before
	thread int
	timer  bool // a timer has done it
}

// reduction is a search in depth.
type reduction struct {
	stack   []option
	depth   int
	fresh   int // steps before this one are those of the schedule before, and their clocks as well
	edges   []edge
	threads [][]int32 // the clock of each thread
	joined  []int32
	steps   []int
}

// reduced runs one schedule of each class of equivalent ones.
func reduced(build func() Program, budget Budget) (res Result) {
	g := newEngine()
	defer g.close()
	d := &reduction{}
	g.reduction = d
	choose := pick(d.choose)
	for {
		d.depth, d.edges = 0, d.edges[:0]
		e, whole := g.execute(build(), true, nil, choose)
		if whole {
			res.count(e)
		} else {
			res.Cut++
		}
		if e.err != nil {
			res.Failure = explain(build, e.schedule, e.err, e.fine)
			return res
		}
		d.look(e)
		g.spare = e
		if !d.advance() {
			return res
		}
		if res.Ended = budget.spent(&res); res.Ended != "" {
			return res
		}
	}
}

// choose takes the steps of the stack, and then the first step of each choice that does not sleep.
//
//go:norace
func (d *reduction) choose(e *Execution, options Schedule) int {
	if len(e.threads) > maxReduced {
		e.err = errThreads
		return 0
	}
	if d.depth == len(d.stack) && !d.push(e, options) {
		return -1
	}
	n := &d.stack[d.depth]
	at := options.index(n.chosen)
	if at < 0 || len(options) != len(n.options) {
		e.err = fmt.Errorf("the program is not the same whenever it takes the same turns: step %d, enabled %v, were %v", d.depth+1, options, n.options)
		return 0
	}
	n.ops = n.ops[:0] // addresses are not the same in each run
	for _, t := range e.threads {
		n.ops = append(n.ops, t.op)
	}
	d.depth++
	return at
}

// push adds a choice. It returns false if all threads sleep: a schedule that differs only in the order
// of independent steps has run.
//
//go:norace
func (d *reduction) push(e *Execution, options Schedule) bool {
	n := option{}
	if len(d.stack) < cap(d.stack) {
		n = d.stack[:len(d.stack)+1][len(d.stack)]
		n = option{options: n.options[:0], ops: n.ops[:0], clock: n.clock}
	}
	if len(d.stack) > 0 {
		n.asleep = d.stack[len(d.stack)-1].inherited()
	}
	first := -1
	for i := range options {
		n.options = append(n.options, options[i])
		if t := options[i].Thread; !n.asleep.has(t) && (first < 0 || int(t) == e.last && int(options[first].Thread) != e.last) {
			first = i
		}
	}
	if first < 0 {
		return false
	}
	n.chosen = options[first]
	n.wanted.add(n.chosen.Thread)
	d.stack = append(d.stack, n)
	return true
}

// inherited returns the threads that sleep after the step: their own step is independent of it.
//
//go:norace
func (n *option) inherited() (s threadSet) {
	for t := range n.ops {
		if n.asleep.has(uint16(t)) && independent(n.ops[t], n.ops[n.chosen.Thread]) {
			s.add(uint16(t))
		}
	}
	return s
}

// advance moves to the next step that is wanted, the deepest first. It returns false if there is none.
func (d *reduction) advance() bool {
	for d.stack = d.stack[:d.depth]; len(d.stack) > 0; d.stack = d.stack[:len(d.stack)-1] {
		n := &d.stack[len(d.stack)-1]
		d.fresh = len(d.stack) - 1
		if at := n.options.index(n.chosen) + 1; at < len(n.options) && n.options[at].Thread == n.chosen.Thread {
			n.chosen = n.options[at] // the next alternative
			return true
		}
		n.asleep.add(n.chosen.Thread)
		for _, x := range n.options {
			if n.wanted.has(x.Thread) && !n.asleep.has(x.Thread) {
				n.chosen = x
				return true
			}
		}
	}
	return false
}

// woke records that the last step, or a timer, has started or waked a thread.
//
//go:norace
func (d *reduction) woke(e *Execution, thread int) {
	d.edges = append(d.edges, edge{at: len(e.schedule), thread: thread, timer: e.outside})
}

// look computes the clocks of the steps of a schedule, and looks for steps that could have come in
// another order.
func (d *reduction) look(e *Execution) {
	for len(d.threads) < len(e.threads) {
		d.threads = append(d.threads, nil)
	}
	for i := range d.threads {
		d.threads[i] = zero(d.threads[i], len(e.threads))
	}
	edges := d.edges
	for k, s := range e.schedule {
		edges = d.follow(edges, k)
		op, own := d.stack[k].ops[s.Thread], d.threads[s.Thread]
		if k < d.fresh { // nothing has changed
			copy(own, d.stack[k].clock)
			continue
		}
		d.races(e, k, s.Thread, op)
		for j := k - 1; j >= 0; j-- {
			q := e.schedule[j].Thread
			if own[q] <= int32(j) && !independent(d.stack[j].ops[q], op) {
				join(own, d.stack[j].clock)
			}
		}
		own[s.Thread] = int32(k + 1)
		n := &d.stack[k]
		n.clock = append(n.clock[:0], own...)
	}
	d.follow(edges, len(e.schedule))
	for _, t := range e.threads {
		if !t.done && !t.parked { // it may wait for what another order gives it
			d.races(e, len(e.schedule), uint16(t.id), t.op)
		}
	}
}

// follow orders what was started or waked before the k-th step, and returns the edges that are left.
func (d *reduction) follow(edges []edge, k int) []edge {
	for ; len(edges) > 0 && edges[0].at <= k; edges = edges[1:] {
		x := edges[0]
		switch {
		case x.timer:
			for _, c := range d.threads {
				join(d.threads[x.thread], c)
			}
		case k > 0:
			join(d.threads[x.thread], d.stack[k-1].clock)
		}
	}
	return edges
}

// races looks for earlier steps that a step of thread p, the k-th, could have come before.
func (d *reduction) races(e *Execution, k int, p uint16, op point.Op) {
	before := append(d.joined[:0], d.threads[p]...)
	for j := k - 1; j >= 0; j-- {
		q := e.schedule[j].Thread
		other := d.stack[j].ops[q]
		switch {
		case before[q] > int32(j), independent(other, op):
		case other.Kind == point.Release && op.Kind == point.Acquire && other.Addr == op.Addr:
			// A lock cannot be taken before it is released. It can before it was taken.
		default:
			d.want(e, j, k, p, op)
			join(before, d.stack[j].clock)
		}
	}
	d.joined = before
}

// want makes the choice before the j-th step try a thread that leads to the k-th step, of thread p,
// without the j-th: one whose first step among those that do not happen after the j-th has none of
// them before it.
func (d *reduction) want(e *Execution, j, k int, p uint16, op point.Op) {
	n, q := &d.stack[j], e.schedule[j].Thread
	var seen, initial threadSet
	steps := d.steps[:0]
	for i := j + 1; i < k; i++ {
		t, clock := e.schedule[i].Thread, d.stack[i].clock
		if clock[q] > int32(j) {
			continue
		}
		if !seen.has(t) && !slices.ContainsFunc(steps, func(s int) bool { return clock[e.schedule[s].Thread] > int32(s) }) {
			initial.add(t)
		}
		seen.add(t)
		steps = append(steps, i)
	}
	if !seen.has(p) && !slices.ContainsFunc(steps, func(s int) bool {
		t := e.schedule[s].Thread
		return d.threads[p][t] > int32(s) || !independent(d.stack[s].ops[t], op)
	}) {
		initial.add(p)
	}
	if d.steps = steps; initial&n.wanted != 0 {
		return
	}
	for _, x := range n.options {
		if initial.has(x.Thread) {
			n.wanted.add(x.Thread)
			return
		}
	}
	for _, x := range n.options { // none of them can run there, so it is not known what leads there
		n.wanted.add(x.Thread)
	}
}

// join makes each part of a clock at least that of another one. A clock of an earlier schedule may have parts
// for other threads, which do not matter.
func join(to, from []int32) {
	for i := range min(len(to), len(from)) {
		to[i] = max(to[i], from[i])
	}
}

// zero returns a clock of n parts.
func zero(c []int32, n int) []int32 {
	c = slices.Grow(c[:0], n)[:n]
	clear(c)
	return c
}
