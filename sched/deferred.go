package sched

import (
	"fmt"

	"github.com/ichor-go/ichor/internal/fault"
	"github.com/ichor-go/ichor/internal/mutant"
)

const (
	// DefaultBudget is CPython's QSBR_FREE_MEM_LIMIT.
	DefaultBudget = 1 << 20

	// batchItems closes a batch (CPython's QSBR_DEFERRED_LIMIT is 127).
	batchItems = 128

	// batchShare of the budget closes a batch too, so that some can be given back
	// before all of the budget is used up.
	batchShare = 4
)

// Deferred is a queue of things that wait for a grace period. First in, first
// out.
//
//	Len   = items in closed batches + items in the open one
//	Bytes = sum of the bytes of these items
//
// State of an item — condition — invariant — transition (who):
//
//	open   — in the open batch — no goal yet — to closed when the batch is full, and
//	         by Due, Take and Adopt (owner)
//	closed — in a batch with a goal — unlinked before the goal was made —
//	         to given by Due and DueBut once the goal has passed, to taken by Take (owner)
//	given  — out of the queue before fn is called with it
//
// One goroutine at a time uses it, its owner.
type Deferred[T any] struct {
	g        *Grace
	budget   int64
	bytes    int64
	parcel   Parcel[T]
	open     int    // items of the open batch, the last in the queue
	openSize int64  // their bytes
	out      uint64 // items that have left the queue
	due      bool   // Due is running
}

// Parcel holds deferred things, with their goals, on their way from one Deferred
// to another. It is passed on as a whole: one goroutine at a time.
type Parcel[T any] struct {
	g       *Grace
	items   ring[item[T]]
	batches ring[batch]
}

type item[T any] struct {
	x     T
	bytes int64
}

// batch is a goal and how many items at the front of the queue, after those of
// earlier batches, wait for it.
type batch struct {
	goal uint64
	n    int
}

// NewDeferred returns an empty queue that waits for g's periods. A budget of zero or less
// means DefaultBudget. Any goroutine.
func NewDeferred[T any](g *Grace, budget int64) *Deferred[T] {
	if budget <= 0 {
		budget = DefaultBudget
	}
	return &Deferred[T]{g: g, budget: budget}
}

// Defer adds x, which must be unlinked already, and which keeps that many bytes in
// use. It panics if bytes is negative. Owner only.
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

// Due calls fn for each thing whose goal has passed, in the order in which they
// were deferred. What fn defers waits for a later call; Due inside fn does
// nothing. An open batch is closed first, so that a quiet owner's things do not
// wait for ever. If fn panics, the thing that it was called with is out of the
// queue. Owner only.
func (d *Deferred[T]) Due(fn func(T)) {
	if d.due || d.Len() == 0 {
		return
	}
	if !(mutant.On && mutant.Is(mutant.OpenKept)) {
		d.closeBatch()
	}
	d.giveBack(d.g.Passed, fn)
}

// DueBut is Due for things that the owner itself does not look at any more, whose reader
// is r: that one is not waited for. The open batch stays open. So it can be called again
// and again, without a quiescent point of the owner's in between. Owner only.
func (d *Deferred[T]) DueBut(r *Reader, fn func(T)) {
	d.giveBack(func(goal uint64) bool { return d.g.PassedBut(r, goal) }, fn)
}

// giveBack calls fn for each thing in a closed batch whose goal has passed.
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

// Drain calls fn for everything, in order, and for what fn defers, until nothing
// is left. No goal is waited for: the caller guarantees that no reader holds
// anything, because the world is stopped or nobody else is online. Owner, or
// whoever has stopped it.
func (d *Deferred[T]) Drain(fn func(T)) {
	for d.Len() > 0 {
		fn(d.pop())
	}
}

// Bytes returns the bytes that the waiting things keep in use. Owner only.
func (d *Deferred[T]) Bytes() int64 { return d.bytes }

// Len returns the number of waiting things. Owner only.
func (d *Deferred[T]) Len() int { return d.parcel.items.n }

// Over reports whether more bytes wait than the budget allows. Owner only.
func (d *Deferred[T]) Over() bool { return d.bytes > d.budget }

// Take hands all waiting things over, with their goals, and leaves the queue
// empty: for a thread that ends. Owner only.
func (d *Deferred[T]) Take() *Parcel[T] {
	d.closeBatch()
	p := d.parcel
	p.g = d.g
	d.out += uint64(p.items.n)
	d.parcel, d.bytes = Parcel[T]{}, 0
	return &p
}

// Adopt appends what Take handed over to the queue, and empties the parcel. It
// panics if the parcel waits for another Grace. Owner only.
func (d *Deferred[T]) Adopt(p *Parcel[T]) {
	if p.Len() == 0 {
		return
	}
	if p.g != d.g {
		fault.Throw(fault.Misuse{What: "things that wait for another Grace", Want: "a parcel of the same Grace"})
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

// Len returns the number of things in the parcel. Whoever holds it.
func (p *Parcel[T]) Len() int { return p.items.n }

// closeBatch gives the open batch its goal. All of it is unlinked, so the goal
// is made after the last unlinking.
func (d *Deferred[T]) closeBatch() {
	if d.open == 0 {
		return
	}
	goal := d.g.Advance()
	if mutant.On && mutant.Is(mutant.GoalEarly) {
		goal--
	}
	d.parcel.batches.push(batch{goal, d.open})
	d.open, d.openSize = 0, 0
}

// pop takes the front thing out, whether or not its batch is closed. The queue
// is consistent before and after.
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
