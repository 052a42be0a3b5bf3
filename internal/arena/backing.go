package arena

import (
	"math/bits"
	"runtime"
)

// defaultBacking is Go memory if the race detector must see the accesses, or if there
// is no other memory.
var defaultBacking = func() Backing {
	if raceEnabled || !haveSystem {
		return GoMemory
	}
	return System
}()

// littleGranules is 256 MiB. Several such spaces fit into the 3 GiB of a 32-bit
// process.
const littleGranules = 1 << 24

// defaultReserve returns the size of a space in granules if Config.Reserve is 0.
// Reserving system memory costs nothing, so on 64-bit systems the space is as large as
// handles can address. Go memory counts against the Go heap, so there the space is
// moderate.
func defaultReserve(b Backing) uint64 {
	switch {
	case b != GoMemory && bits.UintSize == 64:
		return maxSpaceGranules // 64 GiB
	case b != GoMemory:
		return littleGranules
	case bits.UintSize == 64 && runtime.GOARCH != "wasm": // wasm has 64-bit words but only 4 GiB
		return littleGranules
	default:
		return 1 << 22 // 64 MiB
	}
}
