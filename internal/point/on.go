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
	AtomicUpdate  // reads and writes: add, swap, compare and swap
	Acquire       // of a mutex
	Release       // likewise
	Birth         // memory is given out: whatever was known of it is void
	Death         // memory is given back: no access to it is in order until it is born again
	Waiting       // for a condition
	Start         // the thread has done nothing yet
	Uninterrupted // a stretch that is whole
)

// Op is what a thread is about to do at a point.
type Op struct {
	Kind Kind
	Addr uintptr
	Size uintptr // bytes; 0 where there is no address
}

// Explorer is who runs threads. Its methods are called by the thread that runs, and
// return when it is to go on.
type Explorer interface {
	// Point is a point. ready, if not nil, tells whether the thread can go on; it is
	// called while others run, and changes nothing.
	Point(op Op, ready func() bool)
	// Note is a point at which the thread goes on at once.
	Note(op Op)
	// Now is what the thread takes for the time.
	Now() time.Duration
}

// explorer runs the thread that is running; nil if none is. Whoever explores is one
// goroutine at a time, as far as memory is concerned: coroutines take turns.
var (
	explorer Explorer
	whole    int // depth of stretches without points
)

// Run calls f, which runs a thread as far as its next point, on behalf of e.
func Run(e Explorer, f func()) {
	explorer, whole = e, 0
	defer func() { explorer = nil }()
	f()
}

// Explored reports whether a thread of an explorer is running. The calling goroutine
// is that thread.
func Explored() bool { return explorer != nil }

// Load, Store and Update are the points before an atomic load, store, and anything
// atomic that does both.
func Load[T any](p *T)   { access(AtomicLoad, p) }
func Store[T any](p *T)  { access(AtomicStore, p) }
func Update[T any](p *T) { access(AtomicUpdate, p) }

// Read and Write stand before a plain access. They are no points: if plain accesses are in
// order, which is checked, where threads are switched between them changes nothing
// (Musuvathi and Qadeer, PLDI 2007).
func Read[T any](p *T)  { access(PlainRead, p) }
func Write[T any](p *T) { access(PlainWrite, p) }

// Born says that n bytes at p were given out, Freed that they are given back. Neither
// is a point.
func Born[T any](p *T, n int)  { note(Op{Birth, address(p), uintptr(n)}) }
func Freed[T any](p *T, n int) { note(Op{Death, address(p), uintptr(n)}) }

// Wait returns when ready is true. ready looks at what others do, and changes
// nothing.
func Wait(ready func() bool) { at(Op{Kind: Waiting}, ready) }

// Send and Receive stand before a channel operation that hands over what p names.
// There is room in the channel, and Receive waits until ready is true.
func Send[T any](p *T)                       { at(Op{Release, address(p), 1}, nil) }
func Receive[T any](p *T, ready func() bool) { at(Op{Acquire, address(p), 1}, ready) }

// Now is the time in a thread: as the program says, the same whenever it takes the same
// turns.
func Now() time.Duration { return explorer.Now() }

// Whole begins a stretch without points, which works on what p names under a lock that
// the explorer does not know. It is over when the result is called. Nothing in it
// waits.
func Whole[T any](p *T) (end func()) {
	if explorer == nil {
		return func() {}
	}
	at(Op{Uninterrupted, address(p), 1}, nil)
	e := explorer
	whole++
	return func() {
		if explorer == e && whole > 0 {
			note(Op{Release, address(p), 1}) // what was done in it is seen by the next one
			whole--
		}
	}
}

// Sleep is a point, and time.Sleep where nothing is explored.
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
		op.Size = 1 // a table stands for itself
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
			panic("ichor: a thread waits in a stretch that is whole")
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

// address returns where p points.
func address[T any](p *T) uintptr {
	// Safety: the number is compared with others while p is in use, and never becomes
	// a pointer again.
	return uintptr(unsafe.Pointer(p))
}
