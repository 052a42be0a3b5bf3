package scenarios

import (
	"math/rand/v2"

	rt "github.com/ichor-go/ichor/runtime"
)

// countState is a way in which an object is counted.
type countState struct {
	name     string
	mode     string
	immortal string
}

// countStates are the states of Ichor's objects; pairReferences has those without Ichor. Code
// that looks for an owned object without naming a mode finds the first one, that of the GIL.
var countStates = []countState{
	{"address", modeAtomic, immortalAddress},
	{"inplace", modeAtomic, immortalInPlace},
	{"owned", modeGIL, immortalNone},
	{"owned", modeBiased, immortalNone},
	{"shared", modeAtomic, immortalNone},
}

// countOne counts an object up and down 256 times.
func countOne(t *rt.Thread, r rt.Ref) {
	for range 256 {
		t.IncRef(r)
		t.DecRef(r)
	}
}

// scattered returns the numbers below n in an order without locality.
func scattered(n int) []uint32 {
	order := make([]uint32, n)
	for i, x := range rand.New(rand.NewPCG(1, uint64(n))).Perm(n) {
		order[i] = uint32(x)
	}
	return order
}
