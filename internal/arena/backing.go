package arena

import (
	"math/bits"
	"runtime"
)

// defaultBacking is Go memory where the race detector must see the accesses,
// and where there is nothing else.
var defaultBacking = func() Backing {
	if raceEnabled || !haveSystem {
		return GoMemory
	}
	return System
}()

// littleGranules is 256 MiB, of which several fit in the 3 GiB that 32 bits leave.
const littleGranules = 1 << 24

// defaultReserve returns how many granules a space has unless it is told, and the system
// has as many. A reservation of system memory costs nothing, so it is all that handles can
// name; Go memory counts against the Go heap, so there it is moderate.
func defaultReserve(b Backing) uint64 {
	switch {
	case b != GoMemory && bits.UintSize == 64:
		return maxSpaceGranules // 64 GiB
	case b != GoMemory:
		return littleGranules
	case bits.UintSize == 64 && runtime.GOARCH != "wasm": // which has 4 GiB, whatever its words
		return littleGranules
	default:
		return 1 << 22 // 64 MiB
	}
}
