//go:build explore

package point

import (
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

// explorer schedules the thread that is running, or is nil if none is. It needs no
// lock: coroutines take turns, so only one goroutine at a time uses it.
var (
	explorer Explorer
	whole    int // depth of stretches without points
)

// Run calls f, which runs a thread up to its next point, on behalf of e.
func Run(e Explorer, f func()) {
	explorer, whole = e, 0
	defer func() { explorer = nil }()
	f()
}

// Explored reports whether a thread of an explorer is running. The calling goroutine
// is that thread.
func Explored() bool { return explorer != nil }

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
func Now() time.Duration { return explorer.Now() }

// Whole begins a stretch without points, which works on what p points to, under a lock
// that the explorer does not know. The stretch ends with the call of end, and must not
// wait.
func Whole[T any](p *T) (end func()) {
	if explorer == nil {
		return func() {}
	}
	at(Op{Uninterrupted, address(p), 1}, nil)
	e := explorer
	whole++
	return func() {
		if explorer == e && whole > 0 {
			note(Op{Release, address(p), 1}) // makes the stretch visible to the next one
			whole--
		}
	}
}

// Sleep is a point. If nothing is explored, it is time.Sleep.
func Sleep(d time.Duration) {
	if explorer == nil {
		time.Sleep(d)
		return
	}
	at(Op{Kind: Waiting}, nil)
}

func access[T any](k Kind, p *T) {
	if explorer == nil {
		return
	}
	op := Op{k, address(p), unsafe.Sizeof(*p)}
	if op.Size > 8 {
		op.Size = 1 // a table is represented by its address
	}
	if k <= PlainWrite {
		note(op)
	} else {
		at(op, nil)
	}
}

func at(op Op, ready func() bool) {
	switch {
	case explorer == nil:
	case whole > 0:
		if ready != nil && !ready() {
			panic("ichor: a thread waits in a whole stretch")
		}
		explorer.Note(op)
	default:
		explorer.Point(op, ready)
	}
}

func note(op Op) {
	if explorer != nil {
		explorer.Note(op)
	}
}

// address returns p as a number.
func address[T any](p *T) uintptr {
	// Safety: the number is only compared with others while p is in use, and never
	// converted back to a pointer.
	return uintptr(unsafe.Pointer(p))
}
