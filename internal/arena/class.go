package arena

const (
	GranuleShift = 4
	GranuleSize  = 1 << GranuleShift

	// SpanShift gives 64 KiB: small enough to return memory soon, large
	// enough that one call to the system serves hundreds of objects.
	SpanShift    = 16
	SpanSize     = 1 << SpanShift
	SpanGranules = SpanSize / GranuleSize

	// A span of the smallest class has a slot for each granule: a header
	// without a body, or a block of 16 bytes.
	maxSlots    = SpanGranules
	bitmapWords = maxSlots / 64

	// MinContainer is the least size of a Container in granules: the cycle
	// collector has a word for every second granule.
	MinContainer = 2
)

// classGranules are the slot sizes. Steps of a quarter to an eighth bound the
// waste inside a slot; the last ones divide a span into 4, 3 and 2 slots.
var classGranules = [...]uint32{
	1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128,
	160, 192, 224, 256, 315, 372, 455, 512, 585, 682, 819, 1024, 1365, 2048,
}

// Classes is the number of size classes.
const Classes = len(classGranules)

// MaxSmall is the largest block, in granules, that comes from a class.
const MaxSmall = 2048

// classOf maps a size in granules to its class: exactly up to 128, then by
// eighths of a power of two.
var classOf [129]uint8

func init() {
	c := 0
	for n := range classOf {
		if uint32(n) > classGranules[c] {
			c++
		}
		classOf[n] = uint8(c)
	}
}

// ClassOf returns the class whose slots hold n granules. n is at most MaxSmall.
func ClassOf(n uint32) int {
	if n < uint32(len(classOf)) {
		return int(classOf[n])
	}
	c := int(classOf[128])
	for classGranules[c] < n {
		c++
	}
	return c
}

// Granules returns how many granules hold n bytes.
func Granules(n uintptr) uint32 { return uint32((n + GranuleSize - 1) >> GranuleShift) }

// slotMagic returns m such that off*m>>32 is off/n for every off in a span. For
// n = 1 it is more than 32 bits.
func slotMagic(n uint32) uint64 { return 1<<32/uint64(n) + 1 }

// Rounded returns how many granules a block of n has room for.
func Rounded(n uint32) uint32 {
	if n > MaxSmall {
		return (n + SpanGranules - 1) / SpanGranules * SpanGranules
	}
	return classGranules[ClassOf(n)]
}
