package objects

import (
	"github.com/ichor-go/ichor/locks"
	rt "github.com/ichor-go/ichor/runtime"
)

// A large table of a lock-free runtime has gates behind its entries. A thread
// that overwrites a value holds one gate of the table, its own where there are
// enough, and not the dict's lock: that word lies beside the one where all
// readers find the table, and taking it would cost each of them a cache miss.
//
//	word of a gate        written by
//	0  mutex              who overwrites; who replaces the table
//	1  version            who overwrites, holding the gate, before the change
//
// While a thread holds a gate, the table stays the dict's. Who replaces it holds
// the dict's lock and then every gate. Insertions and deletions stay in the
// table, and take the dict's lock alone: an overwrite does not touch an entry that
// is dead. A deletion that depends on the value shuts the gates meanwhile: once it has
// announced itself in the state it cannot be called off.
//
// The dict's version for Freeze is two numbers: the word that lock raises, and the sum
// of the gates' versions. Neither ever falls. The sum outlives a table: where one with
// gates is replaced, while they are shut,
//
//	the next table    the sum goes to
//	has gates         the version of its gate 0
//	has none, or Nil  the dict's word boxGates, where the next gates begin
//
// dictVersion reads the dict's version first and then adds up. Let two reads agree, with a
// copy between them. No writer took the lock between their first loads, so the table of
// the copy stayed the dict's until the second read began. What a read adds up lies
// between the true sum when it loaded the block and that when it ended: versions only
// grow, and those of a table that was left are part of whatever followed. So with
// sum 1 ≤ the true sum at the copy ≤ that at the second read ≤ sum 2, equal sums say that no
// overwrite began after the copy; and the copy shut the gates, so none was under way.
// Both numbers have 32 bits: 2^32 changes of one dict during one Freeze go unnoticed.
const (
	gateWords = 16 // a cache line: gates lie one line apart, and one from the entries
	gatesSize = (gates + 1) * gateWords

	gateLock    = 0
	gateVersion = 1
)

// gatesFrom is how many entries a table with gates has room for at least: then gates are
// 3 % of it. A guess. Tests have it smaller.
var gatesFrom = 2048

// gate returns the first word of gate i of the table b, which has gates.
func gate(b rt.Body, i int) int {
	entries := shapeOf(b).entries
	return entries + int(b.Word(dictCap))*entryWords + (i+1)*gateWords
}

func hasGates(b rt.Body) bool { return b.Word(dictShape)&shapeGates != 0 }

// overwrite replaces the value of the live entry at e in the table r of the dict o,
// and returns the old value. It fails if the table is not the dict's any more, or
// the entry is dead: then it returns Nil. The table has gates. If want is not Nil, it also
// fails where the value is another one, and returns that.
func overwrite(t *rt.Thread, o rt.Body, r rt.Ref, e int, want, value rt.Ref) (old rt.Ref, ok bool) {
	b := t.Block(r)
	g := gate(b, int(t.ID())%gates)
	locks.Lock(b.Lock(g + gateLock))
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

// dictVersion is the version that Freeze compares: see above.
func dictVersion(h rt.Heap, o rt.Body) uint64 {
	version := o.Load(boxVersion)
	return uint64(version)<<32 | uint64(gatesSum(h, o, o.LoadRef(boxBlock)))
}

// gatesSum returns the sum of the versions of all gates that the dict o has had, where r is
// its table.
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

// succeed makes fresh the table of the dict o in the place of r. Either may be Nil. The
// dict is locked, and the gates of r are shut.
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

// shut waits until nobody overwrites values in the table b, and keeps all from it
// until reopen. b may be the zero Body. The dict is locked.
func shut(b rt.Body) { eachGate(b, locks.Lock) }

// reopen undoes shut.
func reopen(b rt.Body) { eachGate(b, locks.Unlock) }

func eachGate(b rt.Body, f func(*uint32)) {
	if !b.IsNil() && hasGates(b) {
		for i := range gates {
			f(b.Lock(gate(b, i) + gateLock))
		}
	}
}
