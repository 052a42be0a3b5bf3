//go:build explore

package point

import (
	"runtime/debug"
	"time"
	"unsafe"
)

// On reports whether points are part of the program.
const On = true

// Kind says what a thread is about to do at a point.
type Kind uint8

const (
	PlainRead Kind = iota
	PlainWrite
	AtomicLoad
	AtomicStore
	AtomicUpdate  // reads and writes: add, swap, compare-and-swap
	Acquire       // of a mutex
	Release       // of a mutex
	Birth         // of memory, by allocation: its earlier accesses no longer matter
	Death         // of memory, by freeing: any access is an error until the next Birth
	Waiting       // for a condition
	Start         // the thread has not yet run
	Uninterrupted // a whole stretch
	Resumption    // what another thread has waked it for has happened
)

// Op is what a thread is about to do at a point.
type Op struct {
	Kind Kind
	Addr uintptr
	Size uintptr // in bytes; 0 if there is no address
}

// Explorer schedules threads. The running thread calls its methods, which return when
// the thread is to continue.
type Explorer interface {
	// Point is called at a point. ready, if not nil, reports whether the thread can
	// continue. The explorer calls it while other threads run, and it has no side
	// effects.
	Point(op Op, ready func() bool)
	// Note is called at an access where the thread continues at once.
	Note(op Op)
	// Now returns the thread's time.
	Now() time.Duration
}

// active is the exploration whose threads take turns now, or nil. There is one at a time in a
// process; the explorer sees to that. Other goroutines run meanwhile, and nothing that they do is
// explored, so a thread is told apart by a mark: its goroutine panics on faults (debug.SetPanicOnFault).
// That is the one bit of a goroutine that Go lets a program read.
//
// It is read at each point, plainly, in functions that the race detector does not look into. Threads
// get their turns after it is set. Another goroutine finds it set or not, and does nothing with it.
var active *exploration

type exploration struct {
	Explorer
	whole int // depth of stretches without points
}

// Begin makes e the explorer. Nobody else's exploration is going on.
//
//go:norace
func Begin(e Explorer) {
	if active != nil {
		panic("ichor: two explorations at once")
	}
	active = &exploration{Explorer: e}
}

// End ends the exploration.
//
//go:norace
func End() { active = nil }

// Mark makes the calling goroutine a thread of explorations.
func Mark() { debug.SetPanicOnFault(true) }

// mine returns the exploration if the calling goroutine is a thread of it, and nil otherwise.
//
//go:norace
func mine() *exploration {
	x := active
	if x == nil {
		return nil
	}
	if debug.SetPanicOnFault(true) {
		return x
	}
	debug.SetPanicOnFault(false)
	return nil
}

// Explored reports whether the calling goroutine is a thread of an explorer.
//
//go:norace
func Explored() bool { return mine() != nil }

// Load, Store and Update are the points before an atomic load, an atomic store, and an
// atomic operation that does both.
func Load[T any](p *T)   { access(AtomicLoad, p) }
func Store[T any](p *T)  { access(AtomicStore, p) }
func Update[T any](p *T) { access(AtomicUpdate, p) }

// Read and Write precede a plain access. They are not points. The explorer checks that
// plain accesses do not race; switching threads between them then changes nothing
// (Musuvathi and Qadeer, PLDI 2007).
func Read[T any](p *T)  { access(PlainRead, p) }
func Write[T any](p *T) { access(PlainWrite, p) }

// Born says that n bytes at p have been allocated, Freed that they have been freed.
// They are not points.
func Born[T any](p *T, n int)  { note(Op{Birth, address(p), uintptr(n)}) }
func Freed[T any](p *T, n int) { note(Op{Death, address(p), uintptr(n)}) }

// Wait returns once ready returns true. ready observes other threads, and has no side
// effects.
func Wait(ready func() bool) { at(Op{Kind: Waiting}, ready) }

// Send and Receive precede a channel operation that passes on what p points to. The
// channel has room, and Receive waits until ready returns true.
func Send[T any](p *T)                       { at(Op{Release, address(p), 1}, nil) }
func Receive[T any](p *T, ready func() bool) { at(Op{Acquire, address(p), 1}, ready) }

// Now returns the time in a thread. It depends only on the program and the schedule.
func Now() time.Duration { return mine().Now() }

// Whole begins a stretch without points, which works on what p points to, under a lock
// that the explorer does not know. The stretch ends with the call of end, and must not
// wait.
//
//go:norace
func Whole[T any](p *T) (end func()) {
	x := mine()
	if x == nil {
		return func() {}
	}
	a := address(p)
	x.at(Op{Uninterrupted, a, 1}, nil)
	x.whole++
	return func() { x.leave(a) }
}

// leave ends a stretch without points.
//
//go:norace
func (x *exploration) leave(a uintptr) {
	if mine() == x && x.whole > 0 {
		x.Note(Op{Release, a, 1}) // makes the stretch visible to the next one
		x.whole--
	}
}

// Sleep is a point. If nothing is explored, it is time.Sleep.
//
//go:norace
func Sleep(d time.Duration) {
	x := mine()
	if x == nil {
		time.Sleep(d)
		return
	}
	x.at(Op{Kind: Waiting}, nil)
}

//go:norace
func access[T any](k Kind, p *T) {
	x := mine()
	if x == nil {
		return
	}
	op := Op{k, address(p), unsafe.Sizeof(*p)}
	if op.Size > 8 {
		op.Size = 1 // a table is represented by its address
	}
	switch {
	case k <= PlainWrite:
		x.Note(op)
	case x.whole == 0:
		x.Point(op, nil) // not by way of at: each call in the way of a switch costs
	default:
		x.at(op, nil)
	}
}

//go:norace
func at(op Op, ready func() bool) {
	if x := mine(); x != nil {
		x.at(op, ready)
	}
}

//go:norace
func (x *exploration) at(op Op, ready func() bool) {
	if x.whole == 0 {
		x.Point(op, ready)
		return
	}
	if ready != nil && !ready() {
		panic("ichor: a thread waits in a whole stretch")
	}
	x.Note(op)
}

//go:norace
func note(op Op) {
	if x := mine(); x != nil {
		x.Note(op)
	}
}

// address returns p as a number.
func address[T any](p *T) uintptr {
	// Safety: the number is only compared with others while p is in use, and never
	// converted back to a pointer.
	return uintptr(unsafe.Pointer(p))
}
