//go:build explore

package engine

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"unsafe"

	"github.com/ichor-go/ichor/internal/point"
)

// Thread is a thread of an execution.
//
// State — condition — transition (by):
//
//	fresh      — it is in Execution.fresh — to at a point (settle)
//	at a point — op is the next access — to running (decide)
//	running    — it is Execution.cur — to at a point, to parked, to done (itself)
//	parked     — parked is true — to at a point (Wake, by another thread or a timer)
//	abandoned  — the schedule has ended before it — to done (it unwinds)
//	done       — its function has returned, panicked or called Goexit — final
type Thread struct {
	id   int
	name string
	e    *Execution
	fn   func()
	w    *worker

	op     point.Op
	what   string      // the operation, for a trace; empty: that of the kind of op
	ready  func() bool // nil: always
	wait   Waiter      // nil: one alternative
	alt    int         // the alternative that was chosen
	on     *object     // what op is about, or nil
	where  []uintptr   // callers of the point, for a trace
	begun  []uintptr   // callers of the statement that started it
	seen   [4]glance
	looks  bool    // something is in seen
	spin   *glance // what op has found several times, or nil
	choice choice

	parked, starting, done, abandoned bool
	inLine                            bool // it waits for a signal, and may not have parked yet
	joinable, joining                 bool // Join waits for it; it waits in Join
	quits, idle                       int
	polls, polledAt, naps             int    // how it reads the clock
	chances                           uint64 // how many numbers it has drawn
}

// Waiter says in how many ways a thread at a point can continue.
type Waiter interface {
	Alternatives(t *Thread) int
}

// glance is a step that has changed nothing, such as a load, and how often it was taken since anybody
// changed anything.
type glance struct {
	addr           uintptr
	kind           point.Kind
	changes, times int
}

// fairSpin is the number of such steps after which a thread counts as spinning.
const fairSpin = 3

// spins reports whether the thread is about to take a step that has changed nothing several times
// since the last change of anything.
//
//go:norace
func (t *Thread) spins(e *Execution) bool { return t.spin != nil && t.spin.changes == e.changes }

// spun returns what a step has found if it has changed nothing several times, and nil otherwise.
//
//go:norace
func (t *Thread) spun(op point.Op) *glance {
	for i := range t.seen {
		if g := &t.seen[i]; g.addr == op.Addr && g.kind == op.Kind && g.times >= fairSpin {
			return g
		}
	}
	return nil
}

// looked records a step that has changed nothing.
//
//go:norace
func (t *Thread) looked(k point.Kind, addr uintptr) {
	e := t.e
	if !e.program.Main {
		return // fair handling of loops is for programs that start their threads
	}
	t.looks = true
	oldest := &t.seen[0]
	for i := range t.seen {
		g := &t.seen[i]
		if g.addr == addr && g.kind == k {
			oldest = g
			break
		}
		if g.changes < oldest.changes {
			oldest = g
		}
	}
	if oldest.addr != addr || oldest.kind != k || oldest.changes != e.changes {
		*oldest = glance{addr, k, e.changes, 0}
	}
	oldest.times++
}

// Me returns the thread that calls it, or nil if the goroutine is not a thread.
//
//go:norace
func Me() *Thread {
	if !point.Explored() {
		return nil
	}
	return current.cur
}

// abandon is the panic that unwinds a thread that has not ended when its schedule is over.
type abandon struct{}

// start makes a thread. It runs up to its first point before anybody takes a step.
//
//go:norace
func (e *Execution) start(by *Thread, name string, fn func()) *Thread {
	t := e.newThread()
	t.id, t.name, t.e, t.fn = len(e.threads), name, e, fn
	t.op = point.Op{Kind: point.Start}
	if by != nil && e.trace != nil {
		var pcs [16]uintptr
		t.begun = pcs[:runtime.Callers(3, pcs[:])]
	}
	e.threads = append(e.threads, t)
	e.live++
	if by != nil && e.clocks != nil {
		e.clocks.fork(by.id, t.id)
	}
	if by != nil && by.abandoned {
		t.done = true
		e.live--
		return t
	}
	e.fresh = append(e.fresh, t)
	if d := e.engine.reduction; d != nil {
		d.woke(e, t.id)
	}
	t.launch()
	return t
}

// Go starts a thread.
//
//go:norace
func (t *Thread) Go(name string, fn func()) *Thread {
	if name == "" {
		name = "goroutine " + itoa(len(t.e.threads))
	}
	n := t.e.start(t, name, fn)
	if t.e.trace != nil {
		t.e.trace.say(t, "starts "+n.name)
	}
	return n
}

// arrives records what the thread does next.
//
//go:norace
func (t *Thread) arrives(op point.Op) {
	if t.op, t.spin = op, nil; t.looks || t.e.trace != nil {
		t.arrived()
	}
}

// arrived is the rest of arrives, where somebody wants to know more.
//
//go:norace
func (t *Thread) arrived() {
	if t.looks {
		t.spin = t.spun(t.op)
	}
	if t.e.trace != nil {
		t.callers()
	}
}

// proceeds records that the thread continues behind a point.
//
//go:norace
func (t *Thread) proceeds(op point.Op) {
	if t.ready, t.wait = nil, nil; op.Kind == point.AtomicLoad || t.e.clocks != nil {
		t.notes(op)
	}
}

// notes records an access when it happens.
//
//go:norace
func (t *Thread) notes(op point.Op) {
	if op.Kind == point.AtomicLoad {
		t.looked(op.Kind, op.Addr)
	}
	t.e.learn(t, op)
}

// idles counts the points of an abandoned thread, which has none any more. One that waits for what
// never happens is unwound.
//
//go:norace
func (t *Thread) idles() {
	if t.idle++; t.idle > 10_000 {
		t.quit()
	}
}

// At is a point before an access to what addr is the address of.
//
//go:norace
func (t *Thread) At(k point.Kind, addr unsafe.Pointer, size uintptr, what string) {
	t.what = what
	t.at(point.Op{Kind: k, Addr: uintptr(addr), Size: size})
}

// park waits until another thread, or a timer, wakes the thread.
//
//go:norace
func (t *Thread) park() {
	if t.abandoned {
		t.quit()
	}
	t.parked = true
	t.op.Kind = point.Waiting
	t.e.pass(t)
}

// Wake lets a parked thread continue.
//
//go:norace
func (t *Thread) Wake() {
	t.inLine = false
	if t.parked {
		t.parked, t.spin = false, nil
		t.op = point.Op{Kind: point.Resumption}
		if d := t.e.engine.reduction; d != nil {
			d.woke(t.e, t.id)
		}
	}
}

// quit unwinds an abandoned thread. Code that recovers from that again and again is ended.
//
//go:norace
func (t *Thread) quit() {
	if t.quits++; t.quits > 20 {
		runtime.Goexit()
	}
	panic(abandon{})
}

// Stop ends the calling thread, which has found an error.
//
//go:norace
func (t *Thread) Stop(err error) {
	t.e.fail(err)
	panic(abandon{})
}

// Fail records an error. The schedule ends at the thread's next point.
//
//go:norace
func (t *Thread) Fail(err error) { t.e.fail(err) }

// Unchanged says that the step has changed nothing: a compare-and-swap has failed.
//
//go:norace
func (t *Thread) Unchanged() {
	if t.op.Kind != point.Waiting {
		t.e.changes--
	}
	t.looked(t.op.Kind, t.op.Addr)
}

// Yield lets others take a step, if there are any.
//
//go:norace
func (t *Thread) Yield() {
	if t.abandoned {
		t.quit()
	}
	t.what = "Gosched"
	t.at(point.Op{Kind: point.Waiting})
}

// Traced reports whether the execution is recorded, so that values are wanted.
//
//go:norace
func (t *Thread) Traced() bool { return t.e.trace != nil }

// Says adds what the thread's step has read or written to the trace.
//
//go:norace
func (t *Thread) Says(value string) { t.e.trace.value(t, value) }

// Logs adds a line to the trace.
//
//go:norace
func (t *Thread) Logs(text string) {
	if t.e.trace != nil {
		t.callers()
		t.e.trace.log(t, text)
	}
}

// ID returns the thread's number.
//
//go:norace
func (t *Thread) ID() int { return t.id }

// Name returns the thread's name.
//
//go:norace
func (t *Thread) Name() string { return t.name }

// asleep reports whether the thread waits without a condition.
//
//go:norace
func (t *Thread) asleep() bool {
	return t.op.Kind == point.Waiting && t.ready == nil && t.wait == nil && !t.parked
}

// callers records the place of the thread's current point.
//
//go:norace
func (t *Thread) callers() {
	var pcs [24]uintptr
	t.where = pcs[:runtime.Callers(3, pcs[:])]
}

// ended records that the thread's function has ended, with what its deferred call has recovered.
//
//go:norace
func (t *Thread) ended(p any) {
	t.done = true
	t.e.live--
	for _, x := range t.e.threads {
		if x.joining && x.joined() {
			x.joining = false
			x.Wake()
		}
	}
	if p == nil || p == (abandon{}) || t.abandoned {
		return
	}
	t.e.fail(fmt.Errorf("%s: panic: %v\n%s", t.name, p, panicStack(string(debug.Stack()))))
}

// panicStack returns the part of a stack that is the program's: below the panic, above the machinery
// that calls it, and without that in between.
func panicStack(stack string) string {
	if _, below, ok := strings.Cut(stack, "\npanic("); ok {
		_, below, _ = strings.Cut(below, "\n\t") // where the panic is raised
		_, stack, _ = strings.Cut(below, "\n")
	}
	for _, end := range []string{"github.com/ichor-go/ichor/proptest/explore.(*session)", "github.com/ichor-go/ichor/proptest/explore/internal/engine.(*worker).run", "github.com/ichor-go/ichor/proptest/explore/internal/engine.(*Thread).main"} {
		stack, _, _ = strings.Cut(stack, end)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(stack, "\n"), "\n")
	var kept strings.Builder
	for i := 0; i+1 < len(lines); i += 2 { // a function with its arguments, and its place
		if file, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), ":"); !Machinery(lines[i], file) {
			kept.WriteString(lines[i] + lines[i+1])
		}
	}
	return strings.TrimSuffix(kept.String(), "\n")
}

func itoa(n int) string { return fmt.Sprint(n) }

// Others reports the threads, apart from t, that have not ended.
//
//go:norace
func (t *Thread) Others() (n int) {
	for _, x := range t.e.threads {
		if x != t && !x.done {
			n++
		}
	}
	return n
}

// positions returns the next step of each thread, as text.
func (e *Execution) positions() string {
	var list []string
	for _, t := range e.threads {
		switch {
		case t.done && e.program.Main:
		case t.done:
			list = append(list, t.name+" has ended")
		default:
			list = append(list, t.position())
		}
	}
	return strings.Join(list, ", ")
}

// position returns the next step of a thread, as text.
func (t *Thread) position() string {
	s := t.name
	if len(t.begun) > 0 {
		s += " (started at " + shortPlace(t.begun) + ")"
	}
	if t.parked {
		s += ", which waits in " + t.operation()
	} else {
		s += " before " + t.operation()
	}
	if t.on != nil && t.on.owner != nil {
		s += ", held by " + t.on.owner.name
		if len(t.on.since) > 0 {
			s += " since " + shortPlace(t.on.since)
		}
	}
	if len(t.where) > 0 {
		s += " at " + place(t.where)
	}
	return s
}

// operation returns what the thread is about to do, as text.
func (t *Thread) operation() string {
	if t.what != "" {
		return t.what
	}
	return kinds[t.op.Kind]
}

// Joinable makes the thread one that Join waits for.
//
//go:norace
func (t *Thread) Joinable() { t.joinable = true }

// joined reports whether all threads that Join waits for have ended, apart from t.
//
//go:norace
func (t *Thread) joined() bool {
	for _, x := range t.e.threads {
		if x.joinable && !x.done && x != t {
			return false
		}
	}
	return true
}

// Join waits until all joinable threads have ended.
//
//go:norace
func (t *Thread) Join() {
	if t.abandoned {
		t.quit()
	}
	if !t.joined() {
		t.joining = true
		t.what = "Wait"
		if t.e.trace != nil {
			t.callers()
		}
		t.park()
	}
	for _, x := range t.e.threads {
		if x.joinable && x.done {
			Acquire(unsafe.Pointer(x))
		}
	}
}

// Before is a point before an access, if the calling goroutine is a thread, and returns the thread.
//
//go:norace
func Before(k point.Kind, addr unsafe.Pointer, size uintptr, what string) *Thread {
	t := Me()
	if t != nil {
		t.At(k, addr, size, what)
	}
	return t
}

// Sequence returns a number that is greater than all that it has returned before in the execution.
//
//go:norace
func (t *Thread) Sequence() uint64 {
	t.e.sequence++
	return t.e.sequence
}
