package objects

import (
	"github.com/ichor-go/ichor/locks"
	rt "github.com/ichor-go/ichor/runtime"
)

// A large table of a lock-free runtime has gates after its entries. A thread that
// overwrites a value holds one gate of the table, and not the dict's lock. Each thread has
// a gate of its own if there are enough. The word of the lock lies beside the word through
// which all readers find the table, so taking the lock would cost each reader a cache miss.
//
//	word of a gate        written by
//	0  mutex              threads that overwrite, or replace the table
//	1  version            threads that overwrite, holding the gate, before the change
//
// While a thread holds a gate, the table stays the dict's. A thread that replaces the table
// holds the dict's lock and then every gate. Insertions and deletions stay in the table,
// and take the dict's lock alone: an overwrite does not touch a dead entry. A deletion that
// depends on the value shuts the gates while it lasts: it cannot be called off once it
// has announced itself in the state.
//
// The dict's version for Freeze consists of two numbers: the word that lock raises, and the
// sum of the gates' versions. Neither ever falls. The sum outlives a table. When a table
// with gates is replaced, its gates are shut, and the sum moves on:
//
//	the next table    the sum goes to
//	has gates         the version of its gate 0
//	has none, or Nil  the dict's word boxGates, where the next gates begin
//
// dictVersion reads the dict's version first and then adds up the gates' versions. Let two
// reads of it agree, with a copy between them. No writer took the lock between the first
// loads of the two reads, so the table of the copy stayed the dict's until the second read
// began. The sum that a read returns lies between the true sum when the read loaded the
// block and the true sum when it ended: versions only grow, and the versions of a replaced
// table are part of whatever followed. So sum 1 ≤ the true sum at the copy ≤ the true sum
// at the second read ≤ sum 2. If the sums are equal, no overwrite began after the copy.
// None was under way during the copy either, because the copy shut the gates. Both numbers
// have 32 bits: 2^32 changes of one dict during one Freeze go unnoticed.
const (
	gateWords = 16 // a cache line: the distance between gates, and from the entries to the first gate
	gatesSize = (gates + 1) * gateWords

	gateLock    = 0
	gateVersion = 1
)

// gatesFrom is the least capacity of a table with gates. At that capacity the gates are 3 %
// of the table. A guess. Tests lower it.
var gatesFrom = 2048

// gate returns the first word of gate i of the table b, which has gates.
func gate(b rt.Body, i int) int {
	entries := shapeOf(b).entries
	return entries + int(b.Word(dictCap))*entryWords + (i+1)*gateWords
}

func hasGates(b rt.Body) bool { return b.Word(dictShape)&shapeGates != 0 }

// overwrite replaces the value of the live entry at e in the table r of the dict o, and
// returns the old value. If the table is no longer the dict's, or the entry is dead, it
// fails and returns Nil. If want is neither Nil nor the value of the entry, it fails and
// returns that value. The table has gates.
func overwrite(t *rt.Thread, o rt.Body, r rt.Ref, e int, want, value rt.Ref) (old rt.Ref, ok bool) {
	b := t.Block(r)
	g := gate(b, int(t.ID())%gates)
	lockGate(t, b.Lock(g+gateLock))
	if o.LoadRef(boxBlock) == r {
		b.Add(g+gateVersion, 1)
		for !ok {
			if old = b.LoadRef(e + entryValue); old.IsNil() || old != want && !want.IsNil() {
				break
			}
			ok = b.CAS(e+entryValue, uint32(old.Handle), uint32(value.Handle))
		}
	}
	locks.Unlock(b.Lock(g + gateLock))
	return old, ok
}

// dictVersion returns the version that Freeze compares, as described above.
func dictVersion(h rt.Heap, o rt.Body) uint64 {
	version := o.Load(boxVersion)
	return uint64(version)<<32 | uint64(gatesSum(h, o, o.LoadRef(boxBlock)))
}

// gatesSum returns the sum of the versions of all gates that the dict o has had. r is its
// table.
func gatesSum(h rt.Heap, o rt.Body, r rt.Ref) (sum uint32) {
	if r.IsNil() {
		return o.Load(boxGates)
	}
	b := h.Block(r)
	if !hasGates(b) {
		return o.Load(boxGates)
	}
	for i := range gates {
		sum += b.Load(gate(b, i) + gateVersion)
	}
	return sum
}

// succeed replaces the table r of the dict o with fresh. Either may be Nil. The dict is
// locked, and the gates of r are shut.
func succeed(t *rt.Thread, o rt.Body, r, fresh rt.Ref) {
	sum := gatesSum(t.Heap, o, r)
	if !fresh.IsNil() && hasGates(t.Block(fresh)) {
		b := t.Block(fresh)
		b.Store(gate(b, 0)+gateVersion, sum)
	} else {
		o.Store(boxGates, sum)
	}
	o.StoreRef(boxBlock, fresh)
}

// shut takes all gates of the table b: it waits until no thread overwrites values, and
// keeps threads from doing so until reopen. b may be the zero Body. The dict is locked.
func shut(t *rt.Thread, b rt.Body) { eachGate(b, func(w *uint32) { lockGate(t, w) }) }

// reopen releases the gates that shut has taken.
func reopen(b rt.Body) { eachGate(b, locks.Unlock) }

// lockGate takes a gate. The thread reaches no safe point before it releases it.
func lockGate(t *rt.Thread, w *uint32) {
	if !locks.TryLock(w) {
		core.WaitForLock(t, w)
	}
}

func eachGate(b rt.Body, f func(*uint32)) {
	if !b.IsNil() && hasGates(b) {
		for i := range gates {
			f(b.Lock(gate(b, i) + gateLock))
		}
	}
}
