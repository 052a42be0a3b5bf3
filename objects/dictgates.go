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
// is dead.
const (
	gates     = 16
	gatesFrom = 2048 // entries a table has to have: then gates are 3 % of it. A guess
	gateWords = 16   // a cache line: gates lie one line apart, and one from the entries
	gatesSize = (gates + 1) * gateWords

	gateLock    = 0
	gateVersion = 1
)

// gate returns the first word of gate i of the table b, which has gates.
func gate(b rt.Body, i int) int {
	entries := shapeOf(b).entries
	return entries + int(b.Word(dictCap))*entryWords + (i+1)*gateWords
}

func hasGates(b rt.Body) bool { return b.Word(dictShape)&shapeGates != 0 }

// overwrite replaces the value of the live entry at e in the table r of the dict o,
// and returns the old value. It fails if the table is not the dict's any more, or
// the entry is dead. The table has gates.
func overwrite(t *rt.Thread, o rt.Body, r rt.Ref, e int, value rt.Ref) (old rt.Ref, ok bool) {
	b := t.Block(r)
	g := gate(b, int(t.ID())%gates)
	locks.Lock(b.Lock(g + gateLock))
	if o.LoadRef(boxBlock) == r {
		b.Add(g+gateVersion, 1)
		for !ok {
			if old = b.LoadRef(e + entryValue); old == rt.Nil {
				break
			}
			ok = b.CAS(e+entryValue, uint32(old), uint32(value))
		}
	}
	locks.Unlock(b.Lock(g + gateLock))
	return old, ok
}

// shut waits until nobody overwrites values in the table r, and keeps all from it
// until reopen. r may be Nil. The dict is locked.
func shut(t *rt.Thread, r rt.Ref) { eachGate(t, r, locks.Lock) }

// reopen undoes shut.
func reopen(t *rt.Thread, r rt.Ref) { eachGate(t, r, locks.Unlock) }

func eachGate(t *rt.Thread, r rt.Ref, f func(*uint32)) {
	if r == rt.Nil {
		return
	}
	if b := t.Block(r); hasGates(b) {
		for i := range gates {
			f(b.Lock(gate(b, i) + gateLock))
		}
	}
}
