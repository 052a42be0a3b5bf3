package sched

import (
	"fmt"
	"runtime/trace"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
)

const (
	// DefaultBudget is the same as CPython's QSBR_FREE_MEM_LIMIT.
	DefaultBudget = 1 << 20

	// batchItems is how many items close a batch (CPython's QSBR_DEFERRED_LIMIT is
	// 127).
	batchItems = 128

	// A batch is also closed at 1/batchShare of the budget, so that some items can be
	// released before all of it is used up.
	batchShare = 4
)

// Deferred is a first-in, first-out queue of items that wait for a grace period.
//
//	Len   = items in closed batches + items in the open one
//	Bytes = sum of the bytes of these items
//
// The states of an item:
//
//	open    condition: in the open batch
//	        invariant: it has no goal yet
//	        to closed when the batch is full, and by Due, Take and Adopt (owner)
//	closed  condition: in a batch with a goal
//	        invariant: it was unlinked before the goal was made
//	        to given by Due and DueBut once the goal has passed; to taken by Take
//	        (owner)
//	given   condition: fn has been called with it, or is about to be
//	        invariant: it is out of the queue before fn is called
//
// One goroutine at a time uses the queue: its owner.
type Deferred[T any] struct {
	g        *Grace
	budget   int64
	bytes    int64
	parcel   Parcel[T]
	open     int    // items of the open batch, which are the last in the queue
	openSize int64  // their bytes
	out      uint64 // items that have left the queue
	due      bool   // Due is running
}

// Parcel holds deferred items and their goals on the way from one Deferred to another.
// It is passed on as a whole. One goroutine at a time uses it.
type Parcel[T any] struct {
	g       *Grace
	items   ring[item[T]]
	batches ring[batch]
}

type item[T any] struct {
	x     T
	bytes int64
}

// batch is a goal and the number of items that wait for it: those at the front of the
// queue, after the items of earlier batches.
type batch struct {
	goal uint64
	n    int
}

// NewDeferred returns an empty queue that waits for periods of g. A budget of 0 or less
// means DefaultBudget. Any goroutine.
func NewDeferred[T any](g *Grace, budget int64) *Deferred[T] {
	if budget <= 0 {
		budget = DefaultBudget
	}
	return &Deferred[T]{g: g, budget: budget}
}

// Defer adds x, which must be unlinked already. bytes is how much memory x keeps in
// use; a negative number panics. Owner only.
func (d *Deferred[T]) Defer(x T, bytes int64) {
	if bytes < 0 {
		fault.Throw(fault.Misuse{What: fmt.Sprintf("%d bytes to defer", bytes), Want: "0 or more"})
	}
	d.parcel.items.push(item[T]{x, bytes})
	d.bytes += bytes
	d.open++
	d.openSize += bytes
	if d.open >= batchItems || d.openSize >= (d.budget+batchShare-1)/batchShare {
		d.closeBatch()
	}
}

// Due calls fn for each item whose goal has passed, in the order in which the items
// were deferred. It first closes the open batch, so that the items of a quiet owner do
// not wait forever. Items that fn defers wait for a later call, and Due inside fn does
// nothing. If fn panics, the item that it was called with has left the queue. Owner
// only.
func (d *Deferred[T]) Due(fn func(T)) {
	if d.due || d.Len() == 0 {
		return
	}
	if !(mutant.On && mutant.Is(mutant.OpenKept)) {
		d.closeBatch()
	}
	d.giveBack(d.g.Passed, fn)
}

// DueBut is Due for items that the owner does not look at any more. It does not wait
// for r, which is the owner's reader. The open batch stays open. So the owner can call
// DueBut again and again without a quiescent point in between. Owner only.
func (d *Deferred[T]) DueBut(r *Reader, fn func(T)) {
	d.giveBack(func(goal uint64) bool { return d.g.PassedBut(r, goal) }, fn)
}

// giveBack calls fn for each item in a closed batch whose goal has passed.
func (d *Deferred[T]) giveBack(passed func(goal uint64) bool, fn func(T)) {
	if d.due {
		return
	}
	d.due = true
	defer func() { d.due = false }()
	end := d.out + uint64(d.Len())
	for over := uint64(0); d.parcel.batches.n > 0 && d.out < end; {
		if goal := d.parcel.batches.front().goal; goal > over {
			if !passed(goal) {
				return
			}
			over = goal
		}
		fn(d.pop())
	}
}

// Drain calls fn for all items, in order, including those that fn defers, until the
// queue is empty. It waits for no goal: the caller guarantees that no reader holds
// anything, because the world is stopped or no other reader is online. Owner, or the
// thread that has stopped the world.
func (d *Deferred[T]) Drain(fn func(T)) {
	for d.Len() > 0 {
		fn(d.pop())
	}
}

// Each calls fn for all waiting items, in order, and leaves them where they are. fn must not
// use the queue. Owner, or the thread that has stopped the world.
func (d *Deferred[T]) Each(fn func(T)) {
	items := &d.parcel.items
	for i := range items.n {
		fn(items.at(i).x)
	}
}

// Bytes returns how many bytes the waiting items keep in use. Owner only.
func (d *Deferred[T]) Bytes() int64 { return d.bytes }

// Len returns the number of waiting items. Owner only.
func (d *Deferred[T]) Len() int { return d.parcel.items.n }

// Over reports whether the waiting items keep more bytes in use than the budget allows.
// Owner only.
func (d *Deferred[T]) Over() bool { return d.bytes > d.budget }

// Take removes and returns all waiting items with their goals, for a thread that ends.
// Owner only.
func (d *Deferred[T]) Take() *Parcel[T] {
	d.closeBatch()
	p := d.parcel
	p.g = d.g
	d.out += uint64(p.items.n)
	d.parcel, d.bytes = Parcel[T]{}, 0
	return &p
}

// Adopt appends the items of a parcel to the queue, and empties the parcel. It panics
// if the parcel belongs to another Grace. Owner only.
func (d *Deferred[T]) Adopt(p *Parcel[T]) {
	if p.Len() == 0 {
		return
	}
	if p.g != d.g {
		fault.Throw(fault.Misuse{What: "a parcel of another Grace", Want: "a parcel of the same Grace"})
	}
	d.closeBatch()
	for p.items.n > 0 {
		it := p.items.pop()
		d.bytes += it.bytes
		d.parcel.items.push(it)
	}
	for p.batches.n > 0 {
		d.parcel.batches.push(p.batches.pop())
	}
}

// Len returns the number of items in the parcel. Holder of the parcel only.
func (p *Parcel[T]) Len() int { return p.items.n }

// closeBatch gives the open batch its goal. All its items are unlinked, so the goal is
// made after the last unlinking.
func (d *Deferred[T]) closeBatch() {
	if d.open == 0 {
		return
	}
	goal := d.g.Advance()
	if trace.IsEnabled() {
		d.g.tasks.begin(goal)
	}
	if mutant.On && mutant.Is(mutant.GoalEarly) {
		goal--
	}
	d.parcel.batches.push(batch{goal, d.open})
	d.open, d.openSize = 0, 0
}

// pop removes the front item, whether or not its batch is closed. The queue is
// consistent before and after.
func (d *Deferred[T]) pop() T {
	it := d.parcel.items.pop()
	d.bytes -= it.bytes
	d.out++
	if d.parcel.batches.n == 0 {
		d.open--
		d.openSize -= it.bytes
	} else if b := d.parcel.batches.front(); b.n > 1 {
		b.n--
	} else {
		d.parcel.batches.pop()
	}
	return it.x
}
