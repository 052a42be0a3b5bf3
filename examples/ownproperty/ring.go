package main

import (
	"fmt"

	rt "github.com/ichor-go/ichor/runtime"
)

// Words of a ring's body.
const (
	ringLock  = 0 // taken in lock-free mode only
	ringHead  = 1 // the slot of the oldest item
	ringLen   = 2
	ringCap   = 3
	ringLog   = 4 // two bits for each of the last operations, the latest in the lowest bits
	ringSlots = 5
)

// Operations in a ring's log. 0 means none.
const (
	logPush = 1
	logPop  = 2

	logShift = 2
	logMask  = 1<<logShift - 1
)

// ringType tells Ichor only how to find the references in a ring. Counting, freeing,
// immortality and audits follow from that.
var ringType = func() *rt.Type {
	y, err := rt.DefineType(rt.Type{
		Name:    "ring",
		Mutable: true,
		Traverse: func(_ rt.Heap, o rt.Body, visit func(rt.Ref)) {
			for i := range int(o.Word(ringCap)) {
				visit(o.LoadRef(ringSlots + i)) // an empty slot is Nil, which visit accepts
			}
		},
	})
	if err != nil {
		panic(err)
	}
	return y
}()

// Ring keeps the last items that were pushed, and a log of its last 16 operations. Many
// threads may use it concurrently: each call takes the ring's lock, so all calls are
// linearizable.
type Ring rt.Ref

// NewRing returns a new reference to an empty ring. Attached thread.
func NewRing(t *rt.Thread, capacity int) (rt.Ref, error) {
	if capacity < 1 {
		return rt.Nil, fmt.Errorf("new ring: capacity is %d, want at least 1", capacity)
	}
	r, o, err := t.New(ringType, 4*(ringSlots+capacity))
	if err == nil {
		o.SetWord(ringCap, uint32(capacity))
	}
	return r, err
}

// open takes the lock. Code between open and closeRing must not wait or reach a safe
// point. If a panic leaves the ring locked, the thread unlocks it at its next safe
// point.
func (g Ring) open(t *rt.Thread) rt.Body {
	o, ok := t.Object(g, ringType.ID())
	if !ok {
		panic("not a ring")
	}
	t.Lock(o, ringLock)
	return o
}

func closeRing(t *rt.Thread, o rt.Body) { t.Unlock(o, ringLock) }

// slot returns the word of item i.
func slot(o rt.Body, i uint32) int {
	return ringSlots + int((o.Word(ringHead)+i)%o.Word(ringCap))
}

// log records an operation. The ring is open.
func log(o rt.Body, op uint32) { o.SetWord(ringLog, o.Word(ringLog)<<logShift|op) }

// Push adds v, in place of the oldest item if the ring is full. Attached thread.
func (g Ring) Push(t *rt.Thread, v rt.Ref) {
	t.IncRef(v) // the slot's own count
	o := g.open(t)
	n := o.Word(ringLen)
	old := o.SwapRef(slot(o, n), v)
	if n < o.Word(ringCap) {
		o.SetWord(ringLen, n+1)
	} else {
		o.SetWord(ringHead, (o.Word(ringHead)+1)%o.Word(ringCap))
	}
	log(o, logPush)
	closeRing(t, o)
	t.Retire(old) // after the lock is released; Nil is allowed
}

// Pop removes the oldest item and returns a new reference to it, or Nil if the ring is
// empty. The slot's reference is retired, and the caller gets a reference of its own.
// Attached thread.
func (g Ring) Pop(t *rt.Thread) rt.Ref {
	o := g.open(t)
	n := o.Word(ringLen)
	if n == 0 {
		closeRing(t, o)
		return rt.Nil
	}
	v := o.SwapRef(slot(o, 0), rt.Nil)
	o.SetWord(ringHead, (o.Word(ringHead)+1)%o.Word(ringCap))
	o.SetWord(ringLen, n-1)
	log(o, logPop)
	closeRing(t, o)
	t.IncRef(v)
	t.Retire(v)
	return v
}

// Get returns a new reference to item i, counted from the oldest, or Nil if there is
// none. Attached thread.
func (g Ring) Get(t *rt.Thread, i int) rt.Ref {
	o := g.open(t)
	defer closeRing(t, o)
	if uint(i) >= uint(o.Word(ringLen)) {
		return rt.Nil
	}
	v := o.LoadRef(slot(o, uint32(i)))
	t.IncRef(v)
	return v
}

// Len returns the number of items. Attached thread.
func (g Ring) Len(t *rt.Thread) int {
	o := g.open(t)
	defer closeRing(t, o)
	return int(o.Word(ringLen))
}

// Log returns the last operations that changed the ring, oldest first: + for a push, -
// for a pop. Attached thread.
func (g Ring) Log(t *rt.Thread) (text string) {
	o := g.open(t)
	word := o.Word(ringLog)
	closeRing(t, o)
	for ; word&logMask != 0; word >>= logShift {
		text = string(" +-"[word&logMask]) + text
	}
	return text
}
